//! Accounts: signing in and out, people, roles, sessions, tokens, and everybody's own account.
//!
//! Their forms are plain ones, each step a document of its own, so that what is told once stands in the answer to a form and
//! nowhere else.

use leptos::prelude::*;
use leptos_router::components::{Outlet, ParentRoute, Route};
use leptos_router::hooks::use_location;
use leptos_router::path;
use wasm_split_helpers::wasm_split;

use crate::access::part::Part;
use crate::access::{Me, may};
use crate::base::Result;
use crate::base::money::grouped;
use crate::ui::chunk::Chunk;
use crate::ui::table::Turn;

/// Tokens, sessions and invitations over REST.
#[cfg(feature = "ssr")]
pub mod api;
pub mod own;
pub mod pages;
pub mod roles;
pub mod rpc;
pub mod security;
pub mod sessions;
pub mod tokens;
pub mod users;

/// The page where an invited person chooses a password. The secret stands in the query, as logs hold paths only.
pub fn invitation_href(secret: &str) -> String {
    format!("/invite?key={secret}")
}

/// The pages of the access to the house.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessPage {
    Users,
    NewUser,
    User,
    EditUser,
    DeleteUser,
    Roles,
    NewRole,
    Role,
    EditRole,
    DeleteRole,
    Sessions,
    Tokens,
    NewToken,
    Security,
}

fn chunk(page: AccessPage) -> Chunk<AccessPage> {
    Chunk { name: "admin", fetch: || Box::pin(fetch_access_page()), page, draw: |page| Box::pin(access_page(page)) }
}

#[wasm_split(admin, preload(fetch_access_page), fallible)]
fn access_page(page: AccessPage) -> Result<AnyView> {
    Ok(match page {
        AccessPage::Users => users::pages::list(),
        AccessPage::NewUser => users::pages::new(),
        AccessPage::User => users::pages::detail(),
        AccessPage::EditUser => users::pages::edit(),
        AccessPage::DeleteUser => users::pages::delete(),
        AccessPage::Roles => roles::pages::list(),
        AccessPage::NewRole => roles::pages::new(),
        AccessPage::Role => roles::pages::detail(),
        AccessPage::EditRole => roles::pages::edit(),
        AccessPage::DeleteRole => roles::pages::delete(),
        AccessPage::Sessions => sessions::pages::list(),
        AccessPage::Tokens => tokens::pages::list(),
        AccessPage::NewToken => tokens::pages::new(),
        AccessPage::Security => security::pages::list(),
    })
}

/// What stands under sessions or tokens of which there are more: on their own page the way to the others, beside something else
/// the way to that page.
fn turn(part: Part, count: u64, shown: usize, is_page: bool, path: &str) -> Option<AnyView> {
    let shown = u64::try_from(shown).unwrap_or_default();
    if count <= shown && part.page == 1 {
        return None;
    }
    let grouped = |number: u64| grouped(&number.to_string());
    let many = grouped(count);
    if !is_page {
        let all = Part::default();
        let href = Part { user: part.user, ..all }.href(path);
        let may = may(path.trim_start_matches("/admin/"), "view");
        let said = format!("The latest {} of {many}.", grouped(shown));
        let all = may.then(|| view! { " " <a href=href>"Show all"</a> });
        return Some(view! { <p class="none muted">{said} {all}</p> }.into_any());
    }
    let place = match shown {
        0 => format!("Nothing on this page, {many} before it"),
        shown => format!("{}–{} of {many}", grouped(part.offset() + 1), grouped(part.offset() + shown)),
    };
    let place = place.into_any();
    let at = |part: Part| part.href(path);
    let (previous, next) = (part.previous().map(at), part.next(count).map(at));
    Some(view! { <Turn place take=None previous next /> }.into_any())
}

/// Users, roles, sessions, tokens and security events, under `/admin`.
#[component(transparent)]
pub fn AccessRoutes() -> impl leptos_router::MatchNestedRoutes + Clone {
    view! {
        <ParentRoute path=path!("/admin") view=Outlet>
            <Route path=path!("users") view=chunk(AccessPage::Users) />
            <Route path=path!("users/new") view=chunk(AccessPage::NewUser) />
            <Route path=path!("users/:id") view=chunk(AccessPage::User) />
            <Route path=path!("users/:id/edit") view=chunk(AccessPage::EditUser) />
            <Route path=path!("users/:id/delete") view=chunk(AccessPage::DeleteUser) />
            <Route path=path!("roles") view=chunk(AccessPage::Roles) />
            <Route path=path!("roles/new") view=chunk(AccessPage::NewRole) />
            <Route path=path!("roles/:id") view=chunk(AccessPage::Role) />
            <Route path=path!("roles/:id/edit") view=chunk(AccessPage::EditRole) />
            <Route path=path!("roles/:id/delete") view=chunk(AccessPage::DeleteRole) />
            <Route path=path!("sessions") view=chunk(AccessPage::Sessions) />
            <Route path=path!("tokens") view=chunk(AccessPage::Tokens) />
            <Route path=path!("tokens/new") view=chunk(AccessPage::NewToken) />
            <Route path=path!("security") view=chunk(AccessPage::Security) />
        </ParentRoute>
    }
    .into_inner()
}

/// Leads from one of the lists to the others that the person may see.
#[component]
pub fn AccessNav() -> impl IntoView {
    let path = use_location().pathname.get_untracked();
    let me = use_context::<Me>();
    let links = [
        ("users", "Users"),
        ("roles", "Roles"),
        ("sessions", "Sessions"),
        ("tokens", "API tokens"),
        ("security", "Security"),
    ];
    let links = links.into_iter().filter(|(resource, _)| me.as_ref().is_some_and(|me| me.may(resource, "view")));
    let links = links.map(|(resource, label)| {
        let href = format!("/admin/{resource}");
        let current = (path == href).then_some("page");
        view! {
            <a href=href aria-current=current>
                {label}
            </a>
        }
    });
    view! {
        <nav class="tabs access-nav" aria-label="Access">
            {links.collect_view()}
        </nav>
    }
}
