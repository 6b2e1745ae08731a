//! The pages of orders: the list with its views, one order with what can be done with it, its confirmation on paper.

use std::sync::Arc;

use leptos::ev::SubmitEvent;
use leptos::prelude::*;
use leptos::suspense::Unsuspend;
use leptos_router::components::{Outlet, ParentRoute, Route};
use leptos_router::hooks::use_params_map;
use leptos_router::path;
use serde_json::Map;
use wasm_split_helpers::wasm_split;

use super::entry::Entry;
use super::rpc::{
    cancel_order, delete_order, latest_orders, list_orders, new_order, order_taken_along, place_order, read_order,
    reopen_order, ship_order,
};
use super::{Action, Command, Item, LISTING, Order, OrderId, OrderInput, Sheet, Status};
use crate::base::country;
use crate::base::date::Date;
use crate::base::form::Input;
use crate::base::listing::Page;
use crate::base::money::grouped;
use crate::base::record::Row;
use crate::base::time::Moment;
use crate::base::{Error, Result};
use crate::history::Detail;
use crate::ui::chunk::Chunk;
use crate::ui::confirm::AskButton;
use crate::ui::facts::Facts;
use crate::ui::form::{Sender, Sending, Sent, Summary, sent_by};
use crate::ui::found::Found;
use crate::ui::icon::{Icon, Shape};
use crate::ui::page::{Heading, use_here};
use crate::ui::past;
use crate::ui::problem::Problem;
use crate::ui::records::{Calls, Delete, ListPage, Pages};
use crate::ui::rows::Said;
use crate::ui::table::{Column, Filter, use_query_text};
use crate::ui::timeline::Timeline;
use crate::ui::when::use_zone;

/// `/orders` and below.
pub static PAGES: Pages = Pages {
    resource: "orders",
    one: "order",
    title: "Orders",
    aside: "customer_name",
    purpose: "Orders are who wants what, at which price. Write one by hand, import a file, or let a script send them.",
    listing: &LISTING,
    columns: &[
        Column { order: "number", label: "Number", class: "name", cell: |row| Said::Text(row.text("name")) },
        Column {
            order: "customer_name",
            label: "Customer",
            class: "code",
            cell: |row| Said::Name(row.text("customer_name")),
        },
        Column {
            order: "",
            label: "Status",
            class: "state",
            cell: |row| {
                let status = status_of(row);
                Said::badge((status.name(), status.label()))
            },
        },
        Column {
            order: "order_date",
            label: "Ordered",
            class: "opt muted",
            cell: |row| Said::Text(day(row, "order_date")),
        },
        Column {
            order: "required_date",
            label: "Required",
            class: "opt muted",
            cell: |row| Said::Text(day(row, "required_date")),
        },
        Column {
            order: "",
            label: "Reference",
            class: "opt muted",
            cell: |row| Said::Text(row.text("customer_reference")),
        },
        Column {
            order: "total",
            label: "Total",
            class: "num amount",
            cell: |row| Said::Amount { number: grouped(&row.text("total")), currency: row.text("currency") },
        },
    ],
    tabs: &[
        ("", "All"),
        (Status::Draft.name(), "Drafts"),
        (Status::Placed.name(), "Placed"),
        (Status::Shipped.name(), "Shipped"),
        (Status::Cancelled.name(), "Cancelled"),
    ],
    filters: &[
        Filter::Exact { name: "customer_name", label: "Customer" },
        Filter::Range { from: "order_date__gte", to: "order_date__lte", label: "Ordered", control: "date" },
        Filter::Range { from: "total__gte", to: "total__lte", label: "Total", control: "text" },
        Filter::Linked { name: "customer", label: "Customer" },
        Filter::Linked { name: "product", label: "Product" },
    ],
    calls: Calls {
        list: |query| Box::pin(list_orders(query)),
        delete: |id, version| Box::pin(delete_order(OrderId(id), version)),
        taken_along: |id| Box::pin(order_taken_along(OrderId(id))),
        record: None,
    },
};

fn status_of(row: &Row) -> Status {
    row.text("status").parse().unwrap_or_default()
}

fn day(row: &Row, name: &str) -> String {
    row.text(name).parse::<Date>().map_or_else(|_| String::new(), |date| date.to_string())
}

/// An amount as people read it.
pub(super) fn amount(value: impl ToString) -> String {
    grouped(&value.to_string())
}

/// Where an order stands, by text and shape.
#[component]
pub fn StatusBadge(status: Status) -> impl IntoView {
    view! { <span class=format!("badge {}", status.name())>{status.label()}</span> }
}

/// The pages of one order.
#[derive(Clone, Copy)]
enum OrderPage {
    New,
    Sheet,
    Cancel,
    Delete,
    Print,
}

fn chunk(page: OrderPage) -> Chunk<OrderPage> {
    Chunk { name: "order", fetch: || Box::pin(fetch_order_page()), page, draw: |page| Box::pin(order_page(page)) }
}

#[wasm_split(order, preload(fetch_order_page), fallible)]
fn order_page(page: OrderPage) -> Result<AnyView> {
    Ok(match page {
        OrderPage::New => view! { <NewPage /> }.into_any(),
        OrderPage::Sheet => view! { <SheetPage /> }.into_any(),
        OrderPage::Cancel => view! { <CancelPage /> }.into_any(),
        OrderPage::Delete => view! { <DeletePage /> }.into_any(),
        OrderPage::Print => view! { <PrintPage /> }.into_any(),
    })
}

/// The list and everything below it.
#[component(transparent)]
pub fn OrderRoutes() -> impl leptos_router::MatchNestedRoutes + Clone {
    view! {
        <ParentRoute path=path!("orders") view=Outlet>
            <Route path=path!("") view=|| view! { <ListPage pages=&PAGES /> } />
            <Route path=path!("new") view=chunk(OrderPage::New) />
            <Route path=path!(":id") view=chunk(OrderPage::Sheet) />
            <Route path=path!(":id/cancel") view=chunk(OrderPage::Cancel) />
            <Route path=path!(":id/delete") view=chunk(OrderPage::Delete) />
            <Route path=path!(":id/print") view=chunk(OrderPage::Print) />
            <Route path=path!(":id/history") view=past::chunk(&PAGES) />
        </ParentRoute>
    }
    .into_inner()
}

/// Reads the order of the page anew after something was done with it.
#[derive(Clone, Copy)]
pub(super) struct Reload(RwSignal<u32>);

impl Reload {
    /// The page's, where there is one.
    pub(super) fn now(self) {
        self.0.try_update(|times| *times += 1);
    }
}

#[component]
fn NewPage() -> impl IntoView {
    let start = Resource::new(|| (), |()| new_order());
    view! {
        <Found found=start draw=|(once, start)| view! { <Entry once start /> }.into_any() />
    }
}

/// Draws the order in the address.
#[component]
fn WithOrder(draw: fn(Detail<Sheet>) -> AnyView) -> impl IntoView {
    let (params, within) = (use_params_map(), use_query_text());
    let reload = Reload(RwSignal::new(0));
    provide_context(reload);
    let id = move || params.with(|params| params.get("id").and_then(|id| id.parse::<i64>().ok()));
    let detail = Resource::new(
        move || (id(), within(), reload.0.get()),
        |(id, within, _)| async move {
            match id {
                Some(id) => read_order(OrderId(id), within).await,
                None => Err(Error::not_found("order")),
            }
        },
    );
    view! {
        <Found found=detail draw=draw />
    }
}

#[component]
fn SheetPage() -> impl IntoView {
    view! {
        <WithOrder draw=|detail| {
            let may_write = allowed(&detail.record.actions, Command::Change);
            if may_write { view! { <Entry detail /> }.into_any() } else { view! { <Written detail /> }.into_any() }
        } />
    }
}

/// Whether a command can be given now.
pub(super) fn allowed(actions: &[Action], command: Command) -> bool {
    actions.iter().any(|action| action.command == command && action.allowed)
}

/// An order whose lines do not change.
#[component]
fn Written(detail: Detail<Sheet>) -> impl IntoView {
    let Detail { record, events, beside } = detail;
    let Sheet { order, actions, inactive } = record;
    let (status, title, buttons) = (order.status, order.title(), actions.clone());
    let (id, version) = (order.id, order.version);
    let (name, called) = (title.clone(), order.customer_name.clone());
    let total = format!("{} {}", amount(order.total), order.currency);
    let values = Map::from_iter(
        OrderInput { header: order.header.clone(), items: None }
            .values()
            .into_iter()
            .filter(|(name, _)| name != "customer"),
    );
    view! {
        <Heading
            title
            crumb=PAGES.crumb()
            beside
            badge=move || {
                view! {
                    <StatusBadge status />
                    <span class="muted">
                        <bdi>{called.clone()}</bdi>
                        {format!(" · {total}")}
                    </span>
                }
            }
            actions=move || view! { <Commands id version title=name.clone() actions=buttons.clone() /> }
        />
        <Refused />
        <div class="cols">
            <div class="stack">
                <section class="card">
                    <h2>"Lines"</h2>
                    <Lines order=order.clone() inactive />
                    <Totals order=order.clone() />
                </section>
                <Blocked actions />
            </div>
            <aside class="stack">
                <Buyer order=order.clone() />
                <Facts fields=OrderInput::FIELDS values />
                <Timeline events fields=OrderInput::FIELDS record=PAGES.href(id.0) />
            </aside>
        </div>
    }
}

/// Who the order is for, and how far it got.
#[component]
fn Buyer(order: Order) -> impl IntoView {
    let fact = |label: &'static str, value: Option<String>| {
        value.map(|value| view! { <dt>{label}</dt><dd><bdi>{value}</bdi></dd> })
    };
    let zone = use_zone();
    let moment = |at: Option<Moment>| at.map(|at| zone.said(&at));
    view! {
        <section class="card">
            <h2>"Customer"</h2>
            <dl class="facts">
                <dt>"Name"</dt>
                <dd>
                    <a class="over" href=format!("/customers/{}", order.header.customer)>
                        <bdi>{order.customer_name}</bdi>
                    </a>
                </dd>
                {fact("Placed", moment(order.placed_at))}
                {fact("Shipped", moment(order.shipped_at))}
                {fact("Cancelled", moment(order.cancelled_at))}
                {fact("Reason", order.cancel_reason)}
            </dl>
        </section>
    }
}

/// Why what cannot be done now cannot.
#[component]
pub(super) fn Blocked(actions: Vec<Action>) -> impl IntoView {
    let blocked: Vec<_> = actions
        .into_iter()
        .filter_map(|action| {
            let reason = action.reason?;
            Some(view! {
                <li>
                    <b>{action.command.label()}</b>
                    ": "
                    {reason}
                </li>
            })
        })
        .collect();
    (!blocked.is_empty()).then(|| {
        view! {
            <section class="card why">
                <h2>"Not possible now"</h2>
                <ul>{blocked}</ul>
            </section>
        }
    })
}

/// The lines of an order, as they are.
#[component]
fn Lines(
    order: Order,
    /// SKUs to flag.
    inactive: Vec<String>,
) -> impl IntoView {
    let rows = order
        .items
        .unwrap_or_default()
        .into_iter()
        .map(|item| {
            let flagged = inactive.contains(&item.sku);
            view! { <LineRow item flagged /> }
        })
        .collect_view();
    view! {
        <table class="lines">
            <thead>
                <tr>
                    <th scope="col" class="num">"#"</th>
                    <th scope="col">"SKU"</th>
                    <th scope="col">"Product"</th>
                    <th scope="col" class="num">"Quantity"</th>
                    <th scope="col" class="num">"Unit price"</th>
                    <th scope="col" class="num">"Discount"</th>
                    <th scope="col" class="num">{format!("Net, {}", order.currency)}</th>
                </tr>
            </thead>
            <tbody>{rows}</tbody>
        </table>
    }
}

#[component]
fn LineRow(item: Item, flagged: bool) -> impl IntoView {
    let discount = item.discount_percent.is_positive().then(|| format!("{} %", item.discount_percent));
    view! {
        <tr>
            <td class="num faint">{item.position}</td>
            <td class="muted">
                <a class="over" href=format!("/products/{}", item.product)>{item.sku}</a>
            </td>
            <td>
                <bdi>{item.description}</bdi>
                {flagged.then(|| view! { " " <span class="badge inactive">"Inactive"</span> })}
            </td>
            <td class="num">{amount(item.quantity)} " " <span class="faint">{item.unit}</span></td>
            <td class="num">
                {amount(item.unit_price)}
                {item.price_is_manual.then(|| view! { <span class="mark-manual" title="This price was typed">" ✎"</span> })}
            </td>
            <td class="num muted">{discount}</td>
            <td class="num">{amount(item.net)}</td>
        </tr>
    }
}

/// What an order comes to.
#[component]
fn Totals(order: Order) -> impl IntoView {
    let lines: Vec<_> = order.items.iter().flatten().map(Item::line).collect();
    let taxes = super::pricing::price(&lines).map(|(_, totals)| totals.taxes).unwrap_or_default();
    view! {
        <dl class="totals">
            <dt>"Subtotal"</dt>
            <dd>{amount(order.subtotal)}</dd>
            {order
                .discount_total
                .is_positive()
                .then(|| view! { <dt>"Discount"</dt><dd>{format!("−{}", amount(order.discount_total))}</dd> })}
            {taxes
                .into_iter()
                .map(|group| view! { <dt>{format!("Tax {} %", group.rate)}</dt><dd>{amount(group.tax)}</dd> })
                .collect_view()}
            <dt class="grand">{format!("Total, {}", order.currency)}</dt>
            <dd class="grand">{amount(order.total)}</dd>
        </dl>
    }
}

/// What came of the commands of this page.
#[derive(Clone, Copy)]
struct Answered(RwSignal<Option<Error>>);

/// The commands that can be given now, as buttons; the others disabled, with their reason.
#[component]
fn Commands(id: OrderId, version: i64, title: String, actions: Vec<Action>) -> impl IntoView {
    let buttons = actions
        .into_iter()
        .filter(|action| !matches!(action.command, Command::Change | Command::Place))
        .map(|action| match (action.command, action.reason) {
            (command, Some(reason)) if matches!(command, Command::Ship | Command::Reopen | Command::Cancel) => view! {
                <button class="btn" disabled=true title=reason>
                    {command.label()}
                </button>
            }
            .into_any(),
            (_, Some(_)) => ().into_any(),
            (Command::Cancel, None) => view! { <CancelButton id version title=title.clone() /> }.into_any(),
            (Command::Delete, None) => view! { <DeleteButton id version title=title.clone() /> }.into_any(),
            (command, None) => view! { <Give id version command /> }.into_any(),
        })
        .collect_view();
    view! {
        <a class="btn quiet" href=format!("/orders/{id}/print")>
            <Icon shape=Shape::Print />
            "Print"
        </a>
        {buttons}
    }
}

/// The button that asks before an order is cancelled.
#[component]
pub(super) fn CancelButton(id: OrderId, version: i64, title: String) -> impl IntoView {
    view! {
        <AskButton
            href=format!("/orders/{id}/cancel")
            label="Cancel order"
            shape=Shape::Close
            title=cancel_question(&title)
        >
            <Reasoned id version />
        </AskButton>
    }
}

/// The button that asks before a draft is deleted.
#[component]
pub(super) fn DeleteButton(id: OrderId, version: i64, title: String) -> impl IntoView {
    view! {
        <AskButton
            href=format!("/orders/{id}/delete")
            label="Delete"
            shape=Shape::Trash
            title=delete_question(&title)
        >
            <Delete pages=&PAGES id=id.0 version />
        </AskButton>
    }
}

type Given = std::pin::Pin<Box<dyn Future<Output = Result<i64>> + Send>>;

fn give(command: Command, id: OrderId, version: i64, reason: String) -> Given {
    match command {
        Command::Ship => Box::pin(ship_order(id, version)),
        Command::Reopen => Box::pin(reopen_order(id, version)),
        Command::Cancel => Box::pin(cancel_order(id, version, reason)),
        _ => Box::pin(place_order(id, version)),
    }
}

/// Gives a command and reads the order anew.
fn sender(command: Command, id: OrderId, version: i64) -> Sender {
    let reload = use_context::<Reload>();
    Arc::new(move |sent: Sent| {
        let given = give(command, id, version, sent.hidden("reason"));
        Box::pin(async move {
            given.await?;
            if let Some(reload) = reload {
                reload.now();
            }
            Ok(())
        })
    })
}

/// A command that needs no words.
#[component]
fn Give(id: OrderId, version: i64, command: Command) -> impl IntoView {
    let action = format!("/-/orders/{}", command.name());
    let sending = Sending::of(&action, sender(command, id, version));
    if let Some(answered) = use_context::<Answered>() {
        answered.0.set(sending.found.get_untracked());
        Effect::new(move || answered.0.set(sending.found.get()));
    }
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        sending.send(Sent::default());
    };
    let primary = matches!(command, Command::Ship | Command::Place);
    let shape = match command {
        Command::Ship => Shape::Truck,
        Command::Reopen => Shape::Undo,
        _ => Shape::Check,
    };
    view! {
        <form action=action method="post" on:submit=submit>
            <input type="hidden" name="id" value=id.to_string() />
            <input type="hidden" name="version" value=version.to_string() />
            <input type="hidden" name="page" value=format!("/orders/{id}") />
            <button class="btn" class:primary=primary disabled=move || sending.pending.get()>
                <Icon shape />
                {command.label()}
            </button>
            {move || sending.found.get().map(|error| view! { <span class="notice bad" role="alert">{error.detail}</span> })}
        </form>
    }
}

/// The form that cancels an order, with its reason.
#[component]
fn Reasoned(id: OrderId, version: i64) -> impl IntoView {
    let action = "/-/orders/cancel";
    let sending = Sending::of(action, sender(Command::Cancel, id, version));
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        if let Some(sent) = sent_by(&event) {
            sending.send(sent);
        }
    };
    let message =
        move || sending.found.get().map(|error| error.errors.get("reason").map_or(error.detail, |e| e.join(" ")));
    view! {
        <p>"It keeps its number and its lines, and cannot be taken up again."</p>
        <form action=action method="post" class="reason-form" on:submit=submit>
            <input type="hidden" name="id" value=id.to_string() />
            <input type="hidden" name="version" value=version.to_string() />
            <input type="hidden" name="page" value=format!("/orders/{id}/cancel") />
            <div class="field">
                <label for="reason">"Reason"<span class="required" aria-hidden="true">" *"</span></label>
                <input
                    id="reason"
                    name="reason"
                    maxlength="500"
                    autocomplete="off"
                    aria-invalid=move || sending.found.with(Option::is_some).then_some("true")
                    aria-describedby="reason-error"
                />
                <p class="error" id="reason-error" role="alert">{message}</p>
            </div>
            <button class="btn danger solid" disabled=move || sending.pending.get()>
                "Cancel the order"
            </button>
        </form>
    }
}

/// What a command of the page was refused for, when it was sent without JavaScript.
#[component]
fn Refused() -> impl IntoView {
    let found = RwSignal::new(use_context::<crate::ui::context::FailedForm>().map(|failed| failed.error));
    view! { <Summary fields=&[] found /> }
}

/// What is asked before an order is cancelled.
fn cancel_question(title: &str) -> String {
    format!("Cancel {title}?")
}

/// What is asked before a draft is deleted.
fn delete_question(title: &str) -> String {
    format!("Delete {title} with its lines?")
}

/// A question as a page of its own, which is what there is without JavaScript.
fn asked(
    detail: Detail<Sheet>,
    verb: &'static str,
    question: fn(&str) -> String,
    answer: fn(&Order) -> AnyView,
) -> AnyView {
    if let Err(error) = PAGES.permitted(verb) {
        return view! { <Problem error /> }.into_any();
    }
    let order = detail.record.order;
    view! {
        <Heading title=question(&order.title()) crumb=PAGES.crumb() />
        <section class="card ask">
            {answer(&order)}
            <a class="btn quiet" href=format!("/orders/{}", order.id)>
                "Keep it"
            </a>
        </section>
    }
    .into_any()
}

#[component]
fn CancelPage() -> impl IntoView {
    view! {
        <WithOrder draw=|detail| {
            let answer = |order: &Order| view! { <Reasoned id=order.id version=order.version /> }.into_any();
            asked(detail, "cancel", cancel_question, answer)
        } />
    }
}

#[component]
fn DeletePage() -> impl IntoView {
    view! {
        <WithOrder draw=|detail| {
            let answer =
                |order: &Order| view! { <Delete pages=&PAGES id=order.id.0 version=order.version /> }.into_any();
            asked(detail, "delete", delete_question, answer)
        } />
    }
}

/// The order as it is confirmed on paper.
#[component]
fn PrintPage() -> impl IntoView {
    view! { <WithOrder draw=|detail| view! { <Paper order=detail.record.order /> }.into_any() /> }
}

#[component]
fn Paper(order: Order) -> impl IntoView {
    let header = order.header.clone();
    let town = [header.shipping_postal_code, header.shipping_city].into_iter().flatten().collect::<Vec<_>>().join(" ");
    let land = header.shipping_country.map(|code| country::name(&code).map_or(code.clone(), str::to_owned));
    let name = header.shipping_name.clone().unwrap_or_else(|| order.customer_name.clone());
    let address = [Some(name), header.shipping_line1, header.shipping_line2, Some(town), header.shipping_region, land];
    let address = address.into_iter().flatten().filter(|line| !line.is_empty());
    let date = |label: &'static str, date: Option<Date>| {
        date.map(|date| view! { <dt>{label}</dt><dd>{date.to_string()}</dd> })
    };
    let heading = match order.status {
        Status::Draft => "Draft order",
        Status::Cancelled => "Cancelled order",
        Status::Placed | Status::Shipped => "Order confirmation",
    };
    view! {
        <div class="screen-only">
            <Heading title=order.title() crumb=PAGES.crumb() />
            <p class="print-hint muted">
                "This is how the order prints: "
                <kbd>"Ctrl P"</kbd>
                " · "
                <a href=format!("/orders/{}", order.id)>"Back to the order"</a>
            </p>
        </div>
        <article class="paper">
            <header>
                <address>
                    {address.map(|line| view! { <span><bdi>{line}</bdi></span> }).collect_view()}
                </address>
                <div>
                    <p class="paper-title">{heading}</p>
                    <dl class="facts">
                        <dt>"Number"</dt>
                        <dd>{order.title()}</dd>
                        {date("Ordered", header.order_date)}
                        {date("Required", header.required_date)}
                        {header.customer_reference.map(|text| view! { <dt>"Your reference"</dt><dd><bdi>{text}</bdi></dd> })}
                    </dl>
                </div>
            </header>
            <Lines order=order.clone() inactive=Vec::new() />
            <Totals order=order.clone() />
            {header.notes.map(|notes| view! { <p class="long"><bdi>{notes}</bdi></p> })}
        </article>
    }
}

/// The latest orders of a customer, or with a product, and what they come to: shown on the page of that record.
#[component]
pub fn OrdersOf(
    /// The filter of the list: `customer` or `product`.
    filter: &'static str,
    id: i64,
) -> impl IntoView {
    // The lines of a product lead to their orders one by one; by id, the latest of them need no sorting.
    let ordering = if filter == "product" { "-id" } else { LISTING.default };
    let found = Resource::new(|| (), move |()| latest_orders(format!("{filter}={id}&page_size=5&ordering={ordering}")));
    let may = PAGES.may("view");
    may.then(|| {
        view! {
            <section class="card related">
                <h2>"Orders"</h2>
                <Transition>
                    {move || Suspend::new(async move {
                        let found = found.await;
                        Unsuspend::new(move || match found {
                            Err(error) => view! { <p class="muted">{error.detail}</p> }.into_any(),
                            Ok(page) if page.count == 0 => view! { <p class="muted">"None yet."</p> }.into_any(),
                            Ok(page) => latest(&page, filter, id),
                        })
                    })}
                </Transition>
            </section>
        }
    })
}

fn latest(page: &Page<Row>, filter: &'static str, id: i64) -> AnyView {
    let rows = page
        .results
        .iter()
        .map(|row| {
            view! {
                <tr>
                    <td>
                        <a class="key" href=PAGES.href(row.id)>
                            {row.text("name")}
                        </a>
                    </td>
                    <td>
                        <bdi>{row.text("customer_name")}</bdi>
                    </td>
                    <td>
                        <StatusBadge status=status_of(row) />
                    </td>
                    <td class="opt muted">{day(row, "order_date")}</td>
                    <td class="num">{grouped(&row.text("total"))}</td>
                </tr>
            }
        })
        .collect_view();
    let sum = page.sum.as_deref().map(grouped).unwrap_or_default();
    view! {
        <table>
            <tbody>{rows}</tbody>
            <tfoot>
                <tr>
                    <td colspan="4">
                        <a class="over" href=format!("/orders?{filter}={id}")>
                            {format!("All {} orders", page.counted())}
                        </a>
                    </td>
                    <td class="num">{sum}</td>
                </tr>
            </tfoot>
        </table>
    }
    .into_any()
}

/// The address of the page, for forms that stand on it.
pub(super) fn page() -> impl Fn() -> String + Copy + Send + Sync + 'static {
    use_here()
}
