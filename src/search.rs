//! One search over everything: the first matches of every list.

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use crate::access::Me;
use crate::base::listing::{ListQuery, Page};
use crate::base::{Error, Result};
use crate::customers::rpc::list_customers;
use crate::products::rpc::list_products;
use crate::ui::page::Heading;

/// Matches shown of each kind.
const SHOWN: u32 = 8;

/// A match: where it leads, what it is called, and what else tells it apart.
type Hit = (String, String, String);

fn query(words: &str) -> ListQuery {
    ListQuery { search: words.to_owned(), page_size: SHOWN, ..ListQuery::default() }
}

fn hits<T>(page: Page<T>, hit: impl Fn(&T) -> Hit) -> (u64, Vec<Hit>) {
    (page.count, page.results.iter().map(hit).collect())
}

async fn customers(words: String) -> Result<(u64, Vec<Hit>), Error> {
    let page = list_customers(query(&words).query_string()).await?;
    Ok(hits(page, |c| (format!("/customers/{}", c.id), c.data.name.clone(), c.data.code.clone().unwrap_or_default())))
}

async fn products(words: String) -> Result<(u64, Vec<Hit>), Error> {
    let page = list_products(query(&words).query_string()).await?;
    Ok(hits(page, |p| (format!("/products/{}", p.id), p.data.name.clone(), p.data.sku.clone())))
}

/// `/search?q=…`.
#[component]
pub fn SearchPage() -> impl IntoView {
    let query = use_query_map();
    let words = Memo::new(move |_| query.with(|query| query.get("q")).unwrap_or_default());
    let may = |resource: &str| use_context::<Me>().is_some_and(|me| me.may(resource, "view"));
    let customers = may("customers").then(|| Resource::new(move || words.get(), customers));
    let products = may("products").then(|| Resource::new(move || words.get(), products));
    view! {
        <Heading title="Search" />
        {customers.map(|found| view! { <Hits title="Customers" path="/customers" words found /> })}
        {products.map(|found| view! { <Hits title="Products" path="/products" words found /> })}
    }
}

#[component]
fn Hits(
    title: &'static str,
    path: &'static str,
    words: Memo<String>,
    found: Resource<Result<(u64, Vec<Hit>), Error>>,
) -> impl IntoView {
    view! {
        <section class="card hits">
            <h2>{title}</h2>
            <Transition>
                {move || Suspend::new(async move {
                    match found.await {
                        Err(error) => view! { <p class="notice bad">{error.to_string()}</p> }.into_any(),
                        Ok((0, _)) => view! { <p class="muted">"Nothing matches."</p> }.into_any(),
                        Ok((count, hits)) => {
                            let all = words.with_untracked(|words| query(words).query_string());
                            let all = all.replace(&format!("&page_size={SHOWN}"), "").replace(&format!("page_size={SHOWN}"), "");
                            view! {
                                <ul>
                                    {hits
                                        .into_iter()
                                        .map(|(href, name, code)| {
                                            view! {
                                                <li>
                                                    <a class="key" href=href>
                                                        <bdi>{name}</bdi>
                                                    </a>
                                                    <span class="muted">{code}</span>
                                                </li>
                                            }
                                        })
                                        .collect_view()}
                                </ul>
                                <p>
                                    <a href=format!("{path}?{all}")>{format!("All {count}")}</a>
                                </p>
                            }
                                .into_any()
                        }
                    }
                })}
            </Transition>
        </section>
    }
}
