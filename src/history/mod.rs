//! What happened: every command leaves one event in its own transaction, with the values before and after.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::base::time::Moment;

/// The proof that no event was altered.
#[cfg(feature = "ssr")]
pub mod chain;
/// The event log.
#[cfg(feature = "ssr")]
pub mod entity;
/// Records as they were.
#[cfg(feature = "ssr")]
pub mod past;

/// The permission to see what everybody did, and to prove that nothing of it was altered.
#[cfg(feature = "ssr")]
pub use entity::View;

/// What the pages ask the server.
pub mod rpc;

/// One command as it happened to one record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Ascending in the order of commits to one record.
    pub id: i64,
    pub at: Moment,
    pub actor: String,
    /// `user`, `token` or `system`.
    pub actor_kind: String,
    /// `web`, `api`, `cli` or `import`.
    pub door: String,
    pub request_id: String,
    pub command: String,
    pub reason: Option<String>,
    pub version_before: Option<i64>,
    pub version_after: Option<i64>,
    /// Field name to `[before, after]`.
    pub changes: Map<String, Value>,
}

/// A record as it was just after one of its events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Was {
    pub event: Event,
    /// As the API writes the record.
    pub values: Map<String, Value>,
}

/// What the page about a record's history shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Look {
    /// What people call the record.
    pub title: String,
    /// The version it is at; absent when it was deleted.
    pub version: Option<i64>,
    /// Some of its events, the latest first.
    pub events: Vec<Event>,
    /// As it was.
    pub at: Option<Was>,
    /// What that is compared with.
    pub with: Option<Was>,
    /// Field name to `[at, with]`.
    pub changes: Map<String, Value>,
}

/// How many events are shown at once.
pub const SHOWN: usize = 50;

/// A record together with what happened to it, the latest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Detail<R> {
    pub record: R,
    pub events: Vec<Event>,
    /// Its neighbours in the list it was opened from.
    #[serde(default)]
    pub beside: Beside,
}

/// The pages of the records before and after one in a list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beside {
    pub previous: Option<String>,
    pub next: Option<String>,
}
