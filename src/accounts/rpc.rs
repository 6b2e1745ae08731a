//! What the sign-in page and the person's menu ask the server.

use leptos::prelude::*;

use crate::base::{Error, Result};
#[cfg(feature = "ssr")]
use crate::server::signing;

/// Signs a person in and leads to `next`, a page of ours.
#[server(prefix = "/-", endpoint = "sign-in")]
pub async fn sign_in(email: String, password: String, next: String) -> Result<(), Error> {
    signing::sign_in(&email, password, &next).await
}

/// Ends the session.
#[server(prefix = "/-", endpoint = "sign-out")]
pub async fn sign_out() -> Result<(), Error> {
    signing::sign_out().await
}

/// Remembers light, dark or the system's choice, and leads back to `page`.
#[server(prefix = "/-", endpoint = "theme")]
pub async fn choose_theme(theme: String, page: String) -> Result<(), Error> {
    signing::choose_theme(&theme, &page)
}
