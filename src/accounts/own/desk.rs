//! The server's side of one's own account.

use std::sync::Arc;

use leptos::prelude::use_context;
use tower_sessions::Session;

use super::Account;
use crate::access::gate::{Access, Actor, Oneself};
use crate::access::second_factor::Taken;
use crate::access::security::Kind;
use crate::access::throttle::Throttle;
use crate::access::user::Tokens;
use crate::access::{own, second_factor, session, user};
use crate::base::time::zones;
use crate::base::{Error, Result};
use crate::server::AppState;
use crate::server::signing::note_code;
use crate::server::web::{self, current_session, enrolling, led_back, oneself, part, reveal};
use crate::ui::context::Revealed;

/// The page of the second factor.
const SECOND_FACTOR: &str = "/account/second-factor";

/// One's own account. A constant number of statements.
///
/// # Errors
/// `Unauthenticated`.
pub async fn account() -> Result<Account> {
    let access = oneself().await?;
    let user = user::Entity::by_id(access.reader(), access.user_id()).await?;
    Ok(Account {
        notice: session::notice(&part::<Session>()?).await?,
        has_second_factor: second_factor::is_on(access.reader(), user.id).await?,
        time_zone: user.time_zone.unwrap_or_default(),
        zones: zones::names().to_vec(),
        sessions: own::sessions(&access, current_session().as_deref()).await?,
        tokens: own::tokens(&access).await?,
    })
}

/// Counts an attempt of the signed-in person to give their password again.
fn counted(access: &Access<Oneself>) -> Result<()> {
    let state = use_context::<AppState>().ok_or_else(|| Error::internal("no state in this context"))?;
    let email = match &access.caller().actor {
        Actor::User { email, .. } => email.as_str(),
        _ => "",
    };
    let address = web::address();
    let counted = state.throttle.confirmation(access.user_id(), email, address);
    counted.inspect_err(|_| web::note(Kind::Throttled, None, "password in a session"))
}

/// Notes a password that was wrong.
fn noted(error: Error) -> Error {
    if error.errors.contains_key("password") {
        web::note(Kind::PasswordRefused, None, "");
    }
    error
}

/// The access of a person who gave their password within the last minutes, or gives it now.
///
/// # Errors
/// `Invalid` at `password`; `TooManyRequests`.
pub async fn confirmed<P>(access: &Access<P>, password: Option<String>) -> Result<Access<P>> {
    if access.caller().is_recent {
        return Ok(access.clone());
    }
    let Some(password) = password.filter(|password| !password.is_empty()) else {
        return Err(Error::field("password", "Enter your password once more for this."));
    };
    let own = enrolling().await?;
    counted(&own)?;
    own::with_password(&own, password).await.map_err(noted)?;
    session::confirm(&part::<Session>()?).await?;
    Ok(access.confirmed())
}

/// Gives the session of the person another id, after a change of how they come in.
async fn rotated(access: &Access<Oneself>) -> Result<()> {
    session::rotate(access.database(), &part::<Session>()?).await
}

/// Changes the password; all other sessions end, and all tokens if that is wanted.
///
/// # Errors
/// `TooManyRequests`; those of [`own::change_password`].
pub async fn change_password(password: String, new_password: String, tokens: Tokens) -> Result<()> {
    let access = oneself().await?;
    counted(&access)?;
    own::change_password(&access, password, new_password, current_session(), tokens).await.map_err(noted)?;
    rotated(&access).await?;
    led_back("/account");
    Ok(())
}

/// Begins to set up a second factor.
///
/// # Errors
/// Those of [`confirmed`] and of [`second_factor::begin`].
pub async fn begin(password: Option<String>) -> Result<()> {
    let access = confirmed(&enrolling().await?, password).await?;
    second_factor::begin(&access).await?;
    led_back(SECOND_FACTOR);
    Ok(())
}

/// Ends one of one's sessions, or all others.
///
/// # Errors
/// `NotFound`.
pub async fn end_session(id: &str) -> Result<()> {
    let id = Some(id).filter(|id| !id.is_empty());
    own::end_session(&oneself().await?, id, current_session()).await?;
    led_back("/account");
    Ok(())
}

/// Turns the second factor on and tells the recovery codes.
///
/// # Errors
/// Those of [`second_factor::confirm`].
pub async fn confirm(code: &str) -> Result<Vec<String>> {
    let access = enrolling().await?;
    let codes = second_factor::confirm(&access, code).await?;
    rotated(&access).await?;
    tell(&codes, SECOND_FACTOR);
    Ok(codes)
}

/// Tells new recovery codes.
///
/// # Errors
/// `TooManyRequests`; those of [`second_factor::renew_codes`].
pub async fn renew_codes(code: &str) -> Result<Vec<String>> {
    let access = oneself().await?;
    counted(&access)?;
    throttle()?.code(access.user_id(), code)?;
    let codes = second_factor::renew_codes(&access, code, coded).await?;
    tell(&codes, SECOND_FACTOR);
    Ok(codes)
}

/// Turns the second factor off.
///
/// # Errors
/// `TooManyRequests`; those of [`second_factor::turn_off`].
pub async fn turn_off(password: String, code: &str) -> Result<()> {
    let access = oneself().await?;
    counted(&access)?;
    throttle()?.code(access.user_id(), code)?;
    second_factor::turn_off(&access, password, code, coded).await.map_err(noted)?;
    rotated(&access).await?;
    led_back(SECOND_FACTOR);
    Ok(())
}

/// Notes what became of a code that the signed-in person entered.
fn coded(user: &user::Model, taken: Taken) {
    note_code(&user.email, taken);
}

fn throttle() -> Result<Arc<Throttle>> {
    let state = use_context::<AppState>().ok_or_else(|| Error::internal("no state in this context"))?;
    Ok(Arc::clone(&state.throttle))
}

fn tell(codes: &[String], page: &str) {
    let title = "Your recovery codes are shown once".to_owned();
    let note = "Keep them where your app is not: each signs you in once when the app is lost.".to_owned();
    reveal(page.to_owned(), Revealed { title, note, secrets: codes.to_vec() });
}
