//! Records as they were, told by their events alone.

use sea_orm::prelude::Json;
use serde_json::{Map, Value};

use super::entity::Model;
use crate::base::time::stored::Timestamp;

/// What a record was after some of its events.
#[derive(Debug, Clone, PartialEq)]
pub struct Past {
    pub id: i64,
    /// Whether it was there; what was deleted keeps what it was until then.
    pub is_there: bool,
    /// The last version it had.
    pub version: i64,
    /// What its events said of it, by name. What is not named was blank.
    pub values: Map<String, Value>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// Which side of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Before,
    After,
}

impl Past {
    /// What events say of a record, from its first one on; nothing when there are none, or the first does not create it.
    pub fn of<'a>(events: impl IntoIterator<Item = &'a Model>) -> Option<Self> {
        let mut past: Option<Self> = None;
        for event in events {
            match (&mut past, event.version_before, event.version_after) {
                (None, None, Some(version)) => {
                    let mut values = Map::new();
                    apply(&mut values, &event.changes.0, Side::After);
                    let (created_at, updated_at) = (event.at, event.at);
                    past = Some(Self { id: event.record_id, is_there: true, version, values, created_at, updated_at });
                }
                (Some(past), None, Some(version)) => {
                    past.values.clear();
                    apply(&mut past.values, &event.changes.0, Side::After);
                    (past.is_there, past.version, past.updated_at) = (true, version, event.at);
                }
                (Some(past), Some(_), Some(version)) => {
                    apply(&mut past.values, &event.changes.0, Side::After);
                    (past.version, past.updated_at) = (version, event.at);
                }
                (Some(past), Some(_), None) => past.is_there = false,
                _ => {}
            }
        }
        past
    }

    /// What a record was that an event deleted. `created_at` is not told by it.
    pub fn deleted_by(event: &Model, created_at: Timestamp) -> Self {
        let mut values = Map::new();
        apply(&mut values, &event.changes.0, Side::Before);
        Self {
            id: event.record_id,
            is_there: false,
            version: event.version_before.unwrap_or_default(),
            values,
            created_at,
            updated_at: event.at,
        }
    }
}

/// Puts one side of changes into values. Of what belongs together, such as the line of an order, a change may say only what
/// changed.
pub fn apply(values: &mut Map<String, Value>, changes: &Json, side: Side) {
    for (name, change) in changes.as_object().into_iter().flatten() {
        let Some([before, after]) = change.as_array().map(Vec::as_slice) else { continue };
        let (from, to) = if side == Side::After { (before, after) } else { (after, before) };
        match (from, to, values.get_mut(name)) {
            (Value::Object(_), Value::Object(parts), Some(Value::Object(known))) => known.extend(parts.clone()),
            (_, Value::Null, _) => drop(values.remove(name)),
            (_, to, _) => drop(values.insert(name.clone(), to.clone())),
        }
    }
}
