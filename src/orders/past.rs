//! Orders as they were: what their events tell of header, lines and status, and how an order is made so again. An order is
//! set back by the command that leads back, and by its rules: placing is taken back as reopening is, reopening as placing is,
//! but for what was made inactive meanwhile.
//! What was shipped or cancelled stays so.

use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use serde_json::{Map, Value as Json, json};

use super::entity::{ActiveModel, Entity, allowed, buyer, customers, lock_credit, locked, situation, update};
use super::item::{self, Products};
use super::pricing;
use super::status::Situation;
use super::{Command, Item, ItemInput, Order, OrderId, OrderInput, Status};
use crate::access::gate::Access;
use crate::base::error::{Code, FieldErrors};
use crate::base::form::Input;
use crate::base::time::stored::{Timestamp, now};
use crate::base::{Error, Result, fold};
use crate::history::entity::{self as history, Subject};
use crate::history::past::{Past, Side, apply};
use crate::server::record::{Add, Delete, Expected, Resource, View, past as records};
use crate::server::transaction::DatabaseTransaction;

/// How an order gets back what it had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Back {
    /// As it was once: what comes back is ordered anew, of whom and what is active.
    Restored,
    /// As it was until the change that is undone: what was ordered stays ordered, as it does when a customer or a product is
    /// made inactive.
    Undone,
}

/// Everything that makes an order, by name; a line by its SKU as `items[BEV-001]`. Derived from it are the keys by which it is
/// found.
fn told(order: &Order) -> Map<String, Json> {
    let mut values = OrderInput { header: order.header.clone(), items: None }.values();
    let beside = json!({
        "number": order.number, "status": order.status, "customer_name": order.customer_name, "currency": order.currency,
        "subtotal": order.subtotal, "discount_total": order.discount_total, "tax_total": order.tax_total, "total": order.total,
        "placed_at": order.placed_at, "shipped_at": order.shipped_at, "cancelled_at": order.cancelled_at,
        "cancel_reason": order.cancel_reason,
    });
    if let Json::Object(beside) = beside {
        values.extend(beside);
    }
    let mut lines: Vec<&Item> = order.items.iter().flatten().collect();
    lines.sort_by_key(|item| item.id);
    for item in lines {
        let line = json!({
            "id": item.id, "product": item.product, "sku": item.sku, "description": item.description, "unit": item.unit,
            "quantity": item.quantity, "unit_price": item.unit_price, "price_is_manual": item.price_is_manual,
            "discount_percent": item.discount_percent, "tax_rate": item.tax_rate, "position": item.position, "net": item.net,
            "tax": item.tax, "total": item.total,
        });
        let name = format!("items[{}]", item.sku);
        // Two lines have one SKU when a product was renamed and another took its SKU.
        let name = if values.contains_key(&name) { format!("items[{} #{}]", item.sku, item.id) } else { name };
        values.insert(name, line);
    }
    values
}

/// What changed between two states of an order.
pub(super) fn difference(before: Option<&Order>, after: Option<&Order>) -> Json {
    let (before, after) = (before.map(told), after.map(told));
    let mut changes = history::difference(before.as_ref(), after.as_ref());
    for (name, change) in changes.as_object_mut().into_iter().flatten() {
        if name.starts_with("items[") {
            narrow(change);
        }
    }
    changes
}

/// Keeps of a changed line only what changed.
fn narrow(change: &mut Json) {
    let Some([Json::Object(before), Json::Object(after)]) = change.as_array_mut().map(Vec::as_mut_slice) else {
        return;
    };
    let same: Vec<_> =
        before.iter().filter(|(name, value)| after.get(*name) == Some(value)).map(|(n, _)| n.clone()).collect();
    for name in same {
        before.remove(&name);
        after.remove(&name);
    }
}

/// Writes the event of a command, at the moment the order keeps of it, and answers with what changed.
pub(super) async fn recorded<P>(
    transaction: &DatabaseTransaction,
    access: &Access<P>,
    subject: Subject<'_>,
    before: Option<&Order>,
    after: Option<&Order>,
) -> Result<Map<String, Json>> {
    let changes = difference(before, after);
    let at = after.map_or_else(now, |order| Timestamp::from(&order.updated_at));
    history::record_at(transaction, access.caller(), subject, changes.clone(), at).await?;
    Ok(if let Json::Object(changes) = changes { changes } else { Map::new() })
}

/// Deletes an order that may be, with its event.
pub(super) async fn removed<P>(transaction: &DatabaseTransaction, access: &Access<P>, order: &Order) -> Result<()> {
    Entity::delete_by_id(order.id).exec(transaction).await?;
    let versions = (Some(order.version), None);
    let subject = Subject { resource: Entity::NAME, id: order.id.0, command: "delete", versions, reason: None };
    recorded(transaction, access, subject, Some(order), None).await.map(drop)
}

/// The order that its history tells of, with its lines.
pub(super) fn remembered(past: &Past) -> Result<Order> {
    let mut past = past.clone();
    let names: Vec<_> = past.values.keys().filter(|name| name.starts_with("items[")).cloned().collect();
    let mut lines: Vec<Json> = names.iter().filter_map(|name| past.values.remove(name)).collect();
    lines.sort_by_key(|line| line.get("position").and_then(Json::as_i64));
    for line in &mut lines {
        line["order"] = past.id.into();
        line["version"] = past.version.into();
    }
    past.values.insert("items".into(), lines.into());
    records::remembered(&past)
}

/// Makes the header and the lines of a draft what they were.
pub(super) async fn set_back(
    transaction: &DatabaseTransaction,
    access: &Access<View<Entity>>,
    id: i64,
    expected: Expected,
    past: &Past,
) -> Result<Order> {
    let before = locked(transaction, id).await?;
    before.check(expected)?;
    allowed(&before, &before.settled(access.caller()), Command::Change)?;
    let then = remembered(past)?;
    let after = Order { header: then.header, customer_name: then.customer_name, items: then.items, ..before.clone() };
    put(transaction, access, &before, after, Back::Restored).await
}

/// Writes an order over what is stored of it.
async fn put(
    transaction: &DatabaseTransaction,
    access: &Access<View<Entity>>,
    before: &Order,
    after: Order,
    back: Back,
) -> Result<Order> {
    let (mut after, row) = checked(transaction, Some(before), after, back).await?;
    after.take_items(after.items.clone().unwrap_or_default());
    let same = Order { version: before.version, updated_at: before.updated_at.clone(), ..after.clone() };
    if same == *before {
        return Ok(before.clone());
    }
    let stored = before.items.as_deref().unwrap_or_default();
    item::store(transaction, stored, after.items.as_deref_mut().unwrap_or_default()).await?;
    let after = update(transaction, before, row, after).await?;
    let versions = (Some(before.version), Some(after.version));
    let subject = Subject { resource: Entity::NAME, id: before.id.0, command: "change", versions, reason: None };
    recorded(transaction, access, subject, Some(before), Some(&after)).await?;
    Ok(after)
}

/// Holds an order that is to be again against its customer and its products, and prices it. Two statements.
async fn checked(
    transaction: &DatabaseTransaction,
    before: Option<&Order>,
    mut order: Order,
    back: Back,
) -> Result<(Order, ActiveModel)> {
    let people = customers(transaction, [order.header.customer.0]).await?;
    // An order that is no draft was agreed upon when its customer and its products were active.
    let is_settled = order.status != Status::Draft || back == Back::Undone;
    let customer = match people.get(&order.header.customer.0) {
        Some(customer) if is_settled => customer,
        _ => buyer(&people, &order.header, before)?,
    };
    let known: Vec<_> = before.iter().flat_map(|order| order.items.iter().flatten()).map(|item| item.product).collect();
    let items = order.items.get_or_insert_default();
    let anew = items.iter().filter(|item| !known.contains(&item.product));
    let named: Vec<_> = anew.map(|item| ItemInput { product: Some(item.product), ..ItemInput::default() }).collect();
    let products = Products::named(transaction, &named).await?;
    let mut errors = FieldErrors::new();
    for (row, item) in items.iter().enumerate().filter(|(_, item)| !known.contains(&item.product)) {
        let message = match products.state(item.product) {
            Some(true) => continue,
            Some(false) if is_settled => continue,
            Some(false) => format!("{} is inactive and cannot be ordered.", item.sku),
            None => format!("The product {} is gone.", item.sku),
        };
        errors.entry(format!("items[{row}].product")).or_default().push(message);
    }
    if !errors.is_empty() {
        return Err(Error::fields(errors));
    }
    let lines: Vec<_> = items.iter().map(Item::line).collect();
    let (amounts, totals) = pricing::price(&lines).map_err(|_| Error::internal("an order of the past is too large"))?;
    for (item, amount) in items.iter_mut().zip(amounts) {
        (item.net, item.tax, item.total) = (amount.net, amount.tax, amount.total);
    }
    (order.subtotal, order.discount_total) = (totals.subtotal, totals.discount_total);
    (order.tax_total, order.total) = (totals.tax_total, totals.total);
    let mut named = customer.clone();
    named.name.clone_from(&order.customer_name);
    let moment = |at: &Option<crate::base::time::Moment>| Set(at.as_ref().map(Timestamp::from));
    let mut row = ActiveModel {
        number: Set(order.number.clone()),
        number_key: Set(order.number.as_deref().map(fold::key)),
        status: Set(order.status.name().into()),
        currency: Set(order.currency.clone()),
        subtotal: Set(order.subtotal),
        discount_total: Set(order.discount_total),
        tax_total: Set(order.tax_total),
        total: Set(order.total),
        placed_at: moment(&order.placed_at),
        shipped_at: moment(&order.shipped_at),
        cancelled_at: moment(&order.cancelled_at),
        cancel_reason: Set(order.cancel_reason.clone()),
        ..Default::default()
    };
    row.set_header(&order.header);
    row.set_customer(&named, order.number.as_deref(), &order.header);
    Ok((order, row))
}

/// Brings an order that was deleted back, with its lines under their ids.
pub(super) async fn revive(
    transaction: &DatabaseTransaction,
    access: &Access<View<Entity>>,
    past: &Past,
    version: i64,
    back: Back,
) -> Result<Order> {
    access.also::<Add<Entity>>()?;
    let (mut order, mut row) = checked(transaction, None, remembered(past)?, back).await?;
    let at = now();
    row.id = Set(OrderId(past.id));
    row.version = Set(version);
    row.created_at = Set(past.created_at);
    row.updated_at = Set(at);
    Entity::insert(row).exec_without_returning(transaction).await?;
    (order.version, order.updated_at) = (version, at.into());
    order.take_items(order.items.clone().unwrap_or_default());
    item::insert(transaction, order.items.iter_mut().flatten().collect()).await?;
    let versions = (None, Some(version));
    let subject = Subject { resource: Entity::NAME, id: past.id, command: "create", versions, reason: None };
    recorded(transaction, access, subject, None, Some(&order)).await?;
    Ok(order)
}

/// Takes an event back.
pub(super) async fn undo(
    transaction: &DatabaseTransaction,
    access: &Access<View<Entity>>,
    event: &history::Model,
    version: i64,
) -> Result<Option<i64>> {
    if event.version_after.is_none() {
        let past = records::lost::<Entity>(transaction, event).await?;
        let order = revive(transaction, access, &past, past.version + 1, Back::Undone).await?;
        return Ok(Some(order.version));
    }
    let before = locked(transaction, event.record_id).await?;
    before.check(Expected::Version(version))?;
    if event.version_before.is_none() {
        access.also::<Delete<Entity>>()?;
        // One that an import brought along with its number goes as it came.
        let came_so = event.changes.0.pointer("/number/1") == Some(&json!(before.number)) && before.number.is_some();
        if !came_so {
            allowed(&before, &before.settled(access.caller()), Command::Delete)?;
        }
        return removed(transaction, access, &before).await.map(|()| None);
    }
    let mut values = told(&before);
    apply(&mut values, &event.changes.0, Side::Before);
    let past = Past {
        id: before.id.0,
        is_there: true,
        version: before.version,
        values,
        created_at: Timestamp::from(&before.created_at),
        updated_at: Timestamp::from(&before.updated_at),
    };
    let after = remembered(&past)?;
    let command = leading(before.status, after.status).ok_or_else(|| {
        Error::new(
            Code::Conflict,
            format!("{} is {}, and no command leads back from there.", before.title(), before.status),
        )
    })?;
    if command == Command::Place {
        lock_credit(transaction, &before).await?;
    }
    let situated = situation(transaction, access.caller(), &before).await?;
    let settled = Situation { customer_is_active: true, inactive_products: Vec::new(), ..situated.settled };
    allowed(&before, &settled, command)?;
    put(transaction, access, &before, after, Back::Undone).await.map(|order| Some(order.version))
}

/// The command that leads from one status to another.
fn leading(from: Status, to: Status) -> Option<Command> {
    Command::ALL.into_iter().find(|command| command.leads(from) == Some(Some(to)))
}
