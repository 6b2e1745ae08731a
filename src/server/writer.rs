//! The disk that commits on SQLite wait for.
//!
//! SQLite itself would wait for the disk within each commit, and every other writer with it. Instead a commit only writes
//! (`synchronous = NORMAL`), the next writer goes on at once, and whoever committed waits for the disk outside of the
//! transaction: all who committed before the disk was asked share one answer. Nobody is told of success before their commit is
//! on the disk, exactly as with `synchronous = FULL`; what differs is that others may read it some moments earlier.
//!
//! Nor does a commit bring the log into the database, as SQLite's would every thousand pages: that is done beside the writers,
//! on a connection that reads. Only when the log grows beyond [`LOG`] pages, because that cannot keep up, a commit does it.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sea_orm::sqlx::{self, SqlitePool};
use tokio::sync::Mutex;

use crate::base::{Error, Result};

/// How many pages of 4 KiB SQLite's log may have until a commit brings them into the database: 32 MiB.
pub(super) const LOG: u16 = 8_000;

/// After how many commits the log is brought into the database beside them.
const COMMITS: u64 = 32;

/// The disk under SQLite's log, into which every commit goes first.
pub(super) struct Disk {
    file: PathBuf,
    /// How many asked so far.
    asked: AtomicU64,
    /// How many of them have their answer. Whoever holds it asks the disk.
    answered: Mutex<u64>,
    flushes: AtomicU64,
    commits: AtomicU64,
    /// Whoever holds it brings the log into the database.
    moving: Mutex<()>,
    readers: SqlitePool,
}

impl Disk {
    /// Under the database at this absolute path, which these connections read.
    pub fn under(file: PathBuf, readers: SqlitePool) -> Self {
        let (asked, flushes, commits) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
        let (answered, moving) = (Mutex::new(0), Mutex::new(()));
        Self { file, asked, answered, flushes, commits, moving, readers }
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
        let Ok(_moving) = self.moving.try_lock() else { return };
        match sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").execute(&self.readers).await {
            Ok(_) | Err(sqlx::Error::PoolClosed) => {}
            Err(error) => tracing::warn!(%error, "SQLite's log could not be brought into the database"),
        }
    }

    /// Waits until everything that was committed by now is on the disk.
    ///
    /// # Errors
    /// When the disk says that it is not.
    pub async fn flushed(&self) -> Result<()> {
        let mine = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        let mut answered = self.answered.lock().await;
        if *answered >= mine {
            return Ok(());
        }
        // These committed before the disk is asked.
        let all = self.asked.load(Ordering::SeqCst);
        let file = self.file.clone();
        let flushing = tokio::task::spawn_blocking(move || sync(&file));
        let flushed = flushing.await.unwrap_or_else(|error| Err(io::Error::other(error)));
        flushed.map_err(|error| Error::uncertain(format!("a commit may not be on the disk: {error}")))?;
        self.flushes.fetch_add(1, Ordering::Relaxed);
        *answered = all;
        Ok(())
    }

    /// How often the disk was asked.
    pub fn flushes(&self) -> u64 {
        self.flushes.load(Ordering::Relaxed)
    }
}

/// Waits until the log of the database at this path is on the disk.
fn sync(file: &Path) -> io::Result<()> {
    // SQLite follows links, and keeps its log beside what they lead to.
    let file = file.canonicalize()?;
    let mut log = file.clone().into_os_string();
    log.push("-wal");
    match File::open(log) {
        // Where a file system allows no log, commits go to the database.
        Err(error) if error.kind() == io::ErrorKind::NotFound => File::open(file)?.sync_data(),
        log => log?.sync_data(),
    }
}
