//! All time zones, from the IANA database that the program carries.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use jiff::civil::DateTime;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{Span, Timestamp};

use super::stored;
use super::zone::Zone;

/// Years whose changes are sent along; before and after, the nearest offset counts.
const YEARS: std::ops::Range<i16> = 1990..2038;

static DATABASE: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

static NAMES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let mut names: Vec<String> = DATABASE.available().map(|name| name.as_str().to_owned()).collect();
    names.retain(|name| name.contains('/') && !name.starts_with("Etc/") && !name.starts_with("SystemV/"));
    names.sort();
    names
});

/// The names people choose from, such as `Europe/Berlin`, in their order.
pub fn names() -> &'static [String] {
    &NAMES
}

/// Whether there is a zone of this name.
pub fn is_known(name: &str) -> bool {
    names().binary_search_by(|known| known.as_str().cmp(name)).is_ok()
}

/// The zone of this name; UTC for one that is not known.
pub fn zone(name: &str) -> Arc<Zone> {
    static ZONES: Mutex<BTreeMap<String, Arc<Zone>>> = Mutex::new(BTreeMap::new());
    let mut zones = ZONES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(zone) = zones.get(name) {
        return Arc::clone(zone);
    }
    let Some(found) = is_known(name).then(|| DATABASE.get(name).ok()).flatten() else { return Arc::default() };
    let zone = Arc::new(Zone { name: name.to_owned(), offsets: offsets(&found) });
    zones.insert(name.to_owned(), Arc::clone(&zone));
    zone
}

/// The beginning of what somebody in a zone means by a time, and its end: a day is over with its last moment, a minute and a
/// second likewise. A moment of RFC 3339 says its zone itself.
pub fn within(name: &str, text: &str) -> Option<(stored::Timestamp, stored::Timestamp)> {
    let (written, lasts) = match text.len() {
        10 => (format!("{text}T00:00:00"), Span::new().days(1)),
        16 => (format!("{text}:00"), Span::new().minutes(1)),
        19 => (text.to_owned(), Span::new().seconds(1)),
        _ => {
            let from = stored::moment(text)?;
            return Some((from, from + chrono::TimeDelta::microseconds(1)));
        }
    };
    // The one shape that browsers send.
    if written.as_bytes().get(10) != Some(&b'T') {
        return None;
    }
    let from: DateTime = written.parse().ok()?;
    let zone = found(name);
    let at = |local: DateTime| {
        let micros = zone.to_timestamp(local).ok()?.as_microsecond();
        chrono::DateTime::from_timestamp_micros(micros)
    };
    Some((at(from)?, at(from.checked_add(lasts).ok()?)?))
}

/// Tells the day, such as `2026-11-24`, on which a moment falls in a zone.
pub fn days(name: &str) -> impl Fn(stored::Timestamp) -> Option<String> {
    let zone = found(name);
    move |at| Some(zone.to_datetime(Timestamp::from_microsecond(at.timestamp_micros()).ok()?).date().to_string())
}

/// The day that the calendar shows in a zone.
pub fn today(name: &str) -> stored::Day {
    let day = found(name).to_datetime(Timestamp::now()).date();
    let month = u32::try_from(day.month()).unwrap_or_default();
    chrono::NaiveDate::from_ymd_opt(day.year().into(), month, u32::try_from(day.day()).unwrap_or_default())
        .unwrap_or_else(stored::today)
}

/// The zone of this name; UTC for one that is not known.
fn found(name: &str) -> TimeZone {
    let known = Some(name).filter(|name| is_known(name));
    known.and_then(|name| DATABASE.get(name).ok()).unwrap_or(TimeZone::UTC)
}

fn start_of(year: i16) -> Timestamp {
    TimeZone::UTC.to_timestamp(jiff::civil::date(year, 1, 1).at(0, 0, 0, 0)).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn offsets(zone: &TimeZone) -> Vec<(i64, i32)> {
    let (from, until) = (start_of(YEARS.start), start_of(YEARS.end));
    let first = (from.as_second(), zone.to_offset(from).seconds() / 60);
    let changes = zone.following(from).take_while(|change| change.timestamp() < until);
    let changes = changes.map(|change| (change.timestamp().as_second(), change.offset().seconds() / 60));
    std::iter::once(first).chain(changes).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Moment;
    use super::*;

    #[test]
    fn people_read_times_in_their_zone_summer_and_winter() {
        let berlin = zone("Europe/Berlin");
        let at = |text: &str| berlin.said(&Moment(text.into()));
        assert_eq!(at("2026-11-24T23:02:01.000000Z"), "25 Nov 2026, 00:02 UTC+1");
        assert_eq!(at("2026-07-01T23:02:01.000000Z"), "2 Jul 2026, 01:02 UTC+2");
        assert_eq!(at("2024-02-28T23:30:00.000000Z"), "29 Feb 2024, 00:30 UTC+1");
        assert_eq!(at("2026-03-29T00:59:59.000000Z"), "29 Mar 2026, 01:59 UTC+1");
        assert_eq!(at("2026-03-29T01:00:00.000000Z"), "29 Mar 2026, 03:00 UTC+2");
        assert_eq!(berlin.short(&Moment("2026-07-01T23:02:01Z".into())), "2026-07-02 01:02");
        let said = |name: &str, text: &str| zone(name).said(&Moment(text.into()));
        assert_eq!(said("Asia/Kolkata", "2026-12-31T20:00:00Z"), "1 Jan 2027, 01:30 UTC+5:30");
        assert_eq!(said("America/St_Johns", "2026-12-31T02:00:00Z"), "30 Dec 2026, 22:30 UTC−3:30");
        assert_eq!(said("", "2026-11-24T14:02:01Z"), "24 Nov 2026, 14:02 UTC");
    }

    #[test]
    fn what_people_enter_is_read_in_their_zone() {
        let read = |zone: &str, text: &str| {
            within(zone, text).map(|(from, to)| [from, to].map(|at| Moment::from(at).rfc3339().replace(".000000Z", "")))
        };
        let [day, next] = read("Europe/Berlin", "2026-07-25").unwrap();
        assert_eq!((day.as_str(), next.as_str()), ("2026-07-24T22:00:00", "2026-07-25T22:00:00"));
        let [from, to] = read("Europe/Berlin", "2026-03-29").unwrap();
        assert_eq!((from.as_str(), to.as_str()), ("2026-03-28T23:00:00", "2026-03-29T22:00:00"), "a day of 23 hours");
        let [from, to] = read("Asia/Kolkata", "2026-07-25T00:30").unwrap();
        assert_eq!((from.as_str(), to.as_str()), ("2026-07-24T19:00:00", "2026-07-24T19:01:00"));
        let [from, _] = read("", "2026-07-25T00:30:15").unwrap();
        assert_eq!(from, "2026-07-25T00:30:15");
        let [from, _] = read("Europe/Berlin", "2026-07-25T00:30:15Z").unwrap();
        assert_eq!(from, "2026-07-25T00:30:15", "what names its zone is in no other");
        for wrong in
            ["", "2026-02-30", "2026-07-25 00:30", "2026-07-25T25:00", "yesterday", "2026-07-25T00:30:15+99:00"]
        {
            assert_eq!(read("Europe/Berlin", wrong), None, "{wrong}");
        }
    }

    #[test]
    fn every_zone_agrees_with_the_library_over_the_years() {
        for name in names() {
            let (ours, theirs) = (zone(name), DATABASE.get(name).unwrap());
            for step in 0..400 {
                let at = Timestamp::from_second(start_of(1990).as_second() + step * 3_700_000).unwrap();
                let local = theirs.to_datetime(at);
                let shown = ours.said(&Moment(at.to_string()));
                let clock = format!("{:02}:{:02} UTC", local.hour(), local.minute());
                assert!(shown.contains(&clock), "{name} {at}: {shown}");
                assert!(shown.starts_with(&format!("{} ", local.day())), "{name} {at}: {shown}");
            }
        }
    }

    #[test]
    fn what_is_no_zone_is_utc() {
        assert!(!is_known("Mars/Olympus") && !is_known("UTC/../x") && !is_known(""));
        assert_eq!(*zone("Mars/Olympus"), Zone::default());
    }
}
