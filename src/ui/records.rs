//! The pages every kind of record has: list, detail, form, and the question before deleting. A module says what its
//! records look like ([`Pages`]) and which server functions to ask ([`Calls`]); nothing here is generic, so that one more
//! module adds next to nothing to the browser bundle.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use leptos::prelude::*;
use leptos::suspense::Unsuspend;
use leptos_router::components::{Outlet, ParentRoute, Route};
use leptos_router::hooks::use_params_map;
use leptos_router::{StaticSegment, path};
use serde::Serialize;
use serde::de::DeserializeOwned;
use wasm_split_helpers::wasm_split;

use super::chunk::Chunk;
use super::confirm::{AskButton, DeleteForm, Taken};
use super::facts::Facts;
use super::form::{RecordForm, Sent, Start};
use super::found::Found;
use super::icon::{Icon, Shape};
use super::page::{ActiveBadge, Crumb, Heading, use_within};
use super::past;
use super::table::{Column, Filter, List, use_query_text};
use super::timeline::Timeline;
use crate::access::Me;
use crate::base::form::{Field, Typed, shown, suggested};
use crate::base::listing::{Listing, Page};
use crate::base::record::{Row, TakenAlong};
use crate::base::{Error, Result};

use crate::history::Detail;

/// What a server function answers with, sooner or later.
pub type Answer<T> = Pin<Box<dyn Future<Output = Result<T>> + Send>>;

/// The server functions of a module.
#[derive(Clone, Copy)]
pub struct Calls {
    pub list: fn(String) -> Answer<Page<Row>>,
    /// Id and version.
    pub delete: fn(i64, i64) -> Answer<()>,
    /// What a delete takes along, by id.
    pub taken_along: fn(i64) -> Answer<TakenAlong>,
    /// Those of one record; absent where a module draws its records itself.
    pub record: Option<RecordCalls>,
}

/// The server functions of one record.
#[derive(Clone, Copy)]
pub struct RecordCalls {
    /// Id, and the query of the list it was opened from.
    pub read: fn(i64, String) -> Answer<Detail<Row>>,
    /// The one-time key of a form for a new record.
    pub new: fn() -> Answer<String>,
    /// Key and values.
    pub create: fn(String, Typed) -> Answer<i64>,
    /// Id, version and values.
    pub update: fn(i64, i64, Typed) -> Answer<i64>,
}

/// What the records of a module look like.
pub struct Pages {
    /// The plural in the address and in permissions.
    pub resource: &'static str,
    /// One of them, in a sentence.
    pub one: &'static str,
    /// The heading of the list.
    pub title: &'static str,
    /// The value that a search shows beside the name.
    pub aside: &'static str,
    /// What the records are for, said while there are none.
    pub purpose: &'static str,
    pub listing: &'static Listing,
    pub columns: &'static [Column],
    /// The values of the listing's tabs: value, and what the tab says.
    pub tabs: &'static [(&'static str, &'static str)],
    pub filters: &'static [Filter],
    pub calls: Calls,
}

impl fmt::Debug for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages").field("resource", &self.resource).finish_non_exhaustive()
    }
}

impl Pages {
    /// Whether the person may do this with such records.
    pub fn may(&self, action: &str) -> bool {
        use_context::<Me>().is_some_and(|me| me.may(self.resource, action))
    }

    /// Asked before a form is shown that would be refused.
    ///
    /// # Errors
    /// `Forbidden`.
    pub fn permitted(&self, action: &str) -> Result<()> {
        if self.may(action) { Ok(()) } else { Err(Error::forbidden(&format!("{}.{action}", self.resource))) }
    }

    /// The page of one record.
    pub fn href(&self, id: i64) -> String {
        format!("{}/{id}", self.listing.path)
    }

    /// The address of one of the module's server functions.
    pub fn action(&self, verb: &str) -> String {
        format!("/-/{}/{verb}", self.resource)
    }

    /// The list a record's page leads back to.
    pub fn crumb(&self) -> Option<Crumb> {
        Some(Crumb { label: self.title, href: self.listing.path })
    }

    /// The rules of its input.
    pub fn fields(&self) -> &'static [Field] {
        self.listing.fields
    }
}

/// The pages of one record.
#[derive(Clone, Copy)]
enum RecordPage {
    New,
    Detail(Option<Related>),
    Edit,
    Delete,
}

fn chunk(page: RecordPage, pages: &'static Pages) -> Chunk<(RecordPage, &'static Pages)> {
    Chunk {
        name: "record",
        fetch: || Box::pin(fetch_record_page()),
        page: (page, pages),
        draw: |(page, pages)| Box::pin(record_page(page, pages)),
    }
}

#[wasm_split(record, preload(fetch_record_page), fallible)]
fn record_page(page: RecordPage, pages: &'static Pages) -> Result<AnyView> {
    Ok(match page {
        RecordPage::New => view! { <NewPage pages /> }.into_any(),
        RecordPage::Detail(related) => view! { <DetailPage pages related /> }.into_any(),
        RecordPage::Edit => view! { <EditPage pages /> }.into_any(),
        RecordPage::Delete => view! { <DeletePage pages /> }.into_any(),
    })
}

/// The list and everything below it.
#[component(transparent)]
pub fn RecordRoutes(
    pages: &'static Pages,
    /// What other modules know about a record, shown beneath its own values.
    #[prop(optional)]
    related: Option<Related>,
) -> impl leptos_router::MatchNestedRoutes + Clone {
    view! {
        <ParentRoute path=StaticSegment(pages.resource) view=Outlet>
            <Route path=path!("") view=move || view! { <ListPage pages /> } />
            <Route path=path!("new") view=chunk(RecordPage::New, pages) />
            <Route path=path!(":id") view=chunk(RecordPage::Detail(related), pages) />
            <Route path=path!(":id/edit") view=chunk(RecordPage::Edit, pages) />
            <Route path=path!(":id/delete") view=chunk(RecordPage::Delete, pages) />
            <Route path=path!(":id/history") view=past::chunk(pages) />
        </ParentRoute>
    }
    .into_inner()
}

/// The list, with its heading.
#[component]
pub fn ListPage(pages: &'static Pages) -> impl IntoView {
    let add = move || {
        pages.may("add").then(|| {
            view! {
                <a class="btn primary" href=format!("{}/new", pages.listing.path) data-key="n">
                    <Icon shape=Shape::Plus />
                    {format!("New {}", pages.one)}
                    <kbd>"n"</kbd>
                </a>
            }
        })
    };
    view! {
        <Heading title=pages.title actions=add />
        <List pages />
    }
}

/// What is answered where a module draws its records itself.
fn missing<T: Send + 'static>() -> Answer<T> {
    Box::pin(async { Err(Error::not_found("page")) })
}

/// Reads the record in the address and draws it, if the person may do this with it.
pub fn with_record<T>(
    pages: &'static Pages,
    action: &'static str,
    read: fn(&'static Pages, i64, String) -> Answer<T>,
    draw: fn(&'static Pages, T) -> AnyView,
) -> AnyView
where
    T: Clone + Serialize + DeserializeOwned + Send + Sync + 'static,
{
    let (id, within) = (use_id(), use_query_text());
    let permitted = pages.permitted(action);
    let found = Resource::new(
        move || (id.get(), within()),
        move |(id, within)| -> Answer<T> {
            match (permitted.clone(), id) {
                (Err(error), _) => Box::pin(async { Err(error) }),
                (Ok(()), Some(id)) => read(pages, id, within),
                (Ok(()), None) => Box::pin(async { Err(Error::not_found(pages.one)) }),
            }
        },
    );
    view! { <Found found draw=move |record| draw(pages, record) /> }.into_any()
}

/// What the module's server function says of a record.
fn read_detail(pages: &'static Pages, id: i64, within: String) -> Answer<Detail<Row>> {
    pages.calls.record.map_or_else(missing, |record| (record.read)(id, within))
}

/// What another module shows about a record, by its id.
pub type Related = fn(i64) -> AnyView;

#[component]
fn DetailPage(pages: &'static Pages, related: Option<Related>) -> impl IntoView {
    let id = use_id();
    view! {
        {with_record(pages, "view", read_detail, |pages, detail| view! { <Shown pages detail /> }.into_any())}
        // Beside the record, not inside it, so that both are read at once.
        {move || related.zip(id.get()).map(|(related, id)| related(id))}
    }
}

/// The id in the address.
pub(super) fn use_id() -> Memo<Option<i64>> {
    let params = use_params_map();
    Memo::new(move |_| params.with(|params| params.get("id").and_then(|id| id.parse::<i64>().ok())))
}

#[component]
fn Shown(pages: &'static Pages, detail: Detail<Row>) -> impl IntoView {
    let Detail { record: row, events, beside } = detail;
    let within = use_within();
    let (id, version, active, name) = (row.id, row.version, row.is("is_active"), row.text("name"));
    let actions = {
        let name = name.clone();
        move || {
            let name = name.clone();
            view! {
                {pages
                    .may("change")
                    .then(|| {
                        view! {
                            <a class="btn" href=within(format!("{}/edit", pages.href(id))) data-key="e">
                                <Icon shape=Shape::Pencil />
                                "Edit"
                                <kbd>"e"</kbd>
                            </a>
                        }
                    })}
                {pages
                    .may("delete")
                    .then(|| {
                        view! {
                            <AskButton
                                href=format!("{}/delete", pages.href(id))
                                label="Delete"
                                shape=Shape::Trash
                                title=format!("Delete {name}?")
                            >
                                <Delete pages id version />
                            </AskButton>
                        }
                    })}
            }
        }
    };
    view! {
        <Heading title=name crumb=pages.crumb() beside badge=move || view! { <ActiveBadge active /> } actions />
        <div class="cols">
            <div class="stack">
                <Facts fields=pages.fields() values=row.values />
            </div>
            <aside class="stack">
                <Timeline events fields=pages.fields() record=pages.href(id) />
            </aside>
        </div>
    }
}

#[component]
fn NewPage(pages: &'static Pages) -> impl IntoView {
    let new = pages.calls.record.map(|record| record.new);
    let once = Resource::new(|| (), move |()| new.map_or_else(missing, |new| new()));
    let draw = move |once| {
        let typed = suggested(pages.fields());
        let start = Start { typed, hidden: vec![("once", once)], version: None };
        view! {
            <RecordForm
                action=pages.action("create")
                send=Arc::new(move |sent: Sent| {
                    let create = pages
                        .calls
                        .record
                        .map_or_else(missing, |record| (record.create)(sent.hidden("once"), sent.typed));
                    Box::pin(async move { create.await.map(drop) })
                })
                fields=pages.fields()
                start
                cancel=pages.listing.path
                submit=format!("Create {}", pages.one)
            />
        }
        .into_any()
    };
    view! {
        <Heading title=format!("New {}", pages.one) crumb=pages.crumb() />
        <Found found=once draw />
    }
}

#[component]
fn EditPage(pages: &'static Pages) -> impl IntoView {
    with_record(pages, "change", read_detail, |pages, detail| view! { <Edit pages row=detail.record /> }.into_any())
}

#[component]
fn Edit(pages: &'static Pages, row: Row) -> impl IntoView {
    let id = row.id;
    let start = Start {
        typed: shown(pages.fields(), &row.values),
        hidden: vec![("id", id.to_string())],
        version: Some(row.version),
    };
    view! {
        <Heading title=format!("Edit {}", row.text("name")) crumb=pages.crumb() />
        <RecordForm
            action=pages.action("update")
            send=Arc::new(move |sent: Sent| {
                let update = pages
                    .calls
                    .record
                    .map_or_else(missing, |record| (record.update)(id, sent.version(), sent.typed));
                Box::pin(async move { update.await.map(drop) })
            })
            fields=pages.fields()
            start
            cancel=use_within()(pages.href(id))
            submit="Save changes"
        />
    }
}

/// The question before deleting, as a page of its own.
#[component]
fn DeletePage(pages: &'static Pages) -> impl IntoView {
    with_record(pages, "delete", read_detail, |pages, detail| view! { <Ask pages row=detail.record /> }.into_any())
}

#[component]
fn Ask(pages: &'static Pages, row: Row) -> impl IntoView {
    view! {
        <Heading title=format!("Delete {}?", row.text("name")) crumb=pages.crumb() />
        <section class="card ask">
            <Delete pages id=row.id version=row.version />
            <a class="btn quiet" href=pages.href(row.id)>
                "Keep it"
            </a>
        </section>
    }
}

/// The question before deleting, with the button that does it, or what can be done where something stands in the way.
#[component]
pub fn Delete(pages: &'static Pages, id: i64, version: i64) -> impl IntoView {
    let taken = Resource::new(|| (), move |()| (pages.calls.taken_along)(id));
    view! {
        <Transition>
            {move || Suspend::new(async move {
                let taken = taken.await;
                Unsuspend::new(move || match taken {
                    Err(error) => {
                        view! {
                            <p class="muted">{error.detail}</p>
                            <Button pages id version />
                        }
                            .into_any()
                    }
                    Ok(taken) if taken.blockers.is_empty() => {
                        view! {
                            <Taken taken />
                            <Button pages id version />
                        }
                            .into_any()
                    }
                    Ok(taken) => {
                        view! {
                            <Taken taken />
                            <Instead pages id />
                        }
                            .into_any()
                    }
                })
            })}
        </Transition>
    }
}

/// The button that deletes.
#[component]
fn Button(pages: &'static Pages, id: i64, version: i64) -> impl IntoView {
    view! {
        <DeleteForm
            action=pages.action("delete")
            send=Arc::new(move |_| (pages.calls.delete)(id, version))
            hidden=vec![("id", id.to_string()), ("version", version.to_string())]
            page=format!("{}/delete", pages.href(id))
            warning=format!("The {} goes for good; its history stays.", pages.one)
        />
    }
}

/// What can be done with a record that cannot be deleted, where its kind knows of inactive ones.
#[component]
fn Instead(pages: &'static Pages, id: i64) -> impl IntoView {
    let flag = pages.fields().iter().find(|field| field.name == "is_active").filter(|_| pages.may("change"));
    flag.map(|flag| {
        view! {
            <p>{flag.help}</p>
            <a class="btn" href=format!("{}/edit", pages.href(id))>
                "Make it inactive instead"
            </a>
        }
    })
}
