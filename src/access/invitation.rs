//! One-time links by which people choose their password: the first, or another when they forgot it. The house has no mail
//! server, so whoever invites hands the link over.

use chrono::TimeDelta;
use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{ExprTrait, OnConflict, SimpleExpr};
use serde_json::json;

use super::gate::{Access, Actor, Caller};
use super::people::{joined, split};
use super::permission::lacking;
use super::token::digest;
use super::{grants, password, second_factor, session, user};
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
    /// The person who made it; absent for the command line.
    pub made_by: Option<i64>,
    /// What whoever made it held then: the codes, separated by spaces.
    pub reach: String,
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
    let invitation = ActiveModel {
        user_id: Set(id),
        hash: Set(digest(&secret)),
        expires_at: Set(now() + LIFETIME),
        made_by: Set(access.caller().user_id()),
        reach: Set(joined(&access.caller().permissions)),
    };
    let columns = [Column::Hash, Column::ExpiresAt, Column::MadeBy, Column::Reach];
    let again = OnConflict::column(Column::UserId).update_columns(columns).to_owned();
    Entity::insert(invitation).on_conflict(again).exec_without_returning(transaction).await?;
    session::end_all(transaction, id, None).await?;
    user::done(transaction, access.caller(), &user, "invite").await?;
    Ok(secret)
}

fn gone() -> Error {
    Error::new(Code::NotFound, "This link was used or has run out. Ask for another one.")
}

/// Whether a link may still be taken: its person holds nothing that its maker could not give when they made it, and nothing that
/// they could not give now.
async fn covers(db: &impl ConnectionTrait, invitation: &Model) -> Result<bool> {
    let held = grants::held_by(db, invitation.user_id).await?;
    let beyond = |reach: &[String]| lacking(reach, held.iter().map(String::as_str)).is_some();
    if beyond(&split(&invitation.reach)) {
        return Ok(false);
    }
    let Some(maker) = invitation.made_by else { return Ok(true) };
    let is_active = user::Entity::find_by_id(maker).one(db).await?.is_some_and(|maker| maker.is_active);
    Ok(is_active && !beyond(&grants::held_by(db, maker).await?))
}

/// Whom a link invites.
///
/// # Errors
/// `NotFound` for a link that is not known, was used, has run out, or reaches further by now than its maker may.
pub async fn invited(db: &impl ConnectionTrait, secret: &str) -> Result<user::Model> {
    let invitation = Entity::find()
        .filter(Column::Hash.eq(digest(secret)))
        .filter(Column::ExpiresAt.gt(now()))
        .one(db)
        .await?
        .ok_or_else(gone)?;
    let user = user::Entity::by_id(db, invitation.user_id).await?;
    if user.is_active && covers(db, &invitation).await? { Ok(user) } else { Err(gone()) }
}

/// Takes a link: the person chooses a name and a password, and the link is spent. Returns the person, who can sign in now, and
/// how far the session may reach that begins with it: what the maker of the link held.
///
/// # Errors
/// `NotFound` for a link that is not valid; `Invalid` at `name` or `password`.
pub async fn accept(
    database: &Database,
    caller: &Caller,
    secret: &str,
    name: &str,
    password: String,
) -> Result<(user::Model, String)> {
    let user = invited(database.reader(), secret).await?;
    let field = Field::new("name", "Name", Kind::Line { max: 200 }).required();
    let name = match field.check(&Given::typed(field.kind, name)) {
        Ok(name) => name.as_str().unwrap_or_default().to_owned(),
        Err(message) => return Err(Error::field("name", message)),
    };
    let hash = password::chosen(password, vec![name.clone(), user.email.clone()]).await?;
    let transaction = database.write_session().await?;
    // What the person may does not change between here and the commit.
    grants::take_turns(&transaction).await?;
    let link = Entity::find().filter(Column::Hash.eq(digest(secret))).one(&transaction).await?.ok_or_else(gone)?;
    if !covers(&transaction, &link).await? {
        return Err(gone());
    }
    let spent = Entity::delete_many().filter(Column::Hash.eq(digest(secret))).exec(&transaction).await?;
    if spent.rows_affected == 0 {
        return Err(gone());
    }
    let user = user::Entity::by_id(&transaction, user.id).await?;
    user::set_hash(&transaction, user.id, hash).await?;
    second_factor::reopened(&transaction, user.id).await?;
    session::end_all(&transaction, user.id, None).await?;
    let renamed = user::Entity::named(&transaction, &user, name).await?;
    let actor = Actor::User { id: user.id, name: renamed.name.clone(), email: user.email.clone() };
    let caller = Caller { actor, account: Some(user.email.clone()), ..caller.clone() };
    let versions = (Some(user.version), Some(renamed.version));
    let subject = Subject { resource: "users", id: user.id, command: "accept_invitation", versions, reason: None };
    let changes = if user.name == renamed.name { json!({}) } else { json!({ "name": [user.name, renamed.name] }) };
    record(&transaction, &caller, subject, changes).await?;
    transaction.commit().await?;
    Ok((renamed, link.reach))
}

/// Whose rights were widened.
#[derive(Debug, Clone, Copy)]
pub(super) enum Widened {
    Person(i64),
    /// Everybody who has this role.
    Role(i64),
}

/// Ends the open links of people who may more by now than the maker of the link could give, and their sessions that began with
/// such a link.
pub(super) async fn end_narrower(transaction: &DatabaseTransaction, widened: Widened) -> Result<()> {
    let whose = |column: SimpleExpr| match widened {
        Widened::Person(id) => column.eq(id),
        Widened::Role(id) => column.in_subquery(grants::having(id)),
    };
    let links = Entity::find().filter(whose(Expr::col(Column::UserId))).all(transaction).await?;
    for link in links {
        if !covers(transaction, &link).await? {
            Entity::delete_by_id(link.user_id).exec(transaction).await?;
        }
    }
    let begun = session::Entity::find()
        .filter(session::Column::Reach.is_not_null())
        .filter(whose(Expr::col(session::Column::UserId)))
        .all(transaction)
        .await?;
    for session in begun {
        let (Some(user_id), Some(reach)) = (session.user_id, session.reach) else { continue };
        let held = grants::held_by(transaction, user_id).await?;
        if lacking(&split(&reach), held.iter().map(String::as_str)).is_some() {
            session::Entity::delete_by_id(session.id).exec(transaction).await?;
        }
    }
    Ok(())
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
