//! The borders an [`Error`] crosses: drivers' errors come in, answers go out. Nothing of a driver's text gets past here.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use sea_orm::{DbErr, RuntimeErr, SqlErr};

use super::{Code, Error, retry};

/// What is said of a change of which nobody knows whether it was saved.
pub const UNCERTAIN: &str =
    "This may have been saved. Look before you try again; a request with the same Idempotency-Key tells.";

impl From<DbErr> for Error {
    /// Violations of the schema become errors at the field that their constraint is named after; anything else is a
    /// failure of ours.
    fn from(error: DbErr) -> Self {
        if driver_error(&error).is_some_and(retry::observe) {
            return waiting(
                &error,
                "Others changed the same records at the same time. Nothing was saved; try again in a moment.",
            );
        }
        let translated = match error.sql_err() {
            Some(SqlErr::UniqueConstraintViolation(_)) => {
                Some(unique_field(&error).map_or_else(key_taken, Error::taken))
            }
            Some(SqlErr::ForeignKeyConstraintViolation(_)) => {
                Some(Error::new(Code::Conflict, "Other records refer to this one, or it refers to one that is gone."))
            }
            _ => checked_field(&error).map(|field| Error::field(field, "This value is out of range.")),
        };
        match translated {
            Some(refusal) => Error { internal: Some(error.to_string().into()), ..refusal },
            None if is_code(&error, LOCK_NOT_AVAILABLE) => {
                waiting(&error, "Another change of the same record is under way. Try again in a moment.")
            }
            None if is_code(&error, QUERY_CANCELED) => {
                waiting(&error, "This took the database too long and was stopped. Try again in a moment.")
            }
            None if is_busy(&error) => waiting(&error, "The database is busy. Try again in a moment."),
            None if is_away(&error) => Error {
                retry_after: Some(2),
                internal: Some(error.to_string().into()),
                ..Error::new(Code::Unavailable, "The database does not answer. Try again in a moment.")
            },
            None => Error::internal(format!("database: {error}")),
        }
    }
}

/// PostgreSQL's code for a lock that was not to be had within `lock_timeout`.
const LOCK_NOT_AVAILABLE: &str = "55P03";

/// PostgreSQL's code for a statement that ran longer than `statement_timeout`, or that somebody cancelled.
const QUERY_CANCELED: &str = "57014";

/// A refusal that a repetition may not meet.
fn waiting(error: &DbErr, detail: &str) -> Error {
    Error { retry_after: Some(1), internal: Some(error.to_string().into()), ..Error::new(Code::Unavailable, detail) }
}

fn is_code(error: &DbErr, code: &str) -> bool {
    database_error(error).is_some_and(|error| error.code().as_deref() == Some(code))
}

/// Whether the database could not be reached, or went away while it worked: PostgreSQL that stops, starts or was killed, or the
/// way to it. Nobody knows of a transaction whose commit was under way whether it was carried out.
fn is_away(error: &DbErr) -> bool {
    use sea_orm::sqlx::Error as Driver;

    let broken = |error: &Driver| {
        matches!(
            error,
            Driver::Io(_)
                | Driver::Tls(_)
                | Driver::Protocol(_)
                | Driver::PoolTimedOut
                | Driver::PoolClosed
                | Driver::WorkerCrashed
        )
    };
    let driver = match (driver_error(error), error) {
        (Some(driver), _) => driver,
        (None, DbErr::Conn(_)) => return true,
        _ => return false,
    };
    let code = driver.as_database_error().and_then(|error| error.code());
    // Connection exceptions, too many of them, PostgreSQL stopping, crashing or starting, and a transaction or a session that
    // stood still for too long.
    let stopping = |code: &str| {
        code.starts_with("08") || matches!(code, "53300" | "57P01" | "57P02" | "57P03" | "25P03" | "57P05")
    };
    broken(driver) || code.as_deref().is_some_and(stopping)
}

fn driver_error(error: &DbErr) -> Option<&sea_orm::sqlx::Error> {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(error))
        | DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error)) => Some(error),
        _ => None,
    }
}

fn database_error(error: &DbErr) -> Option<&dyn sea_orm::sqlx::error::DatabaseError> {
    driver_error(error)?.as_database_error()
}

/// A primary key is taken, which is no value of anybody's.
fn key_taken() -> Error {
    Error::new(Code::Conflict, "A value that must be unique is taken.")
}

/// SQLite's code for a primary key that is taken.
const PRIMARY_KEY_TAKEN: &str = "1555";

/// The field of a violated `uq_<table>_<field>`, or of the columns SQLite names instead (`table.field_key`). A primary key
/// has none.
fn unique_field(error: &DbErr) -> Option<String> {
    let error = database_error(error)?;
    if let Some(index) = error.constraint().and_then(|name| name.strip_prefix("uq_")) {
        return without_table(index, error.table()?);
    }
    if error.code().as_deref() == Some(PRIMARY_KEY_TAKEN) {
        return None;
    }
    let column = error.message().rsplit_once(": ")?.1.split(',').next()?.split_once('.')?.1;
    Some(column.trim_end_matches("_key").trim_end_matches("_id").to_owned())
}

/// The field of a violated `ck_<table>_<field>`. SQLite does not name the table; ours are plurals, so the field begins after
/// the first one (`ck_order_items_tax_rate`).
fn checked_field(error: &DbErr) -> Option<String> {
    let error = database_error(error)?;
    if let Some(table) = error.table() {
        return without_table(error.constraint()?.strip_prefix("ck_")?, table);
    }
    let (_, name) = error.message().split_once("CHECK constraint failed: ck_")?;
    name.split_once("s_").map(|(_, field)| field.to_owned())
}

fn without_table(name: &str, table: &str) -> Option<String> {
    Some(name.strip_prefix(table)?.strip_prefix('_')?.to_owned())
}

/// Whether a pool had no connection in time, or SQLite's writer was held too long by another process.
pub(crate) fn is_busy(error: &DbErr) -> bool {
    matches!(error, DbErr::ConnectionAcquire(_))
        || database_error(error).is_some_and(|error| matches!(error.code().as_deref(), Some("5" | "517")))
}

impl Error {
    /// A change of which nobody knows whether it was saved: the answer to its COMMIT was lost, or the disk did not confirm it.
    /// `internal` goes to the log.
    pub fn uncertain(internal: impl Into<String>) -> Self {
        Self { internal: Some(internal.into().into_boxed_str()), ..Self::new(Code::Unavailable, UNCERTAIN) }
    }
}

impl IntoResponse for Error {
    /// Only the status, and the error as an extension: the outermost layer knows who asked and words the answer.
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Error::internal(error.to_string())
    }
}
