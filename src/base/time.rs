//! Moments, in UTC with microseconds: what both databases can keep, and what the API writes.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Moments as the database keeps them.
#[cfg(feature = "ssr")]
pub mod stored;

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The short name of a month, by its number; blank for any other number.
pub fn month(number: u32) -> &'static str {
    let index = number.checked_sub(1).and_then(|index| usize::try_from(index).ok());
    index.and_then(|index| MONTHS.get(index)).copied().unwrap_or_default()
}

/// A moment as it is written: RFC 3339 in UTC, with microseconds and `Z`.
///
/// The browser only shows moments, so it carries no calendar.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Moment(String);

impl Moment {
    /// As RFC 3339.
    pub fn rfc3339(&self) -> &str {
        &self.0
    }

    fn part(&self, from: usize, to: usize) -> &str {
        self.0.get(from..to).unwrap_or_default()
    }
}

impl fmt::Display for Moment {
    /// As people read it: `24 Nov 2026, 14:02`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let month = month(self.part(5, 7).parse().unwrap_or_default());
        let day = self.part(8, 10).trim_start_matches('0');
        write!(f, "{day} {month} {}, {}", self.part(0, 4), self.part(11, 16))
    }
}
