//! API tokens: many per person, named, scoped, expiring, shown once and stored as a digest.

use std::collections::BTreeSet;

use chrono::{SubsecRound, TimeDelta};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait, LockBehavior, LockType};
use sea_orm::{ActiveValue::Set, Condition, JoinType, QueryOrder, QuerySelect};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::gate::{Access, Actor, Caller, Permission};
use super::part::{Lines, Part};
use super::people::{TokenInput, TokenLine, split};
use super::permission::lacking;
use super::security::{self, Happened, Kind};
use super::{EVERYTHING, grants, holds, role, second_factor, user};
use crate::base::column::{Written, placed_row};
use crate::base::form::{self, Field, Given};
use crate::base::time::stored::Timestamp;
use crate::base::time::stored::now;
use crate::base::{Error, Result};
use crate::history::entity::{Subject, record};
use crate::server::client_address::network;
use crate::server::database::Database;
use crate::server::transaction::DatabaseTransaction;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "api_tokens")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub user_id: i64,
    pub name: String,
    pub hash: String,
    /// The scope: codes out of those its person holds. When absent it follows what they hold, as only a token does that they
    /// made themselves, or the command line.
    pub permissions: Option<Json>,
    /// Whether every change must name the version it was decided on.
    pub requires_version: bool,
    pub expires_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
    pub created_at: Timestamp,
    /// The person who made it, by a session or a token; absent for the command line, and where it is not known.
    pub made_by: Option<i64>,
    /// Where it was used from lately, separated by spaces.
    pub addresses: String,
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

/// How tokens begin, so that people and scanners recognise one that leaked.
pub const PREFIX: &str = "kontor_";

/// So many addresses are known from which a token was used lately.
const ADDRESSES: usize = 20;

/// The last use is noted at most this often.
const NOTED_EVERY: TimeDelta = TimeDelta::minutes(1);

/// The SHA-256 of a secret of at least 128 random bits, in hex: what the database keeps of it.
pub fn digest(secret: &str) -> String {
    hex::encode(Sha256::digest(secret.as_bytes()))
}

/// The permission to see everybody's tokens.
#[derive(Debug)]
pub struct View;

impl Permission for View {
    const IN_ADMIN_AREA: bool = true;

    fn code() -> String {
        "tokens.view".into()
    }
}

/// The permission to make tokens for others.
#[derive(Debug)]
pub struct Issue;

impl Permission for Issue {
    const IN_ADMIN_AREA: bool = true;

    fn code() -> String {
        "tokens.add".into()
    }
}

/// The permission to end others' tokens.
#[derive(Debug)]
pub struct Revoke;

impl Permission for Revoke {
    const IN_ADMIN_AREA: bool = true;

    fn code() -> String {
        "tokens.delete".into()
    }
}

/// Whom a token acts for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    Id(i64),
    Email(String),
}

/// What a new token is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    pub name: String,
    /// Empty for everything the person may: now and later when they make it themselves, else what they may now.
    pub permissions: Vec<String>,
    pub expires_at: Option<Timestamp>,
    pub requires_version: bool,
}

impl NewToken {
    /// What an input asks for.
    ///
    /// # Errors
    /// `Invalid` at `expires_at`.
    pub fn of(input: TokenInput) -> Result<Self> {
        let moment = |text: String| {
            chrono::DateTime::parse_from_rfc3339(&text)
                .map(|at| at.with_timezone(&chrono::Utc).trunc_subsecs(6))
                .map_err(|_| Error::field("expires_at", "Enter a moment such as 2026-11-24T14:02:01Z."))
        };
        Ok(Self {
            name: input.name,
            permissions: input.permissions,
            expires_at: input.expires_at.map(moment).transpose()?,
            requires_version: input.requires_version,
        })
    }
}

/// A valid token's meaning: who it acts for and what it may.
#[derive(Debug, Clone)]
pub struct Bearer {
    pub id: i64,
    pub name: String,
    pub user_id: i64,
    /// The e-mail of its person.
    pub account: String,
    pub permissions: Vec<String>,
    pub requires_version: bool,
    /// Whether its person must set up a second factor before anything else.
    pub must_enrol: bool,
}

placed_row! {
    struct Row {
        id: i64,
        name: String,
        user_id: i64,
        requires_version: bool,
        last_used_at: Option<Timestamp>,
        addresses: String,
        is_service: bool,
        email: String,
        scope: Option<Json>,
        granted: Option<String>,
        requires_second_factor: Option<bool>,
        confirmed_at: Option<Timestamp>,
    }
}

impl Entity {
    /// Makes a token for somebody and returns it with its secret, which nobody can read again.
    ///
    /// # Errors
    /// `NotFound` for the person; `Invalid` at `name`, or at `permissions` for one the person does not hold; `Forbidden` for
    /// what the caller does not hold.
    pub async fn issue(access: &Access<Issue>, owner: Owner, new: NewToken) -> Result<(TokenLine, String)> {
        let transaction = access.write().await?;
        let user = match owner {
            Owner::Id(id) => user::Entity::by_id(&transaction, id).await?,
            Owner::Email(email) => user::Entity::by_email(&transaction, &email).await?,
        };
        let made = make(&transaction, access.caller(), user, new).await?;
        transaction.commit().await?;
        Ok(made)
    }

    /// Tokens, the newest first. Two statements.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn list(access: &Access<View>, part: Part) -> Result<Lines<TokenLine>> {
        lines(access.reader(), part).await
    }

    /// Ends a token at once.
    ///
    /// # Errors
    /// `NotFound` when there is none that is not ended yet; `Forbidden` for the token of somebody who may more than the
    /// caller.
    pub async fn revoke(access: &Access<Revoke>, id: i64) -> Result<()> {
        let transaction = access.write().await?;
        let token = Self::find_by_id(id).one(&transaction).await?.ok_or_else(|| Error::not_found("token"))?;
        user::managed(&transaction, access, token.user_id).await?;
        end(&transaction, access.caller(), id).await?;
        transaction.commit().await
    }

    /// What a secret stands for, if it is a valid token of an active person; `caller` says where it came from. One statement; now
    /// and then the use is noted beside the request, as reading must never wait for a writer.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn bearer(database: &Database, secret: &str, caller: &Caller) -> Result<Option<Bearer>> {
        if !secret.starts_with(PREFIX) {
            return Ok(None);
        }
        static STATEMENT: Written = Written::new();
        let (hash, now) = (digest(secret), now());
        let values = vec![hash.as_str().into(), now.into(), true.into()];
        let select = || {
            Self::find()
                .select_only()
                .columns([
                    Column::Id,
                    Column::Name,
                    Column::UserId,
                    Column::RequiresVersion,
                    Column::LastUsedAt,
                    Column::Addresses,
                ])
                .columns([user::Column::IsService, user::Column::Email])
                .column_as(Column::Permissions, "scope")
                .column_as(role::Column::Permissions, "granted")
                .column(role::Column::RequiresSecondFactor)
                .column(second_factor::Column::ConfirmedAt)
                .join(JoinType::InnerJoin, Relation::User.def())
                .join(JoinType::LeftJoin, grants::assignments())
                .join(JoinType::LeftJoin, grants::assigned())
                .join(JoinType::LeftJoin, second_factor::of_user())
                .filter(Column::Hash.eq(hash.as_str()))
                .filter(Column::RevokedAt.is_null())
                .filter(Column::ExpiresAt.is_null().or(Column::ExpiresAt.gt(now)))
                .filter(user::Column::IsActive.eq(true))
        };
        let rows: Vec<Row> = STATEMENT.rows(database.reader(), values, select).await?;
        let Some(first) = rows.first() else { return Ok(None) };
        let is_due = first.last_used_at.is_none_or(|used| now - used > NOTED_EVERY);
        let address = caller.address.map(|address| network(address).to_string()).unwrap_or_default();
        let is_new = !first.addresses.split_whitespace().any(|known| known == address);
        // A token that is used from ever other addresses is noted no more often than any other.
        if is_due || (is_new && first.addresses.split_whitespace().count() < ADDRESSES) {
            tokio::spawn(note_use(database.clone(), first.id, is_new.then_some(address), caller.clone()));
        }
        let held: Vec<String> = rows.iter().filter_map(|row| row.granted.as_deref()).flat_map(split).collect();
        let permissions = match &first.scope {
            None => held,
            Some(scope) => within(scope_of(scope.clone()), held),
        };
        let required = rows.iter().any(|row| row.requires_second_factor == Some(true));
        Ok(Some(Bearer {
            id: first.id,
            name: first.name.clone(),
            user_id: first.user_id,
            account: first.email.clone(),
            permissions,
            requires_version: first.requires_version,
            // A service account never signs in, so it can set up none: its tokens are all it has.
            must_enrol: required && first.confirmed_at.is_none() && !first.is_service,
        }))
    }
}

fn scope_of(stored: Json) -> Vec<String> {
    serde_json::from_value(stored).unwrap_or_default()
}

/// What a scope leaves of what its person holds.
fn within(scope: Vec<String>, held: Vec<String>) -> Vec<String> {
    if scope.iter().any(|code| code == EVERYTHING) {
        return held;
    }
    scope.into_iter().filter(|code| holds(&held, code)).collect()
}

/// Whether a token without a scope follows what its person holds: only when they make it themselves in a session, or the command
/// line does. Any other maker gives what both hold at that moment, and nothing that the person is given later.
fn follows(caller: &Caller, user_id: i64) -> bool {
    match caller.actor {
        Actor::User { id, .. } => id == user_id && !caller.is_by_link,
        Actor::System => true,
        Actor::Token { .. } | Actor::Anonymous => false,
    }
}

/// Makes a token within a transaction. Its scope reaches no further than its person, and no further than whoever makes it could
/// reach then.
pub(super) async fn make(
    transaction: &DatabaseTransaction,
    caller: &Caller,
    user: user::Model,
    new: NewToken,
) -> Result<(TokenLine, String)> {
    let name = Field::new("name", "Name", form::Kind::Line { max: 100 }).required();
    let name = match name.check(&Given::typed(name.kind, &new.name)) {
        Ok(value) => value.as_str().unwrap_or_default().to_owned(),
        Err(message) => return Err(Error::field("name", message)),
    };
    if new.expires_at.is_some_and(|at| at <= now()) {
        return Err(Error::field("expires_at", "Choose a moment to come."));
    }
    if matches!(caller.actor, Actor::User { .. }) && !caller.is_recent {
        return Err(Error::field("password", "Sign in again first, or enter your password on the page of tokens."));
    }
    let held = grants::held_by(transaction, user.id).await?;
    if let Some(beyond) = lacking(&held, new.permissions.iter().map(String::as_str)) {
        return Err(Error::field("permissions", format!("{} does not hold {beyond}.", user.email)));
    }
    let reach = if new.permissions.is_empty() { &held } else { &new.permissions };
    grants::covers(caller, reach.iter().map(String::as_str))?;
    let secret = format!("{PREFIX}{}", hex::encode(rand::random::<[u8; 32]>()));
    let scope = match new.permissions.is_empty() {
        true if follows(caller, user.id) => None,
        true => Some(json!(held.into_iter().collect::<BTreeSet<_>>())),
        false => Some(json!(new.permissions)),
    };
    let token = Entity::insert(ActiveModel {
        user_id: Set(user.id),
        name: Set(name),
        hash: Set(digest(&secret)),
        permissions: Set(scope.clone()),
        requires_version: Set(new.requires_version),
        expires_at: Set(new.expires_at),
        created_at: Set(now()),
        made_by: Set(caller.user_id()),
        ..Default::default()
    })
    .exec_with_returning(transaction)
    .await?;
    let subject = Subject { resource: "tokens", id: token.id, command: "create", versions: (None, None), reason: None };
    let changes = json!({ "name": [null, token.name], "user": [null, user.email], "permissions": [null, scope] });
    record(transaction, caller, subject, changes).await?;
    line(token, Some(user)).map(|line| (line, secret)).ok_or_else(|| Error::internal("a token without its person"))
}

/// Ends a token within a transaction.
pub(super) async fn end(transaction: &DatabaseTransaction, caller: &Caller, id: i64) -> Result<()> {
    let revoked = Entity::update_many()
        .col_expr(Column::RevokedAt, Expr::value(now()))
        .filter(Column::Id.eq(id))
        .filter(Column::RevokedAt.is_null())
        .exec(transaction)
        .await?;
    if revoked.rows_affected == 0 {
        return Err(Error::not_found("token"));
    }
    let subject = Subject { resource: "tokens", id, command: "revoke", versions: (None, None), reason: None };
    record(transaction, caller, subject, json!({})).await
}

/// Ends all tokens of a person that are not ended yet.
pub(super) async fn end_all(transaction: &DatabaseTransaction, caller: &Caller, user_id: i64) -> Result<()> {
    let open = Entity::find().select_only().column(Column::Id).filter(Column::UserId.eq(user_id));
    let open: Vec<i64> = open.filter(Column::RevokedAt.is_null()).into_tuple().all(transaction).await?;
    for id in open {
        end(transaction, caller, id).await?;
    }
    Ok(())
}

/// Tokens as they are listed. Two statements.
pub(super) async fn lines(db: &impl ConnectionTrait, part: Part) -> Result<Lines<TokenLine>> {
    let all = Entity::find().filter(part.user.map_or_else(Condition::all, |id| Column::UserId.eq(id).into()));
    let count = all.clone().count(db).await?;
    let select = all.find_also_related(user::Entity).order_by_desc(Column::Id);
    let rows = select.offset(part.offset()).limit(u64::from(part.page_size)).all(db).await?;
    let lines = rows.into_iter().filter_map(|(token, user)| line(token, user)).collect();
    Ok(Lines { part, count, lines })
}

fn line(token: Model, user: Option<user::Model>) -> Option<TokenLine> {
    let user = user?;
    Some(TokenLine {
        id: token.id,
        name: token.name,
        user: user.id,
        user_name: user.name,
        email: user.email,
        permissions: token.permissions.map(scope_of),
        requires_version: token.requires_version,
        created_at: token.created_at.into(),
        is_valid: token.revoked_at.is_none() && token.expires_at.is_none_or(|at| at > now()),
        expires_at: token.expires_at.map(Into::into),
        last_used_at: token.last_used_at.map(Into::into),
        revoked_at: token.revoked_at.map(Into::into),
    })
}

/// Notes that a token was used; `address` is where from, if that is new.
async fn note_use(database: Database, id: i64, address: Option<String>, caller: Caller) {
    let noted = async {
        let transaction = database.write_session().await?;
        // Others who came at the same time are about to note it.
        let unlocked = Entity::find_by_id(id).lock_with_behavior(LockType::NoKeyUpdate, LockBehavior::SkipLocked);
        let Some(token) = unlocked.one(&transaction).await? else { return Ok(()) };
        // Others who came at the same time noted it already.
        let is_due = token.last_used_at.is_none_or(|used| used < now() - NOTED_EVERY);
        let address = address.filter(|address| !token.addresses.split_whitespace().any(|known| known == address));
        if !is_due && address.is_none() {
            return Ok(());
        }
        let mut used = ActiveModel { last_used_at: Set(Some(now())), ..Default::default() };
        if let Some(address) = address {
            let user = user::Entity::by_id(&transaction, token.user_id).await?;
            let known = token.addresses.split_whitespace().count().saturating_sub(ADDRESSES - 1);
            let kept = token.addresses.split_whitespace().skip(known).chain([address.as_str()]);
            used.addresses = Set(kept.collect::<Vec<_>>().join(" "));
            let kind = if token.last_used_at.is_none() { Kind::TokenFirstUsed } else { Kind::TokenNewAddress };
            let actor = Actor::Token { id, name: token.name, user_id: user.id };
            let happened = Happened::by(&Caller { actor, ..caller }, kind, format!("tokens {id}"));
            security::write(&transaction, happened.about(&user.email)).await?;
        }
        Entity::update_many().set(used).filter(Column::Id.eq(id)).exec(&transaction).await?;
        transaction.commit().await
    };
    if let Err(error) = noted.await {
        tracing::warn!(error = error.internal.as_deref(), token = id, "could not note the use of a token");
    }
}
