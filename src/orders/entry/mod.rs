//! The order entry: customer, lines in a grid, totals that follow every keystroke. One form, which works without JavaScript
//! with spare rows.

use std::cell::RefCell;
use std::sync::Arc;

use leptos::ev::{self, InputEvent, KeyboardEvent, SubmitEvent};
use leptos::html::Form;
use leptos::prelude::*;
use leptos::wasm_bindgen::JsCast;
use leptos::web_sys::{HtmlFormElement, HtmlInputElement};

use super::pages::{Blocked, CancelButton, DeleteButton, PAGES, Reload, StatusBadge, allowed, page};
use super::rpc::{create_order, update_order};
use super::{Command, OrderId, OrderInput, Sheet, Status};
use crate::base::Error;
use crate::base::form::{Field, Input, Typed, shown};
use crate::history::Detail;
use crate::ui::chunk::is_alive;
use crate::ui::context::FailedForm;
use crate::ui::form::{
    Conflict, FieldRow, Sender, Sending, Sent, Summary, focus_drawn, pairs, resume, sent_by, typed_into,
};
use crate::ui::icon::{Icon, Shape};
use crate::ui::page::Heading;
use crate::ui::timeline::Timeline;
use crate::ui::unsaved::guard;

/// The values of a row.
mod cells;
/// Both values of lines that somebody else changed.
mod conflict;
/// Whom the order is for.
mod customer;
/// The lines.
mod grid;
/// Rows out of a spreadsheet.
mod paste;
/// A row as it is drawn.
mod row;
/// The grid as it is drawn, and its keys.
mod table;
/// Lines with the same product.
mod twins;
/// What is offered while somebody types.
mod typeahead;

use cells::Cells;
use conflict::LinesThen;
use customer::{Customer, CustomerField};
use grid::{Grid, SAVE, rows_of};
use table::{GridTable, LiveTotals, cell_of_id};

/// The order entry: for a new order, or for a draft.
#[component]
pub fn Entry(
    /// The draft; absent for a new order.
    #[prop(optional)]
    detail: Option<Detail<Sheet>>,
    /// The one-time key of a new order.
    #[prop(optional)]
    once: String,
    /// What the fields of a new order start with.
    #[prop(optional)]
    start: Typed,
) -> impl IntoView {
    let sheet = detail.as_ref().map(|detail| detail.record.clone());
    let order = sheet.as_ref().map(|sheet| sheet.order.clone());
    let action = if order.is_some() { "/-/orders/update" } else { "/-/orders/create" };
    let failed = use_context::<FailedForm>().filter(|failed| failed.action == action);

    let stored = order.as_ref().map(|order| {
        let mut typed = shown(OrderInput::FIELDS, &OrderInput { header: order.header.clone(), items: None }.values());
        typed.insert("customer".into(), order.customer_name.clone());
        typed.insert("customer_was".into(), format!("{} {}", order.header.customer, order.customer_name));
        typed
    });
    let first = failed.as_ref().map(|failed| failed.typed.clone()).or(stored).unwrap_or(start);
    let rows = match (&failed, &order) {
        (Some(failed), _) => rows_of(failed),
        (None, Some(order)) => order.items.iter().flatten().map(Cells::of).collect(),
        (None, None) => Vec::new(),
    };
    let grid = Grid::new(rows);
    let typed = RwSignal::new(first.clone());
    let then = StoredValue::new(String::new());
    let (id, version) = order.as_ref().map_or((OrderId(0), 0), |order| (order.id, order.version));
    let sending = Sending::of(action, sender(id, order.is_some(), then, grid));
    let unmoved = move |event: InputEvent| {
        if grid.is_sent.get_value() {
            event.prevent_default();
        }
    };
    let resumed = resumed();
    let first_rows = resumed.as_deref().and_then(cell_of_id).map_or(0, |(key, _)| key as usize);
    Effect::new(move || {
        if let Some(id) = resumed.clone() {
            request_animation_frame(move || resume(&id));
        }
    });
    Effect::new(move || sending.found.with(|error| grid.explain(error.as_ref())));
    let wrong = Memo::new(move |_| if sending.found.with(Option::is_some) { grid.wrong() } else { Vec::new() });
    let customer = Customer::new(&first);
    let order_form = NodeRef::<Form>::new();
    guard(move || {
        let mut header = typed_into(pairs(&order_form.try_get_untracked()??)?);
        header.retain(|(name, _)| !name.starts_with("form[items."));
        let mut lines = Typed::new();
        grid.typed(&mut lines);
        Some((header, lines))
    });
    let early = StoredValue::new(typed_early());
    Effect::new(move || {
        for (control, text) in early.try_update_value(std::mem::take).unwrap_or_default() {
            match cell_of_id(&control) {
                Some((key, column)) => grid.put_whole(key, column, text),
                None => customer.put_whole(text),
            }
        }
    });

    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        let Some(mut sent) = sent_by(&event) else { return };
        sent.typed.retain(|name, _| !name.starts_with("items."));
        customer.settle(&mut sent.typed);
        grid.typed(&mut sent.typed);
        typed.set(sent.typed.clone());
        // Whom a name means, the server knows.
        let mut checked = sent.typed.clone();
        checked.remove("customer_was");
        if checked.get("customer").is_some_and(|text| !text.trim().is_empty()) {
            checked.insert("customer".into(), "1".into());
        }
        match OrderInput::typed(&checked) {
            Ok(_) => sending.send(sent),
            Err(error) => {
                sending.found.set(Some(error));
                focus_drawn("error-summary");
            }
        }
    };
    let shortcuts = move |event: KeyboardEvent| {
        let place = event.key() == "Enter";
        if !(event.ctrl_key() || event.meta_key()) || !(place || event.key() == "s") || is_asking() {
            return;
        }
        event.prevent_default();
        then.set_value(if place { "place".into() } else { String::new() });
        let form = document().get_element_by_id("order-form");
        if let Some(form) = form.and_then(|form| form.dyn_into::<HtmlFormElement>().ok()) {
            // A form that cannot be sent stays as it is.
            let _ = form.request_submit();
        }
    };
    // Wherever the focus is: after a button was pressed it is outside of the form.
    Effect::new(move || {
        let listener = window_event_listener(ev::keydown, shortcuts);
        on_cleanup(move || listener.remove());
    });
    let current = move || {
        let stale = sending.found.with(|error| error.as_ref().and_then(|error| Some(error.stale.as_ref()?.version)));
        stale.unwrap_or(version)
    };
    let title = order.as_ref().map_or_else(|| "New order".to_owned(), |order| order.title());
    let actions = {
        let (sheet, title) = (sheet.clone(), title.clone());
        move || {
            let (sheet, title) = (sheet.clone(), title.clone());
            view! {
                {sheet
                    .map(|sheet| {
                        let id = sheet.order.id;
                        let version = sheet.order.version;
                        view! {
                            <a class="btn quiet" href=format!("/orders/{id}/print")>
                                <Icon shape=Shape::Print />
                                "Print"
                            </a>
                            {allowed(&sheet.actions, Command::Cancel)
                                .then(|| view! { <CancelButton id version title=title.clone() /> })}
                            {allowed(&sheet.actions, Command::Delete)
                                .then(|| view! { <DeleteButton id version title=title.clone() /> })}
                        }
                    })}
                <button
                    class="btn"
                    id=SAVE
                    form="order-form"
                    disabled=move || sending.pending.get()
                    on:click=move |_| then.set_value(String::new())
                >
                    "Save draft"
                    <kbd>"Ctrl S"</kbd>
                </button>
                <button
                    class="btn primary"
                    form="order-form"
                    name="then"
                    value="place"
                    disabled=move || sending.pending.get()
                    on:click=move |_| then.set_value("place".into())
                >
                    "Save and place"
                    <kbd>"Ctrl ↵"</kbd>
                </button>
            }
        }
    };
    let called = order.as_ref().map(|order| order.customer_name.clone());
    let badge = move || {
        view! {
            <StatusBadge status=Status::Draft />
            {called.clone().map(|name| view! { <bdi class="muted">{name}</bdi> })}
        }
    };
    let beside = detail.as_ref().map(|detail| detail.beside.clone()).unwrap_or_default();
    let events = detail.map(|detail| detail.events);
    let currency = order.as_ref().map_or_else(String::new, |order| format!(", {}", order.currency));
    let blocked = sheet.map(|sheet| {
        // What a draft cannot do because it is one goes without saying.
        let own = [Command::Place, Command::Cancel, Command::Delete];
        let mut actions = sheet.actions;
        actions.retain(|action| own.contains(&action.command));
        view! { <Blocked actions /> }
    });
    view! {
        <Heading title crumb=PAGES.crumb() beside badge actions />
        <form node_ref=order_form id="order-form" class="form entry" action=action method="post" novalidate=true on:submit=submit on:beforeinput=unmoved>
            <Summary fields=OrderInput::FIELDS found=sending.found nested=("items", wrong) />
            <Conflict fields=HEADER typed found=sending.found>
                <LinesThen grid found=sending.found />
            </Conflict>
            <input type="hidden" name="page" value=page() />
            {order
                .as_ref()
                .map(|_| {
                    view! {
                        <input type="hidden" name="id" value=id.to_string() />
                        <input type="hidden" name="version" prop:value=current value=current />
                    }
                })}
            {order
                .is_none()
                .then(|| {
                    let once = first.get("once").cloned().unwrap_or(once);
                    view! { <input type="hidden" name="once" value=once /> }
                })}
            <div class="cols">
                <section class="card section whom">
                    <h2>"Customer"</h2>
                    <div class="fields one">
                        <CustomerField customer found=sending.found />
                        {fields(&HEADER[1..4], &first, sending.found)}
                    </div>
                </section>
                <div class="stack">
                    <section class="card lines-card">
                        <h2>"Lines" <span class="faint hint">
                            <kbd>"Enter"</kbd>" next · "<kbd>"Alt ↑↓"</kbd>" move · "<kbd>"Ctrl D"</kbd>" copy · "
                            <kbd>"Ctrl ⌫"</kbd>" remove · paste rows from a spreadsheet"
                        </span></h2>
                        <GridTable grid currency=currency.clone() first_rows />
                        <LiveTotals grid currency />
                    </section>
                    {blocked}
                </div>
                <aside class="stack">
                    <details class="card section">
                        <summary>"Ship to"</summary>
                        <div class="fields one">{fields(&HEADER[4..11], &first, sending.found)}</div>
                    </details>
                    <details class="card section">
                        <summary>"Freight and notes"</summary>
                        <div class="fields one">{fields(&HEADER[11..], &first, sending.found)}</div>
                    </details>
                    {events.map(|events| view! { <Timeline events fields=OrderInput::FIELDS record=PAGES.href(id.0) /> })}
                </aside>
            </div>
        </form>
    }
}

/// What somebody typed, or the browser kept, before the page came to life, with the ids of the controls. Coming to life shows
/// what the server drew, so this is put again afterwards.
fn typed_early() -> Vec<(String, String)> {
    if is_server() || is_alive() {
        return Vec::new();
    }
    let Ok(inputs) = document().query_selector_all("#f-customer, .grid input") else { return Vec::new() };
    (0..inputs.length())
        .filter_map(|index| inputs.item(index)?.dyn_into::<HtmlInputElement>().ok())
        .filter(|input| input.value() != input.default_value())
        .map(|input| (input.id(), input.value()))
        .collect()
}

/// Whether a dialog asks something.
fn is_asking() -> bool {
    document().query_selector("dialog[open]").is_ok_and(|dialog| dialog.is_some())
}

/// The fields of the header; the customer first, then dates and reference, the address, the rest.
const HEADER: &[Field] = OrderInput::FIELDS;

fn fields(fields: &'static [Field], first: &Typed, found: RwSignal<Option<Error>>) -> AnyView {
    fields
        .iter()
        .map(|field| {
            let value = first.get(field.name).cloned().unwrap_or_default();
            view! { <FieldRow field value found /> }
        })
        .collect_view()
        .into_any()
}

thread_local! {
    /// The control to go on at when the order that was saved is drawn.
    static RESUMED: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// The control to go on at, where an order was saved just now.
fn resumed() -> Option<String> {
    RESUMED.take().filter(|_| is_alive())
}

fn sender(id: OrderId, is_stored: bool, then: StoredValue<String>, grid: Grid) -> Sender {
    let reload = use_context::<Reload>();
    Arc::new(move |sent: Sent| {
        let then = Some(then.try_get_value().unwrap_or_default()).filter(|then| !then.is_empty());
        let version = sent.version();
        let once = sent.hidden("once");
        // The button that was pressed loses the focus while it is disabled, and a new order may go to its own page at once.
        let control = grid.resumes();
        grid.is_sent.set_value(true);
        Box::pin(async move {
            let places = then.is_some();
            let answer = match is_stored {
                true => update_order(id, version, then, sent.typed).await,
                false => create_order(once, then, sent.typed).await,
            };
            if answer.is_err() {
                // The page may be gone by now.
                grid.is_sent.try_set_value(false);
            }
            answer?;
            match grid.resumes().or(control).filter(|_| !places) {
                Some(control) => drop(RESUMED.replace(Some(control))),
                None => focus_drawn("content"),
            }
            if let Some(reload) = reload {
                reload.now();
            }
            Ok(())
        })
    })
}
