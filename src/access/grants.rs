//! What people hold through their roles, and the rule that nobody gives what they do not have.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Query, SelectStatement};
use sea_orm::{ActiveValue::Set, Condition, DbBackend, JoinType, QuerySelect, RelationDef};

use super::EVERYTHING;
use super::gate::{Access, Actor, Caller};
use super::people::split;
use super::permission::lacking;
use super::{role, user};
use crate::base::error::Code;
use crate::base::{Error, Result};
use crate::server::transaction::DatabaseTransaction;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "user_roles")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub role_id: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(belongs_to = "user::Entity", from = "Column::UserId", to = "user::Column::Id")]
    User,
    #[sea_orm(belongs_to = "role::Entity", from = "Column::RoleId", to = "role::Column::Id")]
    Role,
}

impl ActiveModelBehavior for ActiveModel {}

/// The lock under which PostgreSQL changes who may what: `access` in ASCII.
const TURNS: i64 = 0x6163_6365_7373;

/// From a user to the rows that name their roles.
pub(super) fn assignments() -> RelationDef {
    Relation::User.def().rev()
}

/// From such a row to the role.
pub(super) fn assigned() -> RelationDef {
    Relation::Role.def()
}

/// Commands that change who may what take turns, so that each decides on what the others left.
pub(super) async fn take_turns(transaction: &DatabaseTransaction) -> Result<()> {
    if transaction.get_database_backend() == DbBackend::Postgres {
        transaction.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({TURNS})")).await?;
    }
    Ok(())
}

/// What a person holds through all their roles. One statement.
///
/// # Errors
/// When the database does not answer.
pub async fn held_by(db: &impl ConnectionTrait, user_id: i64) -> Result<Vec<String>> {
    let roles: Vec<String> = Entity::find()
        .select_only()
        .column(role::Column::Permissions)
        .join(JoinType::InnerJoin, assigned())
        .filter(Column::UserId.eq(user_id))
        .into_tuple()
        .all(db)
        .await?;
    Ok(roles.iter().flat_map(|permissions| split(permissions)).collect())
}

/// The ids of everybody who has a role.
pub(super) fn having(role_id: i64) -> SelectStatement {
    Query::select().column(Column::UserId).from(Entity).and_where(Column::RoleId.eq(role_id)).to_owned()
}

/// The roles with these codes. One statement.
///
/// # Errors
/// `Invalid` at `roles`, naming what is no role.
pub(super) async fn named(db: &impl ConnectionTrait, codes: &[String]) -> Result<Vec<role::Model>> {
    let roles = role::Entity::find().filter(role::Column::Code.is_in(codes.iter().cloned())).all(db).await?;
    match codes.iter().find(|code| !roles.iter().any(|role| role.code == **code)) {
        Some(unknown) => Err(Error::field("roles", format!("There is no role {unknown}."))),
        None => Ok(roles),
    }
}

/// Lets a caller through who holds all of `wanted`: nobody gives, or takes from others, what they do not have.
///
/// # Errors
/// `Forbidden` with the first permission that is missing; it is logged.
pub fn covers<'a>(caller: &Caller, wanted: impl IntoIterator<Item = &'a str>) -> Result<()> {
    let Some(missing) = lacking(&caller.permissions, wanted) else { return Ok(()) };
    refused(caller, missing);
    let said = if missing == EVERYTHING { "everything" } else { missing };
    Err(Error::new(
        Code::Forbidden,
        format!("This would reach beyond what you may do yourself: you do not hold {said}."),
    ))
}

/// Says in the log who was refused what.
pub(super) fn refused(caller: &Caller, permission: &str) {
    let (kind, id, name) = match &caller.actor {
        Actor::Anonymous => ("anonymous", 0, ""),
        Actor::User { id, name, .. } => ("user", *id, name.as_str()),
        Actor::Token { id, name, .. } => ("token", *id, name.as_str()),
        Actor::System => ("system", 0, ""),
    };
    let (door, request) = (caller.door.name(), caller.request_id.as_str());
    tracing::warn!(kind, id, name, door, request, permission, "somebody was refused what they may not do");
}

/// Lets a caller through who holds all that another person holds.
///
/// # Errors
/// `Forbidden`.
pub async fn covers_person<P>(db: &impl ConnectionTrait, access: &Access<P>, user_id: i64) -> Result<()> {
    let held = held_by(db, user_id).await?;
    covers(access.caller(), held.iter().map(String::as_str))
}

/// Gives a person exactly these roles.
pub(super) async fn assign(transaction: &DatabaseTransaction, user_id: i64, codes: &[String]) -> Result<()> {
    let roles = named(transaction, codes).await?;
    Entity::delete_many().filter(Column::UserId.eq(user_id)).exec(transaction).await?;
    if !roles.is_empty() {
        let rows = roles.iter().map(|role| ActiveModel { user_id: Set(user_id), role_id: Set(role.id) });
        Entity::insert_many(rows).exec_without_returning(transaction).await?;
    }
    Ok(())
}

/// Whether anybody is left who may do everything and can sign in.
///
/// # Errors
/// `Conflict` when nobody is.
pub(super) async fn some_administrator(transaction: &DatabaseTransaction) -> Result<()> {
    let everything = role::Entity::find().all(transaction).await?.into_iter();
    let everything = everything.filter(|role| split(&role.permissions).iter().any(|code| code == EVERYTHING));
    let left = Entity::find()
        .join(JoinType::InnerJoin, Relation::User.def())
        .filter(Column::RoleId.is_in(everything.map(|role| role.id)))
        .filter(Condition::all().add(user::Column::IsActive.eq(true)).add(user::Column::PasswordHash.is_not_null()))
        .one(transaction)
        .await?;
    match left {
        Some(_) => Ok(()),
        None => Err(Error::new(
            Code::Conflict,
            "This is the last active administrator. Let somebody else do everything first, or nobody could.",
        )),
    }
}
