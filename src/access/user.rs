//! The table of people and service accounts. What they may is read anew with every request, out of all their roles.

use std::collections::BTreeSet;

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{ExprTrait, Query};
use sea_orm::{ActiveValue::Set, Condition, FromQueryResult, QueryOrder, QuerySelect};
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};

use super::EVERYTHING;
use super::gate::{Access, Caller};
use super::people::{USERS, User, UserInput, joined, split};
use super::{grants, invitation, password, role, second_factor, session, token};
use crate::base::column::placed_row;
use crate::base::error::Code;
use crate::base::form::Input;
use crate::base::listing::Listing;
use crate::base::record::Row;
use crate::base::time::stored::{Timestamp, now};
use crate::base::{Error, Result, fold};
use crate::history::entity::{self as history, Subject, record};
use crate::server::database::Database;
use crate::server::record::{Add, Approach, Change, Described, Resource, Stored, View, past, searchable};
use crate::server::transaction::DatabaseTransaction;

placed_row! {
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "users")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub version: i64,
        pub email: String,
        pub email_key: String,
        pub name: String,
        pub name_key: String,
        /// The codes of their roles, separated by spaces; `user_roles` says the same by reference.
        pub roles: String,
        pub is_active: bool,
        pub is_service: bool,
        /// Absent for who cannot sign in, or not yet.
        pub password_hash: Option<String>,
        /// An IANA name; UTC when absent.
        pub time_zone: Option<String>,
        pub search_text: String,
        pub created_at: Timestamp,
        pub updated_at: Timestamp,
    }
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// A signed-in person with all permissions of their roles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    pub id: i64,
    pub name: String,
    pub email: String,
    pub permissions: Vec<String>,
    pub time_zone: Option<String>,
    /// Whether a role of theirs asks for a second factor that they have not set up.
    pub must_enrol: bool,
    /// Whether their session began with a link that somebody else made.
    pub is_by_link: bool,
    /// Whether they gave their password within the last minutes.
    pub is_recent: bool,
}

/// What becomes of a person's tokens when their password changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tokens {
    Keep,
    End,
}

/// A line of `kontor user list`.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct Summary {
    pub id: i64,
    pub email: String,
    pub name: String,
    pub roles: String,
    pub is_active: bool,
}

impl From<Model> for User {
    fn from(row: Model) -> Self {
        Self {
            id: row.id,
            version: row.version,
            data: UserInput {
                email: row.email,
                name: row.name,
                roles: split(&row.roles),
                is_active: row.is_active,
                is_service: row.is_service,
            },
            has_password: row.password_hash.is_some(),
            created_at: row.created_at.into(),
            updated_at: row.updated_at.into(),
        }
    }
}

impl Stored for User {
    fn id(&self) -> i64 {
        self.id
    }

    fn version(&self) -> i64 {
        self.version
    }

    fn values(&self) -> Map<String, Json> {
        self.data.values()
    }

    fn row(self) -> Row {
        let mut values = self.data.values();
        values.insert("has_password".into(), self.has_password.into());
        Row { id: self.id, version: self.version, values }
    }
}

impl Resource for Entity {
    const NAME: &'static str = "users";
    const SINGULAR: &'static str = "user";
    const LISTING: Listing = USERS;
    /// Passwords and what people hold do not come back with the past.
    const CONFIDENTIAL: bool = true;
    const REMEMBERED: bool = false;
    const NESTED: Option<&'static str> = Some("roles");

    type Record = User;
    type Input = UserInput;

    fn read(row: Model) -> User {
        row.into()
    }

    fn fill(row: &mut ActiveModel, input: &UserInput) {
        row.email = Set(input.email.clone());
        row.email_key = Set(fold::key(&input.email));
        row.name = Set(input.name.clone());
        row.name_key = Set(fold::fold(&input.name));
        row.roles = Set(joined(&input.roles));
        row.is_active = Set(input.is_active);
        row.is_service = Set(input.is_service);
        row.search_text = Set(searchable([Some(&input.name), Some(&input.email)]));
    }

    fn narrowed(filter: &str, value: &str, _: Approach) -> Option<Condition> {
        let having = Query::select()
            .column((grants::Entity, grants::Column::UserId))
            .from(grants::Entity)
            .inner_join(
                role::Entity,
                Expr::col((role::Entity, role::Column::Id)).equals((grants::Entity, grants::Column::RoleId)),
            )
            .and_where(match filter {
                "role" => role::Column::Code.eq(value),
                "role_id" => role::Column::Id.eq(value.parse::<i64>().unwrap_or_default()),
                _ => return None,
            })
            .to_owned();
        Some(Condition::all().add(Column::Id.in_subquery(having)))
    }

    async fn take_turn(transaction: &DatabaseTransaction) -> Result<()> {
        grants::take_turns(transaction).await
    }

    /// Nobody makes, changes or shuts out somebody who may more than they do.
    async fn admit<P: Send + Sync>(
        transaction: &DatabaseTransaction,
        access: &Access<P>,
        before: Option<&User>,
        after: Option<&UserInput>,
    ) -> Result<()> {
        if let (Some(before), Some(after)) = (before, after)
            && before.data.is_service != after.is_service
        {
            return Err(Error::field("is_service", "An account is a service account from the start, or never."));
        }
        if before.is_some_and(|before| after.is_none() && before.has_password) {
            let detail = "Somebody who could sign in is deactivated, not deleted: the history names them.";
            return Err(Error::new(Code::Conflict, detail));
        }
        let codes =
            before.iter().flat_map(|before| &before.data.roles).chain(after.iter().flat_map(|after| &after.roles));
        let codes: BTreeSet<String> = codes.cloned().collect();
        let roles = grants::named(transaction, &codes.into_iter().collect::<Vec<_>>()).await?;
        grants::covers(access.caller(), roles.iter().flat_map(|role| role.permissions.split_whitespace()))
    }

    async fn follow(transaction: &DatabaseTransaction, before: Option<&User>, after: Option<&User>) -> Result<()> {
        let Some(after) = after else { return Ok(()) };
        let roles_before = before.map(|before| &before.data.roles);
        if roles_before != Some(&after.data.roles) {
            grants::assign(transaction, after.id, &after.data.roles).await?;
            invitation::end_narrower(transaction, invitation::Widened::Person(after.id)).await?;
        }
        let Some(before) = before.filter(|before| before.data.is_active) else { return Ok(()) };
        if !after.data.is_active {
            session::end_all(transaction, after.id, None).await?;
        }
        let had = grants::named(transaction, &before.data.roles).await?;
        if had.iter().any(|role| split(&role.permissions).iter().any(|code| code == EVERYTHING)) {
            grants::some_administrator(transaction).await?;
        }
        Ok(())
    }

    /// What was done to an account beside its values, such as choosing a password, has no way back.
    async fn undo_in(
        transaction: &DatabaseTransaction,
        access: &Access<View<Self>>,
        event: &history::Model,
        version: i64,
    ) -> Result<Option<i64>> {
        if matches!(event.command.as_str(), "create" | "change" | "delete" | "undo" | "restore") {
            return past::undo::<Self>(transaction, access, event, version).await;
        }
        Err(Error::new(Code::Conflict, "This is about somebody's way in, and cannot be undone."))
    }

    fn described() -> Described {
        let roles = role::words("Roles", "The codes of their roles.");
        let has_password = json!({ "type": "boolean", "readOnly": true, "description": "Whether they can sign in." });
        Described {
            read: Map::from_iter([("roles".to_owned(), roles.clone()), ("has_password".to_owned(), has_password)]),
            written: Map::from_iter([("roles".to_owned(), roles)]),
            ..Described::default()
        }
    }
}

impl Entity {
    /// Adds a person who can sign in at once.
    ///
    /// # Errors
    /// Those of [`Resource::create`], and `Invalid` at `password`.
    pub async fn enlist(access: &Access<Add<Self>>, input: UserInput, password: String) -> Result<User> {
        let password_hash = password::chosen(password, vec![input.name.clone(), input.email.clone()]).await?;
        let transaction = access.write().await?;
        let user = Self::create_in(&transaction, access, input, None).await?;
        set_hash(&transaction, user.id, password_hash).await?;
        transaction.commit().await?;
        Ok(User { has_password: true, ..user })
    }

    /// Adds the first person, unless somebody is there already, or another server adds one at the same time.
    ///
    /// # Errors
    /// Those of [`Entity::enlist`].
    pub async fn enlist_first(access: &Access<Add<Self>>, input: UserInput, password: String) -> Result<Option<User>> {
        let password_hash = password::chosen(password, vec![input.name.clone(), input.email.clone()]).await?;
        let transaction = access.write().await?;
        grants::take_turns(&transaction).await?;
        if Self::find().one(&transaction).await?.is_some() {
            transaction.rollback().await?;
            return Ok(None);
        }
        let user = Self::create_in(&transaction, access, input, None).await?;
        set_hash(&transaction, user.id, password_hash).await?;
        transaction.commit().await?;
        Ok(Some(User { has_password: true, ..user }))
    }

    /// Everybody, by address.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn everybody(access: &Access<View<Self>>) -> Result<Vec<Summary>> {
        Ok(Self::find()
            .select_only()
            .columns([Column::Id, Column::Email, Column::Name, Column::Roles, Column::IsActive])
            .order_by_asc(Column::EmailKey)
            .into_model::<Summary>()
            .all(access.reader())
            .await?)
    }

    /// Whether nobody can sign in yet.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn is_empty(access: &Access<View<Self>>) -> Result<bool> {
        Ok(Self::find().one(access.reader()).await?.is_none())
    }

    /// The person with this address, whatever its case.
    ///
    /// # Errors
    /// `NotFound` when there is none.
    pub async fn by_email(db: &impl ConnectionTrait, email: &str) -> Result<Model> {
        let user = Self::find().filter(Column::EmailKey.eq(fold::key(email.trim()))).one(db).await?;
        user.ok_or_else(|| Error::not_found("user"))
    }

    /// The person with this id.
    ///
    /// # Errors
    /// `NotFound` when there is none.
    pub async fn by_id(db: &impl ConnectionTrait, id: i64) -> Result<Model> {
        Self::find_by_id(id).one(db).await?.ok_or_else(|| Error::not_found("user"))
    }

    /// Gives a person another password and ends all their sessions, and their tokens if that is wanted.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` at `password`; `Forbidden` for somebody who may more than the caller; `Conflict` for a service
    /// account.
    pub async fn set_password(
        access: &Access<Change<Self>>,
        email: &str,
        password: String,
        tokens: Tokens,
    ) -> Result<()> {
        let user = Self::by_email(access.reader(), email).await?;
        let password_hash = password::chosen(password, vec![user.name, user.email]).await?;
        let transaction = access.write().await?;
        let user = managed(&transaction, access, user.id).await?;
        set_hash(&transaction, user.id, password_hash).await?;
        second_factor::reopened(&transaction, user.id).await?;
        session::end_all(&transaction, user.id, None).await?;
        if tokens == Tokens::End {
            token::end_all(&transaction, access.caller(), user.id).await?;
        }
        done(&transaction, access.caller(), &user, "set_password").await?;
        transaction.commit().await
    }

    /// Ends all sessions of a person. Says how many there were.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden` for somebody who may more than the caller.
    pub async fn sign_out_everywhere(access: &Access<Change<Self>>, id: i64) -> Result<u64> {
        let transaction = access.write().await?;
        let user = managed(&transaction, access, id).await?;
        let ended = session::end_all(&transaction, user.id, None).await?;
        done(&transaction, access.caller(), &user, "sign_out").await?;
        transaction.commit().await?;
        Ok(ended)
    }

    /// Gives a person another name, as they chose it themself.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(super) async fn named(transaction: &DatabaseTransaction, user: &Model, name: String) -> Result<Model> {
        let row = ActiveModel {
            name_key: Set(fold::fold(&name)),
            search_text: Set(searchable([Some(&name), Some(&user.email)])),
            name: Set(name),
            updated_at: Set(now()),
            ..Default::default()
        };
        let renamed = Self::update_many().set(row).col_expr(Column::Version, next_version());
        let rows = renamed.filter(Column::Id.eq(user.id)).exec_with_returning(transaction).await?;
        rows.into_iter().next().ok_or_else(|| Error::not_found("user"))
    }

    /// The active person with this address and password. A hash made with old parameters is made anew.
    ///
    /// # Errors
    /// `Unauthenticated`, the same and after the same time for an unknown address and a wrong password.
    pub async fn verified(database: &Database, email: &str, password: String) -> Result<Model> {
        let user = match Self::by_email(database.reader(), email).await {
            Ok(user) => Some(user).filter(|user| user.is_active),
            Err(error) if error.code == Code::NotFound => None,
            Err(error) => return Err(error),
        };
        let stored = user.as_ref().and_then(|user| user.password_hash.clone());
        let old = stored.as_deref().is_some_and(password::is_old);
        match (password::verify(password.clone(), stored).await?, user) {
            (true, Some(user)) => {
                if old {
                    let hash = password::hash(password).await?;
                    let transaction = database.write_session().await?;
                    set_hash(&transaction, user.id, hash).await?;
                    transaction.commit().await?;
                }
                Ok(user)
            }
            _ => Err(Error::new(Code::Unauthenticated, "The e-mail or the password is not right.")),
        }
    }
}

/// A person whom the caller may manage, as nobody reaches beyond what they may do themself.
pub(super) async fn managed<P>(transaction: &DatabaseTransaction, access: &Access<P>, id: i64) -> Result<Model> {
    grants::take_turns(transaction).await?;
    let user = Entity::by_id(transaction, id).await?;
    grants::covers_person(transaction, access, id).await?;
    Ok(user)
}

/// Stores the hash of a password.
pub(super) async fn set_hash(transaction: &DatabaseTransaction, id: i64, hash: String) -> Result<()> {
    Entity::update_many()
        .set(ActiveModel { password_hash: Set(Some(hash)), ..Default::default() })
        .filter(Column::Id.eq(id))
        .filter(Column::IsService.eq(false))
        .exec(transaction)
        .await
        .map_err(Error::from)
        .and_then(|updated| match updated.rows_affected {
            0 => Err(Error::new(Code::Conflict, "A service account has no password; it acts by tokens.")),
            _ => Ok(()),
        })
}

/// The version after the one that is stored, whichever that is.
pub(super) fn next_version() -> Expr {
    Expr::col(Column::Version).add(1)
}

/// Leaves the event of a command that changes none of a person's values, and raises their version.
pub(super) async fn done(
    transaction: &DatabaseTransaction,
    caller: &Caller,
    user: &Model,
    command: &'static str,
) -> Result<()> {
    let rows = Entity::update_many()
        .set(ActiveModel { updated_at: Set(now()), ..Default::default() })
        .col_expr(Column::Version, next_version())
        .filter(Column::Id.eq(user.id))
        .exec_with_returning(transaction)
        .await?;
    // Others may have raised it since the person was read.
    let version = rows.first().map_or(user.version + 1, |row| row.version);
    let versions = (Some(version - 1), Some(version));
    let subject = Subject { resource: Entity::NAME, id: user.id, command, versions, reason: None };
    record(transaction, caller, subject, json!({})).await
}

/// Seconds since the epoch, for coarse marks.
pub(super) fn seconds() -> i64 {
    now().timestamp()
}
