//! What can be done with a record whose kind is only known by name: shown as it was, restored, and changes of it undone.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde::Serialize;
use serde_json::Value;

use super::AppState;
use super::database::Database;
use super::live;
use super::record::past::{self, Restored, Wish};
use super::record::{Expected, Resource, Stored, View, find};
use super::transaction::Transaction;
use crate::access::gate::{Access, Caller, Purpose};
use crate::base::error::Code;
use crate::base::{Error, Result};
use crate::history::entity::{Column, Entity, Model};
use crate::history::past::Past;
use crate::server::transaction::DatabaseTransaction;

/// The most events that are undone at once.
const MOST: usize = 10_000;

/// What comes sooner or later.
type Later<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// Who asks, and of which database.
#[derive(Debug, Clone)]
pub struct Asking {
    pub caller: Arc<Caller>,
    pub database: Database,
}

impl Asking {
    fn access<R: Resource>(&self) -> Result<Access<View<R>>> {
        Access::of(Arc::clone(&self.caller), self.database.clone())
    }
}

/// What people call a record, and the version it is at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Now {
    pub title: String,
    pub version: i64,
}

/// A kind of record.
#[derive(Clone)]
pub struct Kind {
    pub name: &'static str,
    pub singular: &'static str,
    /// The page of its list.
    pub path: &'static str,
    /// What one must hold to see its records.
    pub view: fn() -> String,
    /// Whether nobody reads it whom we do not know, and on pages nobody outside of the admin area.
    pub is_confidential: bool,
    begin: for<'a> fn(&'a Asking) -> Later<'a, Transaction>,
    undo: for<'a> fn(&'a DatabaseTransaction, &'a Asking, &'a Model, i64) -> Later<'a, Option<i64>>,
    as_left: for<'a> fn(&'a DatabaseTransaction, &'a Model) -> Later<'a, Option<i64>>,
    restore: fn(Asking, i64, Expected, Wish) -> Later<'static, Restored<Value>>,
    shown: fn(&Past) -> Result<Value>,
    now: for<'a> fn(&'a Asking, i64) -> Later<'a, Option<Now>>,
}

impl std::fmt::Debug for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kind").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Kind {
    /// The kind of records of `R`.
    pub fn of<R: Resource>() -> Self {
        Self {
            name: R::NAME,
            singular: R::SINGULAR,
            path: R::LISTING.path,
            view: || R::permission("view"),
            is_confidential: R::CONFIDENTIAL,
            begin: |asking| Box::pin(async move { asking.access::<R>()?.write().await }),
            undo: |transaction, asking, event, version| {
                Box::pin(async move { R::undo_in(transaction, &asking.access()?, event, version).await })
            },
            as_left: |transaction, event| Box::pin(past::as_left::<R>(transaction, event)),
            restore: |asking, id, expected, wish| {
                Box::pin(async move {
                    let Restored { dry_run, changes, record } =
                        past::restore::<R>(&asking.access()?, id, expected, wish).await?;
                    Ok(Restored { dry_run, changes, record: written(&record)? })
                })
            },
            shown: |past| written(&R::remembered(past)?),
            now: |asking, id| {
                Box::pin(async move {
                    match find::<R>(asking.access::<R>()?.reader(), id).await {
                        Ok(record) => {
                            let row = record.row();
                            Ok(Some(Now { title: row.text("name"), version: row.version }))
                        }
                        Err(error) if error.code == Code::NotFound => Ok(None),
                        Err(error) => Err(error),
                    }
                })
            },
        }
    }

    /// What a record is now; nothing when there is none.
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn now(&self, asking: &Asking, id: i64) -> Result<Option<Now>> {
        (self.now)(asking, id).await
    }

    /// A record as the API writes it, out of what its events say.
    ///
    /// # Errors
    /// `Conflict` when they do not tell everything.
    pub fn shown(&self, past: &Past) -> Result<Value> {
        (self.shown)(past)
    }

    /// See [`past::restore`].
    ///
    /// # Errors
    /// Those of [`past::restore`].
    pub async fn restore(&self, asking: Asking, id: i64, expected: Expected, wish: Wish) -> Result<Restored<Value>> {
        (self.restore)(asking, id, expected, wish).await
    }
}

fn written(record: &impl Serialize) -> Result<Value> {
    serde_json::to_value(record).map_err(|error| Error::internal(error.to_string()))
}

/// The kind of this name.
///
/// # Errors
/// `NotFound`.
pub fn named<'a>(kinds: &'a [Kind], name: &str) -> Result<&'a Kind> {
    kinds.iter().find(|kind| kind.name == name).ok_or_else(|| Error::not_found("kind of record"))
}

/// What undoing did, or would do.
#[derive(Debug, Clone, Serialize)]
pub struct Undone {
    pub dry_run: bool,
    /// How many events were taken back.
    pub undone: usize,
    /// The change that undoing is itself; undo it to have everything back.
    pub request_id: String,
    /// The page of the only record it was about, else of the list; for people.
    #[serde(skip)]
    pub page: String,
}

/// Undoes everything that was done in one request, by commands that lead back, in reverse order: all of it or nothing. It can
/// be undone as long as every record is as the change left it, nothing refers to what it created, and a command
/// leads back; and by whoever may give those commands.
///
/// # Errors
/// `NotFound` when nothing was done in such a request; `Forbidden`; `Conflict` with the reason why it cannot be undone.
pub async fn undo(
    state: &AppState,
    asking: &Asking,
    request_id: &str,
    reason: Option<String>,
    dry_run: bool,
) -> Result<Undone> {
    let unknown = || Error::new(Code::NotFound, "Nothing was changed, so there is nothing to undo.");
    if request_id.contains('\0') {
        return Err(unknown());
    }
    let select = Entity::find().filter(Column::RequestId.eq(request_id)).order_by_desc(Column::Id);
    let events = select.limit(u64::try_from(MOST).unwrap_or(u64::MAX) + 1).all(asking.database.reader()).await?;
    if events.len() > MOST {
        return Err(refused(format!("This changed more than {MOST} records, which is too much to undo at once.")));
    }
    // An import says what it did in an event of its own, about no record.
    let events: Vec<_> = events.into_iter().filter(|event| event.record_id != 0).collect();
    let first = events.first().ok_or_else(unknown)?;
    let undoes = format!("Undoes {request_id}");
    let reason = reason.map_or(undoes.clone(), |reason| format!("{reason} · {undoes}"));
    let caller = Caller { purpose: Some(Purpose { command: "undo", reason }), ..Caller::clone(&asking.caller) };
    let asking = Asking { caller: Arc::new(caller), database: asking.database.clone() };
    let told_as = asking.caller.request_id.clone();
    if events.iter().all(|event| event.resource == live::RESOURCE) {
        let access = Access::of(Arc::clone(&asking.caller), asking.database.clone())?;
        live::undo(state, &access, &events, dry_run).await?;
        return Ok(Undone { dry_run, undone: events.len(), request_id: told_as, page: live::PAGE.to_owned() });
    }
    let kind_of = |event: &Model| {
        let kind = state.kinds.iter().find(|kind| kind.name == event.resource);
        kind.ok_or_else(|| refused(no_way_back(&event.resource)))
    };
    let transaction = (kind_of(first)?.begin)(&asking).await?;
    // The version every record is at, as far as it was taken back.
    let mut versions: HashMap<(&str, i64), i64> = HashMap::new();
    let mut left = None;
    for event in &events {
        let (kind, key) = (kind_of(event)?, (event.resource.as_str(), event.record_id));
        if event.version_before.is_none() && event.version_after.is_none() {
            return Err(refused(format!(
                "What was done to the {} {} cannot be undone.",
                kind.singular, event.record_id
            )));
        }
        let known = versions.get(&key).copied();
        let version = known.or(event.version_after).or(event.version_before).unwrap_or_default();
        let mut done = (kind.undo)(&transaction, &asking, event, version).await;
        if let Err(Error { code: Code::Stale, .. }) = done
            && let Some(version) = (kind.as_left)(&transaction, event).await?
        {
            done = (kind.undo)(&transaction, &asking, event, version).await;
        }
        left = done.map_err(|error| told(kind, event, error))?;
        // What is gone keeps its version until it comes back with the next.
        versions.insert(key, left.unwrap_or(version));
    }
    let single = versions.len() == 1 && left.is_some();
    let path = kind_of(first)?.path;
    let page = if single { format!("{path}/{}", first.record_id) } else { path.to_owned() };
    let undone = Undone { dry_run, undone: events.len(), request_id: told_as, page };
    if dry_run {
        transaction.rollback().await?;
    } else {
        transaction.commit().await?;
    }
    Ok(undone)
}

/// Why what was done to something that is no record is not undone, and what to do instead.
fn no_way_back(resource: &str) -> String {
    match resource {
        "tokens" => {
            "What was done to a token is not undone: revoke one that was made, make a new one for one that was revoked."
                .into()
        }
        other => format!("What was done to {other} cannot be undone."),
    }
}

fn refused(detail: String) -> Error {
    Error::new(Code::Conflict, detail)
}

/// Why an event could not be taken back, naming the record.
fn told(kind: &Kind, event: &Model, error: Error) -> Error {
    let record = format!("The {} {}", kind.singular, event.record_id);
    match (error.code, &error.stale) {
        (Code::Stale, Some(stale)) => {
            let left = event.version_after.unwrap_or_default();
            let detail = format!(
                "{record} was changed since: it is at version {}, and this change left it at {left}.",
                stale.version
            );
            refused(detail)
        }
        (Code::NotFound, _) => refused(format!("{record} is gone by now.")),
        (Code::Conflict | Code::Invalid, _) => {
            let mut detail = format!("{record} cannot be set back. {}", error.detail);
            for messages in error.errors.values() {
                detail = format!("{detail} {}", messages.join(" "));
            }
            Error { detail, code: Code::Conflict, ..error }
        }
        _ => error,
    }
}
