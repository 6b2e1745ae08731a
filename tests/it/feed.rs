//! Following every change over REST.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;
use kontor::history::chain;
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use serde_json::{Value, json};

use crate::both;
use crate::support::{As, Kind, TestApp, run};

async fn after(app: &TestApp, last: i64, more: &str) -> (i64, Vec<Value>) {
    let told = app.get(As::Viewer, &format!("/api/events/?after={last}{more}")).await.expect(200).json();
    (told["last"].as_i64().unwrap(), told["results"].as_array().unwrap().clone())
}

both! {
    async fn events_are_told_in_order_with_what_changed(app) {
        let customer = app.customer("Bob").await;
        let path = format!("/api/customers/{}/", customer["id"]);
        app.json(As::Staff, "PATCH", &path, json!({ "name": "Rob" })).await.expect(200);
        app.product("A", "1.00").await;
        let order = app.order(&customer, json!([{ "sku": "A", "quantity": 1 }])).await;
        app.act(As::Staff, &order, "cancel", json!({ "reason": "twice" })).await.expect(200);
        let (last, events) = after(app, 0, "").await;
        let said: Vec<_> = events.iter().map(|event| format!("{} {}", event["resource"].as_str().unwrap(), event["command"].as_str().unwrap())).collect();
        assert_eq!(said, ["customers create", "customers change", "products create", "orders create", "orders cancel"]);
        assert_eq!(events[1]["changes"], json!({ "name": ["Bob", "Rob"] }));
        assert_eq!((events[1]["version_before"].clone(), events[1]["version_after"].clone()), (json!(1), json!(2)));
        assert_eq!(events[4]["reason"], "twice");
        assert_eq!((events[4]["door"].clone(), events[4]["record"].clone()), (json!("api"), order["id"].clone()));
        assert_eq!(last, events[4]["id"].as_i64().unwrap());
        assert_eq!(after(app, last, "").await, (last, Vec::new()));
        let (_, rest) = after(app, events[1]["id"].as_i64().unwrap(), "&page_size=1").await;
        assert_eq!(rest, [events[2].clone()]);
        for resource in ["orders", "order"] {
            let (_, of_orders) = after(app, 0, &format!("&resource={resource}")).await;
            assert_eq!(of_orders, events[3..]);
        }
    }

    async fn what_happened_to_others_is_looked_at_once(app) {
        app.customer("Bob").await;
        for number in 0..5 {
            app.product(&format!("P-{number}"), "1.00").await;
        }
        let (last, told) = after(app, 0, "&resource=customers").await;
        assert_eq!(told.len(), 1);
        assert!(last > told[0]["id"].as_i64().unwrap(), "a follower of customers need not ask after the products again");
        let idle = async |from: i64| {
            let before = app.state.database.statements();
            let path = format!("/api/events/?resource=customers&after={from}");
            let told = app.by_session(As::Viewer, &path).await.expect(200).json();
            assert_eq!((told["last"].as_i64().unwrap(), told["results"].as_array().unwrap().len()), (last, 0));
            app.state.database.statements() - before
        };
        let behind = idle(last - 1).await;
        assert_eq!(idle(last).await, behind - 1, "where nothing is new, no event is looked for");
        let (_, told) = after(app, last, "").await;
        assert!(told.is_empty());
        app.customer("Late").await;
        let (_, told) = after(app, last, "&resource=customers").await;
        assert_eq!(told.len(), 1, "what comes later is still found");
    }

    async fn only_what_one_may_see_is_told(app) {
        app.customer("Bob").await;
        app.product("A", "1.00").await;
        let told = app.get(As::Scoped, "/api/events/").await.expect(200).json();
        assert_eq!(told["results"].as_array().unwrap().len(), 1);
        assert_eq!(told["results"][0]["resource"], "products");
        let refused = app.get(As::Scoped, "/api/events/?resource=customers").await.expect(403);
        assert!(refused.body.contains("customers.view"));
        app.get(As::Anonymous, "/api/events/").await.expect(401);
        let blind = app.bearer(&["records.import"]).await;
        app.call(As::Anonymous, "GET", "/api/events/", &[("authorization", blind.as_str())], "").await.expect(403);
        for (query, field, said) in [
            ("after=x", "after", "whole number"), ("wait=31", "wait", "from 0 to 30"), ("page_size=0", "page_size", "from 1"),
            ("resource=sessions", "resource", "Choose one of"), ("afer=1", "afer", "Did you mean after?"),
        ] {
            let refused = app.get(As::Viewer, &format!("/api/events/?{query}")).await.expect(400);
            assert!(refused.at(field).contains(said), "{query}: {}", refused.body);
        }
    }

    async fn who_waits_is_told_at_once(app) {
        app.customer("Bob").await;
        let (last, _) = after(app, 0, "").await;
        let waiting = async {
            let (_, told) = after(app, last, "&wait=20").await;
            told.len()
        };
        let writing = async {
            tokio::time::sleep(Duration::from_millis(400)).await;
            app.customer("Late").await;
        };
        let (told, ()) = tokio::time::timeout(Duration::from_secs(15), async { futures::join!(waiting, writing) }).await.unwrap();
        assert_eq!(told, 1);
    }

    async fn a_follower_misses_nothing_while_sixteen_write(app) {
        for number in 0..8 {
            app.customer(&format!("C {number}")).await;
        }
        let writer = async |writer: i64| {
            for round in 0..8 {
                let id = 1 + (writer + round) % 8;
                app.json(As::Staff, "PATCH", &format!("/api/customers/{id}/"), json!({ "notes": format!("{writer}-{round}") })).await;
                app.customer(&format!("N {writer}-{round}")).await;
            }
        };
        let follower = async {
            let (mut last, mut seen, mut quiet) = (0, Vec::new(), 0);
            while quiet < 3 {
                let (to, events) = after(app, last, "&page_size=7&wait=1").await;
                quiet = if events.is_empty() { quiet + 1 } else { 0 };
                assert!(events.iter().all(|event| event["id"].as_i64().unwrap() > last));
                (last, seen) = (to, [seen, events].concat());
            }
            seen
        };
        let (seen, _) = futures::join!(follower, join_all((0..16).map(writer)));
        assert_eq!(i64::try_from(seen.len()).unwrap(), app.rows("events WHERE resource = 'customers'").await);
        let mut versions: BTreeMap<i64, i64> = BTreeMap::new();
        for event in &seen {
            let version = versions.entry(event["record"].as_i64().unwrap()).or_default();
            assert_eq!(event["version_before"].as_i64().unwrap_or_default(), *version, "out of order");
            *version = event["version_after"].as_i64().unwrap();
        }
    }
}

/// Writes so many events past the app, none of them sealed.
async fn many_events(app: &TestApp, many: u32) {
    let time = match app.state.database.reader().get_database_backend() {
        DbBackend::Postgres => "now()",
        _ => "'2026-11-29T00:00:00.000000+00:00'",
    };
    app.execute(&format!(
        "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {many}) \
         INSERT INTO events (at, actor_kind, actor_name, door, request_id, resource, record_id, command, version_after, changes) \
         SELECT {time}, 'system', 'x', 'api', 'x', 'orders', n, 'create', 1, '{{}}' FROM numbers"
    ))
    .await;
}

both! {
    async fn the_look_for_new_events_never_reads_the_whole_log(app) {
        many_events(app, 30_000).await;
        // The database now believes that every event waits to be sealed.
        app.state.database.analyze().await.unwrap();
        let look = async || {
            app.customer("Somebody").await;
            chain::seal(&app.state.database).await.unwrap();
        };
        look().await;
        let ((), statements) = app.state.database.noting(look()).await;
        let backend = app.state.database.reader().get_database_backend();
        let explain = if backend == DbBackend::Postgres { "EXPLAIN (GENERIC_PLAN)" } else { "EXPLAIN QUERY PLAN" };
        let mut looked = 0;
        for statement in statements.iter().filter(|statement| statement.sql.contains("place IS NULL")) {
            looked += 1;
            let (sql, values) = (format!("{explain} {}", statement.sql), statement.values.clone());
            let sql = if backend == DbBackend::Postgres {
                // GENERIC_PLAN is for PostgreSQL 16 and later.
                let sql = sql.replace(" (GENERIC_PLAN)", "");
                sql.replace("$1", "30000").replace("$2", "200")
            } else {
                sql
            };
            let values = if backend == DbBackend::Postgres { None } else { values };
            let explained = Statement { sql, values, db_backend: backend };
            let plan = app.state.database.reader().query_all_raw(explained).await.unwrap();
            let line = |row: &sea_orm::QueryResult| match backend {
                DbBackend::Postgres => row.try_get_by_index::<String>(0).unwrap(),
                _ => row.try_get_by_index::<String>(3).unwrap(),
            };
            let plan = plan.iter().map(line).collect::<Vec<_>>().join("\n");
            assert!(!plan.contains("Seq Scan on events"), "{}\n{plan}", statement.sql);
            assert!(!plan.lines().any(|line| line.contains("SCAN events") && !line.contains("INDEX")), "{}\n{plan}", statement.sql);
        }
        assert!(looked > 1, "{statements:?}");
    }
}

const MANY: [(&str, &str); 2] = [("max_followers_per_caller", "100"), ("max_followers", "40")];

/// Waits for events, and asks again while another request has the last place.
async fn waiting(app: &TestApp, who: As, path: &str) -> crate::support::Answer {
    loop {
        let answer = app.by_session(who, path).await;
        if answer.status != 429 {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn many_who_wait_are_told_by_one_look(kind: Kind) {
    run(kind, &MANY, async |app| {
        app.customer("Bob").await;
        let (last, _) = after(app, 0, "").await;
        let path = format!("/api/events/?after={last}&wait=25");
        let waiting = join_all((0..40).map(|_| waiting(app, As::Viewer, &path)));
        let meanwhile = async {
            // The next to wait beyond all of them is refused, and then all of them wait.
            while app.by_session(As::Viewer, &format!("/api/events/?after={last}&wait=1")).await.status == 200 {
                tokio::task::yield_now().await;
            }
            let before = app.state.database.statements();
            tokio::time::sleep(Duration::from_secs(2)).await;
            let looked = app.state.database.statements() - before;
            assert!((1..60).contains(&looked), "{looked} statements in two seconds, whoever waits");
            app.customer("Late").await;
        };
        let both = async { tokio::join!(waiting, meanwhile) };
        let (told, ()) = tokio::time::timeout(Duration::from_secs(60), both).await.unwrap();
        for answer in told {
            let told = answer.expect(200).json();
            assert_eq!(told["results"].as_array().unwrap().len(), 1, "{told}");
        }
    });
}

#[test]
fn many_who_wait_are_told_by_one_look_on_sqlite() {
    many_who_wait_are_told_by_one_look(Kind::Sqlite);
}

#[test]
fn many_who_wait_are_told_by_one_look_on_postgres() {
    many_who_wait_are_told_by_one_look(Kind::Postgres);
}

#[test]
fn one_caller_waits_for_events_only_so_many_times() {
    run(Kind::Sqlite, &[("max_followers_per_caller", "2")], async |app| {
        app.customer("Bob").await;
        let (last, _) = after(app, 0, "").await;
        let path = format!("/api/events/?after={last}&wait=20");
        let waiting = join_all((0..2).map(|_| waiting(app, As::Viewer, &path)));
        let beyond = async {
            let refused = loop {
                let answer = app.by_session(As::Viewer, &format!("/api/events/?after={last}&wait=1")).await;
                if answer.status != 200 {
                    break answer;
                }
            };
            let refused = refused.expect(429);
            assert!(refused.body.contains("You already have 2 requests that wait for events"), "{}", refused.body);
            assert_eq!(refused.header("retry-after"), "5");
            app.get(As::Viewer, &format!("/api/events/?after={last}")).await.expect(200);
            let other = app.get(As::Staff, &format!("/api/events/?after={last}&wait=1")).await;
            other.expect(200);
            app.customer("Late").await;
        };
        let (told, ()) = tokio::join!(waiting, beyond);
        for answer in told {
            answer.expect(200);
        }
        app.get(As::Viewer, &format!("/api/events/?after={last}&wait=1")).await.expect(200);
    });
}
