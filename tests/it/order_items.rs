//! Lines as a resource of their own: every change of a line is a change of its order.

use serde_json::{Value, json};

use crate::both;
use crate::support::{As, TestApp};

async fn shop(app: &TestApp) -> Value {
    for (sku, price) in [("A", "10"), ("B", "2.50"), ("C", "1")] {
        app.product(sku, price).await;
    }
    app.customer("Somebody").await
}

/// A draft with a line of A and one of B.
async fn draft(app: &TestApp, customer: &Value) -> Value {
    app.order(customer, json!([{ "sku": "A", "quantity": 2 }, { "sku": "B", "quantity": 4 }])).await
}

fn path(line: &Value) -> String {
    format!("/api/order-items/{}/", line["id"])
}

async fn read(app: &TestApp, order: &Value) -> Value {
    app.get(As::Viewer, &format!("/api/orders/{}", order["id"])).await.expect(200).json()
}

both! {
    async fn a_line_lives_from_post_to_delete(app) {
        let order = draft(app, &shop(app).await).await;
        let body = json!({ "order": order["id"], "sku": "c", "quantity": "1.250", "discount_percent": 50, "description": "Half price" });
        let created = app.json(As::Staff, "POST", "/api/order-items/", body).await.expect(201);
        let line = created.json();
        assert_eq!((created.header("location"), created.header("etag")), (path(&line).as_str(), "\"v2\""));
        assert_eq!((&line["order"], &line["position"], &line["sku"], &line["unit"]), (&order["id"], &json!(3), &json!("C"), &json!("pcs")));
        assert_eq!((&line["quantity"], &line["discount_percent"], &line["net"]), (&json!("1.25"), &json!("50.00"), &json!("0.63")));
        let seen = app.get(As::Viewer, &path(&line)).await.expect(200);
        assert_eq!((seen.header("etag"), &seen.json()), ("\"v2\"", &line));
        app.call(As::Viewer, "GET", &path(&line), &[("if-none-match", "\"v2\"")], "").await.expect(304);
        assert_eq!(read(app, &order).await["items"][2], line, "and it is in its order");

        let patched = app.json(As::Staff, "PATCH", &path(&line), json!({ "quantity": 2 })).await.expect(200);
        assert_eq!((patched.header("etag"), &patched.json()["net"], &patched.json()["description"]), ("\"v3\"", &json!("1.00"), &json!("Half price")));
        let put = app.json(As::Staff, "PUT", &path(&line), json!({ "order": order["id"], "sku": "C", "quantity": 3 })).await.expect(200).json();
        assert_eq!((&put["id"], &put["discount_percent"], &put["net"]), (&line["id"], &json!("0.00"), &json!("3.00")));
        assert_eq!(read(app, &order).await["total"], "33.00");

        app.json(As::Staff, "DELETE", &path(&order["items"][0]), json!({})).await.expect(204);
        app.get(As::Staff, &path(&order["items"][0])).await.expect(404);
        app.json(As::Staff, "DELETE", &path(&order["items"][0]), json!({})).await.expect(404);
        let order = read(app, &order).await;
        assert_eq!((&order["version"], &order["total"]), (&json!(5), &json!("13.00")));
        let positions: Vec<_> = order["items"].as_array().unwrap().iter().map(|line| (&line["sku"], &line["position"])).collect();
        assert_eq!(positions, [(&json!("B"), &json!(1)), (&json!("C"), &json!(2))], "positions close up");
    }

    async fn a_wrong_line_is_named_at_its_field(app) {
        let order = draft(app, &shop(app).await).await;
        let books = app.order_books().await;
        for (body, status, field, said) in [
            (json!({ "sku": "C", "quantity": 1 }), 400, "order", "Order is required."),
            (json!({ "order": 999_999, "sku": "C", "quantity": 1 }), 400, "order", "There is no such order."),
            (json!({ "order": "x", "sku": "C", "quantity": 1 }), 400, "order", "Enter the id"),
            (json!({ "order": order["id"], "quantity": 1 }), 400, "product", "Choose a product."),
            (json!({ "order": order["id"], "sku": "C" }), 400, "quantity", "Quantity is required."),
            (json!({ "order": order["id"], "sku": "C", "quantity": "1.0001" }), 400, "quantity", "at most 3 decimals"),
            (json!({ "order": order["id"], "sku": "C", "quantity": 1, "unit_price": "1.00001" }), 400, "unit_price", "at most 4 decimals"),
            (json!({ "order": order["id"], "sku": "C", "quantity": 1, "discount_percent": 101 }), 400, "discount_percent", "at most 100"),
            (json!({ "order": order["id"], "sku": "D", "quantity": 1 }), 400, "sku", "There is no such product."),
            (json!({ "order": order["id"], "product": 999_999, "quantity": 1 }), 400, "product", "There is no such product."),
            (json!({ "order": order["id"], "sku": "C", "qty": 1, "quantity": 1 }), 400, "qty", "no such field"),
            (json!({ "order": order["id"], "sku": "C", "quantities": 1 }), 400, "quantities", "Did you mean quantity?"),
            (json!({ "order": order["id"], "sku": "C", "quantity": "999999999", "unit_price": "99999999999" }), 400, "quantity", "too large"),
            (json!({ "order": order["id"], "sku": "A", "quantity": 1 }), 409, "sku", "Line 1 already has A; change its quantity instead."),
            (json!({ "order": order["id"], "product": order["items"][1]["product"], "quantity": 1 }), 409, "product", "Line 2 already has B"),
        ] {
            let refused = app.json(As::Staff, "POST", "/api/order-items/", body.clone()).await.expect(status);
            assert!(refused.at(field).contains(said), "{body}: {}", refused.body);
        }
        for (body, status, field, said) in [
            (json!({ "quantity": 0 }), 400, "quantity", "above zero"),
            (json!({ "quantity": null }), 400, "quantity", "Quantity is required."),
            (json!({ "net": "1.00" }), 400, "net", "read-only"),
            (json!({ "quantiy": 1 }), 400, "quantiy", "Did you mean quantity?"),
            (json!({ "sku": "D" }), 400, "sku", "There is no such product."),
            (json!({ "sku": "B" }), 409, "sku", "Line 2 already has B"),
            (json!({ "product": order["items"][1]["product"] }), 409, "product", "Line 2 already has B"),
        ] {
            let refused = app.json(As::Staff, "PATCH", &path(&order["items"][0]), body.clone()).await.expect(status);
            assert!(refused.at(field).contains(said), "{body}: {}", refused.body);
        }
        for id in ["0", "-1", "x", "999999", "99999999999999999999"] {
            app.get(As::Staff, &format!("/api/order-items/{id}")).await.expect(404);
            app.json(As::Staff, "PATCH", &format!("/api/order-items/{id}"), json!({ "quantity": 1 })).await.expect(404);
        }
        assert_eq!(app.order_books().await, books);
    }

    async fn a_line_stays_on_its_order(app) {
        let customer = shop(app).await;
        let (order, other) = (draft(app, &customer).await, app.order(&customer, json!([])).await);
        let refused = app.json(As::Staff, "PATCH", &path(&order["items"][0]), json!({ "order": other["id"] })).await.expect(400);
        assert_eq!(refused.at("order"), "A line stays on its order.");
    }

    async fn a_line_of_another_product_takes_what_is_the_products(app) {
        let order = draft(app, &shop(app).await).await;
        let c = app.get(As::Staff, "/api/products/?sku=C").await.json()["results"][0]["id"].clone();
        for (body, sku) in [(json!({ "product": c }), "C"), (json!({ "sku": "a" }), "A")] {
            let line = read(app, &order).await["items"][0].clone();
            let exchanged = app.json(As::Staff, "PATCH", &path(&line), body).await.expect(200).json();
            let price = if sku == "C" { "1.00" } else { "10.00" };
            assert_eq!((&exchanged["sku"], &exchanged["unit_price"], &exchanged["price_is_manual"]), (&json!(sku), &json!(price), &json!(false)));
            assert_eq!((&exchanged["description"], &exchanged["quantity"]), (&json!(format!("Product {sku}")), &json!("2")));
            assert_eq!((&exchanged["position"], read(app, &order).await["items"].as_array().unwrap().len()), (&json!(1), 2));
        }
    }

    async fn every_change_of_a_line_is_one_event_of_its_order(app) {
        let order = draft(app, &shop(app).await).await;
        let added = app.json(As::Staff, "POST", "/api/order-items/", json!({ "order": order["id"], "sku": "C", "quantity": 1 })).await.expect(201).json();
        assert_eq!(app.latest_changes(&order, "change").await, json!({
            "items[C]": [null, {
                "description": "Product C", "discount_percent": "0.00", "id": added["id"], "net": "1.00", "position": 3,
                "price_is_manual": false, "product": added["product"], "quantity": "1", "sku": "C", "tax": "0.00", "tax_rate": "0.00",
                "total": "1.00", "unit": "pcs", "unit_price": "1.00",
            }],
            "subtotal": ["30.00", "31.00"], "total": ["30.00", "31.00"],
        }));
        app.json(As::Staff, "PATCH", &path(&added), json!({ "unit_price": "1.5" })).await.expect(200);
        assert_eq!(app.latest_changes(&order, "change").await, json!({
            "items[C]": [
                { "net": "1.00", "price_is_manual": false, "total": "1.00", "unit_price": "1.00" },
                { "net": "1.50", "price_is_manual": true, "total": "1.50", "unit_price": "1.50" },
            ],
            "subtotal": ["31.00", "31.50"], "total": ["31.00", "31.50"],
        }));
        app.json(As::Staff, "DELETE", &path(&added), json!({})).await.expect(204);
        assert_eq!(app.latest_changes(&order, "change").await["total"], json!(["31.50", "30.00"]));
        assert_eq!(app.rows(&format!("events WHERE resource = 'orders' AND record_id = {}", order["id"])).await, 4);
        assert_eq!(read(app, &order).await["version"], 4);
        app.json(As::Staff, "PATCH", &path(&order["items"][0]), json!({ "quantity": "2.000" })).await.expect(200);
        assert_eq!(read(app, &order).await["version"], 4, "without a difference nothing is written");
    }

    async fn lines_are_listed_and_filtered(app) {
        let customer = shop(app).await;
        let (one, two) = (draft(app, &customer).await, draft(app, &customer).await);
        let list = async |query: &str| app.get(As::Viewer, &format!("/api/order-items/?{query}")).await.expect(200).json();
        assert_eq!(list("").await["count"], 4);
        let of_two = list(&format!("order={}", two["id"])).await;
        assert_eq!(of_two["results"], two["items"], "the same as in their order");
        let b = list(&format!("product={}&ordering=-order", one["items"][1]["product"])).await;
        let orders: Vec<_> = b["results"].as_array().unwrap().iter().map(|line| &line["order"]).collect();
        assert_eq!(orders, [&two["id"], &one["id"]]);
        assert_eq!(list("sku=A").await["count"], 2);
        assert_eq!(list("quantity__gte=3").await["count"], 2);
        assert_eq!(list("unit_price__lte=2.5").await["count"], 2);
        for (query, field, said) in [
            ("search=x", "search", "no such parameter"), ("expand=items", "expand", "nothing to expand"),
            ("ordering=net", "ordering", "Order by one of"), ("oder=1", "oder", "Did you mean order?"), ("order=x", "order", "whole number"),
        ] {
            let refused = app.get(As::Viewer, &format!("/api/order-items/?{query}")).await.expect(400);
            assert!(refused.at(field).contains(said), "{query}: {}", refused.body);
        }
    }

    async fn who_may_change_orders_may_change_their_lines(app) {
        let order = draft(app, &shop(app).await).await;
        let line = path(&order["items"][0]);
        let books = app.order_books().await;
        let (viewing, changing) = (app.bearer(&["orders.view", "orders.add", "orders.delete"]).await, app.bearer(&["orders.change"]).await);
        let call = async |bearer: &str, method: &str, path: &str, body: Value| {
            let headers = [("content-type", "application/json"), ("authorization", bearer)];
            app.call(As::Anonymous, method, path, &headers, body.to_string()).await
        };
        let calls = [
            ("POST", "/api/order-items/", json!({ "order": order["id"], "sku": "C", "quantity": 1 })),
            ("PATCH", line.as_str(), json!({ "quantity": 7 })),
            ("DELETE", line.as_str(), json!({})),
        ];
        for (method, path, body) in calls.clone() {
            let refused = call(&viewing, method, path, body).await.expect(403).json();
            assert_eq!(refused["detail"], "This needs the permission orders.change.");
        }
        assert_eq!(app.order_books().await.len(), books.len() + 2, "but for the two tokens nothing was written");
        for (method, path, body) in calls {
            assert!(call(&changing, method, path, body).await.status.is_success());
        }
    }
}
