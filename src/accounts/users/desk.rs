//! The server's side of the pages of people.

use sea_orm::{EntityTrait, QueryOrder};

use super::{Choice, UserDesk, UserStart};
use crate::access::gate::Access;
use crate::access::part::Part;
use crate::access::people::{User, UserInput, split};
use crate::access::permission::lacking;
use crate::access::{invitation, role, second_factor, session, token, user};
use crate::base::Result;
use crate::base::form::{Input, Typed};
use crate::base::time::stored::now;
use crate::history::Detail;
use crate::server::calls::neighbours;
use crate::server::hosts::LinkOrigin;
use crate::server::record::{Add, Change, Expected, OnceKey, Resource, Stored, View};
use crate::server::transaction::DatabaseTransaction;
use crate::server::web::{access, go, link_origin, reveal};
use crate::ui::context::Revealed;

type Users = user::Entity;

/// Every role, and whether the caller may give it. One statement.
async fn choices<P>(access: &Access<P>) -> Result<Vec<Choice>> {
    let roles = role::Entity::find().order_by_asc(role::Column::NameKey).all(access.reader()).await?;
    let choice = |role: role::Model| {
        let permissions = split(&role.permissions);
        let missing = lacking(&access.caller().permissions, permissions.iter().map(String::as_str));
        Choice { may_give: missing.is_none(), code: role.code, name: role.name, description: role.description }
    };
    Ok(roles.into_iter().map(choice).collect())
}

/// What the form of a new person starts with.
///
/// # Errors
/// `Forbidden`.
pub async fn new() -> Result<UserStart> {
    let access: Access<Add<Users>> = access().await?;
    Ok(UserStart { once: OnceKey::fresh().to_string(), choices: choices(&access).await? })
}

/// A person with everything an administrator looks at. A constant number of statements.
///
/// # Errors
/// `NotFound`.
pub async fn read(id: i64, within: &str) -> Result<UserDesk> {
    let access: Access<View<Users>> = access().await?;
    let detail = Users::detail(&access, id).await?;
    let beside = neighbours::<Users>(&access, id, within).await?;
    let invitation = invitation::Entity::find_by_id(id).one(access.reader()).await?;
    let sessions = match access.also::<session::View>() {
        Ok(access) => Some(session::Entity::list(&access, Part::of(id), None).await?),
        Err(_) => None,
    };
    let tokens = match access.also::<token::View>() {
        Ok(access) => Some(token::Entity::list(&access, Part::of(id)).await?),
        Err(_) => None,
    };
    Ok(UserDesk {
        detail: Detail { record: detail.record.row(), events: detail.events, beside },
        choices: choices(&access).await?,
        has_second_factor: second_factor::is_on(access.reader(), id).await?,
        invited_until: invitation.map(|link| link.expires_at).filter(|until| *until > now()).map(Into::into),
        sessions,
        tokens,
    })
}

/// Adds a person and tells the link that invites them; a service account needs none.
///
/// # Errors
/// Those of [`Resource::create`]; those of [`link_origin`], before anything is done.
pub async fn create(once: &str, form: &Typed) -> Result<i64> {
    let access: Access<Add<Users>> = access().await?;
    let (input, once) = (UserInput::typed(form)?, OnceKey::parse(once)?);
    let invited = !input.is_service && input.is_active;
    let origin = invited.then(link_origin).transpose()?;
    let transaction = access.write().await?;
    let (user, secret) = made(&transaction, &access, input, &once, invited).await?;
    transaction.commit().await?;
    match origin.zip(secret) {
        Some((origin, secret)) => tell_link(user.id, &user.data.name, link(&origin, &secret)),
        None => go(&href(user.id)),
    }
    Ok(user.id)
}

async fn made(
    transaction: &DatabaseTransaction,
    access: &Access<Add<Users>>,
    input: UserInput,
    once: &OnceKey,
    invited: bool,
) -> Result<(User, Option<String>)> {
    let user = Users::create_in(transaction, access, input, Some(once)).await?;
    let secret = match invited && !user.has_password {
        true => Some(invitation::invite_in(transaction, access, user.id).await?),
        false => None,
    };
    Ok((user, secret))
}

/// Changes a person who is still at `version`, and leads to them.
///
/// # Errors
/// Those of [`Resource::change`].
pub async fn update(id: i64, version: i64, form: &Typed) -> Result<()> {
    let access: Access<Change<Users>> = access().await?;
    let input = UserInput::typed(form)?;
    Users::change(&access, id, Expected::Version(version), |_| Ok(input)).await?;
    go(&href(id));
    Ok(())
}

/// Lets a person in again, or shuts them out with all their sessions.
///
/// # Errors
/// Those of [`Resource::change`].
pub async fn activate(id: i64, version: i64, active: bool) -> Result<()> {
    let access: Access<Change<Users>> = access().await?;
    let change = |user: &User| Ok(UserInput { is_active: active, ..user.data.clone() });
    Users::change(&access, id, Expected::Version(version), change).await?;
    go(&href(id));
    Ok(())
}

/// Tells a link by which a person chooses a password; their sessions end.
///
/// # Errors
/// Those of [`invitation::invite`]; those of [`link_origin`], before anything is done.
pub async fn invite(id: i64) -> Result<String> {
    let access: Access<Change<Users>> = access().await?;
    let origin = link_origin()?;
    let link = link(&origin, &invitation::invite(&access, id).await?);
    let user = user::Entity::by_id(access.reader(), id).await?;
    tell_link(id, &user.name, link.clone());
    Ok(link)
}

/// Ends all sessions of a person.
///
/// # Errors
/// Those of [`user::Entity::sign_out_everywhere`].
pub async fn sign_out(id: i64) -> Result<()> {
    user::Entity::sign_out_everywhere(&access().await?, id).await?;
    go(&href(id));
    Ok(())
}

/// Takes a person's second factor away.
///
/// # Errors
/// Those of [`second_factor::take_away`].
pub async fn take_factor(id: i64) -> Result<()> {
    second_factor::take_away(&access().await?, id).await?;
    go(&href(id));
    Ok(())
}

fn href(id: i64) -> String {
    format!("{}/{id}", Users::LISTING.path)
}

fn link(origin: &LinkOrigin, secret: &str) -> String {
    format!("{}{}", origin.0, crate::accounts::invitation_href(secret))
}

fn tell_link(id: i64, name: &str, link: String) {
    let days = invitation::LIFETIME.num_days();
    let note = format!("Hand it to {name}: whoever opens it chooses the password. It works once, for {days} days.");
    reveal(href(id), Revealed { title: "This link is shown once".into(), note, secrets: vec![link] });
}
