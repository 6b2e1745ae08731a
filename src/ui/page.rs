//! The heading of a page, and badges.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_location;

use super::icon::{Icon, Shape};
use crate::history::Beside;

/// The address of the page, as a form of it says where it stands.
pub fn use_here() -> impl Fn() -> String + Copy + Send + Sync + 'static {
    let location = use_location();
    let (path, search) = (location.pathname, location.search);
    move || {
        let query = search.get();
        match query.trim_start_matches('?') {
            "" => path.get(),
            query => format!("{}?{query}", path.get()),
        }
    }
}

/// The address of another page of the same record, which keeps the place in the list the record was opened from.
pub fn use_within() -> impl Fn(String) -> String + Copy + Send + Sync + 'static {
    let search = use_location().search;
    move |path| match untrack(|| search.get()).trim_start_matches('?') {
        query if query.contains("at=") => format!("{path}?{query}"),
        _ => path,
    }
}

/// Text for the two places that are not escaped when the server draws them: the document's title and the inside of a
/// `<textarea>`. The browser takes both as plain text.
pub fn unescaped_place(text: String) -> String {
    if is_server() { text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;") } else { text }
}

/// The title of the document. Each page says it whole: one that only completes others' titles would blank the title while
/// the code of a page is still being fetched.
#[component]
pub fn DocumentTitle(#[prop(into)] text: String) -> impl IntoView {
    view! { <Title text=unescaped_place(format!("{text} · Kontor")) /> }
}

/// Where a page stands: the list above it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crumb {
    pub label: &'static str,
    pub href: &'static str,
}

/// The one heading of a page, with its state and its actions at the same place everywhere.
#[component]
pub fn Heading(
    #[prop(into)] title: String,
    #[prop(optional_no_strip)] crumb: Option<Crumb>,
    /// The neighbours in the list the page was opened from.
    #[prop(optional)]
    beside: Beside,
    #[prop(optional, into)] badge: ViewFn,
    #[prop(optional, into)] actions: ViewFn,
) -> impl IntoView {
    view! {
        <DocumentTitle text=title.clone() />
        {crumb
            .map(|crumb| {
                view! {
                    <nav class="crumb" aria-label="Breadcrumb">
                        <a href=crumb.href>{crumb.label}</a>
                        <Neighbours beside />
                    </nav>
                }
            })}
        <div class="head">
            <h1>
                <bdi>{title}</bdi>
            </h1>
            {badge.run()}
            <div class="actions">{actions.run()}</div>
        </div>
    }
}

/// Leads to the record before and after this one.
#[component]
fn Neighbours(beside: Beside) -> impl IntoView {
    let link = |href: Option<String>, name: &'static str, key: &'static str, shape| {
        href.map(|href| {
            view! {
                <a class="btn quiet small" href=href aria-label=name title=name data-key=key>
                    <Icon shape />
                </a>
            }
        })
    };
    view! {
        {link(beside.previous, "Previous in the list", "[", Shape::Left)}
        {link(beside.next, "Next in the list", "]", Shape::Right)}
    }
}

/// Whether a record is in use, by shape and text.
#[component]
pub fn ActiveBadge(active: bool) -> impl IntoView {
    let (shape, text) = activity(active);
    view! { <span class=format!("badge {shape}")>{text}</span> }
}

/// The shape and the text of a badge for whether a record is in use.
pub fn activity(active: bool) -> (&'static str, &'static str) {
    if active { ("active", "Active") } else { ("inactive", "Inactive") }
}
