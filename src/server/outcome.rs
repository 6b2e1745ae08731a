//! What is known of the writes of a request when its answer is worded.
//!
//! A request may be given up or fail at any time: before its COMMIT was sent, while nobody knows whether it was carried out, or
//! afterwards. Its answer says "Nothing was saved" only where that is known. What a request leaves to other tasks is not
//! counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::base::Error;
use crate::base::error::Code;
use crate::base::error::border::UNCERTAIN;

tokio::task_local! {
    static COMMITS: Arc<Commits>;
}

/// The commits of one request, each counted when it is sent and again when its outcome is known.
#[derive(Debug, Default)]
struct Commits {
    sent: AtomicU32,
    saved: AtomicU32,
    rolled_back: AtomicU32,
}

/// A commit that was sent. Dropped, its outcome stays unknown.
#[derive(Debug)]
pub(super) struct Sent(Option<Arc<Commits>>);

/// Follows what `request` commits, so that [`worded`] can tell.
pub(super) async fn followed<T>(request: impl Future<Output = T>) -> T {
    COMMITS.scope(Arc::default(), request).await
}

/// Counts a commit that is about to be sent.
pub(super) fn sent() -> Sent {
    let commits = COMMITS.try_with(Arc::clone).ok();
    if let Some(commits) = &commits {
        commits.sent.fetch_add(1, Ordering::Relaxed);
    }
    Sent(commits)
}

impl Sent {
    /// It is saved, as far as the settings want that.
    pub(super) fn saved(self) {
        if let Some(commits) = self.0 {
            commits.saved.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Nothing of it was saved.
    pub(super) fn rolled_back(self) {
        if let Some(commits) = self.0 {
            commits.rolled_back.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The error with what is known of the writes of this request, where it is a failure of ours: that nothing was saved, or that
/// something may have been.
pub(super) fn worded(error: Error) -> Error {
    if error.status() < 500 || error.detail == UNCERTAIN {
        return error;
    }
    let known = COMMITS.try_with(|commits| {
        let [sent, saved, rolled_back] =
            [&commits.sent, &commits.saved, &commits.rolled_back].map(|count| count.load(Ordering::Relaxed));
        (sent == rolled_back, sent == rolled_back + saved)
    });
    match known {
        Ok((true, _)) => Error { detail: format!("{} Nothing was saved.", error.detail), ..error },
        Ok((_, true)) => Error { detail: UNCERTAIN.into(), ..error },
        _ => Error { code: Code::Unavailable, detail: UNCERTAIN.into(), ..error },
    }
}
