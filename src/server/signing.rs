//! Signing in and out: throttled, and the same answer for an unknown person and a wrong password.

use std::sync::Arc;

use axum::http::header::USER_AGENT;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue};
use tower_sessions::Session;

use super::AppState;
use super::web::{THEME_COOKIE, address, go, part, set_cookie};
use crate::access::gate::Caller;
use crate::access::{invitation, second_factor, session, user};
use crate::base::error::Code;
use crate::base::listing::encoded;
use crate::base::{Error, Result};
use crate::ui::context::Theme;
use leptos::prelude::use_context;
use leptos_axum::ResponseOptions;

/// Has the browser forget what it keeps of this site (W3C Clear Site Data). Cookies stay: the session's is taken back, and
/// the theme is nobody's secret.
const CLEAR_SITE_DATA: HeaderName = HeaderName::from_static("clear-site-data");

/// Where the code is asked for.
pub const CODE_PAGE: &str = "/sign-in/code";

/// Signs a person in and leads to `next`, or to where their code is asked for.
///
/// # Errors
/// `TooManyRequests` with the seconds to wait, else `Unauthenticated` without a reason.
pub async fn sign_in(email: &str, password: String, next: &str) -> Result<()> {
    let state = use_context::<AppState>().ok_or_else(|| Error::internal("no state in this context"))?;
    let session = part::<Session>()?;
    state.throttle.attempt(email, address())?;
    let user = user::Entity::verified(&state.database, email, password).await?;
    if second_factor::is_on(state.database.reader(), user.id).await? {
        session::await_code(&session, &user).await?;
        go(&format!("{CODE_PAGE}?next={}", encoded(&local(next))));
        return Ok(());
    }
    session::start(&session, user, from()).await?;
    go(&local(next));
    Ok(())
}

/// Signs a person in whose password was right and whose code is missing.
///
/// # Errors
/// `TooManyRequests`; `Invalid` at `code`; `Unauthenticated` when the password was too long ago.
pub async fn enter_code(code: &str, next: &str) -> Result<()> {
    let state = use_context::<AppState>().ok_or_else(|| Error::internal("no state in this context"))?;
    let session = part::<Session>()?;
    let late = || Error::new(Code::Unauthenticated, "This took too long. Sign in again, please.");
    let awaited = session::awaited(&session).await?.ok_or_else(late)?;
    state.throttle.attempt(&awaited.email, address())?;
    state.throttle.code(awaited.user_id, code)?;
    let transaction = state.database.write().await?;
    let user = user::Entity::by_id(&transaction, awaited.user_id).await?;
    let right = user.is_active && second_factor::taken(&transaction, &user, code).await?;
    transaction.commit().await?;
    if !right {
        return Err(Error::field("code", "This code is not right, or was used already."));
    }
    session::start(&session, user, from()).await?;
    go(&local(next));
    Ok(())
}

/// Signs an invited person in, once they chose name and password.
///
/// # Errors
/// `TooManyRequests`; those of [`invitation::accept`].
pub async fn accept_invitation(key: &str, name: &str, password: String) -> Result<()> {
    let state = use_context::<AppState>().ok_or_else(|| Error::internal("no state in this context"))?;
    let caller = use_context::<Arc<Caller>>().ok_or_else(Error::unauthenticated)?;
    state.throttle.attempt("", address())?;
    let user = invitation::accept(&state.database, &caller, key, name, password).await?;
    let session = part::<Session>()?;
    if second_factor::is_on(state.database.reader(), user.id).await? {
        session::await_code(&session, &user).await?;
        go(CODE_PAGE);
        return Ok(());
    }
    session::start(&session, user, from()).await?;
    go("/");
    Ok(())
}

/// Whom a link invites: name and address.
///
/// # Errors
/// `TooManyRequests`; `NotFound` for a link that is not valid.
pub async fn invited(key: &str) -> Result<(String, String)> {
    let state = use_context::<AppState>().ok_or_else(|| Error::internal("no state in this context"))?;
    state.throttle.attempt("", address())?;
    let user = invitation::invited(state.database.reader(), key).await?;
    Ok((user.name, user.email))
}

/// Where the person signs in from.
fn from() -> session::From {
    let agent = use_context::<Parts>();
    let agent = agent.as_ref().and_then(|parts| parts.headers.get(USER_AGENT)?.to_str().ok()).unwrap_or_default();
    session::From { address: address().to_string(), browser: browser(agent) }
}

/// The browser and the system as people call them: `Firefox on Linux`.
fn browser(agent: &str) -> String {
    let named =
        |names: &[(&str, &'static str)]| names.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| *name);
    // The later ones also call themselves what the earlier ones are.
    let browser = named(&[
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
        ("curl/", "curl"),
    ]);
    let system = named(&[
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("CrOS", "ChromeOS"),
        ("Linux", "Linux"),
    ]);
    match (browser, system) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(name), None) | (None, Some(name)) => name.to_owned(),
        (None, None) => String::new(),
    }
}

/// Ends the session and leads to the sign-in page.
///
/// # Errors
/// `Internal` when the session cannot be removed.
pub async fn sign_out() -> Result<()> {
    session::end(&part::<Session>()?).await?;
    if let Some(options) = use_context::<ResponseOptions>() {
        options.insert_header(CLEAR_SITE_DATA, HeaderValue::from_static("\"cache\", \"storage\""));
    }
    go(super::web::SIGN_IN);
    Ok(())
}

/// Remembers the theme and leads back.
///
/// # Errors
/// None; an unknown theme is the system's.
pub fn choose_theme(theme: &str, page: &str) -> Result<()> {
    set_cookie(THEME_COOKIE, Theme::parse(theme).name());
    go(&local(page));
    Ok(())
}

/// A path of ours: never another site, whatever a link says. What a header cannot carry is percent-encoded.
pub fn local(path: &str) -> String {
    let sound =
        path.starts_with('/') && !path.starts_with("//") && !path.contains('\\') && !path.contains(char::is_control);
    if !sound {
        return "/".to_owned();
    }
    path.chars().map(|c| if c.is_ascii_graphic() { c.to_string() } else { encoded(&c.to_string()) }).collect()
}

#[cfg(test)]
mod tests {
    use super::{browser, local};

    #[test]
    fn nobody_is_led_to_another_site() {
        for path in ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "", "/a\r\nb"]
        {
            assert_eq!(local(path), "/", "{path}");
        }
        assert_eq!(local("/customers/3?x=1"), "/customers/3?x=1");
        assert_eq!(local("/customers?search=café"), "/customers?search=caf%C3%A9");
    }

    #[test]
    fn a_browser_is_called_what_people_call_it() {
        let chrome =
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36";
        assert_eq!(browser(chrome), "Chrome on Linux");
        assert_eq!(browser(&format!("{chrome} Edg/131.0")), "Edge on Linux");
        let iphone =
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Safari/604.1";
        assert_eq!(browser(iphone), "Safari on iPhone");
        assert_eq!(browser("curl/8.5.0"), "curl");
        assert_eq!(browser(""), "");
    }
}
