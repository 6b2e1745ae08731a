//! The page of the second factor: set it up, renew the recovery codes, turn it off.

use leptos::prelude::*;

use super::rpc::read_enrolment;
use crate::access::people::Enrolment;
use crate::ui::found::Found;
use crate::ui::page::{Crumb, Heading};
use crate::ui::plain::{PasswordAgain, PlainField, PlainForm, Told};

fn drawn(enrolment: Enrolment) -> AnyView {
    match enrolment {
        Enrolment::Off { asks_password } => off(asks_password),
        Enrolment::Begun { secret, path, size } => begun(&secret, path, size),
        Enrolment::On { codes_left } => on(codes_left),
    }
}

/// `/account/second-factor`.
pub fn page() -> AnyView {
    let enrolment = Resource::new(|| (), |()| read_enrolment());
    view! {
        <Heading title="Second factor" crumb=Some(Crumb { label: "Your account", href: "/account" }) />
        <Told />
        <Found found=enrolment draw=drawn />
    }
    .into_any()
}

fn off(asks_password: bool) -> AnyView {
    view! {
        <section class="card narrow">
            <h2>"Set it up"</h2>
            <PlainForm action="/-/account/second-factor/begin" class="pad">
                <p>
                    "Besides your password, signing in then takes a code that an app on your phone makes, such as Aegis, Google
                    Authenticator or 1Password."
                </p>
                {asks_password.then(|| view! { <PasswordAgain /> })}
                <button class="btn primary">"Begin"</button>
            </PlainForm>
        </section>
    }
    .into_any()
}

fn begun(secret: &str, path: String, size: i32) -> AnyView {
    let letters: Vec<char> = secret.chars().collect();
    let spaced = letters.chunks(4).map(|four| four.iter().collect::<String>()).collect::<Vec<_>>().join(" ");
    // A margin of four modules, as readers expect.
    let frame = format!("-4 -4 {0} {0}", size + 8);
    view! {
        <section class="card narrow">
            <h2>"Set it up"</h2>
            <div class="pad">
                <p>"1. Scan this with your app, or type the secret into it."</p>
                <svg class="qr" viewBox=frame role="img" aria-label="QR code of the secret">
                    <path d=path></path>
                </svg>
                <p>
                    <code class="secret">{spaced}</code>
                </p>
                <PlainForm action="/-/account/second-factor/confirm" class="rows">
                    <PlainField
                        name="code"
                        label="2. Enter the six digits it shows"
                        autocomplete="one-time-code"
                        autofocus=true
                    />
                    <button class="btn primary">"Turn it on"</button>
                </PlainForm>
            </div>
        </section>
    }
    .into_any()
}

fn on(codes_left: u64) -> AnyView {
    let left =
        if codes_left == 1 { "1 recovery code is".to_owned() } else { format!("{codes_left} recovery codes are") };
    view! {
        <div class="stack narrow">
            <section class="card">
                <h2>"It is on"</h2>
                <div class="pad">
                    <p>
                        <span class="badge active">"On"</span>
                    </p>
                    <p class="muted">{format!("{left} left for when the app is lost.")}</p>
                </div>
            </section>
            <section class="card">
                <h2>"New recovery codes"</h2>
                <PlainForm action="/-/account/second-factor/codes" class="pad">
                    <p class="muted">"The old ones stop."</p>
                    <PlainField name="code" label="Code of the app" autocomplete="one-time-code" prefix="codes-" />
                    <button class="btn">"Make new codes"</button>
                </PlainForm>
            </section>
            <section class="card">
                <h2>"Turn it off"</h2>
                <PlainForm action="/-/account/second-factor/off" class="pad">
                    <PlainField name="password" label="Password" kind="password" autocomplete="current-password" />
                    <PlainField
                        name="code"
                        label="Code of the app, or a recovery code"
                        autocomplete="one-time-code"
                        prefix="off-"
                    />
                    <button class="btn danger">"Turn off"</button>
                </PlainForm>
            </section>
        </div>
    }
    .into_any()
}
