//! The demo company at any size, to see how the desk does with many records: five years of orders with seasons, a few customers
//! who order a lot and a long tail who seldom do. The same size is the same company on every database.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Datelike, Days};
use sea_orm::{EntityTrait, QueryOrder, QuerySelect};

use super::{Chance, Loaded, access, demand_empty, header, origin, words};
use crate::base::Result;
use crate::base::money::Percent;
use crate::base::time::stored::{Day, today};
use crate::customers::{CustomerId, entity as customers};
use crate::orders::entity::{self as orders, New};
use crate::orders::item::Products;
use crate::orders::{ItemInput, OrderInput, Status};
use crate::products::{ProductId, entity as products};
use crate::server::database::Database;
use crate::server::record::{Add, bulk};
use crate::server::transaction::DatabaseTransaction;

/// How many records go into one transaction.
const BATCH: u64 = 1_000;

/// The most lines an order has.
const LINES: u64 = 60;

const DAYS: u64 = 5 * 365;

/// Loads a company that has had so many orders, a batch at a time; `tell` hears how many are written. What was written stays
/// when it is stopped halfway.
///
/// # Errors
/// `Conflict` when there are customers or products already.
pub async fn load(database: &Database, orders: u64, tell: &(dyn Fn(u64) + Sync)) -> Result<Loaded> {
    demand_empty(database).await?;
    let (customers, products) = ((orders / 20).clamp(24, 50_000), (orders / 100).clamp(40, 10_000));
    add_customers(database, customers).await?;
    add_products(database, products).await?;
    let company = Company::read(database, orders).await?;
    for first in batches(orders) {
        let last = orders.min(first + BATCH);
        company.order(database, (first..last).map(|index| company.plan(index)).collect()).await?;
        tell(last);
    }
    database.analyze().await?;
    Ok(Loaded { customers, products, orders })
}

fn batches(count: u64) -> impl Iterator<Item = u64> {
    (0..count.div_ceil(BATCH)).map(|batch| batch * BATCH)
}

async fn add_customers(database: &Database, count: u64) -> Result<()> {
    let access = access::<Add<customers::Entity>>(database)?;
    for first in batches(count) {
        let mut inputs: Vec<_> = (first..count.min(first + BATCH)).map(words::customer).collect();
        let transaction = access.write().await?;
        let codes = customers::next_codes(&transaction, inputs.len()).await?;
        for (input, code) in inputs.iter_mut().zip(codes) {
            input.code = Some(code);
        }
        bulk::create_all(&transaction, &access, &inputs).await?;
        transaction.commit().await?;
    }
    Ok(())
}

async fn add_products(database: &Database, count: u64) -> Result<()> {
    let access = access::<Add<products::Entity>>(database)?;
    for first in batches(count) {
        let inputs: Vec<_> = (first..count.min(first + BATCH)).map(words::product).collect();
        let transaction = access.write().await?;
        bulk::create_all(&transaction, &access, &inputs).await?;
        transaction.commit().await?;
    }
    Ok(())
}

/// What orders are made of. Customers and products stand in the order of [`words`].
struct Company {
    orders: u64,
    customers: Vec<CustomerId>,
    products: Vec<ProductId>,
    /// For new orders, and for those of the past.
    known: [Products; 2],
    calendar: Calendar,
}

/// An order but for its number.
struct Planned {
    status: Status,
    date: Day,
    input: OrderInput,
    chance: Chance,
}

impl Company {
    async fn read(database: &Database, orders: u64) -> Result<Self> {
        let reader = database.reader();
        let customers = customers::Entity::find().select_only().column(customers::Column::Id);
        let customers = customers.order_by_asc(customers::Column::Id).into_tuple().all(reader).await?;
        let products = products::Entity::find().select_only().column(products::Column::Id);
        let products: Vec<_> = products.order_by_asc(products::Column::Id).into_tuple().all(reader).await?;
        let named: Vec<_> =
            products.iter().map(|id| ItemInput { product: Some(*id), ..ItemInput::default() }).collect();
        let known = Products::named(reader, &named).await?;
        let past = known.of_any_state().into_owned();
        Ok(Self { orders, customers, products, known: [known, past], calendar: Calendar::until(today()) })
    }

    /// The order of this place, from 0 for the oldest.
    fn plan(&self, index: u64) -> Planned {
        let mut chance = Chance::about("order", index);
        let left = self.orders - index;
        let status = match chance.below(20) {
            _ if left <= 5 + self.orders / 2_000 => Status::Draft,
            0 => Status::Cancelled,
            _ if left <= 20 + self.orders / 100 => Status::Placed,
            _ => Status::Shipped,
        };
        let date = self.calendar.day(index, self.orders);
        let is_past = matches!(status, Status::Shipped | Status::Cancelled);
        let mut buyer = chance.skewed_below(self.customers.len() as u64);
        if !is_past && !words::buys(buyer) {
            buyer -= 1;
        }
        let header = header(&mut chance, at(&self.customers, buyer), date);
        let items = Some(self.lines(&mut chance, is_past));
        Planned { status, date, input: OrderInput { header, items }, chance }
    }

    fn lines(&self, chance: &mut Chance, is_past: bool) -> Vec<ItemInput> {
        let all = self.products.len() as u64;
        let wanted = match chance.below(100) {
            ..72 => 1 + chance.below(5),
            72..96 => 4 + chance.below(7),
            _ => 10 + chance.skewed_below(LINES - 9),
        };
        let mut chosen: Vec<u64> = Vec::new();
        while (chosen.len() as u64) < wanted.min(all / 2) {
            let mut product = chance.skewed_below(all);
            while chosen.contains(&product) || !(is_past || words::sells(product)) {
                product = (product + 1) % all;
            }
            chosen.push(product);
        }
        let line = |(row, product): (usize, u64)| ItemInput {
            row,
            product: Some(at(&self.products, product)),
            quantity: words::quantity(product, chance),
            discount_percent: match chance.below(20) {
                0..3 => Some(Percent::from(500)),
                3 => Some(Percent::from(1_250)),
                _ => None,
            },
            ..ItemInput::default()
        };
        chosen.into_iter().enumerate().map(line).collect()
    }

    async fn order(&self, database: &Database, planned: Vec<Planned>) -> Result<()> {
        let access = access::<Add<orders::Entity>>(database)?;
        let transaction = access.write().await?;
        let buyers: BTreeSet<_> = planned.iter().map(|order| order.input.header.customer.0).collect();
        let people = orders::customers(&transaction, buyers).await?;
        let mut numbers = Numbers::draw(&transaction, &planned).await?;
        let made = planned.into_iter().map(|Planned { status, date, input, mut chance }| {
            let origin = origin(&mut chance, numbers.next(status, date), status, date);
            let [new, past] = &self.known;
            New::of(input, Some(origin), &people, if status == Status::Draft { new } else { past })
        });
        let made = made.collect::<Result<Vec<_>>>()?;
        orders::insert_all(&transaction, &access, made).await?;
        transaction.commit().await
    }
}

fn at<T: Copy + Default>(list: &[T], index: u64) -> T {
    usize::try_from(index).ok().and_then(|index| list.get(index)).copied().unwrap_or_default()
}

/// The numbers of a batch of orders, by year.
struct Numbers(BTreeMap<i32, std::vec::IntoIter<String>>);

impl Numbers {
    async fn draw(transaction: &DatabaseTransaction, planned: &[Planned]) -> Result<Self> {
        let mut wanted: BTreeMap<i32, usize> = BTreeMap::new();
        for order in planned.iter().filter(|order| order.status != Status::Draft) {
            *wanted.entry(order.date.year()).or_default() += 1;
        }
        let mut numbers = BTreeMap::new();
        for (year, count) in wanted {
            numbers.insert(year, orders::next_numbers(transaction, year, count).await?.into_iter());
        }
        Ok(Self(numbers))
    }

    fn next(&mut self, status: Status, date: Day) -> Option<String> {
        if status == Status::Draft { None } else { self.0.get_mut(&date.year())?.next() }
    }
}

/// How the orders of five years spread over their days: more in December and before summer, none on Sundays, and more every
/// year.
struct Calendar {
    first: Day,
    /// For each day, the weight of all days up to it.
    sums: Vec<u64>,
}

impl Calendar {
    fn until(last: Day) -> Self {
        const BY_WEEKDAY: [u64; 7] = [11, 10, 9, 10, 12, 3, 0];
        const BY_MONTH: [u64; 12] = [7, 7, 9, 10, 12, 12, 10, 8, 10, 11, 14, 16];
        let first = last.checked_sub_days(Days::new(DAYS)).unwrap_or(last);
        let mut sum = 0;
        let sums = first.iter_days().zip(0..=DAYS).map(|(day, age)| {
            let weekday = BY_WEEKDAY.get(day.weekday().num_days_from_monday() as usize);
            let month = BY_MONTH.get(day.month0() as usize);
            sum += weekday.unwrap_or(&0) * month.unwrap_or(&0) * (1_000 + age / 2);
            sum
        });
        Self { first, sums: sums.collect() }
    }

    fn day(&self, index: u64, orders: u64) -> Day {
        let all = self.sums.last().copied().unwrap_or_default();
        let reached = u128::from(all) * u128::from(2 * index + 1) / u128::from(2 * orders);
        let days = self.sums.partition_point(|sum| u128::from(*sum) <= reached);
        self.first.checked_add_days(Days::new(days as u64)).unwrap_or(self.first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_ascend_to_the_last_and_no_order_comes_on_a_sunday() {
        let last = Day::from_ymd_opt(2026, 11, 25).unwrap();
        let calendar = Calendar::until(last);
        let days: Vec<_> = (0..10_000).map(|index| calendar.day(index, 10_000)).collect();
        assert!(days.is_sorted());
        assert_eq!((days[0].year(), *days.last().unwrap()), (2021, last));
        assert!(days.iter().all(|day| day.weekday() != chrono::Weekday::Sun));
        let of = |month| days.iter().filter(|day| day.year() == 2025 && day.month() == month).count();
        assert!(of(12) > of(1) * 3 / 2);
    }

    #[test]
    fn no_two_products_or_customers_are_called_the_same() {
        let skus: BTreeSet<_> = (0..10_000).map(|index| words::product(index).sku).collect();
        let names: BTreeSet<_> = (0..10_000).map(|index| words::product(index).name).collect();
        assert_eq!((skus.len(), names.len()), (10_000, 10_000));
        let emails: BTreeSet<_> = (0..50_000).map(|index| words::customer(index).email).collect();
        assert_eq!(emails.len(), 50_000);
    }
}
