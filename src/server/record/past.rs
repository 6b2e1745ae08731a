//! Records as they were: read, set back, brought back, and single events taken back.

use sea_orm::entity::prelude::*;
use serde::Serialize;
use serde_json::{Map, Value as Json};

use super::{Add, Change, Delete, Expected, Resource, Stored, View, column, demand_version, stamp};
use crate::access::gate::{Access, Purpose};
use crate::base::error::Code;
use crate::base::form::{Given, Input, Kind};
use crate::base::time::Moment;
use crate::base::time::stored::Timestamp;
use crate::base::{Error, Result};
use crate::history::entity::{self as history, Subject};
use crate::history::past::{Past, Side, apply};
use crate::server::transaction::DatabaseTransaction;

/// A point in the life of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    Moment(Timestamp),
    /// Just after the event in this row of the log.
    Event(i64),
    /// Just after the event at this place of the log: its id in `GET /api/events/`.
    Place(i64),
}

impl At {
    fn covers(self, event: &history::Model) -> bool {
        match self {
            At::Moment(moment) => event.at <= moment,
            At::Event(id) => event.id <= id,
            At::Place(place) => event.place.is_some_and(|known| known <= place),
        }
    }

    fn words(self) -> String {
        match self {
            At::Moment(moment) => format!("As it was at {}", Moment::from(moment).rfc3339()),
            At::Event(id) | At::Place(id) => format!("As it was after event {id}"),
        }
    }
}

/// What a record was then, out of its events.
///
/// # Errors
/// `NotFound` before it existed and after it was deleted.
pub fn then<R: Resource>(events: &[history::Model], at: At) -> Result<Past> {
    let past = Past::of(events.iter().take_while(|event| at.covers(event))).filter(|past| past.is_there);
    past.ok_or_else(|| Error::new(Code::NotFound, format!("There was no such {} then.", R::SINGULAR)))
}

/// A record as it was. One statement.
///
/// # Errors
/// `NotFound` before it existed and after it was deleted.
pub async fn as_of<R: Resource>(access: &Access<View<R>>, id: i64, at: At) -> Result<R::Record> {
    let events = history::all(access.reader(), R::NAME, id).await?;
    R::remembered(&then::<R>(&events, at)?)
}

/// The record that its history tells of, for records that are one flat object.
///
/// # Errors
/// `Conflict` when the history does not tell everything about it.
pub fn remembered<T: Stored>(past: &Past) -> Result<T> {
    let mut values = past.values.clone();
    values.insert("id".into(), past.id.into());
    values.insert("version".into(), past.version.into());
    values.insert("created_at".into(), written(past.created_at));
    values.insert("updated_at".into(), written(past.updated_at));
    serde_json::from_value(Json::Object(values)).map_err(|error| Error {
        internal: Some(error.to_string().into()),
        ..Error::new(Code::Conflict, "The history of this record does not tell everything about it.")
    })
}

fn written(at: Timestamp) -> Json {
    Moment::from(at).rfc3339().into()
}

/// The values a form would send to make a record what it was.
fn given<R: Resource>(past: &Past) -> Vec<(String, Given)> {
    let fields = R::Input::FIELDS.iter().filter_map(|field| {
        let value = match (past.values.get(field.name), field.kind) {
            (Some(value), _) => value.clone().into(),
            (None, Kind::Flag { .. }) => return None,
            (None, _) => Given::Null,
        };
        Some((field.name.to_owned(), value))
    });
    let nested = R::NESTED.and_then(|name| Some((name.to_owned(), past.values.get(name)?.clone().into())));
    fields.chain(nested).collect()
}

/// Makes a record what it was.
///
/// # Errors
/// Those of [`Resource::set_back_in`].
pub async fn set_back<R: Resource>(
    transaction: &DatabaseTransaction,
    access: &Access<View<R>>,
    id: i64,
    expected: Expected,
    past: &Past,
) -> Result<R::Record> {
    let access = access.also::<Change<R>>()?;
    R::change_in(transaction, &access, id, expected, |_| R::Input::given(&given::<R>(past))).await
}

/// Brings a record back that was deleted.
///
/// # Errors
/// Those of [`Resource::revive_in`].
pub async fn revive<R: Resource>(
    transaction: &DatabaseTransaction,
    access: &Access<View<R>>,
    past: &Past,
    version: i64,
) -> Result<R::Record> {
    let access = access.also::<Add<R>>()?;
    let mut input = R::Input::given(&given::<R>(past))?;
    R::take_turn(transaction).await?;
    R::complete(transaction, None, &mut input).await?;
    R::admit(transaction, &access, None, Some(&input)).await?;
    let mut row = <R::ActiveModel as ActiveModelTrait>::default();
    R::fill(&mut row, &input);
    let at = stamp::<R>(&mut row, version)?;
    row.set(column::<R>("id")?, past.id.into());
    row.set(column::<R>("created_at")?, past.created_at.into());
    let record = R::read(R::insert(row).exec_with_returning(transaction).await?);
    R::follow(transaction, None, Some(&record)).await?;
    let versions = (None, Some(version));
    let subject = Subject { resource: R::NAME, id: past.id, command: "create", versions, reason: None };
    let changes = history::difference(None, Some(&record.values()));
    history::record_at(transaction, access.caller(), subject, changes, at).await?;
    Ok(record)
}

/// Takes an event back.
///
/// # Errors
/// Those of [`Resource::undo_in`].
pub async fn undo<R: Resource>(
    transaction: &DatabaseTransaction,
    access: &Access<View<R>>,
    event: &history::Model,
    version: i64,
) -> Result<Option<i64>> {
    let (id, expected) = (event.record_id, Expected::Version(version));
    match (event.version_before, event.version_after) {
        (None, _) => {
            R::remove_in(transaction, &access.also::<Delete<R>>()?, id, expected).await?;
            Ok(None)
        }
        (Some(_), Some(_)) => {
            let access = access.also::<Change<R>>()?;
            let change = |stored: &R::Record| {
                let mut past = unborn(event, stored.values());
                apply(&mut past.values, &event.changes.0, Side::Before);
                R::Input::given(&given::<R>(&past))
            };
            let record = R::change_in(transaction, &access, id, expected, change).await?;
            Ok(Some(record.version()))
        }
        (Some(_), None) => {
            let past = lost::<R>(transaction, event).await?;
            Ok(Some(R::revive_in(transaction, access, &past, past.version + 1).await?.version()))
        }
    }
}

/// Values that are no past of anything yet.
fn unborn(event: &history::Model, values: Map<String, Json>) -> Past {
    let (created_at, updated_at) = (event.at, event.at);
    Past { id: event.record_id, is_there: true, version: 0, values, created_at, updated_at }
}

/// What a record was that an event deleted, if it is still gone, with the last version it ever had. One statement.
///
/// # Errors
/// `Conflict` when it is there again.
pub async fn lost<R: Resource>(transaction: &DatabaseTransaction, event: &history::Model) -> Result<Past> {
    let events = history::all(transaction, R::NAME, event.record_id).await?;
    let now = Past::of(&events);
    if now.as_ref().is_some_and(|now| now.is_there) {
        return Err(Error::new(Code::Conflict, "It is there again."));
    }
    let past = Past::deleted_by(event, now.as_ref().map_or(event.at, |now| now.created_at));
    Ok(Past { version: now.map_or(past.version, |now| now.version), ..past })
}

/// The version of a record, if it is as an event left it although others came after it, such as one and its undoing. One
/// statement.
///
/// # Errors
/// When the database does not answer.
pub async fn as_left<R: Resource>(transaction: &DatabaseTransaction, event: &history::Model) -> Result<Option<i64>> {
    let events = history::all(transaction, R::NAME, event.record_id).await?;
    let left = Past::of(events.iter().take_while(|known| known.id <= event.id));
    let now = Past::of(&events);
    let same =
        |(left, now): (Past, Past)| (now.is_there && left.is_there && left.values == now.values).then_some(now.version);
    Ok(left.zip(now).and_then(same))
}

/// What is asked when a record is to be what it was.
#[derive(Debug, Clone)]
pub struct Wish {
    pub at: At,
    /// Why; kept with the event.
    pub reason: Option<String>,
    /// Do the same work, write nothing, and answer with what would change.
    pub dry_run: bool,
}

/// What a restoration did, or would do.
#[derive(Debug, Clone, Serialize)]
pub struct Restored<T> {
    pub dry_run: bool,
    /// Field name to `[before, after]`.
    pub changes: Map<String, Json>,
    pub record: T,
}

/// Makes a record what it was, by the same rules as a change; one that was deleted comes back under its id. Without a
/// difference nothing is written.
///
/// # Errors
/// `NotFound` when it did not exist then; `Stale` when it was decided on a version and the record was deleted since; those of
/// [`Resource::set_back_in`] and [`Resource::revive_in`].
pub async fn restore<R: Resource>(
    access: &Access<View<R>>,
    id: i64,
    expected: Expected,
    wish: Wish,
) -> Result<Restored<R::Record>> {
    demand_version(access, expected)?;
    let transaction = access.write().await?;
    let events = history::all(&transaction, R::NAME, id).await?;
    let now = Past::of(&events).ok_or_else(|| Error::not_found(R::SINGULAR))?;
    let then = then::<R>(&events, wish.at)?;
    let reason = wish.reason.map_or_else(|| wish.at.words(), |reason| format!("{reason} · {}", wish.at.words()));
    let access = access.meaning(Purpose { command: "restore", reason });
    let record = if now.is_there {
        R::set_back_in(&transaction, &access, id, expected, &then).await?
    // The page of what is gone names version 0.
    } else if matches!(expected, Expected::Version(version) if version > 0) {
        return Err(Error::new(Code::Stale, "Somebody deleted this record meanwhile."));
    } else {
        R::revive_in(&transaction, &access, &then, now.version + 1).await?
    };
    let is_new = !now.is_there || record.version() > now.version;
    let latest = history::all(&transaction, R::NAME, id).await?.pop().filter(|_| is_new);
    let changes = match latest.map(|event| event.changes.0) {
        Some(Json::Object(changes)) => changes,
        _ => Map::new(),
    };
    if wish.dry_run {
        transaction.rollback().await?;
    } else {
        transaction.commit().await?;
    }
    Ok(Restored { dry_run: wish.dry_run, changes, record })
}
