//! Sessions of the web app: our store for tower-sessions, over a table that knows whose session it is.
//!
//! The database keeps a digest of the id, so a copy of it opens no session. One statement loads a session together with
//! its person and their permissions.

use std::collections::HashMap;

use chrono::DateTime;
use sea_orm::entity::prelude::*;
use sea_orm::{ActiveValue::Set, FromQueryResult, JoinType, QuerySelect};
use serde_json::Value;
use time::OffsetDateTime;
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::{self, SessionStore};
use tower_sessions::{Expiry, Session, SessionManagerLayer, cookie::SameSite};

use super::token::digest;
use super::user::{self, Person};
use super::{role, token};
use crate::base::time::stored::Timestamp;
use crate::base::time::stored::now;
use crate::base::{Error, Result};
use crate::server::database::Database;

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
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(belongs_to = "user::Entity", from = "Column::UserId", to = "user::Column::Id")]
    User,
}

impl ActiveModelBehavior for ActiveModel {}

/// The cookie's name.
pub const COOKIE: &str = "kontor_session";

/// A session lives this long after it was last used.
const LIFETIME: time::Duration = time::Duration::days(14);

/// A session in use is prolonged at most this often, in seconds.
const PROLONG_EVERY: i64 = 3600;

const PERSON: &str = "person";
const PROLONGED: &str = "prolonged";

/// The layer that carries sessions in a cookie that scripts cannot read and other sites cannot send.
pub fn layer(database: Database, secure: bool) -> SessionManagerLayer<Store> {
    SessionManagerLayer::new(Store { database })
        .with_name(COOKIE)
        .with_http_only(true)
        .with_same_site(SameSite::Lax)
        .with_secure(secure)
        .with_path("/")
        .with_expiry(Expiry::OnInactivity(LIFETIME))
}

/// Starts the session of a person under a new id.
///
/// # Errors
/// `Internal` when it cannot be stored.
pub async fn start(session: &Session, person: &Person) -> Result<()> {
    session.cycle_id().await.map_err(failed)?;
    session.insert(PERSON, person).await.map_err(failed)?;
    session.insert(PROLONGED, user::seconds()).await.map_err(failed)
}

/// Ends the session and takes the cookie back.
///
/// # Errors
/// `Internal` when it cannot be removed.
pub async fn end(session: &Session) -> Result<()> {
    session.flush().await.map_err(failed)
}

/// The person of the session, if somebody is signed in; prolongs a session in use.
///
/// # Errors
/// `Internal` when the store does not answer.
pub async fn person(session: &Session) -> Result<Option<Person>> {
    let Some(person) = session.get::<Person>(PERSON).await.map_err(failed)? else { return Ok(None) };
    let prolonged: i64 = session.get(PROLONGED).await.map_err(failed)?.unwrap_or_default();
    if user::seconds() - prolonged > PROLONG_EVERY {
        session.insert(PROLONGED, user::seconds()).await.map_err(failed)?;
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

fn failed(error: impl std::fmt::Display) -> Error {
    Error::internal(format!("session: {error}"))
}

/// The store behind the layer.
#[derive(Debug, Clone)]
pub struct Store {
    database: Database,
}

#[derive(FromQueryResult)]
struct Row {
    data: String,
    expires_at: Timestamp,
    user_id: Option<i64>,
    name: Option<String>,
    email: Option<String>,
    permission: Option<String>,
}

fn backend(error: impl std::fmt::Display) -> session_store::Error {
    session_store::Error::Backend(error.to_string())
}

fn columns(record: &Record) -> session_store::Result<ActiveModel> {
    let mut data = record.data.clone();
    let user_id = data.remove(PERSON).and_then(|person| person.get("id").and_then(Value::as_i64));
    let data = serde_json::to_string(&data).map_err(|e| session_store::Error::Encode(e.to_string()))?;
    let expires_at = DateTime::from_timestamp(record.expiry_date.unix_timestamp(), 0)
        .ok_or_else(|| session_store::Error::Encode("expiry out of range".into()))?;
    Ok(ActiveModel {
        id: Set(digest(&record.id.to_string())),
        user_id: Set(user_id),
        data: Set(data),
        expires_at: Set(expires_at),
        ..Default::default()
    })
}

#[async_trait::async_trait]
impl SessionStore for Store {
    async fn create(&self, record: &mut Record) -> session_store::Result<()> {
        let mut session = columns(record)?;
        session.created_at = Set(now());
        let transaction = self.database.write().await.map_err(backend)?;
        Entity::insert(session).exec_without_returning(&transaction).await.map_err(backend)?;
        transaction.commit().await.map_err(backend)
    }

    /// Only ever an update: a slow request must not revive a session that was ended meanwhile.
    async fn save(&self, record: &Record) -> session_store::Result<()> {
        let session = columns(record)?;
        let transaction = self.database.write().await.map_err(backend)?;
        Entity::update_many()
            .set(ActiveModel { id: sea_orm::ActiveValue::NotSet, ..session })
            .filter(Column::Id.eq(digest(&record.id.to_string())))
            .exec(&transaction)
            .await
            .map_err(backend)?;
        transaction.commit().await.map_err(backend)
    }

    async fn load(&self, id: &Id) -> session_store::Result<Option<Record>> {
        let rows = Entity::find()
            .select_only()
            .columns([Column::Data, Column::ExpiresAt])
            .column_as(user::Column::Id, "user_id")
            .column_as(user::Column::Name, "name")
            .column_as(user::Column::Email, "email")
            .column_as(role::permission::Column::Permission, "permission")
            .join(JoinType::LeftJoin, Relation::User.def())
            .join(JoinType::LeftJoin, token::granted())
            .filter(Column::Id.eq(digest(&id.to_string())))
            .filter(Column::ExpiresAt.gt(now()))
            .filter(user::Column::IsActive.eq(true))
            .into_model::<Row>()
            .all(self.database.reader())
            .await
            .map_err(backend)?;
        let Some(first) = rows.first() else { return Ok(None) };
        let mut data: HashMap<String, Value> =
            serde_json::from_str(&first.data).map_err(|e| session_store::Error::Decode(e.to_string()))?;
        if let (Some(id), Some(name), Some(email)) = (first.user_id, first.name.clone(), first.email.clone()) {
            let permissions = rows.iter().filter_map(|row| row.permission.clone()).collect();
            let person = Person { id, name, email, permissions };
            let person = serde_json::to_value(person).map_err(|e| session_store::Error::Decode(e.to_string()))?;
            data.insert(PERSON.to_owned(), person);
        }
        let expiry_date = OffsetDateTime::from_unix_timestamp(first.expires_at.timestamp()).map_err(backend)?;
        Ok(Some(Record { id: *id, data, expiry_date }))
    }

    async fn delete(&self, id: &Id) -> session_store::Result<()> {
        let transaction = self.database.write().await.map_err(backend)?;
        Entity::delete_by_id(digest(&id.to_string())).exec(&transaction).await.map_err(backend)?;
        transaction.commit().await.map_err(backend)
    }
}
