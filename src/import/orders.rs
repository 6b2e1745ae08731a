//! Orders with their lines, as they happened elsewhere: with number, dates and status of their own.

use std::collections::{HashMap, HashSet};

use super::mapping::{ORIGIN, OWNER};
use super::run::{Import, Watch};
use super::sheet::{Sheet, Values};
use super::table::Row;
use super::{Counts, Kind};
use crate::access::gate::Access;
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
use crate::server::record::{Add, bulk};
use crate::server::transaction::DatabaseTransaction;

/// How many orders are handed over at once, so that progress is seen.
const BATCH: usize = 1_000;

/// The keys that a file of customers or products brings along; the records of rows with problems are not stored.
#[derive(Debug, Default)]
pub struct Brought {
    pub keys: HashSet<String>,
    /// Whether rows could not be read, so that any key may be in them.
    pub some_are_lost: bool,
}

impl Brought {
    fn may_have(&self, key: &str) -> bool {
        self.some_are_lost || self.keys.contains(key)
    }
}

/// What the files that orders refer to bring along.
#[derive(Debug, Default)]
pub struct Brings {
    pub customers: Brought,
    pub products: Brought,
}

/// The files that make orders.
#[derive(Debug, Default)]
pub struct Sheets {
    pub orders: Option<Sheet>,
    pub lines: Option<Sheet>,
}

/// An order as the file has it.
struct Entry {
    row: u64,
    key: String,
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

/// Lines of an order that stands in no file.
struct Loose {
    number: String,
    lines: Vec<(u64, ItemInput)>,
}

/// Imports orders and lines. An order whose number is taken must be the same; then it is left alone.
///
/// # Errors
/// `Forbidden`; `Conflict` at a number that somebody else took meanwhile.
pub async fn import(
    transaction: &DatabaseTransaction,
    access: &Access<Import>,
    sheets: &mut Sheets,
    brought: &Brings,
    watch: &Watch<'_>,
) -> Result<Vec<(Kind, Counts)>> {
    let mut entries = sheets.orders.as_mut().map(|sheet| entries(sheet, watch)).unwrap_or_default();
    let (loose, keys_of_lines) = match &mut sheets.lines {
        Some(sheet) => lines(sheet, &mut entries, watch),
        None => (HashMap::new(), HashSet::new()),
    };
    let mut desk =
        Desk { sheets, brought, people: People::new(), codes: HashMap::new(), counts: [Counts::default(); 2] };
    desk.meet(transaction, &entries).await?;
    let known = desk.find_products(transaction, &entries, &loose, keys_of_lines).await?;
    let numbers: Vec<_> = entries.iter().map(|entry| entry.key.clone()).chain(loose.keys().cloned()).collect();
    let before = stored::numbered(transaction, &numbers).await?;
    let past = known.of_any_state().into_owned();
    let mut new = Vec::new();
    for (key, loose) in &loose {
        desk.compare_lines(&before, key, loose);
    }
    for entry in entries {
        match before.get(&entry.key) {
            Some(before) => desk.compare(&entry, before),
            None => new.extend(desk.make(entry, &known, &past)),
        }
    }
    let counts = desk.counts;
    if sheets.is_clean() && !new.is_empty() {
        let adding = access.also::<Add<stored::Entity>>()?;
        while !new.is_empty() {
            let rest = new.split_off(new.len().min(BATCH));
            watch.steps(new.len());
            stored::insert_all(transaction, &adding, std::mem::replace(&mut new, rest)).await?;
        }
    }
    let kinds = [sheets.orders.is_some().then_some(Kind::Orders), sheets.lines.is_some().then_some(Kind::Lines)];
    Ok(kinds.into_iter().zip(counts).filter_map(|(kind, counts)| Some((kind?, counts))).collect())
}

impl Sheets {
    fn is_clean(&self) -> bool {
        [&self.orders, &self.lines].into_iter().flatten().all(|sheet| sheet.problems.is_empty())
    }
}

/// The rows of the file of orders that have a number of their own.
fn entries(sheet: &mut Sheet, watch: &Watch<'_>) -> Vec<Entry> {
    let mut first: HashMap<String, u64> = HashMap::with_capacity(sheet.rows.len());
    let mut entries = Vec::with_capacity(sheet.rows.len());
    for row in std::mem::take(&mut sheet.rows) {
        watch.step();
        let Some(entry) = entry(sheet, &row) else { continue };
        if let Some(first) = first.get(&entry.key) {
            sheet.at(row.number, "number", format!("Row {first} has the order {} already.", entry.number));
            continue;
        }
        first.insert(entry.key.clone(), row.number);
        entries.push(entry);
    }
    entries
}

/// An order of which as much is read as can be; nothing when it has no number.
fn entry(sheet: &mut Sheet, row: &Row) -> Option<Entry> {
    let (own, mut errors) = sheet.values(row, ORIGIN);
    let (values, more) = sheet.values(row, OrderInput::FIELDS);
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
    let number = text("number");
    let is_broken = !errors.is_empty();
    sheet.wrong(row.number, errors);
    let number = number?;
    Some(Entry {
        row: row.number,
        key: fold::key(&number),
        number,
        customer_code: text("customer_code").unwrap_or_default(),
        status,
        shipped,
        cancelled,
        cancel_reason,
        values,
        lines: Vec::new(),
        is_broken,
    })
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

/// Hands the rows of the file of lines to their orders; those of other orders come back, with every SKU that occurs and the
/// rows it stands in.
fn lines(sheet: &mut Sheet, entries: &mut [Entry], watch: &Watch<'_>) -> (HashMap<String, Loose>, HashSet<String>) {
    let owners: HashMap<String, usize> =
        entries.iter().enumerate().map(|(index, entry)| (entry.key.clone(), index)).collect();
    let mut loose: HashMap<String, Loose> = HashMap::new();
    let mut first: HashMap<(String, String), u64> = HashMap::with_capacity(sheet.rows.len());
    let mut skus = HashSet::new();
    for row in std::mem::take(&mut sheet.rows) {
        watch.step();
        let (own, mut errors) = sheet.values(&row, OWNER);
        let number =
            each(OWNER, &own, &mut errors).get("order_number").and_then(|number| number.as_str().map(str::to_owned));
        let (values, more) = sheet.values(&row, ItemInput::FIELDS);
        errors.extend(more);
        let input = match ItemInput::given(&values) {
            Ok(input) => Some(input),
            Err(error) => {
                errors.extend(error.errors);
                None
            }
        };
        let sku = input.as_ref().and_then(|input| input.sku.clone());
        if input.is_some() && sku.is_none() {
            errors.entry("sku".into()).or_default().push("SKU is required.".into());
        }
        let is_broken = !errors.is_empty();
        sheet.wrong(row.number, errors);
        let (Some(number), Some(input), Some(sku)) = (number, input, sku) else { continue };
        let (key, sku_key) = (fold::key(&number), fold::key(&sku));
        skus.insert(sku_key.clone());
        if let Some(first) = first.get(&(key.clone(), sku_key.clone())) {
            sheet.at(
                row.number,
                "sku",
                format!("Row {first} has {sku} on this order already; a product stands on one line."),
            );
            continue;
        }
        first.insert((key.clone(), sku_key), row.number);
        let at = usize::try_from(row.number).unwrap_or(usize::MAX);
        let line = (row.number, ItemInput { row: at, ..input });
        match owners.get(&key).and_then(|owner| entries.get_mut(*owner)) {
            Some(owner) => {
                owner.is_broken |= is_broken;
                owner.lines.push(line);
            }
            None => loose.entry(key).or_insert_with(|| Loose { number, lines: Vec::new() }).lines.push(line),
        }
    }
    (loose, skus)
}

/// What is known while orders are made.
struct Desk<'a> {
    sheets: &'a mut Sheets,
    brought: &'a Brings,
    people: People,
    codes: HashMap<String, i64>,
    /// Of orders and of lines.
    counts: [Counts; 2],
}

impl Desk<'_> {
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

    /// Gets to know the customers, and reports those nobody knows.
    async fn meet(&mut self, transaction: &DatabaseTransaction, entries: &[Entry]) -> Result<()> {
        let keys: HashSet<_> = entries.iter().map(|entry| fold::key(&entry.customer_code)).collect();
        let keys: Vec<_> = keys.into_iter().collect();
        let found = bulk::keyed::<customers::Entity>(transaction, "code", &keys).await?;
        self.codes = found.into_iter().map(|(key, customer)| (key, customer.id.0)).collect();
        self.people = stored::customers(transaction, self.codes.values().copied()).await?;
        for entry in entries.iter().filter(|entry| !entry.customer_code.is_empty()) {
            let key = fold::key(&entry.customer_code);
            if !self.codes.contains_key(&key) && !self.brought.customers.may_have(&key) {
                let message = format!("There is no customer {}.", entry.customer_code);
                self.order_wrong(entry.row, "customer_code", message);
            }
        }
        Ok(())
    }

    /// Gets to know the products, and reports lines with those nobody knows.
    async fn find_products(
        &mut self,
        transaction: &DatabaseTransaction,
        entries: &[Entry],
        loose: &HashMap<String, Loose>,
        skus: HashSet<String>,
    ) -> Result<Products> {
        let keys: Vec<_> = skus.into_iter().collect();
        let found = bulk::keyed::<products::Entity>(transaction, "sku", &keys).await?;
        let lines = entries.iter().flat_map(|entry| &entry.lines).chain(loose.values().flat_map(|loose| &loose.lines));
        for (row, line) in lines {
            let Some(sku) = &line.sku else { continue };
            let key = fold::key(sku);
            if !found.contains_key(&key) && !self.brought.products.may_have(&key) {
                let message = format!("There is no product {sku}.");
                self.lines_wrong(*row, "sku", message);
            }
        }
        let named: Vec<_> = found
            .into_values()
            .map(|product| ItemInput { product: Some(product.id), ..ItemInput::default() })
            .collect();
        Products::named(transaction, &named).await
    }

    /// Lines of an order that no file has: it must be stored, with the same lines.
    fn compare_lines(&mut self, stored: &HashMap<String, Order>, key: &str, loose: &Loose) {
        match stored.get(key) {
            None if self.sheets.orders.as_ref().is_some_and(|sheet| sheet.has_lost_rows) => {}
            None => {
                for (row, _) in &loose.lines {
                    self.lines_wrong(*row, "order_number", format!("There is no order {}.", loose.number));
                }
            }
            Some(before) => {
                let compared = self.same_lines(before, &loose.lines, &loose.number);
                self.counts[1].unchanged += if compared { count(loose.lines.len()) } else { 0 };
            }
        }
    }

    /// An order that is stored: it must be the same.
    fn compare(&mut self, entry: &Entry, before: &Order) {
        let exists = |what: &str| {
            format!("The order {} exists and differs: {what}. A placed order never changes.", entry.number)
        };
        let customer = self.codes.get(&fold::key(&entry.customer_code)).copied();
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
    fn make(&mut self, entry: Entry, products: &Products, past: &Products) -> Option<New> {
        let mut values = entry.values;
        let customer = self.codes.get(&fold::key(&entry.customer_code)).copied();
        // Whether the customer is known was said before; this only lets the other values be checked.
        values.push(("customer".into(), Given::Number(customer.unwrap_or(1).to_string())));
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
        let unresolved = |(_, line): &(u64, ItemInput)| line.sku.as_ref().is_none_or(|sku| !products.has(sku));
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
        let known = if status == Status::Draft { products } else { past };
        match New::of(input, Some(origin), &self.people, known) {
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
