//! Moments, in UTC with microseconds: what both databases can keep, and what the API writes.

use chrono::{DateTime, Utc};

/// A moment in UTC.
pub type Timestamp = DateTime<Utc>;

/// How a moment is shown to people: `24 Nov 2026, 14:02`.
pub fn shown(at: &Timestamp) -> String {
    at.format("%-d %b %Y, %H:%M").to_string()
}

/// The moment as RFC 3339 with microseconds and `Z`.
pub fn rfc3339(at: &Timestamp) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}
