//! What the pages ask the server: one expression each.

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;

use super::CustomerId;
#[cfg(feature = "ssr")]
use super::entity::Entity;
use crate::base::form::Typed;
use crate::base::listing::Page;
use crate::base::record::{Row, TakenAlong};
use crate::base::wire::JsonText;
use crate::base::{Error, Result};
use crate::history::Detail;
#[cfg(feature = "ssr")]
use crate::server::calls;

/// One page of the list that `query` describes.
#[server(prefix = "/-", endpoint = "customers/list", input = GetUrl, output = JsonText)]
pub async fn list_customers(query: String) -> Result<Page<Row>, Error> {
    calls::list::<Entity>(&query).await
}

/// A customer with its history, and its neighbours in the list that `within` describes.
#[server(prefix = "/-", endpoint = "customers/read", input = GetUrl, output = JsonText)]
pub async fn read_customer(id: CustomerId, within: String) -> Result<Detail<Row>, Error> {
    calls::read::<Entity>(id.0, &within).await
}

/// The one-time key of a form for a new customer.
#[server(prefix = "/-", endpoint = "customers/new", input = GetUrl, output = JsonText)]
pub async fn new_customer() -> Result<String, Error> {
    calls::new::<Entity>().await
}

/// Creates a customer and leads to it.
#[server(prefix = "/-", endpoint = "customers/create", output = JsonText)]
pub async fn create_customer(once: String, form: Typed) -> Result<i64, Error> {
    calls::create::<Entity>(&once, &form).await
}

/// Changes a customer that is still at `version` and leads to it.
#[server(prefix = "/-", endpoint = "customers/update", output = JsonText)]
pub async fn update_customer(id: CustomerId, version: i64, form: Typed) -> Result<i64, Error> {
    calls::update::<Entity>(id.0, version, &form).await
}

/// Deletes a customer that is still at `version` and leads to the list.
#[server(prefix = "/-", endpoint = "customers/delete", output = JsonText)]
pub async fn delete_customer(id: CustomerId, version: i64) -> Result<(), Error> {
    calls::delete::<Entity>(id.0, version).await
}

/// What deleting a customer would take along, and what stands in its way.
#[server(prefix = "/-", endpoint = "customers/taken-along", input = GetUrl, output = JsonText)]
pub async fn customer_taken_along(id: CustomerId) -> Result<TakenAlong, Error> {
    calls::taken_along::<Entity>(id.0).await
}
