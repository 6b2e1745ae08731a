//! Many records at once: what [`Resource`] does to one, in batches and within one transaction.

use std::collections::HashMap;

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{LockType, OnConflict, Query};
use sea_orm::{IdenStatic, Iterable, QueryOrder, QuerySelect, QueryTrait, TryIntoModel};
use serde_json::Value as Json;

use super::{Add, Change, Resource, Stored, column, stamp};
use crate::access::gate::Access;
use crate::base::column::rows;
use crate::base::form::Input;
use crate::base::time::stored::now;
use crate::base::{Result, fold};
use crate::history::entity::{self as history, Subject};
use crate::server::transaction::DatabaseTransaction;

/// How many rows go into one statement: both databases bind a limited number of values.
const BATCH: usize = 500;

/// How many keys are asked for in one statement.
const KEYS: usize = 1_000;

/// The records that have one of these keys in a unique field, by key. One statement for every thousand.
///
/// # Errors
/// When the database does not answer.
pub async fn keyed<R: Resource>(
    transaction: &DatabaseTransaction,
    field: &str,
    keys: &[String],
) -> Result<HashMap<String, R::Record>> {
    found::<R>(transaction, field, keys, None).await
}

/// As [`keyed`], and holds the records until the transaction ends: others who want to change them wait.
///
/// # Errors
/// When the database does not answer.
pub async fn held<R: Resource>(
    transaction: &DatabaseTransaction,
    field: &str,
    keys: &[String],
) -> Result<HashMap<String, R::Record>> {
    found::<R>(transaction, field, keys, Some(LockType::NoKeyUpdate)).await
}

async fn found<R: Resource>(
    transaction: &DatabaseTransaction,
    field: &str,
    keys: &[String],
    lock: Option<LockType>,
) -> Result<HashMap<String, R::Record>> {
    let column_of_key = column::<R>(&format!("{field}_key"))?;
    let mut records = HashMap::with_capacity(keys.len());
    for keys in keys.chunks(KEYS) {
        let mut select = R::find().filter(column_of_key.is_in(keys.iter().cloned())).order_by_asc(column::<R>("id")?);
        if let Some(lock) = lock {
            select = select.lock(lock);
        }
        for record in rows(transaction, select).await?.into_iter().map(R::read) {
            if let Some(Json::String(value)) = record.values().get(field) {
                records.insert(fold::key(value), record);
            }
        }
    }
    Ok(records)
}

/// Creates records whose inputs are complete, each with its event.
///
/// # Errors
/// `Conflict` at a value that is taken; then the transaction must end.
pub async fn create_all<R>(
    transaction: &DatabaseTransaction,
    access: &Access<Add<R>>,
    inputs: &[R::Input],
) -> Result<()>
where
    R: Resource<ActiveModel: TryIntoModel<R::Model>>,
{
    let at = now();
    for inputs in inputs.chunks(BATCH) {
        let mut rows = Vec::with_capacity(inputs.len());
        for input in inputs {
            let mut row = <R::ActiveModel as ActiveModelTrait>::default();
            R::fill(&mut row, input);
            stamp::<R>(&mut row, 1)?;
            row.set(column::<R>("created_at")?, at.into());
            row.set(column::<R>("updated_at")?, at.into());
            rows.push(row);
        }
        let mut insert = R::insert_many(rows.iter().cloned()).into_query();
        insert.returning(Query::returning().column(column::<R>("id")?));
        let ids = transaction.query_all(&insert).await?;
        let mut ids = ids.iter().map(|row| row.try_get_by_index::<i64>(0)).collect::<Result<Vec<_>, _>>()?;
        // Ids are drawn in the order of the rows, though they may come back in any.
        ids.sort_unstable();
        let mut made = Vec::with_capacity(rows.len());
        for (id, mut row) in ids.into_iter().zip(rows) {
            row.set(column::<R>("id")?, id.into());
            made.push(row.try_into_model()?);
        }
        let events = made.into_iter().map(R::read).map(|record| {
            let versions = (None, Some(record.version()));
            let subject = Subject { resource: R::NAME, id: record.id(), command: "create", versions, reason: None };
            history::row(access.caller(), subject, history::difference(None, Some(&record.values())), at)
        });
        history::record_all(transaction, events.collect()).await?;
    }
    Ok(())
}

/// Changes records that are [`held`] to what the inputs beside them say, each with its event.
///
/// # Errors
/// `Conflict` at a value that is taken; then the transaction must end.
pub async fn change_all<R: Resource>(
    transaction: &DatabaseTransaction,
    access: &Access<Change<R>>,
    changes: &[(R::Record, R::Input)],
) -> Result<()> {
    let kept = ["id", "created_at"];
    let written: Vec<_> = R::Column::iter().filter(|column| !kept.contains(&column.as_str())).collect();
    for changes in changes.chunks(BATCH) {
        let (mut rows, mut events) = (Vec::with_capacity(changes.len()), Vec::with_capacity(changes.len()));
        for (before, input) in changes {
            let version = before.version() + 1;
            let mut row = <R::ActiveModel as ActiveModelTrait>::default();
            R::fill(&mut row, input);
            let at = stamp::<R>(&mut row, version)?;
            row.set(column::<R>("id")?, before.id().into());
            row.set(column::<R>("created_at")?, at.into()); // the row is there: this is not written
            rows.push(row);
            let versions = (Some(before.version()), Some(version));
            let subject = Subject { resource: R::NAME, id: before.id(), command: "change", versions, reason: None };
            let difference = history::difference(Some(&before.values()), Some(&input.values()));
            events.push(history::row(access.caller(), subject, difference, at));
        }
        let update = OnConflict::column(column::<R>("id")?).update_columns(written.iter().copied()).to_owned();
        R::insert_many(rows).on_conflict(update).exec_without_returning(transaction).await?;
        history::record_all(transaction, events).await?;
    }
    Ok(())
}
