//! A list page: search, filters, sortable columns, pager. The address holds its whole state.

use std::collections::BTreeMap;

use leptos::ev::SubmitEvent;
use leptos::prelude::*;
use leptos::suspense::Unsuspend;
use leptos::wasm_bindgen::JsCast;
use leptos::web_sys::HtmlFormElement;
use leptos_router::NavigateOptions;
use leptos_router::hooks::{use_location, use_navigate};

use super::context::Origin;
use super::form::fields;
use super::found::Found;
use super::icon::{Icon, Shape};
use super::records::Pages;
use super::rows::{Said, written};
use crate::base::listing::{Count, Format, ListQuery, PAGE_SIZE, Page, encoded};
use crate::base::money::grouped;
use crate::base::record::Row;

/// One column of a list.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// The name it orders by; blank for a column that does not.
    pub order: &'static str,
    pub label: &'static str,
    /// `num` is a number, `opt` is left out on a phone.
    pub class: &'static str,
    /// What it says; in the first column it leads to the record.
    pub cell: fn(&Row) -> Said,
}

/// A filter over one field.
#[derive(Debug, Clone, Copy)]
pub enum Filter {
    /// One of these values: value, and what the choice says.
    Choice { name: &'static str, label: &'static str, options: &'static [(&'static str, &'static str)] },
    /// What is typed.
    Exact { name: &'static str, label: &'static str },
    /// From and to.
    Range { from: &'static str, to: &'static str, label: &'static str, control: &'static str },
    /// A record that a link named; it is not typed, and can be taken away.
    Linked { name: &'static str, label: &'static str },
}

impl Filter {
    /// The parameters it sets, each with what its chip says before the value.
    fn names(self) -> Vec<(&'static str, String)> {
        match self {
            Filter::Choice { name, .. } | Filter::Exact { name, .. } => vec![(name, String::new())],
            Filter::Range { from, to, label, .. } => {
                vec![(from, format!("{label} from ")), (to, format!("{label} to "))]
            }
            Filter::Linked { name, label } => vec![(name, format!("{label} #"))],
        }
    }

    /// What its chip says for a value.
    fn said(self, value: &str) -> String {
        match self {
            Filter::Choice { options, .. } => {
                options.iter().find(|(known, _)| *known == value).map_or(value, |(_, text)| text).to_owned()
            }
            _ => value.to_owned(),
        }
    }
}

/// Active or inactive records.
pub const ACTIVE: Filter =
    Filter::Choice { name: "is_active", label: "State", options: &[("true", "Active"), ("false", "Inactive")] };

/// The query of the address as it is now, without the question mark.
pub fn use_query_text() -> impl Fn() -> String + Copy + Send + Sync + 'static {
    let search = use_location().search;
    move || search.with(|search| search.trim_start_matches('?').to_owned())
}

/// The rows that the address describes, with what finds, narrows and turns them.
#[component]
pub fn List(pages: &'static Pages) -> impl IntoView {
    let (path, text) = (use_location().pathname, use_query_text());
    // The list stays while the code of the page one leaves it for is fetched; the address is that page's by then.
    let text = Memo::new(move |before: Option<&String>| match before {
        Some(before) if path.get() != pages.listing.path => before.clone(),
        _ => text(),
    });
    let page = Resource::new(move || text.get(), pages.calls.list);
    let query = Memo::new(move |_| ListQuery::parse(pages.listing, &text.get()).unwrap_or_default());
    let may_add = pages.may("add");
    view! {
        <section class="card">
            {pages
                .listing
                .tabs
                .map(|_| {
                    view! {
                        <Transition>
                            {move || Suspend::new(async move {
                                let page = page.by_ref().await;
                                let counts = page.as_ref().map(|page| page.tabs.clone()).unwrap_or_default();
                                Unsuspend::new(move || view! { <Tabs pages query=query.get_untracked() counts /> })
                            })}
                        </Transition>
                    }
                })}
            <Filters pages query />
            <Found
                found=page
                draw=move |page| {
                    if page.results.is_empty() {
                        let narrowed = query.with_untracked(ListQuery::is_narrowed);
                        return view! { <Empty pages narrowed may_add /> }.into_any();
                    }
                    view! { <Rows pages query=query.get_untracked() page /> }.into_any()
                }
            />
        </section>
    }
}

/// What stands in the place of rows that are not there.
#[component]
fn Empty(pages: &'static Pages, narrowed: bool, may_add: bool) -> impl IntoView {
    let (one, many, path) = (pages.one, pages.resource, pages.listing.path);
    let add = may_add && !narrowed;
    view! {
        <div class="empty">
            <p>
                <b>{if narrowed { format!("No {many} match.") } else { format!("No {many} yet.") }}</b>
            </p>
            <p class="muted">{if narrowed { "Try fewer words, or take a filter away." } else { pages.purpose }}</p>
            {narrowed.then(|| view! { <a class="btn" href=path>"Show all"</a> })}
            {add
                .then(|| {
                    view! {
                        <a class="btn primary" href=format!("{path}/new")>
                            {format!("Add the first {one}")}
                        </a>
                    }
                })}
        </div>
    }
}

#[component]
fn Filters(pages: &'static Pages, query: Memo<ListQuery>) -> impl IntoView {
    let (listing, filters) = (pages.listing, pages.filters);
    let navigate = use_navigate();
    let apply = move |event: SubmitEvent| {
        if let Some(said) = fields(&event) {
            event.prevent_default();
            let said = said.into_iter().filter(|(_, value)| !value.is_empty());
            let pairs: Vec<_> = said.map(|(name, value)| format!("{name}={}", encoded(&value))).collect();
            navigate(&format!("{}?{}", listing.path, pairs.join("&")), NavigateOptions::default());
        }
    };
    let mut drawn = false;
    view! {
        {move || {
            let state = query.get();
            if std::mem::replace(&mut drawn, true) {
                // A control that somebody changed shows that, whatever its attribute says, until the form is reset.
                request_animation_frame(|| {
                    let form = document().query_selector(".filters").ok().flatten();
                    if let Some(form) = form.and_then(|form| form.dyn_into::<HtmlFormElement>().ok()) {
                        form.reset();
                    }
                });
            }
            let ordering = ListQuery {
                ordering: state.ordering.clone(),
                ..ListQuery::default()
            };
            let ordering = ordering.query_string().strip_prefix("ordering=").map(str::to_owned);
            let size = (state.page_size != PAGE_SIZE).then(|| state.page_size.to_string());
            let beside = [("ordering", ordering), ("page_size", size)];
            let mut hidden: Vec<(String, String)> =
                beside.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
            let mut chips = Vec::new();
            for (name, value) in &state.filters {
                let of_bar = filters.iter().find_map(|filter| {
                    let (_, before) = filter.names().into_iter().find(|(known, _)| known == name)?;
                    Some((filter, before))
                });
                if of_bar.as_ref().is_none_or(|(filter, _)| matches!(filter, Filter::Linked { .. })) {
                    hidden.push((name.clone(), value.clone()));
                }
                let text = match of_bar {
                    Some((filter, before)) => format!("{before}{}", filter.said(value)),
                    None if listing.tabs == Some(name.as_str()) => continue,
                    // What a link or a script narrowed the list by stays, and can be taken away.
                    None => format!("{name} = {value}"),
                };
                let href = state.filtered(name, "").href(listing.path);
                chips.push(view! {
                    <a class="chip on" href=href aria-label=format!("Take the filter {text} away")>
                        <bdi>{text.clone()}</bdi>
                        <Icon shape=Shape::Close />
                    </a>
                });
            }
            let hidden = hidden
                .into_iter()
                .map(|(name, value)| view! { <input type="hidden" name=name value=value /> })
                .collect_view();
            let fields = filters
                .iter()
                .map(|filter| {
                    let values = filter.names().into_iter().map(|(name, _)| {
                        state.filters.get(name).cloned().unwrap_or_default()
                    });
                    view! { <FilterField filter=*filter values=values.collect() /> }
                })
                .collect_view();
            view! {
                <form method="get" action=listing.path class="filters" role="search" aria-label=pages.title on:submit=apply.clone()>
                    <label class="search">
                        <Icon shape=Shape::Search />
                        <input
                            type="search"
                            name="search"
                            value=state.search.clone()
                            placeholder=format!("Search {}", listing.searched)
                            aria-label=format!("Search {}", listing.searched)
                        />
                        <kbd>"/"</kbd>
                    </label>
                    {fields}
                    {hidden}
                    <button class="btn small">"Apply"</button>
                    {chips}
                </form>
            }
        }}
    }
}

#[component]
fn FilterField(filter: Filter, values: Vec<String>) -> impl IntoView {
    let mut values = values.into_iter();
    let value = values.next().unwrap_or_default();
    match filter {
        Filter::Choice { name, label, options } => {
            let choices = options
                .iter()
                .map(|(known, text)| view! { <option value=*known selected=*known == value>{*text}</option> })
                .collect_view();
            view! {
                <select name=name aria-label=label>
                    <option value="">{format!("{label}: all")}</option>
                    {choices}
                </select>
            }
            .into_any()
        }
        Filter::Exact { name, label } => {
            view! { <input type="text" class="exact" name=name value=value placeholder=label aria-label=label /> }
                .into_any()
        }
        Filter::Range { from, to, label, control } => {
            let upper = values.next().unwrap_or_default();
            let bound = |name: &'static str, value: String, word: &str| {
                let named = format!("{label} {word}");
                view! { <input type=control class="exact" name=name value=value placeholder=named.clone() aria-label=named.clone() title=named.clone() /> }
            };
            view! {
                <span class="range">{bound(from, value, "from")} "–" {bound(to, upper, "to")}</span>
            }
            .into_any()
        }
        Filter::Linked { .. } => ().into_any(),
    }
}

/// The values of one filter as tabs, each with its count.
#[component]
fn Tabs(pages: &'static Pages, query: ListQuery, counts: BTreeMap<String, u64>) -> impl IntoView {
    let tab = pages.listing.tabs?;
    let open = query.filters.get(tab).cloned().unwrap_or_default();
    let tabs = pages
        .tabs
        .iter()
        .map(|(value, label)| {
            let href = query.filtered(tab, value).href(pages.listing.path);
            // Where there is no number of all, nothing was counted by tabs.
            let count = counts.get("").map(|_| counts.get(*value).copied().unwrap_or_default());
            let count = count.map(|count| grouped(&count.to_string()));
            let current = (open == *value).then_some("page");
            view! {
                <a href=href aria-current=current>
                    {*label}
                    {count.map(|count| view! { <span class="count">{count}</span> })}
                </a>
            }
        })
        .collect_view();
    Some(view! {
        <nav class="tabs" aria-label="Views">
            {tabs}
        </nav>
    })
}

#[component]
fn Rows(pages: &'static Pages, query: ListQuery, page: Page<Row>) -> impl IntoView {
    let headers = pages
        .columns
        .iter()
        .map(|column| {
            let down = query.ordered_by(pages.listing, column.order).filter(|_| !column.order.is_empty());
            let sort = down.map(|down| if down { "descending" } else { "ascending" });
            let arrow = down.map(|down| view! { <span aria-hidden="true">{if down { " ↓" } else { " ↑" }}</span> });
            let href = query.sorted(pages.listing, column.order).href(pages.listing.path);
            let label = if column.order.is_empty() {
                view! { {column.label} }.into_any()
            } else {
                view! { <a href=href>{column.label} {arrow}</a> }.into_any()
            };
            view! {
                <th scope="col" class=column.class aria-sort=sort>
                    {label}
                </th>
            }
        })
        .collect_view();
    let state = query.query_string();
    let state = if state.is_empty() { state } else { format!("{state}&") };
    let records = page.results.iter().enumerate().map(|(index, row)| {
        let at = query.offset() + 1 + index as u64;
        (format!("{}?{state}at={at}", pages.href(row.id)), row)
    });
    let rows = written(pages.columns, records);
    let sum = page.sum.as_deref().map(|sum| {
        let many = format!("{} {}", page.counted(), if page.count == 1 { pages.one } else { pages.resource });
        view! {
            <tfoot>
                <tr>
                    <td colspan=(pages.columns.len() - 1).to_string()>{many}</td>
                    <td class="num amount">{grouped(sum)}</td>
                </tr>
            </tfoot>
        }
    });
    view! {
        <table class="list">
            <caption class="hidden">{pages.title}</caption>
            <thead>
                <tr>{headers}</tr>
            </thead>
            <tbody inner_html=rows></tbody>
            {sum}
        </table>
        <Pager
            pages
            query=query.clone()
            count=page.counted()
            shown=u64::try_from(page.results.len()).unwrap_or_default()
        />
    }
}

/// The ways to take the list along: a file with all its rows, or the call that asks the API for what is shown.
#[component]
fn Take(pages: &'static Pages, query: ListQuery) -> impl IntoView {
    let origin = use_context::<Origin>().unwrap_or_default().0;
    let api = format!("/api/{}/", pages.resource);
    let file = ListQuery { format: Some(Format::Csv), page: 1, page_size: PAGE_SIZE, ..query.clone() }.href(&api);
    let call = format!("curl -H \"Authorization: Bearer $KONTOR_TOKEN\" '{origin}{}'", query.href(&api));
    let text = call.clone();
    let copied = RwSignal::new(false);
    let copy = move |_| {
        // Without leave to write to the clipboard the text is still there to be selected.
        let _ = window().navigator().clipboard().write_text(&text);
        copied.set(true);
    };
    view! {
        <span class="take">
            <a class="btn quiet" href=file download="" rel="external">
                "Export CSV"
            </a>
            <details>
                <summary class="btn quiet">"Copy as curl"</summary>
                <div class="call">
                    <code>{call}</code>
                    <button class="btn needs-script" type="button" on:click=copy>
                        {move || if copied.get() { "Copied" } else { "Copy" }}
                    </button>
                </div>
            </details>
        </span>
    }
}

#[component]
fn Pager(pages: &'static Pages, query: ListQuery, count: Count, shown: u64) -> impl IntoView {
    let path = pages.listing.path;
    let first = query.offset() + 1;
    let last = query.offset() + shown;
    let previous = (query.page > 1).then(|| query.at_page(query.page - 1).href(path));
    let exact = ListQuery { exact: true, ..query.clone() }.href(path);
    let next = (last < count.rows).then(|| query.at_page(query.page + 1).href(path));
    let shown = format!("{}–{} of", grouped(&first.to_string()), grouped(&last.to_string()));
    let place = match count.exact {
        true => format!("{shown} {count}").into_any(),
        false => view! { {shown} " " <a href=exact title="Count them all">{count.to_string()}</a> }.into_any(),
    };
    let take = view! { <Take pages query=query.clone() /> }.into_any();
    view! { <Turn place take=Some(take) previous next /> }
}

/// What turns the pages of a list: where one is, and the ways on.
#[component]
pub fn Turn(place: AnyView, take: Option<AnyView>, previous: Option<String>, next: Option<String>) -> impl IntoView {
    view! {
        <div class="pager">
            <span>{place}</span>
            {take}
            <nav aria-label="Pages">
                {previous
                    .map(|href| {
                        view! {
                            <a class="btn quiet" rel="prev" href=href>
                                <Icon shape=Shape::Left />
                                "Previous"
                            </a>
                        }
                    })}
                {next
                    .map(|href| {
                        view! {
                            <a class="btn quiet" rel="next" href=href>
                                "Next"
                                <Icon shape=Shape::Right />
                            </a>
                        }
                    })}
            </nav>
        </div>
    }
}
