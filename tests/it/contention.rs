//! Many who change the same records at the same time: everybody waits for their turn or is told to come again, and nobody is
//! told of something that they did not do.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, Statement, TransactionTrait};
use serde_json::{Value, json};

use crate::both;
use crate::support::{As, Kind, TestApp, run};

/// A transaction of somebody else on the same database.
async fn other_session(app: &TestApp) -> DatabaseTransaction {
    sea_orm::Database::connect(&app.url).await.unwrap().begin().await.unwrap()
}

/// Waits until a statement on this database waits for a lock.
async fn until_somebody_waits(app: &TestApp) {
    let watcher = sea_orm::Database::connect(&app.url).await.unwrap();
    let waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let waiting = || Statement::from_string(DbBackend::Postgres, waiting);
    while watcher.query_one_raw(waiting()).await.unwrap().is_none() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Sends a request that holds one lock and waits for another, and makes it the victim of a deadlock: the other session already
/// has `first`, and asks for `second` once the request waits.
async fn through_a_deadlock(
    app: &TestApp,
    first: &str,
    second: &str,
    request: impl Future<Output = crate::support::Answer>,
) -> crate::support::Answer {
    let other = other_session(app).await;
    // Long enough that the request's wait is looked at first.
    other.execute_unprepared("SET LOCAL deadlock_timeout = '20s'").await.unwrap();
    other.execute_unprepared(first).await.unwrap();
    let deadlock = async {
        until_somebody_waits(app).await;
        other.execute_unprepared(second).await.unwrap();
        other.commit().await.unwrap();
    };
    tokio::join!(request, deadlock).0
}

both! {
    async fn a_change_that_names_no_version_never_fails_because_another_was_faster(app) {
        app.product("A", "1").await;
        let customer = app.customer("Before").await;
        let order = app.order(&customer, json!([{ "sku": "A", "quantity": 1 }])).await;
        let (customer, order) = (format!("/api/customers/{}", customer["id"]), format!("/api/orders/{}", order["id"]));
        for path in [&customer, &order] {
            let changed = join_all((0..12).map(|n| app.json(As::Staff, "PATCH", path, json!({ "notes": format!("Note {n}") })))).await;
            for answer in changed {
                answer.expect(200);
            }
            let bulk = format!("{}/bulk/", path.rsplit_once('/').unwrap().0);
            let id: i64 = path.rsplit_once('/').unwrap().1.parse().unwrap();
            let changed = join_all((0..12).map(|n| {
                let rows = json!({ "rows": [{ "action": "change", "id": id, "values": { "notes": format!("Bulk {n}") } }] });
                app.json(As::Staff, "POST", &bulk, rows)
            })).await;
            for answer in changed {
                answer.expect(200);
            }
            let stored = app.get(As::Staff, path).await.json();
            assert_eq!(stored["version"], 25, "each change is one version: {stored}");
        }
    }

    async fn a_record_that_many_delete_at_once_is_deleted_by_one_and_gone_for_the_others(app) {
        let path = format!("/api/customers/{}", app.customer("Somebody").await["id"]);
        let deleted = join_all((0..8).map(|_| app.json(As::Staff, "DELETE", &path, json!({})))).await;
        let statuses: Vec<_> = deleted.iter().map(|answer| answer.status.as_u16()).collect();
        assert_eq!(statuses.iter().filter(|status| **status == 204).count(), 1, "{statuses:?}");
        assert_eq!(statuses.iter().filter(|status| **status == 404).count(), 7, "{statuses:?}");
    }

    async fn fifty_bulks_over_the_same_records_in_opposite_order_take_effect_or_are_told_to_come_again(app) {
        let mut ids = Vec::new();
        for n in 0..8 {
            ids.push(app.customer(&format!("Customer {n}")).await["id"].as_i64().unwrap());
        }
        let done = join_all((0..50).map(|n| {
            let ids = ids.clone();
            let ordered: Vec<_> = if n % 2 == 0 { ids } else { ids.into_iter().rev().collect() };
            let rows: Vec<_> = ordered.iter().map(|id| json!({ "action": "change", "id": id, "values": { "notes": format!("By {n}") } })).collect();
            async move { (ordered, app.json(As::Staff, "POST", "/api/customers/bulk/", json!({ "rows": rows })).await) }
        })).await;
        let mut changes = 0;
        for (ordered, answer) in done {
            // Whoever waited too long in this queue may come again.
            if answer.status == 503 {
                assert!(!answer.header("retry-after").is_empty());
                continue;
            }
            changes += 1;
            let results = answer.expect(200).json()["results"].as_array().unwrap().clone();
            let answered: Vec<_> = results.iter().map(|row| row["record"]["id"].as_i64().unwrap()).collect();
            assert_eq!(answered, ordered, "in the order of the request");
        }
        for id in &ids {
            assert_eq!(app.get(As::Staff, &format!("/api/customers/{id}")).await.json()["version"], 1 + changes);
        }
        assert_eq!(app.rows("events WHERE resource = 'customers' AND command = 'change'").await, 8 * changes);
        assert!(changes > 0);
    }

    async fn bulks_that_take_the_same_values_in_opposite_order_end_with_each_value_taken_once(app) {
        let done = join_all((0..8).map(|n| {
            let skus: Vec<_> = if n % 2 == 0 { (0..4).collect() } else { (0..4).rev().collect() };
            let values = |sku: i32| json!({ "sku": format!("SAME-{sku}"), "name": "x", "unit": "pcs", "price": "1" });
            let rows: Vec<_> = skus.into_iter().map(|sku| json!({ "action": "create", "values": values(sku) })).collect();
            async move { app.json(As::Staff, "POST", "/api/products/bulk/", json!({ "on_error": "reject_row", "rows": rows })).await }
        })).await;
        let mut made = BTreeSet::new();
        for answer in done {
            if answer.status == 503 {
                assert!(!answer.header("retry-after").is_empty());
                continue;
            }
            for row in answer.expect(200).json()["results"].as_array().unwrap() {
                match row["status"].as_i64().unwrap() {
                    201 => assert!(made.insert(row["record"]["sku"].as_str().unwrap().to_owned())),
                    status => assert_eq!(status, 409, "{row}"),
                }
            }
        }
        assert_eq!((made.len(), app.rows("products").await), (4, 4));
    }

    async fn people_and_roles_changed_by_many_at_once_end_in_no_deadlock(app) {
        let person = app.person("Ann", &["staff"]).await;
        let path = format!("/api/users/{}", person["id"]);
        let named = join_all((0..8).map(|n| app.json(As::Administrator, "PATCH", &path, json!({ "name": format!("Ann {n}") }))));
        let invite = format!("{path}/invite/");
        let invited = join_all((0..8).map(|_| app.json(As::Administrator, "POST", &invite, json!({}))));
        let (named, invited) = tokio::join!(named, invited);
        for answer in named {
            answer.expect(200);
        }
        for answer in invited {
            assert!(answer.status.is_success(), "{} {}", answer.status, answer.body);
        }
    }
}

/// An order, and the statements of another session by which placing it ends in a deadlock.
async fn placed_by_two(app: &TestApp) -> (Value, String, String) {
    app.product("A", "1").await;
    let customer = app.customer("Somebody").await;
    let order = app.order(&customer, json!([{ "sku": "A", "quantity": 1 }])).await;
    let first = format!("SELECT 1 FROM customers WHERE id = {} FOR UPDATE", customer["id"]);
    let second = format!("UPDATE orders SET notes = 'x' WHERE id = {}", order["id"]);
    (order, first, second)
}

#[test]
fn a_command_over_the_api_that_loses_a_deadlock_is_carried_out_once() {
    run(Kind::Postgres, &[], async |app| {
        let (order, first, second) = placed_by_two(app).await;
        let path = format!("/api/orders/{}/place/", order["id"]);
        let headers = [("content-type", "application/json"), ("idempotency-key", "once-only")];
        let place = || app.call(As::Staff, "POST", &path, &headers, r#"{"reason": "Soon"}"#);
        let answer = through_a_deadlock(app, &first, &second, place()).await.expect(200);
        assert_eq!(answer.json()["order"]["status"], "placed");
        assert_eq!(app.rows("events WHERE command = 'place'").await, 1);
        assert_eq!(place().await.expect(200).header("idempotency-replayed"), "true", "its answer is kept");
    });
}

#[test]
fn a_form_whose_command_loses_a_deadlock_is_carried_out_once() {
    run(Kind::Postgres, &[], async |app| {
        let (order, first, second) = placed_by_two(app).await;
        let (id, version) = (order["id"].to_string(), order["version"].to_string());
        let fields = [("id", id.as_str()), ("version", version.as_str()), ("page", "/orders")];
        let place = app.form(As::Staff, "/-/orders/place", "text/html", &fields);
        through_a_deadlock(app, &first, &second, place).await.expect(303);
        assert_eq!(app.rows("events WHERE command = 'place'").await, 1);
    });
}

/// A page or a call that signs somebody in.
async fn signed_in(app: &TestApp) {
    let fields = [("email", "staff@kontor.example"), ("password", crate::support::PASSWORD), ("next", "")];
    app.form(As::Anonymous, "/-/sign-in", "text/html", &fields).await.expect(303);
}

/// Work that must not be kept waiting, whatever others hold.
async fn promptly<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), work).await.expect("nothing keeps this waiting")
}

#[test]
fn while_somebody_holds_a_record_others_change_other_records_and_sign_in() {
    run(Kind::Postgres, &[("lock_timeout", "60")], async |app| {
        let id = app.customer("Held").await["id"].clone();
        let path = format!("/api/customers/{id}");
        let other = other_session(app).await;
        other.execute_unprepared(&format!("SELECT 1 FROM customers WHERE id = {id} FOR UPDATE")).await.unwrap();
        let blocked = join_all((0..8).map(|n| app.json(As::Staff, "PATCH", &path, json!({ "notes": format!("{n}") }))));
        let meanwhile = async {
            until_somebody_waits(app).await;
            promptly(async {
                for n in 0..5 {
                    app.customer(&format!("Other {n}")).await;
                    signed_in(app).await;
                }
            })
            .await;
            other.rollback().await.unwrap();
        };
        let (blocked, ()) = tokio::join!(blocked, meanwhile);
        for answer in blocked {
            answer.expect(200);
        }
    });
}

#[test]
fn people_sign_in_while_every_change_waits() {
    run(Kind::Postgres, &[("lock_timeout", "60")], async |app| {
        let id = app.customer("Held").await["id"].clone();
        let path = format!("/api/customers/{id}");
        let other = other_session(app).await;
        other.execute_unprepared(&format!("SELECT 1 FROM customers WHERE id = {id} FOR UPDATE")).await.unwrap();
        let blocked =
            join_all((0..24).map(|n| app.json(As::Staff, "PATCH", &path, json!({ "notes": format!("{n}") }))));
        let meanwhile = async {
            until_somebody_waits(app).await;
            promptly(signed_in(app)).await;
            other.rollback().await.unwrap();
        };
        let (blocked, ()) = tokio::join!(blocked, meanwhile);
        for answer in blocked {
            assert!([200, 503].contains(&answer.status.as_u16()), "{}", answer.body);
        }
    });
}

#[test]
fn a_change_of_a_record_that_somebody_holds_is_refused_soon_and_says_why() {
    run(Kind::Postgres, &[("lock_timeout", "1")], async |app| {
        let customer = app.customer("Held").await;
        let path = format!("/api/customers/{}", customer["id"]);
        let other = other_session(app).await;
        let hold = format!("SELECT 1 FROM customers WHERE id = {} FOR UPDATE", customer["id"]);
        other.execute_unprepared(&hold).await.unwrap();
        let blocked =
            promptly(join_all((0..8).map(|_| app.json(As::Staff, "PATCH", &path, json!({ "notes": "x" }))))).await;
        for answer in blocked {
            let answer = answer.expect(503);
            assert!(answer.body.contains("Another change of the same record is under way."), "{}", answer.body);
            assert!(!answer.body.contains("lock timeout"), "nothing of the driver: {}", answer.body);
            assert_eq!(answer.header("retry-after"), "1");
        }
        other.rollback().await.unwrap();
        app.json(As::Staff, "PATCH", &path, json!({ "notes": "x" })).await.expect(200);
    });
}

#[test]
fn a_request_that_ends_takes_its_statement_along() {
    run(Kind::Postgres, &[("lock_timeout", "0"), ("statement_timeout", "0")], async |app| {
        let path = format!("/api/customers/{}", app.customer("Held").await["id"]);
        app.product("A", "1").await;
        let other = other_session(app).await;
        other.execute_unprepared("LOCK TABLE customers IN ACCESS EXCLUSIVE MODE").await.unwrap();
        let watcher = sea_orm::Database::connect(&app.url).await.unwrap();
        let waiting = async || {
            let sql =
                "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
            let row = watcher.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await.unwrap().unwrap();
            row.try_get_by_index::<i64>(0).unwrap()
        };
        let until = async |number: i64| {
            promptly(async {
                while waiting().await != number {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            })
            .await;
        };
        // As many as there are connections that write, and readers beside them.
        let writing = join_all((0..10).map(|_| app.json(As::Staff, "PATCH", &path, json!({ "notes": "x" }))));
        let reading = join_all((0..3).map(|_| app.get(As::Viewer, &path)));
        tokio::select! {
            _ = futures::future::join(writing, reading) => panic!("somebody holds the table"),
            () = until(13) => {}
        }
        until(0).await;
        let product = promptly(app.json(As::Staff, "PATCH", "/api/products/1", json!({ "name": "After all" }))).await;
        product.expect(200);
        other.rollback().await.unwrap();
        app.get(As::Viewer, &path).await.expect(200);
    });
}

#[test]
fn a_column_that_changes_its_type_under_load_fails_nobody() {
    run(Kind::Postgres, &[], async |app| {
        let path = format!("/api/customers/{}", app.customer("Somebody").await["id"]);
        let is_over = std::sync::atomic::AtomicBool::new(false);
        let load = join_all((0..8).map(|n| {
            let (path, is_over) = (&path, &is_over);
            async move {
                let mut rounds = 0;
                while !is_over.load(std::sync::atomic::Ordering::Relaxed) || rounds < 3 {
                    rounds += 1;
                    app.get(As::Viewer, path).await.expect(200);
                    app.json(As::Staff, "PATCH", path, json!({ "notes": format!("{n} {rounds}") })).await.expect(200);
                    app.get(As::Viewer, "/api/customers/?format=csv").await.expect(200);
                }
            }
        }));
        let changing = async {
            let other = sea_orm::Database::connect(&app.url).await.unwrap();
            for kind in ["VARCHAR(20000)", "TEXT", "VARCHAR(20000)", "TEXT"] {
                let sql = format!("ALTER TABLE customers ALTER COLUMN notes TYPE {kind}");
                other.execute_unprepared(&sql).await.unwrap();
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            other.execute_unprepared("ALTER TABLE customers ADD COLUMN later TEXT").await.unwrap();
            is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        };
        tokio::join!(load, changing);
    });
}

#[test]
fn prepared_statements_that_are_gone_are_prepared_anew() {
    run(Kind::Postgres, &[], async |app| {
        let path = format!("/api/customers/{}", app.customer("Somebody").await["id"]);
        let database = &app.state.database;
        for n in 0..3 {
            app.get(As::Viewer, &path).await.expect(200);
            app.json(As::Staff, "PATCH", &path, json!({ "notes": format!("{n}") })).await.expect(200);
            database.reader().execute_unprepared("DEALLOCATE ALL").await.unwrap();
            app.execute("DEALLOCATE ALL").await;
        }
        assert_eq!(app.get(As::Viewer, &path).await.expect(200).json()["notes"], "2");
    });
}

both! {
    async fn settings_changed_by_many_at_once_are_changed_by_one(app) {
        let changed = join_all((0..8).map(|n| {
            let burst = format!("{}", 5000 + n);
            async move {
                let fields = [("page", "/admin/settings"), ("form[was.rate_burst]", ""), ("form[rate_burst]", burst.as_str())];
                app.form(As::Administrator, "/-/admin/set", "text/html", &fields).await.status.as_u16()
            }
        })).await;
        assert_eq!(changed.iter().filter(|status| **status == 303).count(), 1, "{changed:?}");
        assert_eq!(changed.iter().filter(|status| **status == 409).count(), 7, "{changed:?}");
    }
}
