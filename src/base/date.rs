//! Days of the calendar: `2026-11-24`, as ISO 8601 writes them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::time::month;

/// A day from 1900 to 2999, without a time and without a zone. Ordered as the calendar is.
///
/// It is kept as its text, so the browser carries no calendar.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Date(pub(super) String);

impl Date {
    /// Year, month and day.
    pub fn parts(&self) -> (i32, u32, u32) {
        (self.part(0, 4) as i32, self.part(5, 7), self.part(8, 10))
    }

    /// As ISO 8601 writes it.
    pub fn iso(&self) -> &str {
        &self.0
    }

    fn part(&self, from: usize, to: usize) -> u32 {
        self.0.get(from..to).and_then(|digits| digits.parse().ok()).unwrap_or_default()
    }
}

/// Why a text is no day; the sentence for the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DateError;

impl fmt::Display for DateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Enter a day such as 2026-11-24.")
    }
}

impl std::error::Error for DateError {}

impl FromStr for Date {
    type Err = DateError;

    fn from_str(text: &str) -> Result<Self, DateError> {
        let shaped = text.len() == 10
            && text.bytes().enumerate().all(|(at, byte)| match at {
                4 | 7 => byte == b'-',
                _ => byte.is_ascii_digit(),
            });
        let date = Self(text.to_owned());
        let (year, month, day) = date.parts();
        let known = shaped && (1900..3000).contains(&year) && (1..=12).contains(&month);
        if known && (1..=days(year, month)).contains(&day) { Ok(date) } else { Err(DateError) }
    }
}

/// The days of a month.
const fn days(year: i32, month: u32) -> u32 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

impl fmt::Display for Date {
    /// As people read it: `24 Nov 2026`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, number, day) = self.parts();
        write!(f, "{day} {} {year}", month(number))
    }
}

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str> as Deserialize>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_that_exist_are_read_and_others_refused() {
        for text in ["2026-11-24", "2024-02-29", "2000-02-29", "1996-07-04", "2999-12-31"] {
            assert_eq!(text.parse::<Date>().unwrap().iso(), text);
        }
        for text in [
            "",
            "2026-02-29",
            "1900-02-29",
            "2026-13-01",
            "2026-00-10",
            "2026-04-31",
            "2026-1-1",
            "24.11.2026",
            "0000-00-00",
            "2026-11-2４",
            "20260-1-01",
        ] {
            assert_eq!(text.parse::<Date>(), Err(DateError), "{text}");
        }
    }

    #[test]
    fn people_read_the_month_as_a_word() {
        assert_eq!("2026-03-04".parse::<Date>().unwrap().to_string(), "4 Mar 2026");
    }
}
