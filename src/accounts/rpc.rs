//! What the sign-in pages and the person's menu ask the server.

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;

use crate::base::wire::JsonText;
use crate::base::{Error, Result};
#[cfg(feature = "ssr")]
use crate::server::signing;

/// Signs a person in and leads to `next`, a page of ours, or to where their code is asked for.
#[server(prefix = "/-", endpoint = "sign-in", output = JsonText)]
pub async fn sign_in(email: String, password: String, next: String) -> Result<(), Error> {
    signing::sign_in(&email, password, &next).await
}

/// Signs a person in whose code was missing, and leads to `next`.
#[server(prefix = "/-", endpoint = "sign-in/code", output = JsonText)]
pub async fn enter_code(code: String, next: String) -> Result<(), Error> {
    signing::enter_code(&code, &next).await
}

/// Whom a link invites: name and address.
#[server(prefix = "/-", endpoint = "invite/read", input = GetUrl, output = JsonText)]
pub async fn read_invitation(key: String) -> Result<(String, String), Error> {
    signing::invited(&key).await
}

/// Takes a link: the person chooses name and password, and is signed in.
#[server(prefix = "/-", endpoint = "invite/accept", output = JsonText)]
pub async fn accept_invitation(key: String, name: String, password: String) -> Result<(), Error> {
    signing::accept_invitation(&key, &name, password).await
}

/// Ends the session.
#[server(prefix = "/-", endpoint = "sign-out", output = JsonText)]
pub async fn sign_out() -> Result<(), Error> {
    signing::sign_out().await
}

/// Remembers light, dark or the system's choice, and leads back to `page`.
#[server(prefix = "/-", endpoint = "theme", output = JsonText)]
pub async fn choose_theme(theme: String, page: String) -> Result<(), Error> {
    signing::choose_theme(&theme, &page)
}
