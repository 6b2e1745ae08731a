//! Columns: newtypes over `i64`, stored as the integer on both databases, and rows that are read by the places of their columns.

use std::sync::Arc;

use sea_orm::sqlx::{Row, ValueRef};
use sea_orm::{ConnectionTrait, DbErr, EntityTrait, QueryResult, QueryTrait, RuntimeErr, Select, TryGetable};

use crate::base::money::{Money, Percent, Quantity, UnitPrice};
use crate::base::time::stored::{Day, Timestamp};

/// Implements what SeaORM asks of a column type, and of a primary key, for newtypes over `i64`.
macro_rules! integer_column {
    ($($name:ty),+ $(,)?) => {$(
        impl From<$name> for sea_orm::Value {
            fn from(value: $name) -> Self {
                sea_orm::Value::BigInt(Some(i64::from(value)))
            }
        }

        impl sea_orm::TryGetable for $name {
            fn try_get_by<I: sea_orm::ColIdx>(
                row: &sea_orm::QueryResult,
                index: I,
            ) -> std::result::Result<Self, sea_orm::TryGetError> {
                <i64 as sea_orm::TryGetable>::try_get_by(row, index).map(<$name>::from)
            }
        }

        impl sea_orm::sea_query::ValueType for $name {
            fn try_from(value: sea_orm::Value) -> std::result::Result<Self, sea_orm::sea_query::ValueTypeErr> {
                <i64 as sea_orm::sea_query::ValueType>::try_from(value).map(<$name>::from)
            }

            fn type_name() -> String {
                stringify!($name).to_owned()
            }

            fn array_type() -> sea_orm::sea_query::ArrayType {
                sea_orm::sea_query::ArrayType::BigInt
            }

            fn column_type() -> sea_orm::sea_query::ColumnType {
                sea_orm::sea_query::ColumnType::BigInteger
            }
        }

        impl sea_orm::sea_query::Nullable for $name {
            fn null() -> sea_orm::Value {
                sea_orm::Value::BigInt(None)
            }
        }

        impl sea_orm::IntoActiveValue<$name> for $name {
            fn into_active_value(self) -> sea_orm::ActiveValue<$name> {
                sea_orm::ActiveValue::Set(self)
            }
        }

        impl sea_orm::TryFromU64 for $name {
            fn try_from_u64(id: u64) -> std::result::Result<Self, sea_orm::DbErr> {
                <i64 as sea_orm::TryFromU64>::try_from_u64(id).map(<$name>::from)
            }
        }

        impl crate::base::column::Cell for $name {}
    )+};
}

/// A row of a table that is read by the places of its columns. SeaORM looks each of them up by its name, and writes a message for
/// each that is blank: with rows as long as an order's that costs as much as all else that is done with them.
pub trait TableRow: sea_orm::ModelTrait + sea_orm::FromQueryResult {
    /// Reads a row of a statement that selects the table's columns first, in the order of their declaration, as `find()` does.
    ///
    /// # Errors
    /// When a column has another type, or the row fewer columns.
    fn of(row: &QueryResult) -> Result<Self, DbErr>;
}

/// The value of a column, by its place.
pub trait Cell: TryGetable {
    /// # Errors
    /// When there is no such column, or it is of another type.
    fn at(row: &QueryResult, place: usize) -> Result<Self, DbErr> {
        row.try_get_by_index(place)
    }
}

macro_rules! cells {
    ($($type:ty),+) => { $(impl Cell for $type {})+ };
}

cells!(i64, bool, String, Timestamp, Day);

impl<T: Cell> Cell for Option<T> {
    fn at(row: &QueryResult, place: usize) -> Result<Self, DbErr> {
        let blank = match (row.try_as_sqlite_row(), row.try_as_pg_row()) {
            (Some(row), _) => row.try_get_raw(place).map(|value| value.is_null()),
            (_, Some(row)) => row.try_get_raw(place).map(|value| value.is_null()),
            _ => Ok(false),
        };
        match blank {
            Ok(true) => Ok(None),
            Ok(false) => T::at(row, place).map(Some),
            Err(error) => Err(DbErr::Query(RuntimeErr::SqlxError(Arc::new(error)))),
        }
    }
}

/// Declares the row of a table as a [`TableRow`].
macro_rules! table_row {
    ($(#[$meta:meta])* pub struct Model { $($body:tt)* }) => {
        $(#[$meta])*
        pub struct Model { $($body)* }

        crate::base::column::table_row!(@read $($body)*);
    };
    (@read $($(#[$meta:meta])* pub $field:ident: $type:ty),+ $(,)?) => {
        impl crate::base::column::TableRow for Model {
            fn of(row: &sea_orm::QueryResult) -> std::result::Result<Self, sea_orm::DbErr> {
                let mut places = 0..;
                let mut next = || places.next().unwrap_or_default();
                Ok(Self { $($field: crate::base::column::Cell::at(row, next())?),+ })
            }
        }
    };
}

pub(crate) use {integer_column, table_row};

integer_column!(Money, UnitPrice, Percent, Quantity);

/// All rows that a statement finds. One statement.
///
/// # Errors
/// When the database does not answer.
pub async fn rows<E>(db: &impl ConnectionTrait, select: Select<E>) -> Result<Vec<E::Model>, DbErr>
where
    E: EntityTrait<Model: TableRow>,
{
    db.query_all(&select.into_query()).await?.iter().map(E::Model::of).collect()
}
