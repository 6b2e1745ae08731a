//! A stored record as everybody reads it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::error::Blocker;
use super::time::Moment;

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
    pub created_at: Moment,
    pub updated_at: Moment,
}

/// The names a [`Record`] has beside the fields of its input; nobody writes them.
pub const READ_ONLY: [&str; 4] = ["id", "version", "created_at", "updated_at"];

/// A record of any kind, its values by name: what pages that serve every kind work with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    pub id: i64,
    pub version: i64,
    pub values: Map<String, Value>,
}

impl Row {
    /// A value as text; blank when there is none.
    pub fn text(&self, name: &str) -> String {
        self.values.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    /// Whether a flag is on.
    pub fn is(&self, name: &str) -> bool {
        self.values.get(name).and_then(Value::as_bool).unwrap_or_default()
    }
}

/// What a delete would take along, and what stands in its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenAlong {
    /// What goes with the record.
    pub goes: Vec<Blocker>,
    /// What needs the record, so that it stays.
    pub blockers: Vec<Blocker>,
}
