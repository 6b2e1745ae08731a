//! Checking and importing beside the requests that ask for it. State and progress stand in the upload's row, so that every
//! server can show them; a heartbeat tells the others that somebody is still at it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use sea_orm::ActiveValue::Set;
use sea_orm::Condition;
use sea_orm::entity::prelude::*;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::run::{Import, Mode, Watch, run_and};
use super::upload::{
    ActiveModel, Column, Entity, FAILED, INTERRUPTED, KEPT_PROBLEMS, Model, QUEUED, READY, RUNNING, contents,
    described, drop_files, mapping_of, read, written,
};
use super::{Activity, MAX_ROWS, Report};
use crate::access::gate::Access;
use crate::base::error::Code;
use crate::base::time::stored::now;
use crate::base::{Error, Result};
use crate::server::AppState;
use crate::server::background::Background;
use crate::server::repeat::repeated;
use crate::server::transaction::Transaction;

/// How often whoever works on an import says so, with how far they got.
const HEARTBEAT: Duration = Duration::from_secs(2);

/// How often it is tried to write down how work ended.
const OUTCOME_ATTEMPTS: usize = 20;

/// How long a request waits for the work it started.
const GRACE: Duration = Duration::from_millis(300);

/// After how long without a heartbeat nobody is believed to work on an import any more.
const STALE: TimeDelta = TimeDelta::seconds(30);

/// What is done with an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    Check,
    Import,
}

impl Task {
    const fn name(self) -> &'static str {
        match self {
            Task::Check => "check",
            Task::Import => "import",
        }
    }
}

/// How far the work of this process got, by worker.
static WORKING: Mutex<BTreeMap<String, Arc<Progress>>> = Mutex::new(BTreeMap::new());

fn working() -> MutexGuard<'static, BTreeMap<String, Arc<Progress>>> {
    WORKING.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Debug, Default)]
struct Progress {
    /// Whether its turn has come.
    is_running: AtomicBool,
    done: AtomicUsize,
    all: AtomicUsize,
}

impl Progress {
    fn set(&self, done: usize, all: usize) {
        self.done.store(done, Ordering::Relaxed);
        self.all.store(all, Ordering::Relaxed);
    }

    fn state(&self) -> &'static str {
        if self.is_running.load(Ordering::Relaxed) { RUNNING } else { QUEUED }
    }

    fn steps(&self) -> (i64, i64) {
        let steps = |steps: &AtomicUsize| i64::try_from(steps.load(Ordering::Relaxed)).unwrap_or(i64::MAX);
        (steps(&self.done), steps(&self.all))
    }
}

/// One piece of work on an upload, for which nobody else does any.
struct Work {
    access: Access<Import>,
    id: String,
    worker: String,
    task: Task,
    progress: Arc<Progress>,
}

/// How work ended.
enum Ended {
    /// What is to be kept of it; nothing when it was kept with what was imported.
    Done(Option<Report>),
    Failed(Error),
    Interrupted,
}

/// What goes on with an upload.
pub fn activity(upload: &Model) -> Activity {
    let is_import = upload.task.as_deref() == Some(Task::Import.name());
    let here = upload.worker.as_ref().and_then(|worker| working().get(worker).cloned());
    let is_alive = here.is_some() || upload.heartbeat_at.is_some_and(|at| at >= now() - STALE);
    let (mut state, mut steps) = (upload.state.as_str(), (upload.steps_done, upload.steps_all));
    if let Some(progress) = here.filter(|_| [QUEUED, RUNNING].contains(&state)) {
        (state, steps) = (progress.state(), progress.steps());
    }
    let (done, all) = steps;
    match state {
        QUEUED if is_alive => Activity::Queued { is_import },
        RUNNING if is_alive => Activity::Running { is_import, done, all },
        QUEUED | RUNNING | INTERRUPTED => Activity::Interrupted { is_import },
        FAILED => Activity::Failed { why: upload.error.clone().unwrap_or_default() },
        _ => Activity::None,
    }
}

/// That nobody works on an upload.
pub fn is_idle() -> Condition {
    Condition::any()
        .add(Column::State.is_not_in([QUEUED, RUNNING]))
        .add(Column::HeartbeatAt.is_null())
        .add(Column::HeartbeatAt.lt(now() - STALE))
}

/// Starts work on an upload, unless somebody is at it already. Answers once the work is written down, not when it is done.
///
/// # Errors
/// When the database does not answer.
pub async fn start(
    state: &AppState,
    access: &Access<Import>,
    upload: &Model,
    task: Task,
    choices: Option<Json>,
) -> Result<()> {
    if activity(upload).is_active() {
        return Ok(());
    }
    let worker = Uuid::new_v4().to_string();
    let mut row = ActiveModel {
        state: Set(QUEUED.into()),
        task: Set(Some(task.name().into())),
        worker: Set(Some(worker.clone())),
        request_id: Set(Some(access.caller().request_id.clone())),
        heartbeat_at: Set(Some(now())),
        steps_done: Set(0),
        steps_all: Set(0),
        error: Set(None),
        ..Default::default()
    };
    if let Some(choices) = choices {
        row.choices = Set(choices);
        row.report = Set(None);
    }
    let progress = Arc::<Progress>::default();
    // Before others can see it, so that nobody here takes it for lost.
    working().insert(worker.clone(), Arc::clone(&progress));
    let work = Work { access: access.clone(), id: upload.id.clone(), worker, task, progress };
    let transaction = access.write().await?;
    let idle = Entity::update_many().set(row).filter(Column::Id.eq(&upload.id)).filter(Column::IsDone.eq(false));
    let claimed = idle.filter(is_idle()).exec(&*transaction).await?;
    transaction.commit().await?;
    if claimed.rows_affected > 0 {
        let working = state.background.spawn(work.carry_out(state.background.clone()));
        // Small files are done with before anybody has to be shown that they are worked on.
        let _ = tokio::time::timeout(GRACE, working).await;
    }
    Ok(())
}

impl Drop for Work {
    fn drop(&mut self) {
        working().remove(&self.worker);
    }
}

impl Work {
    async fn carry_out(self, background: Background) {
        let stop = background.stopping().child_token();
        let ended = tokio::select! {
            ended = self.in_turn(&background, &stop) => ended,
            () = self.beat(&stop) => Ended::Interrupted,
        };
        let row = match ended {
            Ended::Done(None) => return,
            Ended::Done(Some(report)) => match written(&report) {
                Ok(report) => ActiveModel { state: Set(READY.into()), report: Set(Some(report)), ..Default::default() },
                Err(error) => failed(&error),
            },
            Ended::Failed(error) => failed(&error),
            Ended::Interrupted => ActiveModel { state: Set(INTERRUPTED.into()), ..Default::default() },
        };
        // Whoever writes just now may take longer than a request would wait.
        for attempt in 1..=OUTCOME_ATTEMPTS {
            let Err(error) = self.put(row.clone()).await else { return };
            tracing::warn!(error = error.internal.as_deref(), attempt, "how an import ended could not be written down");
            tokio::time::sleep(HEARTBEAT).await;
        }
    }

    /// Waits for its turn and works, on a thread on which nobody else waits: reading files and checking rows takes long.
    async fn in_turn(&self, background: &Background, stop: &CancellationToken) -> Ended {
        let _turn = tokio::select! {
            turn = background.turn() => turn,
            () = stop.cancelled() => return Ended::Interrupted,
        };
        self.progress.is_running.store(true, Ordering::Relaxed);
        let (access, id, worker) = (self.access.clone(), self.id.clone(), self.worker.clone());
        let (task, progress, stop, runtime) = (self.task, Arc::clone(&self.progress), stop.clone(), Handle::current());
        let working = tokio::task::spawn_blocking(move || {
            runtime.block_on(async {
                tokio::select! {
                    biased;
                    () = stop.cancelled() => Ended::Interrupted,
                    done = repeated(|| done(&access, &id, &worker, task, &progress)) => {
                        done.map_or_else(Ended::Failed, Ended::Done)
                    }
                }
            })
        });
        working.await.unwrap_or_else(|error| Ended::Failed(Error::internal(format!("an import broke off: {error}"))))
    }

    /// Says now and then that somebody is at it. When somebody else is by now, the work stops.
    async fn beat(&self, stop: &CancellationToken) {
        let mut every = tokio::time::interval(HEARTBEAT);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            every.tick().await;
            let (done, all) = self.progress.steps();
            let state = Set(self.progress.state().into());
            let row = ActiveModel { state, steps_done: Set(done), steps_all: Set(all), ..Default::default() };
            match self.put(row).await {
                Ok(true) => {}
                Ok(false) => stop.cancel(),
                Err(error) => {
                    tracing::warn!(error = error.internal.as_deref(), "an import could not say that it goes on")
                }
            }
        }
    }

    /// Writes something down about the work. Says whether it is still this one's.
    async fn put(&self, row: ActiveModel) -> Result<bool> {
        let transaction = self.access.database().write().await?;
        let row = ActiveModel { heartbeat_at: Set(Some(now())), ..row };
        let own = Entity::update_many().set(row).filter(Column::Id.eq(&self.id)).filter(Column::IsDone.eq(false));
        let put = own.filter(Column::Worker.eq(&self.worker)).exec(&*transaction).await?;
        transaction.commit_unflushed().await?;
        Ok(put.rows_affected > 0)
    }
}

fn failed(error: &Error) -> ActiveModel {
    if let Some(internal) = &error.internal {
        tracing::error!(error = internal, "an import failed");
    }
    ActiveModel { state: Set(FAILED.into()), error: Set(Some(error.to_string())), ..Default::default() }
}

/// Does the work. What was imported is marked as such in the transaction that writes it, if the work is still this worker's.
async fn done(
    access: &Access<Import>,
    id: &str,
    worker: &str,
    task: Task,
    progress: &Progress,
) -> Result<Option<Report>> {
    let gone = || Error::not_found("upload");
    let upload = Entity::find_by_id(id).one(access.reader()).await?.ok_or_else(gone)?;
    let files = described(access, id).await?;
    let mapping = mapping_of(&files, &read(upload.choices.clone())?)?;
    let files = contents(access, &upload, &files).await?;
    let mode = if task == Task::Import { Mode::Write } else { Mode::DryRun };
    let tell = |done: usize, all: usize| progress.set(done, all);
    let finish = async |transaction: &Transaction, report: &Report| finish(transaction, id, worker, report).await;
    let mut report = run_and(access, &files, &mapping, mode, &Watch::new(&tell), MAX_ROWS, finish).await?;
    drop(files);
    report.list_at_most(KEPT_PROBLEMS);
    if task == Task::Check || !report.is_clean() {
        return Ok(Some(report));
    }
    if report.counts.iter().all(|(_, counts)| counts.created + counts.changed == 0) {
        // Nothing was written, so nothing was finished with it.
        let transaction = access.database().write().await?;
        self::finish(&transaction, id, worker, &report).await?;
        transaction.commit().await?;
    }
    Ok(None)
}

async fn finish(transaction: &Transaction, id: &str, worker: &str, report: &Report) -> Result<()> {
    let is_empty = report.counts.iter().all(|(_, counts)| counts.created + counts.changed == 0);
    let mut row = ActiveModel {
        is_done: Set(true),
        state: Set(READY.into()),
        report: Set(Some(written(report)?)),
        heartbeat_at: Set(None),
        ..Default::default()
    };
    if is_empty {
        row.request_id = Set(None);
    }
    let own = Entity::update_many().set(row).filter(Column::Id.eq(id)).filter(Column::Worker.eq(worker));
    if own.filter(Column::IsDone.eq(false)).exec(&**transaction).await?.rows_affected == 0 {
        return Err(Error::new(Code::Conflict, "Somebody else imports these files by now."));
    }
    drop_files(transaction, id).await
}
