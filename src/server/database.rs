//! The database: one writer and many readers on SQLite, connections for each kind of work on PostgreSQL, and the write
//! transaction.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sea_orm::sqlx::{self, Row};
use sea_orm::{ConnectOptions, ConnectionTrait, DatabaseConnection, DbBackend, DbErr, Statement};
use tokio::sync::OwnedMutexGuard;

use super::postgres::{self, Timeouts, Writer, Writers};
use super::reader::{RESTED, Reader};
use super::readiness::{Readiness, Ready, Watched};
use super::transaction::{Savepoint, Transaction, sqlite, sqlite_code};
use super::writer::{Disk, LOG, Place};
use crate::access::permission::Catalogue;
use crate::base::error::Code;
use crate::base::error::border::is_busy;
use crate::base::{Error, Result};
use crate::server::record::tally::{Lately, Sizes};

/// How long a request waits for a connection, and a writer of another process for SQLite's lock.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// How many statements read at once, on SQLite and on PostgreSQL.
const READERS: [u32; 2] = [4, 8];

/// Connections beside these, for streams of rows and snapshots.
const SPARE: u32 = 4;

/// How many transactions write at once on PostgreSQL: of records, and of sessions.
const WRITERS: [u32; 2] = [10, 2];

/// The oldest version of SQLite that begins its log anew without the risk of damage.
const OLDEST_SQLITE: &[u32] = &[3, 51, 3];

/// Rows that refer to a record: they go with it, or stand in the way of deleting it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reference {
    /// The resource they refer to.
    pub to: &'static str,
    pub table: &'static str,
    pub column: &'static str,
    /// The column that tells apart what is counted.
    pub counted: &'static str,
    /// What is counted, as people call it.
    pub resource: &'static str,
    /// The page that lists them, up to the id; blank where there is none.
    pub href: &'static str,
    /// Whether they go with the record.
    pub cascades: bool,
}

/// Connections to the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connections {
    pub open: u32,
    /// Of these, those that nobody uses.
    pub idle: usize,
}

/// What a commit on SQLite waits for. PostgreSQL has a setting of its own for it, `synchronous_commit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// That it is on the disk: a power cut takes nothing back that anybody was told.
    #[default]
    Full,
    /// Nothing: a power cut may take the latest commits back, each as a whole. The end of the program takes none.
    Normal,
}

impl Durability {
    /// `full` or `normal`.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "full" => Some(Self::Full),
            "normal" => Some(Self::Normal),
            _ => None,
        }
    }
}

/// A handle to the database; cheap to clone.
#[derive(Clone)]
pub struct Database(Arc<Parts>);

#[derive(Clone)]
struct Parts {
    references: &'static [Reference],
    currency: Arc<str>,
    catalogue: &'static Catalogue,
    reader: Reader,
    /// The writer of SQLite. On PostgreSQL connections without timeouts, for changes of the schema, maintenance, and cancelling.
    writer: DatabaseConnection,
    postgres: Option<PostgresWriters>,
    /// What commits wait for on SQLite.
    disk: Option<Arc<Disk>>,
    /// The file of SQLite.
    watched: Option<Arc<Watched>>,
    readiness: Arc<Readiness>,
    statements: Arc<Statements>,
    sizes: Arc<Sizes>,
    lately: Arc<Lately>,
    /// Transactions that write many rows.
    bulk_writes: Arc<AtomicUsize>,
    bulk_turn: Arc<tokio::sync::Mutex<()>>,
    /// How long a writer waits for one of them.
    bulk_patience: Duration,
}

/// A transaction that writes many rows; see [`Database::begin_bulk_write`].
#[derive(Debug)]
pub struct BulkWrite {
    count: Arc<AtomicUsize>,
    _turn: OwnedMutexGuard<()>,
}

impl Drop for BulkWrite {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The connections of transactions on PostgreSQL.
#[derive(Clone)]
struct PostgresWriters {
    records: Writers,
    /// Nobody who changes a record keeps people from signing in.
    sessions: Writers,
}

/// What is run on the database, for tests and benchmarks.
#[derive(Default)]
pub(super) struct Statements {
    count: AtomicU64,
    /// The first error by which SQLite said that its file is damaged.
    damage: OnceLock<String>,
    are_noted: AtomicBool,
    noted: Mutex<Vec<Statement>>,
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("backend", &self.0.reader.get_database_backend()).finish_non_exhaustive()
    }
}

impl Database {
    /// Connects to `sqlite:<file>` (made when missing, with its folder) or `postgres://…`.
    ///
    /// # Errors
    /// When the address is of neither kind or nothing answers there.
    pub async fn connect(url: &str) -> Result<Self, DbErr> {
        Self::connect_with(url, Durability::default(), Timeouts::default()).await
    }

    /// The same, with commits that wait for less on SQLite, and other timeouts on PostgreSQL.
    ///
    /// # Errors
    /// Those of [`Database::connect`].
    pub async fn connect_with(url: &str, durability: Durability, timeouts: Timeouts) -> Result<Self, DbErr> {
        if url.starts_with("sqlite:") {
            Self::sqlite(url, durability).await
        } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            Self::postgres(url, timeouts).await
        } else {
            Err(DbErr::Custom("a database address starts with sqlite: or postgres:".into()))
        }
    }

    /// Lets the next [`Database::connect`] to this address begin with an empty database, if the one that was there is missing. A
    /// database that is there stays as it is.
    ///
    /// # Errors
    /// When the address makes no sense, or the file that remembers the database stays.
    pub fn allow_new(url: &str) -> Result<(), DbErr> {
        if !url.starts_with("sqlite:") {
            return Ok(());
        }
        let options = SqliteConnectOptions::from_str(url).map_err(|error| DbErr::Custom(error.to_string()))?;
        let marker = Marker::beside(options.get_filename());
        match std::fs::remove_file(&marker.0) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(DbErr::Custom(error.to_string())),
            _ => Ok(()),
        }
    }

    async fn postgres(url: &str, timeouts: Timeouts) -> Result<Self, DbErr> {
        let statements = Arc::new(Statements::default());
        let pool = async |connections: u32, timeouts: Timeouts, backend: Option<Arc<AtomicI32>>, is_lazy: bool| {
            let mut options = options(url, connections);
            options.test_before_acquire_if_idle_for(RESTED).connect_lazy(is_lazy);
            postgres::set_up(&mut options, timeouts, backend);
            counted(options, &statements).await
        };
        let [_, readers] = READERS;
        let streaming = Timeouts { statement: Duration::ZERO, ..timeouts };
        // One connection shows whether somebody answers; the others are opened when they are needed.
        let pools = [pool(readers + SPARE, timeouts, None, false).await?, pool(SPARE, streaming, None, true).await?];
        let [records, sessions] = WRITERS;
        let spare = pool(records, Timeouts::NONE, None, true).await?;
        let writers = async |connections: u32| {
            let mut writers = Vec::new();
            for _ in 0..connections {
                let backend = Arc::default();
                writers.push(Writer::new(pool(1, timeouts, Some(Arc::clone(&backend)), true).await?, backend));
            }
            Ok::<_, DbErr>(Writers::over(writers, spare.clone(), PATIENCE))
        };
        let postgres = PostgresWriters { records: writers(records).await?, sessions: writers(sessions).await? };
        let reader = Reader::over(pools, readers, PATIENCE, Arc::clone(&statements), Some(spare.clone()));
        Ok(Self::of(reader, spare, Some(postgres), statements))
    }

    async fn sqlite(url: &str, durability: Durability) -> Result<Self, DbErr> {
        let options = SqliteConnectOptions::from_str(url).map_err(|e| DbErr::Custom(e.to_string()))?;
        if url.contains(":memory:") {
            return Ok(Self::over_sqlite(url, SqliteSynchronous::Normal, 1_000).await?.0);
        }
        let file = options.get_filename();
        if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder)
                .map_err(|e| DbErr::Custom(format!("cannot make the folder {}: {e}", folder.display())))?;
        }
        let marker = Marker::beside(file);
        marker.check(file)?;
        // For full durability commits wait for the disk outside of their transaction.
        let log = if durability == Durability::Full { LOG } else { 1_000 };
        let (mut database, tuned) = Self::over_sqlite(url, SqliteSynchronous::Normal, log).await?;
        marker.put();
        if durability == Durability::Full {
            if database.has_log().await? {
                let disk = Disk::under(file, tuned).await.map_err(|error| DbErr::Custom(error.to_string()))?;
                database = Self(Arc::new(Parts { disk: Some(Arc::new(disk)), ..Arc::unwrap_or_clone(database.0) }));
            } else {
                // Where the file system allows no log, commits go to the database, and wait for the disk themselves.
                database.close().await;
                (database, _) = Self::over_sqlite(url, SqliteSynchronous::Full, log).await?;
            }
        }
        let place = Place::of(file).map_err(|error| DbErr::Custom(error.to_string()))?;
        let options = SqliteConnectOptions::new().filename(place.path()).create_if_missing(false).read_only(true);
        let watched = Some(Arc::new(Watched { place, options: options.busy_timeout(PATIENCE) }));
        Ok(Self(Arc::new(Parts { watched, ..Arc::unwrap_or_clone(database.0) })))
    }

    /// Connects to SQLite; also gives the options of a connection that only reads.
    async fn over_sqlite(
        url: &str,
        synchronous: SqliteSynchronous,
        log: u16,
    ) -> Result<(Self, SqliteConnectOptions), DbErr> {
        let tuned = move |options: SqliteConnectOptions| {
            options
                .create_if_missing(true)
                .foreign_keys(true)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(synchronous)
                .busy_timeout(PATIENCE)
                .analysis_limit(Some(1_000))
                .pragma("temp_store", "memory")
        };
        // Four readers share the system's cache of the file; pages of their own would cost memory four times.
        let reading = move |options: SqliteConnectOptions| {
            tuned(options).pragma("cache_size", "-1000").pragma("query_only", "on")
        };
        let mut write = options(url, 1);
        write.map_sqlx_sqlite_opts(move |options| {
            tuned(options).pragma("cache_size", "-4000").pragma("wal_autocheckpoint", log.to_string())
        });
        let [readers, _] = READERS;
        let mut read = options(url, readers + SPARE);
        read.map_sqlx_sqlite_opts(reading);
        let options = SqliteConnectOptions::from_str(url).map_err(|error| DbErr::Custom(error.to_string()))?;
        let statements = Arc::new(Statements::default());
        // The writer first, as it makes the file.
        let writer = counted(write, &statements).await?;
        let read = counted(read, &statements).await?;
        let reader = Reader::over([read.clone(), read], readers, PATIENCE, Arc::clone(&statements), None);
        let database = Self::of(reader, writer, None, statements);
        database.demand_version().await?;
        Ok((database, reading(options)))
    }

    /// Whether SQLite writes a log first, and its file later.
    async fn has_log(&self) -> Result<bool, DbErr> {
        Ok(self.told("PRAGMA journal_mode").await? == "wal")
    }

    /// Refuses versions of SQLite in which a log that is begun anew can damage the database.
    async fn demand_version(&self) -> Result<(), DbErr> {
        let version = self.told("SELECT sqlite_version()").await?;
        let numbers: Vec<u32> = version.split('.').filter_map(|part| part.parse().ok()).collect();
        if numbers.as_slice() < OLDEST_SQLITE {
            return Err(DbErr::Custom(format!("SQLite {version} can damage the database; at least 3.51.3 is needed")));
        }
        Ok(())
    }

    /// What the writer's SQLite tells.
    async fn told(&self, question: &'static str) -> Result<String, DbErr> {
        let told = sqlx::query(question).fetch_one(self.0.writer.get_sqlite_connection_pool()).await;
        told.and_then(|row| row.try_get(0)).map_err(|error| DbErr::Custom(error.to_string()))
    }

    fn of(
        reader: Reader,
        writer: DatabaseConnection,
        postgres: Option<PostgresWriters>,
        statements: Arc<Statements>,
    ) -> Self {
        static NOTHING: Catalogue = Catalogue { rows: Vec::new(), extras: Vec::new() };
        let parts = Parts {
            references: &[],
            currency: Arc::from("EUR"),
            catalogue: &NOTHING,
            reader,
            writer,
            postgres,
            disk: None,
            watched: None,
            readiness: Arc::default(),
            statements,
            sizes: Arc::default(),
            lately: Arc::default(),
            bulk_writes: Arc::default(),
            bulk_turn: Arc::default(),
            bulk_patience: PATIENCE,
        };
        Self(Arc::new(parts))
    }

    /// Refuses a connection pooler that gives each transaction another connection.
    ///
    /// # Errors
    /// `Invalid` with what to do instead.
    pub async fn refuse_transaction_pooling(&self) -> Result<()> {
        match self.0.writer.get_database_backend() {
            DbBackend::Postgres => {
                postgres::refuse_transaction_pooling(self.0.writer.get_postgres_connection_pool()).await
            }
            _ => Ok(()),
        }
    }

    /// The same database, with what refers to its records and the company's currency (ISO 4217).
    pub fn knowing(self, references: &'static [Reference], currency: &str) -> Self {
        let parts = Arc::unwrap_or_clone(self.0);
        Self(Arc::new(Parts { references, currency: Arc::from(currency), ..parts }))
    }

    /// The same database for requests that are given up after so long: while an import writes, a writer waits almost as long.
    pub fn answering_within(self, request_timeout: Duration) -> Self {
        let bulk_patience = PATIENCE.max(request_timeout.saturating_sub(Duration::from_secs(1)));
        Self(Arc::new(Parts { bulk_patience, ..Arc::unwrap_or_clone(self.0) }))
    }

    /// The same database, with every permission that a role can have.
    pub fn granting(self, catalogue: &'static Catalogue) -> Self {
        Self(Arc::new(Parts { catalogue, ..Arc::unwrap_or_clone(self.0) }))
    }

    /// Every permission that a role can have.
    pub fn catalogue(&self) -> &'static Catalogue {
        self.0.catalogue
    }

    /// The company's currency, as ISO 4217.
    pub fn currency(&self) -> Arc<str> {
        Arc::clone(&self.0.currency)
    }

    /// What refers to records.
    pub fn references(&self) -> &'static [Reference] {
        self.0.references
    }

    /// How large the tables are.
    pub fn sizes(&self) -> &Sizes {
        &self.0.sizes
    }

    /// Which narrowed lists were found to have many rows lately.
    pub fn lately(&self) -> &Lately {
        &self.0.lately
    }

    /// Where reads go.
    pub fn reader(&self) -> &Reader {
        &self.0.reader
    }

    /// Where changes of the schema go: the writer of SQLite, and connections without timeouts on PostgreSQL.
    pub(super) fn writer(&self) -> &DatabaseConnection {
        &self.0.writer
    }

    /// Opens the transaction of a command. On SQLite writers queue here instead of failing halfway.
    ///
    /// # Errors
    /// `Unavailable` when no writer gets free in time.
    pub async fn write(&self) -> Result<Transaction> {
        let error = match self.begin().await {
            Ok(transaction) => return Ok(transaction),
            Err(error) => error,
        };
        // Another process that has SQLite's lock for so long writes many rows too: `kontor import` beside a server.
        let elsewhere = !matches!(error, DbErr::ConnectionAcquire(_));
        if !is_busy(&error) || !(elsewhere || self.0.bulk_writes.load(Ordering::Relaxed) > 0) {
            return Err(error.into());
        }
        let patience = self.0.bulk_patience.saturating_sub(PATIENCE);
        let again = async {
            loop {
                match self.begin().await {
                    Err(error) if is_busy(&error) => {}
                    begun => break begun,
                }
            }
        };
        match tokio::time::timeout(patience, again).await {
            Ok(begun) => Ok(begun?),
            Err(_) => Err(Error {
                retry_after: Some(5),
                ..Error::new(Code::Unavailable, "An import is writing just now. Try again soon.")
            }),
        }
    }

    async fn begin(&self) -> Result<Transaction, DbErr> {
        let statements = Arc::clone(&self.0.statements);
        match &self.0.postgres {
            Some(postgres) => Transaction::begin_leased(postgres.records.lease().await?, statements).await,
            None => Transaction::begin(&self.0.writer, statements, self.0.disk.clone()).await,
        }
    }

    /// Opens a transaction that reads every table as it is at its first statement. It holds nobody up who writes.
    ///
    /// # Errors
    /// `Unavailable` when no connection gets free in time.
    pub async fn snapshot(&self) -> Result<Transaction> {
        Ok(Transaction::snapshot(self.0.reader.pool(), Arc::clone(&self.0.statements)).await?)
    }

    /// Says that a transaction is about to write many rows, until what it returns is dropped: others are patient meanwhile. Of
    /// this process one does so at a time, so that none of them runs out of patience with another.
    pub async fn begin_bulk_write(&self) -> BulkWrite {
        let turn = Arc::clone(&self.0.bulk_turn).lock_owned().await;
        let count = Arc::clone(&self.0.bulk_writes);
        count.fetch_add(1, Ordering::Relaxed);
        BulkWrite { count, _turn: turn }
    }

    /// Opens a transaction that signs somebody in or out, or notes the use of a session or a token. On PostgreSQL it has
    /// connections of its own, so that nobody who changes records keeps people from signing in.
    ///
    /// # Errors
    /// `Unavailable` when no writer gets free in time.
    pub async fn write_session(&self) -> Result<Transaction> {
        match &self.0.postgres {
            Some(postgres) => {
                let lease = postgres.sessions.lease().await?;
                Ok(Transaction::begin_leased(lease, Arc::clone(&self.0.statements)).await?)
            }
            None => self.write().await,
        }
    }

    /// Waits until everything that was committed by now is on the disk, as far as the settings want that. PostgreSQL tells of
    /// no commit before.
    ///
    /// # Errors
    /// When the disk says that it is not.
    pub async fn flushed(&self) -> Result<()> {
        match &self.0.disk {
            Some(disk) => disk.flushed().await,
            None => Ok(()),
        }
    }

    /// How often the disk was asked to keep what was committed, for tests and benchmarks; PostgreSQL asks by itself.
    pub fn flushes(&self) -> u64 {
        self.0.disk.as_ref().map_or(0, |disk| disk.flushes())
    }

    /// Whether the schema is one to work with, and a write can be committed and read again by a connection that is opened now. It
    /// is tried at most once a second,
    /// and whoever asks meanwhile shares the answer. While others keep the writers busy, the database counts as ready for half a
    /// minute.
    ///
    /// # Errors
    /// `Unavailable` with what is wrong, within nine seconds.
    pub async fn check_ready(&self) -> Result<Ready> {
        self.0.readiness.check(self).await
    }

    /// Whether [`Database::close`] was called.
    pub(super) fn is_closed(&self) -> bool {
        match self.0.writer.get_database_backend() {
            DbBackend::Postgres => self.0.writer.get_postgres_connection_pool().is_closed(),
            _ => self.0.writer.get_sqlite_connection_pool().is_closed(),
        }
    }

    /// Whether transactions use all connections that write.
    pub(super) fn is_each_writer_used(&self) -> bool {
        match &self.0.postgres {
            Some(postgres) => postgres.records.is_each_used(),
            None => self.0.writer.get_sqlite_connection_pool().num_idle() == 0,
        }
    }

    /// The file of SQLite, to look at.
    pub(super) fn watched(&self) -> Option<&Watched> {
        self.0.watched.as_deref()
    }

    /// What SQLite said when it found its file damaged.
    pub(super) fn damage(&self) -> Option<&str> {
        self.0.statements.damage.get().map(String::as_str)
    }

    /// The connections that are open now.
    pub fn connections(&self) -> Connections {
        let (mut open, mut idle) = self.0.reader.connections();
        let more = match &self.0.postgres {
            Some(postgres) => {
                let spare = self.0.writer.get_postgres_connection_pool();
                let spare = (spare.size(), spare.num_idle());
                [postgres.records.connections(), postgres.sessions.connections(), spare].to_vec()
            }
            None => {
                let pool = self.0.writer.get_sqlite_connection_pool();
                vec![(pool.size(), pool.num_idle())]
            }
        };
        for (more_open, more_idle) in more {
            open += more_open;
            idle += more_idle;
        }
        Connections { open, idle }
    }

    /// Statements run through this handle and its clones since it was connected, for tests and benchmarks.
    pub fn statements(&self) -> u64 {
        self.0.statements.count.load(Ordering::Relaxed)
    }

    /// Has the database look at how its values are spread, by which it chooses between indexes, and PostgreSQL at which rows
    /// everybody sees, so that indexes alone can answer. After many rows were written at once; otherwise it looks by itself,
    /// some time later and beside those who read.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn analyze(&self) -> Result<()> {
        let sql = match self.0.writer.get_database_backend() {
            DbBackend::Postgres => "VACUUM (ANALYZE)",
            _ => "ANALYZE",
        };
        Ok(self.0.writer.execute_unprepared(sql).await.map(drop)?)
    }

    /// What `work` runs on this handle and its clones, with its values, besides what it makes; for tests.
    pub async fn noting<T>(&self, work: impl Future<Output = T>) -> (T, Vec<Statement>) {
        self.0.statements.are_noted.store(true, Ordering::Relaxed);
        let made = work.await;
        self.0.statements.are_noted.store(false, Ordering::Relaxed);
        let mut noted = self.0.statements.noted.lock().unwrap_or_else(PoisonError::into_inner);
        (made, std::mem::take(&mut noted))
    }

    /// Closes all connections after their work; SQLite folds its log back into the file.
    pub async fn close(&self) {
        if self.0.writer.get_database_backend() == DbBackend::Sqlite
            && let Err(error) = self.0.writer.execute_unprepared("PRAGMA optimize").await
        {
            tracing::warn!(%error, "SQLite could not look at how its values are spread");
        }
        let mut closed = vec![self.0.reader.close().await];
        if let Some(postgres) = &self.0.postgres {
            closed.extend([postgres.records.close().await, postgres.sessions.close().await]);
        }
        closed.push(self.0.writer.close_by_ref().await);
        for closed in closed {
            if let Err(error) = closed {
                tracing::warn!(%error, "a database pool did not close cleanly");
            }
        }
        if let Some(disk) = &self.0.disk {
            disk.close().await;
        }
    }
}

/// Keeps what was done on a savepoint, or takes it back when it was refused, and says which.
///
/// # Errors
/// What is broken on our side, or busy: that ends the whole transaction.
pub async fn settle<T>(savepoint: Savepoint, done: Result<T>) -> Result<Result<T>> {
    match done {
        Ok(done) => {
            savepoint.release().await?;
            Ok(Ok(done))
        }
        Err(error) if error.status() >= 500 => Err(error),
        Err(error) => {
            savepoint.rollback().await?;
            Ok(Err(error))
        }
    }
}

/// A file beside SQLite's database that says that there is one, so that its loss is noticed.
struct Marker(PathBuf);

impl Marker {
    fn beside(database: &Path) -> Self {
        let mut path = database.as_os_str().to_owned();
        path.push(".exists");
        Self(path.into())
    }

    /// # Errors
    /// When there was a database at this path, and it is gone.
    fn check(&self, database: &Path) -> Result<(), DbErr> {
        let is_there = database.metadata().is_ok_and(|found| found.len() > 0);
        if is_there || !self.0.exists() {
            return Ok(());
        }
        let (database, marker) = (database.display(), self.0.display());
        Err(DbErr::Custom(format!(
            "{database} is missing or empty, and {marker} says that there was a database. Put it back, or begin with an empty \
             one by --new-database."
        )))
    }

    fn put(&self) {
        let text =
            "Kontor has its database beside this file, and refuses to start with a new one while this file is here.\n";
        if let Err(error) = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&self.0)
            .and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()))
            && error.kind() != std::io::ErrorKind::AlreadyExists
        {
            tracing::warn!(%error, "the loss of the database would not be noticed");
        }
    }
}

fn options(url: &str, connections: u32) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(connections)
        .acquire_timeout(PATIENCE)
        .connect_timeout(PATIENCE)
        .test_before_acquire(false)
        .sqlx_logging(false);
    options
}

async fn counted(options: ConnectOptions, statements: &Arc<Statements>) -> Result<DatabaseConnection, DbErr> {
    let mut pool = sea_orm::Database::connect(options).await?;
    let statements = Arc::clone(statements);
    pool.set_metric_callback(move |ran| statements.count(ran.statement, ran.elapsed));
    Ok(pool)
}

impl Statements {
    /// Runs a statement and counts it.
    pub(super) async fn counted<T>(&self, statement: &Statement, run: impl Future<Output = T>) -> T {
        let start = Instant::now();
        let made = run.await;
        self.count(statement, start.elapsed());
        made
    }

    /// Remembers an error by which SQLite says that its file is damaged.
    pub(super) fn watch(&self, error: &sqlx::Error) {
        if matches!(sqlite_code(error), Some(sqlite::CORRUPT | sqlite::NOTADB)) {
            let text = error.to_string();
            tracing::error!(error = text, "the database file is damaged");
            self.damage.get_or_init(|| text);
        }
    }

    fn count(&self, statement: &Statement, elapsed: Duration) {
        self.count.fetch_add(1, Ordering::Relaxed);
        if self.are_noted.load(Ordering::Relaxed) {
            self.noted.lock().unwrap_or_else(PoisonError::into_inner).push(statement.clone());
        }
        tracing::trace!(target: "kontor::statement", sql = %statement.sql, ?elapsed);
    }
}
