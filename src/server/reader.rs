//! Where reads go.
//!
//! sqlx asks every connection that is given back to it whether it still lives, and lends it to nobody until it answered. That
//! costs as much as most statements. So connections whose statements ended well are kept here between statements, and only
//! those that rested a while are asked; all others go back to sqlx, which makes them whole or closes them.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::StreamExt;
use sea_orm::sqlx::pool::PoolConnection;
use sea_orm::sqlx::{self, AssertSqlSafe, Connection, Executor, Pool, Postgres, Sqlite};
use sea_orm::{
    ConnAcquireErr, ConnectionTrait, DatabaseConnection, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr,
    Statement, Values,
};
use sea_query_sqlx::SqlxValues;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::database::Statements;

/// How long a connection may rest until it is asked whether it still lives, and how long it may take to answer.
pub(super) const RESTED: Duration = Duration::from_secs(1);

/// How long a connection is kept while nobody needs it, and how long at all: as long as sqlx keeps one.
const KEPT: [Duration; 2] = [Duration::from_mins(10), Duration::from_mins(30)];

/// How many rows are taken at once, of those that are there.
const CHUNK: usize = 64;

/// Runs statements that change nothing, each on a connection of its own. Cheap to clone.
#[derive(Clone)]
pub struct Reader(Arc<Inner>);

struct Inner {
    pool: DatabaseConnection,
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
}

struct Resting<DB: sqlx::Database> {
    connection: PoolConnection<DB>,
    /// When sqlx gave it.
    given: Instant,
    /// When its last statement ended.
    since: Instant,
}

/// A connection that is asked whether it lives. Unless it says so it is closed, also when nobody waits for the answer any more.
struct Doubtful<DB: sqlx::Database>(Option<PoolConnection<DB>>);

/// A connection for one statement. Unless it is kept it goes back to sqlx, as when nobody waits for the statement any more.
struct Lease<'a, DB: sqlx::Database> {
    connection: PoolConnection<DB>,
    given: Instant,
    shelf: &'a Shelf<DB>,
    _turn: SemaphorePermit<'a>,
}

impl Reader {
    /// Reads over `pool`, which has more connections than `most`: the rest is for what asks [`Reader::pool`].
    pub(super) fn over(pool: DatabaseConnection, most: u32, patience: Duration, statements: Arc<Statements>) -> Self {
        let kept = match pool.get_database_backend() {
            DbBackend::Postgres => Kept::Postgres(Shelf::of(pool.get_postgres_connection_pool().clone())),
            _ => Kept::Sqlite(Shelf::of(pool.get_sqlite_connection_pool().clone())),
        };
        let turns = Semaphore::new(usize::try_from(most).unwrap_or(1));
        Self(Arc::new(Inner { pool, kept, most, turns, patience, statements }))
    }

    /// The connections for more than one statement: for streams of rows and snapshots.
    pub fn pool(&self) -> &DatabaseConnection {
        &self.0.pool
    }

    /// How many statements run at once.
    pub(super) fn most(&self) -> u32 {
        self.0.most
    }

    /// Connections at hand that nobody uses.
    pub(super) fn resting(&self) -> usize {
        match &self.0.kept {
            Kept::Sqlite(shelf) => shelf.resting().len(),
            Kept::Postgres(shelf) => shelf.resting().len(),
        }
    }

    /// Closes all connections once their statements ended.
    ///
    /// # Errors
    /// When one does not close.
    pub(super) async fn close(&self) -> Result<(), DbErr> {
        let _all = self.0.turns.acquire_many(self.0.most).await;
        self.0.turns.close();
        match &self.0.kept {
            Kept::Sqlite(shelf) => shelf.resting().clear(),
            Kept::Postgres(shelf) => shelf.resting().clear(),
        }
        self.0.pool.close_by_ref().await
    }

    async fn lease<'a, DB: Asked>(&'a self, shelf: &'a Shelf<DB>) -> Result<Lease<'a, DB>, DbErr> {
        let turn = match timeout(self.0.patience, self.0.turns.acquire()).await {
            Ok(Ok(turn)) => turn,
            Ok(Err(_)) => return Err(DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed)),
            Err(_) => return Err(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)),
        };
        let (connection, given) = shelf.take().await.map_err(not_acquired)?;
        Ok(Lease { connection, given, shelf, _turn: turn })
    }
}

/// A database whose connections may die unnoticed.
trait Asked: sqlx::Database {
    const DIES: bool;
}

impl Asked for Sqlite {
    const DIES: bool = false;
}

impl Asked for Postgres {
    const DIES: bool = true;
}

impl<DB: Asked> Shelf<DB> {
    fn of(pool: Pool<DB>) -> Self {
        Self { pool, resting: Mutex::default() }
    }

    fn resting(&self) -> MutexGuard<'_, Vec<Resting<DB>>> {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection, and when sqlx gave it.
    async fn take(&self) -> sqlx::Result<(PoolConnection<DB>, Instant)> {
        let Some(Resting { connection, given, since }) = self.resting().pop() else {
            return Ok((self.pool.acquire().await?, Instant::now()));
        };
        if !DB::DIES || since.elapsed() < RESTED {
            return Ok((connection, given));
        }
        match Doubtful(Some(connection)).asked().await {
            Some(connection) => Ok((connection, given)),
            None => {
                // Those below rested longer.
                self.resting().drain(..).for_each(|mut other| other.connection.close_on_drop());
                Ok((self.pool.acquire().await?, Instant::now()))
            }
        }
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
    fn keep(self) {
        let [idle, most] = KEPT;
        if self.given.elapsed() < most {
            let mut resting = self.shelf.resting();
            resting.push(Resting { connection: self.connection, given: self.given, since: Instant::now() });
            resting.retain(|one| one.since.elapsed() < idle);
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

/// Makes sure that no row is really none. Where the thread of a connection to SQLite has died, as for want of memory, sqlx tells of
/// no error: nothing comes.
async fn confirmed<C: Connection>(connection: &mut C) -> sqlx::Result<()>
where
    C::Database: Asked,
{
    if C::Database::DIES { Ok(()) } else { connection.ping().await }
}

fn not_read(error: sqlx::Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(Arc::new(error)))
}

/// What `$run` makes of a leased connection, which is kept when that ended well.
macro_rules! leased {
    ($reader:expr, |$connection:ident| $run:expr) => {
        match &$reader.0.kept {
            Kept::Sqlite(shelf) => leased!($reader, shelf, |$connection| $run),
            Kept::Postgres(shelf) => leased!($reader, shelf, |$connection| $run),
        }
    };
    ($reader:expr, $shelf:ident, |$connection:ident| $run:expr) => {{
        let mut lease = $reader.lease($shelf).await?;
        let $connection = &mut *lease.connection;
        let made = $run.await.inspect_err(|error| $reader.0.statements.watch(error)).map_err(not_read)?;
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
        self.0.pool.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        let run = async {
            Ok(leased!(self, |connection| async { query!(statement).execute(connection).await.map(ExecResult::from) }))
        };
        self.0.statements.counted(&statement, run).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        Ok(leased!(self, |connection| async {
            connection.execute(AssertSqlSafe(sql.to_owned())).await.map(ExecResult::from)
        }))
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        let run = async {
            Ok(leased!(self, |connection| async {
                let row = query!(statement).fetch_optional(&mut *connection).await?;
                if row.is_none() {
                    confirmed(connection).await?;
                }
                Ok(row.map(QueryResult::from))
            }))
        };
        self.0.statements.counted(&statement, run).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let run = async {
            Ok(leased!(self, |connection| async {
                let mut chunks = connection.fetch_many(query!(statement)).ready_chunks(CHUNK);
                let (mut rows, mut is_done) = (Vec::new(), false);
                while let Some(chunk) = chunks.next().await {
                    for step in chunk {
                        match step?.right() {
                            Some(row) => rows.push(QueryResult::from(row)),
                            None => is_done = true,
                        }
                    }
                    // Whoever waits for the next row is woken by that row alone. Others go first, so that more come at once.
                    tokio::task::yield_now().await;
                }
                // As above: rows that end without a word are not all.
                if is_done { Ok(rows) } else { Err(sqlx::Error::WorkerCrashed) }
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
