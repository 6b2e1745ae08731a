//! All time zones, from the IANA database that the program carries.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};

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
        let at = |text: &str| berlin.shown(&Moment(text.into()));
        assert_eq!(at("2026-11-24T23:02:01.000000Z"), "25 Nov 2026, 00:02");
        assert_eq!(at("2026-07-01T23:02:01.000000Z"), "2 Jul 2026, 01:02");
        assert_eq!(at("2024-02-28T23:30:00.000000Z"), "29 Feb 2024, 00:30");
        assert_eq!(at("2026-03-29T00:59:59.000000Z"), "29 Mar 2026, 01:59");
        assert_eq!(at("2026-03-29T01:00:00.000000Z"), "29 Mar 2026, 03:00");
        assert_eq!(zone("Asia/Kolkata").shown(&Moment("2026-12-31T20:00:00Z".into())), "1 Jan 2027, 01:30");
        assert_eq!(Zone::default().shown(&Moment("2026-11-24T14:02:01Z".into())), "24 Nov 2026, 14:02");
    }

    #[test]
    fn every_zone_agrees_with_the_library_over_the_years() {
        for name in names() {
            let (ours, theirs) = (zone(name), DATABASE.get(name).unwrap());
            for step in 0..400 {
                let at = Timestamp::from_second(start_of(1990).as_second() + step * 3_700_000).unwrap();
                let local = theirs.to_datetime(at);
                let shown = ours.shown(&Moment(at.to_string()));
                assert!(shown.ends_with(&format!("{:02}:{:02}", local.hour(), local.minute())), "{name} {at}: {shown}");
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
