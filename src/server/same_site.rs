//! What is sent with a person's session must come from a page of ours.
//!
//! Browsers say where a form or a script stands, in `Sec-Fetch-Site` or in `Origin`, and no page can make them say
//! otherwise. [`CsrfLayer`] refuses what names another site; here is refused what names none, and an origin that has our
//! host and another scheme, where `public_url` tells the scheme.
//!
//! A strange site whose name was pointed at this server (DNS rebinding) is of one origin with what it asks, so nothing here
//! refuses it. It has nobody's cookie, as those go by name; and `allowed_hosts` refuses its name.

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, COOKIE, ORIGIN};
use axum::http::{HeaderMap, HeaderName, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tower_http::csrf::CsrfLayer;

use super::AppState;
use super::settings::Settings;
use super::web::is_api;
use crate::base::error::Code;
use crate::base::{Error, Result};

/// Where a browser says whether the page it acts for is of the site it asks.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The layer that refuses what other sites send.
///
/// # Errors
/// `Internal` when `public_url` is no origin.
pub fn layer(settings: &Settings) -> Result<CsrfLayer> {
    let layer = CsrfLayer::new();
    match &settings.public_url {
        Some(url) => layer.add_trusted_origin(url).map_err(|e| Error::internal(format!("public_url: {e}"))),
        None => Ok(layer),
    }
}

/// What is said to whoever came from elsewhere.
pub fn elsewhere() -> Error {
    Error::new(Code::Forbidden, "This request came from another site, so it was not carried out.")
}

/// Lets a change through that a page of ours asks for, or a script with a token of its own.
pub async fn said_only(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let headers = request.headers();
    // Over the API, who brings neither token nor cookie is told to say who they are.
    let is_of_a_script =
        headers.contains_key(AUTHORIZATION) || is_api(request.uri().path()) && !headers.contains_key(COOKIE);
    if reads || is_of_a_script {
        return next.run(request).await;
    }
    match said(headers, state.settings.public_url.as_deref()) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

fn said(headers: &HeaderMap, public_url: Option<&str>) -> Result<()> {
    let text = |name: &HeaderName| headers.get(name).map_or("", |value| value.to_str().unwrap_or("?"));
    let (site, origin) = (text(&SEC_FETCH_SITE), text(&ORIGIN));
    if site.is_empty() && origin.is_empty() {
        let detail =
            "This request does not say which page it comes from, so it was not carried out. Scripts use a token.";
        return Err(Error::new(Code::Forbidden, detail));
    }
    // Also where the origin is the one of `public_url`, which the layer trusts whatever stands beside it.
    if !matches!(site, "" | "same-origin" | "none") {
        return Err(elsewhere());
    }
    let host = |url: &str| url.split_once("://").map(|(_, host)| host.to_owned());
    let other_scheme = public_url.is_some_and(|url| host(url) == host(origin) && url != origin);
    if other_scheme { Err(elsewhere()) } else { Ok(()) }
}
