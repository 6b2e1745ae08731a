//! The demo company at a size that is asked for.

use std::collections::{BTreeMap, BTreeSet};

use kontor::demo::company;
use kontor::history::entity as history;
use kontor::orders::{Item, entity as orders, item, pricing};
use kontor::server::database::Database;
use kontor::{customers, products};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder};

use crate::both;
use crate::cli::{kontor, ok, refused};

const ORDERS: u64 = 300;

/// What every order comes to, for whom, and how far it got; oldest first.
async fn loaded(database: &Database) -> Vec<impl PartialEq + std::fmt::Debug + use<>> {
    company::load(database, ORDERS, &|_| {}).await.unwrap();
    let orders = orders::Entity::find().order_by_asc(orders::Column::Id).all(database.reader()).await.unwrap();
    let told = |order: orders::Model| {
        (order.customer_name, order.status, order.subtotal, order.discount_total, order.tax_total, order.total)
    };
    orders.into_iter().map(told).collect()
}

both! {
    async fn a_company_is_the_same_on_every_database(app) {
        let folder = tempfile::tempdir().unwrap();
        let other = Database::connect(&format!("sqlite:{}", folder.path().join("other.db").display())).await.unwrap();
        other.migrate().await.unwrap();
        let (here, there) = (loaded(&app.state.database).await, loaded(&other).await);
        assert_eq!(here.len(), 300);
        assert!(here == there, "{here:#?}\n{there:#?}");
        other.close().await;
    }

    async fn every_order_of_a_company_comes_to_what_its_lines_say(app) {
        company::load(&app.state.database, ORDERS, &|_| {}).await.unwrap();
        let reader = app.state.database.reader();
        let mut lines: BTreeMap<_, Vec<Item>> = BTreeMap::new();
        for row in item::Entity::find().order_by_asc(item::Column::Position).all(reader).await.unwrap() {
            lines.entry(row.order_id).or_default().push(row.into());
        }
        let mut statuses = BTreeMap::new();
        for order in orders::Entity::find().all(reader).await.unwrap() {
            let lines = &lines[&order.id];
            assert!((1..=60).contains(&lines.len()));
            let (amounts, totals) = pricing::price(&lines.iter().map(Item::line).collect::<Vec<_>>()).unwrap();
            for (line, amount) in lines.iter().zip(amounts) {
                assert_eq!((line.net, line.tax, line.total), (amount.net, amount.tax, amount.total));
            }
            let stored = (order.subtotal, order.discount_total, order.tax_total, order.total);
            assert_eq!(stored, (totals.subtotal, totals.discount_total, totals.tax_total, totals.total));
            assert_eq!(order.number.is_none(), order.status == "draft");
            *statuses.entry(order.status).or_insert(0) += 1;
        }
        assert_eq!(statuses.keys().collect::<Vec<_>>(), ["cancelled", "draft", "placed", "shipped"]);
        assert!(statuses["shipped"] > 200, "{statuses:?}");
        let records = [
            customers::entity::Entity::find().count(reader).await.unwrap(),
            products::entity::Entity::find().count(reader).await.unwrap(),
            ORDERS,
        ];
        assert_eq!(records, [24, 40, 300]);
        for (resource, count) in ["customers", "products", "orders"].into_iter().zip(records) {
            let events = history::Entity::find().filter(history::Column::Resource.eq(resource));
            let events = events.filter(history::Column::Command.eq("create")).all(reader).await.unwrap();
            let about: BTreeSet<_> = events.iter().map(|event| event.record_id).collect();
            assert_eq!((events.len() as u64, about.len() as u64), (count, count), "{resource}");
        }
    }

    async fn a_company_is_for_an_empty_database(app) {
        let run = |arguments: &[&str]| kontor(&app.url, arguments, "");
        assert!(refused(run(&["demo", "--orders", "0"])).contains("--orders"));
        assert_eq!(ok(run(&["demo", "--orders", "50"])), "Loaded 24 customers, 40 products and 50 orders.\n");
        assert!(refused(run(&["demo", "--orders", "50"])).contains("empty database"));
        // Those who come after the company get the next numbers.
        assert_eq!(app.customer("Another").await["code"], "C-00025");
    }
}
