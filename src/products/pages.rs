//! The pages of products.

use leptos::prelude::*;
use leptos_router::components::{Outlet, ParentRoute, Route};
use leptos_router::path;

use super::rpc::{CreateProduct, DeleteProduct, UpdateProduct, list_products, new_product, read_product};
use super::{LISTING, Product, ProductId, ProductInput};
use crate::access::Me;
use crate::base::form::{Input, shown, suggested};
use crate::base::listing::ListQuery;
use crate::base::money::grouped;
use crate::history::timeline::Timeline;
use crate::ui::confirm::{DeleteButton, DeleteForm};
use crate::ui::facts::Facts;
use crate::ui::form::{RecordForm, Start};
use crate::ui::icon::{Icon, Shape};
use crate::ui::page::{ActiveBadge, Crumb, Heading};
use crate::ui::problem::Problem;
use crate::ui::record::{known, use_id};
use crate::ui::table::{ACTIVE, Column, Filter, List, ListPage, use_query_text};

/// `/products` and below.
#[component(transparent)]
pub fn ProductRoutes() -> impl leptos_router::MatchNestedRoutes + Clone {
    view! {
        <ParentRoute path=path!("/products") view=Outlet>
            <Route path=path!("") view=ProductList />
            <Route path=path!("new") view=ProductNew />
            <Route path=path!(":id") view=ProductPage />
            <Route path=path!(":id/edit") view=ProductEdit />
            <Route path=path!(":id/delete") view=ProductDelete />
        </ParentRoute>
    }
    .into_inner()
}

const CRUMB: Crumb = Crumb { label: "Products", href: "/products" };

static LIST: List<Product> = List {
    listing: &LISTING,
    one: "product",
    many: "products",
    purpose: "Products are what is ordered, each with a SKU and a price.",
    columns: &[
        Column {
            order: "name",
            label: "Name",
            class: "name",
            cell: |p| {
                view! {
                    <a class="key" href=href(p.id)>
                        <bdi>{p.data.name.clone()}</bdi>
                    </a>
                }
                .into_any()
            },
        },
        Column { order: "sku", label: "SKU", class: "code muted", cell: |p| p.data.sku.clone().into_any() },
        Column {
            order: "category",
            label: "Category",
            class: "opt",
            cell: |p| {
                p.data
                    .category
                    .clone()
                    .map(|category| {
                        let href = ListQuery::default().filtered("category", &category).href(LISTING.path);
                        view! {
                            <a class="over" href=href>
                                {category}
                            </a>
                        }
                    })
                    .into_any()
            },
        },
        Column { order: "", label: "Unit", class: "opt", cell: |p| p.data.unit.clone().into_any() },
        Column {
            order: "price",
            label: "Unit price",
            class: "num amount",
            cell: |p| grouped(&p.data.price.to_string()).into_any(),
        },
        Column {
            order: "",
            label: "State",
            class: "state",
            cell: |p| view! { <ActiveBadge active=p.data.is_active /> }.into_any(),
        },
    ],
    filters: &[ACTIVE, Filter::Exact { name: "category", label: "Category" }],
};

fn may(action: &str) -> bool {
    use_context::<Me>().is_some_and(|me| me.may("products", action))
}

fn href(id: ProductId) -> String {
    format!("/products/{id}")
}

#[component]
fn ProductList() -> impl IntoView {
    let page = Resource::new(use_query_text(), list_products);
    let add = || {
        may("add").then(|| {
            view! {
                <a class="btn primary" href="/products/new" data-key="n">
                    <Icon shape=Shape::Plus />
                    "New product"
                    <kbd>"n"</kbd>
                </a>
            }
        })
    };
    view! {
        <Heading title="Products" actions=add />
        <ListPage list=&LIST page may_add=may("add") />
    }
}

#[component]
fn ProductPage() -> impl IntoView {
    let id = use_id();
    let detail = Resource::new(id, |id| async move { read_product(known(id, "product")?).await });
    view! {
        <Transition>
            {move || Suspend::new(async move {
                match detail.await {
                    Err(error) => view! { <Problem error /> }.into_any(),
                    Ok(detail) => view! { <ProductDetail product=detail.record events=detail.events /> }.into_any(),
                }
            })}
        </Transition>
    }
}

#[component]
fn ProductDetail(product: Product, events: Vec<crate::history::Event>) -> impl IntoView {
    let (id, version, active) = (product.id, product.version, product.data.is_active);
    let name = product.data.name.clone();
    let actions = move || {
        let name = name.clone();
        view! {
            {may("change")
                .then(|| {
                    view! {
                        <a class="btn" href=format!("{}/edit", href(id)) data-key="e">
                            <Icon shape=Shape::Pencil />
                            "Edit"
                            <kbd>"e"</kbd>
                        </a>
                    }
                })}
            {may("delete")
                .then(|| {
                    view! {
                        <DeleteButton href=format!("{}/delete", href(id)) what=name>
                            <ProductDeleteForm id version />
                        </DeleteButton>
                    }
                })}
        }
    };
    view! {
        <Heading
            title=product.data.name.clone()
            crumb=Some(CRUMB)
            badge=move || view! { <ActiveBadge active /> }
            actions
        />
        <div class="cols">
            <div class="stack">
                <Facts fields=ProductInput::FIELDS values=product.data.values() />
            </div>
            <aside class="stack">
                <Timeline events fields=ProductInput::FIELDS />
            </aside>
        </div>
    }
}

#[component]
fn ProductNew() -> impl IntoView {
    let create = ServerAction::<CreateProduct>::new();
    let once = Resource::new(|| (), |()| new_product());
    view! {
        <Heading title="New product" crumb=Some(CRUMB) />
        <Suspense>
            {move || Suspend::new(async move {
                match once.await {
                    Err(error) => view! { <Problem error /> }.into_any(),
                    Ok(once) => {
                        let typed = suggested(ProductInput::FIELDS);
                        let start = Start { typed, hidden: vec![("once", once)], version: None };
                        view! {
                            <RecordForm
                                action=create
                                fields=ProductInput::FIELDS
                                start
                                cancel=CRUMB.href
                                submit="Create product"
                            />
                        }
                            .into_any()
                    }
                }
            })}
        </Suspense>
    }
}

#[component]
fn ProductEdit() -> impl IntoView {
    let update = ServerAction::<UpdateProduct>::new();
    let id = use_id();
    let detail = Resource::new(id, |id| async move { read_product(known(id, "product")?).await });
    view! {
        <Suspense>
            {move || Suspend::new(async move {
                match detail.await {
                    Err(error) => view! { <Problem error /> }.into_any(),
                    Ok(detail) => {
                        let product = detail.record;
                        let start = Start {
                            typed: shown(ProductInput::FIELDS, &product.data.values()),
                            hidden: vec![("id", product.id.to_string())],
                            version: Some(product.version),
                        };
                        view! {
                            <Heading title=format!("Edit {}", product.data.name) crumb=Some(CRUMB) />
                            <RecordForm
                                action=update
                                fields=ProductInput::FIELDS
                                start
                                cancel=href(product.id)
                                submit="Save changes"
                            />
                        }
                            .into_any()
                    }
                }
            })}
        </Suspense>
    }
}

/// The question before deleting, as a page of its own.
#[component]
fn ProductDelete() -> impl IntoView {
    let id = use_id();
    let detail = Resource::new(id, |id| async move { read_product(known(id, "product")?).await });
    view! {
        <Suspense>
            {move || Suspend::new(async move {
                match detail.await {
                    Err(error) => view! { <Problem error /> }.into_any(),
                    Ok(detail) => {
                        let product = detail.record;
                        view! {
                            <Heading title=format!("Delete {}?", product.data.name) crumb=Some(CRUMB) />
                            <section class="card ask">
                                <ProductDeleteForm id=product.id version=product.version />
                                <a class="btn quiet" href=href(product.id)>
                                    "Keep it"
                                </a>
                            </section>
                        }
                            .into_any()
                    }
                }
            })}
        </Suspense>
    }
}

#[component]
fn ProductDeleteForm(id: ProductId, version: i64) -> impl IntoView {
    let delete = ServerAction::<DeleteProduct>::new();
    view! {
        <DeleteForm
            action=delete
            id=id.0
            version
            page=format!("{}/delete", href(id))
            warning="The product goes for good; its history stays."
        />
    }
}
