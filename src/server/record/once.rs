//! One-time keys of forms: a double click, or a form sent again after a lost answer, creates one record.

use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;

use crate::access::gate::Caller;
use crate::base::time::stored::Timestamp;
use crate::base::time::stored::now;
use crate::base::{Error, Result};
use crate::server::transaction::DatabaseTransaction;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "form_keys")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: String,
    pub user_id: i64,
    pub resource: String,
    pub record_id: i64,
    pub created_at: Timestamp,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The key a form carries, made when the form was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnceKey(String);

impl OnceKey {
    /// A fresh key.
    pub fn fresh() -> Self {
        Self(Uuid::now_v7().to_string())
    }

    /// The key as a form sent it back.
    ///
    /// # Errors
    /// `Invalid` when it is none of ours.
    pub fn parse(text: &str) -> Result<Self> {
        match Uuid::parse_str(text) {
            Ok(key) => Ok(Self(key.to_string())),
            Err(_) => Err(Error::field("once", "Open the form again: its key is not valid.")),
        }
    }

    /// The record this person already made with the key.
    pub(super) async fn spent(
        &self,
        transaction: &DatabaseTransaction,
        caller: &Caller,
        resource: &str,
    ) -> Result<Option<i64>> {
        let spent = Entity::find_by_id(self.key_of(caller)).one(transaction).await?;
        Ok(spent.filter(|spent| spent.resource == resource).map(|spent| spent.record_id))
    }

    /// Marks the key as used for this record. Of two at once, the second waits here and fails when the first commits.
    ///
    /// # Errors
    /// `Conflict` when it is used already.
    pub async fn spend(
        &self,
        transaction: &DatabaseTransaction,
        caller: &Caller,
        resource: &str,
        record_id: i64,
    ) -> Result<()> {
        let Some(user_id) = caller.user_id() else { return Ok(()) };
        Entity::insert(ActiveModel {
            key: Set(self.key_of(caller)),
            user_id: Set(user_id),
            resource: Set(resource.into()),
            record_id: Set(record_id),
            created_at: Set(now()),
        })
        .exec_without_returning(transaction)
        .await?;
        Ok(())
    }

    /// Keys of different people never meet.
    fn key_of(&self, caller: &Caller) -> String {
        format!("{}:{}", caller.user_id().unwrap_or_default(), self.0)
    }
}

impl std::fmt::Display for OnceKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Forgets keys older than a day.
///
/// # Errors
/// When the database does not answer.
pub async fn sweep(database: &crate::server::database::Database) -> Result<u64> {
    let transaction = database.write().await?;
    let old = now() - chrono::TimeDelta::days(1);
    let swept = Entity::delete_many().filter(Column::CreatedAt.lt(old)).exec(&transaction).await?;
    transaction.commit().await?;
    Ok(swept.rows_affected)
}
