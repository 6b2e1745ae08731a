//! Columns: newtypes over `i64`, stored as the integer on both databases; rows that are read by the places of their columns, and
//! statements whose text is written once.

use std::sync::{Arc, OnceLock};

use sea_orm::sqlx::{Decode, Row, Sqlite, ValueRef};
use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, EntityTrait, QueryResult, QueryTrait, RuntimeErr, Select, Statement, TryGetable,
    Value, Values,
};

use crate::base::money::{Money, Percent, Quantity, UnitPrice};
use crate::base::time::stored::{Day, Timestamp, day_of_sqlite, timestamp_of_sqlite};

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

/// A row that is read by the places of its columns. SeaORM looks each of them up by its name, and writes a message for each that
/// is blank: with rows as long as an order's that costs as much as all else that is done with them.
pub trait Placed: Sized {
    /// Reads a row of a statement that selects its columns first, in the order of their declaration, as `find()` does with those
    /// of a table.
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

cells!(i64, bool, String, serde_json::Value);

/// Times of SQLite are texts, nearly always written as we write them: to read just that takes a fraction of what it takes to
/// find out how a text is meant.
macro_rules! timely_cells {
    ($($type:ty: $read:path),+) => {$(
        impl Cell for $type {
            fn at(row: &QueryResult, place: usize) -> Result<Self, DbErr> {
                let value = row.try_as_sqlite_row().and_then(|row| row.try_get_raw(place).ok());
                let text = value.and_then(|value| <&str as Decode<Sqlite>>::decode(value).ok());
                match text.and_then($read) {
                    Some(time) => Ok(time),
                    None => row.try_get_by_index(place),
                }
            }
        }
    )+};
}

timely_cells!(Timestamp: timestamp_of_sqlite, Day: day_of_sqlite);

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

/// Declares a row, that of a table or another, as [`Placed`].
macro_rules! placed_row {
    ($(#[$meta:meta])* $seen:vis struct $name:ident { $($body:tt)* }) => {
        $(#[$meta])*
        $seen struct $name { $($body)* }

        crate::base::column::placed_row!(@read $name $($body)*);
    };
    (@read $name:ident $($(#[$meta:meta])* $seen:vis $field:ident: $type:ty),+ $(,)?) => {
        impl crate::base::column::Placed for $name {
            fn of(row: &sea_orm::QueryResult) -> std::result::Result<Self, sea_orm::DbErr> {
                let mut places = 0..;
                let mut next = || places.next().unwrap_or_default();
                Ok(Self { $($field: crate::base::column::Cell::at(row, next())?),+ })
            }
        }
    };
}

pub(crate) use {integer_column, placed_row};

integer_column!(Money, UnitPrice, Percent, Quantity);

/// All rows that a statement finds. One statement.
///
/// # Errors
/// When the database does not answer.
pub async fn rows<E>(db: &impl ConnectionTrait, select: Select<E>) -> Result<Vec<E::Model>, DbErr>
where
    E: EntityTrait<Model: Placed>,
{
    db.query_all(&select.into_query()).await?.iter().map(E::Model::of).collect()
}

/// A statement that every request runs, with other values: its text is written once for each kind of database.
#[derive(Debug, Default)]
pub struct Written {
    sqlite: OnceLock<String>,
    postgres: OnceLock<String>,
}

impl Written {
    pub const fn new() -> Self {
        Self { sqlite: OnceLock::new(), postgres: OnceLock::new() }
    }

    /// All rows that the statement finds. `values` are those of `select`, in the order in which its text names them. One
    /// statement.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn rows<E: EntityTrait, R: Placed>(
        &self,
        db: &impl ConnectionTrait,
        values: Vec<Value>,
        select: impl FnOnce() -> Select<E>,
    ) -> Result<Vec<R>, DbErr> {
        let backend = db.get_database_backend();
        let text = if backend == DbBackend::Postgres { &self.postgres } else { &self.sqlite };
        let text = text.get_or_init(|| {
            let written = select().build(backend);
            debug_assert_eq!(written.values.map(|values| values.0).as_ref(), Some(&values), "{}", written.sql);
            written.sql
        });
        let statement = Statement { sql: text.clone(), values: Some(Values(values)), db_backend: backend };
        db.query_all_raw(statement).await?.iter().map(R::of).collect()
    }
}
