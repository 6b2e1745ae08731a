//! What an attempt at a command ran into that another attempt may not: a deadlock, a serialization failure, a prepared
//! statement that the database no longer accepts.
//!
//! The driver's errors are translated where the attempt is not known, so the attempt is a task-local: whoever repeats commands
//! opens it with [`attempt`], and the translation and the transaction mark it.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

use sea_orm::sqlx::Error as Driver;

/// SQLSTATE of a transaction that PostgreSQL ended because others work on the same rows: `serialization_failure` and
/// `deadlock_detected`.
const CONTENTION: [&str; 2] = ["40001", "40P01"];

/// SQLSTATE of a prepared statement that is no longer valid, because a column changed its type, or unknown, because something
/// between us and the database gave us another connection.
const STALE_STATEMENT: [&str; 2] = ["0A000", "26000"];

tokio::task_local! {
    static ATTEMPT: Attempt;
}

#[derive(Debug, Default)]
struct Attempt {
    has_failed: Cell<bool>,
    has_committed: Cell<bool>,
}

/// How often a prepared statement was found stale.
static STALE: AtomicU64 = AtomicU64::new(0);

/// Runs one attempt; says whether another may succeed, having written nothing twice.
pub async fn attempt<T>(work: impl Future<Output = T>) -> (T, bool) {
    let watched = async {
        let made = work.await;
        (made, ATTEMPT.with(|attempt| attempt.has_failed.get() && !attempt.has_committed.get()))
    };
    ATTEMPT.scope(Attempt::default(), watched).await
}

/// Marks that this attempt has committed something, or may have, so that it must not be repeated.
pub fn committed() {
    // Outside of an attempt nothing is repeated.
    let _ = ATTEMPT.try_with(|attempt| attempt.has_committed.set(true));
}

/// Marks this attempt if the driver's error is one that another attempt may not meet, and says whether it is.
pub(super) fn observe(error: &Driver) -> bool {
    let stale = is_stale(error);
    if stale {
        found_stale();
    }
    let is_transient = stale || code_of(error).is_some_and(|code| CONTENTION.contains(&&*code));
    if is_transient {
        // As above.
        let _ = ATTEMPT.try_with(|attempt| attempt.has_failed.set(true));
    }
    is_transient
}

/// Whether the database refuses a prepared statement that it would accept if it were prepared anew.
pub fn is_stale(error: &Driver) -> bool {
    let Some(code) = code_of(error).filter(|code| STALE_STATEMENT.contains(&&**code)) else { return false };
    // The same code also tells of what PostgreSQL cannot do.
    code != "0A000" || error.as_database_error().is_some_and(|error| error.message().contains("cached plan"))
}

/// Has every connection forget its prepared statements before it is used again.
pub fn found_stale() {
    STALE.fetch_add(1, Ordering::Relaxed);
}

/// How often a prepared statement was found stale. A connection that knew fewer of them forgets what it prepared.
pub fn stale_count() -> u64 {
    STALE.load(Ordering::Relaxed)
}

fn code_of(error: &Driver) -> Option<std::borrow::Cow<'_, str>> {
    error.as_database_error()?.code()
}
