//! Moments as the database keeps them.

use chrono::{DateTime, Datelike, NaiveDate, SecondsFormat, SubsecRound, Timelike, Utc};

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
        if !(0..10_000).contains(&at.year()) {
            return Self(at.to_rfc3339_opts(SecondsFormat::Micros, true));
        }
        let mut text = String::with_capacity(27);
        write_day(&mut text, at.date_naive());
        for (before, number, place) in [
            ('T', at.hour(), 10),
            (':', at.minute(), 10),
            (':', at.second(), 10),
            ('.', at.nanosecond() / 1_000 % 1_000_000, 100_000),
        ] {
            text.push(before);
            write_digits(&mut text, number, place);
        }
        text.push('Z');
        Self(text)
    }
}

/// A number from the digit at `place`, such as 100, to the last.
fn write_digits(text: &mut String, number: u32, mut place: u32) {
    while place > 0 {
        text.extend(char::from_digit(number / place % 10, 10));
        place /= 10;
    }
}

fn write_day(text: &mut String, day: Day) {
    write_digits(text, day.year().unsigned_abs(), 1_000);
    for number in [day.month(), day.day()] {
        text.push('-');
        write_digits(text, number, 10);
    }
}

/// The moment of a text as SQLite keeps those that we write, `2026-11-24T14:02:01.000005+00:00` with any fraction or none. Absent
/// for any other text, be it a moment or not.
pub fn timestamp_of_sqlite(text: &str) -> Option<Timestamp> {
    let (day, time) = (day_of_sqlite(text.get(..10)?)?, text.as_bytes().get(10..19)?);
    let [b'T' | b' ', hour @ .., b':', _, _, b':', _, _] = time else { return None };
    let (minute, second) = (number(&time[4..6])?, number(&time[7..])?);
    let fraction = text.get(19..)?.strip_suffix("+00:00")?;
    let nanoseconds = match fraction.strip_prefix('.') {
        None if fraction.is_empty() => 0,
        Some(digits) if (1..=9).contains(&digits.len()) => {
            let places = u32::try_from(9 - digits.len()).ok()?;
            number(digits.as_bytes())? * 10_u32.pow(places)
        }
        _ => return None,
    };
    Some(day.and_hms_nano_opt(number(hour)?, minute, second, nanoseconds)?.and_utc())
}

/// The day of a text as SQLite keeps it, `2026-11-24`. Absent for any other text.
pub fn day_of_sqlite(text: &str) -> Option<Day> {
    let [year @ .., b'-', _, _, b'-', _, _] = text.as_bytes() else { return None };
    if year.len() != 4 {
        return None;
    }
    let (month, day) = (number(&text.as_bytes()[5..7])?, number(&text.as_bytes()[8..])?);
    Day::from_ymd_opt(i32::try_from(number(year)?).ok()?, month, day)
}

/// What digits alone are as a number.
fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + u32::from(digit - b'0')))
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
        write_day(&mut text, day);
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

    proptest::proptest! {
        #[test]
        fn moments_and_days_of_sqlite_are_read_as_any_reader_would(seconds in -62_000_000_000_i64..250_000_000_000, micros in 0_u32..1_000_000) {
            let at = DateTime::from_timestamp(seconds, micros * 1_000).unwrap();
            for format in [SecondsFormat::AutoSi, SecondsFormat::Secs, SecondsFormat::Millis, SecondsFormat::Nanos] {
                let text = at.to_rfc3339_opts(format, false);
                proptest::prop_assert_eq!(timestamp_of_sqlite(&text), text.parse().ok(), "{}", text);
            }
            proptest::prop_assert_eq!(Moment::from(at).0, at.to_rfc3339_opts(SecondsFormat::Micros, true));
            let day = at.date_naive();
            proptest::prop_assert_eq!(day_of_sqlite(&day.to_string()), Some(day));
        }
    }

    #[test]
    fn other_texts_are_left_to_others() {
        for text in [
            "",
            "2026-11-24",
            "2026-11-24T14:02:01Z",
            "2026-11-24T14:02:01",
            "2026-11-24T14:02+00:00",
            "2026-11-24T14:02:01+01:00",
            "2026-11-24T14:02:01.+00:00",
            "2026-11-24T14:02:01.0000000001+00:00",
            "2026-11-24T25:02:01+00:00",
            "2026-11-31T14:02:01+00:00",
            "2026-11-24T14:0é:1+00:00",
            "+2026-11-24T14:02:01+00:00",
        ] {
            assert_eq!(timestamp_of_sqlite(text), None, "{text}");
        }
        for text in ["", "2026-11-31", "2026-1-1", "12026-11-24", "2026-11-2x", "2026-11-24 "] {
            assert_eq!(day_of_sqlite(text), None, "{text}");
        }
    }

    #[test]
    fn a_moment_is_written_for_scripts_and_shown_to_people() {
        let at = Moment::from(DateTime::from_timestamp(1_795_528_921, 5_000).unwrap());
        assert_eq!(at.rfc3339(), "2026-11-24T14:02:01.000005Z");
        assert_eq!(Zone::default().said(&at), "24 Nov 2026, 14:02 UTC");
        assert_eq!(Zone::default().said(&Moment(String::new())), "");
    }
}
