//! Reads security events by cursor: nothing is counted, and a filter looks through [`SCANNED`] rows at a time.

use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::{EventFilter, SecurityEvent, SecurityEvents};
use crate::access::gate::Access;
use crate::access::security::{Column, Entity, Kind, Model, View};
use crate::base::form::nearest;
use crate::base::time::stored::Timestamp;
use crate::base::time::zones;
use crate::base::{Error, Result, fold};

/// Events of a page.
const SHOWN: usize = 50;
/// How many rows a filter looks through for one page.
const SCANNED: i64 = 20_000;
/// The longest value of a filter, in characters.
const LONGEST: usize = 300;

fn parse(query: &str) -> Result<EventFilter> {
    let mut filter = EventFilter::default();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let value = value.trim().to_owned();
        if value.chars().count() > LONGEST || value.contains('\0') {
            return Err(Error::field(&*name, "This is too long."));
        }
        match &*name {
            "kind" if value.is_empty() || Kind::named(&value).is_some() => filter.kind = value,
            "kind" => return Err(Error::field("kind", "Choose one of the kinds.")),
            "account" => filter.account = value,
            "address" => filter.address = value,
            "from" => filter.from = value,
            "to" => filter.to = value,
            "before" => filter.before = value,
            other => {
                let names = EventFilter::default();
                let hint = nearest(other, names.pairs().into_iter().map(|(name, _)| name));
                let hint = hint.map_or(String::new(), |near| format!(" Did you mean {near}?"));
                let other: String = other.chars().filter(|c| !c.is_control()).take(40).collect();
                return Err(Error::field(other, format!("There is no such parameter.{hint}")));
            }
        }
    }
    Ok(filter)
}

/// The beginning and the end of what is meant by a time.
fn time(zone: &str, name: &str, text: &str) -> Result<Option<(Timestamp, Timestamp)>> {
    if text.is_empty() {
        return Ok(None);
    }
    let wrong = || Error::field(name, "Enter a day such as 2026-11-24, or a moment such as 2026-11-24T14:02.");
    zones::within(zone, text).ok_or_else(wrong).map(Some)
}

impl From<Model> for SecurityEvent {
    fn from(row: Model) -> Self {
        Self {
            label: Kind::named(&row.kind).map_or(row.kind, |kind| kind.label().to_owned()),
            repeated: (row.count > 1).then(|| (row.count, row.last_at.into())),
            at: row.at.into(),
            account: row.account,
            actor: row.actor,
            address: row.address,
            request_id: row.request_id,
            detail: row.detail,
        }
    }
}

/// A page of security events, the latest first. At most four statements, each of which reads at most [`SCANNED`] rows.
///
/// # Errors
/// `Invalid`, naming the parameter that is unknown or makes no sense.
pub async fn read(access: &Access<View>, query: &str) -> Result<SecurityEvents> {
    let filter = parse(query)?;
    let (zone, reader) = (access.caller().time_zone.clone().unwrap_or_default(), access.reader());
    let from = time(&zone, "from", &filter.from)?.map(|(from, _)| from);
    let to = time(&zone, "to", &filter.to)?.map(|(_, to)| to);
    let ids = || Entity::find().select_only().column(Column::Id);
    let before = match (filter.before.as_str(), to) {
        ("", None) => i64::MAX,
        ("", Some(to)) => {
            let last = ids().filter(Column::At.lt(to)).order_by_desc(Column::At).order_by_desc(Column::Id);
            last.into_tuple::<i64>().one(reader).await?.map_or(0, |last| last.saturating_add(1))
        }
        (before, _) => before.parse().map_err(|_| Error::field("before", "Follow the link to what is older."))?,
    };
    let newest: Option<i64> =
        ids().filter(Column::Id.lt(before)).order_by_desc(Column::Id).into_tuple().one(reader).await?;
    // Ids follow each other closely, so that they say how many rows are looked through.
    let end = newest.unwrap_or_default().saturating_sub(SCANNED);
    let mut wanted = Condition::all().add(Column::Id.lt(before)).add(Column::Id.gt(end));
    if !filter.kind.is_empty() {
        wanted = wanted.add(Column::Kind.eq(filter.kind.as_str()));
    }
    if !filter.account.is_empty() {
        wanted = wanted.add(Column::AccountKey.eq(fold::key(&filter.account)));
    }
    if !filter.address.is_empty() {
        wanted = wanted.add(Column::Address.eq(filter.address.as_str()));
    }
    if let Some(from) = from {
        wanted = wanted.add(Column::LastAt.gte(from));
    }
    if let Some(to) = to {
        wanted = wanted.add(Column::At.lt(to));
    }
    let rows = Entity::find().filter(wanted).order_by_desc(Column::Id).limit(SHOWN as u64 + 1).all(reader).await?;
    let next = match rows.get(SHOWN - 1) {
        Some(last) if rows.len() > SHOWN => Some(last.id),
        _ => {
            let mut older = Condition::all().add(Column::Id.lte(end));
            if let Some(from) = from {
                older = older.add(Column::At.gte(from));
            }
            let older = ids().filter(older).order_by_desc(Column::Id).into_tuple::<i64>().one(reader).await?;
            older.map(|_| end.saturating_add(1))
        }
    };
    let events = rows.into_iter().take(SHOWN).map(SecurityEvent::from).collect();
    let kinds = Kind::ALL.iter().map(|kind| (kind.name().to_owned(), kind.label().to_owned())).collect();
    Ok(SecurityEvents { filter, kinds, events, next: next.map(|id| id.to_string()) })
}
