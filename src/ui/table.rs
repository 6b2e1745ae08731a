//! A list page: search, filters, sortable columns, pager. The address holds its whole state.

use leptos::ev::SubmitEvent;
use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::{use_location, use_navigate};

use super::form::fields;
use super::icon::{Icon, Shape};
use super::problem::Problem;
use super::records::Pages;
use crate::base::listing::{ListQuery, Page, encoded};
use crate::base::record::Row;

/// One column of a list.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// The name it orders by; blank for a column that does not.
    pub order: &'static str,
    pub label: &'static str,
    /// `key` leads to the record, `num` is a number, `opt` is left out on a phone.
    pub class: &'static str,
    pub cell: fn(&Row) -> AnyView,
}

/// A filter over one field.
#[derive(Debug, Clone, Copy)]
pub enum Filter {
    /// One of these values: value, and what the choice says.
    Choice { name: &'static str, label: &'static str, options: &'static [(&'static str, &'static str)] },
    /// Exactly what is typed.
    Exact { name: &'static str, label: &'static str },
}

impl Filter {
    const fn name(self) -> &'static str {
        match self {
            Filter::Choice { name, .. } | Filter::Exact { name, .. } => name,
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
    let text = use_query_text();
    let page = Resource::new(text, pages.calls.list);
    let query = Memo::new(move |_| ListQuery::parse(pages.listing, &text()).unwrap_or_default());
    let may_add = pages.may("add");
    view! {
        <section class="card">
            <Filters pages query />
            <Transition>
                {move || Suspend::new(async move {
                    match page.await {
                        Err(error) => view! { <Problem error /> }.into_any(),
                        Ok(page) if page.results.is_empty() => {
                            let narrowed = query.with_untracked(ListQuery::is_narrowed);
                            view! { <Empty pages narrowed may_add /> }.into_any()
                        }
                        Ok(page) => view! { <Rows pages query=query.get_untracked() page /> }.into_any(),
                    }
                })}
            </Transition>
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
    view! {
        {move || {
            let state = query.get();
            let ordering = ListQuery {
                ordering: state.ordering.clone(),
                ..ListQuery::default()
            };
            let ordering = ordering.query_string().strip_prefix("ordering=").map(str::to_owned);
            let chips = filters
                .iter()
                .filter_map(|filter| {
                    let value = state.filters.get(filter.name())?;
                    let text = match filter {
                        Filter::Choice { options, .. } => {
                            options.iter().find(|(known, _)| known == value).map_or(value.as_str(), |(_, text)| text)
                        }
                        Filter::Exact { .. } => value.as_str(),
                    };
                    let href = state.filtered(filter.name(), "").href(listing.path);
                    Some(
                        view! {
                            <a class="chip on" href=href aria-label=format!("Take the filter {text} away")>
                                <bdi>{text.to_owned()}</bdi>
                                <Icon shape=Shape::Close />
                            </a>
                        },
                    )
                })
                .collect_view();
            let fields = filters
                .iter()
                .map(|filter| {
                    let value = state.filters.get(filter.name()).cloned().unwrap_or_default();
                    view! { <FilterField filter=*filter value /> }
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
                    {ordering.map(|ordering| view! { <input type="hidden" name="ordering" value=ordering /> })}
                    <button class="btn small">"Apply"</button>
                    {chips}
                </form>
            }
        }}
    }
}

#[component]
fn FilterField(filter: Filter, value: String) -> impl IntoView {
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
    }
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
    let rows = page
        .results
        .iter()
        .map(|row| {
            let cells = pages
                .columns
                .iter()
                .map(|column| view! { <td class=column.class>{(column.cell)(row)}</td> })
                .collect_view();
            view! { <tr>{cells}</tr> }
        })
        .collect_view();
    view! {
        <table class="list">
            <caption class="hidden">{pages.title}</caption>
            <thead>
                <tr>{headers}</tr>
            </thead>
            <tbody>{rows}</tbody>
        </table>
        <Pager
            path=pages.listing.path
            query=query.clone()
            count=page.count
            shown=u64::try_from(page.results.len()).unwrap_or_default()
        />
    }
}

#[component]
fn Pager(path: &'static str, query: ListQuery, count: u64, shown: u64) -> impl IntoView {
    let first = query.offset() + 1;
    let last = query.offset() + shown;
    let previous = (query.page > 1).then(|| query.at_page(query.page - 1).href(path));
    let next = (last < count).then(|| query.at_page(query.page + 1).href(path));
    view! {
        <div class="pager">
            <span>{format!("{first}–{last} of {count}")}</span>
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
