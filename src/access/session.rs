//! Sessions of the web app: our store for tower-sessions, over a table that knows whose session it is.
//!
//! The database keeps a digest of the id, so a copy of it opens no session. One statement loads a session together with
//! its person and their permissions.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::{DateTime, TimeDelta};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{ExprTrait, Func, LockBehavior, LockType, Query, SelectStatement};
use sea_orm::{ActiveValue::Set, JoinType, QueryOrder, QuerySelect};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::OffsetDateTime;
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::{self, SessionStore};
use tower_sessions::{Expiry, Session, SessionManagerLayer, cookie::SameSite};

use super::gate::{Access, Permission};
use super::part::{Lines, Part};
use super::people::{SessionLine, joined, split};
use super::permission::lacking;
use super::token::digest;
use super::user::{self, Person};
use super::{grants, role, second_factor};
use crate::base::column::{Written, placed_row};
use crate::base::error::Code;
use crate::base::time::stored::{Timestamp, now};
use crate::base::{Error, Result};
use crate::history::entity::{Subject, record};
use crate::server::database::Database;
use crate::server::settings::Settings;
use crate::server::transaction::DatabaseTransaction;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sessions")]
pub struct Model {
    /// The digest of the id in the cookie.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub user_id: Option<i64>,
    pub data: String,
    pub expires_at: Timestamp,
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    pub seen_at: Option<Timestamp>,
    /// Where its person signed in.
    pub address: Option<String>,
    pub browser: Option<String>,
    /// Of one that began with a link: what the maker of the link held. It ends once its person may more.
    pub reach: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(belongs_to = "user::Entity", from = "Column::UserId", to = "user::Column::Id")]
    User,
}

impl Related<user::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::User.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}

/// The cookie's name.
pub const COOKIE: &str = "kontor_session";
/// The cookie's name over TLS: browsers take it from this host only, for its whole site, and never in plain (RFC 6265bis, 4.1.3.2).
pub const SECURE_COOKIE: &str = "__Host-kontor_session";

/// For so long after a person gave their password it is not asked again before what takes it once more, in seconds.
pub const RECENT: i64 = 15 * 60;

/// A session in use is prolonged at most this often, in seconds.
const PROLONG_EVERY: i64 = 3600;

/// How long a right password waits for its code, in seconds.
const AWAITED_FOR: i64 = 600;

/// Its use is noted at most this often.
const SEEN_EVERY: TimeDelta = TimeDelta::minutes(1);

const PERSON: &str = "person";
const PROLONGED: &str = "prolonged";
const FROM: &str = "from";
const AWAITED: &str = "awaited";
/// When the person signed in, in seconds since the epoch; stays when the session gets another id.
const SIGNED_IN: &str = "signed_in";
/// When the person gave their password again, in seconds since the epoch.
const CONFIRMED: &str = "confirmed";
/// How far the session may reach that began with a link.
const REACH: &str = "reach";
/// What the person held when the session got its id.
const RIGHTS: &str = "rights";
/// What the person is told in this session.
const NOTICE: &str = "notice";

/// The permission to see who is signed in.
#[derive(Debug)]
pub struct View;

impl Permission for View {
    const IN_ADMIN_AREA: bool = true;

    fn code() -> String {
        "sessions.view".into()
    }
}

/// The permission to end sessions.
#[derive(Debug)]
pub struct End;

impl Permission for End {
    const IN_ADMIN_AREA: bool = true;

    fn code() -> String {
        "sessions.delete".into()
    }
}

/// Where somebody signs in from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct From {
    pub address: String,
    /// The browser and the system, such as `Firefox on Linux`.
    pub browser: String,
}

/// Somebody whose password was right, and whose code is missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Awaited {
    pub user_id: i64,
    pub email: String,
    /// Seconds since the epoch.
    pub since: i64,
    /// Of somebody who came by a link: what the maker of the link held.
    #[serde(default)]
    pub reach: Option<String>,
}

/// How a session begins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Beginning {
    /// What the person holds.
    pub rights: Vec<String>,
    /// For somebody who came by a link: what the maker of the link held.
    pub reach: Option<String>,
    /// What the person is to be told on the page of their account.
    pub notice: Option<String>,
}

/// The layer that carries sessions in a cookie that scripts cannot read and other sites cannot send.
pub fn layer(database: Database, settings: &Settings) -> SessionManagerLayer<Store> {
    let secure = settings.secure_cookies;
    let idle = time::Duration::days(settings.session_idle_days.into());
    SessionManagerLayer::new(Store::new(database, settings))
        .with_name(if secure { SECURE_COOKIE } else { COOKIE })
        .with_http_only(true)
        .with_same_site(SameSite::Lax)
        .with_secure(secure)
        .with_path("/")
        .with_expiry(Expiry::OnInactivity(idle))
}

/// Starts the session of a person under a new id.
///
/// # Errors
/// `Internal` when it cannot be stored.
pub async fn start(session: &Session, user: user::Model, from: From, beginning: Beginning) -> Result<()> {
    session.cycle_id().await.map_err(failed)?;
    let person = Person {
        id: user.id,
        name: user.name,
        email: user.email,
        permissions: Vec::new(),
        time_zone: user.time_zone,
        must_enrol: false,
        is_by_link: beginning.reach.is_some(),
        is_recent: true,
    };
    session.remove::<Awaited>(AWAITED).await.map_err(failed)?;
    for name in [REACH, CONFIRMED, NOTICE] {
        session.remove_value(name).await.map_err(failed)?;
    }
    for (name, text) in [(REACH, beginning.reach), (NOTICE, beginning.notice)] {
        if let Some(text) = text {
            session.insert(name, text).await.map_err(failed)?;
        }
    }
    session.insert(RIGHTS, sorted(&beginning.rights)).await.map_err(failed)?;
    session.insert(SIGNED_IN, user::seconds()).await.map_err(failed)?;
    session.insert(PERSON, person).await.map_err(failed)?;
    session.insert(FROM, from).await.map_err(failed)?;
    session.insert(PROLONGED, user::seconds()).await.map_err(failed)
}

/// Permissions in one text that is the same for the same ones.
fn sorted(permissions: &[String]) -> String {
    let sorted: BTreeSet<String> = permissions.iter().cloned().collect();
    joined(&sorted.into_iter().collect::<Vec<_>>())
}

/// Gives a session another id; it keeps all else, and its old id opens nothing from now on.
///
/// # Errors
/// `Unauthenticated` when the session was ended meanwhile.
pub async fn rotate(database: &Database, session: &Session) -> Result<()> {
    let id = listed_id(session).ok_or_else(Error::unauthenticated)?;
    let transaction = database.write().await?;
    let ended = Entity::delete_by_id(id).exec(&transaction).await?.rows_affected;
    transaction.commit().await?;
    if ended == 0 {
        return Err(Error::unauthenticated());
    }
    session.cycle_id().await.map_err(failed)
}

/// Notes that the person of a session gave their password again.
///
/// # Errors
/// `Internal` when it cannot be stored.
pub async fn confirm(session: &Session) -> Result<()> {
    session.insert(CONFIRMED, user::seconds()).await.map_err(failed)
}

/// What the person is told in this session.
///
/// # Errors
/// `Internal` when the store does not answer.
pub async fn notice(session: &Session) -> Result<Option<String>> {
    session.get(NOTICE).await.map_err(failed)
}

/// Remembers under a new id that somebody's password was right, or their link; it is nobody's session yet. `reach` is that of
/// the link.
///
/// # Errors
/// `Internal` when it cannot be stored.
pub async fn await_code(session: &Session, user: &user::Model, reach: Option<String>) -> Result<()> {
    session.cycle_id().await.map_err(failed)?;
    for name in [PERSON, SIGNED_IN] {
        session.remove_value(name).await.map_err(failed)?;
    }
    let awaited = Awaited { user_id: user.id, email: user.email.clone(), since: user::seconds(), reach };
    session.insert(AWAITED, awaited).await.map_err(failed)
}

/// Whose code is missing, if the password was right not long ago.
///
/// # Errors
/// `Internal` when the store does not answer.
pub async fn awaited(session: &Session) -> Result<Option<Awaited>> {
    let awaited = session.get::<Awaited>(AWAITED).await.map_err(failed)?;
    Ok(awaited.filter(|awaited| user::seconds() - awaited.since < AWAITED_FOR))
}

/// The id by which lists name a session.
pub fn listed_id(session: &Session) -> Option<String> {
    session.id().map(|id| digest(&id.to_string()))
}

/// Ends the sessions of a person but for one. Says how many.
///
/// # Errors
/// When the database does not answer.
pub(super) async fn end_all(transaction: &DatabaseTransaction, user_id: i64, but: Option<String>) -> Result<u64> {
    let ended = Entity::delete_many()
        .filter(Column::UserId.eq(user_id))
        .filter(Column::Id.ne(but.unwrap_or_default()))
        .exec(transaction)
        .await?;
    Ok(ended.rows_affected)
}

impl Entity {
    /// Who is signed in, the latest used first. `current` is the session that asks. Two statements.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn list(access: &Access<View>, part: Part, current: Option<&str>) -> Result<Lines<SessionLine>> {
        lines(access.reader(), part, current).await
    }

    /// Ends all sessions but `current`, and but for those of people who may more than the caller. Says how many.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn end_others(access: &Access<End>, current: Option<&str>) -> Result<u64> {
        let transaction = access.write().await?;
        grants::take_turns(&transaction).await?;
        let held: Vec<(i64, String)> = Self::find()
            .select_only()
            .column(Column::UserId)
            .column(role::Column::Permissions)
            .distinct()
            .join(JoinType::InnerJoin, Relation::User.def())
            .join(JoinType::InnerJoin, grants::assignments())
            .join(JoinType::InnerJoin, grants::assigned())
            .into_tuple()
            .all(&transaction)
            .await?;
        let beyond =
            |permissions: &str| lacking(&access.caller().permissions, permissions.split_whitespace()).is_some();
        let spared: HashSet<i64> =
            held.into_iter().filter(|(_, permissions)| beyond(permissions)).map(|(id, _)| id).collect();
        let ended = Self::delete_many()
            .filter(Column::UserId.is_not_null())
            .filter(Column::UserId.is_not_in(spared))
            .filter(Column::Id.ne(current.unwrap_or_default()))
            .exec(&transaction)
            .await?
            .rows_affected;
        let subject = Subject { resource: "sessions", id: 0, command: "end_all", versions: (None, None), reason: None };
        record(&transaction, access.caller(), subject, json!({ "ended": [null, ended] })).await?;
        transaction.commit().await?;
        Ok(ended)
    }

    /// Ends one session.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden` for the session of somebody who may more than the caller.
    pub async fn end(access: &Access<End>, id: &str) -> Result<()> {
        let transaction = access.write().await?;
        let session = Self::find_by_id(id).one(&transaction).await?;
        let user_id = session.and_then(|session| session.user_id).ok_or_else(|| Error::not_found("session"))?;
        user::managed(&transaction, access, user_id).await?;
        Self::delete_by_id(id).exec(&transaction).await?;
        let subject =
            Subject { resource: "users", id: user_id, command: "end_session", versions: (None, None), reason: None };
        record(&transaction, access.caller(), subject, json!({})).await?;
        transaction.commit().await
    }
}

/// Sessions as they are listed. Two statements.
pub(super) async fn lines(db: &impl ConnectionTrait, part: Part, current: Option<&str>) -> Result<Lines<SessionLine>> {
    let of_user = part.user.map_or_else(|| Column::UserId.is_not_null(), |id| Column::UserId.eq(id));
    let all = Entity::find().filter(Column::ExpiresAt.gt(now())).filter(of_user);
    let count = all.clone().count(db).await?;
    let used = [Expr::col((Entity, Column::SeenAt)), Expr::col((Entity, Column::CreatedAt))];
    let select = all
        .find_also_related(user::Entity)
        .order_by_desc(Expr::expr(Func::coalesce(used)))
        .order_by_asc(Column::Id)
        .offset(part.offset())
        .limit(u64::from(part.page_size));
    let line = |(session, user): (Model, Option<user::Model>)| {
        let user = user?;
        Some(SessionLine {
            is_current: current == Some(session.id.as_str()),
            id: session.id,
            user: user.id,
            name: user.name,
            email: user.email,
            created_at: session.created_at.into(),
            seen_at: session.seen_at.map(Into::into),
            expires_at: session.expires_at.into(),
            address: session.address.filter(|text| !text.is_empty()),
            browser: session.browser.filter(|text| !text.is_empty()),
        })
    };
    let lines = select.all(db).await?.into_iter().filter_map(line).collect();
    Ok(Lines { part, count, lines })
}

/// Ends the session and takes the cookie back.
///
/// # Errors
/// `Internal` when it cannot be removed.
pub async fn end(session: &Session) -> Result<()> {
    session.flush().await.map_err(failed)
}

/// The person of the session, if somebody is signed in; prolongs a session in use. A session whose person may more than before
/// gets another id, so that nobody who knows the old one gains by it.
///
/// # Errors
/// `Internal` when the store does not answer.
pub async fn person(database: &Database, session: &Session) -> Result<Option<Person>> {
    let Some(person) = session.get::<Person>(PERSON).await.map_err(failed)? else { return Ok(None) };
    let prolonged: i64 = session.get(PROLONGED).await.map_err(failed)?.unwrap_or_default();
    if user::seconds() - prolonged > PROLONG_EVERY {
        session.insert(PROLONGED, user::seconds()).await.map_err(failed)?;
    }
    let (known, rights) = (session.get::<String>(RIGHTS).await.map_err(failed)?, sorted(&person.permissions));
    if known.as_ref() != Some(&rights) {
        session.insert(RIGHTS, &rights).await.map_err(failed)?;
        let widened = |known: String| lacking(&split(&known), rights.split_whitespace()).is_some();
        if known.is_some_and(widened) {
            return match rotate(database, session).await {
                Ok(()) => Ok(Some(person)),
                // Another request of the same browser was first.
                Err(error) if error.code == Code::Unauthenticated => Ok(None),
                Err(error) => Err(error),
            };
        }
    }
    Ok(Some(person))
}

/// Removes sessions that ran out.
///
/// # Errors
/// When the database does not answer.
pub async fn sweep(database: &Database) -> Result<u64> {
    let transaction = database.write().await?;
    let swept = Entity::delete_many().filter(Column::ExpiresAt.lt(now())).exec(&transaction).await?;
    transaction.commit().await?;
    Ok(swept.rows_affected)
}

fn failed(error: tower_sessions::session::Error) -> Error {
    let internal = format!("session: {error}");
    match error {
        tower_sessions::session::Error::Store(session_store::Error::Backend(text)) if text.starts_with(AWAY) => Error {
            retry_after: Some(2),
            internal: Some(internal.into()),
            ..Error::new(Code::Unavailable, "The database does not answer. Try again in a moment.")
        },
        _ => Error::internal(internal),
    }
}

/// The store behind the layer.
#[derive(Debug, Clone)]
pub struct Store {
    database: Database,
    /// How long a session lives at the most, however much it is used.
    absolute: TimeDelta,
}

impl Store {
    pub fn new(database: Database, settings: &Settings) -> Self {
        Self { database, absolute: TimeDelta::days(settings.session_days.into()) }
    }

    /// The session that a request came with, read anew: it holds nothing once it was ended.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn read_again(&self, session: &Session) -> Result<Session> {
        let again = Session::new(session.id(), std::sync::Arc::new(self.clone()), None);
        if let Some(person) = again.get::<Person>(PERSON).await.map_err(failed)? {
            // No answer carries a new id of it, so it keeps the one it has.
            again.insert(RIGHTS, sorted(&person.permissions)).await.map_err(failed)?;
        }
        Ok(again)
    }
}

placed_row! {
    struct Row {
        data: String,
        expires_at: Timestamp,
        seen_at: Option<Timestamp>,
        address: Option<String>,
        browser: Option<String>,
        created_at: Timestamp,
        reach: Option<String>,
        user_id: Option<i64>,
        name: Option<String>,
        email: Option<String>,
        time_zone: Option<String>,
        permissions: Option<String>,
        requires_second_factor: Option<bool>,
        confirmed_at: Option<Timestamp>,
    }
}

/// Begins what a store that does not answer says of itself, as its errors are but texts.
const AWAY: &str = "away: ";

fn backend(error: impl Into<Error>) -> session_store::Error {
    let error = error.into();
    let away = if error.code == Code::Unavailable { AWAY } else { "" };
    session_store::Error::Backend(format!("{away}{}", error.internal.as_deref().unwrap_or(&error.detail)))
}

/// When the person of a session signed in.
fn signed_in(data: &HashMap<String, Value>) -> Option<Timestamp> {
    DateTime::from_timestamp(data.get(SIGNED_IN)?.as_i64()?, 0)
}

fn columns(record: &Record) -> session_store::Result<ActiveModel> {
    let mut data = record.data.clone();
    let user_id = data.remove(PERSON).and_then(|person| person.get("id").and_then(Value::as_i64));
    let reach = data.remove(REACH).and_then(|reach| reach.as_str().map(str::to_owned));
    let from: From = data.remove(FROM).and_then(|from| serde_json::from_value(from).ok()).unwrap_or_default();
    let data = serde_json::to_string(&data).map_err(|e| session_store::Error::Encode(e.to_string()))?;
    let expires_at = DateTime::from_timestamp(record.expiry_date.unix_timestamp(), 0)
        .ok_or_else(|| session_store::Error::Encode("expiry out of range".into()))?;
    Ok(ActiveModel {
        id: Set(digest(&record.id.to_string())),
        user_id: Set(user_id),
        data: Set(data),
        expires_at: Set(expires_at),
        address: Set(Some(from.address)),
        browser: Set(Some(from.browser)),
        reach: Set(reach),
        ..Default::default()
    })
}

#[async_trait::async_trait]
impl SessionStore for Store {
    async fn create(&self, record: &mut Record) -> session_store::Result<()> {
        let mut session = columns(record)?;
        session.created_at = Set(signed_in(&record.data).unwrap_or_else(now));
        session.seen_at = Set(Some(now()));
        let transaction = self.database.write_session().await.map_err(backend)?;
        Entity::insert(session).exec_without_returning(&transaction).await.map_err(backend)?;
        transaction.commit().await.map_err(backend)
    }

    /// Only ever an update: a slow request must not revive a session that was ended meanwhile.
    async fn save(&self, record: &Record) -> session_store::Result<()> {
        let session = columns(record)?;
        let transaction = self.database.write_session().await.map_err(backend)?;
        Entity::update_many()
            .set(ActiveModel { id: sea_orm::ActiveValue::NotSet, ..session })
            .filter(Column::Id.eq(digest(&record.id.to_string())))
            .exec(&transaction)
            .await
            .map_err(backend)?;
        transaction.commit().await.map_err(backend)
    }

    async fn load(&self, id: &Id) -> session_store::Result<Option<Record>> {
        static STATEMENT: Written = Written::new();
        let id_in_database = digest(&id.to_string());
        let now = now();
        let oldest = now - self.absolute;
        let values = vec![id_in_database.as_str().into(), now.into(), oldest.into(), true.into()];
        let select = || {
            Entity::find()
                .select_only()
                .columns([Column::Data, Column::ExpiresAt, Column::SeenAt, Column::Address, Column::Browser])
                .columns([Column::CreatedAt, Column::Reach])
                .column_as(user::Column::Id, "user_id")
                .columns([user::Column::Name, user::Column::Email, user::Column::TimeZone])
                .columns([role::Column::Permissions, role::Column::RequiresSecondFactor])
                .column(second_factor::Column::ConfirmedAt)
                .join(JoinType::LeftJoin, Relation::User.def())
                .join(JoinType::LeftJoin, grants::assignments())
                .join(JoinType::LeftJoin, grants::assigned())
                .join(JoinType::LeftJoin, second_factor::of_user())
                .filter(Column::Id.eq(id_in_database.as_str()))
                .filter(Column::ExpiresAt.gt(now))
                .filter(Column::CreatedAt.gt(oldest))
                .filter(Column::UserId.is_null().or(user::Column::IsActive.eq(true)))
        };
        let rows: Vec<Row> = STATEMENT.rows(self.database.reader(), values, select).await.map_err(backend)?;
        let Some(first) = rows.first() else { return Ok(None) };
        let mut data: HashMap<String, Value> =
            serde_json::from_str(&first.data).map_err(|e| session_store::Error::Decode(e.to_string()))?;
        if let (Some(id), Some(name), Some(email)) = (first.user_id, first.name.clone(), first.email.clone()) {
            let permissions: Vec<String> =
                rows.iter().filter_map(|row| row.permissions.as_deref()).flat_map(split).collect();
            if let Some(reach) = &first.reach {
                if lacking(&split(reach), permissions.iter().map(String::as_str)).is_some() {
                    return Ok(None);
                }
                data.insert(REACH.to_owned(), json!(reach));
            }
            let seconds = |name: &str| data.get(name).and_then(Value::as_i64);
            let given = seconds(CONFIRMED).or_else(|| seconds(SIGNED_IN)).unwrap_or(first.created_at.timestamp());
            let (is_by_link, is_recent) = (first.reach.is_some(), user::seconds() - given < RECENT);
            let required = rows.iter().any(|row| row.requires_second_factor == Some(true));
            let must_enrol = required && first.confirmed_at.is_none();
            let time_zone = first.time_zone.clone();
            let person = Person { id, name, email, permissions, time_zone, must_enrol, is_by_link, is_recent };
            let person = serde_json::to_value(person).map_err(|e| session_store::Error::Decode(e.to_string()))?;
            data.insert(PERSON.to_owned(), person);
            let (address, browser) =
                (first.address.clone().unwrap_or_default(), first.browser.clone().unwrap_or_default());
            data.insert(FROM.to_owned(), json!({ "address": address, "browser": browser }));
            if first.seen_at.is_none_or(|seen| now - seen > SEEN_EVERY) {
                tokio::spawn(note_use(self.database.clone(), id_in_database));
            }
        }
        let expiry_date = OffsetDateTime::from_unix_timestamp(first.expires_at.timestamp())
            .map_err(|e| session_store::Error::Decode(e.to_string()))?;
        Ok(Some(Record { id: *id, data, expiry_date }))
    }

    async fn delete(&self, id: &Id) -> session_store::Result<()> {
        let transaction = self.database.write_session().await.map_err(backend)?;
        Entity::delete_by_id(digest(&id.to_string())).exec(&transaction).await.map_err(backend)?;
        transaction.commit().await.map_err(backend)
    }
}

/// A session that nobody is changing: noting its use waits for nobody.
fn unlocked(id: &str) -> SelectStatement {
    let mut select = Query::select().column(Column::Id).from(Entity).and_where(Column::Id.eq(id)).to_owned();
    select.lock_with_behavior(LockType::NoKeyUpdate, LockBehavior::SkipLocked);
    select
}

async fn note_use(database: Database, id: String) {
    let noted = async {
        let transaction = database.write_session().await?;
        Entity::update_many()
            .col_expr(Column::SeenAt, Expr::value(now()))
            .filter(Column::Id.in_subquery(unlocked(&id)))
            .exec(&transaction)
            .await?;
        transaction.commit().await
    };
    if let Err(error) = noted.await {
        tracing::warn!(error = error.internal.as_deref(), "could not note the use of a session");
    }
}
