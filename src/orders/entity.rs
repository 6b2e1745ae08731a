//! The table of orders and what can be done with them. One transaction per command, with its event inside; header and lines
//! share the order's version.

use std::borrow::Cow;
use std::collections::HashMap;

use chrono::Datelike;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait, Func, LikeExpr, LockType, Query};
use sea_orm::{ActiveValue::Set, Condition, Order as Direction, QuerySelect, TryIntoModel};
use serde_json::{Map, Value as Json, json};

use super::item::{self, Draft, Products};
use super::past::{self, difference, recorded, removed};
use super::status::{Credit, Refusal, Situation};
use super::{Command, Header, Item, LISTING, Order, OrderId, OrderInput, Outcome, Sheet, Status};
use crate::access::gate::{Access, Caller, Permission};
use crate::base::column::{integer_column, placed_row};
use crate::base::error::{Code, FieldErrors};
use crate::base::form::{Field, Given, Input, Kind};
use crate::base::listing::{ListQuery, Listing};
use crate::base::money::Money;
use crate::base::record::Row;
use crate::base::time::stored::{Day, Timestamp, now, today};
use crate::base::{Error, Result, fold};
use crate::customers::entity as customer;
use crate::history::entity::{self as history, Subject};
use crate::history::past::Past;
use crate::history::{Beside, Detail};
use crate::server::reader::Reader;
use crate::server::record::{
    self, Add, Approach, Change, Delete, Described, Expected, OnceKey, RecordCommand, Renamed, Resource, Stored, View,
    demand_version, made_before, searchable, series,
};
use crate::server::transaction::DatabaseTransaction;

integer_column!(OrderId);

placed_row! {
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "orders")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: OrderId,
        pub version: i64,
        pub number: Option<String>,
        pub number_key: Option<String>,
        pub status: String,
        pub customer_id: crate::customers::CustomerId,
        pub customer_name: String,
        pub customer_name_key: String,
        pub currency: String,
        pub order_date: Day,
        pub required_date: Option<Day>,
        pub customer_reference: Option<String>,
        pub shipping_name: Option<String>,
        pub shipping_line1: Option<String>,
        pub shipping_line2: Option<String>,
        pub shipping_postal_code: Option<String>,
        pub shipping_city: Option<String>,
        pub shipping_region: Option<String>,
        pub shipping_country: Option<String>,
        pub freight: Option<Money>,
        pub notes: Option<String>,
        pub subtotal: Money,
        pub discount_total: Money,
        pub tax_total: Money,
        pub total: Money,
        pub placed_at: Option<Timestamp>,
        pub shipped_at: Option<Timestamp>,
        pub cancelled_at: Option<Timestamp>,
        pub cancel_reason: Option<String>,
        pub search_text: String,
        pub created_at: Timestamp,
        pub updated_at: Timestamp,
    }
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(belongs_to = "customer::Entity", from = "Column::CustomerId", to = "customer::Column::Id")]
    Customer,
}

impl ActiveModelBehavior for ActiveModel {}

impl From<Model> for Order {
    fn from(row: Model) -> Self {
        Order {
            id: row.id,
            version: row.version,
            number: row.number,
            status: row.status.parse().unwrap_or_default(),
            customer_name: row.customer_name,
            header: Header {
                customer: row.customer_id,
                order_date: Some(row.order_date.into()),
                required_date: row.required_date.map(Into::into),
                customer_reference: row.customer_reference,
                shipping_name: row.shipping_name,
                shipping_line1: row.shipping_line1,
                shipping_line2: row.shipping_line2,
                shipping_postal_code: row.shipping_postal_code,
                shipping_city: row.shipping_city,
                shipping_region: row.shipping_region,
                shipping_country: row.shipping_country,
                freight: row.freight,
                notes: row.notes,
            },
            currency: row.currency,
            subtotal: row.subtotal,
            discount_total: row.discount_total,
            tax_total: row.tax_total,
            total: row.total,
            placed_at: row.placed_at.map(Into::into),
            shipped_at: row.shipped_at.map(Into::into),
            cancelled_at: row.cancelled_at.map(Into::into),
            cancel_reason: row.cancel_reason,
            items: None,
            created_at: row.created_at.into(),
            updated_at: row.updated_at.into(),
        }
    }
}

impl Stored for Order {
    fn id(&self) -> i64 {
        self.id.0
    }

    fn version(&self) -> i64 {
        self.version
    }

    fn values(&self) -> Map<String, Json> {
        OrderInput { header: self.header.clone(), items: None }.values()
    }

    fn row(self) -> Row {
        let mut values = self.values();
        values.extend([
            ("name".to_owned(), json!(self.title())),
            ("number".to_owned(), json!(self.number)),
            ("status".to_owned(), json!(self.status)),
            ("customer_name".to_owned(), json!(self.customer_name)),
            ("currency".to_owned(), json!(self.currency)),
            ("total".to_owned(), json!(self.total)),
        ]);
        Row { id: self.id.0, version: self.version, values }
    }

    /// What a list has columns for, and the currency.
    fn listed(self) -> Row {
        let title = self.title();
        let Header { order_date, required_date, customer_reference, .. } = self.header;
        let values = [
            ("name", Some(json!(title))),
            ("status", Some(json!(self.status))),
            ("customer_name", Some(Json::String(self.customer_name))),
            ("order_date", order_date.map(|day| json!(day))),
            ("required_date", required_date.map(|day| json!(day))),
            ("customer_reference", customer_reference.map(Json::String)),
            ("currency", Some(Json::String(self.currency))),
            ("total", Some(json!(self.total))),
        ];
        let values = values.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
        Row { id: self.id.0, version: self.version, values }
    }
}

impl Order {
    /// The values and lines as a stale form compares itself with them.
    fn compared(&self) -> Map<String, Json> {
        let mut values = self.values();
        let items: Vec<_> = self.items.iter().flatten().map(|item| Json::Object(item.values())).collect();
        values.insert("items".into(), items.into());
        values
    }

    pub(super) fn check(&self, expected: Expected) -> Result<()> {
        match expected {
            Expected::Version(version) if version != self.version => Err(Error::stale(self.version, self.compared())),
            _ => Ok(()),
        }
    }
}

impl Resource for Entity {
    const NAME: &'static str = "orders";
    const SINGULAR: &'static str = "order";
    const LISTING: Listing = LISTING;
    const SEARCH_INDEX: bool = true;
    const SEARCHED: &'static [&'static str] = &["number", "customer_name", "customer_reference"];
    const TALLIED: bool = true;
    const NESTED: Option<&'static str> = Some("items");
    const COMMANDS: &'static [RecordCommand] =
        &[command(Command::Place), command(Command::Ship), command(Command::Reopen), command(Command::Cancel)];

    type Record = Order;
    type Input = OrderInput;

    fn read(row: Model) -> Order {
        row.into()
    }

    fn fill(row: &mut ActiveModel, input: &OrderInput) {
        row.set_header(&input.header);
    }

    async fn command_in(
        transaction: &DatabaseTransaction,
        access: &Access<View<Self>>,
        command: &'static RecordCommand,
        id: i64,
        reason: Option<String>,
    ) -> Result<()> {
        let wish = Wish { reason, dry_run: false };
        match Command::ALL.into_iter().find(|known| known.name() == command.name) {
            Some(Command::Place) => give::<Place>(transaction, access, id, wish).await,
            Some(Command::Ship) => give::<Ship>(transaction, access, id, wish).await,
            Some(Command::Reopen) => give::<Reopen>(transaction, access, id, wish).await,
            Some(Command::Cancel) => give::<Cancel>(transaction, access, id, wish).await,
            Some(Command::Change | Command::Delete) | None => {
                Err(Error::internal(format!("{} is no command of orders", command.name)))
            }
        }
    }

    fn narrowed(filter: &str, value: &str, approach: Approach) -> Option<Condition> {
        match filter {
            "product" => {
                let product = value.parse::<i64>().unwrap_or_default();
                let mut lines = Query::select()
                    .column(item::Column::OrderId)
                    .from(item::Entity)
                    .and_where(item::Column::ProductId.eq(product))
                    .to_owned();
                let of_order = (item::Entity, item::Column::OrderId);
                Some(Condition::all().add(match approach {
                    Approach::Window => {
                        Expr::exists(lines.and_where(Expr::col(of_order).equals((Entity, Column::Id))).to_owned())
                    }
                    Approach::Gather { most: Some(most) } => {
                        Column::Id.in_subquery(lines.order_by(of_order, Direction::Desc).limit(most + 1).to_owned())
                    }
                    Approach::Gather { most: None } | Approach::Natural => Column::Id.in_subquery(lines),
                }))
            }
            // Part of the name, whatever its case and accents.
            "customer_name" => {
                let pattern = LikeExpr::new(fold::like(&fold::fold(value))).escape('\\');
                Some(Condition::all().add(Column::CustomerNameKey.into_expr().like(pattern)))
            }
            _ => None,
        }
    }

    fn returned(stored: &Order, given: &mut [(String, Given)]) -> Result<Renamed> {
        let items = stored.items.as_deref().unwrap_or_default();
        let (mut errors, mut renamed) = (FieldErrors::new(), Renamed::new());
        for (_, value) in given.iter_mut().filter(|(name, _)| name == "items") {
            match value {
                Given::List(rows) => {
                    for (row, given) in rows.iter_mut().enumerate() {
                        item::returned(items, given, &format!("items[{row}]"), &mut errors);
                    }
                }
                Given::Object(operations) => {
                    let operations = std::mem::take(operations);
                    *value = Given::List(item::operated(stored, operations, &mut renamed, &mut errors));
                }
                _ => {}
            }
        }
        if errors.is_empty() { Ok(renamed) } else { Err(Error::fields(errors)) }
    }

    fn filled(stored: &Order, given: &mut [(String, Given)]) {
        for (_, value) in given.iter_mut().filter(|(name, _)| name == "items") {
            if let Given::List(rows) = value {
                item::filled(stored, rows);
            }
        }
    }

    fn described() -> Described {
        super::api::described()
    }

    fn related(relation: &str) -> Option<record::RelatedRecords> {
        (relation == "customer").then(record::RelatedRecords::to::<customer::Entity>)
    }

    async fn complete_rows(reader: &Reader, query: &ListQuery, rows: &mut Vec<Order>) -> Result<()> {
        if query.expand.is_none() {
            return Ok(());
        }
        let mut items = item::with_versions(reader, rows.iter().map(|order| order.id)).await?;
        for mut order in std::mem::take(rows) {
            match items.remove(&order.id) {
                Some((version, items)) if version == order.version => {
                    order.take_items(items);
                    rows.push(order);
                }
                _ => match whole(reader, order.id.0).await {
                    Err(error) if error.code == Code::NotFound => {}
                    read => rows.push(read?),
                },
            }
        }
        Ok(())
    }

    async fn get(access: &Access<View<Self>>, id: i64) -> Result<Order> {
        whole(access.reader(), id).await
    }

    async fn detail(access: &Access<View<Self>>, id: i64) -> Result<Detail<Order>> {
        let record = whole(access.reader(), id).await?;
        let events = history::of(access.reader(), Self::NAME, id).await?;
        Ok(Detail { record, events, beside: Beside::default() })
    }

    async fn create_in(
        transaction: &DatabaseTransaction,
        access: &Access<Add<Self>>,
        input: OrderInput,
        once: Option<&OnceKey>,
    ) -> Result<Order> {
        if let Some(order) = made_before::<Self>(transaction, access, once).await? {
            return whole(transaction, order.id.0).await;
        }
        let people = customers(transaction, [input.header.customer.0]).await?;
        let products = Products::named(transaction, input.items.iter().flatten()).await?;
        let new = New::of(input, None, &people, &products)?;
        let order = insert_all(transaction, access, vec![new]).await?.pop();
        let order = order.ok_or_else(|| Error::internal("an order was not inserted"))?;
        if let Some(once) = once {
            once.spend(transaction, access.caller(), Self::NAME, order.id.0).await?;
        }
        Ok(order)
    }

    async fn change_in(
        transaction: &DatabaseTransaction,
        access: &Access<Change<Self>>,
        id: i64,
        expected: Expected,
        change: impl FnOnce(&Order) -> Result<OrderInput> + Send,
    ) -> Result<Order> {
        Self::amend(transaction, access, id, expected, change).await
    }

    async fn remove_in(
        transaction: &DatabaseTransaction,
        access: &Access<Delete<Self>>,
        id: i64,
        expected: Expected,
    ) -> Result<Order> {
        let before = locked(transaction, id).await?;
        before.check(expected)?;
        allowed(&before, &before.settled(access.caller()), Command::Delete)?;
        removed(transaction, access, &before).await?;
        Ok(before)
    }

    fn remembered(past: &Past) -> Result<Order> {
        past::remembered(past)
    }

    async fn set_back_in(
        transaction: &DatabaseTransaction,
        access: &Access<View<Self>>,
        id: i64,
        expected: Expected,
        past: &Past,
    ) -> Result<Order> {
        past::set_back(transaction, access, id, expected, past).await
    }

    async fn revive_in(
        transaction: &DatabaseTransaction,
        access: &Access<View<Self>>,
        past: &Past,
        version: i64,
    ) -> Result<Order> {
        past::revive(transaction, access, past, version, past::Back::Restored).await
    }

    async fn undo_in(
        transaction: &DatabaseTransaction,
        access: &Access<View<Self>>,
        event: &history::Model,
        version: i64,
    ) -> Result<Option<i64>> {
        past::undo(transaction, access, event, version).await
    }
}

impl Entity {
    /// Changes header and lines of a draft within a transaction, for whoever may change either. Without a difference nothing is
    /// written.
    ///
    /// # Errors
    /// Those of [`Resource::change`]; `Conflict` when the order is no draft.
    pub(super) async fn amend<P>(
        transaction: &DatabaseTransaction,
        access: &Access<P>,
        id: i64,
        expected: Expected,
        change: impl FnOnce(&Order) -> Result<OrderInput> + Send,
    ) -> Result<Order> {
        let before = locked(transaction, id).await?;
        before.check(expected)?;
        allowed(&before, &before.settled(access.caller()), Command::Change)?;
        let mut input = change(&before)?;
        input.header.order_date = input.header.order_date.or_else(|| before.header.order_date.clone());
        let people = customers(transaction, [input.header.customer.0, before.header.customer.0]).await?;
        let customer = buyer(&people, &input.header, Some(&before))?;
        if let Some(other) = people.get(&before.header.customer.0).filter(|other| other.id != customer.id) {
            input.header.unship(other);
        }
        let stored = before.items.as_deref().unwrap_or_default();
        let lines = match input.items {
            Some(items) => {
                let items = item::meant(stored, items);
                let products = Products::needed(transaction, stored, &items).await?;
                Some(Draft::of(stored, items, &products)?)
            }
            None => None,
        };
        let mut row = <ActiveModel as ActiveModelTrait>::default();
        row.set_header(&input.header);
        row.set_customer(customer, before.number.as_deref(), &input.header);
        let mut after = Order { header: input.header, customer_name: customer.name.clone(), ..before.clone() };
        if let Some(draft) = lines {
            row.set_totals(&draft);
            after.set_totals(&draft);
            after.take_items(draft.items);
        }
        if after == before {
            return Ok(before);
        }
        item::store(transaction, stored, after.items.as_deref_mut().unwrap_or_default()).await?;
        let after = update(transaction, &before, row, after).await?;
        let versions = (Some(before.version), Some(after.version));
        let subject = Subject { resource: Self::NAME, id, command: "change", versions, reason: None };
        recorded(transaction, access, subject, Some(&before), Some(&after)).await?;
        Ok(after)
    }

    /// Gives a command. With `dry_run` the same work is done and rolled back.
    ///
    /// # Errors
    /// `NotFound`; `Stale`; `Invalid` at `reason`; `Conflict` with the reason why the order does not allow it.
    pub async fn act<A: Act>(access: &Access<A>, id: i64, expected: Expected, wish: Wish) -> Result<Outcome> {
        demand_version(access, expected)?;
        let transaction = access.write().await?;
        let outcome = Self::act_in::<A, A>(&transaction, access, id, expected, wish).await?;
        if outcome.dry_run {
            transaction.rollback().await?;
        } else {
            transaction.commit().await?;
        }
        Ok(outcome)
    }

    /// The same within a transaction.
    ///
    /// # Errors
    /// Those of [`Entity::act`].
    pub async fn act_in<A: Act, P>(
        transaction: &DatabaseTransaction,
        access: &Access<P>,
        id: i64,
        expected: Expected,
        wish: Wish,
    ) -> Result<Outcome> {
        let reason = reason(wish.reason.as_deref())?;
        let before = locked(transaction, id).await?;
        before.check(expected)?;
        if A::COMMAND == Command::Place {
            lock_credit(transaction, &before).await?;
        }
        let situation = situation(transaction, access.caller(), &before).await?;
        allowed(&before, &situation.settled, A::COMMAND)?;
        if A::COMMAND == Command::Cancel && reason.is_none() {
            return Err(Error::field("reason", "Say why the order is cancelled."));
        }
        let (mut row, mut after, now) = (<ActiveModel as ActiveModelTrait>::default(), before.clone(), now());
        match A::COMMAND {
            Command::Place => {
                after.status = Status::Placed;
                after.placed_at = Some(now.into());
                row.placed_at = Set(Some(now));
                after.header.ship_to(&situation.customer);
                if after.number.is_none() {
                    after.number = Some(next_number(transaction, now.year()).await?);
                }
                after.customer_name = situation.customer.name.clone();
                row.number = Set(after.number.clone());
                row.number_key = Set(after.number.as_deref().map(fold::key));
                row.set_header(&after.header);
                row.set_customer(&situation.customer, after.number.as_deref(), &after.header);
            }
            Command::Ship => {
                after.status = Status::Shipped;
                after.shipped_at = Some(now.into());
                row.shipped_at = Set(Some(now));
            }
            Command::Reopen => {
                after.status = Status::Draft;
                after.placed_at = None;
                row.placed_at = Set(None);
            }
            Command::Cancel => {
                after.status = Status::Cancelled;
                after.cancelled_at = Some(now.into());
                after.cancel_reason.clone_from(&reason);
                row.cancelled_at = Set(Some(now));
                row.cancel_reason = Set(reason.clone());
            }
            Command::Change | Command::Delete => {
                return Err(Error::internal("this command is a door of its own"));
            }
        }
        row.status = Set(after.status.name().into());
        let after = update(transaction, &before, row, after).await?;
        let versions = (Some(before.version), Some(after.version));
        let subject =
            Subject { resource: Self::NAME, id, command: A::COMMAND.name(), versions, reason: reason.as_deref() };
        let changes = recorded(transaction, access, subject, Some(&before), Some(&after)).await?;
        Ok(Outcome { dry_run: wish.dry_run, changes, order: after })
    }

    /// An order with what can be done with it, and why not what cannot.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn sheet(access: &Access<View<Self>>, id: i64) -> Result<Sheet> {
        let order = whole(access.reader(), id).await?;
        let situation = situation(access.reader(), access.caller(), &order).await?;
        let (actions, inactive) = (situation.settled.actions(), situation.settled.inactive_products.clone());
        Ok(Sheet { order, actions, inactive })
    }
}

const fn command(command: Command) -> RecordCommand {
    let needs_reason = matches!(command, Command::Cancel);
    RecordCommand { name: command.name(), label: command.label(), needs_reason }
}

async fn give<A: Act>(
    transaction: &DatabaseTransaction,
    access: &Access<View<Entity>>,
    id: i64,
    wish: Wish,
) -> Result<()> {
    let access = access.also::<A>()?;
    demand_version(&access, Expected::Any)?;
    Entity::act_in::<A, _>(transaction, &access, id, Expected::Any, wish).await.map(drop)
}

/// What is asked of a command.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// Why; kept with the event.
    pub reason: Option<String>,
    /// Do the same work, write nothing, and answer with what would change.
    pub dry_run: bool,
}

/// A permission to give one command.
pub trait Act: Permission {
    const COMMAND: Command;
}

macro_rules! acts {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name;

        impl Permission for $name {
            fn code() -> String {
                Self::COMMAND.permission()
            }
        }

        impl Act for $name {
            const COMMAND: Command = Command::$name;
        }
    )+};
}

acts! {
    /// The permission to place an order.
    Place,
    /// The permission to ship an order.
    Ship,
    /// The permission to make a placed order a draft again.
    Reopen,
    /// The permission to cancel an order.
    Cancel,
}

const REASON: Field = Field::new("reason", "Reason", Kind::Line { max: 500 });

fn reason(given: Option<&str>) -> Result<Option<String>> {
    let given = given.map_or(Given::Null, |text| Given::Text(text.into()));
    match REASON.check(&given) {
        Ok(value) => Ok(value.as_str().map(str::to_owned)),
        Err(message) => Err(Error::field(REASON.name, message)),
    }
}

pub(super) fn allowed(order: &Order, situation: &Situation<'_>, command: Command) -> Result<()> {
    match situation.refusal(command) {
        None => Ok(()),
        Some(Refusal::Permission(code)) => Err(Error::forbidden(&code)),
        Some(Refusal::State(reason)) => {
            let detail = format!("{}: {reason}", order.title());
            let can = situation.actions().into_iter().filter(|action| action.allowed);
            let allowed = can.map(|action| action.command.name().to_owned()).collect();
            Err(Error { allowed, ..Error::new(Code::Conflict, detail) })
        }
    }
}

/// Everything that decides about an order, and the customer it was read from.
pub(super) struct Situated<'a> {
    customer: customer::Model,
    pub(super) settled: Situation<'a>,
}

pub(super) async fn situation<'a>(
    db: &impl ConnectionTrait,
    caller: &'a Caller,
    order: &Order,
) -> Result<Situated<'a>> {
    let customer = customer::Entity::find_by_id(order.header.customer).one(db).await?;
    let customer = customer.ok_or_else(|| Error::internal("an order without its customer"))?;
    let mut settled = Situation { customer_is_active: customer.is_active, ..order.settled(caller) };
    if order.status == Status::Draft {
        settled.inactive_products = item::inactive(db, order.id).await?;
        if let Some(limit) = customer.credit_limit {
            settled.credit = Some(Credit { limit, open: open_total(db, order.header.customer.0).await? });
        }
    }
    Ok(Situated { customer, settled })
}

/// Holds the customer of an order that is to be placed until the transaction ends: of two orders placed at once, both count
/// towards the credit limit.
pub(super) async fn lock_credit(transaction: &DatabaseTransaction, order: &Order) -> Result<()> {
    let customer = customer::Entity::find_by_id(order.header.customer).lock(LockType::NoKeyUpdate);
    customer.one(transaction).await?;
    Ok(())
}

/// The total of a customer's orders that are placed and not shipped.
async fn open_total(db: &impl ConnectionTrait, customer: i64) -> Result<Money> {
    let open: Option<Option<i64>> = Entity::find()
        .select_only()
        .expr(Func::cast_as(Func::sum(Expr::col(Column::Total)), "BIGINT"))
        .filter(Column::CustomerId.eq(customer))
        .filter(Column::Status.eq(Status::Placed.name()))
        .into_tuple()
        .one(db)
        .await?;
    Ok(Money::from(open.flatten().unwrap_or_default()))
}

impl Order {
    /// What decides about the order by itself, without its customer and products.
    pub(super) fn settled<'a>(&self, caller: &'a Caller) -> Situation<'a> {
        Situation {
            status: self.status,
            has_number: self.number.is_some(),
            lines: self.items.as_ref().map_or(0, Vec::len),
            total: self.total,
            customer_is_active: true,
            inactive_products: Vec::new(),
            credit: None,
            permissions: &caller.permissions,
        }
    }

    fn set_totals(&mut self, draft: &Draft) {
        let totals = &draft.totals;
        (self.subtotal, self.discount_total) = (totals.subtotal, totals.discount_total);
        (self.tax_total, self.total) = (totals.tax_total, totals.total);
    }

    /// Puts the lines in, with what they share with their order.
    pub(super) fn take_items(&mut self, mut items: Vec<Item>) {
        for item in &mut items {
            (item.order, item.version) = (self.id, self.version);
        }
        self.items = Some(items);
    }
}

impl Header {
    /// Copies the customer's address where none is given: where they get their goods, else where they get their bills.
    fn ship_to(&mut self, customer: &customer::Model) {
        let header = self;
        let [_, given @ ..] = header.address();
        if given.iter().any(|part| part.is_some()) {
            return;
        }
        let own = [
            &customer.shipping_line1,
            &customer.shipping_line2,
            &customer.shipping_postal_code,
            &customer.shipping_city,
            &customer.shipping_region,
            &customer.shipping_country,
        ];
        let of = |shipping: &Option<String>, billing: &Option<String>| {
            if own.into_iter().any(Option::is_some) { shipping.clone() } else { billing.clone() }
        };
        header.shipping_name = header.shipping_name.take().or_else(|| Some(customer.name.clone()));
        header.shipping_line1 = of(&customer.shipping_line1, &customer.billing_line1);
        header.shipping_line2 = of(&customer.shipping_line2, &customer.billing_line2);
        header.shipping_postal_code = of(&customer.shipping_postal_code, &customer.billing_postal_code);
        header.shipping_city = of(&customer.shipping_city, &customer.billing_city);
        header.shipping_region = of(&customer.shipping_region, &customer.billing_region);
        header.shipping_country = of(&customer.shipping_country, &customer.billing_country);
    }

    /// Takes the address away again if it is just what was copied from this customer, so that another's is copied.
    fn unship(&mut self, customer: &customer::Model) {
        let mut copied = self.clone();
        copied.address().into_iter().for_each(|part| *part = None);
        copied.ship_to(customer);
        if copied.address() == self.address() {
            self.address().into_iter().for_each(|part| *part = None);
        }
    }

    /// Where the goods go: the name first.
    fn address(&mut self) -> [&mut Option<String>; 7] {
        [
            &mut self.shipping_name,
            &mut self.shipping_line1,
            &mut self.shipping_line2,
            &mut self.shipping_postal_code,
            &mut self.shipping_city,
            &mut self.shipping_region,
            &mut self.shipping_country,
        ]
    }
}

impl ActiveModel {
    pub(super) fn set_header(&mut self, header: &Header) {
        self.customer_id = Set(header.customer);
        self.order_date = Set(header.order_date.as_ref().map_or_else(today, Day::from));
        self.required_date = Set(header.required_date.as_ref().map(Day::from));
        self.customer_reference = Set(header.customer_reference.clone());
        self.shipping_name = Set(header.shipping_name.clone());
        self.shipping_line1 = Set(header.shipping_line1.clone());
        self.shipping_line2 = Set(header.shipping_line2.clone());
        self.shipping_postal_code = Set(header.shipping_postal_code.clone());
        self.shipping_city = Set(header.shipping_city.clone());
        self.shipping_region = Set(header.shipping_region.clone());
        self.shipping_country = Set(header.shipping_country.clone());
        self.freight = Set(header.freight);
        self.notes = Set(header.notes.clone());
    }

    /// The customer's name, and what a search finds the order by.
    pub(super) fn set_customer(&mut self, customer: &customer::Model, number: Option<&str>, header: &Header) {
        self.customer_name = Set(customer.name.clone());
        self.customer_name_key = Set(fold::fold(&customer.name));
        self.search_text = Set(searchable([
            number.map(str::to_owned).as_ref(),
            Some(&customer.name),
            Some(&customer.code),
            header.customer_reference.as_ref(),
        ]));
    }

    fn set_totals(&mut self, draft: &Draft) {
        self.subtotal = Set(draft.totals.subtotal);
        self.discount_total = Set(draft.totals.discount_total);
        self.tax_total = Set(draft.totals.tax_total);
        self.total = Set(draft.totals.total);
    }
}

/// Writes the next version of an order that is still at the version it was read at.
pub(super) async fn update(
    transaction: &DatabaseTransaction,
    before: &Order,
    mut row: ActiveModel,
    after: Order,
) -> Result<Order> {
    let now = now();
    row.version = Set(before.version + 1);
    row.updated_at = Set(now);
    let updated = Entity::update_many()
        .set(row)
        .filter(Column::Id.eq(before.id))
        .filter(Column::Version.eq(before.version))
        .exec(transaction)
        .await?;
    if updated.rows_affected == 0 {
        let stored = whole(transaction, before.id.0).await?;
        return Err(Error::stale(stored.version, stored.compared()));
    }
    let mut after = Order { version: before.version + 1, updated_at: now.into(), ..after };
    let items = after.items.take().unwrap_or_default();
    after.take_items(items);
    Ok(after)
}

/// An order with the lines of its version. Two statements, and two more for every change that comes between them.
///
/// # Errors
/// `NotFound`.
pub async fn whole(db: &impl ConnectionTrait, id: i64) -> Result<Order> {
    loop {
        let mut order = record::find::<Entity>(db, id).await?;
        let mut items = item::with_versions(db, [order.id]).await?;
        if let Some((_, items)) = items.remove(&order.id).filter(|(version, _)| *version == order.version) {
            order.take_items(items);
            return Ok(order);
        }
    }
}

/// The orders with these numbers, with their lines, by the number's key. Two statements for every thousand.
///
/// # Errors
/// When the database does not answer.
pub async fn numbered(db: &impl ConnectionTrait, keys: &[String]) -> Result<HashMap<String, Order>> {
    let mut orders = HashMap::new();
    for keys in keys.chunks(item::CHUNK) {
        let found = Entity::find().filter(Column::NumberKey.is_in(keys.iter().cloned())).all(db).await?;
        let mut items = item::of_all(db, found.iter().map(|order| order.id)).await?;
        for row in found {
            let key = row.number_key.clone().unwrap_or_default();
            let mut order = Order::from(row);
            order.take_items(items.remove(&order.id).unwrap_or_default());
            orders.insert(key, order);
        }
    }
    Ok(orders)
}

/// An order with its lines, held until the transaction ends: others who want to change it wait.
pub(super) async fn locked(transaction: &DatabaseTransaction, id: i64) -> Result<Order> {
    let row = Entity::find_by_id(OrderId(id)).lock(LockType::NoKeyUpdate).one(transaction).await?;
    let mut order = row.map(Order::from).ok_or_else(|| Error::not_found(Entity::SINGULAR))?;
    order.take_items(item::of(transaction, order.id).await?);
    Ok(order)
}

/// The next number of a year, as `SO-2026-00001`. Others who place an order wait until this transaction ends.
///
/// # Errors
/// When the database does not answer.
pub async fn next_number(transaction: &DatabaseTransaction, year: i32) -> Result<String> {
    let number = next_numbers(transaction, year, 1).await?.pop();
    number.ok_or_else(|| Error::internal("no number was drawn"))
}

/// The next numbers of a year, ascending. Two statements for every thousand.
///
/// # Errors
/// When the database does not answer.
pub async fn next_numbers(transaction: &DatabaseTransaction, year: i32, count: usize) -> Result<Vec<String>> {
    let written = |number| format!("SO-{year}-{number:05}");
    series::draw::<Entity>(transaction, &format!("orders-{year}"), count, Column::NumberKey, written).await
}

/// Customers by id.
pub type People = HashMap<i64, customer::Model>;

/// The customers with these ids.
///
/// # Errors
/// When the database does not answer.
pub async fn customers(db: &impl ConnectionTrait, ids: impl IntoIterator<Item = i64>) -> Result<People> {
    let ids: Vec<_> = ids.into_iter().collect();
    let mut people = People::with_capacity(ids.len());
    for ids in ids.chunks(item::CHUNK) {
        let found = customer::Entity::find().filter(customer::Column::Id.is_in(ids.iter().copied())).all(db).await?;
        people.extend(found.into_iter().map(|customer| (customer.id.0, customer)));
    }
    Ok(people)
}

/// The customer with this code, or the only one of this name.
///
/// # Errors
/// When the database does not answer.
pub async fn customer_called(db: &impl ConnectionTrait, named: &str) -> Result<Option<i64>> {
    let (code, name) = (fold::key(named), fold::fold(named));
    let called = customer::Column::CodeKey.eq(&code).or(customer::Column::NameKey.eq(name));
    let found = customer::Entity::find().filter(called).limit(2).all(db).await?;
    let by_code = found.iter().find(|customer| customer.code_key == code);
    Ok(match (by_code, found.as_slice()) {
        (Some(customer), _) | (None, [customer]) => Some(customer.id.0),
        _ => None,
    })
}

/// The customer an order is for; a new order, or one that changes hands, needs an active one.
pub(super) fn buyer<'a>(people: &'a People, header: &Header, before: Option<&Order>) -> Result<&'a customer::Model> {
    let customer =
        people.get(&header.customer.0).ok_or_else(|| Error::field("customer", "There is no such customer."))?;
    let keeps = before.is_some_and(|before| before.header.customer == header.customer);
    if !customer.is_active && !keeps {
        return Err(Error::field("customer", "This customer is inactive and cannot get new orders."));
    }
    Ok(customer)
}

/// What an order that happened elsewhere brings along.
#[derive(Debug, Clone)]
pub struct Origin {
    /// Its own number; absent for a draft.
    pub number: Option<String>,
    pub status: Status,
    pub placed_at: Option<Timestamp>,
    pub shipped_at: Option<Timestamp>,
    pub cancelled_at: Option<Timestamp>,
    pub cancel_reason: Option<String>,
}

/// An order that is complete but for its id.
#[derive(Debug, Clone)]
pub struct New {
    header: Header,
    customer: customer::Model,
    draft: Draft,
    origin: Option<Origin>,
}

impl New {
    /// Holds an order against what the database knows of its customer and its products. Orders that happened elsewhere may be
    /// of customers and products that are inactive by now.
    ///
    /// # Errors
    /// `Invalid`, naming every field that breaks a rule.
    pub fn of(input: OrderInput, origin: Option<Origin>, people: &People, products: &Products) -> Result<Self> {
        let past = origin.as_ref().is_some_and(|origin| origin.status != Status::Draft);
        let customer = match people.get(&input.header.customer.0) {
            Some(customer) if past => Ok(customer),
            _ => buyer(people, &input.header, None),
        };
        let products = if past { products.of_any_state() } else { Cow::Borrowed(products) };
        let draft = Draft::of(&[], input.items.unwrap_or_default(), &products);
        match (customer, draft) {
            (Ok(customer), Ok(draft)) => {
                let mut header = input.header;
                if past {
                    header.ship_to(customer);
                }
                Ok(Self { header, customer: customer.clone(), draft, origin })
            }
            (Err(mut error), Err(more)) => {
                error.errors.extend(more.errors);
                Err(error)
            }
            (Err(error), Ok(_)) | (Ok(_), Err(error)) => Err(error),
        }
    }

    /// How many lines it has.
    pub fn lines(&self) -> usize {
        self.draft.items.len()
    }

    fn row(&self, currency: &str, now: Timestamp) -> ActiveModel {
        let origin = self.origin.as_ref();
        let number = origin.and_then(|origin| origin.number.clone());
        let mut row = ActiveModel {
            version: Set(1),
            number_key: Set(number.as_deref().map(fold::key)),
            status: Set(origin.map_or(Status::Draft, |origin| origin.status).name().into()),
            currency: Set(currency.into()),
            placed_at: Set(origin.and_then(|origin| origin.placed_at)),
            shipped_at: Set(origin.and_then(|origin| origin.shipped_at)),
            cancelled_at: Set(origin.and_then(|origin| origin.cancelled_at)),
            cancel_reason: Set(origin.and_then(|origin| origin.cancel_reason.clone())),
            created_at: Set(now),
            updated_at: Set(now),
            ..Default::default()
        };
        row.set_header(&self.header);
        row.set_customer(&self.customer, number.as_deref(), &self.header);
        row.set_totals(&self.draft);
        row.number = Set(number);
        row
    }
}

/// How many orders go into one statement.
const BATCH: usize = 500;

/// Inserts orders with their lines and events. The number of statements depends on batches, not on orders or lines.
///
/// # Errors
/// `Conflict` at `number` when one is taken.
pub async fn insert_all<P>(
    transaction: &DatabaseTransaction,
    access: &Access<P>,
    orders: Vec<New>,
) -> Result<Vec<Order>> {
    let (currency, now) = (access.currency(), now());
    let mut made: Vec<Order> = Vec::with_capacity(orders.len());
    let mut orders = orders.into_iter().peekable();
    while orders.peek().is_some() {
        let batch: Vec<New> = orders.by_ref().take(BATCH).collect();
        let rows: Vec<_> = batch.iter().map(|new| new.row(&currency, now)).collect();
        let mut ids = Entity::insert_many(rows.iter().cloned()).exec_with_returning_keys(transaction).await?;
        // Ids are drawn in the order of the rows, though they may come back in any.
        ids.sort_by_key(|id| id.0);
        if ids.len() != rows.len() {
            return Err(Error::internal("orders were not inserted"));
        }
        for ((id, mut row), new) in ids.into_iter().zip(rows).zip(batch) {
            row.id = Set(id);
            let mut order = Order::from(row.try_into_model()?);
            order.take_items(new.draft.items);
            made.push(order);
        }
    }
    let lines = made.iter_mut().flat_map(|order| order.items.iter_mut().flatten()).collect();
    item::insert(transaction, lines).await?;
    let event = |order: &Order| {
        let versions = (None, Some(order.version));
        let subject = Subject { resource: Entity::NAME, id: order.id.0, command: "create", versions, reason: None };
        history::row(access.caller(), subject, difference(None, Some(order)), now)
    };
    let events: Vec<_> = made.iter().map(event).collect();
    history::record_all(transaction, events).await?;
    Ok(made)
}
