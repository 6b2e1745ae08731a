//! A stored record as everybody reads it.

use serde::{Deserialize, Serialize};

use super::time::Timestamp;

/// The editable values of a resource together with what the house keeps about them.
///
/// One flat JSON object: `id`, `version`, the fields of `I`, `created_at`, `updated_at`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record<Id, I> {
    pub id: Id,
    /// Starts at 1 and grows by one with every change; the `ETag` and the hidden field of a form.
    pub version: i64,
    #[serde(flatten)]
    pub data: I,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// The names a [`Record`] has beside the fields of its input; nobody writes them.
pub const READ_ONLY: [&str; 4] = ["id", "version", "created_at", "updated_at"];
