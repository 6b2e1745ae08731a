//! Series: numbers drawn one after the other, each once, in the transaction that uses them.

use std::ops::RangeInclusive;

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{ActiveValue::Set, QuerySelect};

use crate::base::{Result, fold};
use crate::server::transaction::DatabaseTransaction;

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

/// Draws the next `count` numbers of a series, from 1, and writes them as values that nobody has yet: one that was brought
/// along by an import is left out. Others who draw from the series wait until this transaction ends.
///
/// # Errors
/// When the database does not answer.
pub async fn draw<E: EntityTrait>(
    transaction: &DatabaseTransaction,
    name: &str,
    count: usize,
    key: E::Column,
    written: impl Fn(i64) -> String,
) -> Result<Vec<String>> {
    let mut drawn = Vec::with_capacity(count);
    while drawn.len() < count {
        let values: Vec<_> = block(transaction, name, (count - drawn.len()).min(BLOCK)).await?.map(&written).collect();
        let keys = values.iter().map(|value| fold::key(value));
        let taken: Vec<String> =
            E::find().select_only().column(key).filter(key.is_in(keys)).into_tuple().all(transaction).await?;
        drawn.extend(values.into_iter().filter(|value| !taken.contains(&fold::key(value))));
    }
    Ok(drawn)
}

/// How many numbers are drawn in one statement.
const BLOCK: usize = 1_000;

async fn block(transaction: &DatabaseTransaction, name: &str, count: usize) -> Result<RangeInclusive<i64>> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let grown =
        OnConflict::column(Column::Name).value(Column::Last, Expr::col((Entity, Column::Last)).add(count)).to_owned();
    let series = Entity::insert(ActiveModel { name: Set(name.into()), last: Set(count) })
        .on_conflict(grown)
        .exec_with_returning(transaction)
        .await?;
    Ok(series.last - count + 1..=series.last)
}
