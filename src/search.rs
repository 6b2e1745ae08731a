//! One search over everything: the first matches of every list.

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use wasm_split_helpers::wasm_split;

use crate::access::Me;
use crate::base::Result;
use crate::base::listing::{ListQuery, Page};
use crate::base::record::Row;
use crate::customers::pages::PAGES as CUSTOMERS;
use crate::orders::pages::PAGES as ORDERS;
use crate::products::pages::PAGES as PRODUCTS;
use crate::ui::chunk::Chunk;
use crate::ui::found::Found;
use crate::ui::page::Heading;
use crate::ui::records::Pages;

/// Matches shown of each kind.
const SHOWN: u32 = 8;

/// The kinds that are searched, in their order.
pub(crate) const KINDS: [&Pages; 3] = [&ORDERS, &CUSTOMERS, &PRODUCTS];

/// `/search?q=…`.
pub fn chunk() -> Chunk<()> {
    Chunk { name: "own", fetch: || Box::pin(fetch_search_page()), page: (), draw: |()| Box::pin(search_page()) }
}

#[wasm_split(own, preload(fetch_search_page), fallible)]
fn search_page() -> Result<AnyView> {
    Ok(view! { <SearchPage /> }.into_any())
}

#[component]
fn SearchPage() -> impl IntoView {
    let query = use_query_map();
    let words = Memo::new(move |_| query.with(|query| query.get("q")).unwrap_or_default());
    let me = use_context::<Me>();
    let kinds = KINDS.into_iter().filter(|pages| me.as_ref().is_some_and(|me| me.may(pages.resource, "view")));
    view! {
        <Heading title="Search" />
        {kinds.map(|pages| view! { <Hits pages words /> }).collect_view()}
    }
}

#[component]
fn Hits(pages: &'static Pages, words: Memo<String>) -> impl IntoView {
    let query = move || ListQuery { search: words.get(), page_size: SHOWN, ..ListQuery::default() }.query_string();
    let found = Resource::new(query, pages.calls.list);
    let all = move || ListQuery { search: words.get(), ..ListQuery::default() }.href(pages.listing.path);
    let draw = move |page: Page<Row>| {
        if page.count == 0 {
            return view! { <p class="muted">"Nothing matches."</p> }.into_any();
        }
        let hits = page
            .results
            .iter()
            .map(|row| {
                view! {
                    <li>
                        <a class="key" href=pages.href(row.id)>
                            <bdi>{row.text("name")}</bdi>
                        </a>
                        <span class="muted">{row.text(pages.aside)}</span>
                    </li>
                }
            })
            .collect_view();
        view! {
            <ul>{hits}</ul>
            <p>
                <a href=all>{format!("All {}", page.counted())}</a>
            </p>
        }
        .into_any()
    };
    view! {
        <section class="card hits">
            <h2>{pages.title}</h2>
            <Found found draw=draw />
        </section>
    }
}
