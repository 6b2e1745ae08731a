//! Whether the database takes writes.

use std::io;
use std::time::{Duration, Instant};

use sea_orm::sqlx::sqlite::SqliteConnectOptions;
use sea_orm::sqlx::{self, ConnectOptions as _, Connection as _, Row};
use sea_orm::{ConnectionTrait, Statement};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::database::Database;
use super::schema::{Schema, StepState};
use super::transaction::Transaction;
use super::writer::Place;
use crate::base::error::Code;
use crate::base::{Error, Result};

/// How long an answer holds for everybody who asks.
const FRESH: Duration = Duration::from_secs(1);

/// How long the database may take to commit the write of a check.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long a database counts as sound while others write and the check has to wait for its turn.
const BUSY: Duration = Duration::from_secs(30);

/// The last check, which whoever asks within [`FRESH`] shares.
#[derive(Default)]
pub(super) struct Readiness(Mutex<Last>);

#[derive(Default)]
struct Last {
    checked: Option<(Instant, Result<Ready>)>,
    /// When a write was committed.
    committed: Option<Instant>,
}

/// A database that can be worked with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ready {
    /// Steps of the schema that a later release applied and this one does not know.
    pub unknown_steps: usize,
}

/// A file of SQLite that is looked at by its path, as the next start would.
pub(super) struct Watched {
    pub place: Place,
    pub options: SqliteConnectOptions,
}

impl Readiness {
    /// Whether the schema is one to work with, and a write can be committed and read: by a write, at most once in [`FRESH`].
    ///
    /// # Errors
    /// `Unavailable` with what is wrong.
    pub async fn check(&self, database: &Database) -> Result<Ready> {
        if database.is_closed() {
            return Err(Error::new(Code::Unavailable, "The database is closed."));
        }
        let checking = async {
            let mut last = self.0.lock().await;
            if let Some((at, ready)) = &last.checked
                && at.elapsed() < FRESH
            {
                return ready.clone();
            }
            let ready = match checked(database).await {
                Ok((ready, Checked::Committed)) => {
                    last.committed = Some(Instant::now());
                    Ok(ready)
                }
                Ok((ready, Checked::Busy)) if last.committed.is_some_and(|at| at.elapsed() < BUSY) => Ok(ready),
                Ok((_, Checked::Busy)) => Err(slow()),
                Err(error) => Err(error),
            };
            last.checked = Some((Instant::now(), ready.clone()));
            ready
        };
        // Others may be at it.
        timeout(3 * PATIENCE, checking).await.unwrap_or_else(|_| Err(slow()))
    }
}

enum Checked {
    Committed,
    /// All writers are used by others.
    Busy,
}

fn slow() -> Error {
    Error::new(Code::Unavailable, "The database did not take a write in time.")
}

fn broken(detail: &str, internal: impl ToString) -> Error {
    Error { internal: Some(internal.to_string().into()), ..Error::new(Code::Unavailable, detail) }
}

async fn checked(database: &Database) -> Result<(Ready, Checked)> {
    if let Some(damage) = database.damage() {
        return Err(broken("The database file is damaged.", damage));
    }
    if let Some(watched) = database.watched() {
        watched.place.check().map_err(gone)?;
    }
    let ready = accepted(&database.schema().await?)?;
    Ok((ready, write(database).await?))
}

fn accepted(schema: &Schema) -> Result<Ready> {
    schema.accept()?;
    match schema.count(StepState::Missing) {
        0 => Ok(Ready { unknown_steps: schema.count(StepState::Unknown) }),
        missing => Err(Error::new(
            Code::Unavailable,
            format!("Steps of the schema that are missing: {missing}. Run `kontor migrate up`."),
        )),
    }
}

/// Commits a write and reads it.
async fn write(database: &Database) -> Result<Checked> {
    let transaction = match timeout(PATIENCE, database.write()).await {
        Ok(Ok(transaction)) => transaction,
        Err(_) if database.is_each_writer_used() => return Ok(Checked::Busy),
        Err(_) => return Err(slow()),
        Ok(Err(error)) => return Err(not_committed(&error)),
    };
    let stamp = uuid::Uuid::now_v7().to_string();
    let written = timeout(PATIENCE, written(transaction, &stamp)).await.map_err(|_| slow())?;
    written.map_err(|error| not_committed(&error))?;
    if let Some(watched) = database.watched() {
        let read = read(watched).await.map_err(|error| broken("The database file cannot be read.", error))?;
        if read != stamp {
            return Err(gone(io::Error::other("what was committed is not in the file at that path")));
        }
    }
    Ok(Checked::Committed)
}

fn not_committed(error: &Error) -> Error {
    broken("A write could not be committed.", error.internal.as_deref().unwrap_or(&error.detail))
}

fn gone(error: io::Error) -> Error {
    broken("The database file was deleted, moved or replaced under the running server.", error)
}

async fn written(transaction: Transaction, stamp: &str) -> Result<()> {
    let sql = "INSERT INTO readiness (id, stamp) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET stamp = excluded.stamp";
    let write = Statement::from_sql_and_values(transaction.get_database_backend(), sql, [stamp.into()]);
    transaction.execute_raw(write).await?;
    transaction.commit().await
}

/// What a connection of its own reads.
async fn read(watched: &Watched) -> sqlx::Result<String> {
    let mut connection = watched.options.connect().await?;
    let row = sqlx::query("SELECT stamp FROM readiness WHERE id = 1").fetch_one(&mut connection).await;
    connection.close().await?;
    row?.try_get(0)
}
