//! What the pages of roles ask the server.

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;

#[cfg(feature = "ssr")]
use super::desk;
use super::{RoleDesk, RoleStart};
#[cfg(feature = "ssr")]
use crate::access::role::Entity;
use crate::base::form::Typed;
use crate::base::listing::Page;
use crate::base::record::{Row, TakenAlong};
use crate::base::wire::JsonText;
use crate::base::{Error, Result};
#[cfg(feature = "ssr")]
use crate::server::calls;

/// One page of the list that `query` describes.
#[server(prefix = "/-", endpoint = "roles/list", input = GetUrl, output = JsonText)]
pub async fn list_roles(query: String) -> Result<Page<Row>, Error> {
    calls::list::<Entity>(&query).await
}

/// A role beside everything that can be permitted.
#[server(prefix = "/-", endpoint = "roles/read", input = GetUrl, output = JsonText)]
pub async fn read_role(id: i64, within: String) -> Result<RoleDesk, Error> {
    desk::read(id, &within).await
}

/// What the form of a new role starts with.
#[server(prefix = "/-", endpoint = "roles/new", input = GetUrl, output = JsonText)]
pub async fn new_role() -> Result<RoleStart, Error> {
    desk::new().await
}

/// Creates a role and leads to it.
#[server(prefix = "/-", endpoint = "roles/create", output = JsonText)]
pub async fn create_role(once: String, form: Typed) -> Result<i64, Error> {
    calls::create::<Entity>(&once, &form).await
}

/// Changes a role that is still at `version` and leads to it.
#[server(prefix = "/-", endpoint = "roles/update", output = JsonText)]
pub async fn update_role(id: i64, version: i64, form: Typed) -> Result<i64, Error> {
    calls::update::<Entity>(id, version, &form).await
}

/// Deletes a role that is still at `version` and leads to the list.
#[server(prefix = "/-", endpoint = "roles/delete", output = JsonText)]
pub async fn delete_role(id: i64, version: i64) -> Result<(), Error> {
    calls::delete::<Entity>(id, version).await
}

/// What deleting one would take along, and what stands in its way.
#[server(prefix = "/-", endpoint = "roles/taken-along", input = GetUrl, output = JsonText)]
pub async fn role_taken_along(id: i64) -> Result<TakenAlong, Error> {
    calls::taken_along::<Entity>(id).await
}
