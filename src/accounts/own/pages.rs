//! The page of one's own account.

use leptos::prelude::*;

use super::Account;
use super::rpc::{new_own_token, read_account};
use crate::access::Me;
use crate::accounts::sessions::pages::Sessions;
use crate::accounts::tokens::pages::{TokenForm, Tokens};
use crate::ui::found::Found;
use crate::ui::page::{Crumb, Heading};
use crate::ui::plain::{PlainField, PlainForm, Told};

/// `/account`.
pub fn account() -> AnyView {
    let account = Resource::new(|| (), |()| read_account());
    let me = use_context::<Me>();
    let email = me.as_ref().map(|me| me.email.clone()).unwrap_or_default();
    view! {
        <Heading title="Your account" badge=move || view! { <span class="muted">{email.clone()}</span> } />
        <Told />
        <Found found=account draw=drawn />
    }
    .into_any()
}

fn drawn(account: Account) -> AnyView {
    let Account { notice, has_second_factor, time_zone, zones, sessions, tokens } = account;
    let (class, state) = match has_second_factor {
        true => ("badge active", "On"),
        false => ("badge inactive", "Off"),
    };
    let others = sessions.lines.iter().any(|session| !session.is_current);
    let zones = zones.into_iter().map(move |zone| {
        let selected = zone == time_zone;
        view! {
            <option value=zone.clone() selected=selected>
                {zone.replace('_', " ")}
            </option>
        }
    });
    view! {
        {notice.map(|notice| view! { <p class="notice bad" role="alert">{notice}</p> })}
        <div class="account">
            <section class="card">
                <h2>"Password"</h2>
                <PlainForm action="/-/account/password" class="pad">
                    <PlainField name="password" label="Old password" kind="password" autocomplete="current-password" />
                    <PlainField
                        name="new_password"
                        label="New password"
                        kind="password"
                        autocomplete="new-password"
                        help="12 to 200 characters. You are signed out everywhere else."
                    />
                    <label class="check">
                        <input type="checkbox" name="end_tokens" value="true" />
                        "Also end my API tokens"
                    </label>
                    <button class="btn">"Change password"</button>
                </PlainForm>
            </section>
            <section class="card">
                <h2>"Second factor"</h2>
                <div class="pad">
                    <p>
                        <span class=class>{state}</span>
                    </p>
                    <p class="muted">"A code of an app on your phone beside the password."</p>
                    <a class="btn" href="/account/second-factor">
                        {if has_second_factor { "Manage" } else { "Set up" }}
                    </a>
                </div>
            </section>
            <section class="card">
                <h2>"Time zone"</h2>
                <PlainForm action="/-/account/time-zone" class="pad">
                    <div class="field">
                        <label for="time_zone">"Show times in"</label>
                        <select id="time_zone" name="time_zone">
                            <option value="">"UTC"</option>
                            {zones.collect_view()}
                        </select>
                    </div>
                    <button class="btn">"Save"</button>
                </PlainForm>
            </section>
            <section class="card">
                <h2>"Theme"</h2>
                <PlainForm action="/-/theme" class="pad">
                    <p class="muted">"As the system says, light or dark, on this browser."</p>
                    <div class="themes">
                        {[("system", "System"), ("light", "Light"), ("dark", "Dark")]
                            .map(|(value, label)| {
                                view! {
                                    <button class="btn small" name="theme" value=value>
                                        {label}
                                    </button>
                                }
                            })}
                    </div>
                </PlainForm>
            </section>
            <section class="card whole">
                <h2>
                    "Sessions"
                    {others
                        .then(|| {
                            view! {
                                <PlainForm action="/-/account/end-session" hidden=vec![("id", String::new())] class="aside">
                                    <button class="btn small">"End all others"</button>
                                </PlainForm>
                            }
                        })}
                </h2>
                <Sessions sessions action="/-/account/end-session" named=false back="/account".to_owned() />
            </section>
            <section class="card whole">
                <h2>
                    "API tokens"
                    <a class="btn small aside" href="/account/tokens/new">
                        "New token"
                    </a>
                </h2>
                <Tokens tokens action="/-/account/revoke-token" named=false back="/account".to_owned() />
            </section>
        </div>
    }
    .into_any()
}

/// The form of a token of one's own.
pub fn new_token() -> AnyView {
    let new = Resource::new(|| (), |()| new_own_token());
    view! {
        <Heading title="New token" crumb=Some(Crumb { label: "Your account", href: "/account" }) />
        <Found found=new draw=|new| view! { <TokenForm action="/-/account/create-token" new cancel="/account" /> }.into_any() />
    }
    .into_any()
}
