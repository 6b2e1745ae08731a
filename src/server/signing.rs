//! Signing in and out: throttled, and the same answer for an unknown person and a wrong password.

use std::sync::Arc;

use axum::http::header::USER_AGENT;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue};
use tower_sessions::Session;

use super::AppState;
use super::web::{THEME_COOKIE, address, go, note, part, set_cookie};
use crate::access::gate::Caller;
use crate::access::second_factor::{Means, Taken};
use crate::access::security::Kind;
use crate::access::session::Beginning;
use crate::access::{grants, invitation, second_factor, session, user};
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
/// Where people are told what happened to their account.
const ACCOUNT: &str = "/account";

/// Signs a person in and leads to `next`, or to where their code is asked for.
///
/// # Errors
/// `TooManyRequests` with the seconds to wait, else `Unauthenticated` without a reason.
pub async fn sign_in(email: &str, password: String, next: &str) -> Result<()> {
    let state = use_context::<AppState>().ok_or_else(|| Error::internal("no state in this context"))?;
    let session = part::<Session>()?;
    throttled(&state, email)?;
    let user = match user::Entity::verified(&state.database, email, password).await {
        Ok(user) => user,
        Err(error) => {
            if error.code == Code::Unauthenticated {
                note(Kind::SignInFailed, Some(email), "");
            }
            return Err(error);
        }
    };
    if second_factor::is_on(state.database.reader(), user.id).await? {
        session::await_code(&session, &user, None).await?;
        go(&format!("{CODE_PAGE}?next={}", encoded(&local(next))));
        return Ok(());
    }
    start(&state, user, None, None, "by password").await?;
    go(&local(next));
    Ok(())
}

/// Starts the session of a person: `reach` is that of the link they came by, `notice` what they are told.
async fn start(
    state: &AppState,
    user: user::Model,
    reach: Option<String>,
    notice: Option<String>,
    how: &str,
) -> Result<()> {
    let rights = grants::held_by(state.database.reader(), user.id).await?;
    let email = user.email.clone();
    session::start(&part::<Session>()?, user, from(), Beginning { rights, reach, notice }).await?;
    note(Kind::SignedIn, Some(&email), how);
    Ok(())
}

/// Counts an attempt of somebody who is not signed in.
fn throttled(state: &AppState, account: &str) -> Result<()> {
    state.throttle.attempt(account, address()).inspect_err(|_| {
        note(Kind::Throttled, Some(account), "");
    })
}

/// Notes what became of a code.
pub fn note_code(account: &str, taken: Taken) {
    match taken {
        Taken::Right { by: Means::App, .. } => note(Kind::SecondFactorUsed, Some(account), ""),
        Taken::Right { by: Means::RecoveryCode, .. } => note(Kind::RecoveryCodeUsed, Some(account), ""),
        Taken::Wrong { shut_until } => {
            note(Kind::SecondFactorFailed, Some(account), "");
            if let Some(until) = shut_until {
                let until = crate::base::time::Moment::from(until);
                note(Kind::SecondFactorShut, Some(account), &format!("until {}", until.rfc3339()));
            }
        }
        Taken::Shut { .. } => note(Kind::SecondFactorFailed, Some(account), "while it is locked"),
    }
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
    throttled(&state, &awaited.email)?;
    state.throttle.code(awaited.user_id, code).inspect_err(|_| note(Kind::Throttled, Some(&awaited.email), "codes"))?;
    let transaction = state.database.write_session().await?;
    let user = user::Entity::by_id(&transaction, awaited.user_id).await?;
    if !user.is_active {
        return Err(late());
    }
    let taken = second_factor::taken(&transaction, &user, code).await?;
    transaction.commit().await?;
    note_code(&awaited.email, taken);
    if let Some(refused) = taken.refused() {
        return Err(refused);
    }
    let notice = taken.warning();
    let page = if notice.is_some() { ACCOUNT.to_owned() } else { local(next) };
    start(&state, user, awaited.reach, notice, "by password and code").await?;
    go(&page);
    Ok(())
}

/// Signs an invited person in, once they chose name and password.
///
/// # Errors
/// `TooManyRequests`; those of [`invitation::accept`].
pub async fn accept_invitation(key: &str, name: &str, password: String) -> Result<()> {
    let state = use_context::<AppState>().ok_or_else(|| Error::internal("no state in this context"))?;
    let caller = use_context::<Arc<Caller>>().ok_or_else(Error::unauthenticated)?;
    throttled(&state, "")?;
    let (user, reach) = invitation::accept(&state.database, &caller, key, name, password).await?;
    let session = part::<Session>()?;
    if second_factor::is_on(state.database.reader(), user.id).await? {
        session::await_code(&session, &user, Some(reach)).await?;
        go(CODE_PAGE);
        return Ok(());
    }
    start(&state, user, Some(reach), None, "by invitation").await?;
    go("/");
    Ok(())
}

/// Whom a link invites: name and address.
///
/// # Errors
/// `TooManyRequests`; `NotFound` for a link that is not valid.
pub async fn invited(key: &str) -> Result<(String, String)> {
    let state = use_context::<AppState>().ok_or_else(|| Error::internal("no state in this context"))?;
    throttled(&state, "")?;
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
    note(Kind::SignedOut, None, "");
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
