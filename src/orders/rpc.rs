//! What the pages ask the server: one expression each.

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;

#[cfg(feature = "ssr")]
use super::desk;
#[cfg(feature = "ssr")]
use super::entity::Entity;
use super::{OrderId, Sheet};
use crate::base::form::Typed;
use crate::base::listing::Page;
use crate::base::record::{Row, TakenAlong};
use crate::base::wire::JsonText;
use crate::base::{Error, Result};
use crate::history::Detail;
#[cfg(feature = "ssr")]
use crate::server::calls;

/// One page of the list that `query` describes.
#[server(prefix = "/-", endpoint = "orders/list", input = GetUrl, output = JsonText)]
pub async fn list_orders(query: String) -> Result<Page<Row>, Error> {
    calls::list::<Entity>(&query).await
}

/// The first orders of the list that `query` describes, with how many there are and what they come to.
#[server(prefix = "/-", endpoint = "orders/latest", input = GetUrl, output = JsonText)]
pub async fn latest_orders(query: String) -> Result<Page<Row>, Error> {
    calls::excerpt::<Entity>(&query).await
}

/// An order with its history and what can be done with it, and its neighbours in the list that `within` describes.
#[server(prefix = "/-", endpoint = "orders/read", input = GetUrl, output = JsonText)]
pub async fn read_order(id: OrderId, within: String) -> Result<Detail<Sheet>, Error> {
    desk::read(id.0, &within).await
}

/// The one-time key and the values of a form for a new order.
#[server(prefix = "/-", endpoint = "orders/new", input = GetUrl, output = JsonText)]
pub async fn new_order() -> Result<(String, Typed), Error> {
    desk::new().await
}

/// Creates an order and leads to it; with `then` it is placed at once.
#[server(prefix = "/-", endpoint = "orders/create", output = JsonText)]
pub async fn create_order(once: String, then: Option<String>, form: Typed) -> Result<i64, Error> {
    desk::create(&once, then.as_deref(), &form).await
}

/// Changes a draft that is still at `version` and leads to it; with `then` it is placed at once.
#[server(prefix = "/-", endpoint = "orders/update", output = JsonText)]
pub async fn update_order(id: OrderId, version: i64, then: Option<String>, form: Typed) -> Result<i64, Error> {
    desk::update(id.0, version, then.as_deref(), &form).await
}

/// Places a draft that is still at `version`.
#[server(prefix = "/-", endpoint = "orders/place", output = JsonText)]
pub async fn place_order(id: OrderId, version: i64) -> Result<i64, Error> {
    desk::act::<super::entity::Place>(id.0, version, None).await
}

/// Ships a placed order that is still at `version`.
#[server(prefix = "/-", endpoint = "orders/ship", output = JsonText)]
pub async fn ship_order(id: OrderId, version: i64) -> Result<i64, Error> {
    desk::act::<super::entity::Ship>(id.0, version, None).await
}

/// Makes a placed order that is still at `version` a draft again.
#[server(prefix = "/-", endpoint = "orders/reopen", output = JsonText)]
pub async fn reopen_order(id: OrderId, version: i64) -> Result<i64, Error> {
    desk::act::<super::entity::Reopen>(id.0, version, None).await
}

/// Cancels an order that is still at `version`.
#[server(prefix = "/-", endpoint = "orders/cancel", output = JsonText)]
pub async fn cancel_order(id: OrderId, version: i64, reason: String) -> Result<i64, Error> {
    desk::act::<super::entity::Cancel>(id.0, version, Some(reason)).await
}

/// Deletes a draft that is still at `version` and leads to the list.
#[server(prefix = "/-", endpoint = "orders/delete", output = JsonText)]
pub async fn delete_order(id: OrderId, version: i64) -> Result<(), Error> {
    calls::delete::<Entity>(id.0, version).await
}

/// Active customers whose name, code or city matches, for typing ahead.
#[server(prefix = "/-", endpoint = "orders/customers", input = GetUrl, output = JsonText)]
pub async fn find_customers(text: String) -> Result<Vec<Row>, Error> {
    desk::find::<crate::customers::entity::Entity>(&text, "code").await
}

/// The active products with these SKUs, for rows that were pasted or typed whole.
#[server(prefix = "/-", endpoint = "orders/resolve", output = JsonText)]
pub async fn resolve_products(skus: String) -> Result<Vec<Row>, Error> {
    desk::resolve(&skus).await
}

/// Active products whose SKU or name matches, for typing ahead.
#[server(prefix = "/-", endpoint = "orders/products", input = GetUrl, output = JsonText)]
pub async fn find_products(text: String) -> Result<Vec<Row>, Error> {
    desk::find::<crate::products::entity::Entity>(&text, "sku").await
}

/// What deleting an order would take along, and what stands in its way.
#[server(prefix = "/-", endpoint = "orders/taken-along", input = GetUrl, output = JsonText)]
pub async fn order_taken_along(id: OrderId) -> Result<TakenAlong, Error> {
    calls::taken_along::<Entity>(id.0).await
}
