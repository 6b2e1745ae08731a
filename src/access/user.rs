//! People who sign in. Each has one role; what it permits is read anew with every request.

use chrono::Utc;
use sea_orm::entity::prelude::*;
use sea_orm::{ActiveValue::Set, FromQueryResult, QueryOrder, QuerySelect};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::gate::{Access, Permission};
use super::{password, role, session};
use crate::base::error::Code;
use crate::base::form::{Field, Given, Kind};
use crate::base::time::stored::Timestamp;
use crate::base::{Error, Result, fold};
use crate::history::entity::{Subject, record};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "users")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub version: i64,
    pub email: String,
    pub email_key: String,
    pub name: String,
    pub role_id: i64,
    pub password_hash: String,
    pub is_active: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(belongs_to = "role::Entity", from = "Column::RoleId", to = "role::Column::Id")]
    Role,
}

impl ActiveModelBehavior for ActiveModel {}

/// The permission to manage people, their roles and their tokens.
#[derive(Debug)]
pub struct Manage;

impl Permission for Manage {
    fn code() -> String {
        "users.manage".into()
    }
}

/// A signed-in person with all permissions of their role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    pub id: i64,
    pub name: String,
    pub email: String,
    pub permissions: Vec<String>,
}

/// A line of `kontor user list`.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct Summary {
    pub id: i64,
    pub email: String,
    pub name: String,
    pub role: String,
    pub is_active: bool,
}

const FIELDS: [Field; 2] = [
    Field::new("email", "E-mail", Kind::Email).required(),
    Field::new("name", "Name", Kind::Line { max: 200 }).required(),
];

fn text(field: &Field, value: &str) -> Result<String> {
    match field.check(&Given::Text(value.into())) {
        Ok(value) => Ok(value.as_str().unwrap_or_default().to_owned()),
        Err(message) => Err(Error::field(field.name, message)),
    }
}

impl Entity {
    /// Adds a person who can sign in at once.
    ///
    /// # Errors
    /// `Invalid` at `email`, `name`, `password` or `role`; `Conflict` when the address is taken.
    pub async fn create(
        access: &Access<Manage>,
        email: &str,
        name: &str,
        role: &str,
        password: String,
    ) -> Result<Model> {
        let (email, name) = (text(&FIELDS[0], email)?, text(&FIELDS[1], name)?);
        let password_hash = password::hash(password).await?;
        let transaction = access.write().await?;
        let role = role::Entity::find()
            .filter(role::Column::Code.eq(role))
            .one(&transaction)
            .await?
            .ok_or_else(|| Error::field("role", "There is no such role."))?;
        let now = crate::base::time::stored::now();
        let user = Entity::insert(ActiveModel {
            version: Set(1),
            email_key: Set(fold::key(&email)),
            email: Set(email),
            name: Set(name),
            role_id: Set(role.id),
            password_hash: Set(password_hash),
            is_active: Set(true),
            created_at: Set(now),
            updated_at: Set(now),
            ..Default::default()
        })
        .exec_with_returning(&transaction)
        .await?;
        let subject =
            Subject { resource: "users", id: user.id, command: "create", versions: (None, Some(1)), reason: None };
        let changes = json!({ "email": [null, user.email], "name": [null, user.name], "role": [null, role.code] });
        record(&transaction, access.caller(), subject, changes).await?;
        transaction.commit().await?;
        Ok(user)
    }

    /// Everybody, by address.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn list(access: &Access<Manage>) -> Result<Vec<Summary>> {
        Ok(Entity::find()
            .select_only()
            .columns([Column::Id, Column::Email, Column::Name, Column::IsActive])
            .column_as(role::Column::Name, "role")
            .join(sea_orm::JoinType::InnerJoin, Relation::Role.def())
            .order_by_asc(Column::EmailKey)
            .into_model::<Summary>()
            .all(access.reader())
            .await?)
    }

    /// Whether nobody can sign in yet.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn is_empty(access: &Access<Manage>) -> Result<bool> {
        Ok(Entity::find().one(access.reader()).await?.is_none())
    }

    /// The person with this address, whatever its case.
    ///
    /// # Errors
    /// `NotFound` when there is none.
    pub async fn by_email(db: &impl ConnectionTrait, email: &str) -> Result<Model> {
        Entity::find()
            .filter(Column::EmailKey.eq(fold::key(email.trim())))
            .one(db)
            .await?
            .ok_or_else(|| Error::not_found("user"))
    }

    /// Gives a person another password and ends all their sessions.
    ///
    /// # Errors
    /// `NotFound`, or `Invalid` at `password`.
    pub async fn set_password(access: &Access<Manage>, email: &str, password: String) -> Result<()> {
        let password_hash = password::hash(password).await?;
        let transaction = access.write().await?;
        let user = Self::by_email(&transaction, email).await?;
        let version = user.version + 1;
        Entity::update_many()
            .set(ActiveModel {
                password_hash: Set(password_hash),
                version: Set(version),
                updated_at: Set(crate::base::time::stored::now()),
                ..Default::default()
            })
            .filter(Column::Id.eq(user.id))
            .exec(&transaction)
            .await?;
        session::Entity::delete_many().filter(session::Column::UserId.eq(user.id)).exec(&transaction).await?;
        let versions = (Some(user.version), Some(version));
        let subject = Subject { resource: "users", id: user.id, command: "set_password", versions, reason: None };
        record(&transaction, access.caller(), subject, json!({})).await?;
        Ok(transaction.commit().await?)
    }

    /// The active person with this address and password.
    ///
    /// # Errors
    /// `Unauthenticated`, the same and after the same time for an unknown address and a wrong password.
    pub async fn verified(db: &impl ConnectionTrait, email: &str, password: String) -> Result<Model> {
        let user = match Self::by_email(db, email).await {
            Ok(user) => Some(user).filter(|user| user.is_active),
            Err(error) if error.code == Code::NotFound => None,
            Err(error) => return Err(error),
        };
        let stored = user.as_ref().map(|user| user.password_hash.clone());
        match (password::verify(password, stored).await?, user) {
            (true, Some(user)) => Ok(user),
            _ => Err(Error::new(Code::Unauthenticated, "The e-mail or the password is not right.")),
        }
    }
}

/// Seconds since the epoch, for coarse marks.
pub(super) fn seconds() -> i64 {
    Utc::now().timestamp()
}
