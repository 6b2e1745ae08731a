//! Work that goes on after the request that asked for it was answered.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How many pieces of such work are done at once; others wait for their turn. Each may hold a file in memory.
const AT_ONCE: usize = 2;

/// The work of one server; cheap to clone.
#[derive(Debug, Clone)]
pub struct Background {
    tasks: TaskTracker,
    stopping: CancellationToken,
    turns: Arc<Semaphore>,
}

impl Default for Background {
    fn default() -> Self {
        let turns = Arc::new(Semaphore::new(AT_ONCE));
        Self { tasks: TaskTracker::new(), stopping: CancellationToken::new(), turns }
    }
}

impl Background {
    /// Starts work that looks after [`Background::stopping`] itself.
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        self.tasks.spawn(work)
    }

    /// Is cancelled when the server stops: work is to end soon, as if it had never begun.
    pub fn stopping(&self) -> &CancellationToken {
        &self.stopping
    }

    /// Waits until few enough others work. The turn ends when what is returned is dropped.
    pub async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.turns).acquire_owned().await.ok()
    }

    /// Has all work end.
    pub fn stop(&self) {
        self.stopping.cancel();
    }

    /// Waits until all work has ended, for so long at most. Says whether it has.
    pub async fn stopped(&self, within: Duration) -> bool {
        self.tasks.close();
        tokio::time::timeout(within, self.tasks.wait()).await.is_ok()
    }
}
