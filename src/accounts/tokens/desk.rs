//! The server's side of the pages of tokens.

use chrono::TimeDelta;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::TokenStart;
use crate::access::gate::{Access, Oneself};
use crate::access::people::{TokenInput, TokenLine};
use crate::access::token::{self, Entity, Issue, Owner};
use crate::access::{own, user};
use crate::accounts::own::desk::confirmed;
use crate::base::form::{Input, Typed};
use crate::base::time::stored::now;
use crate::base::{Error, Result};
use crate::server::web::{access, oneself, reveal};
use crate::ui::context::Revealed;

/// The most people a form offers.
const OFFERED: u64 = 1_000;

/// What the form of a new token for somebody starts with.
///
/// # Errors
/// `Forbidden`.
pub async fn new() -> Result<TokenStart> {
    let access: Access<Issue> = access().await?;
    let people = user::Entity::find()
        .select_only()
        .columns([user::Column::Id, user::Column::Name])
        .filter(user::Column::IsActive.eq(true))
        .order_by_desc(user::Column::IsService)
        .order_by_asc(user::Column::NameKey)
        .limit(OFFERED)
        .into_tuple()
        .all(access.reader())
        .await?;
    Ok(start(&access, people))
}

/// What the form of a token of one's own starts with.
///
/// # Errors
/// `Unauthenticated`.
pub async fn new_own() -> Result<TokenStart> {
    let access = oneself().await?;
    Ok(start(&access, Vec::new()))
}

fn start<P>(access: &Access<P>, people: Vec<(i64, String)>) -> TokenStart {
    let caller = access.caller();
    TokenStart { people, catalogue: access.catalogue().held(&caller.permissions), asks_password: !caller.is_recent }
}

/// Makes a token for somebody and tells its secret.
///
/// # Errors
/// Those of [`token::Entity::issue`].
pub async fn create(days: &str, form: &Typed, password: Option<String>) -> Result<String> {
    let access: Access<Issue> = confirmed(&access().await?, password).await?;
    let input = TokenInput::typed(form)?;
    let owner = Owner::Id(input.user);
    let (token, secret) = Entity::issue(&access, owner, lasting(input, days)?).await?;
    tell("/admin/tokens", &token, &secret);
    Ok(secret)
}

/// Makes a token of one's own and tells its secret.
///
/// # Errors
/// Those of [`own::make_token`].
pub async fn create_own(days: &str, form: &Typed, password: Option<String>) -> Result<String> {
    let access: Access<Oneself> = confirmed(&oneself().await?, password).await?;
    let mut form = form.clone();
    form.insert("user".into(), access.user_id().to_string());
    let (token, secret) = own::make_token(&access, lasting(TokenInput::typed(&form)?, days)?).await?;
    tell("/account", &token, &secret);
    Ok(secret)
}

/// The token that lasts so many days; blank for ever.
fn lasting(input: TokenInput, days: &str) -> Result<token::NewToken> {
    let expires_at = match days.parse::<u16>() {
        Ok(days) => Some(now() + TimeDelta::days(i64::from(days))),
        Err(_) if days.is_empty() => None,
        Err(_) => return Err(Error::field("days", "Choose how long it lasts.")),
    };
    Ok(token::NewToken { expires_at, ..token::NewToken::of(input)? })
}

fn tell(page: &str, token: &TokenLine, secret: &str) {
    let title = format!("The secret of {} is shown once", token.name);
    let note = "Copy it now; nobody can read it again. Scripts send it as Authorization: Bearer …".to_owned();
    reveal(page.to_owned(), Revealed { title, note, secrets: vec![secret.to_owned()] });
}
