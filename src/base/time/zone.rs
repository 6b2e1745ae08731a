//! The zone a person reads times in. The server knows all zones and sends what one of them needs; the browser only adds.

use serde::{Deserialize, Serialize};

use super::{Moment, month};

/// A time zone: its offsets from UTC, each from a moment on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Zone {
    /// The IANA name, such as `Europe/Berlin`.
    pub name: String,
    /// Seconds since the epoch, and the minutes that local time is ahead from then on; ascending.
    pub offsets: Vec<(i64, i32)>,
}

impl Default for Zone {
    /// UTC.
    fn default() -> Self {
        Self { name: "UTC".into(), offsets: Vec::new() }
    }
}

impl Zone {
    /// The minutes that local time is ahead of UTC at a moment.
    fn ahead(&self, seconds: i64) -> i32 {
        let next = self.offsets.partition_point(|(from, _)| *from <= seconds);
        self.offsets.get(next.saturating_sub(1)).map_or(0, |(_, minutes)| *minutes)
    }

    /// A moment as people in this zone read it, and how far they are ahead of UTC: `24 Nov 2026, 15:02 UTC+1`.
    pub fn said(&self, at: &Moment) -> String {
        let Some(seconds) = at.seconds() else { return String::new() };
        let Local { day: (year, number, day), minutes, ahead } = self.local(seconds);
        let month = month(u32::try_from(number).unwrap_or_default());
        format!("{day} {month} {year}, {:02}:{:02} {}", minutes / 60, minutes % 60, offset(ahead))
    }

    /// The same for a narrow column, below a heading that names the zone: `2026-11-24 15:02`.
    pub fn short(&self, at: &Moment) -> String {
        let Some(seconds) = at.seconds() else { return String::new() };
        let Local { day: (year, month, day), minutes, .. } = self.local(seconds);
        format!("{year:04}-{month:02}-{day:02} {:02}:{:02}", minutes / 60, minutes % 60)
    }

    fn local(&self, seconds: i64) -> Local {
        let ahead = self.ahead(seconds);
        let local = seconds + i64::from(ahead) * 60;
        Local { day: civil(local.div_euclid(86_400)), minutes: local.rem_euclid(86_400) / 60, ahead }
    }
}

/// What a calendar and a clock in a zone say.
struct Local {
    /// Year, month, day.
    day: (i64, i64, i64),
    /// Since midnight.
    minutes: i64,
    /// Minutes ahead of UTC.
    ahead: i32,
}

/// How far a clock is ahead of UTC: `UTC`, `UTC+1`, `UTC−3:30`.
fn offset(ahead: i32) -> String {
    if ahead == 0 {
        return "UTC".into();
    }
    let sign = if ahead < 0 { '−' } else { '+' };
    match (ahead.abs() / 60, ahead.abs() % 60) {
        (hours, 0) => format!("UTC{sign}{hours}"),
        (hours, minutes) => format!("UTC{sign}{hours}:{minutes:02}"),
    }
}

impl Moment {
    /// Whole seconds since the epoch.
    fn seconds(&self) -> Option<i64> {
        let part = |from: usize, to: usize| self.part(from, to).parse::<i64>().ok();
        let days = days(part(0, 4)?, part(5, 7)?, part(8, 10)?);
        Some(days * 86_400 + part(11, 13)? * 3_600 + part(14, 16)? * 60 + part(17, 19)?)
    }
}

/// Days since the epoch of a day of the Gregorian calendar (Howard Hinnant, `days_from_civil`).
const fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The day of the Gregorian calendar so many days after the epoch: year, month, day.
const fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year + era * 400 + (if month <= 2 { 1 } else { 0 }), month, of_year - (153 * shifted + 2) / 5 + 1)
}
