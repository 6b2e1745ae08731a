//! Signing in and out: throttled, and the same answer for an unknown person and a wrong password.

use tower_sessions::Session;

use super::AppState;
use super::web::{THEME_COOKIE, address, go, part, set_cookie};
use crate::access::{session, user};
use crate::base::listing::encoded;
use crate::base::{Error, Result};
use crate::ui::context::Theme;
use leptos::prelude::use_context;

/// Signs a person in and leads to `next`.
///
/// # Errors
/// `TooManyRequests` with the seconds to wait, else `Unauthenticated` without a reason.
pub async fn sign_in(email: &str, password: String, next: &str) -> Result<()> {
    let state = use_context::<AppState>().ok_or_else(|| Error::internal("no state in this context"))?;
    let session = part::<Session>()?;
    let next = local(next);
    state.throttle.attempt(email, address(state.settings.trust_forwarded))?;
    let user = user::Entity::verified(state.database.reader(), email, password).await?;
    let person = user::Person { id: user.id, name: user.name, email: user.email, permissions: Vec::new() };
    session::start(&session, &person).await?;
    go(&next);
    Ok(())
}

/// Ends the session and leads to the sign-in page.
///
/// # Errors
/// `Internal` when the session cannot be removed.
pub async fn sign_out() -> Result<()> {
    session::end(&part::<Session>()?).await?;
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
fn local(path: &str) -> String {
    let sound =
        path.starts_with('/') && !path.starts_with("//") && !path.contains('\\') && !path.contains(char::is_control);
    if !sound {
        return "/".to_owned();
    }
    path.chars().map(|c| if c.is_ascii_graphic() { c.to_string() } else { encoded(&c.to_string()) }).collect()
}

#[cfg(test)]
mod tests {
    use super::local;

    #[test]
    fn nobody_is_led_to_another_site() {
        for path in ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "", "/a\r\nb"]
        {
            assert_eq!(local(path), "/", "{path}");
        }
        assert_eq!(local("/customers/3?x=1"), "/customers/3?x=1");
        assert_eq!(local("/customers?search=café"), "/customers?search=caf%C3%A9");
    }
}
