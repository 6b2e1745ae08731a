//! Many changes in one request, and operations on the lines of an order.

use serde_json::{Value, json};

use crate::both;
use crate::support::{As, TestApp};

async fn bulk(app: &TestApp, who: As, resource: &str, body: Value) -> crate::support::Answer {
    app.json(who, "POST", &format!("/api/{resource}/bulk/"), body).await
}

/// The SKUs and quantities of an order's lines.
async fn lines(app: &TestApp, order: &Value) -> Vec<(String, String)> {
    let order = app.get(As::Viewer, &format!("/api/orders/{}/", order["id"])).await.expect(200).json();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    order["items"].as_array().unwrap().iter().map(|line| (text(&line["sku"]), text(&line["quantity"]))).collect()
}

both! {
    async fn rows_are_created_changed_and_deleted_in_their_order(app) {
        app.customer("One").await;
        app.customer("Two").await;
        let done = bulk(app, As::Administrator, "customers", json!({ "rows": [
            { "action": "create", "values": { "name": "Three" } },
            { "action": "change", "id": 1, "version": 1, "values": { "name": "Uno" } },
            { "action": "delete", "id": 2 },
            { "action": "change", "id": 1, "version": 2, "values": { "notes": "x" } },
        ] })).await.expect(200).json();
        let said: Vec<_> = done["results"].as_array().unwrap().iter().map(|row| row["status"].as_i64().unwrap()).collect();
        assert_eq!(said, [201, 200, 204, 200]);
        assert_eq!(done["results"][3]["record"]["name"], "Uno");
        assert_eq!(done["results"][3]["record"]["version"], 3);
        assert_eq!(app.rows("customers").await, 2);
        assert_eq!(app.rows("events WHERE resource = 'customers'").await, 2 + 4);
    }

    async fn one_refused_row_rejects_all_and_every_refusal_is_named(app) {
        app.customer("One").await;
        let refused = bulk(app, As::Administrator, "customers", json!({ "rows": [
            { "action": "create", "values": { "name": "Fine", "code": "F" } },
            { "action": "create", "values": { "nmae": "x" } },
            { "action": "create", "values": { "name": "Taken", "code": "f" } },
            { "action": "change", "id": 1, "version": 9, "values": { "name": "Late" } },
            { "action": "delete", "id": 99 }, { "action": "remove", "id": 1 }, 7, { "action": "create" },
            { "action": "create", "id": 4, "values": {} },
        ] })).await.expect(400).json();
        let errors = refused["errors"].as_object().unwrap();
        let names: Vec<_> = errors.keys().map(String::as_str).collect();
        assert_eq!(names, ["rows[1].name", "rows[1].nmae", "rows[2].code", "rows[3]", "rows[4]", "rows[5].action", "rows[6]", "rows[7].values", "rows[8].id"]);
        assert_eq!((app.rows("customers").await, app.rows("events WHERE resource = 'customers'").await), (1, 1));
    }

    async fn the_other_rows_are_written_where_that_is_asked_for(app) {
        app.customer("One").await;
        let done = bulk(app, As::Administrator, "customers", json!({ "on_error": "reject_row", "rows": [
            { "action": "create", "values": { "name": "Fine", "code": "F" } },
            { "action": "create", "values": { "name": "Taken", "code": "f" } },
            { "action": "change", "id": 1, "version": 9, "values": { "name": "Late" } },
            { "action": "create", "values": { "name": "Last" } },
        ] })).await.expect(200).json();
        let results = done["results"].as_array().unwrap();
        assert_eq!(results.iter().map(|row| row["status"].as_i64().unwrap()).collect::<Vec<_>>(), [201, 409, 412, 201]);
        assert!(results[1]["error"]["errors"]["code"][0].as_str().unwrap().contains("already"));
        assert_eq!(results[2]["error"]["version"], 1);
        assert_eq!((app.rows("customers").await, app.rows("events WHERE resource = 'customers'").await), (3, 3));
    }

    async fn each_row_needs_the_permission_of_its_action(app) {
        app.customer("One").await;
        let done = bulk(app, As::Viewer, "customers", json!({ "on_error": "reject_row", "rows": [
            { "action": "create", "values": { "name": "x" } }, { "action": "change", "id": 1, "values": { "name": "x" } }, { "action": "delete", "id": 1 },
        ] })).await.expect(200).json();
        for (row, action) in done["results"].as_array().unwrap().iter().zip(["add", "change", "delete"]) {
            assert_eq!(row["status"], 403);
            assert!(row["error"]["detail"].as_str().unwrap().contains(&format!("customers.{action}")));
        }
        bulk(app, As::Viewer, "customers", json!({ "rows": [{ "action": "create", "values": { "name": "x" } }] })).await.expect(403);
        let careful = bulk(app, As::Careful, "customers", json!({ "on_error": "reject_row", "rows": [{ "action": "delete", "id": 1 }] })).await.expect(200);
        assert_eq!(careful.json()["results"][0]["status"], 428);
        assert_eq!(app.rows("customers").await, 1);
    }

    async fn a_request_that_makes_no_sense_is_named(app) {
        for (body, field) in [
            (json!({}), "rows"), (json!({ "rows": 1 }), "rows"), (json!({ "rows": [], "on_eror": "x" }), "on_eror"),
            (json!({ "rows": [], "on_error": "ignore" }), "on_error"), (json!({ "rows": vec![json!({}); 1001] }), "rows"),
        ] {
            let refused = bulk(app, As::Staff, "customers", body).await.expect(400);
            assert!(!refused.at(field).is_empty(), "{}", refused.body);
        }
        assert_eq!(bulk(app, As::Staff, "customers", json!({ "rows": [] })).await.expect(200).json()["results"], json!([]));
    }

    async fn orders_and_their_lines_come_in_bulk_too(app) {
        for sku in ["A", "B"] {
            app.product(sku, "1.00").await;
        }
        let customer = app.customer("Bob").await;
        let orders: Vec<_> = (1..=20).map(|n| json!({ "action": "create", "values": { "customer": customer["id"], "items": [{ "sku": "A", "quantity": n }] } })).collect();
        bulk(app, As::Staff, "orders", json!({ "rows": orders })).await.expect(200);
        assert_eq!((app.rows("orders").await, app.rows("order_items").await), (20, 20));
        let refused = bulk(app, As::Staff, "orders", json!({ "rows": [
            { "action": "change", "id": 1, "values": { "items": [{ "sku": "A", "quantity": 1 }, { "sku": "B", "quantity": -1 }] } },
        ] })).await.expect(400);
        assert!(refused.body.contains("rows[0].items[1].quantity"), "{}", refused.body);
        bulk(app, As::Staff, "order-items", json!({ "rows": [
            { "action": "create", "values": { "order": 1, "sku": "B", "quantity": 3 } }, { "action": "change", "id": 1, "values": { "quantity": 5 } },
            { "action": "delete", "id": 2 },
        ] })).await.expect(200);
        assert_eq!(app.rows("order_items").await, 20);
        assert_eq!(lines(app, &json!({ "id": 1 })).await, [("A".to_owned(), "5".to_owned()), ("B".into(), "3".into())]);
    }

    async fn lines_are_added_updated_and_removed_in_one_patch(app) {
        for sku in ["A", "B", "C", "D"] {
            app.product(sku, "1.00").await;
        }
        let order = app.order(&app.customer("Bob").await, json!([{ "sku": "A", "quantity": 1 }, { "sku": "B", "quantity": 2, "unit_price": "9" }, { "sku": "C", "quantity": 3 }])).await;
        let (path, id) = (format!("/api/orders/{}/", order["id"]), |line: usize| order["items"][line]["id"].clone());
        let patched = app.json(As::Staff, "PATCH", &path, json!({ "notes": "n", "items": {
            "add": [{ "sku": "D", "quantity": "4" }], "update": [{ "id": id(1), "quantity": "20" }], "remove": [id(0)],
        } })).await.expect(200).json();
        assert_eq!(patched["version"], 2);
        assert_eq!(patched["items"][0]["unit_price"], order["items"][1]["unit_price"], "what is not named stays");
        assert_eq!(lines(app, &order).await, [("B".to_owned(), "20".to_owned()), ("C".into(), "3".into()), ("D".into(), "4".into())]);
        // What an update names is the line; another product on it is another line of the order.
        app.json(As::Staff, "PATCH", &path, json!({ "items": { "update": [{ "id": id(2), "sku": "A" }] } })).await.expect(200);
        assert_eq!(lines(app, &order).await[1], ("A".to_owned(), "3".to_owned()));
        app.json(As::Staff, "PATCH", &path, json!({ "items": {} })).await.expect(200);
    }

    async fn an_operation_that_makes_no_sense_is_named_where_the_client_wrote_it(app) {
        for sku in ["A", "B", "C"] {
            app.product(sku, "1.00").await;
        }
        let order = app.order(&app.customer("Bob").await, json!([{ "sku": "A", "quantity": 1 }, { "sku": "B", "quantity": 2 }])).await;
        let (path, id) = (format!("/api/orders/{}/", order["id"]), |line: usize| order["items"][line]["id"].clone());
        let before = app.order_books().await;
        for (operations, field) in [
            (json!({ "add": [{ "sku": "C", "quantity": -1 }] }), "items.add[0].quantity"), (json!({ "update": [{ "id": id(1), "quantity": 0 }] }), "items.update[0].quantity"),
            (json!({ "update": [{ "id": 999, "quantity": 1 }] }), "items.update[0]"), (json!({ "update": [{ "quantity": 1 }] }), "items.update[0]"),
            (json!({ "remove": [id(0), id(0)] }), "items.remove[1]"), (json!({ "remove": ["x"] }), "items.remove[0]"), (json!({ "remove": 3 }), "items.remove"),
            (json!({ "delete": [id(0)] }), "items.delete"), (json!({ "update": [{ "id": id(0), "net": "5" }] }), "items.update[0].net"),
            (json!({ "update": [{ "id": id(0), "qantity": "5" }] }), "items.update[0].qantity"), (json!({ "add": [{ "quantity": "5" }] }), "items.add[0].product"),
        ] {
            let refused = app.json(As::Staff, "PATCH", &path, json!({ "items": operations })).await;
            assert!([400, 409].contains(&refused.status.as_u16()), "{operations}: {}", refused.body);
            assert!(refused.json()["errors"].get(field).is_some(), "{field}: {}", refused.body);
        }
        // One line for each product.
        let second = app.json(As::Staff, "PATCH", &path, json!({ "items": { "add": [{ "sku": "C", "quantity": 1 }, { "sku": "C", "quantity": 1 }] } })).await;
        assert!(second.body.contains("items.add[1]"), "{}", second.body);
        assert_eq!(app.order_books().await, before);
        let new = app.json(As::Staff, "POST", "/api/orders/", json!({ "customer": order["customer"], "items": { "add": [] } })).await.expect(400);
        assert!(new.at("items").contains("list of lines"), "{}", new.body);
    }
}
