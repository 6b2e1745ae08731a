//! What the pages of tokens ask the server.

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;

use super::TokenStart;
#[cfg(feature = "ssr")]
use super::desk;
use crate::access::part::Lines;
#[cfg(feature = "ssr")]
use crate::access::part::Part;
use crate::access::people::TokenLine;
#[cfg(feature = "ssr")]
use crate::access::token::Entity;
use crate::base::form::Typed;
use crate::base::wire::JsonText;
use crate::base::{Error, Result};
#[cfg(feature = "ssr")]
use crate::server::web::{access, led_back};

/// Tokens of everybody, the newest first, or of one person.
#[server(prefix = "/-", endpoint = "tokens/list", input = GetUrl, output = JsonText)]
pub async fn list_tokens(query: String) -> Result<Lines<TokenLine>, Error> {
    Entity::list(&access().await?, Part::parse(&query)?).await
}

/// What the form of a new token starts with.
#[server(prefix = "/-", endpoint = "tokens/new", input = GetUrl, output = JsonText)]
pub async fn new_token() -> Result<TokenStart, Error> {
    desk::new().await
}

/// Makes a token that lasts so many days, or for ever, and tells its secret.
#[server(prefix = "/-", endpoint = "tokens/create", output = JsonText)]
pub async fn create_token(
    days: String,
    form: Typed,
    #[server(default)] password: Option<String>,
) -> Result<String, Error> {
    desk::create(&days, &form, password).await
}

/// Ends a token and leads back to `back`.
#[server(prefix = "/-", endpoint = "tokens/revoke", output = JsonText)]
pub async fn revoke_token(id: i64, back: String) -> Result<(), Error> {
    Entity::revoke(&access().await?, id).await.map(|()| led_back(&back))
}
