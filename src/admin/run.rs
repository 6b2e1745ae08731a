//! What was done to many records, with a result for each: kept for a week, so that the page of it can be read again.

use chrono::TimeDelta;
use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;

use super::table::{entered, title};
use super::{Outcome, Run};
use crate::access::gate::{Access, Enter, Permission};
use crate::base::time::stored::{Timestamp, now};
use crate::base::{Error, Result};
use crate::server::database::Database;

/// How long a run is kept.
const KEPT: TimeDelta = TimeDelta::days(7);

/// Outcomes that a page lists.
const SHOWN: usize = 200;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "admin_runs")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub user_id: i64,
    pub resource: String,
    pub what: String,
    pub written: bool,
    pub record: String,
    pub request_id: String,
    pub outcomes: Json,
    pub created_at: Timestamp,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// What is kept of a run.
#[derive(Debug)]
pub struct Kept {
    pub resource: &'static str,
    pub what: String,
    pub written: bool,
    pub outcomes: Vec<Outcome>,
    pub record: String,
}

/// Keeps a run of the person, and answers with its id.
///
/// # Errors
/// `Forbidden` for whoever is no person.
pub async fn keep(access: &Access<Enter>, kept: Kept) -> Result<String> {
    let id = Uuid::new_v4().to_string();
    let row = ActiveModel {
        id: Set(id.clone()),
        user_id: Set(owner(access)?),
        resource: Set(kept.resource.into()),
        what: Set(kept.what),
        written: Set(kept.written),
        record: Set(kept.record),
        request_id: Set(access.caller().request_id.clone()),
        outcomes: Set(serde_json::to_value(&kept.outcomes).map_err(|error| Error::internal(error.to_string()))?),
        created_at: Set(now()),
    };
    let transaction = access.write().await?;
    Entity::insert(row).exec_without_returning(&transaction).await?;
    transaction.commit().await?;
    Ok(id)
}

fn owner(access: &Access<Enter>) -> Result<i64> {
    access.caller().user_id().ok_or_else(|| Error::forbidden(&Enter::code()))
}

/// A run as its page shows it: what was refused first.
///
/// # Errors
/// `NotFound` for a run of somebody else, or of another week.
pub async fn read(id: &str) -> Result<Run> {
    let (access, _) = entered().await?;
    let run = Entity::find_by_id(id.to_owned()).filter(Column::UserId.eq(owner(&access)?)).one(access.reader()).await?;
    let run = run.ok_or_else(|| Error::not_found("page"))?;
    let mut outcomes: Vec<Outcome> =
        serde_json::from_value(run.outcomes).map_err(|error| Error::internal(error.to_string()))?;
    let refused = outcomes.iter().filter(|outcome| outcome.error.is_some()).count();
    let done = if run.written { outcomes.len() - refused } else { 0 };
    outcomes.sort_by_key(|outcome| outcome.error.is_none());
    outcomes.truncate(SHOWN);
    Ok(Run {
        title: run.what,
        back: (title(&run.resource), format!("/admin/{}", run.resource)),
        written: run.written,
        done,
        refused,
        outcomes,
        record: run.record,
        at: run.created_at.into(),
        request_id: run.request_id,
    })
}

/// Forgets runs of another week, and says how many.
///
/// # Errors
/// When the database does not answer.
pub async fn sweep(database: &Database) -> Result<u64> {
    let transaction = database.write().await?;
    let gone = Entity::delete_many().filter(Column::CreatedAt.lt(now() - KEPT)).exec(&transaction).await?;
    transaction.commit().await?;
    Ok(gone.rows_affected)
}
