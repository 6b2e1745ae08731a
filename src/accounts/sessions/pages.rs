//! The page of sessions, and their table.

use leptos::prelude::*;

use super::rpc::list_sessions;
use crate::access::people::SessionLine;
use crate::accounts::AccessNav;
use crate::ui::page::Heading;
use crate::ui::plain::PlainForm;
use crate::ui::problem::Problem;
use crate::ui::when::{Maybe, When};

/// Everybody's sessions.
pub fn list() -> AnyView {
    let sessions = Resource::new(|| (), |()| list_sessions());
    view! {
        <AccessNav />
        <Heading title="Sessions" />
        <section class="card">
            <Transition>
                {move || Suspend::new(async move {
                    match sessions.await {
                        Err(error) => view! { <Problem error /> }.into_any(),
                        Ok(sessions) => {
                            view! { <Sessions sessions action="/-/sessions/end" named=true back="/admin/sessions".to_owned() /> }
                                .into_any()
                        }
                    }
                })}
            </Transition>
        </section>
    }
    .into_any()
}

/// Sessions, each with a button that ends it.
#[component]
pub fn Sessions(
    sessions: Vec<SessionLine>,
    /// The server function that ends one.
    action: &'static str,
    /// Whether to say whose they are.
    named: bool,
    /// The page to come back to.
    back: String,
) -> impl IntoView {
    if sessions.is_empty() {
        return view! { <p class="none muted">"Nobody is signed in."</p> }.into_any();
    }
    let may_end = action != "/-/sessions/end" || crate::access::may("sessions", "delete");
    let rows = sessions.into_iter().map(|session| {
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
    }
    .into_any()
}
