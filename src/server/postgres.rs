//! PostgreSQL's connections: how long their statements may wait and run, and how a statement that nobody waits for any more is
//! cancelled.
//!
//! Cancelling takes knowing which process of the server runs a transaction, and that it runs no other one yet. So every
//! connection that writes is a pool of one, lent by [`Writers`] to one transaction at a time; a transaction that was dropped keeps
//! it lent until its statement is cancelled.

use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sea_orm::sqlx::{self, AssertSqlSafe, Connection, PgConnection, PgPool, Row};
use sea_orm::{ConnAcquireErr, ConnectOptions, DatabaseConnection, DbErr, RuntimeErr};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::base::error::retry;
use crate::base::{Error, Result};

/// How long a statement that nobody waits for may take to end by itself until it is cancelled, and how long a cancellation may
/// take.
const SETTLES_WITHIN: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(2)];

/// How often it is looked whether two connections keep to their own backends.
const LOOKS: usize = 3;

/// How long PostgreSQL lets our statements wait and run; zero is for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// How long a statement waits for a lock (`lock_timeout`).
    pub lock: Duration,
    /// How long a statement runs (`statement_timeout`).
    pub statement: Duration,
    /// How long a transaction stands still (`idle_in_transaction_session_timeout`).
    pub idle_in_transaction: Duration,
}

impl Timeouts {
    /// None at all: for changes of the schema and for maintenance.
    pub const NONE: Self =
        Self { lock: Duration::ZERO, statement: Duration::ZERO, idle_in_transaction: Duration::ZERO };
}

impl Default for Timeouts {
    fn default() -> Self {
        let (lock, statement) = (Duration::from_secs(3), Duration::from_secs(60));
        Self { lock, statement, idle_in_transaction: Duration::from_secs(60) }
    }
}

/// Has the connections of a pool set themselves up when they are opened. `backend` is told the process that serves the latest.
pub(super) fn set_up(options: &mut ConnectOptions, timeouts: Timeouts, backend: Option<Arc<AtomicI32>>) {
    let sql = format!(
        "SELECT pg_backend_pid(), set_config('lock_timeout', '{}', false), set_config('statement_timeout', '{}', false), \
         set_config('idle_in_transaction_session_timeout', '{}', false)",
        timeouts.lock.as_millis(),
        timeouts.statement.as_millis(),
        timeouts.idle_in_transaction.as_millis()
    );
    // No floats are stored, and a pooler refuses parameters that it does not know.
    options.map_sqlx_postgres_opts(|options| options.extra_float_digits(None));
    options.map_sqlx_postgres_pool_opts(move |pool| {
        let (sql, backend) = (sql.clone(), backend.clone());
        pool.after_connect(move |connection, _| {
            let (sql, backend) = (AssertSqlSafe(sql.clone()), backend.clone());
            Box::pin(async move {
                let row = sqlx::raw_sql(sql).fetch_one(connection).await?;
                if let Some(backend) = backend {
                    backend.store(row.try_get(0)?, Ordering::Relaxed);
                }
                Ok(())
            })
        })
    });
}

/// The process of the server that serves a connection.
pub(super) async fn backend(connection: &mut PgConnection) -> sqlx::Result<i32> {
    sqlx::raw_sql("SELECT pg_backend_pid()").fetch_one(connection).await?.try_get(0)
}

/// Cancels what a process of the server runs. A failure is logged: the statement then runs until its own timeout.
pub(super) async fn cancel(spare: &PgPool, backend: i32) {
    let [_, patience] = SETTLES_WITHIN;
    let cancelling = sqlx::query("SELECT pg_cancel_backend($1)").bind(backend).execute(spare);
    match timeout(patience, cancelling).await {
        Ok(Ok(_)) | Ok(Err(sqlx::Error::PoolClosed)) => {}
        Ok(Err(error)) => tracing::warn!(%error, "a statement that nobody waits for could not be cancelled"),
        Err(_) => tracing::warn!("a statement that nobody waits for could not be cancelled in time"),
    }
}

/// Gives a connection back whose statement nobody waits for any more, once the server has ended that statement.
pub(super) async fn settle(mut connection: sqlx::pool::PoolConnection<sqlx::Postgres>, spare: PgPool, backend: i32) {
    let [grace, patience] = SETTLES_WITHIN;
    if timeout(grace, connection.ping()).await.is_ok() {
        return;
    }
    cancel(&spare, backend).await;
    if timeout(patience, connection.ping()).await.is_err() {
        connection.close_on_drop();
    }
}

/// Refuses connections that a pooler moves between backends after every transaction: settings, prepared statements and advisory
/// locks would then be somebody else's.
///
/// # Errors
/// `Invalid` with what to do instead.
pub(super) async fn refuse_transaction_pooling(pool: &PgPool) -> Result<()> {
    if is_moved(pool).await.map_err(|error| Error::from(DbErr::Conn(RuntimeErr::SqlxError(Arc::new(error)))))? {
        return Err(Error::invalid(
            "The database address leads to a connection pooler, such as PgBouncer, that gives each transaction another \
             connection. Kontor needs connections of its own: set the pooler to session mode (pool_mode = session), or \
             connect to PostgreSQL directly. Kontor keeps few connections and needs no pooler.",
        ));
    }
    Ok(())
}

/// Whether two connections share a backend, or one changes it.
async fn is_moved(pool: &PgPool) -> sqlx::Result<bool> {
    let (mut one, mut two) = (pool.acquire().await?, pool.acquire().await?);
    let mut seen = (backend(&mut one).await?, None);
    for _ in 0..LOOKS {
        // A pooler in statement mode allows no transaction.
        let begun = sqlx::raw_sql("BEGIN").execute(&mut *two).await;
        if begun.as_ref().is_err_and(|error| error.as_database_error().is_some()) {
            return Ok(true);
        }
        begun?;
        let (second, first) = (backend(&mut two).await?, backend(&mut one).await?);
        sqlx::raw_sql("COMMIT").execute(&mut *two).await?;
        if first == second || first != seen.0 || seen.1.is_some_and(|seen| seen != second) {
            return Ok(true);
        }
        seen.1 = Some(second);
    }
    Ok(false)
}

/// The connections of transactions that write. Cheap to clone.
#[derive(Clone)]
pub(super) struct Writers(Arc<Inner>);

struct Inner {
    connections: Vec<Writer>,
    /// Those that no transaction has; the one that was used last is the next.
    idle: Mutex<Vec<usize>>,
    /// As many as are idle; whoever comes later waits in line.
    turns: Arc<Semaphore>,
    spare: DatabaseConnection,
    patience: Duration,
}

/// A pool of one connection.
pub(super) struct Writer {
    pub(super) pool: DatabaseConnection,
    /// The process that serves it.
    pub(super) backend: Arc<AtomicI32>,
    /// How many stale statements were known when it last forgot what it had prepared.
    stale: AtomicU64,
}

impl Writer {
    pub(super) fn new(pool: DatabaseConnection, backend: Arc<AtomicI32>) -> Self {
        Self { pool, backend, stale: AtomicU64::new(retry::stale_count()) }
    }

    async fn forget_stale(&self) -> Result<(), DbErr> {
        let stale = retry::stale_count();
        if self.stale.swap(stale, Ordering::Relaxed) != stale {
            let forgotten = async {
                let mut connection = self.pool.get_postgres_connection_pool().acquire().await?;
                connection.clear_cached_statements().await
            };
            forgotten.await.map_err(|error| DbErr::Conn(RuntimeErr::SqlxError(Arc::new(error))))?;
        }
        Ok(())
    }
}

impl Writers {
    /// `spare` has a connection to cancel by when all of these are busy.
    pub(super) fn over(connections: Vec<Writer>, spare: DatabaseConnection, patience: Duration) -> Self {
        let idle = Mutex::new((0..connections.len()).collect());
        let turns = Arc::new(Semaphore::new(connections.len()));
        Self(Arc::new(Inner { connections, idle, turns, spare, patience }))
    }

    /// A connection for one transaction.
    ///
    /// # Errors
    /// When no connection gets free in time, or PostgreSQL does not answer.
    pub(super) async fn lease(&self) -> Result<Lease, DbErr> {
        let turn = match timeout(self.0.patience, Arc::clone(&self.0.turns).acquire_owned()).await {
            Ok(Ok(turn)) => turn,
            Ok(Err(_)) => return Err(DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed)),
            Err(_) => return Err(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)),
        };
        let at = self.0.idle().pop().unwrap_or_default();
        let lease = Lease { inner: Arc::clone(&self.0), at, turn: Some(turn), is_settled: false };
        lease.writer()?.forget_stale().await?;
        Ok(lease)
    }

    /// Whether transactions have all connections.
    pub(super) fn is_each_used(&self) -> bool {
        self.0.turns.available_permits() == 0
    }

    /// How many connections are open, and how many of these nobody uses.
    pub(super) fn connections(&self) -> (u32, usize) {
        let pools = || self.0.connections.iter().map(|writer| writer.pool.get_postgres_connection_pool());
        (pools().map(PgPool::size).sum(), pools().map(PgPool::num_idle).sum())
    }

    /// Closes all connections after their work.
    ///
    /// # Errors
    /// When one does not close.
    pub(super) async fn close(&self) -> Result<(), DbErr> {
        self.0.turns.close();
        for writer in &self.0.connections {
            writer.pool.close_by_ref().await?;
        }
        Ok(())
    }
}

impl Inner {
    fn idle(&self) -> MutexGuard<'_, Vec<usize>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that one transaction has. Unless it [is settled](Lease::settled), what the connection runs is cancelled when this
/// is dropped, and only then another transaction gets a connection in its place.
pub(super) struct Lease {
    inner: Arc<Inner>,
    at: usize,
    turn: Option<OwnedSemaphorePermit>,
    is_settled: bool,
}

impl Lease {
    fn writer(&self) -> Result<&Writer, DbErr> {
        self.inner.connections.get(self.at).ok_or(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout))
    }

    /// The pool of the one connection.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn pool(&self) -> Result<&DatabaseConnection, DbErr> {
        Ok(&self.writer()?.pool)
    }

    /// Gives the connection back at once: its transaction has ended.
    pub(super) fn settled(mut self) {
        self.is_settled = true;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(turn) = self.turn.take() else { return };
        if self.is_settled {
            self.inner.idle().push(self.at);
            return drop(turn);
        }
        // Until the turn is given back, the connection that served this transaction is the last one of its pool.
        let backend = self.writer().map_or(0, |writer| writer.backend.load(Ordering::Relaxed));
        let lease = Self { inner: Arc::clone(&self.inner), at: self.at, turn: Some(turn), is_settled: true };
        // Without a runtime the program is ending, and its connections with it.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                cancel(lease.inner.spare.get_postgres_connection_pool(), backend).await;
                drop(lease);
            });
        }
    }
}
