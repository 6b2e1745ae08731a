//! The page's door for files: a multipart form, which no server function takes, and the report as CSV.

use axum::body::Body;
use axum::extract::multipart::{Field, Multipart, MultipartError, MultipartRejection};
use axum::extract::{DefaultBodyLimit, Query, Request, State};
use axum::http::header::{ACCEPT, CONTENT_DISPOSITION, CONTENT_TYPE, COOKIE};
use axum::http::{Extensions, HeaderMap, HeaderValue, StatusCode};
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{RequestExt, Router};
use serde::Deserialize;

use super::mapping::{MAX_MAPPING, Mapping};
use super::run::Import;
use super::upload::{Incoming, chosen, problems, review, size, waiting};
use super::{Desk, Kind};
use crate::access::gate::Access;
use crate::base::error::Code;
use crate::base::form::Typed;
use crate::base::{Error, Result};
use crate::server::AppState;
use crate::server::settings::Settings;
use crate::server::web::signed_in_only;
use crate::ui::context::FailedForm;

/// Where the form with the files goes.
pub const UPLOAD: &str = "/-/import/upload";

/// The routes beside the server functions, for signed-in people.
pub fn routes(state: &AppState) -> Router<AppState> {
    Router::new()
        .route(UPLOAD, post(upload).layer(DefaultBodyLimit::max(state.settings.import_limit)))
        .route("/-/import/report", get(report))
        .layer(from_fn(signed_in_only))
}

/// Stores the files while they arrive and leads to their mapping. What was refused is said on the page the form stands on.
async fn upload(State(state): State<AppState>, access: Access<Import>, request: Request) -> Response {
    let (headers, extensions) = (request.headers().clone(), request.extensions().clone());
    match received(&state, &access, request).await {
        Ok(id) => Redirect::to(&format!("/import?upload={id}")).into_response(),
        Err(error) => again(&state, &headers, extensions, error).await,
    }
}

async fn received(state: &AppState, access: &Access<Import>, request: Request) -> Result<String> {
    let form: Result<Multipart, MultipartRejection> = request.extract().await;
    let mut form = form.map_err(|_| Error::new(Code::UnsupportedMediaType, "Send multipart/form-data."))?;
    let mut incoming = None;
    let kept = match arrived(state, access, &mut form, &mut incoming).await {
        Ok(mapping) => match &mut incoming {
            Some(incoming) => incoming.keep(mapping).await,
            None => Err(Error::invalid("Choose at least one file.")),
        },
        Err(error) => Err(error),
    };
    if kept.is_err() {
        if let Some(incoming) = incoming {
            incoming.discard().await?;
        }
        // A browser shows no answer before everything was sent.
        while let Ok(Some(mut rest)) = form.next_field().await {
            while let Ok(Some(_)) = rest.chunk().await {}
        }
    }
    kept
}

/// Stores the files of a form as they arrive, and answers with its mapping.
async fn arrived(
    state: &AppState,
    access: &Access<Import>,
    form: &mut Multipart,
    incoming: &mut Option<Incoming>,
) -> Result<Mapping> {
    let Settings { import_limit, import_quota, .. } = &*state.settings;
    let broken = |error: MultipartError| match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            Error::new(Code::TooLarge, format!("The files may have up to {} together.", size(*import_limit)))
        }
        _ => Error::invalid("The upload broke off. Send the files again."),
    };
    let mut mapping = Mapping::default();
    while let Some(mut field) = form.next_field().await.map_err(broken)? {
        let (part, name) = (field.name().unwrap_or_default().to_owned(), called(&field));
        let mut chunk = field.chunk().await.map_err(broken)?;
        if name.is_empty() && chunk.as_ref().is_none_or(|chunk| chunk.is_empty()) {
            continue;
        }
        if let Some(kind) = Kind::named(&part) {
            let incoming = match incoming {
                Some(incoming) => incoming,
                None => incoming.insert(Incoming::begin(access, *import_quota).await?),
            };
            incoming.file(kind, name).await?;
            while let Some(bytes) = chunk {
                incoming.write(&bytes).await?;
                chunk = field.chunk().await.map_err(broken)?;
            }
        } else if part == "mapping" {
            let mut text = Vec::new();
            while let Some(bytes) = chunk.filter(|_| text.len() <= MAX_MAPPING) {
                text.extend_from_slice(&bytes);
                chunk = field.chunk().await.map_err(broken)?;
            }
            let text = String::from_utf8(text).map_err(|_| Error::invalid("The mapping is not UTF-8."))?;
            mapping = Mapping::parse(&text)?;
        }
    }
    Ok(mapping)
}

/// The file's name without its folder, as far as a report can say it.
fn called(field: &Field<'_>) -> String {
    let name = field.file_name().unwrap_or_default();
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    name.chars().filter(|c| !c.is_control()).take(100).collect()
}

/// The page again, with what was wrong.
async fn again(state: &AppState, headers: &HeaderMap, extensions: Extensions, error: Error) -> Response {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut page = Request::new(Body::empty());
    *page.uri_mut() = axum::http::Uri::from_static("/import");
    *page.extensions_mut() = extensions;
    for name in [ACCEPT, COOKIE] {
        if let Some(value) = headers.get(&name) {
            page.headers_mut().insert(name, value.clone());
        }
    }
    page.extensions_mut().insert(FailedForm { action: UPLOAD.into(), error, typed: Typed::new() });
    let mut shown = (state.render)(state.clone(), page).await;
    *shown.status_mut() = status;
    shown
}

#[derive(Deserialize)]
struct Which {
    upload: String,
}

async fn report(access: Access<Import>, Query(which): Query<Which>) -> Result<Response> {
    let csv = problems(&access, &which.upload).await?;
    let mut response = csv.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
    headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"problems.csv\""));
    Ok(response)
}

/// What the page shows: an upload, or the form for one, and why a form is shown again.
///
/// # Errors
/// `NotFound` for an upload of somebody else, or of another day.
pub async fn desk(access: &Access<Import>, state: &AppState, id: &str, failed: Option<FailedForm>) -> Result<Desk> {
    let failed = failed.filter(|failed| failed.action.starts_with("/-/import/"));
    let mut desk = Desk { limit: size(state.settings.import_limit), ..Desk::default() };
    if id.is_empty() {
        desk.waiting = waiting(access).await?;
    } else {
        desk.review = Some(review(access, id).await?);
    }
    if let Some(failed) = failed {
        desk.refused = Some(failed.error.to_string());
        if failed.action.ends_with("/check") {
            desk.review = desk.review.map(|review| chosen(review, &failed.typed));
        }
    }
    Ok(desk)
}
