//! What the pages of one's own account ask the server.

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;

use super::Account;
#[cfg(feature = "ssr")]
use super::desk;
use crate::access::people::Enrolment;
#[cfg(feature = "ssr")]
use crate::access::{own, second_factor, user::Tokens};
use crate::accounts::tokens::TokenStart;
#[cfg(feature = "ssr")]
use crate::accounts::tokens::desk as tokens;
use crate::base::form::Typed;
use crate::base::wire::JsonText;
use crate::base::{Error, Result};
#[cfg(feature = "ssr")]
use crate::server::web::{enrolling, led_back, oneself};

/// One's own account.
#[server(prefix = "/-", endpoint = "account/read", input = GetUrl, output = JsonText)]
pub async fn read_account() -> Result<Account, Error> {
    desk::account().await
}

/// Changes the password, signs out elsewhere, and ends all tokens if that is wanted.
#[server(prefix = "/-", endpoint = "account/password", output = JsonText)]
pub async fn change_password(
    password: String,
    new_password: String,
    #[server(default)] end_tokens: bool,
) -> Result<(), Error> {
    let tokens = if end_tokens { Tokens::End } else { Tokens::Keep };
    desk::change_password(password, new_password, tokens).await
}

/// Chooses the zone in which times are shown.
#[server(prefix = "/-", endpoint = "account/time-zone", output = JsonText)]
pub async fn choose_zone(time_zone: String) -> Result<(), Error> {
    own::choose_zone(&oneself().await?, &time_zone).await.map(|()| led_back("/account"))
}

/// Ends one of one's sessions, or with a blank id all others.
#[server(prefix = "/-", endpoint = "account/end-session", output = JsonText)]
pub async fn end_own_session(id: String) -> Result<(), Error> {
    desk::end_session(&id).await
}

/// What the form of a new token starts with.
#[server(prefix = "/-", endpoint = "account/new-token", input = GetUrl, output = JsonText)]
pub async fn new_own_token() -> Result<TokenStart, Error> {
    tokens::new_own().await
}

/// Makes a token of one's own and tells its secret.
#[server(prefix = "/-", endpoint = "account/create-token", output = JsonText)]
pub async fn create_own_token(
    days: String,
    form: Typed,
    #[server(default)] password: Option<String>,
) -> Result<String, Error> {
    tokens::create_own(&days, &form, password).await
}

/// Ends one of one's tokens.
#[server(prefix = "/-", endpoint = "account/revoke-token", output = JsonText)]
pub async fn end_own_token(id: i64) -> Result<(), Error> {
    own::end_token(&oneself().await?, id).await.map(|()| led_back("/account"))
}

/// Where one stands with the second factor.
#[server(prefix = "/-", endpoint = "account/second-factor/read", input = GetUrl, output = JsonText)]
pub async fn read_enrolment() -> Result<Enrolment, Error> {
    second_factor::enrolment(&enrolling().await?).await
}

/// Begins to set it up.
#[server(prefix = "/-", endpoint = "account/second-factor/begin", output = JsonText)]
pub async fn begin_enrolment(#[server(default)] password: Option<String>) -> Result<(), Error> {
    desk::begin(password).await
}

/// Turns it on with a first code, and tells the recovery codes.
#[server(prefix = "/-", endpoint = "account/second-factor/confirm", output = JsonText)]
pub async fn confirm_enrolment(code: String) -> Result<Vec<String>, Error> {
    desk::confirm(&code).await
}

/// Makes new recovery codes and tells them.
#[server(prefix = "/-", endpoint = "account/second-factor/codes", output = JsonText)]
pub async fn renew_codes(code: String) -> Result<Vec<String>, Error> {
    desk::renew_codes(&code).await
}

/// Turns it off.
#[server(prefix = "/-", endpoint = "account/second-factor/off", output = JsonText)]
pub async fn turn_off(password: String, code: String) -> Result<(), Error> {
    desk::turn_off(password, &code).await
}
