//! The pages of customers.

use leptos::prelude::*;
use leptos_router::components::{Outlet, ParentRoute, Route};
use leptos_router::path;

use super::rpc::{CreateCustomer, DeleteCustomer, UpdateCustomer, list_customers, new_customer, read_customer};
use super::{Customer, CustomerId, CustomerInput, LISTING};
use crate::access::Me;
use crate::base::form::{Input, shown, suggested};

use crate::history::timeline::Timeline;
use crate::ui::confirm::{DeleteButton, DeleteForm};
use crate::ui::facts::Facts;
use crate::ui::form::{RecordForm, Start};
use crate::ui::icon::{Icon, Shape};
use crate::ui::page::{ActiveBadge, Crumb, Heading};
use crate::ui::problem::Problem;
use crate::ui::record::{known, use_id};
use crate::ui::table::{ACTIVE, Column, List, ListPage, use_query_text};

/// `/customers` and below.
#[component(transparent)]
pub fn CustomerRoutes() -> impl leptos_router::MatchNestedRoutes + Clone {
    view! {
        <ParentRoute path=path!("/customers") view=Outlet>
            <Route path=path!("") view=CustomerList />
            <Route path=path!("new") view=CustomerNew />
            <Route path=path!(":id") view=CustomerPage />
            <Route path=path!(":id/edit") view=CustomerEdit />
            <Route path=path!(":id/delete") view=CustomerDelete />
        </ParentRoute>
    }
    .into_inner()
}

const CRUMB: Crumb = Crumb { label: "Customers", href: "/customers" };

static LIST: List<Customer> = List {
    listing: &LISTING,
    one: "customer",
    many: "customers",
    purpose: "Customers are who orders. Add one by hand, or let a script send them over the API.",
    columns: &[
        Column {
            order: "name",
            label: "Name",
            class: "name",
            cell: |c| {
                view! {
                    <a class="key" href=href(c.id)>
                        <bdi>{c.data.name.clone()}</bdi>
                    </a>
                }
                .into_any()
            },
        },
        Column { order: "code", label: "Code", class: "code muted", cell: |c| c.data.code.clone().into_any() },
        Column {
            order: "",
            label: "City",
            class: "opt",
            cell: |c| view! { <bdi>{c.data.billing_city.clone()}</bdi> }.into_any(),
        },
        Column { order: "email", label: "E-mail", class: "opt", cell: |c| c.data.email.clone().into_any() },
        Column { order: "", label: "Phone", class: "opt", cell: |c| c.data.phone.clone().into_any() },
        Column {
            order: "",
            label: "State",
            class: "state",
            cell: |c| view! { <ActiveBadge active=c.data.is_active /> }.into_any(),
        },
    ],
    filters: &[ACTIVE],
};

fn may(action: &str) -> bool {
    use_context::<Me>().is_some_and(|me| me.may("customers", action))
}

fn href(id: CustomerId) -> String {
    format!("/customers/{id}")
}

#[component]
fn CustomerList() -> impl IntoView {
    let page = Resource::new(use_query_text(), list_customers);
    let add = || {
        may("add").then(|| {
            view! {
                <a class="btn primary" href="/customers/new" data-key="n">
                    <Icon shape=Shape::Plus />
                    "New customer"
                    <kbd>"n"</kbd>
                </a>
            }
        })
    };
    view! {
        <Heading title="Customers" actions=add />
        <ListPage list=&LIST page may_add=may("add") />
    }
}

#[component]
fn CustomerPage() -> impl IntoView {
    let id = use_id();
    let detail = Resource::new(id, |id| async move { read_customer(known(id, "customer")?).await });
    view! {
        <Transition>
            {move || Suspend::new(async move {
                match detail.await {
                    Err(error) => view! { <Problem error /> }.into_any(),
                    Ok(detail) => view! { <CustomerDetail customer=detail.record events=detail.events /> }.into_any(),
                }
            })}
        </Transition>
    }
}

#[component]
fn CustomerDetail(customer: Customer, events: Vec<crate::history::Event>) -> impl IntoView {
    let (id, version, active) = (customer.id, customer.version, customer.data.is_active);
    let name = customer.data.name.clone();
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
                            <CustomerDeleteForm id version />
                        </DeleteButton>
                    }
                })}
        }
    };
    view! {
        <Heading
            title=customer.data.name.clone()
            crumb=Some(CRUMB)
            badge=move || view! { <ActiveBadge active /> }
            actions
        />
        <div class="cols">
            <div class="stack">
                <Facts fields=CustomerInput::FIELDS values=customer.data.values() />
            </div>
            <aside class="stack">
                <Timeline events fields=CustomerInput::FIELDS />
            </aside>
        </div>
    }
}

#[component]
fn CustomerNew() -> impl IntoView {
    let create = ServerAction::<CreateCustomer>::new();
    let once = Resource::new(|| (), |()| new_customer());
    view! {
        <Heading title="New customer" crumb=Some(CRUMB) />
        <Suspense>
            {move || Suspend::new(async move {
                match once.await {
                    Err(error) => view! { <Problem error /> }.into_any(),
                    Ok(once) => {
                        let typed = suggested(CustomerInput::FIELDS);
                        let start = Start { typed, hidden: vec![("once", once)], version: None };
                        view! {
                            <RecordForm
                                action=create
                                fields=CustomerInput::FIELDS
                                start
                                cancel=CRUMB.href
                                submit="Create customer"
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
fn CustomerEdit() -> impl IntoView {
    let update = ServerAction::<UpdateCustomer>::new();
    let id = use_id();
    let detail = Resource::new(id, |id| async move { read_customer(known(id, "customer")?).await });
    view! {
        <Suspense>
            {move || Suspend::new(async move {
                match detail.await {
                    Err(error) => view! { <Problem error /> }.into_any(),
                    Ok(detail) => {
                        let customer = detail.record;
                        let start = Start {
                            typed: shown(CustomerInput::FIELDS, &customer.data.values()),
                            hidden: vec![("id", customer.id.to_string())],
                            version: Some(customer.version),
                        };
                        view! {
                            <Heading title=format!("Edit {}", customer.data.name) crumb=Some(CRUMB) />
                            <RecordForm
                                action=update
                                fields=CustomerInput::FIELDS
                                start
                                cancel=href(customer.id)
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
fn CustomerDelete() -> impl IntoView {
    let id = use_id();
    let detail = Resource::new(id, |id| async move { read_customer(known(id, "customer")?).await });
    view! {
        <Suspense>
            {move || Suspend::new(async move {
                match detail.await {
                    Err(error) => view! { <Problem error /> }.into_any(),
                    Ok(detail) => {
                        let customer = detail.record;
                        view! {
                            <Heading title=format!("Delete {}?", customer.data.name) crumb=Some(CRUMB) />
                            <section class="card ask">
                                <CustomerDeleteForm id=customer.id version=customer.version />
                                <a class="btn quiet" href=href(customer.id)>
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
fn CustomerDeleteForm(id: CustomerId, version: i64) -> impl IntoView {
    let delete = ServerAction::<DeleteCustomer>::new();
    view! {
        <DeleteForm
            action=delete
            id=id.0
            version
            page=format!("{}/delete", href(id))
            warning="The customer goes for good; its history stays."
        />
    }
}
