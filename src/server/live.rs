//! Settings that may change while the server runs. They are kept in the database, for all servers on it; what flags, the
//! environment or the file say comes before them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use sea_orm::ActiveValue::Set;
use sea_orm::DbBackend;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use serde_json::{Map, Value as Json, json};

use super::AppState;
use super::settings::Settings;
use crate::access::gate::{Access, Permission};
use crate::base::error::{Code, FieldErrors};
use crate::base::time::stored::{Timestamp, now};
use crate::base::{Error, Result};
use crate::history::entity::{self as history, Subject};
use crate::server::transaction::DatabaseTransaction;

/// How soon a server learns of what was changed through another one.
pub const LOOK_EVERY: Duration = Duration::from_secs(5);

/// What the history calls them.
pub const RESOURCE: &str = "settings";

/// The page where they are changed.
pub const PAGE: &str = "/admin/settings";

/// The settings as one record of the history.
const HOUSE: i64 = 1;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "settings")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    pub value: String,
    pub updated_at: Timestamp,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The permission to change settings.
#[derive(Debug)]
pub struct ChangeSettings;

impl Permission for ChangeSettings {
    const IN_ADMIN_AREA: bool = true;

    fn code() -> String {
        "settings.change".into()
    }
}

/// Carries another filter to the log.
type Relog = Box<dyn Fn(&str) + Send + Sync>;

static RELOG: OnceLock<Relog> = OnceLock::new();

/// Says how the log is given another filter; the first one counts.
pub fn relog_by(relog: impl Fn(&str) + Send + Sync + 'static) {
    if RELOG.set(Box::new(relog)).is_err() {
        tracing::warn!("the log was already set up");
    }
}

/// The settings as they are now.
pub struct Live {
    /// Without what the database says.
    said: Settings,
    now: RwLock<Arc<Settings>>,
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").finish_non_exhaustive()
    }
}

impl Live {
    pub fn new(settings: Settings) -> Self {
        Self { now: RwLock::new(Arc::new(settings.clone())), said: settings }
    }

    /// The settings as they are now.
    pub fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.now.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What the database says, by name. One statement.
///
/// # Errors
/// When it does not answer.
pub async fn stored(db: &impl ConnectionTrait) -> Result<BTreeMap<String, String>> {
    Ok(Entity::find().all(db).await?.into_iter().map(|row| (row.name, row.value)).collect())
}

/// Reads what the database says and goes by it from now on. What makes no sense there is left alone and logged.
///
/// # Errors
/// When the database does not answer.
pub async fn refresh(state: &AppState) -> Result<()> {
    let stored = stored(state.database.reader()).await?;
    match state.live.said.with(&stored) {
        Ok(settings) => apply(state, settings),
        Err(error) => tracing::error!(%error, "the settings in the database make no sense"),
    }
    Ok(())
}

fn apply(state: &AppState, settings: Settings) {
    let before = state.live.settings();
    if (settings.rate_limit, settings.rate_burst) != (before.rate_limit, before.rate_burst) {
        state.limits.set(settings.rate_limit, settings.rate_burst);
    }
    if (settings.page_rate_limit, settings.page_rate_burst) != (before.page_rate_limit, before.page_rate_burst) {
        state.page_limits.set(settings.page_rate_limit, settings.page_rate_burst);
    }
    if settings.sign_in_attempts != before.sign_in_attempts {
        state.throttle.set(settings.sign_in_attempts);
    }
    if let Some(relog) = RELOG.get().filter(|_| settings.log != before.log) {
        relog(&settings.log);
    }
    *state.live.now.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
}

/// What settings were, as the caller saw them, and what they are to be, by name; blank is the default.
pub type Wishes = BTreeMap<String, (String, String)>;

/// Changes settings. Says whether anything changed.
///
/// # Errors
/// `Invalid` at a setting that makes no sense or cannot be changed here; `Conflict` at one that somebody else changed.
pub async fn change(state: &AppState, access: &Access<ChangeSettings>, wishes: &Wishes) -> Result<bool> {
    let transaction = access.write().await?;
    let changed = change_in(state, &transaction, access, wishes).await?;
    if changed {
        transaction.commit().await?;
        refresh(state).await?;
    }
    Ok(changed)
}

/// Sets back what events changed, the latest first.
///
/// # Errors
/// `Conflict` at a setting that was changed since; those of [`change`].
pub async fn undo(
    state: &AppState,
    access: &Access<ChangeSettings>,
    events: &[history::Model],
    dry_run: bool,
) -> Result<()> {
    let transaction = access.write().await?;
    for event in events {
        let text = |value: Option<&Json>| value.and_then(Json::as_str).unwrap_or_default().to_owned();
        let changes = event.changes.0.as_object().into_iter().flatten();
        let wishes = changes.map(|(name, both)| (name.clone(), (text(both.get(1)), text(both.get(0))))).collect();
        change_in(state, &transaction, access, &wishes).await?;
    }
    if dry_run {
        return transaction.rollback().await;
    }
    transaction.commit().await?;
    refresh(state).await
}

/// The lock under which PostgreSQL changes settings: `setting` in ASCII.
const TURNS: i64 = 0x73_6574_7469_6e67;

/// Changes of settings take turns, as one that has its default has no row to lock.
async fn take_turns(transaction: &DatabaseTransaction) -> Result<()> {
    if transaction.get_database_backend() == DbBackend::Postgres {
        transaction.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({TURNS})")).await?;
    }
    Ok(())
}

async fn change_in(
    state: &AppState,
    transaction: &DatabaseTransaction,
    access: &Access<ChangeSettings>,
    wishes: &Wishes,
) -> Result<bool> {
    if transaction.get_database_backend() == DbBackend::Postgres {
        // A setting without a row cannot be locked: of two changes decided on the same value, the second must see the first.
        transaction.execute_unprepared("LOCK TABLE settings IN SHARE ROW EXCLUSIVE MODE").await?;
    }
    let mut errors = FieldErrors::new();
    take_turns(transaction).await?;
    let before = stored(transaction).await?;
    let (mut after, mut changes) = (before.clone(), Map::new());
    for (name, (was, wish)) in wishes {
        let wish = wish.trim();
        if was == wish {
            continue;
        }
        if let Err(message) = state.live.said.changeable(name) {
            errors.insert(name.clone(), vec![message]);
            continue;
        }
        let known = before.get(name).map_or("", String::as_str);
        if known != was {
            let detail = format!("Somebody else set {name} to {known:?} meanwhile.");
            return Err(Error {
                errors: [(name.clone(), vec![detail.clone()])].into(),
                ..Error::new(Code::Conflict, detail)
            });
        }
        changes.insert(name.clone(), json!([before.get(name), Some(wish).filter(|wish| !wish.is_empty())]));
        match wish {
            "" => after.remove(name),
            wish => after.insert(name.clone(), wish.to_owned()),
        };
        if let Err(error) = state.live.said.with(&after) {
            errors.insert(name.clone(), vec![error.to_string()]);
        }
    }
    if !errors.is_empty() {
        return Err(Error::fields(errors));
    }
    if changes.is_empty() {
        return Ok(false);
    }
    for name in changes.keys() {
        match after.get(name) {
            None => {
                Entity::delete_by_id(name.clone()).exec(transaction).await?;
            }
            Some(value) => {
                let row = ActiveModel { name: Set(name.clone()), value: Set(value.clone()), updated_at: Set(now()) };
                let again =
                    OnConflict::column(Column::Name).update_columns([Column::Value, Column::UpdatedAt]).to_owned();
                Entity::insert(row).on_conflict(again).exec_without_returning(transaction).await?;
            }
        }
    }
    let subject = Subject { resource: RESOURCE, id: HOUSE, command: "change", versions: (None, None), reason: None };
    history::record(transaction, access.caller(), subject, changes.into()).await?;
    Ok(true)
}

/// Goes by what other servers change, until the server stops.
pub async fn follow(state: AppState) {
    let mut every = tokio::time::interval(LOOK_EVERY);
    loop {
        every.tick().await;
        if let Err(error) = refresh(&state).await {
            tracing::warn!(error = error.internal.as_deref(), "could not read the settings");
        }
    }
}

/// The database as it is set up, without a password.
pub fn without_password(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, rest)), Some((_, place))) => {
            let user = rest.split([':', '@']).next().unwrap_or_default();
            format!("{scheme}://{user}@{place}")
        }
        _ => url.to_owned(),
    }
}
