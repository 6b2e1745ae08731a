//! The pages of tokens: their table, and the form of a new one.

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use super::TokenStart;
use super::rpc::{list_tokens, new_token};
use crate::access::part::Lines;
use crate::access::people::{TokenInput, TokenLine};
use crate::accounts::roles::pages::Matrix;
use crate::accounts::{AccessNav, turn};
use crate::base::form::{Input, suggested};
use crate::ui::context::FailedForm;
use crate::ui::form::{FieldRow, Summary};
use crate::ui::found::Found;
use crate::ui::icon::{Icon, Shape};
use crate::ui::page::{Crumb, Heading, use_here};
use crate::ui::plain::{PasswordAgain, PlainForm, Told};
use crate::ui::table::use_query_text;
use crate::ui::when::{Maybe, When};

/// How long a token can last: days, and what the choice says.
const LIFETIMES: [(&str, &str); 5] =
    [("90", "90 days"), ("7", "7 days"), ("30", "30 days"), ("365", "A year"), ("", "For ever")];

/// The page.
const PATH: &str = "/admin/tokens";

/// Everybody's tokens, or those of one person.
pub fn list() -> AnyView {
    let tokens = Resource::new(use_query_text(), list_tokens);
    let add = || {
        crate::access::may("tokens", "add").then(|| {
            view! {
                <a class="btn primary" href="/admin/tokens/new" data-key="n">
                    <Icon shape=Shape::Plus />
                    "New token"
                    <kbd>"n"</kbd>
                </a>
            }
        })
    };
    view! {
        <AccessNav />
        <Heading title="API tokens" actions=add />
        <Told />
        <section class="card">
            <Found found=tokens draw=|tokens| {
                let back = tokens.part.href(PATH);
                view! { <Tokens tokens action="/-/tokens/revoke" named=true back /> }.into_any()
            } />
        </section>
    }
    .into_any()
}

/// Tokens, each that still works with a button that ends it.
#[component]
pub fn Tokens(
    tokens: Lines<TokenLine>,
    /// The server function that ends one.
    action: &'static str,
    /// Whether to say whose they are.
    named: bool,
    /// The page to come back to.
    back: String,
) -> impl IntoView {
    let Lines { part, count, lines } = tokens;
    if count == 0 {
        return view! { <p class="none muted">"No tokens yet."</p> }.into_any();
    }
    let may_end = action != "/-/tokens/revoke" || crate::access::may("tokens", "delete");
    let turn = turn(part, count, lines.len(), named, PATH);
    let rows = lines.into_iter().map(|token| {
        let TokenLine { id, name, user, user_name, permissions, expires_at, last_used_at, revoked_at, is_valid, .. } =
            token;
        let (class, state) = match (is_valid, &revoked_at) {
            (true, _) => ("badge active", "Valid"),
            (false, Some(_)) => ("badge inactive", "Revoked"),
            (false, None) => ("badge inactive", "Run out"),
        };
        let label = format!("Revoke {name}");
        let end = (may_end && is_valid).then(|| {
            view! {
                <PlainForm action hidden=vec![("id", id.to_string()), ("back", back.clone())]>
                    <button class="btn small" aria-label=label>
                        "Revoke"
                    </button>
                </PlainForm>
            }
        });
        let scope = permissions.map_or_else(|| "All that its person may".to_owned(), |scope| scope.join(", "));
        view! {
            <tr>
                <td class="what">
                    <b>
                        <bdi>{name}</bdi>
                    </b>
                    " "
                    <span class=class>{state}</span>
                    <br />
                    <span class="faint">{scope}</span>
                </td>
                {named
                    .then(|| {
                        view! {
                            <td class="name">
                                <a class="over" href=format!("/admin/users/{user}")>
                                    <bdi>{user_name}</bdi>
                                </a>
                            </td>
                        }
                    })}
                <td class="since">
                    <span class="faint">"Used "</span>
                    <Maybe at=last_used_at otherwise="never" />
                    <br />
                    {match revoked_at {
                        Some(at) => view! { <span class="faint">"Revoked "</span> <When at /> }.into_any(),
                        None => {
                            view! { <span class="faint">"Until "</span> <Maybe at=expires_at otherwise="revoked" /> }.into_any()
                        }
                    }}
                </td>
                <td class="num">{end}</td>
            </tr>
        }
    });
    view! {
        <table class="entries">
            <thead>
                <tr>
                    <th scope="col">"Token"</th>
                    {named.then(|| view! { <th scope="col">"User"</th> })}
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

/// The form of a token for somebody.
pub fn new() -> AnyView {
    let new = Resource::new(|| (), |()| new_token());
    view! {
        <Heading title="New token" crumb=Some(Crumb { label: "API tokens", href: "/admin/tokens" }) />
        <Found found=new draw=|new| view! { <TokenForm action="/-/tokens/create" new cancel="/admin/tokens" /> }.into_any() />
    }
    .into_any()
}

/// The form of a new token: name, person, scope, expiry.
#[component]
pub fn TokenForm(action: &'static str, new: TokenStart, cancel: &'static str) -> impl IntoView {
    let failed = use_context::<FailedForm>().filter(|failed| failed.action == action);
    let found = RwSignal::new(failed.as_ref().map(|failed| failed.error.clone()));
    let asked = use_query_map().with_untracked(|query| query.get("user"));
    let typed = failed.map_or_else(|| suggested(TokenInput::FIELDS), |failed| failed.typed);
    let user = typed.get("user").filter(|id| !id.is_empty()).cloned().or(asked).unwrap_or_default();
    let days = typed.get("days").cloned().unwrap_or_else(|| "90".into());
    let held: Vec<String> =
        typed.keys().filter_map(|name| name.strip_prefix("permissions.").map(str::to_owned)).collect();
    let fields = TokenInput::FIELDS.iter().filter(|field| matches!(field.name, "name" | "requires_version"));
    let rows = fields.map(|field| {
        let value = typed.get(field.name).cloned().unwrap_or_default();
        view! { <FieldRow field value found /> }
    });
    let people = new.people.into_iter().map(|(id, name)| {
        let selected = user == id.to_string();
        view! {
            <option value=id.to_string() selected=selected>
                {name}
            </option>
        }
    });
    let people: Vec<_> = people.collect();
    let scope = match people.is_empty() {
        true => "With nothing chosen it may all that you may, now and later.",
        false => "With nothing chosen it may all that its person may now.",
    };
    let wrong = move || {
        found.with_untracked(|found| {
            found.as_ref().and_then(|error| error.errors.get("password").map(|said| said.join(" ")))
        })
    };
    let lifetimes = LIFETIMES.map(|(value, text)| view! { <option value=value selected=value == days>{text}</option> });
    let mine = new.catalogue.codes().map(str::to_owned).collect();
    let page = use_here();
    view! {
        <form action=action method="post" class="form">
            <Summary fields=TokenInput::FIELDS found />
            <input type="hidden" name="page" value=untrack(page) />
            <fieldset class="card section">
                <legend>"Details"</legend>
                <div class="fields">
                    {(!people.is_empty())
                        .then(|| {
                            view! {
                                <div class="field">
                                    <label for="f-user">"Acts for"</label>
                                    <select id="f-user" name="form[user]">
                                        {people}
                                    </select>
                                </div>
                            }
                        })}
                    {rows.collect_view()}
                    <div class="field">
                        <label for="days">"Lasts"</label>
                        <select id="days" name="days">
                            {lifetimes}
                        </select>
                    </div>
                </div>
            </fieldset>
            <fieldset class="card section">
                <legend>"Scope"</legend>
                <p class="help inset">{scope}</p>
                <Matrix catalogue=new.catalogue held editable=Some(mine) />
            </fieldset>
            {new.asks_password.then(|| view! {
                <div class="card section pad">
                    <PasswordAgain />
                    {wrong().map(|said| view! { <p class="error">{said}</p> })}
                </div>
            })}
            <div class="form-actions">
                <button class="btn primary">"Make the token"</button>
                <a class="btn quiet" href=cancel>
                    "Cancel"
                </a>
            </div>
        </form>
    }
}
