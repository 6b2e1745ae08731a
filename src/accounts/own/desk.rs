//! The server's side of one's own account.

use std::sync::Arc;

use leptos::prelude::use_context;

use super::Account;
use crate::access::throttle::Throttle;
use crate::access::{own, second_factor, user};
use crate::base::time::zones;
use crate::base::{Error, Result};
use crate::server::AppState;
use crate::server::web::{current_session, enrolling, led_back, oneself, reveal};
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
        has_second_factor: second_factor::is_on(access.reader(), user.id).await?,
        time_zone: user.time_zone.unwrap_or_default(),
        zones: zones::names().to_vec(),
        sessions: own::sessions(&access, current_session().as_deref()).await?,
        tokens: own::tokens(&access).await?,
    })
}

/// Changes the password; all other sessions end.
///
/// # Errors
/// Those of [`own::change_password`].
pub async fn change_password(password: String, new_password: String) -> Result<()> {
    own::change_password(&oneself().await?, password, new_password, current_session()).await?;
    led_back("/account");
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
    let codes = second_factor::confirm(&enrolling().await?, code).await?;
    tell(&codes, SECOND_FACTOR);
    Ok(codes)
}

/// Tells new recovery codes.
///
/// # Errors
/// `TooManyRequests`; those of [`second_factor::renew_codes`].
pub async fn renew_codes(code: &str) -> Result<Vec<String>> {
    let (access, throttle) = (oneself().await?, throttle()?);
    throttle.code(access.user_id(), code)?;
    let codes = second_factor::renew_codes(&access, code).await?;
    tell(&codes, SECOND_FACTOR);
    Ok(codes)
}

/// Turns the second factor off.
///
/// # Errors
/// `TooManyRequests`; those of [`second_factor::turn_off`].
pub async fn turn_off(password: String, code: &str) -> Result<()> {
    let (access, throttle) = (oneself().await?, throttle()?);
    throttle.code(access.user_id(), code)?;
    second_factor::turn_off(&access, password, code).await?;
    led_back(SECOND_FACTOR);
    Ok(())
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
