//! The disk that commits on SQLite wait for.
//!
//! SQLite itself would wait for the disk within each commit, and every other writer with it. Instead a commit only writes
//! (`synchronous = NORMAL`), the next writer goes on at once, and whoever committed waits for the disk outside of the
//! transaction: all who committed before the disk was asked share one answer. Nobody is told of success before their commit is
//! on the disk, exactly as with `synchronous = FULL`; what differs is that others may read it some moments earlier.
//!
//! Nor does a commit bring the log into the database, as SQLite's would every thousand pages: that is done beside the writers,
//! on a connection of its own. Only when the log grows beyond [`LOG`] pages, because that cannot keep up, a commit does it. That
//! connection is open as long as the database is, so that SQLite never removes the log meanwhile, and the descriptor that is
//! flushed is opened once: a flush needs none, and a process that has run out of descriptors still learns what became of a commit.
//! (The database file itself is never opened here. Closing any descriptor of it would drop SQLite's locks on it.)

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteRow};
use sea_orm::sqlx::{self, ConnectOptions as _, Connection as _, Executor as _, Row, SqliteConnection};
use tokio::sync::Mutex;

use super::complete;
use crate::base::{Error, Result};

/// How many pages of 4 KiB SQLite's log may have until a commit brings them into the database: 32 MiB.
pub(super) const LOG: u16 = 8_000;

/// After how many commits the log is brought into the database beside them.
const COMMITS: u64 = 32;

/// The disk under SQLite's log, into which every commit goes first.
pub(super) struct Disk {
    log: Opened,
    /// How many asked so far.
    asked: AtomicU64,
    /// How many of them have their answer. Whoever holds it asks the disk.
    answered: Mutex<u64>,
    flushes: AtomicU64,
    commits: AtomicU64,
    /// Whether the disk failed to keep the log, so that its later parts are worth nothing either.
    has_failed: AtomicBool,
    /// Brings the log into the database. Absent once the database is closed.
    checkpoints: Mutex<Option<Checkpoints>>,
}

/// The connection that brings the log into the database.
struct Checkpoints {
    connection: SqliteConnection,
    options: SqliteConnectOptions,
}

/// The log, and where it and its database were when it was opened.
struct Opened {
    file: File,
    places: [Place; 2],
}

/// A file at a path: that very file, and none that took its place.
#[derive(Debug, Clone)]
pub(super) struct Place {
    path: PathBuf,
    /// Device and inode.
    identity: (u64, u64),
}

impl Place {
    /// The file that is at this path now.
    pub fn of(path: &Path) -> io::Result<Self> {
        // SQLite follows links, and keeps its log beside what they lead to.
        let path = path.canonicalize()?;
        let identity = identity(&path.metadata()?);
        Ok(Self { path, identity })
    }

    /// Whether the file is still there.
    ///
    /// # Errors
    /// With a sentence about what happened.
    pub fn check(&self) -> io::Result<()> {
        let path = self.path.display();
        match self.path.metadata() {
            Ok(found) if identity(&found) == self.identity => Ok(()),
            Ok(_) => Err(io::Error::other(format!("another file is in the place of {path}"))),
            Err(error) => Err(io::Error::new(error.kind(), format!("{path} was deleted or moved: {error}"))),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn identity(found: &Metadata) -> (u64, u64) {
    (found.dev(), found.ino())
}

impl Disk {
    /// Under the database at this path, which a connection of these options has open already.
    pub async fn under(path: &Path, options: SqliteConnectOptions) -> sqlx::Result<Self> {
        let connection = Checkpoints::connect(&options).await?;
        let checkpoints = Checkpoints { connection, options };
        Ok(Self {
            log: Opened::beside(path)?,
            asked: AtomicU64::new(0),
            answered: Mutex::new(0),
            flushes: AtomicU64::new(0),
            commits: AtomicU64::new(0),
            has_failed: AtomicBool::new(false),
            checkpoints: Mutex::new(Some(checkpoints)),
        })
    }

    /// Counts a commit, and now and then has the log brought into the database. Nobody waits for that.
    pub fn committed(self: &Arc<Self>) {
        let commits = self.commits.fetch_add(1, Ordering::Relaxed) + 1;
        if commits.is_multiple_of(COMMITS) {
            tokio::spawn(Arc::clone(self).moved());
        }
    }

    async fn moved(self: Arc<Self>) {
        // Who came before is still at it.
        let Ok(mut checkpoints) = self.checkpoints.try_lock() else { return };
        let Some(checkpoints) = checkpoints.as_mut() else { return };
        if let Err(error) = checkpoints.run("PRAGMA wal_checkpoint(PASSIVE)").await {
            tracing::warn!(%error, "SQLite's log could not be brought into the database");
        }
    }

    /// Waits until everything that was committed by now is on the disk.
    ///
    /// # Errors
    /// `Unavailable` when nobody knows whether it is.
    pub async fn flushed(self: &Arc<Self>) -> Result<()> {
        let mine = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        let mut answered = self.answered.lock().await;
        if *answered >= mine {
            return Ok(());
        }
        // These committed before the disk is asked.
        let all = self.asked.load(Ordering::SeqCst);
        let flushed = if self.has_failed.load(Ordering::Relaxed) { self.renewed().await } else { self.synced().await };
        flushed.map_err(|error| Error::uncertain(format!("a commit may not be on the disk: {error}")))?;
        self.flushes.fetch_add(1, Ordering::Relaxed);
        *answered = all;
        Ok(())
    }

    async fn synced(self: &Arc<Self>) -> io::Result<()> {
        let disk = Arc::clone(self);
        let flushing = tokio::task::spawn_blocking(move || {
            let synced = disk.log.sync();
            // Noted here, as nobody may wait for it any more.
            disk.has_failed.store(synced.is_err(), Ordering::Relaxed);
            synced
        });
        flushing.await.unwrap_or_else(|error| Err(io::Error::other(error)))
    }

    /// Begins the log anew after the disk failed to keep it. The system may have dropped what it could not write and not say so
    /// again, and SQLite reads its log only up to the first gap. So all of it goes into the database, which is flushed too.
    async fn renewed(&self) -> io::Result<()> {
        let mut checkpoints = self.checkpoints.lock().await;
        let checkpoints = checkpoints.as_mut().ok_or_else(|| io::Error::other("the database is closed"))?;
        let told = checkpoints.run("PRAGMA wal_checkpoint(TRUNCATE)").await;
        match told.and_then(|told| told.try_get::<i64, _>(0)) {
            Ok(0) => {}
            Ok(_) => return Err(io::Error::other("the log could not be begun anew, as it is read")),
            Err(error) => return Err(io::Error::other(error)),
        }
        self.log.check()?;
        self.has_failed.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// How often the disk was asked.
    pub fn flushes(&self) -> u64 {
        self.flushes.load(Ordering::Relaxed)
    }

    /// Lets go of the log, after everybody else has.
    pub async fn close(&self) {
        if let Some(checkpoints) = self.checkpoints.lock().await.take()
            && let Err(error) = checkpoints.connection.close().await
        {
            tracing::warn!(%error, "the connection that brings SQLite's log into the database did not close cleanly");
        }
    }
}

impl Checkpoints {
    async fn connect(options: &SqliteConnectOptions) -> sqlx::Result<SqliteConnection> {
        let mut connection = options.connect().await?;
        // Only a connection that has read holds the log.
        sqlx::query("SELECT COUNT(*) FROM sqlite_schema").execute(&mut connection).await?;
        Ok(connection)
    }

    /// Runs a checkpoint, and gives what it tells. A connection that is found dead is replaced for the next one.
    async fn run(&mut self, sql: &'static str) -> sqlx::Result<SqliteRow> {
        let told = complete::first(self.connection.fetch_many(sqlx::query(sql))).await;
        if matches!(told, Err(sqlx::Error::WorkerCrashed)) {
            // The old one is closed once the new one holds the log.
            self.connection = Self::connect(&self.options).await?;
        }
        told?.ok_or(sqlx::Error::RowNotFound)
    }
}

impl Opened {
    fn beside(path: &Path) -> io::Result<Self> {
        let database = Place::of(path)?;
        let mut log = database.path.clone().into_os_string();
        log.push("-wal");
        let log = PathBuf::from(log);
        let file = File::open(&log)?;
        let identity = identity(&file.metadata()?);
        Ok(Self { file, places: [database, Place { path: log, identity }] })
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()?;
        // What is on the disk under no name is lost with the program.
        self.check()
    }

    fn check(&self) -> io::Result<()> {
        self.places.iter().try_for_each(Place::check)
    }
}
