//! The pages every kind of record has: its values with its history, and the question before it is deleted.

use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use crate::base::{Error, Result};

/// The id in the address; anything that is none leads to nothing.
pub fn use_id() -> impl Fn() -> Option<i64> + Copy + Send + Sync + 'static {
    let params = use_params_map();
    move || params.with(|params| params.get("id").and_then(|id| id.parse().ok()))
}

/// The id, or that there is no such record.
///
/// # Errors
/// `NotFound`.
pub fn known<Id: From<i64>>(id: Option<i64>, what: &str) -> Result<Id> {
    id.map(Id::from).ok_or_else(|| Error::not_found(what))
}
