//! What the pages ask the server: one expression each.

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;

use super::ProductId;
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
#[server(prefix = "/-", endpoint = "products/list", input = GetUrl, output = JsonText)]
pub async fn list_products(query: String) -> Result<Page<Row>, Error> {
    calls::list::<Entity>(&query).await
}

/// A product with its history, and its neighbours in the list that `within` describes.
#[server(prefix = "/-", endpoint = "products/read", input = GetUrl, output = JsonText)]
pub async fn read_product(id: ProductId, within: String) -> Result<Detail<Row>, Error> {
    calls::read::<Entity>(id.0, &within).await
}

/// The one-time key of a form for a new product.
#[server(prefix = "/-", endpoint = "products/new", input = GetUrl, output = JsonText)]
pub async fn new_product() -> Result<String, Error> {
    calls::new::<Entity>().await
}

/// Creates a product and leads to it.
#[server(prefix = "/-", endpoint = "products/create", output = JsonText)]
pub async fn create_product(once: String, form: Typed) -> Result<i64, Error> {
    calls::create::<Entity>(&once, &form).await
}

/// Changes a product that is still at `version` and leads to it.
#[server(prefix = "/-", endpoint = "products/update", output = JsonText)]
pub async fn update_product(id: ProductId, version: i64, form: Typed) -> Result<i64, Error> {
    calls::update::<Entity>(id.0, version, &form).await
}

/// Deletes a product that is still at `version` and leads to the list.
#[server(prefix = "/-", endpoint = "products/delete", output = JsonText)]
pub async fn delete_product(id: ProductId, version: i64) -> Result<(), Error> {
    calls::delete::<Entity>(id.0, version).await
}

/// What deleting a product would take along, and what stands in its way.
#[server(prefix = "/-", endpoint = "products/taken-along", input = GetUrl, output = JsonText)]
pub async fn product_taken_along(id: ProductId) -> Result<TakenAlong, Error> {
    calls::taken_along::<Entity>(id.0).await
}
