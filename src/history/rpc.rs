//! What the pages ask the server: one expression each.

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;

use super::Look;
use crate::base::wire::JsonText;
use crate::base::{Error, Result};
#[cfg(feature = "ssr")]
use crate::server::pasts;

/// The history of a record, and what it was after the events that `query` names: `at`, or the last one by `as_of`, a moment in
/// the person's zone; `with` for a comparison, `before` for older events.
#[server(prefix = "/-", endpoint = "history/read", input = GetUrl, output = JsonText)]
pub async fn read_history(resource: String, id: i64, query: String) -> Result<Look, Error> {
    pasts::look(&resource, id, &query).await
}

/// Makes a record what it was after an event, and leads to it. `version` is the one it was decided on, unless it is gone.
#[server(prefix = "/-", endpoint = "history/restore", output = JsonText)]
pub async fn restore_record(
    resource: String,
    id: i64,
    event: i64,
    version: Option<i64>,
    reason: Option<String>,
) -> Result<(), Error> {
    pasts::restore(&resource, id, event, version, reason).await
}

/// Undoes everything that was done in one request, and leads to the record it was about, or to the list.
#[server(prefix = "/-", endpoint = "changes/undo", output = JsonText)]
pub async fn undo_change(request: String) -> Result<(), Error> {
    pasts::undo(&request).await
}
