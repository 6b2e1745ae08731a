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
        if !(1900..3000).contains(&day.year()) {
            return Self("1900-01-01".into());
        }
        let mut text = String::with_capacity(10);
        for (number, mut place) in [(day.year().unsigned_abs(), 1_000), (day.month(), 10), (day.day(), 10)] {
            if !text.is_empty() {
                text.push('-');
            }
            while place > 0 {
                text.extend(char::from_digit(number / place % 10, 10));
                place /= 10;
            }
        }
        Self(text)
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
    fn a_day_is_written_as_it_is_read() {
        for text in ["1900-01-01", "2024-02-29", "2026-11-05", "2999-12-31"] {
            let day: Day = text.parse().unwrap();
            assert_eq!(Date::from(day), text.parse().unwrap());
        }
        assert_eq!(Date::from(Day::from_ymd_opt(3000, 1, 1).unwrap()).iso(), "1900-01-01");
    }

    #[test]
    fn a_moment_is_written_for_scripts_and_shown_to_people() {
        let at = Moment::from(DateTime::from_timestamp(1_795_528_921, 5_000).unwrap());
        assert_eq!(at.rfc3339(), "2026-11-24T14:02:01.000005Z");
        assert_eq!(Zone::default().said(&at), "24 Nov 2026, 14:02 UTC");
        assert_eq!(Zone::default().said(&Moment(String::new())), "");
    }
}
