//! Reads the log by cursor, the latest first: nothing is counted that could be a million, and every part is as fast as the
//! first. What was done in one request stands together.

use std::collections::{HashMap, HashSet};

use sea_orm::sea_query::{Asterisk, BinOper, Expr, ExprTrait, Func, Query, UnionType};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
    Statement, Value,
};

use super::{Asked, Entry, Group, Log, MANY};
use crate::access::gate::Access;
use crate::base::form::nearest;
use crate::base::time::stored::Timestamp;
use crate::base::time::{Moment, zones};
use crate::base::{Error, Result};
use crate::history::View;
use crate::history::entity::{Column, Entity, Model};
use crate::server::AppState;
use crate::server::kinds::Kind;

/// How many requests a page shows.
const SHOWN: usize = 50;
/// How many events are read for it.
const READ: u64 = 400;
/// How many events of one request are shown at once.
const OPENED: usize = 20;
/// How many events of a request are passed over to get to the next one: at first, in one step, and how many steps.
const FIRST: u64 = 20;
const PASSED: u64 = 1_000;
const STEPS: usize = 30;
/// How far back a question of several parts looks at once, in events: no index knows where its parts meet.
const LOOKED: u64 = 20_000;
/// How many events of one part are few: all of them are read and asked for the other parts.
const FEW: u64 = 2_000;
/// Text that nobody needs to be longer.
const LONGEST: usize = 200;

impl Asked {
    /// # Errors
    /// `Invalid`, naming the parameter that is unknown or makes no sense.
    pub fn parse(query: &str) -> Result<Self> {
        let mut asked = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let value = value.trim().to_owned();
            if value.chars().count() > LONGEST || value.contains('\0') {
                return Err(Error::field(&*name, "This is too long."));
            }
            match &*name {
                "person" => asked.person = value,
                "resource" => asked.resource = value,
                "command" => asked.command = value,
                "door" => asked.door = value,
                "from" => asked.from = value,
                "to" => asked.to = value,
                "request" => asked.request = value,
                "after" => asked.after = value,
                // What the form of an export adds.
                "format" => {}
                other => {
                    let names = Self::default();
                    let hint = nearest(other, names.pairs().into_iter().map(|(name, _)| name));
                    let hint = hint.map_or(String::new(), |near| format!(" Did you mean {near}?"));
                    let other: String = other.chars().filter(|c| !c.is_control()).take(40).collect();
                    return Err(Error::field(other, format!("There is no such parameter.{hint}")));
                }
            }
        }
        Ok(asked)
    }

    /// The parts that are one value each, which an index leads to.
    fn parts(&self) -> Vec<(Column, &str)> {
        let parts = [
            (Column::ActorName, &self.person),
            (Column::Resource, &self.resource),
            (Column::Command, &self.command),
            (Column::Door, &self.door),
            (Column::RequestId, &self.request),
        ];
        parts
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(column, value)| (column, value.as_str()))
            .collect()
    }

    /// The events that are asked for, by somebody who reads times in `zone`.
    ///
    /// # Errors
    /// `Invalid` for a time that is none.
    pub fn condition(&self, zone: Option<&str>) -> Result<Condition> {
        let parts = self.parts().into_iter().map(|(column, value)| column.eq(value));
        Ok(parts.fold(self.times(zone)?, Condition::add))
    }

    /// When it happened.
    fn times(&self, zone: Option<&str>) -> Result<Condition> {
        let mut condition = Condition::all();
        if let Some((from, _)) = time(zone, "from", &self.from)? {
            condition = condition.add(Column::At.gte(from));
        }
        if let Some((_, to)) = time(zone, "to", &self.to)? {
            condition = condition.add(Column::At.lt(to));
        }
        Ok(condition)
    }
}

/// The beginning and the end of what is meant by a time.
fn time(zone: Option<&str>, name: &str, text: &str) -> Result<Option<(Timestamp, Timestamp)>> {
    if text.is_empty() {
        return Ok(None);
    }
    let meant = zones::within(zone.unwrap_or_default(), text);
    let wrong = || Error::field(name, "Enter a day such as 2026-11-24, or a moment such as 2026-11-24T14:02.");
    meant.ok_or_else(wrong).map(Some)
}

/// A place in the log, and the request whose events are passed over from there on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    at: Timestamp,
    id: i64,
    passing: String,
}

impl Cursor {
    /// Just after an event.
    pub fn after(event: &Model, passing: &str) -> Self {
        Self { at: event.at, id: event.id, passing: passing.to_owned() }
    }

    fn parse(text: &str) -> Result<Option<Self>> {
        if text.is_empty() {
            return Ok(None);
        }
        let mut parts = text.splitn(3, '-');
        let mut next = || parts.next().unwrap_or_default();
        let (at, id, passing) = (next().parse().ok(), next().parse().ok(), next().to_owned());
        match (at.and_then(Timestamp::from_timestamp_micros), id) {
            (Some(at), Some(id)) => Ok(Some(Self { at, id, passing })),
            _ => Err(Error::field("after", "Follow the link to what is older.")),
        }
    }

    fn text(&self) -> String {
        format!("{}-{}-{}", self.at.timestamp_micros(), self.id, self.passing)
    }

    /// What lies before it, and itself.
    fn up_to(&self) -> Condition {
        let same = Condition::all().add(Column::At.eq(self.at)).add(Column::Id.gte(self.id));
        Condition::all().add(Column::At.gte(self.at)).add(Condition::any().add(Column::At.gt(self.at)).add(same))
    }

    /// What lies behind it.
    pub fn condition(&self) -> Condition {
        let same = Condition::all().add(Column::At.eq(self.at)).add(Column::Id.lt(self.id));
        // Said twice, so that both databases begin at the place in their index.
        Condition::all().add(Column::At.lte(self.at)).add(Condition::any().add(Column::At.lt(self.at)).add(same))
    }
}

/// The events that are asked for, the latest first, from a place on.
pub fn select(asked: &Condition, cursor: Option<&Cursor>, limit: u64) -> sea_orm::Select<Entity> {
    let select = Entity::find().filter(asked.clone()).order_by_desc(Column::At).order_by_desc(Column::Id).limit(limit);
    match cursor {
        Some(cursor) => select.filter(cursor.condition()),
        None => select,
    }
}

/// What answers a question without reading the whole log.
struct Reach {
    condition: Condition,
    /// The last event that is looked at, if there are more behind it.
    end: Option<Cursor>,
}

impl Reach {
    /// One part is read by its index, and so are several of which one is rare; else the latest [`LOOKED`] events behind the
    /// cursor are looked at. At most two statements.
    async fn of(db: &impl ConnectionTrait, asked: &Asked, zone: Option<&str>, cursor: Option<&Cursor>) -> Result<Self> {
        let (parts, times) = (asked.parts(), asked.times(zone)?);
        if parts.len() < 2 {
            return Ok(Self { condition: asked.condition(zone)?, end: None });
        }
        if let Some(rare) = rare(db, &parts, &times, cursor).await? {
            let condition = parts.iter().enumerate().fold(times, |condition, (index, (column, value))| {
                // An expression has no index, so that both databases go by the rare part.
                let other = || Expr::col(*column).binary(BinOper::Custom("||"), Expr::val("")).eq(*value);
                condition.add(if index == rare { column.eq(*value) } else { other() })
            });
            return Ok(Self { condition, end: None });
        }
        let last: Option<(Timestamp, i64)> = select(&times, cursor, 1)
            .select_only()
            .columns([Column::At, Column::Id])
            .offset(LOOKED - 1)
            .into_tuple()
            .one(db)
            .await?;
        let end = last.map(|(at, id)| Cursor { at, id, passing: String::new() });
        let within = end.as_ref().map_or_else(Condition::all, Cursor::up_to);
        Ok(Self { condition: asked.condition(zone)?.add(within), end })
    }
}

/// The place of the rarest part, if it has but few events. One statement.
async fn rare(
    db: &impl ConnectionTrait,
    parts: &[(Column, &str)],
    times: &Condition,
    cursor: Option<&Cursor>,
) -> Result<Option<usize>> {
    let mut counted = parts.iter().enumerate().map(|(index, (column, value))| {
        let events = select(&times.clone().add(column.eq(*value)), cursor, FEW + 1).select_only().column(Column::Id);
        Query::select()
            .expr_as(Expr::val(i64::try_from(index).unwrap_or(i64::MAX)), "part")
            .expr_as(Func::count(Expr::col(Asterisk)), "counted")
            .from_subquery(events.into_query(), "few")
            .to_owned()
    });
    let Some(first) = counted.next() else { return Ok(None) };
    let all = counted.fold(first, |mut all, part| all.union(UnionType::All, part).to_owned());
    let mut rarest = None;
    for row in db.query_all(&all).await? {
        let (index, events): (i64, i64) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
        if events.unsigned_abs() <= FEW && rarest.is_none_or(|(_, known)| events < known) {
            rarest = Some((index, events));
        }
    }
    Ok(rarest.and_then(|(index, _)| usize::try_from(index).ok()))
}

/// A part of the log.
///
/// # Errors
/// `Invalid` for a question that makes no sense.
pub async fn read(access: &Access<View>, state: &AppState, query: &str) -> Result<Log> {
    let asked = Asked::parse(query)?;
    let (zone, reader) = (access.caller().time_zone.as_deref(), access.reader());
    let cursor = Cursor::parse(&asked.after)?;
    let Reach { condition, end } = Reach::of(reader, &asked, zone, cursor.as_ref()).await?;
    let cursor = match cursor {
        Some(cursor) => Some(passed(reader, &condition, cursor).await?),
        None => None,
    };
    let events = select(&condition, cursor.as_ref(), READ).all(reader).await?;
    let is_whole = u64::try_from(events.len()).unwrap_or(u64::MAX) < READ;
    let single = !asked.request.is_empty();
    let (mut groups, mut next): (Vec<Group>, Option<Cursor>) = (Vec::new(), None);
    let mut by_request: HashMap<String, usize> = HashMap::new();
    let mut last = None;
    for event in events {
        // Asked for one request, every event stands for itself.
        let known = if single { None } else { by_request.get(&event.request_id).copied() };
        let index = match known {
            Some(index) => index,
            None if groups.len() == SHOWN => {
                next = last.map(|last: Model| Cursor::after(&last, &last.request_id));
                last = None;
                break;
            }
            None => {
                by_request.insert(event.request_id.clone(), groups.len());
                groups.push(Group {
                    request: event.request_id.clone(),
                    at: event.at.into(),
                    actor: event.actor_name.clone(),
                    door: event.door.clone(),
                    entries: Vec::new(),
                    count: 0,
                });
                groups.len() - 1
            }
        };
        if let Some(group) = groups.get_mut(index) {
            group.count += 1;
            if group.entries.len() < OPENED {
                group.entries.push(entry(&state.kinds, event.clone()));
            }
        }
        last = Some(event);
    }
    let looked = end.filter(|_| is_whole && next.is_none());
    let looked_to = looked.as_ref().map(|end| end.at.into());
    if let Some(end) = looked {
        next = Some(end);
    } else if !is_whole {
        next = next.or_else(|| last.map(|last| Cursor::after(&last, if single { "" } else { &last.request_id })));
    }
    if !single {
        count(reader, &mut groups).await?;
    }
    let mut resources: Vec<_> = state.kinds.iter().map(|kind| kind.name.to_owned()).collect();
    resources.extend(["users".to_owned(), "imports".to_owned()]);
    let mut seen = HashSet::new();
    resources.retain(|name| name != "order-items" && seen.insert(name.clone()));
    let next = next.map(|cursor| Asked { after: cursor.text(), ..asked.clone() }.query_string());
    Ok(Log { asked, groups, next, looked_to, people: people(reader).await?, resources })
}

fn entry(kinds: &[Kind], event: Model) -> Entry {
    let kind = kinds.iter().find(|kind| kind.name == event.resource);
    let href = kind.map(|kind| match event.version_after {
        Some(_) => format!("{}/{}", kind.path, event.record_id),
        None => format!("{}/{}/history", kind.path, event.record_id),
    });
    Entry { resource: event.resource.clone(), record: event.record_id, href, event: event.into() }
}

/// Goes on to where the events of a request end that was shown already; as far as it is not too far.
async fn passed(db: &impl ConnectionTrait, asked: &Condition, mut cursor: Cursor) -> Result<Cursor> {
    if cursor.passing.is_empty() {
        return Ok(cursor);
    }
    for step in 0..STEPS {
        // Most requests end soon.
        let many = if step == 0 { FIRST } else { PASSED };
        let heads: Vec<(Timestamp, i64, String)> = select(asked, Some(&cursor), many)
            .select_only()
            .columns([Column::At, Column::Id, Column::RequestId])
            .into_tuple()
            .all(db)
            .await?;
        let others = heads.iter().position(|(_, _, request)| *request != cursor.passing);
        let Some((at, id, _)) = heads.get(others.unwrap_or(heads.len()).wrapping_sub(1)) else { break };
        (cursor.at, cursor.id) = (*at, *id);
        if others.is_some() {
            break;
        }
    }
    Ok(cursor)
}

/// Counts the events of requests that have several, each up to [`MANY`]. One statement.
async fn count(db: &impl ConnectionTrait, groups: &mut [Group]) -> Result<()> {
    let backend = db.get_database_backend();
    let several: Vec<usize> =
        groups.iter().enumerate().filter(|(_, group)| group.count > 1).map(|(index, _)| index).collect();
    if several.is_empty() {
        return Ok(());
    }
    let part = |(number, index): (usize, &usize)| {
        let place = if backend == DbBackend::Sqlite { "?".to_owned() } else { format!("${}", number + 1) };
        format!(
            "SELECT {index} AS at, COUNT(*) AS many FROM (SELECT 1 FROM events WHERE request_id = {place} LIMIT {}) AS counted",
            MANY + 1
        )
    };
    let sql = several.iter().enumerate().map(part).collect::<Vec<_>>().join(" UNION ALL ");
    let values: Vec<Value> =
        several.iter().filter_map(|index| Some(groups.get(*index)?.request.clone().into())).collect();
    for row in db.query_all_raw(Statement::from_sql_and_values(backend, sql, values)).await? {
        let (index, many): (i64, i64) = match backend {
            DbBackend::Sqlite => (row.try_get_by_index(0)?, row.try_get_by_index(1)?),
            _ => (i64::from(row.try_get_by_index::<i32>(0)?), row.try_get_by_index(1)?),
        };
        let group = usize::try_from(index).ok().and_then(|index| groups.get_mut(index));
        if let (Some(group), Ok(many)) = (group, usize::try_from(many)) {
            group.count = many;
        }
    }
    Ok(())
}

/// The names of everybody who may have done something: people, tokens and the house itself. One statement.
async fn people(db: &impl ConnectionTrait) -> Result<Vec<String>> {
    let sql = "SELECT name FROM users UNION SELECT name FROM api_tokens UNION SELECT 'Kontor' ORDER BY 1 LIMIT 200";
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    rows.iter().map(|row| Ok(row.try_get_by_index(0)?)).collect()
}

/// A moment as a file says it.
pub(super) fn written(at: Timestamp) -> String {
    Moment::from(at).rfc3339().to_owned()
}
