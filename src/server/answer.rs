//! The outermost layer: gives the request its id, logs it once, and words every refusal for whoever asked. A script gets
//! problem+json (RFC 9457), a page of the browser bundle gets the error it can show, a person gets a page.

use std::time::Instant;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{ACCEPT, ALLOW, CONTENT_TYPE, RETRY_AFTER, SET_COOKIE, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use serde::Serialize;
use tower_http::csrf::ProtectionError;
use tracing::Instrument;

use super::AppState;
use super::client_address::{ClientAddress, peer};
use super::idempotency::REPLAYED;
use super::limits::{RATE_LIMIT, RATE_LIMIT_POLICY};
use super::offload::in_pieces;
use super::outcome;
use super::web;
use crate::base::Error;
use crate::base::error::{Blocker, Code, FieldErrors};

/// The header that carries the request id both ways.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The header by which leptos marks the answer of a server function that failed.
pub const SERVER_FN_ERROR: HeaderName = HeaderName::from_static("serverfnerror");

/// The largest error of a server function that is looked into, in bytes.
const ERROR_LIMIT: usize = 1 << 20;

/// The id of a request; stands in its answer, in the log and in its events.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

impl RequestId {
    /// A new one. It begins with the id a caller sent, if that is fit for a log, so that both find each other; but what
    /// somebody sends twice is still two requests, each undone for itself.
    fn of(headers: &HeaderMap) -> Self {
        let sent = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok()).filter(|id| {
            let fit = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            (1..=64).contains(&id.len()) && id.chars().all(fit)
        });
        let new = uuid::Uuid::now_v7();
        Self(sent.map_or_else(|| new.to_string(), |sent| format!("{sent}.{}", new.simple())))
    }
}

/// Marks a refusal that is told in a few plain words, as drawing a page would cost more than what was refused.
#[derive(Debug, Clone, Copy)]
struct Brief(StatusCode);

/// A refusal in a few plain words, with a status that need not be the error's own.
pub fn brief(status: StatusCode, error: Error) -> Response {
    let mut response = error.into_response();
    *response.status_mut() = status;
    response.extensions_mut().insert(Brief(status));
    response
}

fn brief_page(status: StatusCode, error: &Error) -> Response {
    let (title, detail) = (error.code.title(), html_escape::encode_text(&error.detail));
    let page = format!(
        "<!DOCTYPE html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title}</title><h1>{title}</h1><p>{detail}</p></html>\n"
    );
    (status, Html(page)).into_response()
}

/// Whether the answer is for a person looking at a page.
pub fn wants_page(headers: &HeaderMap) -> bool {
    headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).is_some_and(|accept| accept.contains("text/html"))
}

/// Carries one request through: id, log line, error wording.
pub async fn answer(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = RequestId::of(request.headers());
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let page = wants_page(request.headers());
    let client = state.settings.trusted_proxies.client(peer(request.extensions()), request.headers());
    request.extensions_mut().insert(id.clone());
    request.extensions_mut().insert(ClientAddress(client));
    let path_start: String = path.chars().take(200).collect();
    let span = tracing::info_span!("request", id = %id.0, %method, path = %path_start, %client);
    async move {
        let asked_for = &method;
        let mut response = outcome::followed(async {
            let (response, error) = refusal(next.run(request).await).await;
            // What only reads has nothing to save.
            let error = error.map(|error| if asked_for.is_safe() { error } else { outcome::worded(error) });
            worded(&state, response, error, &path, page, &id).await
        })
        .await;
        if let Ok(value) = HeaderValue::from_str(&id.0) {
            response.headers_mut().insert(REQUEST_ID, value);
        }
        let (status, elapsed) = (response.status().as_u16(), started.elapsed().as_secs_f64() * 1000.0);
        tracing::info!(status, ms = format!("{elapsed:.1}"), "answered");
        response.map(in_pieces)
    }
    .instrument(span)
    .await
}

async fn worded(
    state: &AppState,
    response: Response,
    error: Option<Error>,
    path: &str,
    page: bool,
    id: &RequestId,
) -> Response {
    let Some(error) = error else { return response };
    if let Some(internal) = &error.internal {
        if error.status() >= 500 {
            tracing::error!(error = internal, "a request failed");
        } else {
            tracing::debug!(error = internal, code = error.code.name(), "a request was refused");
        }
    }
    let headers = response.headers().clone();
    let brief = response.extensions().get::<Brief>().map(|brief| brief.0);
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let status = brief.unwrap_or(status);
    let api = path == "/api" || path.starts_with("/api/");
    let mut worded = if path.starts_with("/-/") && !page {
        let body = serde_json::to_vec(&error).unwrap_or_default();
        (status, [(CONTENT_TYPE, "application/json"), (SERVER_FN_ERROR, path)], body).into_response()
    } else if page && !api && brief.is_some() {
        brief_page(status, &error)
    } else if page && !api {
        let mut shown = web::problem_page(state, error.clone(), id).await;
        *shown.status_mut() = status;
        shown
    } else {
        let body = serde_json::to_vec(&Problem::of(status, &error, id)).unwrap_or_default();
        (status, [(CONTENT_TYPE, "application/problem+json")], body).into_response()
    };
    if let Some(seconds) = error.retry_after {
        worded.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    if error.code == Code::Unauthenticated && api {
        worded.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"Kontor\""));
    }
    for name in [ALLOW, SET_COOKIE, REPLAYED, RATE_LIMIT, RATE_LIMIT_POLICY] {
        for value in headers.get_all(&name) {
            worded.headers_mut().append(name.clone(), value.clone());
        }
    }
    worded
}

/// The refusal in a response, if it is one that still needs words.
async fn refusal(mut response: Response) -> (Response, Option<Error>) {
    if let Some(error) = response.extensions_mut().remove::<Error>() {
        return (response, Some(error));
    }
    if response.headers().contains_key(SERVER_FN_ERROR) {
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, ERROR_LIMIT).await.unwrap_or_default();
        let error = serde_json::from_slice(&body).unwrap_or_else(|_| Error::internal("an unreadable error"));
        return (Response::from_parts(parts, Body::empty()), Some(error));
    }
    let status = response.status().as_u16();
    let has_words = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/html") || kind.as_bytes().starts_with(b"application/"));
    if status < 400 || has_words {
        return (response, None);
    }
    if response.extensions().get::<ProtectionError>().is_some() {
        return (response, Some(super::same_site::elsewhere()));
    }
    let code = Code::of_status(status);
    let detail = match code {
        Code::MethodNotAllowed => "This address does not answer that method; see the Allow header.",
        Code::NotFound => "There is nothing at this address.",
        Code::TooLarge => "The request is too large.",
        Code::Unavailable => "The answer took too long.",
        _ => code.title(),
    };
    (response, Some(Error::new(code, detail)))
}

/// A problem of RFC 9457.
#[derive(Serialize)]
struct Problem<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    /// The request id.
    instance: &'a str,
    code: String,
    #[serde(skip_serializing_if = "FieldErrors::is_empty")]
    errors: &'a FieldErrors,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    blockers: &'a [Blocker],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    allowed: &'a [String],
    /// The version stored now, when the request was decided on another.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<i64>,
}

impl<'a> Problem<'a> {
    fn of(status: StatusCode, error: &'a Error, id: &'a RequestId) -> Self {
        let code = error.code.name();
        Self {
            r#type: format!("/api/docs/#{code}"),
            title: error.code.title(),
            status: status.as_u16(),
            detail: &error.detail,
            instance: &id.0,
            code,
            errors: &error.errors,
            blockers: &error.blockers,
            allowed: &error.allowed,
            version: error.stale.as_ref().map(|stale| stale.version),
        }
    }
}
