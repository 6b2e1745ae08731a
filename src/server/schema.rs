//! Changes of the schema while others work: one step a transaction, and what a program makes of steps it does not know.
//!
//! A step that a later release added is tolerated, so that the release before goes on beside it. A step that takes something
//! away names itself in `schema_requirement`, and a program that does not know that step no longer starts. See
//! `docs/UPGRADES.md`.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use migration::{MigrationTrait, Migrator, MigratorTrait, SchemaManager};
use sea_orm::sqlx::pool::PoolConnection;
use sea_orm::sqlx::{self, AssertSqlSafe, Postgres};
use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, SqliteTransactionMode, Statement, TransactionOptions,
    TransactionTrait,
};

use super::database::Database;
use super::reader::not_acquired;
use crate::base::error::Code;
use crate::base::{Error, Result};

/// The lock PostgreSQL servers take in turn while they migrate: `kontor` in ASCII.
const MIGRATION_LOCK: i64 = 0x6b6f_6e74_6f72;

/// How long a step tries to get at tables that others use, and how long it keeps others waiting for them each time.
const STEP_PATIENCE: Duration = Duration::from_mins(2);
const LOCK_PATIENCE: Duration = Duration::from_secs(1);

/// The first pause of a step that others kept from its tables, and the longest.
const PAUSES: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(2)];

/// The step that made `schema_requirement`.
const REQUIREMENT_STEP: &str = "m20261129_000022_schema_requirement";

/// What a step is to a database and to this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepState {
    Applied,
    /// This program knows it, and it is not applied.
    Missing,
    /// It is applied, and this program does not know it.
    Unknown,
}

impl StepState {
    pub const fn name(self) -> &'static str {
        match self {
            StepState::Applied => "applied",
            StepState::Missing => "missing",
            StepState::Unknown => "unknown",
        }
    }
}

/// The steps of the schema, by name in the order in which they are applied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Schema {
    pub steps: Vec<(String, StepState)>,
    /// The step that a program must know to work with the schema, where a step said so.
    required: Option<String>,
}

impl Schema {
    /// How many steps are in a state.
    pub fn count(&self, state: StepState) -> usize {
        self.steps.iter().filter(|(_, known)| *known == state).count()
    }

    /// # Errors
    /// `Unavailable` when the schema needs a later release than this one.
    pub fn accept(&self) -> Result<()> {
        match &self.required {
            Some(required) if !knows(required) => Err(Error::new(
                Code::Unavailable,
                format!(
                    "This release of Kontor is too old for the database: its schema needs a release that knows the step \
                     {required}. Start a later release, or restore a backup from before that step."
                ),
            )),
            _ => Ok(()),
        }
    }
}

fn knows(step: &str) -> bool {
    Migrator::migrations().iter().any(|known| known.name() == step)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Up,
    Down,
}

impl Database {
    /// Applies all steps of the schema that are missing, each in a transaction of its own; servers starting together take turns.
    /// A step that cannot get at its tables because others use them lets them through and tries again.
    ///
    /// # Errors
    /// When a step fails: it is named, and those before it stay applied. `Unavailable` when the schema needs a later release.
    pub async fn migrate(&self) -> Result<()> {
        let _turn = self.migration_turn().await?;
        self.patiently(async || Ok(Migrator::install(self.writer()).await?)).await?;
        let schema = self.schema().await?;
        schema.accept()?;
        let missing: BTreeSet<_> = names(&schema, StepState::Missing).collect();
        for step in Migrator::migrations().iter().filter(|step| missing.contains(step.name())) {
            self.apply(step.as_ref(), Direction::Up).await?;
        }
        Ok(())
    }

    /// Takes back the latest `steps` of the schema, with everything stored in them, each in a transaction of its own.
    ///
    /// # Errors
    /// When a step fails: it is named, and those after it stay taken back. `Conflict` when a later release applied steps.
    pub async fn migrate_down(&self, steps: u32) -> Result<()> {
        let _turn = self.migration_turn().await?;
        let schema = self.schema().await?;
        if let Some(unknown) = names(&schema, StepState::Unknown).next_back() {
            return Err(Error::new(
                Code::Conflict,
                format!(
                    "The step {unknown} is of a later release: only that release can take it back. Nothing was done."
                ),
            ));
        }
        let applied: BTreeSet<_> = names(&schema, StepState::Applied).collect();
        let known = Migrator::migrations();
        let latest = known.iter().rev().filter(|step| applied.contains(step.name()));
        for step in latest.take(usize::try_from(steps).unwrap_or(usize::MAX)) {
            self.apply(step.as_ref(), Direction::Down).await?;
        }
        Ok(())
    }

    /// The steps of the schema, those that this program knows first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn schema(&self) -> Result<Schema> {
        let db = self.reader();
        let backend = db.get_database_backend();
        let known = Migrator::migrations();
        let mut applied = BTreeSet::new();
        let tables = match backend {
            DbBackend::Postgres => "SELECT COUNT(to_regclass('seaql_migrations'))",
            _ => "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'seaql_migrations'",
        };
        let tables = db.query_one_raw(Statement::from_string(backend, tables)).await?;
        let tables: i64 = tables.map(|row| row.try_get_by_index(0)).transpose()?.unwrap_or_default();
        if tables > 0 {
            let versions = Statement::from_string(backend, "SELECT version FROM seaql_migrations");
            for row in db.query_all_raw(versions).await? {
                applied.insert(row.try_get_by_index::<String>(0)?);
            }
        }
        let required = match applied.contains(REQUIREMENT_STEP) {
            true => {
                let required = Statement::from_string(backend, "SELECT step FROM schema_requirement");
                let row = db.query_one_raw(required).await?;
                row.map(|row| row.try_get_by_index(0)).transpose()?
            }
            false => None,
        };
        let mut steps = Vec::with_capacity(known.len());
        for step in &known {
            let state = if applied.remove(step.name()) { StepState::Applied } else { StepState::Missing };
            steps.push((step.name().to_owned(), state));
        }
        steps.extend(applied.into_iter().map(|name| (name, StepState::Unknown)));
        Ok(Schema { steps, required })
    }

    async fn apply(&self, step: &dyn MigrationTrait, direction: Direction) -> Result<()> {
        let done = self.patiently(async || self.attempt_step(step, direction).await).await;
        done.map_err(|error| {
            let why = error.internal.as_deref().unwrap_or(&error.detail);
            let (verb, others) = match direction {
                Direction::Up => ("applied", "the steps before it are applied"),
                Direction::Down => ("taken back", "the steps after it are taken back"),
            };
            Error::internal(format!("the step {} of the schema could not be {verb}; {others}: {why}", step.name()))
        })
    }

    /// Repeats what the database had no time for, as others work.
    async fn patiently<F: Future<Output = Result<()>>>(&self, work: impl Fn() -> F) -> Result<()> {
        let deadline = Instant::now() + STEP_PATIENCE;
        let [mut pause, longest] = PAUSES;
        loop {
            match work().await {
                Err(error) if error.code == Code::Unavailable && Instant::now() < deadline => {
                    tracing::info!(error = error.internal.as_deref(), "others use the database; trying again");
                    tokio::time::sleep(pause.mul_f64(0.5 + rand::random::<f64>() / 2.0)).await;
                    pause = longest.min(pause * 2);
                }
                done => return done,
            }
        }
    }

    async fn attempt_step(&self, step: &dyn MigrationTrait, direction: Direction) -> Result<()> {
        if self.writer().get_database_backend() == DbBackend::Postgres {
            let transaction = self.writer().begin().await?;
            let patience = format!("SET LOCAL lock_timeout = {}", LOCK_PATIENCE.as_millis());
            transaction.execute_unprepared(&patience).await?;
            carry_out(&transaction, step, direction).await?;
            return Ok(transaction.commit().await?);
        }
        // SQLite cannot make a table anew that others refer to while it watches references, which it is told outside of a
        // transaction. They are checked at the end instead.
        self.writer().execute_unprepared("PRAGMA foreign_keys = OFF").await?;
        let done = async {
            let options = TransactionOptions {
                sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
                ..TransactionOptions::default()
            };
            let transaction = self.writer().begin_with_options(options).await?;
            carry_out(&transaction, step, direction).await?;
            let check = Statement::from_string(DbBackend::Sqlite, "PRAGMA foreign_key_check");
            if transaction.query_one_raw(check).await?.is_some() {
                return Err(Error::internal("it leaves a reference that leads nowhere"));
            }
            transaction.commit().await?;
            self.flushed().await
        };
        let done = done.await;
        self.writer().execute_unprepared("PRAGMA foreign_keys = ON").await?;
        done
    }

    /// Waits until no other server changes the schema. Its end is the end of what is returned. SQLite lets one transaction
    /// write at a time, so that servers take turns step by step.
    async fn migration_turn(&self) -> Result<Option<PoolConnection<Postgres>>> {
        if self.writer().get_database_backend() != DbBackend::Postgres {
            return Ok(None);
        }
        let pool = self.writer().get_postgres_connection_pool();
        let mut connection = pool.acquire().await.map_err(not_acquired)?;
        // The lock is the connection's, also when nobody waits for the steps any more.
        connection.close_on_drop();
        let lock = AssertSqlSafe(format!("SELECT pg_advisory_lock({MIGRATION_LOCK})"));
        sqlx::raw_sql(lock).execute(&mut *connection).await.map_err(not_acquired)?;
        Ok(Some(connection))
    }
}

fn names(schema: &Schema, state: StepState) -> impl DoubleEndedIterator<Item = &str> {
    schema.steps.iter().filter(move |(_, known)| *known == state).map(|(name, _)| name.as_str())
}

/// Applies a step or takes it back, unless another server already did.
async fn carry_out(transaction: &DatabaseTransaction, step: &dyn MigrationTrait, direction: Direction) -> Result<()> {
    let backend = transaction.get_database_backend();
    let applied = "SELECT 1 FROM seaql_migrations WHERE version = $1";
    let applied = Statement::from_sql_and_values(backend, applied, [step.name().into()]);
    let is_applied = transaction.query_one_raw(applied).await?.is_some();
    let manager = SchemaManager::new(transaction);
    let (note, values) = match (direction, is_applied) {
        (Direction::Up, true) | (Direction::Down, false) => return Ok(()),
        (Direction::Up, false) => {
            step.up(&manager).await?;
            let at =
                std::time::UNIX_EPOCH.elapsed().map_or(0, |time| i64::try_from(time.as_secs()).unwrap_or_default());
            let note = "INSERT INTO seaql_migrations (version, applied_at) VALUES ($1, $2)";
            (note, vec![step.name().into(), at.into()])
        }
        (Direction::Down, true) => {
            step.down(&manager).await?;
            ("DELETE FROM seaql_migrations WHERE version = $1", vec![step.name().into()])
        }
    };
    transaction.execute_raw(Statement::from_sql_and_values(backend, note, values)).await?;
    Ok(())
}
