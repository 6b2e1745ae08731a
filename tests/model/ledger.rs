//! Whether the log of events and the tables are true and agree, after everybody is done.

use std::collections::BTreeMap;

use axum::body::Body;
use kontor::access::gate::Access;
use kontor::base::time::Moment;
use kontor::base::time::stored::now;
use kontor::history::chain;
use kontor::history::entity::{Column, Entity, Model as Event};
use kontor::house::REFERENCES;
use kontor::orders::{Command, Order, Status, pricing};
use kontor::server::record::searchable;
use sea_orm::{ConnectionTrait, DbBackend, EntityTrait, FromQueryResult, JsonValue, QueryOrder, Statement};
use serde_json::{Value, json};

use crate::answers::Faults;
use crate::client::{CUSTOMERS, ORDERS, PRODUCTS};
use crate::history::Key;
use crate::support::{As, TestApp};
use crate::timeline::{Timeline, key_of};

/// All events, in the order of their places in the log.
pub async fn events(app: &TestApp) -> Vec<Event> {
    chain::seal(&app.state.database).await.unwrap();
    Entity::find().order_by_asc(Column::Place).all(app.state.database.reader()).await.unwrap()
}

/// Holds the log against itself and against the requests that wrote it.
pub fn check_events(timeline: &Timeline) -> Faults {
    let mut faults = Faults::new();
    for (place, event) in (1..).zip(&timeline.events) {
        if event.place != Some(place) {
            faults.push(format!("the event {} has the place {:?} instead of {place}", event.id, event.place));
        }
    }
    follow_versions(timeline, &mut faults);
    follow_requests(timeline, &mut faults);
    follow_settings(timeline, &mut faults);
    follow_orders(timeline, &mut faults);
    faults
}

/// Every version of a record follows the one before it, without a gap and without a double.
fn follow_versions(timeline: &Timeline, faults: &mut Faults) {
    // By the record: the version it is at, unless it is gone, and the last it ever had.
    let mut versions: BTreeMap<Key, (Option<i64>, i64)> = BTreeMap::new();
    for event in &timeline.events {
        let Some(key) = key_of(event) else { continue };
        let (now, last) = versions.entry(key).or_default();
        let wanted = if event.version_after.is_some() { Some(*last + 1) } else { None };
        if event.version_before != *now || event.version_after != wanted {
            let (before, after) = (event.version_before, event.version_after);
            faults.push(format!("{key} was at {now:?}, and the event {} leads from {before:?} to {after:?}", event.id));
        }
        *now = event.version_after;
        *last = event.version_after.unwrap_or(*last);
    }
}

/// Every event is of a request, and what was answered before something else was sent comes first.
fn follow_requests(timeline: &Timeline, faults: &mut Faults) {
    let mut latest = 0;
    for event in timeline.events.iter().filter(|event| key_of(event).is_some()) {
        let Some(span) = timeline.spans.get(&event.request_id) else {
            faults.push(format!("the event {} is of a request that nobody sent", event.id));
            continue;
        };
        if span.answered < latest {
            faults.push(format!("the event {} of {span} comes after one of a request sent at {latest}", event.id));
        }
        latest = latest.max(span.sent);
    }
}

/// A setting is changed from what it was.
fn follow_settings(timeline: &Timeline, faults: &mut Faults) {
    let mut stored: BTreeMap<&str, &Value> = BTreeMap::new();
    for event in timeline.events.iter().filter(|event| event.resource == "settings") {
        for (name, change) in event.changes.0.as_object().into_iter().flatten() {
            let known = stored.insert(name, &change[1]).unwrap_or(&Value::Null);
            if *known != change[0] {
                faults.push(format!(
                    "the setting {name} was {known}, and the event {} changes it from {}",
                    event.id, change[0]
                ));
            }
        }
    }
}

/// Orders go by their lifecycle, no number is given to two of them, and no customer is given more credit than they have.
fn follow_orders(timeline: &Timeline, faults: &mut Faults) {
    let mut numbers: BTreeMap<String, i64> = BTreeMap::new();
    let mut counts: BTreeMap<Key, usize> = BTreeMap::new();
    for event in &timeline.events {
        let Some(key) = key_of(event) else { continue };
        let count = counts.entry(key).or_default();
        *count += 1;
        let [before, after] = [*count - 1, *count].map(|at| timeline.states(key)[at].shown.clone());
        if key.resource != ORDERS {
            continue;
        }
        if let Some(number) = after["number"].as_str().filter(|_| before["number"] != after["number"])
            && *numbers.entry(number.to_owned()).or_insert(key.id) != key.id
        {
            faults.push(format!("{key} was given the number {number} of another order"));
        }
        let status = |order: &Value| order["status"].as_str().and_then(|name| name.parse::<Status>().ok());
        let is_legal = match (status(&before), status(&after)) {
            (Some(from), to) => Command::ALL.into_iter().any(|command| command.leads(from) == Some(to)),
            (None, to) => to.is_some(),
        };
        if !is_legal {
            faults.push(format!("the event {} leads {key} from {} to {}", event.id, before["status"], after["status"]));
        }
        // Those who may go beyond the limit are told apart by their name.
        if after["status"] == "placed" && before["status"] == "draft" && !event.actor_name.contains("administrator") {
            let customer = Key { resource: CUSTOMERS, id: after["customer"].as_i64().unwrap_or_default() };
            let at = |key: Key| counts.get(&key).map(|count| &timeline.states(key)[*count].shown);
            let limit = at(customer).and_then(|customer| cents(&customer["credit_limit"]));
            let orders = timeline.of(ORDERS).filter_map(at);
            let open = orders.filter(|order| order["status"] == "placed" && order["customer"] == customer.id);
            let open: i64 = open.filter_map(|order| cents(&order["total"])).sum();
            if limit.is_some_and(|limit| open > limit) {
                faults
                    .push(format!("with {key}, placed by the event {}, {customer} owes {open} of {limit:?}", event.id));
            }
        }
    }
}

fn cents(amount: &Value) -> Option<i64> {
    amount.as_str()?.replace('.', "").parse().ok()
}

/// Holds the tables against the log, and against what can be computed of them.
pub async fn check_tables(app: &TestApp, timeline: &Timeline) -> Faults {
    let mut faults = Faults::new();
    let access = Access::<kontor::history::View>::system(&app.state.database).unwrap();
    if let Some(fault) = chain::verify(&access, None).await.unwrap().fault {
        faults.push(format!("the chain is broken at place {}: {}", fault.place, fault.what));
    }
    check_records(app, timeline, &mut faults).await;
    check_references(app, &mut faults).await;
    check_counts(app, &mut faults).await;
    check_search(app, &mut faults).await;
    let twice = "SELECT order_id, product_id FROM order_items GROUP BY order_id, product_id HAVING COUNT(*) > 1";
    for row in rows(app, twice).await {
        faults.push(format!("an order has two lines of one product: {row}"));
    }
    let twice = "SELECT number_key FROM orders WHERE number_key IS NOT NULL GROUP BY number_key HAVING COUNT(*) > 1";
    for row in rows(app, twice).await {
        faults.push(format!("two orders have one number: {row}"));
    }
    faults
}

async fn rows(app: &TestApp, sql: &str) -> Vec<Value> {
    let reader = app.state.database.reader();
    let statement = Statement::from_string(reader.get_database_backend(), sql);
    JsonValue::find_by_statement(statement).all(reader).await.unwrap()
}

/// Every record is what its events say, now and as of now, and orders come to what their lines come to.
async fn check_records(app: &TestApp, timeline: &Timeline, faults: &mut Faults) {
    for resource in [CUSTOMERS, PRODUCTS, ORDERS] {
        let stored = rows(app, &format!("SELECT id FROM {resource} ORDER BY id")).await;
        let stored: Vec<_> = stored.iter().filter_map(|row| row["id"].as_i64()).collect();
        let is_there = |key: &Key| timeline.last(*key).is_some_and(|state| state.is_there());
        let told: Vec<_> = timeline.of(resource).filter(is_there).map(|key| key.id).collect();
        if stored != told {
            faults.push(format!("there are the {resource} {stored:?}, and by their events {told:?}"));
        }
    }
    let at = Moment::from(now());
    for key in timeline.records() {
        let path = format!("/api/{}/{}/", key.resource, key.id);
        let state = timeline.last(key).filter(|state| state.is_there());
        // What it was as of now is made of the same events again, so that some of the records will do.
        let then = (key.id % 4 == 0).then(|| format!("{path}?as_of={}", at.rfc3339()));
        for path in [path].into_iter().chain(then) {
            let answer = app.get(As::Administrator, &path).await;
            let is_true = match state {
                Some(state) => answer.status == 200 && answer.json() == state.shown,
                None => answer.status == 404,
            };
            if !is_true {
                faults.push(format!(
                    "{path} is {:?} by its events, and {} {}",
                    state.map(|state| &state.shown),
                    answer.status,
                    answer.body
                ));
            } else if key.resource == ORDERS && answer.status == 200 {
                faults.extend(priced(key, &serde_json::from_str(&answer.body).unwrap()));
            }
        }
    }
}

/// What is wrong with the amounts of an order.
fn priced(key: Key, order: &Order) -> Option<String> {
    let items = order.items.as_deref().unwrap_or_default();
    let lines: Vec<_> = items.iter().map(|item| item.line()).collect();
    let (amounts, totals) = pricing::price(&lines).ok()?;
    let told = (order.subtotal, order.discount_total, order.tax_total, order.total);
    let computed = (totals.subtotal, totals.discount_total, totals.tax_total, totals.total);
    if told != computed {
        return Some(format!("{key} has the totals {told:?} and comes to {computed:?}"));
    }
    let wrong = |(item, amount): &(&kontor::orders::Item, pricing::LineAmounts)| {
        (item.net, item.tax, item.total) != (amount.net, amount.tax, amount.total)
    };
    let wrong = items.iter().zip(amounts).find(wrong);
    let positions: Vec<_> = items.iter().map(|item| item.position).collect();
    match wrong {
        Some((item, amount)) => Some(format!("{key} has the line {item:?}, which comes to {amount:?}")),
        None if !positions.iter().copied().eq(1..=items.len() as i64) => {
            Some(format!("{key} has its lines at {positions:?}"))
        }
        None => None,
    }
}

/// No reference leads nowhere.
async fn check_references(app: &TestApp, faults: &mut Faults) {
    for reference in REFERENCES {
        let (to, table, column) = (reference.to, reference.table, reference.column);
        let lost = format!("SELECT {column} FROM {table} WHERE {column} NOT IN (SELECT id FROM {to})");
        for row in rows(app, &lost).await {
            faults.push(format!("{table} refer to {to} that are gone: {row}"));
        }
    }
}

/// The numbers of whole tables are those of their rows.
async fn check_counts(app: &TestApp, faults: &mut Faults) {
    let cast = |sum: &str| format!("CAST(SUM({sum}) AS BIGINT)");
    let kept = format!(
        "SELECT resource, tab, {} AS n, {} AS total FROM tallies GROUP BY resource, tab HAVING SUM(counted) <> 0 OR SUM(above) <> 0 \
         OR SUM(below) <> 0 ORDER BY resource, tab",
        cast("counted"),
        cast("above * 1000000 + below")
    );
    let mut counted = Vec::new();
    for (resource, tab, amount) in [(CUSTOMERS, "''", "0"), (ORDERS, "status", "total"), (PRODUCTS, "''", "0")] {
        let all = format!("SELECT '{resource}' AS resource, {tab} AS tab, {amount} AS amount FROM {resource}");
        let sums = format!(
            "SELECT resource, tab, COUNT(*) AS n, {} AS total FROM ({all}) AS a GROUP BY resource, tab ORDER BY tab",
            cast("amount")
        );
        counted.extend(rows(app, &sums).await);
    }
    let kept = rows(app, &kept).await;
    if kept != counted {
        faults.push(format!("the numbers {} are kept of the tables, and counted are {}", json!(kept), json!(counted)));
    }
}

/// Searches look at what the records say.
async fn check_search(app: &TestApp, faults: &mut Faults) {
    for (resource, fields) in [
        (CUSTOMERS, &["name", "code", "email", "phone", "billing_city", "shipping_city"][..]),
        (PRODUCTS, &["name", "sku", "category", "barcode"][..]),
    ] {
        for row in rows(app, &format!("SELECT * FROM {resource}")).await {
            let values = fields.iter().filter_map(|field| row[field].as_str()).collect::<Vec<_>>().join("\n");
            if row["search_text"].as_str() != Some(&searchable([Some(&values)])) {
                faults.push(format!("{resource} {} says {values:?} and is found by {}", row["id"], row["search_text"]));
            }
        }
    }
    for row in rows(app, "SELECT * FROM orders").await {
        let text = row["search_text"].as_str().unwrap_or_default();
        for value in ["number", "customer_name", "customer_reference"].into_iter().filter_map(|name| row[name].as_str())
        {
            if !text.contains(&searchable([Some(&value.to_owned())])) {
                faults.push(format!("orders {} says {value:?} and is found by {text:?}", row["id"]));
            }
        }
    }
    if app.state.database.reader().get_database_backend() == DbBackend::Sqlite {
        let transaction = app.state.database.write().await.unwrap();
        for resource in [CUSTOMERS, PRODUCTS, ORDERS] {
            let sql = format!("INSERT INTO {resource}_search ({resource}_search, rank) VALUES ('integrity-check', 1)");
            if let Err(error) = transaction.execute_unprepared(&sql).await {
                faults.push(format!("the search index of {resource} is not that of its texts: {error}"));
            }
        }
        transaction.rollback().await.unwrap();
    }
}

/// Reads the feed of events from any server until `is_over` and nothing more comes.
pub async fn follow(servers: &[&TestApp], is_over: impl Fn() -> bool) -> Vec<Value> {
    let (mut told, mut last) = (Vec::new(), 0);
    for turn in 0.. {
        let over = is_over();
        let app = servers[turn % servers.len()];
        let path = format!("/api/events/?after={last}&page_size=17&wait=0");
        let answer = app.call(As::Administrator, "GET", &path, &[], Body::empty()).await;
        assert_eq!(answer.status, 200, "a follower of events is told {}", answer.body);
        let answer = answer.json();
        let page = answer["results"].as_array().unwrap();
        told.extend(page.iter().cloned());
        last = answer["last"].as_i64().unwrap();
        if page.is_empty() {
            if over {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }
    told
}

/// Whoever followed the events was told each of them once, in order, and as it is stored.
pub fn check_feed(app: &TestApp, told: &[Value], timeline: &Timeline) -> Faults {
    let mut faults = Faults::new();
    let followed = |event: &&Event| app.state.kinds.iter().any(|kind| kind.name == event.resource);
    let stored: Vec<_> = timeline.events.iter().filter(followed).collect();
    let places: Vec<_> = told.iter().filter_map(|event| event["id"].as_i64()).collect();
    let wanted: Vec<_> = stored.iter().filter_map(|event| event.place).collect();
    if places != wanted {
        let missed: Vec<_> = wanted.iter().filter(|place| !places.contains(place)).collect();
        faults.push(format!("a follower of events missed {missed:?}, and was told {places:?}"));
        return faults;
    }
    for (told, stored) in told.iter().zip(stored) {
        let same = told["record"] == stored.record_id
            && told["changes"] == stored.changes.0
            && told["version_after"].as_i64() == stored.version_after
            && told["request_id"] == stored.request_id;
        if !same {
            faults.push(format!("a follower was told {told}, and stored is {stored:?}"));
        }
    }
    faults
}
