//! One-time links by which people choose their password: the first, or another when they forgot it. The house has no mail
//! server, so whoever invites hands the link over.

use chrono::TimeDelta;
use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use serde_json::json;

use super::gate::{Access, Actor, Caller};
use super::token::digest;
use super::{password, session, user};
use crate::base::error::Code;
use crate::base::form::{Field, Given, Kind};
use crate::base::time::stored::{Timestamp, now};
use crate::base::{Error, Result};
use crate::history::entity::{Subject, record};
use crate::server::database::Database;
use crate::server::record::Change;
use crate::server::transaction::DatabaseTransaction;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "invitations")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: i64,
    /// The digest of the secret in the link.
    pub hash: String,
    pub expires_at: Timestamp,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// How long a link can be used.
pub const LIFETIME: TimeDelta = TimeDelta::days(3);

/// Invites a person to choose a password, and ends their sessions. An earlier link stops. Returns the secret, which nobody
/// can read again.
///
/// # Errors
/// `NotFound`; `Conflict` for a service account and for who is not active; `Forbidden` for somebody who may more than the
/// caller.
pub async fn invite(access: &Access<Change<user::Entity>>, id: i64) -> Result<String> {
    let transaction = access.write().await?;
    let secret = invite_in(&transaction, access, id).await?;
    transaction.commit().await?;
    Ok(secret)
}

/// The same within a transaction.
///
/// # Errors
/// Those of [`invite`].
pub async fn invite_in<P>(transaction: &DatabaseTransaction, access: &Access<P>, id: i64) -> Result<String> {
    let user = user::managed(transaction, access, id).await?;
    if user.is_service || !user.is_active {
        return Err(Error::new(Code::Conflict, "Only somebody active who signs in can be invited."));
    }
    let secret = hex::encode(rand::random::<[u8; 32]>());
    let invitation = ActiveModel { user_id: Set(id), hash: Set(digest(&secret)), expires_at: Set(now() + LIFETIME) };
    let again = OnConflict::column(Column::UserId).update_columns([Column::Hash, Column::ExpiresAt]).to_owned();
    Entity::insert(invitation).on_conflict(again).exec_without_returning(transaction).await?;
    session::end_all(transaction, id, None).await?;
    user::done(transaction, access.caller(), &user, "invite").await?;
    Ok(secret)
}

/// Whom a link invites.
///
/// # Errors
/// `NotFound` for a link that is not known, was used, or has run out.
pub async fn invited(db: &impl ConnectionTrait, secret: &str) -> Result<user::Model> {
    let gone = || Error::new(Code::NotFound, "This link was used or has run out. Ask for another one.");
    let invitation = Entity::find()
        .filter(Column::Hash.eq(digest(secret)))
        .filter(Column::ExpiresAt.gt(now()))
        .one(db)
        .await?
        .ok_or_else(gone)?;
    let user = user::Entity::by_id(db, invitation.user_id).await?;
    if user.is_active { Ok(user) } else { Err(gone()) }
}

/// Takes a link: the person chooses a name and a password, and the link is spent. Returns the person, who can sign in now.
///
/// # Errors
/// `NotFound` for a link that is not valid; `Invalid` at `name` or `password`.
pub async fn accept(
    database: &Database,
    caller: &Caller,
    secret: &str,
    name: &str,
    password: String,
) -> Result<user::Model> {
    let user = invited(database.reader(), secret).await?;
    let field = Field::new("name", "Name", Kind::Line { max: 200 }).required();
    let name = match field.check(&Given::typed(field.kind, name)) {
        Ok(name) => name.as_str().unwrap_or_default().to_owned(),
        Err(message) => return Err(Error::field("name", message)),
    };
    let hash = password::chosen(password, vec![name.clone(), user.email.clone()]).await?;
    let transaction = database.write().await?;
    let spent = Entity::delete_many().filter(Column::Hash.eq(digest(secret))).exec(&transaction).await?;
    if spent.rows_affected == 0 {
        return Err(Error::new(Code::NotFound, "This link was used or has run out. Ask for another one."));
    }
    let user = user::Entity::by_id(&transaction, user.id).await?;
    user::set_hash(&transaction, user.id, hash).await?;
    session::end_all(&transaction, user.id, None).await?;
    let renamed = user::Entity::named(&transaction, &user, name).await?;
    let actor = Actor::User { id: user.id, name: renamed.name.clone(), email: user.email.clone() };
    let caller = Caller { actor, ..caller.clone() };
    let versions = (Some(user.version), Some(renamed.version));
    let subject = Subject { resource: "users", id: user.id, command: "accept_invitation", versions, reason: None };
    let changes = if user.name == renamed.name { json!({}) } else { json!({ "name": [user.name, renamed.name] }) };
    record(&transaction, &caller, subject, changes).await?;
    transaction.commit().await?;
    Ok(renamed)
}

/// Forgets links that ran out.
///
/// # Errors
/// When the database does not answer.
pub async fn sweep(database: &Database) -> Result<u64> {
    let transaction = database.write().await?;
    let swept = Entity::delete_many().filter(Column::ExpiresAt.lt(now())).exec(&transaction).await?;
    transaction.commit().await?;
    Ok(swept.rows_affected)
}
