//! The server's side of the order pages.

use super::entity::{self, Act, Entity, Place, Wish};
use super::{Command, ItemInput, Order, OrderInput, Sheet, item};
use crate::access::gate::Access;
use crate::base::date::Date;
use crate::base::form::{Input, Typed, suggested};
use crate::base::record::Row;
use crate::base::time::zones;
use crate::base::{Error, Result};
use crate::history::{Detail, entity as history};
use crate::products::entity as products;
use crate::server::calls::neighbours;
use crate::server::record::{self, Add, Change, Expected, OnceKey, Resource, Stored, View, made_before};
use crate::server::transaction::DatabaseTransaction;
use crate::server::web::{access, done, go_to_record};

/// How many hits are offered while somebody types.
const HITS: u64 = 8;

/// An order with its history, what can be done with it, and its neighbours.
///
/// # Errors
/// `NotFound`.
pub async fn read(id: i64, within: &str) -> Result<Detail<Sheet>> {
    let access: Access<View<Entity>> = access().await?;
    let record = Entity::sheet(&access, id).await?;
    let events = history::of(access.reader(), Entity::NAME, id).await?;
    let beside = neighbours::<Entity>(&access, id, within).await?;
    Ok(Detail { record, events, beside })
}

/// The one-time key and the first values of a form for a new order.
///
/// # Errors
/// `Unauthenticated` or `Forbidden`.
pub async fn new() -> Result<(String, Typed)> {
    let access = access::<Add<Entity>>().await?;
    let mut typed = suggested(OrderInput::FIELDS);
    let today = zones::today(access.caller().time_zone.as_deref().unwrap_or_default());
    typed.insert("order_date".into(), Date::from(today).iso().into());
    Ok((OnceKey::fresh().to_string(), typed))
}

/// Creates an order and leads to it; `then` places it in the same transaction.
///
/// # Errors
/// Those of [`Resource::create`] and of placing; then nothing is written.
pub async fn create(once: &str, then: Option<&str>, form: &Typed) -> Result<i64> {
    let access: Access<Add<Entity>> = access().await?;
    let placing = placing(&access, then)?;
    let (input, once) = (form_input(&access, form).await?, OnceKey::parse(once)?);
    let Some(placing) = placing else {
        let order = Entity::create(&access, input, Some(once)).await?;
        done("Created");
        return Ok(led_to(order.id.0));
    };
    let transaction = access.write().await?;
    let order = create_placed(&transaction, &access, &placing, input, &once).await;
    let order = record::committed::<Entity>(transaction, &access, order, Some(&once)).await?;
    done("Placed");
    Ok(led_to(order.id.0))
}

async fn create_placed(
    transaction: &DatabaseTransaction,
    access: &Access<Add<Entity>>,
    placing: &Access<Place>,
    input: OrderInput,
    once: &OnceKey,
) -> Result<Order> {
    if let Some(order) = made_before::<Entity>(transaction, access, Some(once)).await? {
        return Ok(order);
    }
    let order = Entity::create_in(transaction, access, input, Some(once)).await?;
    let expected = Expected::Version(order.version);
    Ok(Entity::act_in::<Place, _>(transaction, placing, order.id.0, expected, Wish::default()).await?.order)
}

/// Changes a draft and leads to it; `then` places it in the same transaction.
///
/// # Errors
/// Those of [`Resource::change`] and of placing; then nothing is written.
pub async fn update(id: i64, version: i64, then: Option<&str>, form: &Typed) -> Result<i64> {
    let access: Access<Change<Entity>> = access().await?;
    let placing = placing(&access, then)?;
    let input = form_input(&access, form).await?;
    let transaction = access.write().await?;
    let order = Entity::change_in(&transaction, &access, id, Expected::Version(version), |_| Ok(input)).await?;
    if let Some(placing) = placing {
        let expected = Expected::Version(order.version);
        Entity::act_in::<Place, _>(&transaction, &placing, id, expected, Wish::default()).await?;
    }
    let saved = order.version > version || then.is_some_and(|then| !then.is_empty());
    transaction.commit().await?;
    if saved {
        done("Saved");
    }
    Ok(led_to(id))
}

/// Gives a command and leads to the order.
///
/// # Errors
/// Those of [`Entity::act`].
pub async fn act<A: Act>(id: i64, version: i64, reason: Option<String>) -> Result<i64> {
    let access: Access<A> = access().await?;
    Entity::act(&access, id, Expected::Version(version), Wish { reason, dry_run: false }).await?;
    match A::COMMAND {
        Command::Place => done("Placed"),
        Command::Reopen => done("Reopened"),
        // What was shipped or cancelled stays so.
        _ => {}
    }
    Ok(led_to(id))
}

/// Active records that match what somebody types; first those whose code it is, or begins with it. One statement.
///
/// # Errors
/// `Forbidden`, or `Invalid` for a text that cannot be searched.
pub async fn find<R: Resource>(text: &str, code: &str) -> Result<Vec<Row>> {
    let access: Access<View<R>> = access().await?;
    let found = record::matches::<R>(&access, text, code, HITS).await?;
    Ok(found.into_iter().map(Stored::row).collect())
}

/// The active products with these SKUs, one a line. One statement for every thousand.
///
/// # Errors
/// `Forbidden`.
pub async fn resolve(skus: &str) -> Result<Vec<Row>> {
    let access: Access<View<products::Entity>> = access().await?;
    let named = skus.lines().map(str::trim).filter(|sku| !sku.is_empty()).take(super::MAX_LINES);
    let items: Vec<_> = named.map(|sku| ItemInput { sku: Some(sku.into()), ..ItemInput::default() }).collect();
    let found = item::Products::named(access.reader(), &items).await?;
    Ok(found.active().map(|product| products::Entity::read(product).row()).collect())
}

/// The input of a form. The customer may be given by id, code or whole name, so that the form works without JavaScript.
async fn form_input<P>(access: &Access<P>, form: &Typed) -> Result<OrderInput> {
    let mut form = form.clone();
    let was = form.remove("customer_was").unwrap_or_default();
    let named = form.get("customer").map(|text| text.trim().to_owned()).unwrap_or_default();
    // The form shows the name of the customer it was opened with, and carries the id along.
    if let Some((id, _)) = was.split_once(' ').filter(|(_, name)| name.trim() == named) {
        form.insert("customer".into(), id.into());
    } else if !named.is_empty() && named.parse::<i64>().is_err() {
        let found = entity::customer_called(access.reader(), &named).await?;
        let id = found.ok_or_else(|| Error::field("customer", "There is no customer with this name or code."))?;
        form.insert("customer".into(), id.to_string());
    }
    OrderInput::typed(&form)
}

/// The proof that the caller may place, if the form is to.
fn placing<P>(access: &Access<P>, then: Option<&str>) -> Result<Option<Access<Place>>> {
    match then {
        None | Some("") => Ok(None),
        Some("place") => access.also().map(Some),
        Some(_) => Err(Error::field("then", "The form can be saved, or saved and placed.")),
    }
}

fn led_to(id: i64) -> i64 {
    go_to_record(&format!("/orders/{id}"));
    id
}
