//! The transaction of a command and its savepoints, on a connection that is known to be in no other transaction.
//!
//! sqlx counts for itself how many transactions and savepoints a connection is in, and SQLite may end a transaction without
//! telling it: when the disk is full, after an I/O error, when it is interrupted or out of memory. The count is wrong from then
//! on, a savepoint stays open, and whatever the connection "commits" later is committed to that savepoint and lost. PostgreSQL in
//! turn answers the COMMIT of a transaction in which a statement failed with a rollback that sqlx takes for a success. So the
//! statements that begin and end a transaction are sent from here, and no count is kept:
//!
//! * A connection goes back to the pool only after a COMMIT or ROLLBACK that succeeded. In every other case (an error that is
//!   not a refusal of the statement, a future that is dropped halfway, a panic) it is closed, which ends its transaction.
//! * After such an error the transaction runs nothing any more, so nothing can be written outside of it. On SQLite, the end of a
//!   connection's thread is such an error; see [`super::complete`].
//! * On SQLite, a COMMIT that succeeds has committed: there is always a transaction, begun by BEGIN, and COMMIT ends it together
//!   with its savepoints. On PostgreSQL the COMMIT follows a statement in the same message, which fails where the transaction
//!   has failed, so that the COMMIT is not reached.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sea_orm::sqlx::pool::PoolConnection;
use sea_orm::sqlx::postgres::{PgDatabaseError, PgSeverity};
use sea_orm::sqlx::{self, AssertSqlSafe, Connection as _, Executor, Postgres, Sqlite};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement, Values,
};
use sea_query_sqlx::SqlxValues;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::timeout;

use super::complete;
use super::database::Statements;
use super::outcome::{self, Sent};
use super::postgres::Lease;
use super::reader::not_acquired;
use super::writer::Disk;
use crate::base::error::retry;
use crate::base::{Error, Result};

/// Begins a transaction that writes. SQLite's takes the lock of the one writer at once.
const BEGIN: [&str; 2] = ["BEGIN IMMEDIATE", "BEGIN"];

/// Begins a transaction that reads every table as it is at its first statement.
const BEGIN_SNAPSHOT: [&str; 2] = ["BEGIN", "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"];

/// Commits. In a transaction that has failed, PostgreSQL refuses the statement before it, which costs next to nothing, and never
/// reaches the COMMIT.
const COMMIT: [&str; 2] = ["COMMIT", "CLOSE ALL; COMMIT"];

/// How long a BEGIN, a ROLLBACK and a COMMIT may take until their connection is closed. SQLite gives up its own wait for another
/// process earlier.
const BEGIN_PATIENCE: Duration = Duration::from_secs(15);
const ROLLBACK_PATIENCE: Duration = Duration::from_secs(2);
const COMMIT_PATIENCE: Duration = Duration::from_secs(30);

/// Primary result codes of SQLite: <https://www.sqlite.org/rescode.html>.
pub(super) mod sqlite {
    pub const ERROR: i32 = 1;
    pub const BUSY: i32 = 5;
    pub const INTERRUPT: i32 = 9;
    pub const FULL: i32 = 13;
    pub const CONSTRAINT: i32 = 19;
    pub const CORRUPT: i32 = 11;
    pub const NOTADB: i32 = 26;
}

/// SQLite's extended result codes of violated constraints: CHECK, FOREIGNKEY, NOTNULL, PRIMARYKEY, UNIQUE, ROWID.
const VIOLATIONS: &[&str] = &["275", "787", "1299", "1555", "2067", "2579"];

/// The transaction of a command. Dropped, it is rolled back.
pub struct Transaction {
    work: DatabaseTransaction,
    disk: Option<Arc<Disk>>,
}

/// A part of a transaction that can be rolled back alone. Dropped without [`Savepoint::release`] or [`Savepoint::rollback`], it
/// leaves a transaction that cannot be committed any more.
pub struct Savepoint {
    work: DatabaseTransaction,
    is_settled: bool,
}

/// What runs statements within a transaction or a savepoint.
pub struct DatabaseTransaction {
    session: Arc<Session>,
    /// How many savepoints it is in.
    depth: u32,
}

/// A connection in a transaction.
struct Session {
    backend: DbBackend,
    /// The turn of PostgreSQL's connection. Dropped before it is settled, it has the server cancel what the connection runs.
    lease: Mutex<Option<Lease>>,
    /// Absent once the transaction is over.
    lent: Mutex<Option<Lent>>,
    /// Whether a statement is under way, or failed in a way that leaves the state of the connection unknown.
    is_doubtful: AtomicBool,
    statements: Arc<Statements>,
}

/// A connection that is closed when it is dropped, unless it was given back.
struct Lent(Option<Connection>);

enum Connection {
    Sqlite(PoolConnection<Sqlite>),
    Postgres(PoolConnection<Postgres>),
}

/// The right to run one statement.
struct Turn<'a> {
    lent: MutexGuard<'a, Option<Lent>>,
    session: &'a Session,
}

impl Transaction {
    /// Begins a transaction on a connection of `pool`, and waits for both.
    pub(super) async fn begin(
        pool: &DatabaseConnection,
        statements: Arc<Statements>,
        disk: Option<Arc<Disk>>,
    ) -> Result<Self, DbErr> {
        Self::begin_by(BEGIN, pool, statements, disk).await
    }

    /// Begins a transaction that only reads, on a connection of `pool`, and sees every table as it is at its first statement.
    pub(super) async fn snapshot(pool: &DatabaseConnection, statements: Arc<Statements>) -> Result<Self, DbErr> {
        Self::begin_by(BEGIN_SNAPSHOT, pool, statements, None).await
    }

    /// Begins a transaction that writes, on a connection of PostgreSQL's.
    pub(super) async fn begin_leased(lease: Lease, statements: Arc<Statements>) -> Result<Self, DbErr> {
        let lent = begun(lease.pool()?, BEGIN).await?;
        Ok(Self::over(lent, DbBackend::Postgres, Some(lease), statements, None))
    }

    async fn begin_by(
        begin: [&str; 2],
        pool: &DatabaseConnection,
        statements: Arc<Statements>,
        disk: Option<Arc<Disk>>,
    ) -> Result<Self, DbErr> {
        Ok(Self::over(begun(pool, begin).await?, pool.get_database_backend(), None, statements, disk))
    }

    fn over(
        lent: Lent,
        backend: DbBackend,
        lease: Option<Lease>,
        statements: Arc<Statements>,
        disk: Option<Arc<Disk>>,
    ) -> Self {
        let session = Session {
            backend,
            lease: Mutex::new(lease),
            lent: Mutex::new(Some(lent)),
            is_doubtful: AtomicBool::new(false),
            statements,
        };
        Self { work: DatabaseTransaction { session: Arc::new(session), depth: 0 }, disk }
    }

    /// Commits. Returns when it is on the disk, as far as the settings want that.
    ///
    /// # Errors
    /// `Unavailable` when nobody knows whether it was committed, or whether it is on the disk; with any other error nothing
    /// was saved.
    pub async fn commit(self) -> Result<()> {
        let sent = outcome::sent();
        let (sent, disk) = self.committed(sent).await?;
        if let Some(disk) = disk {
            disk.flushed().await?;
        }
        sent.saved();
        Ok(())
    }

    /// The same without waiting for the disk, for what would be done again in the same way after a power cut.
    ///
    /// # Errors
    /// Those of [`Transaction::commit`].
    pub async fn commit_unflushed(self) -> Result<()> {
        let (sent, _) = self.committed(outcome::sent()).await?;
        sent.saved();
        Ok(())
    }

    async fn committed(self, sent: Sent) -> Result<(Sent, Option<Arc<Disk>>)> {
        let session = &self.work.session;
        let mut lent = match session.finished().await {
            Ok(lent) => lent,
            Err(error) => {
                sent.rolled_back();
                return Err(error.into());
            }
        };
        match within(COMMIT_PATIENCE, lent.run(of(session.backend, COMMIT))).await {
            Ok(()) => retry::committed(),
            Err(error) if is_rolled_back(&error) => {
                sent.rolled_back();
                return Err(not_executed(error).into());
            }
            Err(error) => {
                retry::committed();
                return Err(Error::uncertain(format!("a COMMIT without a clear answer: {error}")));
            }
        }
        lent.give_back();
        session.settle().await;
        if let Some(disk) = &self.disk {
            disk.committed();
        }
        Ok((sent, self.disk))
    }

    /// Rolls back.
    ///
    /// # Errors
    /// When the database does not answer. The transaction is rolled back all the same, as its connection is closed.
    pub async fn rollback(self) -> Result<()> {
        let lent = self.work.session.finished().await?;
        lent.roll_back().await.map_err(not_executed)?;
        self.work.session.settle().await;
        Ok(())
    }
}

/// A connection of `pool` on which a transaction was begun.
async fn begun(pool: &DatabaseConnection, begin: [&str; 2]) -> Result<Lent, DbErr> {
    let begin = of(pool.get_database_backend(), begin);
    let mut lent = Lent::of(pool).await?;
    // Others than transactions of this module may have left one open.
    if lent.is_in_transaction() {
        drop(lent);
        lent = Lent::of(pool).await?;
    }
    // The thread of a connection may have died while it was opened.
    match within(BEGIN_PATIENCE, lent.run(begin)).await {
        Ok(()) => Ok(lent),
        Err(error) if sqlite_code(&error) == Some(sqlite::BUSY) => {
            lent.give_back();
            Err(not_executed(error))
        }
        // SQLite is in a transaction that sqlx does not know of.
        Err(error) if sqlite_code(&error) == Some(sqlite::ERROR) => {
            drop(lent);
            let mut lent = Lent::of(pool).await?;
            within(BEGIN_PATIENCE, lent.run(begin)).await.map_err(not_executed)?;
            Ok(lent)
        }
        Err(error) => Err(not_executed(error)),
    }
}

impl Savepoint {
    /// Keeps what was done since, as part of the transaction.
    ///
    /// # Errors
    /// When the database refuses it or does not answer.
    pub async fn release(mut self) -> Result<(), DbErr> {
        let name = self.work.depth;
        self.work.session.control(&format!("RELEASE SAVEPOINT s{name}")).await?;
        self.is_settled = true;
        Ok(())
    }

    /// Rolls back what was done since, and nothing else.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn rollback(mut self) -> Result<(), DbErr> {
        let name = self.work.depth;
        self.work.session.control(&format!("ROLLBACK TO SAVEPOINT s{name}; RELEASE SAVEPOINT s{name}")).await?;
        self.is_settled = true;
        Ok(())
    }
}

impl Drop for Savepoint {
    fn drop(&mut self) {
        if !self.is_settled {
            self.work.session.is_doubtful.store(true, Ordering::Relaxed);
        }
    }
}

impl DatabaseTransaction {
    /// Sets a savepoint.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn savepoint(&self) -> Result<Savepoint, DbErr> {
        let depth = self.depth + 1;
        self.session.control(&format!("SAVEPOINT s{depth}")).await?;
        Ok(Savepoint { work: Self { session: Arc::clone(&self.session), depth }, is_settled: false })
    }
}

impl Session {
    /// The connection for one statement. Until [`Turn::ended`] it counts as doubtful, also when nobody waits any more.
    async fn turn(&self) -> Result<Turn<'_>, DbErr> {
        let lent = self.lent.lock().await;
        self.check()?;
        self.is_doubtful.store(true, Ordering::Relaxed);
        Ok(Turn { lent, session: self })
    }

    /// Gives the turn of the connection back: it was given back to its pool.
    async fn settle(&self) {
        if let Some(lease) = self.lease.lock().await.take() {
            lease.settled();
        }
    }

    fn check(&self) -> Result<(), DbErr> {
        if self.is_doubtful.load(Ordering::Relaxed) {
            return Err(DbErr::Custom("a statement of this transaction has failed, so it was rolled back".into()));
        }
        Ok(())
    }

    /// Runs a statement that sets or ends a savepoint.
    async fn control(&self, sql: &str) -> Result<(), DbErr> {
        let mut turn = self.turn().await?;
        let ran = turn.lent()?.run(sql).await;
        turn.ended(ran).map_err(not_executed)
    }

    /// The connection, to end the transaction.
    async fn finished(&self) -> Result<Lent, DbErr> {
        let lent = self.lent.lock().await.take();
        self.check()?;
        lent.ok_or_else(is_over)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let Some(lent) = self.lent.get_mut().take() else { return };
        if self.is_doubtful.load(Ordering::Relaxed) {
            return;
        }
        let lease = self.lease.get_mut().take();
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                match lent.roll_back().await {
                    Ok(()) => lease.into_iter().for_each(Lease::settled),
                    Err(error) => tracing::warn!(%error, "a connection is closed, as it could not roll back"),
                }
            });
        }
    }
}

impl Turn<'_> {
    fn lent(&mut self) -> Result<&mut Lent, DbErr> {
        self.lent.as_mut().ok_or_else(is_over)
    }

    fn connection(&mut self) -> Result<&mut Connection, DbErr> {
        self.lent()?.0.as_mut().ok_or_else(is_over)
    }

    /// The transaction goes on after a success, and after a refusal of the statement alone.
    fn ended<T>(self, ran: sqlx::Result<T>) -> sqlx::Result<T> {
        match &ran {
            Err(error) if !is_refusal(error) => self.session.statements.watch(error),
            _ => self.session.is_doubtful.store(false, Ordering::Relaxed),
        }
        ran
    }
}

impl Lent {
    async fn of(pool: &DatabaseConnection) -> Result<Self, DbErr> {
        let connection = match pool.get_database_backend() {
            DbBackend::Postgres => pool.get_postgres_connection_pool().acquire().await.map(Connection::Postgres),
            _ => pool.get_sqlite_connection_pool().acquire().await.map(Connection::Sqlite),
        };
        Ok(Self(Some(connection.map_err(not_acquired)?)))
    }

    fn is_in_transaction(&self) -> bool {
        match &self.0 {
            Some(Connection::Sqlite(connection)) => connection.is_in_transaction(),
            Some(Connection::Postgres(connection)) => connection.is_in_transaction(),
            None => false,
        }
    }

    /// Runs statements without values, on PostgreSQL in one message.
    async fn run(&mut self, sql: &str) -> sqlx::Result<()> {
        match &mut self.0 {
            Some(Connection::Sqlite(connection)) => {
                // SQLite keeps these prepared. One at a time, as each has an end of its own.
                for sql in sql.split("; ") {
                    let query = sqlx::query(AssertSqlSafe(sql.to_owned()));
                    complete::executed((**connection).fetch_many(query)).await?;
                }
                Ok(())
            }
            Some(Connection::Postgres(connection)) => {
                (**connection).execute(AssertSqlSafe(sql.to_owned())).await.map(drop)
            }
            None => Err(sqlx::Error::PoolClosed),
        }
    }

    /// Rolls back, and gives it back to its pool if that succeeds in time.
    async fn roll_back(mut self) -> sqlx::Result<()> {
        within(ROLLBACK_PATIENCE, self.run("ROLLBACK")).await?;
        self.give_back();
        Ok(())
    }

    /// Gives it back to its pool.
    fn give_back(mut self) {
        drop(self.0.take());
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        match &mut self.0 {
            Some(Connection::Sqlite(connection)) => connection.close_on_drop(),
            Some(Connection::Postgres(connection)) => connection.close_on_drop(),
            None => {}
        }
    }
}

/// What `work` gives within this time. A statement that reaches the thread of a connection to SQLite while it dies is never
/// answered.
async fn within<T>(patience: Duration, work: impl Future<Output = sqlx::Result<T>>) -> sqlx::Result<T> {
    timeout(patience, work).await.unwrap_or(Err(sqlx::Error::WorkerCrashed))
}

fn of<T>(backend: DbBackend, [sqlite, postgres]: [T; 2]) -> T {
    if backend == DbBackend::Postgres { postgres } else { sqlite }
}

fn is_over() -> DbErr {
    DbErr::Custom("the transaction is over".into())
}

fn not_executed(error: sqlx::Error) -> DbErr {
    DbErr::Exec(RuntimeErr::SqlxError(Arc::new(error)))
}

fn not_queried(error: sqlx::Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(Arc::new(error)))
}

/// The primary result code of an error of SQLite.
pub(super) fn sqlite_code(error: &sqlx::Error) -> Option<i32> {
    let error = error.as_database_error()?;
    if error.try_downcast_ref::<PgDatabaseError>().is_some() {
        return None;
    }
    error.code()?.parse::<i32>().ok().map(|code| code & 0xff)
}

fn postgres_error(error: &sqlx::Error) -> Option<&PgDatabaseError> {
    error.as_database_error()?.try_downcast_ref()
}

/// Whether a statement was refused for what it asked, with the connection as sound as before: a violated constraint, a value out
/// of range, a conflict with another transaction, a time limit.
fn is_refusal(error: &sqlx::Error) -> bool {
    match postgres_error(error) {
        Some(error) => {
            let code = error.code();
            let class = code.get(..2).unwrap_or_default();
            error.severity() == PgSeverity::Error
                && (matches!(class, "22" | "23" | "40") || matches!(code, "55P03" | "57014"))
        }
        // Not every violation: a trigger may have ended the whole transaction.
        None => {
            error.as_database_error().and_then(|error| error.code()).is_some_and(|code| VIOLATIONS.contains(&&*code))
        }
    }
}

/// Whether a COMMIT that failed with this error is known to have committed nothing. SQLite may have written a whole transaction
/// into its log before an I/O error or a lack of memory: it takes it back then, but would find it if the program ended before
/// the next commit.
fn is_rolled_back(error: &sqlx::Error) -> bool {
    match postgres_error(error) {
        Some(error) => error.severity() == PgSeverity::Error,
        None => sqlite_code(error).is_some_and(|code| {
            matches!(code, sqlite::ERROR | sqlite::BUSY | sqlite::INTERRUPT | sqlite::FULL | sqlite::CONSTRAINT)
        }),
    }
}

/// A statement with its values, for sqlx.
macro_rules! query {
    ($statement:expr) => {{
        let values = $statement.values.clone().unwrap_or(Values(Vec::new()));
        sqlx::query_with(AssertSqlSafe($statement.sql.as_str()), SqlxValues(values))
    }};
}

#[async_trait::async_trait]
impl ConnectionTrait for DatabaseTransaction {
    fn get_database_backend(&self) -> DbBackend {
        self.session.backend
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        let run = async {
            let mut turn = self.session.turn().await?;
            let ran = match turn.connection()? {
                Connection::Sqlite(on) => {
                    complete::executed((**on).fetch_many(query!(statement))).await.map(ExecResult::from)
                }
                Connection::Postgres(on) => {
                    complete::executed((**on).fetch_many(query!(statement))).await.map(ExecResult::from)
                }
            };
            turn.ended(ran).map_err(not_executed)
        };
        self.session.statements.counted(&statement, run).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        let mut turn = self.session.turn().await?;
        let sql = AssertSqlSafe(sql.to_owned());
        let ran = match turn.connection()? {
            Connection::Sqlite(on) => complete::executed((**on).fetch_many(sql)).await.map(ExecResult::from),
            Connection::Postgres(on) => complete::executed((**on).fetch_many(sql)).await.map(ExecResult::from),
        };
        turn.ended(ran).map_err(not_executed)
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        let run = async {
            let mut turn = self.session.turn().await?;
            let ran = match turn.connection()? {
                Connection::Sqlite(on) => {
                    complete::first((**on).fetch_many(query!(statement))).await.map(|row| row.map(QueryResult::from))
                }
                Connection::Postgres(on) => {
                    complete::first((**on).fetch_many(query!(statement))).await.map(|row| row.map(QueryResult::from))
                }
            };
            turn.ended(ran).map_err(not_queried)
        };
        self.session.statements.counted(&statement, run).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let run = async {
            let mut turn = self.session.turn().await?;
            let ran = match turn.connection()? {
                Connection::Sqlite(on) => complete::rows((**on).fetch_many(query!(statement))).await,
                Connection::Postgres(on) => complete::rows((**on).fetch_many(query!(statement))).await,
            };
            turn.ended(ran).map_err(not_queried)
        };
        self.session.statements.counted(&statement, run).await
    }
}

impl Deref for Transaction {
    type Target = DatabaseTransaction;

    fn deref(&self) -> &DatabaseTransaction {
        &self.work
    }
}

impl Deref for Savepoint {
    type Target = DatabaseTransaction;

    fn deref(&self) -> &DatabaseTransaction {
        &self.work
    }
}

#[async_trait::async_trait]
impl ConnectionTrait for Transaction {
    fn get_database_backend(&self) -> DbBackend {
        self.work.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.work.execute_raw(statement).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.work.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.work.query_one_raw(statement).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.work.query_all_raw(statement).await
    }
}
