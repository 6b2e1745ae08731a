//! Where reads go.
//!
//! sqlx asks every connection that is given back to it whether it still lives, and lends it to nobody until it answered. That
//! costs as much as most statements. So connections whose statements ended well are kept here between statements, and only
//! those that rested a while are asked; all others go back to sqlx, which makes them whole or closes them. Before that,
//! PostgreSQL is told to cancel a statement that nobody waits for any more.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sea_orm::sqlx::pool::PoolConnection;
use sea_orm::sqlx::{
    self, AssertSqlSafe, Connection, Executor, PgConnection, Pool, Postgres, Sqlite, SqliteConnection,
};
use sea_orm::{
    ConnAcquireErr, ConnectionTrait, DatabaseConnection, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr,
    Statement, Values,
};
use sea_query_sqlx::SqlxValues;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::complete;
use super::database::{PATIENCE, Statements};
use super::postgres;
use crate::base::error::retry;

/// How long a connection may rest until it is asked whether it still lives, and how long it may take to answer.
pub(super) const RESTED: Duration = Duration::from_secs(1);

/// How long a connection is kept while nobody needs it, and how long at all: as long as sqlx keeps one.
const KEPT: [Duration; 2] = [Duration::from_mins(10), Duration::from_mins(30)];

/// Runs statements that change nothing, each on a connection of its own. Cheap to clone.
#[derive(Clone)]
pub struct Reader(Arc<Inner>);

struct Inner {
    /// For streams of rows and snapshots.
    streams: DatabaseConnection,
    kept: Kept,
    /// As many statements run at once; whoever comes later waits in line.
    most: u32,
    turns: Semaphore,
    patience: Duration,
    statements: Arc<Statements>,
}

enum Kept {
    Sqlite(Shelf<Sqlite>),
    Postgres(Shelf<Postgres>),
}

/// The connections at hand, the one that was used last on top.
struct Shelf<DB: sqlx::Database> {
    pool: Pool<DB>,
    resting: Mutex<Vec<Resting<DB>>>,
    /// By which statements are cancelled, where they can be.
    spare: Option<DatabaseConnection>,
}

struct Resting<DB: sqlx::Database> {
    connection: PoolConnection<DB>,
    /// The process of the server that serves it.
    backend: i32,
    /// When sqlx gave it.
    given: Instant,
    /// When its last statement ended.
    since: Instant,
}

/// A connection that is asked whether it lives. Unless it says so it is closed, also when nobody waits for the answer any more.
struct Doubtful<DB: sqlx::Database>(Option<PoolConnection<DB>>);

/// A connection for one statement. Unless it is kept it goes back to sqlx; unless its statement has ended, that is cancelled.
struct Lease<'a, DB: Asked> {
    /// Absent once it is kept.
    connection: Option<PoolConnection<DB>>,
    backend: i32,
    given: Instant,
    has_ended: bool,
    shelf: &'a Shelf<DB>,
    _turn: SemaphorePermit<'a>,
}

impl Reader {
    /// Reads over `pool`, which has more connections than `most`, for those that are still busy with what nobody waits for.
    /// `streams` is for what asks [`Reader::pool`], and `spare` cancels statements.
    pub(super) fn over(
        [pool, streams]: [DatabaseConnection; 2],
        most: u32,
        patience: Duration,
        statements: Arc<Statements>,
        spare: Option<DatabaseConnection>,
    ) -> Self {
        let kept = match pool.get_database_backend() {
            DbBackend::Postgres => Kept::Postgres(Shelf::of(pool.get_postgres_connection_pool().clone(), spare)),
            _ => Kept::Sqlite(Shelf::of(pool.get_sqlite_connection_pool().clone(), spare)),
        };
        let turns = Semaphore::new(usize::try_from(most).unwrap_or(1));
        Self(Arc::new(Inner { streams, kept, most, turns, patience, statements }))
    }

    /// The connections for more than one statement: for streams of rows and snapshots.
    pub fn pool(&self) -> &DatabaseConnection {
        &self.0.streams
    }

    /// Connections that are open, and how many of these nobody uses.
    pub(super) fn connections(&self) -> (u32, usize) {
        let (open, idle) = match &self.0.kept {
            Kept::Sqlite(shelf) => return (shelf.pool.size(), shelf.pool.num_idle() + shelf.resting().len()),
            Kept::Postgres(shelf) => (shelf.pool.size(), shelf.pool.num_idle() + shelf.resting().len()),
        };
        let streams = self.0.streams.get_postgres_connection_pool();
        (open + streams.size(), idle + streams.num_idle())
    }

    /// How many statements run at once.
    pub(super) fn most(&self) -> u32 {
        self.0.most
    }

    /// Closes all connections once their statements ended.
    ///
    /// # Errors
    /// When one does not close.
    pub(super) async fn close(&self) -> Result<(), DbErr> {
        let _all = self.0.turns.acquire_many(self.0.most).await;
        self.0.turns.close();
        match &self.0.kept {
            Kept::Sqlite(shelf) => shelf.close().await,
            Kept::Postgres(shelf) => shelf.close().await,
        }
        self.0.streams.close_by_ref().await
    }

    async fn lease<'a, DB: Asked>(&'a self, shelf: &'a Shelf<DB>) -> Result<Lease<'a, DB>, DbErr> {
        let turn = match timeout(self.0.patience, self.0.turns.acquire()).await {
            Ok(Ok(turn)) => turn,
            Ok(Err(_)) => return Err(DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed)),
            Err(_) => return Err(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)),
        };
        let (connection, backend, given) = shelf.take().await.map_err(not_acquired)?;
        Ok(Lease { connection: Some(connection), backend, given, has_ended: false, shelf, _turn: turn })
    }
}

/// A database whose connections may die unnoticed, and whose statements can be cancelled.
trait Asked: sqlx::Database<Connection: HasStatements> {
    const DIES: bool;

    /// The process of the server that serves a connection.
    fn backend(connection: &mut Self::Connection) -> impl Future<Output = sqlx::Result<i32>> + Send;

    /// Gives a connection back whose statement nobody waits for, once that has ended.
    fn give_back(connection: PoolConnection<Self>, spare: DatabaseConnection, backend: i32);
}

/// A connection that keeps the statements it prepared.
trait HasStatements: Connection {
    fn forget_statements(&mut self) -> impl Future<Output = sqlx::Result<()>> + Send;
}

impl HasStatements for SqliteConnection {
    async fn forget_statements(&mut self) -> sqlx::Result<()> {
        self.clear_cached_statements().await
    }
}

impl HasStatements for PgConnection {
    async fn forget_statements(&mut self) -> sqlx::Result<()> {
        self.clear_cached_statements().await
    }
}

impl Asked for Sqlite {
    const DIES: bool = false;

    async fn backend(connection: &mut SqliteConnection) -> sqlx::Result<i32> {
        // Its thread may have died while it was opened.
        timeout(PATIENCE, connection.ping()).await.unwrap_or(Err(sqlx::Error::WorkerCrashed))?;
        Ok(0)
    }

    fn give_back(connection: PoolConnection<Self>, _: DatabaseConnection, _: i32) {
        drop(connection);
    }
}

impl Asked for Postgres {
    const DIES: bool = true;

    async fn backend(connection: &mut PgConnection) -> sqlx::Result<i32> {
        postgres::backend(connection).await
    }

    fn give_back(connection: PoolConnection<Self>, spare: DatabaseConnection, backend: i32) {
        // Without a runtime the program is ending, and its connections with it.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let spare = spare.get_postgres_connection_pool().clone();
            runtime.spawn(postgres::settle(connection, spare, backend));
        }
    }
}

impl<DB: Asked> Shelf<DB> {
    fn of(pool: Pool<DB>, spare: Option<DatabaseConnection>) -> Self {
        Self { pool, resting: Mutex::default(), spare }
    }

    async fn close(&self) {
        self.resting().clear();
        self.pool.close().await;
    }

    fn resting(&self) -> MutexGuard<'_, Vec<Resting<DB>>> {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection, the process that serves it, and when sqlx gave it.
    async fn take(&self) -> sqlx::Result<(PoolConnection<DB>, i32, Instant)> {
        let Some(Resting { connection, backend, given, since }) = self.resting().pop() else {
            return self.fresh().await;
        };
        if !DB::DIES || since.elapsed() < RESTED {
            return Ok((connection, backend, given));
        }
        match Doubtful(Some(connection)).asked().await {
            Some(connection) => Ok((connection, backend, given)),
            None => {
                // Those below rested longer.
                self.resting().drain(..).for_each(|mut other| other.connection.close_on_drop());
                self.fresh().await
            }
        }
    }

    async fn fresh(&self) -> sqlx::Result<(PoolConnection<DB>, i32, Instant)> {
        let mut connection = self.pool.acquire().await?;
        let backend = DB::backend(&mut connection).await.inspect_err(|_| connection.close_on_drop())?;
        Ok((connection, backend, Instant::now()))
    }
}

impl<DB: sqlx::Database> Doubtful<DB> {
    /// The connection, if it lives.
    async fn asked(mut self) -> Option<PoolConnection<DB>> {
        match timeout(RESTED, self.0.as_mut()?.ping()).await {
            Ok(Ok(())) => self.0.take(),
            _ => None,
        }
    }
}

impl<DB: sqlx::Database> Drop for Doubtful<DB> {
    fn drop(&mut self) {
        if let Some(connection) = &mut self.0 {
            connection.close_on_drop();
        }
    }
}

impl<DB: Asked> Lease<'_, DB> {
    fn connection(&mut self) -> Result<&mut DB::Connection, DbErr> {
        let gone = DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed);
        self.connection.as_deref_mut().ok_or(gone)
    }

    /// Has the connection closed. Whether a thread that dies still lives is not to be asked: the question may stay without answer.
    fn close(&mut self) {
        if let Some(connection) = &mut self.connection {
            connection.close_on_drop();
        }
    }

    /// Keeps the connection for the next statement.
    fn keep(mut self) {
        let [idle, most] = KEPT;
        if self.given.elapsed() < most
            && let Some(connection) = self.connection.take()
        {
            let (backend, given, since) = (self.backend, self.given, Instant::now());
            let mut resting = self.shelf.resting();
            resting.push(Resting { connection, backend, given, since });
            resting.retain(|one| one.since.elapsed() < idle);
        }
    }
}

impl<DB: Asked> Drop for Lease<'_, DB> {
    fn drop(&mut self) {
        if let (false, Some(spare)) = (self.has_ended, &self.shelf.spare)
            && let Some(connection) = self.connection.take()
        {
            DB::give_back(connection, spare.clone(), self.backend);
        }
    }
}

pub(super) fn not_acquired(error: sqlx::Error) -> DbErr {
    match error {
        sqlx::Error::PoolTimedOut => DbErr::ConnectionAcquire(ConnAcquireErr::Timeout),
        sqlx::Error::PoolClosed => DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed),
        error => DbErr::Conn(RuntimeErr::SqlxError(Arc::new(error))),
    }
}

fn not_read(error: sqlx::Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(Arc::new(error)))
}

/// What `$run` makes of a leased connection, which is kept when that ended well. A statement that the connection prepared and the
/// database no longer accepts is prepared anew.
macro_rules! leased {
    ($reader:expr, |$connection:ident| $run:expr) => {
        match &$reader.0.kept {
            Kept::Sqlite(shelf) => leased!($reader, shelf, |$connection| $run),
            Kept::Postgres(shelf) => leased!($reader, shelf, |$connection| $run),
        }
    };
    ($reader:expr, $shelf:ident, |$connection:ident| $run:expr) => {{
        let mut lease = $reader.lease($shelf).await?;
        let $connection = lease.connection()?;
        let mut made = $run.await;
        if made.as_ref().is_err_and(retry::is_stale) {
            retry::found_stale();
            let $connection = lease.connection()?;
            $connection.forget_statements().await.map_err(not_read)?;
            made = $run.await;
        }
        lease.has_ended = true;
        if matches!(made, Err(sqlx::Error::WorkerCrashed)) {
            lease.close();
        }
        let made = made.inspect_err(|error| $reader.0.statements.watch(error)).map_err(not_read)?;
        lease.keep();
        made
    }};
}

/// A statement with its values, for sqlx.
macro_rules! query {
    ($statement:expr) => {{
        let values = $statement.values.clone().unwrap_or(Values(Vec::new()));
        sqlx::query_with(AssertSqlSafe($statement.sql.as_str()), SqlxValues(values))
    }};
}

#[async_trait::async_trait]
impl ConnectionTrait for Reader {
    fn get_database_backend(&self) -> DbBackend {
        self.0.streams.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        let run = async {
            Ok(leased!(self, |connection| async {
                complete::executed(connection.fetch_many(query!(statement))).await.map(ExecResult::from)
            }))
        };
        self.0.statements.counted(&statement, run).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        Ok(leased!(self, |connection| async {
            complete::executed(connection.fetch_many(AssertSqlSafe(sql.to_owned()))).await.map(ExecResult::from)
        }))
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        let run = async {
            Ok(leased!(self, |connection| async {
                let row = complete::first(connection.fetch_many(query!(statement))).await?;
                Ok(row.map(QueryResult::from))
            }))
        };
        self.0.statements.counted(&statement, run).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let run = async {
            Ok(leased!(self, |connection| async {
                complete::rows::<_, _, QueryResult>(connection.fetch_many(query!(statement))).await
            }))
        };
        self.0.statements.counted(&statement, run).await
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("backend", &self.get_database_backend()).finish_non_exhaustive()
    }
}
