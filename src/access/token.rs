//! API tokens: many per person, named, scoped, expiring, shown once and stored as a digest.

use chrono::TimeDelta;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ActiveValue::Set, FromQueryResult, JoinType, QueryOrder, QuerySelect, RelationDef};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::gate::Access;
use super::user::{self, Manage};
use super::{holds, role};
use crate::base::form::{Field, Given, Kind};
use crate::base::time::stored::Timestamp;
use crate::base::time::stored::now;
use crate::base::{Error, Result};
use crate::history::entity::{Subject, record};
use crate::server::database::Database;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "api_tokens")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub user_id: i64,
    pub name: String,
    pub hash: String,
    /// The scope: codes out of those its person holds; everything they hold when absent.
    pub permissions: Option<Json>,
    /// Whether every change must name the version it was decided on.
    pub requires_version: bool,
    pub expires_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
    pub created_at: Timestamp,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(belongs_to = "user::Entity", from = "Column::UserId", to = "user::Column::Id")]
    User,
}

impl ActiveModelBehavior for ActiveModel {}

/// How tokens begin, so that people and scanners recognise one that leaked.
pub const PREFIX: &str = "kontor_";

/// The last use is noted at most this often.
const NOTED_EVERY: TimeDelta = TimeDelta::minutes(1);

/// The SHA-256 of a secret of at least 128 random bits, in hex: what the database keeps of it.
pub fn digest(secret: &str) -> String {
    hex(&Sha256::digest(secret.as_bytes()))
}

/// From a user to the permissions of their role.
pub(super) fn granted() -> RelationDef {
    user::Entity::belongs_to(role::permission::Entity)
        .from(user::Column::RoleId)
        .to(role::permission::Column::RoleId)
        .into()
}

/// What a new token is to be.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// The address of the person it acts for.
    pub email: String,
    pub name: String,
    /// Empty for everything the person may.
    pub permissions: Vec<String>,
    pub lifetime: Option<TimeDelta>,
    pub requires_version: bool,
}

/// A valid token's meaning: who it acts for and what it may.
#[derive(Debug, Clone)]
pub struct Bearer {
    pub id: i64,
    pub name: String,
    pub user_id: i64,
    pub permissions: Vec<String>,
    pub requires_version: bool,
}

/// A line of `kontor token list`.
#[derive(Debug, Clone, FromQueryResult)]
pub struct Summary {
    pub id: i64,
    pub name: String,
    pub email: String,
    pub permissions: Option<Json>,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

#[derive(FromQueryResult)]
struct Row {
    id: i64,
    name: String,
    user_id: i64,
    scope: Option<Json>,
    requires_version: bool,
    last_used_at: Option<Timestamp>,
    permission: Option<String>,
}

impl Entity {
    /// Makes a token and returns its secret, which nobody can read again.
    ///
    /// # Errors
    /// `NotFound` for the person, `Invalid` at `name` or at a permission the person does not hold.
    pub async fn create(access: &Access<Manage>, new: NewToken) -> Result<String> {
        let name = Field::new("name", "Name", Kind::Line { max: 100 }).required();
        let name = match name.check(&Given::Text(new.name)) {
            Ok(value) => value.as_str().unwrap_or_default().to_owned(),
            Err(message) => return Err(Error::field("name", message)),
        };
        let secret = format!("{PREFIX}{}", hex(&rand::random::<[u8; 32]>()));
        let transaction = access.write().await?;
        let user = user::Entity::by_email(&transaction, &new.email).await?;
        let held: Vec<String> = role::permission::Entity::find()
            .filter(role::permission::Column::RoleId.eq(user.role_id))
            .all(&transaction)
            .await?
            .into_iter()
            .map(|row| row.permission)
            .collect();
        if let Some(beyond) = new.permissions.iter().find(|code| !holds(&held, code)) {
            return Err(Error::field("permission", format!("{} does not hold {beyond}.", user.email)));
        }
        let scope = (!new.permissions.is_empty()).then(|| json!(new.permissions));
        let token = Entity::insert(ActiveModel {
            user_id: Set(user.id),
            name: Set(name),
            hash: Set(digest(&secret)),
            permissions: Set(scope),
            requires_version: Set(new.requires_version),
            expires_at: Set(new.lifetime.map(|lifetime| now() + lifetime)),
            created_at: Set(now()),
            ..Default::default()
        })
        .exec_with_returning(&transaction)
        .await?;
        let subject =
            Subject { resource: "tokens", id: token.id, command: "create", versions: (None, None), reason: None };
        let changes = json!({ "name": [null, token.name], "user": [null, user.email] });
        record(&transaction, access.caller(), subject, changes).await?;
        transaction.commit().await?;
        Ok(secret)
    }

    /// All tokens, the newest last.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn list(access: &Access<Manage>) -> Result<Vec<Summary>> {
        Ok(Entity::find()
            .select_only()
            .columns([
                Column::Id,
                Column::Name,
                Column::Permissions,
                Column::CreatedAt,
                Column::ExpiresAt,
                Column::LastUsedAt,
                Column::RevokedAt,
            ])
            .column_as(user::Column::Email, "email")
            .join(JoinType::InnerJoin, Relation::User.def())
            .order_by_asc(Column::Id)
            .into_model::<Summary>()
            .all(access.reader())
            .await?)
    }

    /// Ends a token at once.
    ///
    /// # Errors
    /// `NotFound` when there is none that is not ended yet.
    pub async fn revoke(access: &Access<Manage>, id: i64) -> Result<()> {
        let transaction = access.write().await?;
        let revoked = Entity::update_many()
            .col_expr(Column::RevokedAt, Expr::value(now()))
            .filter(Column::Id.eq(id))
            .filter(Column::RevokedAt.is_null())
            .exec(&transaction)
            .await?;
        if revoked.rows_affected == 0 {
            return Err(Error::not_found("token"));
        }
        let subject = Subject { resource: "tokens", id, command: "revoke", versions: (None, None), reason: None };
        record(&transaction, access.caller(), subject, json!({})).await?;
        Ok(transaction.commit().await?)
    }

    /// What a secret stands for, if it is a valid token of an active person. One statement; now and then the use is noted
    /// beside the request, as reading must never wait for a writer.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn bearer(database: &Database, secret: &str) -> Result<Option<Bearer>> {
        if !secret.starts_with(PREFIX) {
            return Ok(None);
        }
        let rows = Entity::find()
            .select_only()
            .columns([Column::Id, Column::Name, Column::UserId, Column::RequiresVersion, Column::LastUsedAt])
            .column_as(Column::Permissions, "scope")
            .column_as(role::permission::Column::Permission, "permission")
            .join(JoinType::InnerJoin, Relation::User.def())
            .join(JoinType::LeftJoin, granted())
            .filter(Column::Hash.eq(digest(secret)))
            .filter(Column::RevokedAt.is_null())
            .filter(Column::ExpiresAt.is_null().or(Column::ExpiresAt.gt(now())))
            .filter(user::Column::IsActive.eq(true))
            .into_model::<Row>()
            .all(database.reader())
            .await?;
        let Some(first) = rows.first() else { return Ok(None) };
        if first.last_used_at.is_none_or(|used| now() - used > NOTED_EVERY) {
            tokio::spawn(note_use(database.clone(), first.id));
        }
        let held: Vec<String> = rows.iter().filter_map(|row| row.permission.clone()).collect();
        let permissions = match &first.scope {
            None => held,
            Some(scope) => serde_json::from_value::<Vec<String>>(scope.clone())
                .unwrap_or_default()
                .into_iter()
                .filter(|code| holds(&held, code))
                .collect(),
        };
        Ok(Some(Bearer {
            id: first.id,
            name: first.name.clone(),
            user_id: first.user_id,
            permissions,
            requires_version: first.requires_version,
        }))
    }
}

async fn note_use(database: Database, id: i64) {
    let noted = async {
        let transaction = database.write().await?;
        Entity::update_many()
            .col_expr(Column::LastUsedAt, Expr::value(now()))
            .filter(Column::Id.eq(id))
            // Others who came at the same time noted it already.
            .filter(Column::LastUsedAt.is_null().or(Column::LastUsedAt.lt(now() - NOTED_EVERY)))
            .exec(&transaction)
            .await?;
        Ok::<_, Error>(transaction.commit().await?)
    };
    if let Err(error) = noted.await {
        tracing::warn!(error = error.internal.as_deref(), token = id, "could not note the use of a token");
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
