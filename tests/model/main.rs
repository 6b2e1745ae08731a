//! Random histories: clients do what people and scripts do, all at once, on the few records of a small company. Then everything
//! they were told is held against the log of events, and the log against the tables. The promises are the same on both
//! databases; on PostgreSQL three servers share one.
//!
//! | setting | default | |
//! |---|---|---|
//! | `MODEL_HISTORIES` | 100 | histories on each database |
//! | `MODEL_SECONDS` | | instead, as many as there is time for on each database |
//! | `MODEL_SEED` | 1 | the first history; each one after it has the next seed |
//!
//! A seed says what every client does, not how the database puts it in turn: what failed once may take some repetitions to fail
//! again. So a failure prints the history as it went.

// What a test expects, it may insist on.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod answers;
mod client;
mod history;
mod ledger;
#[path = "../it/support.rs"]
#[allow(dead_code, unused_macros)] // it has more than this target needs
mod support;
mod timeline;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::future::join_all;
use kontor::history::chain;
use kontor::server::record::tally;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use answers::{Faults, is_busy};
use client::Client;
use history::{History, Intent, Step};
use support::{As, Connections, Kind, TestApp};
use timeline::Timeline;

/// Histories on each database, if nothing else is asked for.
const HISTORIES: u64 = 100;

/// Servers over one database of PostgreSQL.
const SERVERS: usize = 3;

/// How long a history may take before it counts as stuck.
const PATIENCE: Duration = Duration::from_secs(120);

/// A history that was played, and what is wrong with it.
struct Played {
    seed: u64,
    steps: Vec<Step>,
    faults: Faults,
}

#[test]
fn whatever_clients_do_at_once_they_are_told_the_truth_on_sqlite() {
    play_many(Kind::Sqlite);
}

#[test]
fn whatever_clients_do_at_once_they_are_told_the_truth_on_postgresql() {
    play_many(Kind::Postgres);
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} takes a whole number")))
}

/// Plays histories, and fails with the shortest of those that have faults.
fn play_many(kind: Kind) {
    // Says why a request failed, by its id; the answer does not.
    let failures = tracing_subscriber::EnvFilter::new("error,[request]=error");
    drop(tracing_subscriber::fmt().with_env_filter(failures).with_ansi(false).with_test_writer().try_init());
    let (first, began) = (variable("MODEL_SEED").unwrap_or(1), Instant::now());
    let seconds = variable("MODEL_SECONDS").map(Duration::from_secs);
    let histories = if seconds.is_some() { u64::MAX } else { variable("MODEL_HISTORIES").unwrap_or(HISTORIES) };
    let (mut tally, mut failed) = (Tally::default(), Vec::new());
    for seed in (first..).take(usize::try_from(histories).unwrap_or(usize::MAX)) {
        if seconds.is_some_and(|seconds| began.elapsed() > seconds) {
            break;
        }
        let Some(history) = play(kind, seed) else { return };
        tally.count(&history);
        if !history.faults.is_empty() {
            failed.push(history);
        }
    }
    eprintln!("{kind:?}, from MODEL_SEED={first}: {tally}");
    if let Some(shortest) = failed.iter().min_by_key(|history| history.steps.len()) {
        for history in &failed {
            eprintln!("seed {}: {} faults in {} requests", history.seed, history.faults.len(), history.steps.len());
            history.faults.iter().for_each(|fault| eprintln!("    {fault}"));
        }
        panic!("{} of {} histories have faults. {}", failed.len(), tally.histories, told(kind, shortest));
    }
    tally.check();
}

/// What happened in some histories.
#[derive(Default)]
struct Tally {
    histories: usize,
    requests: usize,
    busy: usize,
    /// By what was intended: how often it was acknowledged, and how often refused.
    outcomes: BTreeMap<&'static str, [usize; 2]>,
}

impl Tally {
    fn count(&mut self, history: &Played) {
        self.histories += 1;
        self.requests += history.steps.len();
        self.busy += history.steps.iter().filter(|step| is_busy(step)).count();
        for step in &history.steps {
            let [acknowledged, refused] = self.outcomes.entry(step.request.intent.name()).or_default();
            *(if step.succeeded() { acknowledged } else { refused }) += 1;
        }
    }

    /// Whether hardly anybody was sent away, and so much happened that the histories say something.
    fn check(&self) {
        assert!(self.busy * 100 < self.requests, "{self}: too many were told that the database is busy");
        if self.histories >= 50 {
            let missing =
                Intent::ALL.into_iter().filter(|name| self.outcomes.get(name).is_none_or(|[done, _]| *done == 0));
            assert_eq!(missing.collect::<Vec<_>>(), [""; 0], "{self}: nothing was acknowledged of these");
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { histories, requests, busy, outcomes } = self;
        write!(f, "{histories} histories, {requests} requests, {busy} of them told that the database is busy; ")?;
        write!(f, "acknowledged and refused: {outcomes:?}")
    }
}

/// A history with its faults, and how to play it again.
fn told(kind: Kind, history: &Played) -> String {
    let steps: Vec<_> = history.steps.iter().map(ToString::to_string).collect();
    let test = if kind == Kind::Sqlite { "sqlite" } else { "postgresql" };
    format!(
        "The shortest, by when each request was sent and answered:\n\n{}\n\nFaults:\n{}\n\nAgain: MODEL_SEED={} MODEL_HISTORIES=1 \
         scripts/with-postgres cargo test --features ssr --test model -- {test}\n",
        steps.join("\n"),
        history.faults.join("\n"),
        history.seed
    )
}

/// Plays one history; nothing where the database is missing.
fn play(kind: Kind, seed: u64) -> Option<Played> {
    let played = std::sync::Mutex::new(None);
    support::run(kind, &[("rate_limit", "0"), ("sign_in_attempts", "")], async |app| {
        let history = tokio::time::timeout(PATIENCE, play_on(app, kind, seed));
        *played.lock().unwrap() = Some(history.await.unwrap_or_else(|_| panic!("the history of seed {seed} is stuck")));
    });
    played.into_inner().unwrap()
}

async fn play_on(app: &TestApp, kind: Kind, seed: u64) -> Played {
    let mut random = StdRng::seed_from_u64(seed);
    let others = if kind == Kind::Postgres { SERVERS - 1 } else { 0 };
    // Servers in one process share connections in every other history, so that more of them wait for each other there.
    let connections = if seed.is_multiple_of(2) { Connections::Own } else { Connections::Shared };
    let others = join_all((0..others).map(|_| app.beside(connections))).await;
    let servers: Vec<_> = std::iter::once(app).chain(&others).collect();
    let history = History::default();
    Client::new(0, As::Administrator, seed, &servers, &history).found_company().await;
    let clients = (1..=random.random_range(4..=8)).map(|number| {
        let who = if number % 3 == 0 { As::Administrator } else { As::Staff };
        let steps = random.random_range(10..=40);
        let mut client = Client::new(number, who, seed, &servers, &history);
        async move {
            for _ in 0..steps {
                client.act().await;
            }
        }
    });
    let is_over = AtomicBool::new(false);
    let working = async {
        join_all(clients.collect::<Vec<_>>()).await;
        is_over.store(true, Ordering::SeqCst);
    };
    let following = ledger::follow(&servers, || is_over.load(Ordering::SeqCst));
    let ((), followed, ()) = tokio::join!(working, following, tend(&servers, &is_over));
    let steps = history.steps();
    let timeline = Timeline::new(ledger::events(app).await, &steps);
    let mut faults = answers::check(&steps, &timeline);
    faults.extend(ledger::check_events(&timeline));
    faults.extend(ledger::check_tables(app, &timeline).await);
    faults.extend(ledger::check_feed(app, &followed, &timeline));
    if connections == Connections::Own {
        join_all(others.iter().map(|server| server.state.database.close())).await;
    }
    Played { seed, steps, faults }
}

/// Does beside the requests what a server does by itself: seals events, and adds up the numbers of whole tables.
async fn tend(servers: &[&TestApp], is_over: &AtomicBool) {
    for turn in 0.. {
        if is_over.load(Ordering::SeqCst) {
            return;
        }
        let database = &servers[turn % servers.len()].state.database;
        // The next turn does what this one could not.
        for error in [chain::seal(database).await.err(), tally::compact(database).await.err()].into_iter().flatten() {
            eprintln!("in the background: {error} {:?}", error.internal);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
