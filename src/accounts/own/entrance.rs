//! The pages on the way in: the code after the password, and the invitation.

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use crate::accounts::rpc::read_invitation;
use crate::ui::found::Found;
use crate::ui::page::DocumentTitle;
use crate::ui::plain::{PlainField, PlainForm};

#[component]
fn Brand(text: &'static str) -> impl IntoView {
    view! {
        <h1>
            <span class="mark" aria-hidden="true">
                "K"
            </span>
            {text}
        </h1>
    }
}

/// Where the code is asked for.
pub fn code() -> AnyView {
    let next = use_query_map().with_untracked(|query| query.get("next")).unwrap_or_default();
    view! {
        <DocumentTitle text="Your code" />
        <main class="alone">
            <PlainForm action="/-/sign-in/code" hidden=vec![("next", next)] class="card sign-in">
                <Brand text="Your code" />
                <PlainField
                    name="code"
                    label="Code"
                    autocomplete="one-time-code"
                    help="The six digits your app shows now, or a recovery code."
                    autofocus=true
                />
                <button class="btn primary">"Sign in"</button>
                <a class="muted" href="/sign-in">
                    "Start again"
                </a>
            </PlainForm>
        </main>
    }
    .into_any()
}

/// Where an invited person chooses name and password.
pub fn invitation() -> AnyView {
    let key = use_query_map().with_untracked(|query| query.get("key")).unwrap_or_default();
    let asked = key.clone();
    let invited = Resource::new(|| (), move |()| read_invitation(asked.clone()));
    let draw = move |(name, email): (String, String)| {
        view! {
            <PlainForm action="/-/invite/accept" hidden=vec![("key", key.clone())] class="card sign-in">
                <Brand text="Welcome to Kontor" />
                <p class="muted">"You will sign in as " <b>{email.clone()}</b> "."</p>
                <input type="hidden" name="username" autocomplete="username" value=email />
                <PlainField name="name" label="Your name" value=name autocomplete="name" />
                <PlainField
                    name="password"
                    label="Password"
                    kind="password"
                    autocomplete="new-password"
                    help="12 to 200 characters; a few unrelated words do well."
                />
                <button class="btn primary">"Choose and sign in"</button>
            </PlainForm>
        }
        .into_any()
    };
    view! {
        <DocumentTitle text="Welcome" />
        <main class="alone">
            <Found found=invited draw />
        </main>
    }
    .into_any()
}
