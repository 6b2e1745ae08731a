//! Newtypes over `i64` as columns: stored as the integer, on both databases.

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
    )+};
}

pub(crate) use integer_column;

use crate::base::money::{Money, Percent, Quantity, UnitPrice};

integer_column!(Money, UnitPrice, Percent, Quantity);
