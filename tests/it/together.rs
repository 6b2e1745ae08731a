//! Two people at once: nothing is lost, nothing is made twice, nobody sees a locked database.

use std::collections::BTreeSet;
use std::pin::pin;

use futures::future::join_all;
use serde_json::{Value, json};

use crate::both;
use crate::support::{As, TestApp};

/// Asks, and hangs up after so many looks at whether the answer is there.
async fn hung_up(app: &TestApp, path: &str, looks: usize) {
    let mut asked = pin!(app.get(As::Viewer, path));
    for _ in 0..looks {
        if futures::poll!(asked.as_mut()).is_ready() {
            break;
        }
        tokio::task::yield_now().await;
    }
}

both! {
    async fn whoever_hangs_up_while_the_database_reads_takes_no_connection_along(app) {
        app.customer("Somebody").await;
        for looks in 0..60 {
            let path = "/api/customers/?search=some";
            join_all((0..4).map(|_| hung_up(app, path, looks * looks / 8))).await;
        }
        // Nobody is stuck, and nobody reads what was true before.
        app.customer("Somebody else").await;
        let answers = join_all((0..32).map(|_| app.get(As::Viewer, "/api/customers/?search=some"))).await;
        for answer in answers {
            assert_eq!(answer.expect(200).json()["count"], 2);
        }
    }

    async fn of_many_who_save_the_same_version_exactly_one_wins(app) {
        let id = app.customer("Before").await["id"].clone();
        let path = format!("/api/customers/{id}");
        let headers = [("content-type", "application/json"), ("if-match", "\"v1\"")];
        let saved = join_all((0..12).map(|n| {
            let body = json!({ "name": format!("Name {n}") }).to_string();
            let (path, headers) = (&path, &headers);
            async move { app.call(As::Staff, "PATCH", path, headers, body).await.status.as_u16() }
        })).await;
        assert_eq!(saved.iter().filter(|status| **status == 200).count(), 1, "{saved:?}");
        assert_eq!(saved.iter().filter(|status| **status == 412).count(), 11, "{saved:?}");
        assert_eq!(app.get(As::Staff, &path).await.json()["version"], 2);
        assert_eq!(app.rows("events WHERE resource = 'customers'").await, 2);
    }

    async fn many_writers_get_codes_of_their_own(app) {
        let made = join_all((0..32).map(|n| app.customer(Box::leak(format!("Customer {n}").into_boxed_str())))).await;
        let codes: BTreeSet<_> = made.iter().map(|customer| customer["code"].as_str().unwrap().to_owned()).collect();
        assert_eq!(codes.len(), 32);
        assert_eq!(app.rows("customers").await, 32);
    }

    async fn of_many_who_want_the_same_code_exactly_one_gets_it(app) {
        let body = json!({ "sku": "ONE", "name": "x", "unit": "pcs", "price": "1" });
        let made = join_all((0..12).map(|_| app.json(As::Staff, "POST", "/api/products/", body.clone()))).await;
        let statuses: Vec<_> = made.iter().map(|answer| answer.status.as_u16()).collect();
        assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
        assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 11, "{statuses:?}");
        assert_eq!(app.rows("products").await, 1);
    }

    async fn one_deletes_while_another_saves(app) {
        let id = app.customer("Before").await["id"].clone();
        let path = format!("/api/customers/{id}");
        let headers = [("content-type", "application/json"), ("if-match", "\"v1\"")];
        let (deleted, saved) = tokio::join!(
            app.call(As::Staff, "DELETE", &path, &headers, ""),
            app.call(As::Staff, "PATCH", &path, &headers, r#"{"name": "After"}"#),
        );
        let outcome = (deleted.status.as_u16(), saved.status.as_u16());
        assert!(matches!(outcome, (204, 404) | (412, 200)), "{outcome:?}");
        assert_eq!(app.rows("events WHERE resource = 'customers'").await, 2);
    }

    async fn of_many_who_add_the_same_product_to_an_order_exactly_one_does(app) {
        app.product("A", "1").await;
        let order = app.order(&app.customer("Somebody").await, json!([])).await;
        let body = json!({ "order": order["id"], "sku": "A", "quantity": 1 });
        let added = join_all((0..12).map(|_| app.json(As::Staff, "POST", "/api/order-items/", body.clone()))).await;
        let statuses: Vec<_> = added.iter().map(|answer| answer.status.as_u16()).collect();
        assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
        assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 11, "{statuses:?}");
        assert!(added.iter().filter(|answer| answer.status == 409).all(|answer| answer.at("sku").contains("Line 1 already has A")));
        assert_eq!((app.rows("order_items").await, app.rows("events WHERE resource = 'orders'").await), (1, 2));
    }

    async fn lines_added_at_once_are_all_there(app) {
        for number in 0..16 {
            app.product(&format!("P{number}"), "1.25").await;
        }
        let order = app.order(&app.customer("Somebody").await, json!([])).await;
        let added = join_all((0..16).map(|number| {
            app.json(As::Staff, "POST", "/api/order-items/", json!({ "order": order["id"], "sku": format!("P{number}"), "quantity": 1 }))
        })).await;
        assert!(added.iter().all(|answer| answer.status == 201));
        let order = app.get(As::Staff, &format!("/api/orders/{}", order["id"])).await.json();
        let positions: BTreeSet<_> = order["items"].as_array().unwrap().iter().map(|line| line["position"].as_i64().unwrap()).collect();
        assert_eq!((positions, &order["total"], &order["version"]), ((1..=16).collect(), &json!("20.00"), &json!(17)));
    }

    async fn one_places_an_order_while_another_cancels_it(app) {
        app.product("A", "1").await;
        let customer = app.customer("Somebody").await;
        for _ in 0..6 {
            let order = app.order(&customer, json!([{ "sku": "A", "quantity": 1 }])).await;
            let (place, cancel) = (format!("/api/orders/{}/place/", order["id"]), format!("/api/orders/{}/cancel/", order["id"]));
            let (placed, cancelled) = tokio::join!(
                app.at_version(As::Staff, "POST", &place, &order["version"], json!({})),
                app.at_version(As::Staff, "POST", &cancel, &order["version"], json!({ "reason": "x" })),
            );
            let outcome = (placed.status.as_u16(), cancelled.status.as_u16());
            assert!(matches!(outcome, (200, 412) | (412, 200)), "{outcome:?}");
            let stored = app.get(As::Staff, &format!("/api/orders/{}", order["id"])).await.json();
            assert_eq!(stored["status"], if outcome.0 == 200 { "placed" } else { "cancelled" });
            assert_eq!(app.rows(&format!("events WHERE resource = 'orders' AND record_id = {}", order["id"])).await, 2);
        }
    }

    async fn one_places_an_order_while_another_changes_a_line(app) {
        app.product("A", "10").await;
        let customer = app.customer("Somebody").await;
        for _ in 0..6 {
            let order = app.order(&customer, json!([{ "sku": "A", "quantity": 1 }])).await;
            let line = format!("/api/order-items/{}/", order["items"][0]["id"]);
            let (placed, changed) = tokio::join!(
                app.act(As::Staff, &order, "place", json!({})),
                app.json(As::Staff, "PATCH", &line, json!({ "quantity": 7 })),
            );
            let outcome = (placed.status.as_u16(), changed.status.as_u16());
            assert!(matches!(outcome, (200, 200 | 409)), "{outcome:?}");
            let total = if outcome.1 == 200 { "70.00" } else { "10.00" };
            let stored = app.get(As::Staff, &format!("/api/orders/{}", order["id"])).await.json();
            assert_eq!((&stored["status"], &stored["total"], &stored["items"][0]["total"]), (&json!("placed"), &json!(total), &json!(total)));
            assert_eq!(placed.json()["order"]["total"], total, "what was placed is what is stored");
        }
    }

    async fn two_orders_placed_at_once_count_for_one_credit_limit(app) {
        app.product("A", "10").await;
        for number in 0..6 {
            let body = json!({ "name": format!("Customer {number}"), "credit_limit": "15" });
            let customer = app.json(As::Staff, "POST", "/api/customers/", body).await.expect(201).json();
            let line = json!([{ "sku": "A", "quantity": 1 }]);
            let (one, two) = (app.order(&customer, line.clone()).await, app.order(&customer, line).await);
            let (first, second) = tokio::join!(app.act(As::Staff, &one, "place", json!({})), app.act(As::Staff, &two, "place", json!({})));
            let outcome = (first.status.as_u16(), second.status.as_u16());
            assert!(matches!(outcome, (200, 409) | (409, 200)), "{outcome:?}");
            let refused = if outcome.0 == 409 { first } else { second };
            assert!(refused.body.contains("10.00 open and 10.00 of this order make 20.00"), "{}", refused.body);
        }
    }

    async fn a_hundred_orders_placed_at_once_get_numbers_without_a_gap(app) {
        app.product("A", "1").await;
        let customer = app.customer("Somebody").await;
        let mut orders = Vec::new();
        for _ in 0..100 {
            orders.push(app.order(&customer, json!([{ "sku": "A", "quantity": 1 }])).await);
        }
        let empty = app.order(&customer, json!([])).await;
        let placed = join_all(orders.iter().map(|order| async {
            app.act(As::Staff, &empty, "place", json!({})).await.expect(409);
            app.act(As::Staff, order, "place", json!({ "dry_run": true })).await.expect(200);
            app.act(As::Staff, order, "place", json!({})).await.expect(200).json()["order"]["number"].as_str().unwrap().to_owned()
        })).await;
        let numbers: BTreeSet<_> = placed.iter().map(|number| number.rsplit('-').next().unwrap().parse::<u32>().unwrap()).collect();
        assert_eq!(numbers, (1..=100).collect());
        assert_eq!(app.rows("events WHERE command = 'place'").await, 100);
    }

    async fn many_make_orders_at_once(app) {
        for number in 0..5 {
            app.product(&format!("P{number}"), "1.10").await;
        }
        let customer = app.customer("Somebody").await;
        let lines: Vec<_> = (0..5).map(|number| json!({ "sku": format!("P{number}"), "quantity": 2 })).collect();
        let body = json!({ "customer": customer["id"], "items": lines });
        let made = join_all((0..32).map(|_| app.json(As::Staff, "POST", "/api/orders/", body.clone()))).await;
        for answer in &made {
            assert_eq!((answer.status.as_u16(), &answer.json()["total"]), (201, &json!("11.00")), "{}", answer.body);
        }
        let ids: BTreeSet<_> = made.iter().map(|answer| answer.json()["id"].as_i64().unwrap()).collect();
        let events = app.rows("events WHERE resource = 'orders' AND command = 'create'").await;
        assert_eq!((ids.len(), app.rows("orders").await, app.rows("order_items").await, events), (32, 32, 160, 32));
    }

    async fn one_orders_what_another_deletes(app) {
        for number in 0..6 {
            let sku = format!("P{number}");
            let (product, customer) = (app.product(&sku, "1").await, app.customer("Somebody").await);
            let body = json!({ "customer": customer["id"], "items": [{ "sku": sku, "quantity": 1 }] });
            let (product, customer) = (format!("/api/products/{}", product["id"]), format!("/api/customers/{}", customer["id"]));
            let (ordered, without_product, without_customer) = tokio::join!(
                app.json(As::Staff, "POST", "/api/orders/", body),
                app.json(As::Staff, "DELETE", &product, json!({})),
                app.json(As::Staff, "DELETE", &customer, json!({})),
            );
            let (ordered, deleted) = (ordered.status.as_u16(), [without_product.status.as_u16(), without_customer.status.as_u16()]);
            match ordered {
                201 => assert_eq!(deleted, [409, 409]),
                400 | 409 => assert!(deleted.contains(&204), "{deleted:?}"),
                other => panic!("{other}"),
            }
        }
    }

    async fn readers_do_not_wait_for_a_writer(app) {
        app.customer("Before").await;
        let held = app.state.database.write().await.unwrap();
        app.get(As::Viewer, "/api/customers/").await.expect(200);
        drop(held);
    }
}

both! {
    async fn an_order_is_read_with_the_lines_it_had_at_its_version(app) {
        app.product("A", "1").await;
        let order = app.order(&app.customer("Somebody").await, json!([{ "sku": "A", "quantity": 1 }])).await;
        let (path, line) = (format!("/api/orders/{}/", order["id"]), format!("/api/order-items/{}/", order["items"][0]["id"]));
        let writing = async {
            for quantity in 2..=40 {
                app.json(As::Staff, "PATCH", &line, json!({ "quantity": quantity })).await.expect(200);
            }
        };
        // The version, the total and the quantity are one number from the beginning.
        let is_whole = |order: &Value| order["total"] == format!("{}.00", order["version"]) && is_at(&order["items"][0], &order["version"]);
        let reading = async || {
            for _ in 0..40 {
                let order = app.get(As::Viewer, &path).await.expect(200).json();
                assert!(is_whole(&order), "{order}");
                let list = app.get(As::Viewer, "/api/orders/?expand=items").await.expect(200).json();
                assert!(is_whole(&list["results"][0]), "{list}");
                let item = app.get(As::Viewer, &line).await.expect(200).json();
                assert!(is_at(&item, &item["version"]), "{item}");
                let list = app.get(As::Viewer, "/api/order-items/").await.expect(200).json();
                assert!(is_at(&list["results"][0], &list["results"][0]["version"]), "{list}");
            }
        };
        tokio::join!(writing, reading(), reading(), reading());
    }

    async fn two_orders_put_back_in_place_by_undoing_count_for_one_credit_limit(app) {
        app.product("A", "10").await;
        for number in 0..6 {
            let customer = app.customer(&format!("Customer {number}")).await;
            let mut reopened = Vec::new();
            for _ in 0..2 {
                let order = app.order(&customer, json!([{ "sku": "A", "quantity": 1 }])).await;
                app.act(As::Staff, &order, "place", json!({})).await.expect(200);
                let answer = app.act(As::Staff, &order, "reopen", json!({})).await.expect(200);
                reopened.push(format!("/api/changes/{}/undo/", answer.header("x-request-id")));
            }
            app.json(As::Staff, "PATCH", &format!("/api/customers/{}/", customer["id"]), json!({ "credit_limit": "15" })).await.expect(200);
            let (one, two) = tokio::join!(
                app.json(As::Staff, "POST", &reopened[0], json!({})),
                app.json(As::Staff, "POST", &reopened[1], json!({})),
            );
            let outcome = (one.status.as_u16(), two.status.as_u16());
            assert!(matches!(outcome, (200, 409) | (409, 200)), "{outcome:?}");
        }
    }

    async fn of_two_who_change_a_setting_they_both_saw_exactly_one_does(app) {
        let mut was = String::new();
        for round in 0..6 {
            let wish = async |wish: String| {
                let form = [("form[anonymous_api_read]", wish.as_str()), ("form[was.anonymous_api_read]", was.as_str())];
                app.form(As::Administrator, "/-/admin/set", "application/json", &form).await.status.as_u16()
            };
            let wished = if round % 2 == 0 { "true" } else { "false" };
            // Twice the same wish is twice a change of what was there before.
            let outcome = tokio::join!(wish(wished.into()), wish(wished.into()));
            assert!(matches!(outcome, (200, 409) | (409, 200)), "{outcome:?}");
            was = wished.to_owned();
        }
        assert_eq!(app.rows("events WHERE resource = 'settings'").await, 6);
    }
}

/// Whether a line has this quantity, at this version.
fn is_at(line: &Value, version: &Value) -> bool {
    line["version"] == *version && line["quantity"] == json!(version.to_string())
}
