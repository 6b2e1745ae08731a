//! The event log: written by commands in their transaction, never changed.

use std::fmt;

use sea_orm::entity::prelude::*;
use sea_orm::{ActiveValue::Set, ConnectionTrait, QueryOrder, QuerySelect};
use serde_json::{Map, Value, json};

use super::{Event, SHOWN};
use crate::access::gate::{Actor, Caller, Permission};
use crate::access::security;
use crate::base::Result;
use crate::base::time::stored::Timestamp;
use crate::base::time::stored::now;
use crate::server::transaction::DatabaseTransaction;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "events")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub at: Timestamp,
    pub actor_kind: String,
    pub actor_id: Option<i64>,
    pub actor_name: String,
    pub door: String,
    pub request_id: String,
    pub resource: String,
    pub record_id: i64,
    pub command: String,
    pub reason: Option<String>,
    pub version_before: Option<i64>,
    pub version_after: Option<i64>,
    pub changes: Changes,
    /// In the order of commits, from 1; given soon after the commit, together with the hash (see [`super::chain`]).
    pub place: Option<i64>,
    pub hash: Option<String>,
}

/// What a command changed: field names with `[before, after]`, kept as JSON text on both databases, so that an event stays
/// letter for letter what was sealed (see [`super::chain`]).
#[derive(Clone, Debug, PartialEq, Eq, DeriveValueType)]
#[sea_orm(value_type = "String", column_type = "Text", from_str = "Changes::read")]
pub struct Changes(pub Json);

impl Changes {
    fn read(text: &str) -> serde_json::Result<Self> {
        serde_json::from_str(text).map(Self)
    }
}

impl fmt::Display for Changes {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(to)
    }
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The permission `history.view`.
#[derive(Debug)]
pub struct View;

impl Permission for View {
    const IN_ADMIN_AREA: bool = true;

    fn code() -> String {
        "history.view".into()
    }
}

/// What a command was done to.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    pub resource: &'static str,
    pub id: i64,
    pub command: &'static str,
    /// Before and after; absent where there is none.
    pub versions: (Option<i64>, Option<i64>),
    /// Why, in the caller's words.
    pub reason: Option<&'a str>,
}

/// Writes the event of a command into its transaction. `changes` maps field names to `[before, after]`.
///
/// # Errors
/// When it cannot be written; the command must fail with it.
pub async fn record(
    transaction: &DatabaseTransaction,
    caller: &Caller,
    subject: Subject<'_>,
    changes: Json,
) -> Result<()> {
    record_at(transaction, caller, subject, changes, now()).await
}

/// The same for a command that keeps its moment with the record too.
///
/// # Errors
/// When it cannot be written; the command must fail with it.
pub async fn record_at(
    transaction: &DatabaseTransaction,
    caller: &Caller,
    subject: Subject<'_>,
    changes: Json,
    at: Timestamp,
) -> Result<()> {
    security::follow(transaction, caller, &subject, &changes).await?;
    Entity::insert(row(caller, subject, changes, at)).exec_without_returning(transaction).await?;
    Ok(())
}

/// How many events go into one statement.
const BATCH: usize = 1_000;

/// Writes the events of a command that was done to many.
///
/// # Errors
/// When they cannot be written; the command must fail with them.
pub async fn record_all(transaction: &DatabaseTransaction, events: Vec<ActiveModel>) -> Result<()> {
    let mut events = events.into_iter();
    loop {
        let batch: Vec<_> = events.by_ref().take(BATCH).collect();
        if batch.is_empty() {
            break;
        }
        Entity::insert_many(batch).exec_without_returning(transaction).await?;
    }
    Ok(())
}

/// The event of a command as a row, for those who write many at once.
pub fn row(caller: &Caller, subject: Subject<'_>, changes: Json, at: Timestamp) -> ActiveModel {
    let purpose = caller.purpose.as_ref();
    let command = purpose.map_or(subject.command, |purpose| purpose.command);
    let reason = purpose.map_or(subject.reason, |purpose| Some(purpose.reason.as_str()));
    let (actor_kind, actor_id, actor_name) = match &caller.actor {
        Actor::Anonymous => ("anonymous", None, "Anonymous"),
        Actor::User { id, name, .. } => ("user", Some(*id), name.as_str()),
        Actor::Token { id, name, .. } => ("token", Some(*id), name.as_str()),
        Actor::System => ("system", None, "Kontor"),
    };
    ActiveModel {
        at: Set(at),
        actor_kind: Set(actor_kind.into()),
        actor_id: Set(actor_id),
        actor_name: Set(actor_name.into()),
        door: Set(caller.door.name().into()),
        request_id: Set(caller.request_id.clone()),
        resource: Set(subject.resource.into()),
        record_id: Set(subject.id),
        command: Set(command.into()),
        reason: Set(reason.map(str::to_owned)),
        version_before: Set(subject.versions.0),
        version_after: Set(subject.versions.1),
        changes: Set(Changes(changes)),
        ..Default::default()
    }
}

/// The fields in which two sets of values differ, as `[before, after]`; an absent set counts as all blank.
pub fn difference(before: Option<&Map<String, Value>>, after: Option<&Map<String, Value>>) -> Json {
    let value = |values: Option<&Map<String, Value>>, name: &str| {
        values.and_then(|values| values.get(name)).cloned().unwrap_or(Value::Null)
    };
    let names = before.into_iter().chain(after).flat_map(Map::keys);
    let mut changes = Map::new();
    for name in names {
        let (old, new) = (value(before, name), value(after, name));
        if old != new {
            changes.insert(name.clone(), json!([old, new]));
        }
    }
    Value::Object(changes)
}

/// The latest events of a record, the newest first. One statement.
///
/// # Errors
/// When the database does not answer.
pub async fn of(db: &impl ConnectionTrait, resource: &str, id: i64) -> Result<Vec<Event>> {
    before(db, resource, id, i64::MAX).await
}

/// The latest events of a record before one of them, the newest first. One statement, as fast at any depth.
///
/// # Errors
/// When the database does not answer.
pub async fn before(db: &impl ConnectionTrait, resource: &str, id: i64, event: i64) -> Result<Vec<Event>> {
    let events = told(resource, id).filter(Column::Id.lt(event)).order_by_desc(Column::Id).limit(SHOWN as u64);
    Ok(events.all(db).await?.into_iter().map(Event::from).collect())
}

/// Everything that happened to a record, the oldest first. One statement.
///
/// # Errors
/// When the database does not answer.
pub async fn all(db: &impl ConnectionTrait, resource: &str, id: i64) -> Result<Vec<Model>> {
    Ok(told(resource, id).order_by_asc(Column::Id).all(db).await?)
}

fn told(resource: &str, id: i64) -> Select<Entity> {
    Entity::find().filter(Column::Resource.eq(resource)).filter(Column::RecordId.eq(id))
}

impl From<Model> for Event {
    fn from(event: Model) -> Self {
        Self {
            id: event.id,
            at: event.at.into(),
            actor: event.actor_name,
            actor_kind: event.actor_kind,
            door: event.door,
            request_id: event.request_id,
            command: event.command,
            reason: event.reason,
            version_before: event.version_before,
            version_after: event.version_after,
            changes: match event.changes.0 {
                Value::Object(changes) => changes,
                _ => Map::new(),
            },
        }
    }
}
