//! Orders with their lines, as they happened elsewhere: with number, dates and status of their own.
//!
//! What becomes of each order is found out against a snapshot, in batches, outside of the transaction that writes. A plan keeps
//! where orders and lines stand in the files; their values are read again when they are written.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use sea_orm::entity::prelude::*;

use super::Counts;
use super::mapping::{ORIGIN, OWNER};
use super::merge;
use super::run::{Import, Stop, Watch};
use super::sheet::{Sheet, Values};
use super::table::{Cells, Row};
use crate::access::gate::Access;
use crate::base::column::rows;
use crate::base::date::Date;
use crate::base::error::FieldErrors;
use crate::base::form::{Field, Given, Input, checked};
use crate::base::time::stored::{Day, Timestamp};
use crate::base::{Error, Result, fold};
use crate::customers::{CustomerId, entity as customers};
use crate::orders::entity::{self as stored, New, Origin, People};
use crate::orders::item::Products;
use crate::orders::{Item, ItemInput, MAX_LINES, Order, OrderInput, Status};
use crate::products::entity as products;
use crate::server::record::Add;
use crate::server::transaction::DatabaseTransaction;

/// How many orders, and about how many lines, are held against what is stored, or written, at once.
const BATCH: usize = 500;
const LINES: usize = 4 * BATCH;

/// How many orders are made until the database gets a word in.
const SLICE: usize = 20;

/// How many keys are asked for in one statement.
const KEYS: usize = 1_000;

/// The files that make orders.
#[derive(Debug, Default)]
pub struct Sheets<'a> {
    pub orders: Option<Sheet<'a>>,
    pub lines: Option<Sheet<'a>>,
}

/// A file of customers or products that comes along, and what becomes of its rows.
pub type Along<'a, 'b> = Option<(&'b Sheet<'a>, &'b merge::Plan)>;

/// What the files that orders refer to bring along.
#[derive(Debug, Clone, Copy, Default)]
pub struct Brings<'a, 'b> {
    pub customers: Along<'a, 'b>,
    pub products: Along<'a, 'b>,
}

fn may_have(along: Along<'_, '_>, key: &str) -> bool {
    along.is_some_and(|(_, plan)| plan.may_have(key))
}

/// What becomes of the orders in the files.
#[derive(Debug, Default)]
pub struct Plan {
    entries: Vec<Entry>,
    /// In the order of the orders they belong to, behind them those of orders that stand in no file.
    lines: Vec<Line>,
    loose: Vec<Loose>,
    /// Of orders and of lines.
    pub counts: [Counts; 2],
}

/// An order of the file.
#[derive(Debug)]
struct Entry {
    row: Row,
    key: String,
    lines: Range<usize>,
    is_broken: bool,
    is_new: bool,
}

/// Lines of an order that stands in no file.
#[derive(Debug)]
struct Loose {
    key: String,
    number: String,
    lines: Range<usize>,
}

/// A line of the file.
#[derive(Debug, Clone, Copy)]
struct Line {
    row: Row,
    /// The place of its order, in the entries or behind them in the loose ones.
    owner: usize,
}

/// An order as the file has it.
struct Read {
    row: u64,
    number: String,
    customer_code: String,
    status: Option<Status>,
    shipped: Option<Date>,
    cancelled: Option<Date>,
    cancel_reason: Option<String>,
    values: Values,
    lines: Vec<(u64, ItemInput)>,
    is_broken: bool,
}

/// What is known while orders are made.
struct World {
    people: People,
    codes: HashMap<String, i64>,
    products: Products,
    /// The same, for orders of the past: inactive products may be on them.
    past: Products,
}

/// Finds out what becomes of orders and lines, and notes the problems of their sheets. An order whose number is taken must be
/// the same; then it is left alone. Four statements for every 500 orders.
///
/// # Errors
/// When the database does not answer.
pub async fn plan(
    snapshot: &DatabaseTransaction,
    sheets: &mut Sheets<'_>,
    brings: Brings<'_, '_>,
    watch: &Watch<'_>,
) -> Result<Plan> {
    let mut plan = Plan { entries: sheets.orders.as_mut().map(entries).unwrap_or_default(), ..Plan::default() };
    if let Some(sheet) = &mut sheets.lines {
        lines(sheet, &mut plan, watch);
    }
    let mut desk = Desk { sheets, counts: [Counts::default(); 2] };
    let mut entries = std::mem::take(&mut plan.entries);
    for batch in batches(&entries, |entry| entry.lines.len()) {
        let Some(batch) = entries.get_mut(batch) else { continue };
        let mut orders = Vec::with_capacity(batch.len());
        for entry in &*batch {
            orders.extend(desk.read(entry, &plan.lines));
        }
        let world = desk.world(snapshot, brings, &orders).await?;
        desk.name_unknown(brings, &world, &orders);
        let keys: Vec<_> = batch.iter().map(|entry| entry.key.clone()).collect();
        let before = stored::numbered(snapshot, &keys).await?;
        for (entry, order) in batch.iter_mut().zip(orders) {
            watch.step();
            match before.get(&entry.key) {
                Some(before) => desk.compare(&order, &world, before),
                None => entry.is_new = desk.make(order, &world).is_some(),
            }
        }
        // Whoever waits for the program to stop gets a word in.
        tokio::task::yield_now().await;
    }
    plan.entries = entries;
    for batch in batches(&plan.loose, |loose| loose.lines.len()) {
        let batch = plan.loose.get(batch).unwrap_or_default();
        let mut orders = Vec::with_capacity(batch.len());
        for loose in batch {
            orders.push(desk.read_lines(&plan.lines, &loose.lines));
        }
        let skus = orders.iter().flatten().filter_map(|(_, line)| line.sku.as_deref());
        let products = products_of(snapshot, brings.products, skus).await?;
        desk.name_unknown_products(brings, &products, orders.iter().flatten());
        let keys: Vec<_> = batch.iter().map(|loose| loose.key.clone()).collect();
        let before = stored::numbered(snapshot, &keys).await?;
        for (loose, lines) in batch.iter().zip(orders) {
            desk.compare_lines(&before, loose, &lines);
        }
        tokio::task::yield_now().await;
    }
    plan.counts = desk.counts;
    Ok(plan)
}

/// Writes what was planned. Customers and products are as they are now, under the lock. While the database takes a batch, the
/// next one is made.
///
/// # Errors
/// [`Stop::Moved`] when an order cannot be made as it was planned, because something changed since.
pub async fn write(
    transaction: &DatabaseTransaction,
    access: &Access<Import>,
    sheets: &mut Sheets<'_>,
    plan: &Plan,
    watch: &Watch<'_>,
) -> Result<(), Stop> {
    let adding = access.also::<Add<stored::Entity>>()?;
    let new: Vec<_> = plan.entries.iter().filter(|entry| entry.is_new).collect();
    let mut desk = Desk { sheets, counts: [Counts::default(); 2] };
    let mut batches =
        batches(&new, |entry| entry.lines.len()).into_iter().map(|batch| new.get(batch).unwrap_or_default());
    let (mut read, mut made) = (desk.read_all(batches.next(), &plan.lines).await, Vec::new());
    while !read.is_empty() || !made.is_empty() {
        let world = desk.world(transaction, Brings::default(), &read).await?;
        let expected = read.len();
        let inserting = async {
            let steps = made.iter().map(New::lines).sum::<usize>() + made.len();
            if steps > 0 {
                stored::insert_all(transaction, &adding, std::mem::take(&mut made)).await?;
                watch.steps(steps);
            }
            Ok::<_, Error>(())
        };
        let making = async {
            let next = desk.make_all(std::mem::take(&mut read), &world).await;
            (next, desk.read_all(batches.next(), &plan.lines).await)
        };
        let (inserted, next) = tokio::join!(inserting, making);
        inserted?;
        (made, read) = next;
        if made.len() < expected {
            return Err(Stop::Moved(None));
        }
    }
    Ok(())
}

/// Parts of a list of orders, none with too many lines unless a single order has them.
fn batches<T>(orders: &[T], lines: impl Fn(&T) -> usize) -> Vec<Range<usize>> {
    let (mut batches, mut begin, mut held) = (Vec::new(), 0, 0);
    for (place, order) in orders.iter().enumerate() {
        let more = lines(order);
        if place > begin && (place - begin >= BATCH || held + more > LINES) {
            batches.push(begin..place);
            (begin, held) = (place, 0);
        }
        held += more;
    }
    batches.push(begin..orders.len());
    batches
}

async fn people_of<'k>(
    db: &DatabaseTransaction,
    along: Along<'_, '_>,
    codes: impl Iterator<Item = &'k str>,
) -> Result<(People, HashMap<String, i64>)> {
    let keys: HashSet<_> = codes.filter(|code| !code.is_empty()).map(fold::key).collect();
    let (keys, mut found) = (Vec::from_iter(keys), HashMap::new());
    for keys in keys.chunks(KEYS) {
        let select = customers::Entity::find().filter(customers::Column::CodeKey.is_in(keys.iter().cloned()));
        found.extend(rows(db, select).await?.into_iter().map(|customer| (customer.code_key.clone(), customer)));
    }
    let (mut people, mut ids) = (People::with_capacity(keys.len()), HashMap::with_capacity(keys.len()));
    for key in keys {
        let known = found.remove(&key);
        let known = match along {
            Some((sheet, plan)) => plan.planned::<customers::Entity>(sheet, &key, known)?,
            None => known,
        };
        if let Some(customer) = known {
            ids.insert(key, customer.id.0);
            people.insert(customer.id.0, customer);
        }
    }
    Ok((people, ids))
}

async fn products_of<'k>(
    db: &DatabaseTransaction,
    along: Along<'_, '_>,
    skus: impl Iterator<Item = &'k str>,
) -> Result<Products> {
    let keys: HashSet<_> = skus.map(fold::key).collect();
    let (keys, mut found) = (Vec::from_iter(keys), HashMap::new());
    for keys in keys.chunks(KEYS) {
        let select = products::Entity::find().filter(products::Column::SkuKey.is_in(keys.iter().cloned()));
        found.extend(rows(db, select).await?.into_iter().map(|product| (product.sku_key.clone(), product)));
    }
    let mut known = Vec::with_capacity(keys.len());
    for key in keys {
        let stored = found.remove(&key);
        known.extend(match along {
            Some((sheet, plan)) => plan.planned::<products::Entity>(sheet, &key, stored)?,
            None => stored,
        });
    }
    Ok(Products::from_models(known))
}

/// The rows of the file of orders that have a number of their own.
fn entries(sheet: &mut Sheet<'_>) -> Vec<Entry> {
    let mut first: HashMap<String, u64> = HashMap::with_capacity(sheet.rows().len());
    let mut entries = Vec::with_capacity(sheet.rows().len());
    for index in 0..sheet.rows().len() {
        let Some(row) = sheet.row(index) else { continue };
        let (order, errors) = read(sheet, row, &sheet.cells(row));
        sheet.wrong(row.number, errors);
        let Some(order) = order else { continue };
        let key = fold::key(&order.number);
        if let Some(first) = first.get(&key) {
            sheet.at(row.number, "number", format!("Row {first} has the order {} already.", order.number));
            continue;
        }
        first.insert(key.clone(), row.number);
        entries.push(Entry { row, key, lines: 0..0, is_broken: order.is_broken, is_new: false });
    }
    entries
}

/// An order of which as much is read as can be, and what is wrong with it; nothing when it has no number.
fn read(sheet: &Sheet<'_>, row: Row, cells: &Cells<'_>) -> (Option<Read>, FieldErrors) {
    let (own, mut errors) = sheet.values(cells, ORIGIN);
    let (values, more) = sheet.values(cells, OrderInput::FIELDS);
    errors.extend(more);
    let read = each(ORIGIN, &own, &mut errors);
    let text = |name: &str| read.get(name).and_then(|value| value.as_str()).map(str::to_owned);
    let day = |name: &str| text(name).and_then(|text| text.parse::<Date>().ok());
    let (shipped, cancelled, cancel_reason) = (day("shipped_date"), day("cancelled_date"), text("cancel_reason"));
    let status = text("status").and_then(|name| name.parse::<Status>().ok());
    let mut clash = |field: &str, message: &str| errors.entry(field.into()).or_default().push(message.into());
    match status {
        Some(Status::Shipped) if shipped.is_none() => {
            clash("shipped_date", "A shipped order needs the day it was shipped.")
        }
        Some(Status::Draft | Status::Placed) if shipped.is_some() => {
            clash("status", "An order with a shipped date is shipped.")
        }
        Some(Status::Cancelled) if cancel_reason.is_none() => {
            clash("cancel_reason", "A cancelled order needs a reason.")
        }
        _ => {}
    }
    let order = text("number").map(|number| Read {
        row: row.number,
        number,
        customer_code: text("customer_code").unwrap_or_default(),
        status,
        shipped,
        cancelled,
        cancel_reason,
        values,
        lines: Vec::new(),
        is_broken: !errors.is_empty(),
    });
    (order, errors)
}

/// Every field by itself, so that one wrong value does not hide the others.
fn each(fields: &[Field], given: &Values, errors: &mut FieldErrors) -> serde_json::Map<String, serde_json::Value> {
    let mut read = serde_json::Map::new();
    for field in fields {
        if errors.contains_key(field.name) {
            continue;
        }
        let given: Values = given.iter().filter(|(name, _)| name == field.name).cloned().collect();
        match checked(std::slice::from_ref(field), &given) {
            Ok(values) => read.extend(values),
            Err(error) => errors.extend(error.errors),
        }
    }
    read
}

/// A line as the file has it, with the number of its order; and what is wrong with it.
fn read_line(sheet: &Sheet<'_>, row: Row) -> (Option<String>, Option<ItemInput>, FieldErrors) {
    let cells = sheet.cells(row);
    let (own, mut errors) = sheet.values(&cells, OWNER);
    let number =
        each(OWNER, &own, &mut errors).get("order_number").and_then(|number| number.as_str().map(str::to_owned));
    let (values, more) = sheet.values(&cells, ItemInput::FIELDS);
    errors.extend(more);
    let input = match ItemInput::given(&values) {
        Ok(input) => Some(input),
        Err(error) => {
            errors.extend(error.errors);
            None
        }
    };
    if input.as_ref().is_some_and(|input| input.sku.is_none()) {
        errors.entry("sku".into()).or_default().push("SKU is required.".into());
    }
    (number, input, errors)
}

/// Hands the rows of the file of lines to their orders, and collects those of orders that stand in no file.
fn lines(sheet: &mut Sheet<'_>, plan: &mut Plan, watch: &Watch<'_>) {
    let mut owners: HashMap<String, usize> = HashMap::with_capacity(plan.entries.len());
    owners.extend(plan.entries.iter().enumerate().map(|(place, entry)| (entry.key.clone(), place)));
    let own = plan.entries.len();
    plan.lines.reserve(sheet.rows().len());
    for index in 0..sheet.rows().len() {
        let Some(row) = sheet.row(index) else { continue };
        watch.step();
        let (number, input, errors) = read_line(sheet, row);
        let is_broken = !errors.is_empty();
        sheet.wrong(row.number, errors);
        let (Some(number), Some(_)) = (number, input.and_then(|input| input.sku)) else { continue };
        let loose = &mut plan.loose;
        let owner = *owners.entry(fold::key(&number)).or_insert_with_key(|key| {
            loose.push(Loose { key: key.clone(), number, lines: 0..0 });
            own + loose.len() - 1
        });
        if let Some(entry) = plan.entries.get_mut(owner) {
            entry.is_broken |= is_broken;
        }
        plan.lines.push(Line { row, owner });
    }
    drop(owners);
    plan.lines.sort_by_key(|line| line.owner);
    let mut begin = 0;
    for of_one in plan.lines.chunk_by(|one, next| one.owner == next.owner) {
        let (owner, lines) = (of_one.first().map_or(0, |line| line.owner), begin..begin + of_one.len());
        begin = lines.end;
        match (plan.entries.get_mut(owner), plan.loose.get_mut(owner.saturating_sub(own))) {
            (Some(entry), _) => entry.lines = lines,
            (None, Some(loose)) => loose.lines = lines,
            (None, None) => {}
        }
    }
}

/// Holds orders against what is stored, and notes their problems.
struct Desk<'a, 'b> {
    sheets: &'b mut Sheets<'a>,
    /// Of orders and of lines.
    counts: [Counts; 2],
}

impl Desk<'_, '_> {
    /// An order of the file with its lines.
    fn read(&mut self, entry: &Entry, lines: &[Line]) -> Option<Read> {
        let lines = self.read_lines(lines, &entry.lines);
        let sheet = self.sheets.orders.as_ref()?;
        let (order, _) = read(sheet, entry.row, &sheet.cells(entry.row));
        Some(Read { lines, is_broken: entry.is_broken, ..order? })
    }

    /// The orders of a batch. Now and then the database gets a word in.
    async fn read_all(&mut self, batch: Option<&[&Entry]>, lines: &[Line]) -> Vec<Read> {
        let batch = batch.unwrap_or_default();
        let mut orders = Vec::with_capacity(batch.len());
        for some in batch.chunks(SLICE) {
            for entry in some {
                orders.extend(self.read(entry, lines));
            }
            tokio::task::yield_now().await;
        }
        orders
    }

    /// New orders, up to the first that something stands in the way of. Now and then the database gets a word in.
    async fn make_all(&mut self, orders: Vec<Read>, world: &World) -> Vec<New> {
        let mut made = Vec::with_capacity(orders.len());
        for order in orders {
            let Some(new) = self.make(order, world) else { break };
            made.push(new);
            if made.len().is_multiple_of(SLICE) {
                tokio::task::yield_now().await;
            }
        }
        made
    }

    /// Lines of one order, each product once.
    fn read_lines(&mut self, all: &[Line], which: &Range<usize>) -> Vec<(u64, ItemInput)> {
        let lines = all.get(which.clone()).unwrap_or_default();
        let mut read: Vec<(u64, ItemInput)> = Vec::with_capacity(lines.len());
        let mut first: HashMap<String, u64> = HashMap::with_capacity(lines.len());
        let mut twice = Vec::new();
        if let Some(sheet) = &self.sheets.lines {
            for line in lines {
                let number = line.row.number;
                let (_, Some(input), _) = read_line(sheet, line.row) else { continue };
                let Some(sku) = &input.sku else { continue };
                if let Some(first) = first.get(&fold::key(sku)) {
                    twice.push((
                        number,
                        format!("Row {first} has {sku} on this order already; a product stands on one line."),
                    ));
                    continue;
                }
                first.insert(fold::key(sku), number);
                read.push((number, ItemInput { row: usize::try_from(number).unwrap_or(usize::MAX), ..input }));
            }
        }
        for (row, message) in twice {
            self.lines_wrong(row, "sku", message);
        }
        read
    }

    /// The customers and products that orders name.
    async fn world(&self, db: &DatabaseTransaction, brings: Brings<'_, '_>, orders: &[Read]) -> Result<World> {
        let (people, codes) =
            people_of(db, brings.customers, orders.iter().map(|order| order.customer_code.as_str())).await?;
        let lines = orders.iter().flat_map(|order| &order.lines);
        let products = products_of(db, brings.products, lines.filter_map(|(_, line)| line.sku.as_deref())).await?;
        let past = products.of_any_state().into_owned();
        Ok(World { people, codes, products, past })
    }

    /// Reports customers and products that nobody knows.
    fn name_unknown(&mut self, brings: Brings<'_, '_>, world: &World, orders: &[Read]) {
        for order in orders.iter().filter(|order| !order.customer_code.is_empty()) {
            let key = fold::key(&order.customer_code);
            if !world.codes.contains_key(&key) && !may_have(brings.customers, &key) {
                let message = format!("There is no customer {}.", order.customer_code);
                self.order_wrong(order.row, "customer_code", message);
            }
        }
        self.name_unknown_products(brings, &world.products, orders.iter().flat_map(|order| &order.lines));
    }

    fn name_unknown_products<'l>(
        &mut self,
        brings: Brings<'_, '_>,
        products: &Products,
        lines: impl Iterator<Item = &'l (u64, ItemInput)>,
    ) {
        for (row, line) in lines {
            let Some(sku) = &line.sku else { continue };
            if !products.has(sku) && !may_have(brings.products, &fold::key(sku)) {
                let message = format!("There is no product {sku}.");
                self.lines_wrong(*row, "sku", message);
            }
        }
    }

    fn lines_wrong(&mut self, row: u64, field: &str, message: String) {
        if let Some(sheet) = &mut self.sheets.lines {
            sheet.at(row, field, message);
        }
    }

    fn order_wrong(&mut self, row: u64, field: &str, message: String) {
        if let Some(sheet) = &mut self.sheets.orders {
            sheet.at(row, field, message);
        }
    }

    /// Lines of an order that no file has: it must be stored, with the same lines.
    fn compare_lines(&mut self, stored: &HashMap<String, Order>, loose: &Loose, lines: &[(u64, ItemInput)]) {
        match stored.get(&loose.key) {
            None if self.sheets.orders.as_ref().is_some_and(|sheet| sheet.has_lost_rows) => {}
            None => {
                for (row, _) in lines {
                    self.lines_wrong(*row, "order_number", format!("There is no order {}.", loose.number));
                }
            }
            Some(before) => {
                let compared = self.same_lines(before, lines, &loose.number);
                self.counts[1].unchanged += if compared { count(lines.len()) } else { 0 };
            }
        }
    }

    /// An order that is stored: it must be the same.
    fn compare(&mut self, entry: &Read, world: &World, before: &Order) {
        let exists = |what: &str| {
            format!("The order {} exists and differs: {what}. A placed order never changes.", entry.number)
        };
        let customer = world.codes.get(&fold::key(&entry.customer_code)).copied();
        if customer != Some(before.header.customer.0) {
            self.order_wrong(entry.row, "customer_code", exists(&format!("it is for {}", before.customer_name)));
        }
        let day = |name: &str| {
            let given = entry.values.iter().find(|(known, _)| known == name);
            given.and_then(|(_, given)| match given {
                Given::Text(text) => text.trim().parse::<Date>().ok(),
                _ => None,
            })
        };
        for (name, stored) in
            [("order_date", &before.header.order_date), ("required_date", &before.header.required_date)]
        {
            let given = day(name);
            if given.is_some() && given != *stored {
                let stored = stored.as_ref().map_or("none", Date::iso);
                self.order_wrong(entry.row, name, exists(&format!("its day is {stored}")));
            }
        }
        let shipped_at = before.shipped_at.as_ref().map(|at| at.rfc3339().get(..10).unwrap_or_default());
        if let Some(shipped) = &entry.shipped
            && shipped_at != Some(shipped.iso())
        {
            let stored =
                shipped_at.map_or_else(|| "it is not shipped".into(), |day| format!("it was shipped on {day}"));
            self.order_wrong(entry.row, "shipped_date", exists(&stored));
        }
        let same = self.sheets.lines.is_none() || self.same_lines(before, &entry.lines, &entry.number);
        if same {
            self.counts[0].unchanged += 1;
            self.counts[1].unchanged += count(entry.lines.len());
        } else if entry.lines.is_empty() {
            self.order_wrong(entry.row, "number", exists("it has lines, and the file of lines has none of it"));
        }
    }

    /// Whether a stored order has just these lines; reports those it has not.
    fn same_lines(&mut self, before: &Order, lines: &[(u64, ItemInput)], number: &str) -> bool {
        let stored: HashMap<String, &Item> =
            before.items.iter().flatten().map(|item| (fold::key(&item.sku), item)).collect();
        let mut same = true;
        for (row, line) in lines {
            let item = line.sku.as_ref().and_then(|sku| stored.get(&fold::key(sku)));
            let differs = match item {
                None => Some(("sku", "it has no such line".to_owned())),
                Some(item) if item.quantity != line.quantity => {
                    Some(("quantity", format!("its quantity is {}", item.quantity)))
                }
                Some(item) if line.unit_price.is_some_and(|price| price != item.unit_price) => {
                    Some(("unit_price", format!("its price is {}", item.unit_price)))
                }
                Some(item) if line.discount_percent.is_some_and(|discount| discount != item.discount_percent) => {
                    Some(("discount_percent", format!("its discount is {} %", item.discount_percent)))
                }
                Some(_) => None,
            };
            if let Some((field, what)) = differs {
                same = false;
                self.lines_wrong(*row, field, format!("The order {number} exists and differs: {what}."));
            }
        }
        if same && lines.len() != stored.len() {
            same = false;
            if let Some((row, _)) = lines.first() {
                let message = format!("The order {number} exists and differs: it has {} lines.", stored.len());
                self.lines_wrong(*row, "order_number", message);
            }
        }
        same
    }

    /// A new order, unless something stands in the way.
    fn make(&mut self, entry: Read, world: &World) -> Option<New> {
        let mut values = entry.values;
        let customer = world.codes.get(&fold::key(&entry.customer_code)).copied();
        // Whether the customer is known was said before, and one that comes along has no id yet: this only lets the other values
        // be checked.
        values.push(("customer".into(), Given::Number("1".into())));
        let mut input = match OrderInput::given(&values) {
            Ok(input) => input,
            Err(error) => {
                if let Some(sheet) = &mut self.sheets.orders {
                    sheet.refused(entry.row, error);
                }
                return None;
            }
        };
        if entry.lines.len() > MAX_LINES {
            self.order_wrong(entry.row, "number", format!("An order can have up to {MAX_LINES} lines."));
            return None;
        }
        input.header.customer = CustomerId(customer?);
        let unresolved = |(_, line): &(u64, ItemInput)| line.sku.as_ref().is_none_or(|sku| !world.products.has(sku));
        if entry.is_broken || entry.lines.iter().any(unresolved) {
            return None;
        }
        let status = entry.status.unwrap_or(match (&entry.shipped, &entry.cancelled) {
            (_, Some(_)) => Status::Cancelled,
            (Some(_), None) => Status::Shipped,
            (None, None) => Status::Placed,
        });
        let ordered = input.header.order_date.as_ref().map(midnight);
        let origin = Origin {
            number: Some(entry.number),
            status,
            placed_at: if status == Status::Draft {
                None
            } else {
                Some(ordered.unwrap_or_else(crate::base::time::stored::now))
            },
            shipped_at: entry.shipped.as_ref().map(midnight),
            cancelled_at: (status == Status::Cancelled)
                .then(|| entry.cancelled.as_ref().map(midnight).or(ordered))
                .flatten(),
            cancel_reason: entry.cancel_reason,
        };
        let lines = count(entry.lines.len());
        input.items = Some(entry.lines.into_iter().map(|(_, line)| line).collect());
        let known = if status == Status::Draft { &world.products } else { &world.past };
        match New::of(input, Some(origin), &world.people, known) {
            Ok(new) => {
                self.counts[0].created += 1;
                self.counts[1].created += lines;
                Some(new)
            }
            Err(error) => {
                self.refused(entry.row, error);
                None
            }
        }
    }

    /// Puts what an order's rules say to the rows it is about: `items[17].quantity` is row 17 of the lines.
    fn refused(&mut self, row: u64, error: Error) {
        for (name, messages) in error.errors {
            let message = messages.join(" ");
            let line = name.strip_prefix("items[").and_then(|name| name.split_once("]."));
            match line.and_then(|(at, field)| Some((at.parse::<u64>().ok()?, field))) {
                Some((at, "product")) => self.lines_wrong(at, "sku", message),
                Some((at, field)) => self.lines_wrong(at, field, message),
                None if name == "customer" => self.order_wrong(row, "customer_code", message),
                None if name == "items" => self.order_wrong(row, "number", message),
                None => self.order_wrong(row, &name, message),
            }
        }
    }
}

/// The beginning of a day, in UTC.
fn midnight(day: &Date) -> Timestamp {
    Day::from(day).and_time(chrono::NaiveTime::MIN).and_utc()
}

fn count(rows: usize) -> u64 {
    u64::try_from(rows).unwrap_or(u64::MAX)
}
