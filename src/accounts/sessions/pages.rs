//! The page of sessions, and their table.

use leptos::prelude::*;

use super::rpc::list_sessions;
use crate::access::part::Lines;
use crate::access::people::SessionLine;
use crate::accounts::{AccessNav, turn};
use crate::ui::found::Found;
use crate::ui::page::Heading;
use crate::ui::plain::PlainForm;
use crate::ui::table::use_query_text;
use crate::ui::when::{Maybe, When};

/// The page.
const PATH: &str = "/admin/sessions";

/// Everybody's sessions, or those of one person.
pub fn list() -> AnyView {
    let sessions = Resource::new(use_query_text(), list_sessions);
    let end = || {
        crate::access::may("sessions", "delete").then(|| {
            view! {
                <PlainForm action="/-/sessions/end-others">
                    <button class="btn" title="Everybody but you signs in again; who may more than you is spared.">
                        "End all others"
                    </button>
                </PlainForm>
            }
        })
    };
    view! {
        <AccessNav />
        <Heading title="Sessions" actions=end />
        <section class="card">
            <Found found=sessions draw=|sessions| {
                let back = sessions.part.href(PATH);
                view! { <Sessions sessions action="/-/sessions/end" named=true back /> }.into_any()
            } />
        </section>
    }
    .into_any()
}

/// Sessions, each with a button that ends it.
#[component]
pub fn Sessions(
    sessions: Lines<SessionLine>,
    /// The server function that ends one.
    action: &'static str,
    /// Whether to say whose they are.
    named: bool,
    /// The page to come back to.
    back: String,
) -> impl IntoView {
    let Lines { part, count, lines } = sessions;
    if count == 0 {
        return view! { <p class="none muted">"Nobody is signed in."</p> }.into_any();
    }
    let may_end = action != "/-/sessions/end" || crate::access::may("sessions", "delete");
    let turn = turn(part, count, lines.len(), named, PATH);
    let rows = lines.into_iter().map(|session| {
        let SessionLine { id, user, name, email, created_at, seen_at, address, browser, is_current, .. } = session;
        let label = format!("End the session of {name}");
        let browser = browser.unwrap_or_else(|| "Unknown browser".into());
        let end = (may_end && !is_current).then(|| {
            view! {
                <PlainForm action hidden=vec![("id", id), ("back", back.clone())]>
                    <button class="btn small" aria-label=label>
                        "End"
                    </button>
                </PlainForm>
            }
        });
        view! {
            <tr>
                {named
                    .then(|| {
                        view! {
                            <td class="name">
                                <a class="over" href=format!("/admin/users/{user}") title=email>
                                    <bdi>{name}</bdi>
                                </a>
                            </td>
                        }
                    })}
                <td class="what">
                    {browser} {is_current.then(|| view! { " " <span class="badge active">"This one"</span> })}
                    <br />
                    <span class="faint">{address.unwrap_or_default()}</span>
                </td>
                <td class="since">
                    <span class="faint">"Since "</span>
                    <When at=created_at />
                    <br />
                    <span class="faint">"Seen "</span>
                    <Maybe at=seen_at otherwise="just now" />
                </td>
                <td class="num">{end}</td>
            </tr>
        }
    });
    view! {
        <table class="entries">
            <thead>
                <tr>
                    {named.then(|| view! { <th scope="col">"User"</th> })}
                    <th scope="col">"From"</th>
                    <th scope="col">"Time"</th>
                    <td></td>
                </tr>
            </thead>
            <tbody>{rows.collect_view()}</tbody>
        </table>
        {turn}
    }
    .into_any()
}
