//! The table of order items, and how lines come to be: found products, prices, amounts. A line is part of its order, so every
//! change of a line is a change of the order, with its version and in its history.

use std::borrow::Cow;
use std::collections::HashMap;

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{LockType, OnConflict, Query};
use sea_orm::{
    ActiveValue::NotSet, ActiveValue::Set, Iterable, JoinType, QueryOrder, QueryResult, QuerySelect, QueryTrait,
};
use serde_json::{Map, Value as Json};

use super::entity as order;
use super::pricing::{self, TooLarge, Totals};
use super::{ITEMS, Item, ItemId, ItemInput, Order, OrderId, OrderInput, OrderItemInput};
use crate::access::gate::Access;
use crate::base::column::{Placed, integer_column, placed_row, rows};
use crate::base::error::{Code, FieldErrors};
use crate::base::form::{Given, Input, integer, unknown};
use crate::base::listing::{ListQuery, Listing};
use crate::base::money::{Money, Percent, Quantity, UnitPrice};
use crate::base::record::Row;
use crate::base::{Error, Result, fold};
use crate::history::past::Past;
use crate::products::{ProductId, entity as product};
use crate::server::reader::Reader;
use crate::server::record::{
    Add, Change, Delete, Described, Expected, LOCKED_AT_ONCE, OnceKey, RelatedRecords, Renamed, Resource, Stored, View,
    column, sorted,
};
use crate::server::transaction::DatabaseTransaction;

integer_column!(ItemId);

placed_row! {
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "order_items")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: ItemId,
        pub order_id: OrderId,
        pub position: i64,
        pub product_id: ProductId,
        pub sku: String,
        pub description: String,
        pub unit: String,
        pub quantity: Quantity,
        pub unit_price: UnitPrice,
        pub price_is_manual: bool,
        pub discount_percent: Percent,
        pub tax_rate: Percent,
        pub net: Money,
        pub tax: Money,
        pub total: Money,
    }
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(belongs_to = "order::Entity", from = "Column::OrderId", to = "order::Column::Id", on_delete = "Cascade")]
    Order,
    #[sea_orm(belongs_to = "product::Entity", from = "Column::ProductId", to = "product::Column::Id")]
    Product,
}

impl ActiveModelBehavior for ActiveModel {}

impl From<Model> for Item {
    fn from(row: Model) -> Self {
        Item {
            id: row.id,
            version: 0,
            order: row.order_id,
            position: row.position,
            product: row.product_id,
            sku: row.sku,
            description: row.description,
            unit: row.unit,
            quantity: row.quantity,
            unit_price: row.unit_price,
            price_is_manual: row.price_is_manual,
            discount_percent: row.discount_percent,
            tax_rate: row.tax_rate,
            net: row.net,
            tax: row.tax,
            total: row.total,
        }
    }
}

impl From<&Item> for ActiveModel {
    fn from(item: &Item) -> Self {
        ActiveModel {
            id: if item.id.0 == 0 { NotSet } else { Set(item.id) },
            order_id: Set(item.order),
            position: Set(item.position),
            product_id: Set(item.product),
            sku: Set(item.sku.clone()),
            description: Set(item.description.clone()),
            unit: Set(item.unit.clone()),
            quantity: Set(item.quantity),
            unit_price: Set(item.unit_price),
            price_is_manual: Set(item.price_is_manual),
            discount_percent: Set(item.discount_percent),
            tax_rate: Set(item.tax_rate),
            net: Set(item.net),
            tax: Set(item.tax),
            total: Set(item.total),
        }
    }
}

/// How many lines, or ids, go into one statement: both databases bind a limited number of values.
pub(super) const CHUNK: usize = 1_000;

/// The lines of an order, in its order. One statement.
pub(super) async fn of(db: &impl ConnectionTrait, order: OrderId) -> Result<Vec<Item>> {
    let found = rows(db, Entity::find().filter(Column::OrderId.eq(order)).order_by_asc(Column::Position)).await?;
    Ok(found.into_iter().map(Item::from).collect())
}

/// The lines of orders in their order, and with them the version their order was at. One statement, so that no change comes
/// between; an order without lines is there too.
pub(super) async fn with_versions(
    db: &impl ConnectionTrait,
    orders: impl IntoIterator<Item = OrderId>,
) -> Result<HashMap<OrderId, (i64, Vec<Item>)>> {
    let mut found: HashMap<OrderId, (i64, Vec<Item>)> = HashMap::new();
    for (order, version, item) in read(db, order::Column::Id.is_in(orders)).await? {
        found.entry(order).or_insert_with(|| (version, Vec::new())).1.extend(item);
    }
    // Here, as the database would sort what it joined without an index.
    found.values_mut().for_each(|(_, items)| items.sort_by_key(|item| item.position));
    Ok(found)
}

/// Orders that fit a condition, in no particular order: the version of each, with each of its lines. One statement.
async fn read(db: &impl ConnectionTrait, which: Expr) -> Result<Vec<(OrderId, i64, Option<Item>)>> {
    let select = order::Entity::find()
        .select_only()
        .columns(Column::iter())
        .columns([order::Column::Id, order::Column::Version])
        .join(JoinType::LeftJoin, Relation::Order.def().rev())
        .filter(which);
    let behind = Column::iter().count();
    let read = |row: QueryResult| {
        let item = match row.try_get_by_index::<Option<i64>>(0)? {
            Some(_) => Some(Item::from(Model::of(&row)?)),
            None => None,
        };
        Ok((row.try_get_by_index(behind)?, row.try_get_by_index(behind + 1)?, item))
    };
    db.query_all(&select.into_query()).await?.into_iter().map(read).collect()
}

/// The lines of several orders. One statement.
pub(super) async fn of_all(
    db: &impl ConnectionTrait,
    orders: impl IntoIterator<Item = OrderId>,
) -> Result<HashMap<OrderId, Vec<Item>>> {
    let found = Entity::find()
        .filter(Column::OrderId.is_in(orders))
        .order_by_asc(Column::OrderId)
        .order_by_asc(Column::Position);
    let mut items: HashMap<OrderId, Vec<Item>> = HashMap::new();
    for row in rows(db, found).await? {
        items.entry(row.order_id).or_default().push(row.into());
    }
    Ok(items)
}

/// The SKUs on an order's lines whose product is inactive.
pub(super) async fn inactive(db: &impl ConnectionTrait, order: OrderId) -> Result<Vec<String>> {
    Ok(Entity::find()
        .select_only()
        .column(Column::Sku)
        .join(JoinType::InnerJoin, Relation::Product.def())
        .filter(Column::OrderId.eq(order))
        .filter(product::Column::IsActive.eq(false))
        .order_by_asc(Column::Position)
        .into_tuple()
        .all(db)
        .await?)
}

/// The products lines name, by id and by SKU.
#[derive(Debug, Clone, Default)]
pub struct Products {
    by_id: HashMap<i64, product::Model>,
    by_sku: HashMap<String, i64>,
    any_state: bool,
}

impl Products {
    /// The products that new lines name. One statement for every thousand.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn named(db: &impl ConnectionTrait, items: impl IntoIterator<Item = &ItemInput>) -> Result<Self> {
        let (mut ids, mut keys) = (Vec::new(), Vec::new());
        for item in items {
            match (item.product, &item.sku) {
                (Some(product), _) => ids.push(product.0),
                (None, Some(sku)) => keys.push(fold::key(sku)),
                (None, None) => {}
            }
        }
        let mut products = Self::default();
        for ids in ids.chunks(CHUNK) {
            let found = product::Entity::find().filter(product::Column::Id.is_in(ids.iter().copied()));
            products.extend(found.all(db).await?);
        }
        for keys in keys.chunks(CHUNK) {
            let found = product::Entity::find().filter(product::Column::SkuKey.is_in(keys.iter().cloned()));
            products.extend(found.all(db).await?);
        }
        Ok(products)
    }

    /// These products.
    pub fn from_models(products: Vec<product::Model>) -> Self {
        let mut known = Self::default();
        known.extend(products);
        known
    }

    /// The products that a change of lines needs to know: those of new lines, and of lines that go back to the list price.
    pub(super) async fn needed(db: &impl ConnectionTrait, stored: &[Item], items: &[ItemInput]) -> Result<Self> {
        let known = Known::of(stored);
        let needed = items.iter().filter_map(|item| match known.line(item) {
            Some(_) if item.unit_price.is_some() => None,
            Some(line) => Some(ItemInput { product: Some(line.product), sku: None, ..item.clone() }),
            None => Some(item.clone()),
        });
        let needed: Vec<_> = needed.collect();
        Self::named(db, &needed).await
    }

    /// The same, for orders of the past: inactive products may be on them.
    pub fn of_any_state(&self) -> Cow<'_, Self> {
        if self.any_state { Cow::Borrowed(self) } else { Cow::Owned(Self { any_state: true, ..self.clone() }) }
    }

    /// Whether one of them has this id and can be ordered; one of no state is missing.
    pub(super) fn state(&self, product: ProductId) -> Option<bool> {
        self.by_id.get(&product.0).map(|product| product.is_active)
    }

    /// Whether one of them has this SKU.
    pub fn has(&self, sku: &str) -> bool {
        self.by_sku.contains_key(&fold::key(sku))
    }

    /// Those that can be ordered.
    pub(super) fn active(self) -> impl Iterator<Item = product::Model> {
        self.by_id.into_values().filter(|product| product.is_active)
    }

    fn extend(&mut self, found: Vec<product::Model>) {
        for product in found {
            self.by_sku.insert(product.sku_key.clone(), product.id.0);
            self.by_id.insert(product.id.0, product);
        }
    }

    fn get(&self, item: &ItemInput) -> Option<&product::Model> {
        let id = match (item.product, &item.sku) {
            (Some(product), _) => product.0,
            (None, Some(sku)) => *self.by_sku.get(&fold::key(sku))?,
            (None, None) => return None,
        };
        self.by_id.get(&id)
    }
}

/// Stored lines by what can name them.
struct Known<'a> {
    by_id: HashMap<i64, &'a Item>,
    by_product: HashMap<i64, &'a Item>,
    by_sku: HashMap<String, &'a Item>,
}

impl<'a> Known<'a> {
    fn of(stored: &'a [Item]) -> Self {
        Self {
            by_id: stored.iter().map(|line| (line.id.0, line)).collect(),
            by_product: stored.iter().map(|line| (line.product.0, line)).collect(),
            by_sku: stored.iter().map(|line| (fold::key(&line.sku), line)).collect(),
        }
    }

    /// The stored line that is meant: a line is of one product for ever, so another product is another line.
    fn line(&self, item: &ItemInput) -> Option<&'a Item> {
        match (item.product, &item.sku, item.id) {
            (Some(product), _, _) => self.by_product.get(&product.0).copied(),
            (None, Some(sku), _) => self.by_sku.get(&fold::key(sku)).copied(),
            (None, None, Some(id)) => self.by_id.get(&id.0).copied(),
            (None, None, None) => None,
        }
    }
}

/// The lines an order is to have, with their amounts and totals.
#[derive(Debug, Clone)]
pub struct Draft {
    pub items: Vec<Item>,
    pub totals: Totals,
}

impl Draft {
    /// Completes lines from the stored ones and from their products, and prices them.
    ///
    /// # Errors
    /// `Invalid`, or `Conflict` for a second line of one product, named `items[2].quantity`.
    pub(super) fn of(stored: &[Item], inputs: Vec<ItemInput>, products: &Products) -> Result<Self> {
        let known = Known::of(stored);
        let mut errors = FieldErrors::new();
        let mut twice = FieldErrors::new();
        let mut items: Vec<Item> = Vec::with_capacity(inputs.len());
        let mut rows = Vec::with_capacity(inputs.len());
        let mut placed: HashMap<i64, usize> = HashMap::with_capacity(inputs.len());
        for input in inputs {
            let (row, naming) = (input.row, naming(&input));
            let mut item = match completed(&known, input, products) {
                Ok(item) => item,
                Err((name, message)) => {
                    errors.entry(format!("items[{row}].{name}")).or_default().push(message.into());
                    continue;
                }
            };
            if let Some(first) = placed.insert(item.product.0, items.len()) {
                twice.entry(format!("items[{row}].{naming}")).or_default().push(already(first + 1, &item.sku));
                placed.insert(item.product.0, first);
            }
            item.position = i64::try_from(items.len()).unwrap_or(i64::MAX).saturating_add(1);
            items.push(item);
            rows.push(row);
        }
        if !errors.is_empty() {
            errors.extend(twice);
            return Err(Error::fields(errors));
        }
        if !twice.is_empty() {
            return Err(second_line(twice));
        }
        let lines: Vec<_> = items.iter().map(Item::line).collect();
        match pricing::price(&lines) {
            Ok((amounts, totals)) => {
                for (item, amount) in items.iter_mut().zip(amounts) {
                    (item.net, item.tax, item.total) = (amount.net, amount.tax, amount.total);
                }
                Ok(Self { items, totals })
            }
            Err(TooLarge { line }) => Err(match line.and_then(|line| rows.get(line)) {
                Some(row) => Error::field(format!("items[{row}].quantity"), "The amount of this line is too large."),
                None => Error::field("items", "The amounts of these lines are too large together."),
            }),
        }
    }
}

/// A line as it will be stored, but for position and amounts; or the value that is wrong, and why.
fn completed(known: &Known<'_>, input: ItemInput, products: &Products) -> Result<Item, (&'static str, &'static str)> {
    if let Some(id) = input.id
        && !known.by_id.contains_key(&id.0)
    {
        return Err(("id", "This order has no such line any more."));
    }
    let discount_percent = input.discount_percent.unwrap_or_default();
    if let Some(line) = known.line(&input) {
        let (unit_price, price_is_manual) = match input.unit_price {
            Some(price) => (price, line.price_is_manual || price != line.unit_price),
            None => match products.by_id.get(&line.product.0) {
                Some(product) => (product.price, false),
                None => return Err((naming(&input), "There is no such product.")),
            },
        };
        let description = input.description.unwrap_or_else(|| line.description.clone());
        let quantity = input.quantity;
        return Ok(Item { quantity, unit_price, price_is_manual, discount_percent, description, ..line.clone() });
    }
    if input.product.is_none() && input.sku.is_none() {
        return Err(("product", "Choose a product."));
    }
    let naming = naming(&input);
    let product = products.get(&input).ok_or((naming, "There is no such product."))?;
    if !product.is_active && !products.any_state {
        return Err((naming, "This product is inactive and cannot be ordered."));
    }
    Ok(Item {
        id: ItemId(0),
        version: 0,
        order: OrderId(0),
        position: 0,
        product: product.id,
        sku: product.sku.clone(),
        description: input.description.unwrap_or_else(|| product.name.clone()),
        unit: product.unit.clone(),
        quantity: input.quantity,
        unit_price: input.unit_price.unwrap_or(product.price),
        price_is_manual: input.unit_price.is_some(),
        discount_percent,
        tax_rate: product.tax_rate,
        net: Money::default(),
        tax: Money::default(),
        total: Money::default(),
    })
}

fn already(line: impl std::fmt::Display, sku: &str) -> String {
    format!("Line {line} already has {sku}; change its quantity instead.")
}

fn second_line(errors: FieldErrors) -> Error {
    Error { errors, ..Error::new(Code::Conflict, "Every product stands on one line of an order.") }
}

/// The value that says which product a line is of.
fn naming(input: &ItemInput) -> &'static str {
    if input.product.is_none() && input.sku.is_some() { "sku" } else { "product" }
}

/// Makes the stored lines of an order those of `items`; new ones get their ids, and those that come back keep theirs.
pub(super) async fn store(transaction: &DatabaseTransaction, stored: &[Item], items: &mut [Item]) -> Result<()> {
    let before: HashMap<_, _> = stored.iter().map(|line| (line.id, line)).collect();
    let kept: std::collections::HashSet<_> = items.iter().map(|item| item.id).collect();
    let gone: Vec<_> = stored.iter().map(|line| line.id).filter(|id| !kept.contains(id)).collect();
    for ids in gone.chunks(CHUNK) {
        Entity::delete_many().filter(Column::Id.is_in(ids.iter().copied())).exec(transaction).await?;
    }
    let changed = |item: &&Item| before.get(&item.id).is_some_and(|line| *line != *item);
    let changed: Vec<_> = items.iter().filter(changed).map(ActiveModel::from).collect();
    for rows in changed.chunks(CHUNK) {
        let written = OnConflict::column(Column::Id)
            .update_columns([
                Column::Position,
                Column::Description,
                Column::Quantity,
                Column::UnitPrice,
                Column::PriceIsManual,
                Column::DiscountPercent,
                Column::Net,
                Column::Tax,
                Column::Total,
            ])
            .to_owned();
        Entity::insert_many(rows.iter().cloned()).on_conflict(written).exec_without_returning(transaction).await?;
    }
    insert(transaction, items.iter_mut().filter(|item| !before.contains_key(&item.id)).collect()).await
}

/// Inserts new lines and puts their ids in.
pub(super) async fn insert(transaction: &DatabaseTransaction, mut items: Vec<&mut Item>) -> Result<()> {
    for items in items.chunks_mut(CHUNK) {
        let rows = Entity::insert_many(items.iter().map(|item| ActiveModel::from(&**item)));
        let mut insert = rows.into_query();
        insert.returning(Query::returning().columns([Column::OrderId, Column::ProductId, Column::Id]));
        let made = transaction.query_all(&insert).await?;
        // The pair is unique, so it tells which row is whose.
        let id = |row: &QueryResult| {
            let pair = (row.try_get_by_index::<OrderId>(0)?, row.try_get_by_index::<ProductId>(1)?);
            Ok((pair, row.try_get_by_index::<ItemId>(2)?))
        };
        let ids = made.iter().map(id).collect::<Result<HashMap<_, _>, DbErr>>()?;
        for item in items {
            let id = ids.get(&(item.order, item.product));
            item.id = *id.ok_or_else(|| Error::internal("a line was not inserted"))?;
        }
    }
    Ok(())
}

/// Takes out of a line what a client read and sends back unchanged although nobody writes it.
pub(super) fn returned(stored: &[Item], given: &mut Given, place: &str, errors: &mut FieldErrors) {
    let Given::Object(fields) = given else { return };
    let id = fields.iter().find(|(name, _)| name == "id").and_then(|(_, id)| match id {
        Given::Number(id) => integer(id),
        _ => None,
    });
    let line = stored.iter().find(|line| Some(line.id.0) == id).and_then(|line| serde_json::to_value(line).ok());
    fields.retain(|(name, value)| {
        if ItemInput::FIELDS.iter().any(|field| field.name == name) {
            return true;
        }
        let current = line.as_ref().and_then(|line| line.get(name)).cloned().map(Given::from);
        let message = match current {
            Some(current) if current == *value => return false,
            Some(_) => "This field is read-only.".to_owned(),
            None => unknown(name, ItemInput::FIELDS.iter().map(|field| field.name)),
        };
        errors.entry(format!("{place}.{name}")).or_default().push(message);
        false
    });
}

/// The lines of an order after operations on them: `add` with new lines, `update` with lines by their `id` and what changes
/// of them, `remove` with ids.
const OPERATIONS: [&str; 3] = ["add", "update", "remove"];

pub(super) fn operated(
    order: &Order,
    operations: Vec<(String, Given)>,
    renamed: &mut Renamed,
    errors: &mut FieldErrors,
) -> Vec<Given> {
    let stored = order.items.as_deref().unwrap_or_default();
    let mut lines: Vec<(ItemId, Vec<(String, Given)>)> =
        unchanged(order).into_iter().zip(stored).map(|(input, line)| (line.id, written(&input))).collect();
    // By the line: what the client calls it.
    let (mut called, mut removed, mut added) = (HashMap::new(), Vec::new(), Vec::new());
    let mut wrong = |name: String, message: String| errors.entry(name).or_default().push(message);
    for (operation, given) in operations {
        if !OPERATIONS.contains(&operation.as_str()) {
            wrong(format!("items.{operation}"), unknown(&operation, OPERATIONS.into_iter()));
            continue;
        }
        let Given::List(rows) = given else {
            wrong(format!("items.{operation}"), "Enter a list.".into());
            continue;
        };
        for (index, mut row) in rows.into_iter().enumerate() {
            let place = format!("items.{operation}[{index}]");
            let id = match (&*operation, &row) {
                ("remove", Given::Number(id)) => integer(id).map(ItemId),
                (_, Given::Object(fields)) => {
                    fields.iter().find(|(name, _)| name == "id").and_then(|(_, id)| match id {
                        Given::Number(id) => integer(id).map(ItemId),
                        _ => None,
                    })
                }
                _ => None,
            };
            let line = id.and_then(|id| lines.iter().position(|(line, _)| *line == id));
            match (&*operation, line) {
                ("add", _) => added.push((place, row)),
                ("update" | "remove", None) => wrong(place, "There is no such line on this order.".into()),
                ("update" | "remove", Some(line)) if called.contains_key(&line) => {
                    wrong(place, format!("{} is about the same line.", called[&line]));
                }
                ("remove", Some(line)) => {
                    called.insert(line, place);
                    removed.push(line);
                }
                ("update", Some(line)) => {
                    let mut mistakes = FieldErrors::new();
                    returned(stored, &mut row, &place, &mut mistakes);
                    mistakes.into_iter().for_each(|(name, messages)| wrong(name, messages.join(" ")));
                    if let Given::Object(changes) = row {
                        merge(&mut lines[line].1, changes);
                    }
                    called.insert(line, place);
                }
                _ => {}
            }
        }
    }
    let kept = lines.into_iter().enumerate().filter(|(line, _)| !removed.contains(line));
    let kept = kept.map(|(line, (_, fields))| (called.remove(&line), Given::Object(fields)));
    let all = kept.chain(added.into_iter().map(|(place, row)| (Some(place), row)));
    let named = all.enumerate().map(|(row, (place, given))| {
        renamed.extend(place.map(|place| (format!("items[{row}]"), place)));
        given
    });
    named.collect()
}

/// Puts what is stored of a line in the place of what the row about it leaves unsaid, so that no price that was typed is lost by
/// changing a quantity.
pub(super) fn filled(order: &Order, rows: &mut [Given]) {
    let stored = order.items.as_deref().unwrap_or_default();
    let known = Known::of(stored);
    let inputs: HashMap<_, _> = stored.iter().map(|line| line.id).zip(unchanged(order)).collect();
    for row in rows {
        let Given::Object(changes) = row else { continue };
        let number = |name: &str| match changes.iter().find(|(known, _)| known == name)? {
            (_, Given::Number(number)) => integer(number),
            _ => None,
        };
        let sku = changes.iter().find_map(|(name, value)| match value {
            Given::Text(sku) if name == "sku" => Some(sku.clone()),
            _ => None,
        });
        let (id, product) = (number("id").map(ItemId), number("product").map(ProductId));
        let line = known.line(&ItemInput { id, product, sku, ..ItemInput::default() });
        if let Some(input) = line.and_then(|line| inputs.get(&line.id)) {
            let mut fields = written(input);
            merge(&mut fields, std::mem::take(changes));
            *changes = fields;
        }
    }
}

/// A line as a client would write it.
fn written(input: &ItemInput) -> Vec<(String, Given)> {
    let values = input.values();
    ItemInput::FIELDS
        .iter()
        .filter_map(|field| Some((field.name.to_owned(), Given::from(values.get(field.name)?.clone()))))
        .filter(|(_, value)| *value != Given::Null)
        .collect()
}

/// Puts what changes of a line in the place of what it was. A line that names its product anew forgets the old one.
fn merge(fields: &mut Vec<(String, Given)>, changes: Vec<(String, Given)>) {
    if changes.iter().any(|(name, _)| name == "sku") {
        fields.retain(|(name, _)| name != "product");
    }
    for (name, value) in changes {
        fields.retain(|(known, _)| *known != name);
        fields.push((name, value));
    }
}

impl Stored for Item {
    fn id(&self) -> i64 {
        self.id.0
    }

    fn version(&self) -> i64 {
        self.version
    }

    fn values(&self) -> Map<String, Json> {
        Item::values(self)
    }

    fn row(self) -> Row {
        Row { id: self.id.0, version: self.version, values: Item::values(&self) }
    }
}

/// Lines as a resource of their own: every call reads or changes their order.
impl Resource for Entity {
    const NAME: &'static str = "order-items";
    const SINGULAR: &'static str = "order item";
    const LISTING: Listing = ITEMS;
    const PART_OF: Option<&'static str> = Some("order");

    type Record = Item;
    type Input = OrderItemInput;

    /// A line is part of its order: who may change the order may change its lines.
    fn permission(action: &str) -> String {
        format!("orders.{}", if action == "view" { "view" } else { "change" })
    }

    fn read(row: Model) -> Item {
        row.into()
    }

    fn fill(_: &mut ActiveModel, _: &OrderItemInput) {}

    fn described() -> Described {
        super::api::described_item()
    }

    fn related(relation: &str) -> Option<RelatedRecords> {
        match relation {
            "order" => Some(RelatedRecords::to::<order::Entity>()),
            "product" => Some(RelatedRecords::to::<product::Entity>()),
            _ => None,
        }
    }

    /// One more statement, which reads the lines again, with the versions of their orders.
    async fn complete_rows(reader: &Reader, _: &ListQuery, rows: &mut Vec<Item>) -> Result<()> {
        let ids: Vec<_> = rows.iter().map(|item| item.id).collect();
        let lines = read(reader, Column::Id.is_in(ids)).await?;
        let lines = lines.into_iter().filter_map(|(_, version, item)| Some(Item { version, ..item? }));
        let mut lines: HashMap<_, _> = lines.map(|item| (item.id, item)).collect();
        *rows = rows.iter().filter_map(|item| lines.remove(&item.id)).collect();
        Ok(())
    }

    async fn get(access: &Access<View<Self>>, id: i64) -> Result<Item> {
        let line = read(access.reader(), Column::Id.eq(id)).await?.pop();
        let line = line.and_then(|(_, version, item)| Some(Item { version, ..item? }));
        line.ok_or_else(|| Error::not_found(Self::SINGULAR))
    }

    /// A change of a line locks its order.
    async fn lock_in(transaction: &DatabaseTransaction, ids: &[i64]) -> Result<()> {
        for ids in sorted(transaction, ids).chunks(LOCKED_AT_ONCE) {
            let orders = Query::select()
                .column(Column::OrderId)
                .from(Entity)
                .and_where(Column::Id.is_in(ids.iter().copied()))
                .to_owned();
            let rows = order::Entity::find().select_only().column(order::Column::Id);
            let rows = rows.filter(order::Column::Id.in_subquery(orders)).order_by_asc(order::Column::Id);
            rows.lock(LockType::NoKeyUpdate).into_tuple::<OrderId>().all(transaction).await?;
        }
        Ok(())
    }

    fn remembered(_: &Past) -> Result<Item> {
        Err(Error::invalid("A line is told of by the history of its order: ask for the order."))
    }

    async fn create_in(
        transaction: &DatabaseTransaction,
        access: &Access<Add<Self>>,
        input: OrderItemInput,
        _: Option<&OnceKey>,
    ) -> Result<Item> {
        let order = input.order.0;
        let after = order::Entity::amend(transaction, access, order, Expected::Any, |before| {
            let mut items = unchanged(before);
            items.push(ItemInput { row: items.len(), id: None, ..input.item });
            Ok(OrderInput { header: before.header.clone(), items: Some(items) })
        });
        let after = after.await.map_err(|error| about_one(about_order(error)))?;
        after.items.and_then(|mut items| items.pop()).ok_or_else(|| Error::internal("a line was not added"))
    }

    async fn change_in(
        transaction: &DatabaseTransaction,
        access: &Access<Change<Self>>,
        id: i64,
        expected: Expected,
        change: impl FnOnce(&Item) -> Result<OrderItemInput> + Send,
    ) -> Result<Item> {
        let order = owner(transaction, id).await?;
        let after = order::Entity::amend(transaction, access, order.0, expected, |before| {
            let line = line_of(before, id)?;
            let input = change(line)?;
            if input.order != before.id {
                return Err(Error::field("order", "A line stays on its order."));
            }
            let mut items = unchanged(before);
            if let Some(item) = items.iter_mut().find(|item| item.id == Some(line.id)) {
                *item = exchanged(line, ItemInput { row: item.row, ..input.item });
                free(before, line, item)?;
            }
            Ok(OrderInput { header: before.header.clone(), items: Some(items) })
        });
        let items = after.await.map_err(about_one)?.items.unwrap_or_default();
        let same = items.iter().find(|item| item.id.0 == id).cloned();
        same.or_else(|| items.into_iter().max_by_key(|item| item.id)).ok_or_else(|| Error::not_found(Self::SINGULAR))
    }

    async fn remove_in(
        transaction: &DatabaseTransaction,
        access: &Access<Delete<Self>>,
        id: i64,
        expected: Expected,
    ) -> Result<Item> {
        let order = owner(transaction, id).await?;
        let mut removed = None;
        order::Entity::amend(transaction, access, order.0, expected, |before| {
            removed = Some(line_of(before, id)?.clone());
            let items = unchanged(before).into_iter().filter(|item| item.id != Some(ItemId(id))).collect();
            Ok(OrderInput { header: before.header.clone(), items: Some(items) })
        })
        .await
        .map_err(about_one)?;
        removed.ok_or_else(|| Error::not_found(Self::SINGULAR))
    }
}

/// The order a line belongs to.
async fn owner(db: &impl ConnectionTrait, id: i64) -> Result<OrderId> {
    let order = Entity::find().select_only().column(Column::OrderId).filter(column::<Entity>("id")?.eq(id));
    let order: Option<OrderId> = order.into_tuple().one(db).await?;
    order.ok_or_else(|| Error::not_found(Entity::SINGULAR))
}

fn line_of(order: &Order, id: i64) -> Result<&Item> {
    let line = order.items.iter().flatten().find(|line| line.id.0 == id);
    line.ok_or_else(|| Error::not_found(Entity::SINGULAR))
}

/// The lines of an order as they would be written to stay as they are.
pub(super) fn unchanged(order: &Order) -> Vec<ItemInput> {
    let lines = order.items.iter().flatten().enumerate();
    let kept = lines.map(|(row, line)| ItemInput {
        row,
        id: Some(line.id),
        product: Some(line.product),
        sku: None,
        description: Some(line.description.clone()),
        quantity: line.quantity,
        unit_price: Some(line.unit_price),
        discount_percent: Some(line.discount_percent),
    });
    kept.collect()
}

/// Lines as they are meant: see [`exchanged`].
pub(super) fn meant(stored: &[Item], items: Vec<ItemInput>) -> Vec<ItemInput> {
    let lines: HashMap<_, _> = stored.iter().map(|line| (line.id, line)).collect();
    let meant = items.into_iter().map(|input| match input.id.and_then(|id| lines.get(&id)) {
        Some(line) => exchanged(line, input),
        None => input,
    });
    meant.collect()
}

/// What a line becomes. Where it becomes one of another product, what was the old product's is taken from the new one.
fn exchanged(line: &Item, mut input: ItemInput) -> ItemInput {
    let renamed = input.sku.as_ref().is_some_and(|sku| fold::key(sku) != fold::key(&line.sku));
    if input.product == Some(line.product) && renamed {
        input.product = None;
    }
    let another = renamed || input.product.is_some_and(|product| product != line.product);
    if another {
        input.description = input.description.filter(|text| *text != line.description);
        input.unit_price = input.unit_price.filter(|price| *price != line.unit_price);
    }
    ItemInput { id: Some(line.id), ..input }
}

/// Whether no other line of the order has the product that a line is to be of.
fn free(order: &Order, line: &Item, input: &ItemInput) -> Result<()> {
    match Known::of(order.items.as_deref().unwrap_or_default()).line(input) {
        Some(other) if other.id != line.id => {
            let message = already(other.position, &other.sku);
            Err(second_line(FieldErrors::from([(naming(input).to_owned(), vec![message])])))
        }
        _ => Ok(()),
    }
}

/// Names the fields of a single line without its place in the order.
fn about_one(error: Error) -> Error {
    let errors = error.errors.into_iter().map(|(name, messages)| match name.split_once("].") {
        Some((_, name)) => (name.to_owned(), messages),
        None => (name, messages),
    });
    Error { errors: errors.collect(), ..error }
}

/// An order that is not there is a wrong value here, not a wrong address.
fn about_order(error: Error) -> Error {
    if error.code == Code::NotFound { Error::field("order", "There is no such order.") } else { error }
}
