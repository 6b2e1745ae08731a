//! Moments, in UTC with microseconds: what both databases can keep, and what the API writes.

use serde::{Deserialize, Serialize};

/// Moments as the database keeps them.
#[cfg(feature = "ssr")]
pub mod stored;
pub mod zone;
/// All time zones there are.
#[cfg(feature = "ssr")]
pub mod zones;

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The short name of a month, by its number; blank for any other number.
pub fn month(number: u32) -> &'static str {
    let index = number.checked_sub(1).and_then(|index| usize::try_from(index).ok());
    index.and_then(|index| MONTHS.get(index)).copied().unwrap_or_default()
}

/// A moment as it is written: RFC 3339 in UTC, with microseconds and `Z`.
///
/// People read it in their [`zone::Zone`]; the browser only shows moments, so it carries no calendar.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Moment(String);

impl Moment {
    /// As RFC 3339.
    pub fn rfc3339(&self) -> &str {
        &self.0
    }

    /// The moment that a text is.
    pub fn written(text: &str) -> Option<Self> {
        Self::is_written(text).then(|| Self(text.to_owned()))
    }

    /// Whether a text is a moment of RFC 3339, as scripts write it: `2026-11-24T14:02:01Z`, with or without fractions of a
    /// second, in UTC or at an offset.
    pub fn is_written(text: &str) -> bool {
        let in_range = |from: usize, below: u32| {
            text.get(from..from + 2).and_then(|digits| digits.parse::<u32>().ok()).is_some_and(|number| number < below)
        };
        let shape = text.bytes().enumerate().take(19).all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            10 => byte == b'T',
            13 | 16 => byte == b':',
            _ => byte.is_ascii_digit(),
        });
        if !text.is_ascii() || text.len() < 20 || !shape || text[..10].parse::<super::date::Date>().is_err() {
            return false;
        }
        let rest = &text[19..];
        let (fraction, zone) = rest.split_at(rest.find(['Z', '+', '-']).unwrap_or(rest.len()));
        let fraction = fraction.is_empty()
            || fraction.strip_prefix('.').is_some_and(|digits| {
                (1..=9).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit())
            });
        let offset = |at: usize| {
            text.len() == at + 6 && text.as_bytes()[at + 3] == b':' && in_range(at + 1, 24) && in_range(at + 4, 60)
        };
        in_range(11, 24)
            && in_range(14, 60)
            && in_range(17, 60)
            && fraction
            && (zone == "Z" || offset(text.len() - zone.len()))
    }

    fn part(&self, from: usize, to: usize) -> &str {
        self.0.get(from..to).unwrap_or_default()
    }
}
