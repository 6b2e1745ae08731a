//! What the pages of people ask the server.

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;

#[cfg(feature = "ssr")]
use super::desk;
use super::{UserDesk, UserStart};
#[cfg(feature = "ssr")]
use crate::access::user::Entity;
use crate::base::form::Typed;
use crate::base::listing::Page;
use crate::base::record::{Row, TakenAlong};
use crate::base::wire::JsonText;
use crate::base::{Error, Result};
#[cfg(feature = "ssr")]
use crate::server::calls;

/// One page of the list that `query` describes.
#[server(prefix = "/-", endpoint = "users/list", input = GetUrl, output = JsonText)]
pub async fn list_users(query: String) -> Result<Page<Row>, Error> {
    calls::list::<Entity>(&query).await
}

/// A person with everything an administrator looks at.
#[server(prefix = "/-", endpoint = "users/read", input = GetUrl, output = JsonText)]
pub async fn read_user(id: i64, within: String) -> Result<UserDesk, Error> {
    desk::read(id, &within).await
}

/// What the form of a new person starts with.
#[server(prefix = "/-", endpoint = "users/new", input = GetUrl, output = JsonText)]
pub async fn new_user() -> Result<UserStart, Error> {
    desk::new().await
}

/// Adds a person and tells the link that invites them.
#[server(prefix = "/-", endpoint = "users/create", output = JsonText)]
pub async fn create_user(once: String, form: Typed) -> Result<i64, Error> {
    desk::create(&once, &form).await
}

/// Changes a person who is still at `version`.
#[server(prefix = "/-", endpoint = "users/update", output = JsonText)]
pub async fn update_user(id: i64, version: i64, form: Typed) -> Result<(), Error> {
    desk::update(id, version, &form).await
}

/// Lets a person in again who is still at `version`.
#[server(prefix = "/-", endpoint = "users/activate", output = JsonText)]
pub async fn activate_user(id: i64, version: i64) -> Result<(), Error> {
    desk::activate(id, version, true).await
}

/// Shuts a person out who is still at `version`.
#[server(prefix = "/-", endpoint = "users/deactivate", output = JsonText)]
pub async fn deactivate_user(id: i64, version: i64) -> Result<(), Error> {
    desk::activate(id, version, false).await
}

/// Tells a link by which a person chooses a password.
#[server(prefix = "/-", endpoint = "users/invite", output = JsonText)]
pub async fn invite_user(id: i64) -> Result<String, Error> {
    desk::invite(id).await
}

/// Ends all sessions of a person.
#[server(prefix = "/-", endpoint = "users/sign-out", output = JsonText)]
pub async fn sign_out_user(id: i64) -> Result<(), Error> {
    desk::sign_out(id).await
}

/// Takes a person's second factor away.
#[server(prefix = "/-", endpoint = "users/take-factor", output = JsonText)]
pub async fn take_factor(id: i64) -> Result<(), Error> {
    desk::take_factor(id).await
}

/// Deletes somebody who never signed in and is still at `version`.
#[server(prefix = "/-", endpoint = "users/delete", output = JsonText)]
pub async fn delete_user(id: i64, version: i64) -> Result<(), Error> {
    calls::delete::<Entity>(id, version).await
}

/// What deleting one would take along, and what stands in its way.
#[server(prefix = "/-", endpoint = "users/taken-along", input = GetUrl, output = JsonText)]
pub async fn user_taken_along(id: i64) -> Result<TakenAlong, Error> {
    calls::taken_along::<Entity>(id).await
}
