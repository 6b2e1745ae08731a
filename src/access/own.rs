//! What a person does with their own account: password, time zone, sessions and tokens.

use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use serde_json::json;

use super::gate::{Access, Oneself};
use super::part::{Lines, Part};
use super::people::{SessionLine, TokenLine};
use super::token::{self, NewToken};
use super::{password, second_factor, session, user};
use crate::base::listing::MAX_PAGE_SIZE;
use crate::base::time::stored::now;
use crate::base::time::zones;
use crate::base::{Error, Result};
use crate::history::entity::{Subject, record};
use crate::server::transaction::DatabaseTransaction;

/// The person, if this is their password.
///
/// # Errors
/// `Invalid` at `password`.
pub async fn with_password(access: &Access<Oneself>, password: String) -> Result<user::Model> {
    let user = user::Entity::by_id(access.reader(), access.user_id()).await?;
    if password::verify(password, user.password_hash.clone()).await? {
        Ok(user)
    } else {
        Err(Error::field("password", "This is not your password."))
    }
}

/// Changes the password and ends all other sessions, and their tokens if that is wanted; `session` stays.
///
/// # Errors
/// `Invalid` at `password`, when the old one is wrong, or at `new_password`.
pub async fn change_password(
    access: &Access<Oneself>,
    old: String,
    new: String,
    session: Option<String>,
    tokens: user::Tokens,
) -> Result<()> {
    let user = with_password(access, old).await?;
    let hash = password::chosen(new, vec![user.name.clone(), user.email.clone()]).await.map_err(|mut error| {
        if let Some(messages) = error.errors.remove("password") {
            error.errors.insert("new_password".into(), messages);
        }
        error
    })?;
    let transaction = access.write().await?;
    let user = user::Entity::by_id(&transaction, user.id).await?;
    user::set_hash(&transaction, user.id, hash).await?;
    second_factor::reopened(&transaction, user.id).await?;
    session::end_all(&transaction, user.id, session).await?;
    if tokens == user::Tokens::End {
        token::end_all(&transaction, access.caller(), user.id).await?;
    }
    user::done(&transaction, access.caller(), &user, "change_password").await?;
    transaction.commit().await
}

/// Chooses the zone in which times are shown; blank is UTC.
///
/// # Errors
/// `Invalid` at `time_zone`.
pub async fn choose_zone(access: &Access<Oneself>, name: &str) -> Result<()> {
    let name = Some(name.trim()).filter(|name| !name.is_empty() && *name != "UTC");
    if name.is_some_and(|name| !zones::is_known(name)) {
        return Err(Error::field("time_zone", "Choose one of the zones."));
    }
    let transaction = access.write().await?;
    let user = user::Entity::by_id(&transaction, access.user_id()).await?;
    if user.time_zone.as_deref() == name {
        return Ok(());
    }
    let row =
        user::ActiveModel { time_zone: Set(name.map(str::to_owned)), updated_at: Set(now()), ..Default::default() };
    let chosen = user::Entity::update_many().set(row).col_expr(user::Column::Version, user::next_version());
    let rows = chosen.filter(user::Column::Id.eq(user.id)).exec_with_returning(&transaction).await?;
    let version = rows.first().map_or(user.version + 1, |row| row.version);
    let versions = (Some(version - 1), Some(version));
    let subject = Subject { resource: "users", id: user.id, command: "choose_zone", versions, reason: None };
    record(&transaction, access.caller(), subject, json!({ "time_zone": [user.time_zone, name] })).await?;
    transaction.commit().await
}

/// Their latest sessions; `current` is the one that asks.
///
/// # Errors
/// When the database does not answer.
pub async fn sessions(access: &Access<Oneself>, current: Option<&str>) -> Result<Lines<SessionLine>> {
    session::lines(access.reader(), latest(access), current).await
}

fn latest(access: &Access<Oneself>) -> Part {
    Part { page_size: MAX_PAGE_SIZE, ..Part::of(access.user_id()) }
}

/// Ends one of their sessions, or without an id all but `current`.
///
/// # Errors
/// `NotFound`.
pub async fn end_session(access: &Access<Oneself>, id: Option<&str>, current: Option<String>) -> Result<()> {
    let transaction = access.write().await?;
    let ended = match id {
        Some(id) => {
            let own = session::Entity::delete_many().filter(session::Column::UserId.eq(access.user_id()));
            own.filter(session::Column::Id.eq(id)).exec(&transaction).await?.rows_affected
        }
        None => session::end_all(&transaction, access.user_id(), current).await?.max(1),
    };
    if ended == 0 {
        return Err(Error::not_found("session"));
    }
    note(&transaction, access, "end_session").await?;
    transaction.commit().await
}

async fn note(transaction: &DatabaseTransaction, access: &Access<Oneself>, command: &'static str) -> Result<()> {
    let subject = Subject { resource: "users", id: access.user_id(), command, versions: (None, None), reason: None };
    record(transaction, access.caller(), subject, json!({})).await
}

/// Their latest tokens.
///
/// # Errors
/// When the database does not answer.
pub async fn tokens(access: &Access<Oneself>) -> Result<Lines<TokenLine>> {
    token::lines(access.reader(), latest(access)).await
}

/// Makes a token that acts for them and returns it with its secret, which nobody can read again.
///
/// # Errors
/// `Invalid` at `name`, or at `permissions` for one they do not hold.
pub async fn make_token(access: &Access<Oneself>, new: NewToken) -> Result<(TokenLine, String)> {
    let transaction = access.write().await?;
    let user = user::Entity::by_id(&transaction, access.user_id()).await?;
    let made = token::make(&transaction, access.caller(), user, new).await?;
    transaction.commit().await?;
    Ok(made)
}

/// Ends one of their tokens.
///
/// # Errors
/// `NotFound`.
pub async fn end_token(access: &Access<Oneself>, id: i64) -> Result<()> {
    let transaction = access.write().await?;
    let token = token::Entity::find_by_id(id).one(&transaction).await?;
    if token.is_none_or(|token| token.user_id != access.user_id()) {
        return Err(Error::not_found("token"));
    }
    token::end(&transaction, access.caller(), id).await?;
    transaction.commit().await
}
