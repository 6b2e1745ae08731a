//! Moments as the database keeps them.

use chrono::{DateTime, Datelike, NaiveDate, SecondsFormat, SubsecRound, Utc};

use super::Moment;
use crate::base::date::Date;

/// A column with a moment in UTC.
pub type Timestamp = DateTime<Utc>;

/// Now, in microseconds: what both databases keep.
pub fn now() -> Timestamp {
    Utc::now().trunc_subsecs(6)
}

impl From<Timestamp> for Moment {
    fn from(at: Timestamp) -> Self {
        Self(at.to_rfc3339_opts(SecondsFormat::Micros, true))
    }
}

impl From<&Moment> for Timestamp {
    /// The moment; the first of all where a text is none, which none of ours is.
    fn from(moment: &Moment) -> Self {
        moment.rfc3339().parse().unwrap_or_default()
    }
}

/// A moment as scripts write it, with microseconds.
pub fn moment(text: &str) -> Option<Timestamp> {
    Moment::is_written(text).then(|| DateTime::parse_from_rfc3339(text).ok()).flatten().map(|at| at.with_timezone(&Utc))
}

/// A column with a day.
pub type Day = NaiveDate;

/// Today, in UTC.
pub fn today() -> Day {
    Utc::now().date_naive()
}

impl From<Day> for Date {
    /// The day; the first of the calendar's for one out of its range, which no column holds.
    fn from(day: Day) -> Self {
        let text = format!("{:04}-{:02}-{:02}", day.year(), day.month(), day.day());
        text.parse().unwrap_or_else(|_| Self("1900-01-01".into()))
    }
}

impl From<&Date> for Day {
    fn from(date: &Date) -> Self {
        let (year, month, day) = date.parts();
        NaiveDate::from_ymd_opt(year, month, day).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::zone::Zone;
    use super::*;

    #[test]
    fn a_moment_is_written_for_scripts_and_shown_to_people() {
        let at = Moment::from(DateTime::from_timestamp(1_795_528_921, 5_000).unwrap());
        assert_eq!(at.rfc3339(), "2026-11-24T14:02:01.000005Z");
        assert_eq!(Zone::default().said(&at), "24 Nov 2026, 14:02 UTC");
        assert_eq!(Zone::default().said(&Moment(String::new())), "");
    }
}
