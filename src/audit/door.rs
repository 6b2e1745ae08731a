//! The log as a file: CSV for spreadsheets, NDJSON for programs. Everything that was asked for, written while it is read.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::RawQuery;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};

use super::Asked;
use super::log::{Cursor, select, written};
use crate::access::gate::Access;
use crate::base::listing::Format;
use crate::base::{Error, Result};
use crate::history::View;
use crate::history::entity::Model;
use crate::server::AppState;
use crate::server::export::{cell, line};
use crate::server::web::signed_in_only;

/// Where the file is.
const EXPORT: &str = "/-/audit/export";
/// How many events are read at once.
const CHUNK: u64 = 1_000;

/// The routes beside the server functions, for signed-in people.
pub fn routes() -> Router<AppState> {
    Router::new().route(EXPORT, get(export)).layer(from_fn(signed_in_only))
}

const COLUMNS: [&str; 15] = [
    "place",
    "at",
    "actor_kind",
    "actor",
    "door",
    "request_id",
    "resource",
    "record",
    "command",
    "reason",
    "version_before",
    "version_after",
    "changes",
    "hash",
    "id",
];

fn values(event: &Model) -> [Value; 15] {
    [
        json!(event.place),
        json!(written(event.at)),
        json!(event.actor_kind),
        json!(event.actor_name),
        json!(event.door),
        json!(event.request_id),
        json!(event.resource),
        json!(event.record_id),
        json!(event.command),
        json!(event.reason),
        json!(event.version_before),
        json!(event.version_after),
        event.changes.0.clone(),
        json!(event.hash),
        json!(event.id),
    ]
}

async fn export(access: Access<View>, RawQuery(query): RawQuery) -> Result<Response> {
    let query = query.unwrap_or_default();
    let said = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "format").map(|(_, value)| value);
    let format = match said.as_deref() {
        None | Some("csv") => Format::Csv,
        Some("ndjson") => Format::Ndjson,
        Some(_) => return Err(Error::field("format", "Choose csv or ndjson.")),
    };
    let asked = Arc::new(Asked::parse(&query)?.from_start().condition(access.caller().time_zone.as_deref())?);
    let head = match format {
        Format::Csv => Bytes::from(line(COLUMNS.iter().map(|name| (*name).to_owned()))),
        _ => Bytes::new(),
    };
    let reader = access.reader().clone();
    let chunks = stream::try_unfold(Some(None::<Cursor>), move |state| {
        let (reader, asked) = (reader.clone(), Arc::clone(&asked));
        async move {
            let Some(cursor) = state else { return Ok(None) };
            let events = select(&asked, cursor.as_ref(), CHUNK).all(&reader).await.map_err(Error::from)?;
            let next = events.last().filter(|_| events.len() as u64 == CHUNK).map(|last| Some(Cursor::after(last, "")));
            Ok::<_, Error>(Some((told(&events, format)?, next)))
        }
    });
    let body = stream::once(async { Ok(head) }).chain(chunks).map_err(|error| {
        tracing::error!(%error, "an export broke off");
        std::io::Error::other("the export broke off")
    });
    let kind = match format {
        Format::Csv => "text/csv; charset=utf-8; header=present",
        format => format.media(),
    };
    let name = format!("attachment; filename=\"log.{}\"", format.name());
    let headers = [(CONTENT_TYPE, kind), (CONTENT_DISPOSITION, name.as_str()), (CACHE_CONTROL, "private, no-store")];
    Ok((headers, Body::from_stream(body)).into_response())
}

fn told(events: &[Model], format: Format) -> Result<Bytes> {
    let mut text = Vec::new();
    for event in events {
        let values = values(event);
        match format {
            Format::Csv => text.extend(line(values.iter().map(|value| cell(Some(value))))),
            _ => {
                let row: serde_json::Map<_, _> =
                    COLUMNS.iter().map(|name| (*name).to_owned()).zip(values.iter().cloned()).collect();
                serde_json::to_writer(&mut text, &row).map_err(|error| Error::internal(error.to_string()))?;
                text.push(b'\n');
            }
        }
    }
    Ok(Bytes::from(text))
}
