//! Records as they were at any moment, and restored to it.

use kontor::base::time::Moment;
use kontor::base::time::stored::now;
use serde_json::{Value, json};

use crate::both;
use crate::life::{Luck, begin, step};
use crate::support::{As, TestApp};

fn moment() -> String {
    Moment::from(now()).rfc3339().to_owned()
}

async fn then(app: &TestApp, path: &str, at: &str) -> crate::support::Answer {
    app.get(As::Viewer, &format!("{path}?as_of={at}")).await
}

/// Every record there is, as the API answers it.
async fn everything(app: &TestApp) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for resource in ["customers", "products", "orders"] {
        let page = app.get(As::Viewer, &format!("/api/{resource}/?page_size=200")).await.expect(200).json();
        for row in page["results"].as_array().unwrap() {
            let path = format!("/api/{resource}/{}/", row["id"]);
            found.push((path.clone(), app.get(As::Viewer, &path).await.expect(200).json()));
        }
    }
    found
}

async fn a_life(app: &TestApp, seed: u64) {
    let mut luck = Luck::of(seed);
    begin(app).await;
    let mut copies = vec![(moment(), everything(app).await)];
    for _ in 0..40 {
        step(app, &mut luck, true).await;
        copies.push((moment(), everything(app).await));
    }
    let mut seen: Vec<String> = copies.iter().flat_map(|(_, copy)| copy.iter().map(|(path, _)| path.clone())).collect();
    seen.sort();
    seen.dedup();
    for (at, copy) in &copies {
        for path in &seen {
            let answer = then(app, path, at).await;
            match copy.iter().find(|(known, _)| known == path) {
                None => drop(answer.expect(404)),
                Some((_, record)) => {
                    assert_eq!(answer.header("etag"), format!("\"v{}\"", record["version"]));
                    assert_eq!(answer.expect(200).json(), *record, "{path} at {at}, seed {seed}");
                }
            }
        }
    }
    for (path, record) in everything(app).await {
        let since = record["updated_at"].as_str().unwrap();
        assert_eq!(then(app, &path, since).await.expect(200).json(), record, "the moment of a version shows it");
    }
}

both! {
    async fn a_record_is_shown_as_it_was_at_any_moment(app) {
        a_life(app, 1).await;
    }

    async fn a_record_is_shown_as_it_was_in_another_life(app) {
        a_life(app, 7).await;
    }

    async fn before_it_was_and_after_it_was_deleted_there_is_none(app) {
        let before = moment();
        let product = app.product("A", "1.00").await;
        let there = moment();
        let path = format!("/api/products/{}/", product["id"]);
        app.json(As::Staff, "DELETE", &path, json!({})).await.expect(204);
        then(app, &path, &before).await.expect(404);
        assert_eq!(then(app, &path, &there).await.expect(200).json(), product);
        let gone = then(app, &path, &moment()).await.expect(404);
        assert!(gone.body.contains("no such product then"), "{}", gone.body);
        then(app, "/api/products/99/", &there).await.expect(404);
        let offset = there.replace('Z', "%2B00:00");
        assert_eq!(then(app, &path, &offset).await.expect(200).json(), product, "at an offset");
    }

    async fn a_moment_that_is_none_is_refused(app) {
        app.product("A", "1.00").await;
        for (query, field, said) in [
            ("as_of=yesterday", "as_of", "2026-11-24T14:02:01Z"), ("as_of=", "as_of", "2026-11-24T14:02:01Z"),
            ("asof=2026-11-24T14:02:01Z", "asof", "Did you mean as_of?"), ("page=2", "page", "no such parameter"),
        ] {
            let refused = app.get(As::Viewer, &format!("/api/products/1/?{query}")).await.expect(400);
            assert!(refused.at(field).contains(said), "{query}: {}", refused.body);
        }
        app.get(As::Scoped, "/api/customers/1/?as_of=2026-11-24T14:02:01Z").await.expect(403);
    }

    async fn the_statements_do_not_grow_with_the_history(app) {
        let customer = app.customer("Bob").await;
        let path = format!("/api/customers/{}/", customer["id"]);
        let cost = async || {
            let at = moment();
            let before = app.state.database.statements();
            app.by_session(As::Viewer, &format!("{path}?as_of={at}")).await.expect(200);
            app.state.database.statements() - before
        };
        let first = cost().await;
        for number in 0..30 {
            app.json(As::Staff, "PATCH", &path, json!({ "notes": number.to_string() })).await.expect(200);
        }
        assert_eq!(cost().await, first);
        assert_eq!(first, 2, "who is asking, and the events");
    }

    async fn old_values_are_restored_by_a_command_of_its_own(app) {
        let product = app.product("A", "1.00").await;
        let path = format!("/api/products/{}/", product["id"]);
        let at = moment();
        app.json(As::Staff, "PATCH", &path, json!({ "price": "2.00", "barcode": "123", "name": "Renamed" })).await.expect(200);
        let dry = app.json(As::Staff, "POST", &format!("{path}restore/"), json!({ "as_of": at, "dry_run": true })).await.expect(200);
        assert!(!dry.headers.contains_key("etag"), "no version was made");
        let dry = dry.json();
        assert_eq!(app.get(As::Staff, &path).await.json()["price"], "2.00");
        let done = app.json(As::Staff, "POST", &format!("{path}restore/"), json!({ "as_of": at, "reason": "Typed wrong" })).await.expect(200);
        assert_eq!(done.header("etag"), "\"v3\"");
        let done = done.json();
        assert_eq!((&done["changes"], &dry["dry_run"], &done["dry_run"]), (&dry["changes"], &json!(true), &json!(false)));
        assert_eq!(done["changes"]["barcode"], json!(["123", null]));
        let stored = app.get(As::Staff, &path).await.json();
        assert_eq!(stored, done["record"]);
        for field in ["price", "barcode", "name", "sku"] {
            assert_eq!(stored[field], product[field], "{field}");
        }
        assert_eq!(app.rows("events WHERE command = 'restore' AND reason LIKE 'Typed wrong · As it was at 20%' AND version_after = 3").await, 1);
        let same = app.json(As::Staff, "POST", &format!("{path}restore/"), json!({ "as_of": at })).await.expect(200).json();
        assert_eq!((&same["changes"], &same["record"]["version"]), (&json!({}), &json!(3)), "without a difference nothing is written");
    }

    async fn a_deleted_record_comes_back_under_its_id(app) {
        let customer = app.customer("Bob").await;
        let path = format!("/api/customers/{}/", customer["id"]);
        app.json(As::Staff, "PATCH", &path, json!({ "notes": "Pays late" })).await.expect(200);
        app.json(As::Staff, "DELETE", &path, json!({})).await.expect(204);
        let events = app.get(As::Viewer, "/api/events/?resource=customers").await.json();
        let changed = events["results"][1]["id"].clone();
        let restore = format!("{path}restore/");
        let gone = events["results"][2]["id"].clone();
        app.json(As::Staff, "POST", &restore, json!({ "event": gone })).await.expect(404);
        let back = app.json(As::Staff, "POST", &restore, json!({ "event": changed })).await.expect(200).json()["record"].clone();
        assert_eq!((&back["id"], &back["notes"], &back["version"]), (&customer["id"], &json!("Pays late"), &json!(3)));
        assert_eq!(back["created_at"], customer["created_at"]);
        assert_eq!(app.get(As::Viewer, &path).await.expect(200).json(), back);
        assert_eq!(then(app, &path, &moment()).await.expect(200).json(), back);
    }

    async fn restoring_a_version_does_not_bring_back_what_was_deleted_since(app) {
        let at = moment();
        for (resource, record) in [("customers", app.customer("Bob").await), ("products", app.product("A", "1").await)] {
            let path = format!("/api/{resource}/{}/", record["id"]);
            app.json(As::Staff, "DELETE", &path, json!({})).await.expect(204);
            let body = json!({ "as_of": record["created_at"] });
            let refused = app.at_version(As::Staff, "POST", &format!("{path}restore/"), &json!(1), body.clone()).await.expect(412);
            assert!(refused.body.contains("deleted this record meanwhile"), "{}", refused.body);
            app.json(As::Staff, "POST", &format!("{path}restore/"), json!({ "as_of": at })).await.expect(404);
            app.json(As::Staff, "POST", &format!("{path}restore/"), body).await.expect(200);
        }
    }

    async fn an_order_is_restored_with_its_lines_as_long_as_it_is_a_draft(app) {
        let customer = app.customer("Bob").await;
        for sku in ["A", "B", "C"] {
            app.product(sku, "10.00").await;
        }
        let order = app.order(&customer, json!([{ "sku": "A", "quantity": 1, "unit_price": "9.00" }, { "sku": "B", "quantity": 2 }])).await;
        let path = format!("/api/orders/{}/", order["id"]);
        let at = moment();
        let body = json!({ "items": [{ "sku": "C", "quantity": 3 }, { "sku": "B", "quantity": 5 }], "notes": "x" });
        app.json(As::Staff, "PATCH", &path, body).await.expect(200);
        let restore = format!("{path}restore/");
        let back = app.json(As::Staff, "POST", &restore, json!({ "as_of": at })).await.expect(200).json()["record"].clone();
        let mut expected = order.clone();
        expected["version"] = json!(3);
        expected["updated_at"] = back["updated_at"].clone();
        for item in expected["items"].as_array_mut().unwrap() {
            item["version"] = json!(3);
        }
        assert_eq!(back, expected, "lines, their ids, and the price that was typed");
        app.act(As::Staff, &order, "place", json!({})).await.expect(200);
        let refused = app.json(As::Staff, "POST", &restore, json!({ "as_of": at })).await.expect(409);
        assert!(refused.body.contains("reopen it first"), "{}", refused.body);
        app.act(As::Staff, &order, "reopen", json!({})).await.expect(200);
        app.json(As::Staff, "PATCH", &path, json!({ "items": [{ "sku": "C", "quantity": 3 }] })).await.expect(200);
        app.json(As::Staff, "PATCH", "/api/products/1/", json!({ "is_active": false })).await.expect(200);
        let refused = app.json(As::Staff, "POST", &restore, json!({ "as_of": at })).await.expect(400);
        assert!(refused.at("items[0].product").contains("A is inactive"), "{}", refused.body);
    }

    async fn restoring_asks_for_what_it_is_and_for_the_permission(app) {
        let customer = app.customer("Bob").await;
        let path = format!("/api/customers/{}/", customer["id"]);
        let (restore, at) = (format!("{path}restore/"), moment());
        for (body, field) in [
            (json!({}), "as_of"), (json!({ "as_of": "x" }), "as_of"), (json!({ "as_of": at, "event": 1 }), "event"),
            (json!({ "event": 0 }), "event"), (json!({ "asof": at }), "asof"),
        ] {
            assert!(!app.json(As::Staff, "POST", &restore, body.clone()).await.expect(400).at(field).is_empty(), "{body}");
        }
        let body = json!({ "as_of": at });
        let refused = app.json(As::Viewer, "POST", &restore, body.clone()).await.expect(403);
        assert!(refused.body.contains("customers.change"));
        app.at_version(As::Staff, "POST", &restore, &json!(7), body.clone()).await.expect(412);
        app.json(As::Careful, "POST", &restore, body.clone()).await.expect(428);
        app.json(As::Staff, "DELETE", &path, json!({})).await.expect(204);
        let bearer = app.bearer(&["customers.view", "customers.change"]).await;
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let refused = app.call(As::Anonymous, "POST", &restore, &headers, body.to_string()).await.expect(403);
        assert!(refused.body.contains("customers.add"));
        app.customer("Bob again").await;
        app.execute("UPDATE customers SET code = 'C-00001', code_key = 'c-00001'").await;
        let taken = app.json(As::Staff, "POST", &restore, body).await.expect(409);
        assert!(taken.at("code").contains("already has"), "{}", taken.body);
    }
}

both! {
    async fn the_page_of_a_history_shows_a_moment_and_compares_two(app) {
        let customer = app.customer("Bob").await;
        app.product("A", "10.00").await;
        let order = app.order(&customer, json!([{ "sku": "A", "quantity": 1 }])).await;
        let path = format!("/api/orders/{}/", order["id"]);
        app.json(As::Staff, "PATCH", &path, json!({ "customer_reference": "PO <7>", "items": [{ "sku": "A", "quantity": 4 }] })).await.expect(200);
        app.act(As::Staff, &order, "place", json!({})).await.expect(200);
        let page = app.page(As::Viewer, "/orders/1/history").await.expect(200).body;
        assert!(page.contains("History of SO-") && page.contains("Choose a moment"));
        let mut events: Vec<i64> = page.split("<option value=\"").skip(1).filter_map(|rest| rest.split('"').next()?.parse().ok()).collect();
        events.sort_unstable();
        events.dedup();
        let [made, changed, placed] = events[..] else { panic!("{events:?}") };
        let then = app.page(As::Viewer, &format!("/orders/1/history?at={made}")).await.expect(200).body;
        assert!(then.contains("As it was at") && then.contains("Product A") && then.contains("draft") && !then.contains("PO &lt;7&gt;</bdi></dd>"));
        assert!(!then.contains("Make it as it was"), "a viewer restores nothing");
        let both = app.page(As::Viewer, &format!("/orders/1/history?at={made}&with={changed}")).await.expect(200).body;
        for part in ["What differs", "Line A", "quantity 1", "quantity 4", "PO &lt;7&gt;", "(blank)"] {
            assert!(both.contains(part), "{part}");
        }
        let same = app.page(As::Viewer, &format!("/orders/1/history?at={placed}&with={placed}")).await.expect(200).body;
        assert!(same.contains("the two are the same"));
        app.page(As::Viewer, "/orders/1/history?at=999999").await.expect(404);
        app.page(As::Viewer, "/orders/1/history?at=x").await.expect(400);
        app.page(As::Viewer, "/orders/99/history").await.expect(404);
        let refused = [("resource", "orders"), ("id", "1"), ("event", &made.to_string()), ("version", "3"), ("reason", ""), ("page", &format!("/orders/1/history?at={made}"))];
        let again = app.form(As::Staff, "/-/history/restore", "text/html", &refused).await.expect(409).body;
        assert!(again.contains("reopen it first") && again.contains("Make it as it was"), "the page says why not");
    }

    async fn a_record_is_restored_from_its_page_and_comes_back_from_the_dead(app) {
        app.customer("Bob").await;
        app.json(As::Staff, "PATCH", "/api/customers/1/", json!({ "name": "Rob" })).await.expect(200);
        let page = app.page(As::Staff, "/customers/1/history").await.expect(200).body;
        let events: Vec<i64> = page.split("<option value=\"").skip(1).filter_map(|rest| rest.split('"').next()?.parse().ok()).collect();
        let made = events.iter().min().unwrap().to_string();
        let form = async |version: &str| {
            let mut fields = vec![("resource", "customers"), ("id", "1"), ("event", made.as_str()), ("reason", "Was right"), ("page", "/customers/1/history")];
            if !version.is_empty() {
                fields.push(("version", version));
            }
            app.form(As::Staff, "/-/history/restore", "text/html", &fields).await
        };
        form("1").await.expect(412);
        assert_eq!(form("2").await.expect(303).header("location"), "/customers/1");
        assert_eq!(app.get(As::Viewer, "/api/customers/1/").await.json()["name"], "Bob");
        app.json(As::Staff, "DELETE", "/api/customers/1/", json!({})).await.expect(204);
        app.page(As::Viewer, "/customers/1").await.expect(404);
        let gone = app.page(As::Staff, &format!("/customers/1/history?at={made}")).await.expect(200).body;
        assert!(gone.contains("Customer 1, deleted") && gone.contains("Bring it back") && gone.contains("deleted this"));
        form("").await.expect(303);
        assert_eq!(app.get(As::Viewer, "/api/customers/1/").await.expect(200).json()["version"], 4);
        form("").await.expect(412);
        assert!(app.page(As::Viewer, "/customers/1").await.expect(200).body.contains("Was right"));
    }

    async fn a_long_history_is_turned_page_by_page(app) {
        app.customer("Bob").await;
        for number in 0..70 {
            app.json(As::Staff, "PATCH", "/api/customers/1/", json!({ "notes": number.to_string() })).await.expect(200);
        }
        let page = app.page(As::Viewer, "/customers/1").await.expect(200).body;
        let older = page.split("href=\"/customers/1/history?before=").nth(1).unwrap().split('"').next().unwrap();
        assert!(!page.contains("created this"));
        let rest = app.page(As::Viewer, &format!("/customers/1/history?before={older}")).await.expect(200).body;
        assert!(rest.contains("created this") && rest.contains("version 21") && !rest.contains("version 22") && !rest.contains("href=\"/customers/1/history?before="));
    }
}
