//! Series: numbers drawn one after the other, each once, in the transaction that uses them.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{ActiveValue::Set, DatabaseTransaction};

use crate::base::{Error, Result};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "number_series")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    pub last: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Draws the next number of a series, from 1. Others who draw from it wait until this transaction ends.
///
/// # Errors
/// When the database does not answer.
pub async fn next(transaction: &DatabaseTransaction, name: &str) -> Result<i64> {
    let grown =
        OnConflict::column(Column::Name).value(Column::Last, Expr::col((Entity, Column::Last)).add(1)).to_owned();
    let series = Entity::insert(ActiveModel { name: Set(name.into()), last: Set(1) })
        .on_conflict(grown)
        .exec_with_returning(transaction)
        .await
        .map_err(Error::from)?;
    Ok(series.last)
}
