//! Orders with their lines over REST: made all at once or step by step, changed, protected, deleted.

use serde_json::{Value, json};

use crate::both;
use crate::support::{As, TestApp};

/// Products A (10.00, 19 %), B (2.50, 7 %) and C (0.3333, untaxed), and a customer.
async fn shop(app: &TestApp) -> Value {
    for (sku, price, tax_rate) in [("A", "10", "19"), ("B", "2.50", "7"), ("C", "0.3333", "0")] {
        let body = json!({ "sku": sku, "name": format!("Product {sku}"), "unit": "pcs", "price": price, "tax_rate": tax_rate });
        app.json(As::Staff, "POST", "/api/products/", body).await.expect(201);
    }
    app.customer("Somebody").await
}

fn path(order: &Value) -> String {
    format!("/api/orders/{}/", order["id"])
}

async fn read(app: &TestApp, order: &Value) -> Value {
    app.get(As::Viewer, &path(order)).await.expect(200).json()
}

/// What the lines say at `name`, in their order.
fn column<'a>(order: &'a Value, name: &str) -> Vec<&'a Value> {
    order["items"].as_array().unwrap().iter().map(|line| &line[name]).collect()
}

async fn events(app: &TestApp, order: &Value) -> i64 {
    app.rows(&format!("events WHERE resource = 'orders' AND record_id = {}", order["id"])).await
}

both! {
    async fn an_order_is_made_with_its_lines_in_one_call(app) {
        let customer = shop(app).await;
        let body = json!({ "customer": customer["id"], "customer_reference": "PO 7", "order_date": "2026-02-28", "required_date": "2026-03-01",
            "freight": "4.90", "notes": "Ring twice.", "items": [
                { "sku": "a", "quantity": "1.5", "discount_percent": "12.50" },
                { "sku": "B", "quantity": 3, "description": "Dented" },
                { "sku": "C", "quantity": "1000", "unit_price": "0.3000" },
            ] });
        let created = app.json(As::Staff, "POST", "/api/orders/", body).await.expect(201);
        let order = created.json();
        assert_eq!(created.header("location"), path(&order));
        assert_eq!(created.header("etag"), "\"v1\"");
        assert_eq!(app.get(As::Viewer, &path(&order)).await.expect(200).json(), order);
        assert_eq!((&order["status"], &order["number"], &order["currency"]), (&json!("draft"), &Value::Null, &json!("EUR")));
        assert_eq!((&order["customer_name"], &order["order_date"]), (&json!("Somebody"), &json!("2026-02-28")));
        // 1.5 × 10 less 12.5 % is 13.125; 3 × 2.50 and 1000 × 0.30 are exact. 19 % of 13.13 is 2.4947, 7 % of 7.50 is 0.525.
        assert_eq!(column(&order, "net"), ["13.13", "7.50", "300.00"]);
        assert_eq!(column(&order, "tax"), ["2.49", "0.53", "0.00"]);
        assert_eq!(column(&order, "total"), ["15.62", "8.03", "300.00"]);
        let totals = ["subtotal", "discount_total", "tax_total", "total"].map(|name| order[name].as_str().unwrap().to_owned());
        assert_eq!(totals, ["322.50", "1.87", "3.02", "323.65"], "freight is no part of it");
        assert_eq!(column(&order, "position"), [1, 2, 3]);
        assert_eq!(column(&order, "sku"), ["A", "B", "C"]);
        assert_eq!(column(&order, "description"), ["Product A", "Dented", "Product C"]);
        assert_eq!(column(&order, "price_is_manual"), [false, false, true]);
        assert_eq!((app.rows("orders").await, app.rows("order_items").await, events(app, &order).await), (1, 3, 1));
        let changes = app.latest_changes(&order, "create").await;
        assert_eq!(changes["total"], json!([null, "323.65"]));
        assert_eq!(changes["items[C]"][1]["unit_price"], "0.30");
    }

    async fn an_order_without_a_date_is_of_today(app) {
        let customer = shop(app).await;
        let order = app.order(&customer, json!([])).await;
        assert_eq!(order["order_date"].as_str().unwrap(), &order["created_at"].as_str().unwrap()[..10]);
        assert_eq!((&order["items"], &order["total"]), (&json!([]), &json!("0.00")));
        let none = app.json(As::Staff, "POST", "/api/orders/", json!({ "customer": customer["id"] })).await.expect(201).json();
        assert_eq!(none["items"], json!([]));
    }

    async fn an_error_anywhere_writes_nothing_and_is_named(app) {
        let customer = shop(app).await;
        let books = app.order_books().await;
        let good = || vec![json!({ "sku": "A", "quantity": 1 }), json!({ "sku": "B", "quantity": 1 })];
        for (line, field, said) in [
            (json!({ "sku": "C" }), "quantity", "Quantity is required."),
            (json!({ "sku": "C", "quantity": null }), "quantity", "Quantity is required."),
            (json!({ "sku": "C", "quantity": 0 }), "quantity", "above zero"),
            (json!({ "sku": "C", "quantity": "0.000" }), "quantity", "above zero"),
            (json!({ "sku": "C", "quantity": -1 }), "quantity", "not negative"),
            (json!({ "sku": "C", "quantity": "1.0001" }), "quantity", "at most 3 decimals"),
            (json!({ "sku": "C", "quantity": "1e3" }), "quantity", "Enter a number"),
            (json!({ "sku": "C", "quantity": "NaN" }), "quantity", "Enter a number"),
            (json!({ "sku": "C", "quantity": true }), "quantity", "Enter a number"),
            (json!({ "sku": "C", "quantity": [1] }), "quantity", "Enter a number"),
            (json!({ "sku": "C", "quantity": "9".repeat(40) }), "quantity", "at most"),
            (json!({ "sku": "C", "quantity": 1, "unit_price": "1.23456" }), "unit_price", "at most 4 decimals"),
            (json!({ "sku": "C", "quantity": 1, "unit_price": -1 }), "unit_price", "not negative"),
            (json!({ "sku": "C", "quantity": 1, "discount_percent": "100.01" }), "discount_percent", "at most 100"),
            (json!({ "sku": "C", "quantity": 1, "discount_percent": "1.005" }), "discount_percent", "at most 2 decimals"),
            (json!({ "sku": "C", "quantity": 1, "description": "x".repeat(201) }), "description", "at most 200"),
            (json!({ "sku": "C", "quantity": 1, "description": "a\u{0}b" }), "description", "control"),
            (json!({ "sku": "C", "qantity": 1 }), "qantity", "Did you mean quantity?"),
            (json!({ "sku": "C", "quantity": 1, "net": "1.00" }), "net", "no such field"),
            (json!({ "sku": "C", "quantity": 1, "order": 1 }), "order", "no such field"),
            (json!({ "sku": "nothing", "quantity": 1 }), "sku", "There is no such product."),
            (json!({ "product": 999_999, "quantity": 1 }), "product", "There is no such product."),
            (json!({ "product": "C", "quantity": 1 }), "product", "Enter the id"),
            (json!({ "quantity": 1 }), "product", "Choose a product."),
            (json!({ "id": 7, "sku": "C", "quantity": 1 }), "id", "no such line"),
            (json!({ "sku": "C", "quantity": "999999999.999", "unit_price": "99999999999.9999" }), "quantity", "too large"),
        ] {
            let items: Vec<_> = good().into_iter().chain([line.clone()]).collect();
            let refused = app.json(As::Staff, "POST", "/api/orders/", json!({ "customer": customer["id"], "items": items })).await.expect(400);
            let name = format!("items[2].{field}");
            assert!(refused.at(&name).contains(said), "{line}: {}", refused.body);
        }
        for (items, field, said) in [
            (json!("A"), "items", "Enter a list of lines."),
            (json!({ "sku": "A" }), "items", "Enter a list of lines."),
            (json!([["A", 1]]), "items[0]", "Enter a line"),
            (json!(["A"]), "items[0]", "Enter a line"),
            (json!([null]), "items[0]", "Enter a line"),
        ] {
            let refused = app.json(As::Staff, "POST", "/api/orders/", json!({ "customer": customer["id"], "items": items })).await.expect(400);
            assert!(refused.at(field).contains(said), "{}", refused.body);
        }
        assert_eq!(app.order_books().await, books);
    }

    async fn wrong_values_of_header_and_lines_are_named_all_at_once(app) {
        shop(app).await;
        let books = app.order_books().await;
        let body = json!({ "customer": null, "order_date": "31.02.2026", "custommer_reference": "x", "freight": "-1", "shipping_country": "XX", "itmes": [],
            "items": [{ "sku": "A", "quantity": 1 }, { "sku": "B", "quantity": 0, "unit_prise": 1 }] });
        let refused = app.json(As::Staff, "POST", "/api/orders/", body).await.expect(400);
        assert_eq!(refused.at("customer"), "Customer is required.");
        assert!(refused.at("custommer_reference").contains("Did you mean customer_reference?"));
        assert!(refused.at("itmes").contains("Did you mean items?"), "{}", refused.body);
        assert!(refused.at("items[1].quantity").contains("above zero"));
        assert!(refused.at("items[1].unit_prise").contains("Did you mean unit_price?"));
        for field in ["order_date", "freight", "shipping_country"] {
            assert!(!refused.at(field).is_empty(), "{field}: {}", refused.body);
        }
        let body = json!({ "customer": 999_999, "items": [{ "product": 999_999, "quantity": 1 }] });
        let refused = app.json(As::Staff, "POST", "/api/orders/", body).await.expect(400);
        assert_eq!(refused.at("customer"), "There is no such customer.");
        assert_eq!(refused.at("items[0].product"), "There is no such product.");
        for name in ["id", "version", "number", "status", "total", "customer_name", "placed_at"] {
            let mut body = json!({ "customer": 1 });
            body[name] = json!(1);
            let refused = app.json(As::Staff, "POST", "/api/orders/", body).await.expect(400);
            assert!(refused.at(name).contains("no such field"), "{}", refused.body);
        }
        let twice = r#"{ "customer": 1, "items": [{ "sku": "A", "quantity": 1, "quantity": 2 }] }"#;
        let refused = app.call(As::Staff, "POST", "/api/orders/", &[("content-type", "application/json")], twice).await.expect(400);
        assert_eq!(refused.at("items[0].quantity"), "Given more than once.", "{}", refused.body);
        assert_eq!(app.order_books().await, books);
    }

    async fn a_product_stands_on_one_line_of_an_order(app) {
        let customer = shop(app).await;
        let a = app.get(As::Staff, "/api/products/?sku=A").await.json()["results"][0]["id"].clone();
        let books = app.order_books().await;
        for second in [json!({ "sku": "A", "quantity": 2 }), json!({ "sku": "a", "quantity": 2 }), json!({ "product": a, "quantity": 2 })] {
            let items = json!([{ "sku": "B", "quantity": 1 }, { "sku": "A", "quantity": 1 }, { "sku": "C", "quantity": 1 }, second.clone()]);
            let refused = app.json(As::Staff, "POST", "/api/orders/", json!({ "customer": customer["id"], "items": items })).await.expect(409);
            let name = format!("items[3].{}", if second.get("sku").is_some() { "sku" } else { "product" });
            assert_eq!(refused.at(&name), "Line 2 already has A; change its quantity instead.");
        }
        assert_eq!(app.order_books().await, books);
        let order = app.order(&customer, json!([{ "sku": "A", "quantity": 1 }])).await;
        let id = &order["items"][0]["id"];
        let twice = json!({ "items": [{ "id": id, "quantity": 1 }, { "id": id, "quantity": 2 }] });
        assert!(app.json(As::Staff, "PATCH", &path(&order), twice).await.expect(409).at("items[1].product").contains("Line 1"));
        assert_eq!(read(app, &order).await, order);
    }

    async fn a_list_of_lines_in_a_patch_keeps_what_it_does_not_say(app) {
        let customer = shop(app).await;
        let order = app.order(&customer, json!([
            { "sku": "A", "quantity": 1, "unit_price": "8.00", "discount_percent": "10", "description": "As agreed" },
            { "sku": "B", "quantity": 1 },
        ])).await;
        let product = order["items"][1]["product"].clone();
        app.json(As::Staff, "PATCH", &format!("/api/products/{product}/"), json!({ "price": "99" })).await.expect(200);
        for named in [json!({ "id": order["items"][0]["id"] }), json!({ "sku": "a" }), json!({ "product": order["items"][0]["product"] })] {
            let (mut first, mut second) = (named.clone(), json!({ "sku": "B" }));
            (first["quantity"], second["quantity"]) = (json!("3"), json!("2"));
            let changed = app.json(As::Staff, "PATCH", &path(&order), json!({ "items": [first, second] })).await.expect(200).json();
            let lines = changed["items"].as_array().unwrap();
            assert_eq!((&lines[0]["quantity"], &lines[1]["quantity"]), (&json!("3"), &json!("2")), "{named}");
            for name in ["id", "unit_price", "price_is_manual", "discount_percent", "description"] {
                assert_eq!((&lines[0][name], &lines[1][name]), (&order["items"][0][name], &order["items"][1][name]), "{named}: {name}");
            }
        }
        // What is said to be blank is: the price is the product's again.
        let blank = json!({ "items": [{ "sku": "B", "unit_price": null }, { "sku": "C", "quantity": 1 }] });
        let changed = app.json(As::Staff, "PATCH", &path(&order), blank).await.expect(200).json();
        let lines = changed["items"].as_array().unwrap();
        assert_eq!((lines.len(), &lines[0]["unit_price"], &lines[0]["quantity"]), (2, &json!("99.00"), &json!("2")));
    }

    async fn too_many_lines_are_refused(app) {
        let customer = shop(app).await;
        let items: Vec<_> = (0..5_001).map(|_| json!({ "sku": "A", "quantity": 1 })).collect();
        let refused = app.json(As::Staff, "POST", "/api/orders/", json!({ "customer": customer["id"], "items": items })).await.expect(400);
        assert_eq!(refused.at("items"), "An order can have up to 5000 lines.");
        assert_eq!(app.rows("orders").await, 0);
    }

    async fn an_order_can_have_thousands_of_lines(app) {
        let customer = shop(app).await;
        let make = "INSERT INTO products (version, sku, sku_key, name, name_key, unit, price, tax_rate, is_active, search_text, created_at, updated_at) \
            SELECT 1, 'P' || n, 'p' || n, 'P', 'p', 'pcs', 10001, 1900, true, '', '2026-01-01T00:00:00Z', '2026-01-01T00:00:00Z' \
            FROM (WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 2500) SELECT n FROM numbers) numbered";
        app.execute(make).await;
        let items: Vec<_> = (1..=2_500).map(|n| json!({ "sku": format!("P{n}"), "quantity": n })).collect();
        let order = app.order(&customer, json!(items)).await;
        assert_eq!(order["items"].as_array().unwrap().len(), 2_500);
        assert_eq!(order["subtotal"], "3126562.75");
        let read = read(app, &order).await;
        assert_eq!(read, order);
        let mut items = order["items"].clone();
        for line in items.as_array_mut().unwrap() {
            *line = json!({ "id": line["id"], "quantity": 1, "unit_price": "1" });
        }
        let changed = app.json(As::Staff, "PATCH", &path(&order), json!({ "items": items })).await.expect(200).json();
        assert_eq!((&changed["subtotal"], &changed["version"]), (&json!("2500.00"), &json!(2)));
        assert_eq!(column(&changed, "id"), column(&order, "id"));
        app.json(As::Staff, "DELETE", &path(&order), json!({})).await.expect(204);
        assert_eq!(app.rows("order_items").await, 0);
    }

    async fn amounts_beyond_what_money_holds_are_refused(app) {
        let customer = shop(app).await;
        let most = json!({ "sku": "C", "quantity": 100, "unit_price": "99999999999.9999" });
        let order = app.order(&customer, json!([most])).await;
        assert_eq!(order["total"], "9999999999999.99");
        let books = app.order_books().await;
        let refused = app.json(As::Staff, "POST", "/api/order-items/", json!({ "order": order["id"], "sku": "A", "quantity": 1 })).await.expect(400);
        assert_eq!(refused.at("items"), "The amounts of these lines are too large together.");
        let taxed = json!({ "sku": "A", "quantity": 100, "unit_price": "99999999999.9999" });
        let refused = app.json(As::Staff, "POST", "/api/orders/", json!({ "customer": customer["id"], "items": [taxed] })).await.expect(400);
        assert!(refused.body.contains("too large"), "{}", refused.body);
        let line = format!("/api/order-items/{}", order["items"][0]["id"]);
        let refused = app.json(As::Staff, "PATCH", &line, json!({ "quantity": 101 })).await.expect(400);
        assert_eq!(refused.at("quantity"), "The amount of this line is too large.");
        assert_eq!(app.order_books().await, books);
        app.order(&customer, json!([{ "sku": "C", "quantity": 100, "unit_price": "99999999999.9999" }])).await;
        assert_eq!(app.get(As::Staff, "/api/orders/").await.expect(200).json()["count"], 2);
        for order in app.get(As::Staff, "/api/orders/").await.json()["results"].as_array().unwrap() {
            app.act(As::Staff, order, "place", json!({})).await.expect(200);
        }
    }

    async fn an_order_can_be_made_step_by_step(app) {
        let customer = shop(app).await;
        let order = app.json(As::Staff, "POST", "/api/orders/", json!({ "customer": customer["id"] })).await.expect(201).json();
        for (sku, quantity) in [("A", 2), ("B", 4)] {
            let added = app.json(As::Staff, "POST", "/api/order-items/", json!({ "order": order["id"], "sku": sku, "quantity": quantity })).await.expect(201);
            let line = added.json();
            assert_eq!(added.header("location"), format!("/api/order-items/{}/", line["id"]));
            assert_eq!(added.header("etag"), format!("\"v{}\"", line["version"]));
        }
        let stepwise = read(app, &order).await;
        assert_eq!(stepwise["version"], 3);
        let at_once = app.order(&customer, json!([{ "sku": "A", "quantity": 2 }, { "sku": "B", "quantity": 4 }])).await;
        for name in ["subtotal", "discount_total", "tax_total", "total"] {
            assert_eq!(stepwise[name], at_once[name]);
        }
        for name in ["position", "sku", "quantity", "unit_price", "net", "tax", "total"] {
            assert_eq!(column(&stepwise, name), column(&at_once, name));
        }
    }

    async fn what_a_get_gave_can_be_put_back_unchanged(app) {
        let customer = shop(app).await;
        let order = app.order(&customer, json!([{ "sku": "A", "quantity": "1.5", "unit_price": "9.99" }, { "sku": "B", "quantity": 3, "discount_percent": 5 }])).await;
        let books = app.order_books().await;
        for method in ["PUT", "PATCH"] {
            let same = app.json(As::Staff, method, &path(&order), order.clone()).await.expect(200);
            assert_eq!((same.header("etag"), same.json()), ("\"v1\"", order.clone()));
            let line = &order["items"][0];
            let same = app.json(As::Staff, method, &format!("/api/order-items/{}", line["id"]), line.clone()).await.expect(200);
            assert_eq!(same.json(), *line);
        }
        assert_eq!(app.order_books().await, books, "nothing changed, so nothing was written");
        for (name, value) in [("version", json!(9)), ("total", json!("1.00")), ("status", json!("shipped")), ("number", json!("SO-1"))] {
            let mut forged = order.clone();
            forged[name] = value;
            assert_eq!(app.json(As::Staff, "PUT", &path(&order), forged).await.expect(400).at(name), "This field is read-only.");
        }
        for (name, value) in [("net", json!("0.01")), ("position", json!(2)), ("price_is_manual", json!(false)), ("tax_rate", json!("0.00"))] {
            let mut forged = order.clone();
            forged["items"][0][name] = value;
            let refused = app.json(As::Staff, "PUT", &path(&order), forged).await.expect(400);
            assert_eq!(refused.at(&format!("items[0].{name}")), "This field is read-only.", "{}", refused.body);
        }
        assert_eq!(app.order_books().await, books);
    }

    async fn lines_stay_unless_they_are_named(app) {
        let customer = shop(app).await;
        let order = app.order(&customer, json!([{ "sku": "A", "quantity": 1 }, { "sku": "B", "quantity": 1 }])).await;
        let patched = app.json(As::Staff, "PATCH", &path(&order), json!({ "notes": "x", "customer_reference": "y" })).await.expect(200).json();
        assert_eq!((&patched["version"], &patched["notes"], &patched["total"]), (&json!(2), &json!("x"), &order["total"]));
        assert_eq!(column(&patched, "id"), column(&order, "id"));
        assert_eq!(column(&patched, "version"), [2, 2], "a line shares its order's version");
        let replaced = app.json(As::Staff, "PUT", &path(&order), json!({ "customer": customer["id"] })).await.expect(200).json();
        assert_eq!((&replaced["notes"], &replaced["order_date"]), (&Value::Null, &order["order_date"]));
        assert_eq!(column(&replaced, "id"), column(&order, "id"));
        let same = app.json(As::Staff, "PATCH", &path(&order), json!({ "items": null })).await.expect(200).json();
        assert_eq!(same, replaced, "null says nothing about the lines");
        let emptied = app.json(As::Staff, "PATCH", &path(&order), json!({ "items": [] })).await.expect(200).json();
        assert_eq!((&emptied["items"], &emptied["total"], &emptied["tax_total"]), (&json!([]), &json!("0.00"), &json!("0.00")));
        assert_eq!((app.rows("order_items").await, events(app, &order).await), (0, 4));
    }

    async fn a_line_keeps_its_id_whatever_names_it(app) {
        let customer = shop(app).await;
        let order = app.order(&customer, json!([{ "sku": "A", "quantity": 1 }, { "sku": "B", "quantity": 2 }])).await;
        let (a, b) = (&order["items"][0], &order["items"][1]);
        let patch = async |items: Value| app.json(As::Staff, "PATCH", &path(&order), json!({ "items": items })).await.expect(200).json();
        let order = patch(json!([{ "sku": "b", "quantity": 3 }, { "id": a["id"], "quantity": 4 }, { "sku": "C", "quantity": 5 }])).await;
        let c = order["items"][2]["id"].clone();
        assert_eq!(column(&order, "id"), [&b["id"], &a["id"], &c]);
        assert_eq!(column(&order, "sku"), ["B", "A", "C"]);
        assert_eq!(column(&order, "position"), [1, 2, 3]);
        assert_eq!(column(&order, "quantity"), ["3", "4", "5"]);
        let order = patch(json!([{ "product": a["product"], "quantity": "0.5" }, { "id": b["id"], "sku": "B", "quantity": 3 }])).await;
        assert_eq!(column(&order, "id"), [&a["id"], &b["id"]]);
        let order = patch(json!([{ "sku": "C", "quantity": 1 }, { "sku": "A", "quantity": 1 }])).await;
        assert_eq!(column(&order, "id")[1], &a["id"]);
        assert_ne!(column(&order, "id")[0], &c, "what was removed does not come back");
        let refused = app.json(As::Staff, "PATCH", &path(&order), json!({ "items": [{ "id": b["id"], "quantity": 1 }] })).await.expect(400);
        assert_eq!(refused.at("items[0].id"), "This order has no such line any more.");
        let stored = read(app, &order).await;
        assert_eq!(stored, order);
        assert_eq!((app.rows("order_items").await, events(app, &order).await), (2, 4));
    }

    async fn a_line_of_another_order_is_not_taken(app) {
        let customer = shop(app).await;
        let (one, two) = (app.order(&customer, json!([{ "sku": "A", "quantity": 1 }])).await, app.order(&customer, json!([{ "sku": "B", "quantity": 1 }])).await);
        let books = app.order_books().await;
        let items = json!({ "items": [{ "id": two["items"][0]["id"], "sku": "B", "quantity": 9 }] });
        assert!(app.json(As::Staff, "PATCH", &path(&one), items).await.expect(400).at("items[0].id").contains("no such line"));
        assert_eq!(app.order_books().await, books);
    }

    async fn a_price_of_the_product_never_reaches_a_stored_line(app) {
        let customer = shop(app).await;
        let order = app.order(&customer, json!([{ "sku": "A", "quantity": 2 }])).await;
        let product = format!("/api/products/{}", order["items"][0]["product"]);
        app.json(As::Staff, "PATCH", &product, json!({ "price": "12", "tax_rate": "7", "name": "Renamed", "sku": "AA" })).await.expect(200);
        assert_eq!(read(app, &order).await, order);
        let line = format!("/api/order-items/{}", order["items"][0]["id"]);
        let item = app.json(As::Staff, "PATCH", &line, json!({ "quantity": 3 })).await.expect(200).json();
        let said = |item: &Value| ["unit_price", "tax_rate", "sku", "description", "net"].map(|name| item[name].as_str().unwrap().to_owned());
        assert_eq!(said(&item), ["10.00", "19.00", "A", "Product A", "30.00"]);
        assert_eq!(item["price_is_manual"], false);
        app.json(As::Staff, "PATCH", &path(&order), json!({ "notes": "x" })).await.expect(200);
        let item = app.json(As::Staff, "PATCH", &line, json!({ "unit_price": null })).await.expect(200).json();
        assert_eq!((&item["unit_price"], &item["net"], &item["price_is_manual"]), (&json!("12.00"), &json!("36.00"), &json!(false)), "blank is the price of now");
        assert_eq!(app.order(&customer, json!([{ "sku": "aa", "quantity": 2 }])).await["items"][0]["unit_price"], "12.00");
    }

    async fn a_typed_price_is_manual_until_it_is_blanked(app) {
        let customer = shop(app).await;
        let order = app.order(&customer, json!([{ "sku": "A", "quantity": 2, "unit_price": "8.1234" }, { "sku": "B", "quantity": 1 }])).await;
        let said = |order: &Value| (order["items"][0]["unit_price"].clone(), order["items"][0]["price_is_manual"].clone());
        let manual = (json!("8.1234"), json!(true));
        assert_eq!(said(&order), manual);
        let line = format!("/api/order-items/{}", order["items"][0]["id"]);
        app.json(As::Staff, "PATCH", &line, json!({ "quantity": "7.5" })).await.expect(200);
        assert_eq!(said(&read(app, &order).await), manual);
        let mut whole = read(app, &order).await;
        whole["items"][0]["quantity"] = json!("9");
        assert_eq!(said(&app.json(As::Staff, "PUT", &path(&order), whole).await.expect(200).json()), manual);
        let typed = app.json(As::Staff, "PATCH", &format!("/api/order-items/{}", order["items"][1]["id"]), json!({ "unit_price": "2.60" })).await.expect(200).json();
        assert_eq!((&typed["unit_price"], &typed["price_is_manual"]), (&json!("2.60"), &json!(true)));
        let mut whole = read(app, &order).await;
        whole["items"][0]["unit_price"] = Value::Null;
        let reset = app.json(As::Staff, "PUT", &path(&order), whole).await.expect(200).json();
        assert_eq!(said(&reset), (json!("10.00"), json!(false)));
        assert_eq!(app.latest_changes(&order, "change").await["items[A]"][1]["unit_price"], "10.00");
        let free = app.json(As::Staff, "PATCH", &line, json!({ "unit_price": 0 })).await.expect(200).json();
        assert_eq!((&free["unit_price"], &free["price_is_manual"], &free["net"]), (&json!("0.00"), &json!(true), &json!("0.00")));
    }

    async fn a_line_that_became_one_of_another_product_takes_what_is_the_products(app) {
        let customer = shop(app).await;
        let c = app.get(As::Staff, "/api/products/?sku=C").await.json()["results"][0]["id"].clone();
        for (name, value) in [("product", c), ("sku", json!("C"))] {
            let order = app.order(&customer, json!([{ "sku": "A", "quantity": 2 }, { "sku": "B", "quantity": 1, "unit_price": "2.60" }])).await;
            let mut whole = order.clone();
            whole["items"][0][name] = value;
            for read_only in ["net", "tax", "total", "unit", "tax_rate", "position", "price_is_manual"] {
                whole["items"][0].as_object_mut().unwrap().remove(read_only);
            }
            let changed = app.json(As::Staff, "PUT", &path(&order), whole).await.expect(200).json();
            assert_eq!(column(&changed, "sku"), ["C", "B"], "{name}");
            assert_eq!(column(&changed, "description"), ["Product C", "Product B"]);
            assert_eq!(column(&changed, "unit_price"), ["0.3333", "2.60"]);
            assert_eq!(column(&changed, "price_is_manual"), [false, true]);
            assert_eq!(column(&changed, "quantity"), ["2", "1"]);
        }
    }

    async fn an_order_changes_hands(app) {
        let customer = shop(app).await;
        let order = app.order(&customer, json!([{ "sku": "A", "quantity": 1 }])).await;
        let other = app.customer("Other").await;
        let moved = app.json(As::Staff, "PATCH", &path(&order), json!({ "customer": other["id"] })).await.expect(200).json();
        assert_eq!((&moved["customer"], &moved["customer_name"]), (&other["id"], &json!("Other")));
        assert_eq!(app.get(As::Staff, "/api/orders/?search=other").await.json()["count"], 1);
        assert_eq!(app.get(As::Staff, "/api/orders/?search=somebody").await.json()["count"], 0);
        let refused = app.json(As::Staff, "PATCH", &path(&order), json!({ "customer": 999_999 })).await.expect(400);
        assert_eq!(refused.at("customer"), "There is no such customer.");
    }

    async fn header_and_lines_share_a_version(app) {
        let customer = shop(app).await;
        let order = app.order(&customer, json!([{ "sku": "A", "quantity": 1 }, { "sku": "B", "quantity": 1 }])).await;
        let item = format!("/api/order-items/{}/", order["items"][0]["id"]);
        let stale = json!(1);
        app.at_version(As::Staff, "PATCH", &item, &stale, json!({ "quantity": 2 })).await.expect(200);
        let books = app.order_books().await;
        for (method, target, body) in [
            ("PATCH", path(&order), json!({ "notes": "x" })),
            ("PUT", path(&order), json!({ "customer": customer["id"], "items": [] })),
            ("DELETE", path(&order), json!({})),
            ("PATCH", item.clone(), json!({ "quantity": 3 })),
            ("PUT", item.clone(), json!({ "order": order["id"], "sku": "A", "quantity": 3 })),
            ("DELETE", item.clone(), json!({})),
        ] {
            let refused = app.at_version(As::Staff, method, &target, &stale, body).await.expect(412).json();
            assert_eq!((&refused["code"], &refused["version"]), (&json!("stale"), &json!(2)), "{method} {target}");
        }
        assert_eq!(app.order_books().await, books);
        let other = format!("/api/order-items/{}/", order["items"][1]["id"]);
        assert_eq!(app.get(As::Staff, &other).await.header("etag"), "\"v2\"");
        app.at_version(As::Careful, "DELETE", &other, &json!(2), json!({})).await.expect(204);
        assert_eq!(read(app, &order).await["version"], 3);
        for (method, target) in [("PATCH", &item), ("DELETE", &item), ("PATCH", &path(&order)), ("DELETE", &path(&order))] {
            app.json(As::Careful, method, target, json!({})).await.expect(428);
        }
        app.at_version(As::Staff, "DELETE", &path(&order), &json!(3), json!({})).await.expect(204);
    }

    async fn a_change_leaves_one_event_with_old_and_new(app) {
        let customer = shop(app).await;
        let order = app.order(&customer, json!([{ "sku": "A", "quantity": 1 }, { "sku": "B", "quantity": 1 }])).await;
        let before = app.rows("events").await;
        app.json(As::Staff, "PATCH", &format!("/api/order-items/{}", order["items"][0]["id"]), json!({ "quantity": 2 })).await.expect(200);
        assert_eq!(app.latest_changes(&order, "change").await, json!({
            "items[A]": [
                { "quantity": "1", "net": "10.00", "tax": "1.90", "total": "11.90" },
                { "quantity": "2", "net": "20.00", "tax": "3.80", "total": "23.80" },
            ],
            "subtotal": ["12.50", "22.50"], "tax_total": ["2.08", "3.98"], "total": ["14.58", "26.48"],
        }));
        let body = json!({ "notes": "x", "items": [{ "sku": "A", "quantity": 2 }, { "sku": "C", "quantity": 3 }] });
        app.json(As::Staff, "PATCH", &path(&order), body).await.expect(200);
        let changes = app.latest_changes(&order, "change").await;
        assert_eq!(changes["notes"], json!([null, "x"]));
        assert_eq!((&changes["items[B]"][1], &changes["items[C]"][0]), (&Value::Null, &Value::Null));
        assert_eq!(changes["items[B]"][0]["quantity"], "1");
        assert_eq!(changes.get("items[A]"), None);
        assert_eq!(app.rows("events").await, before + 2);
        assert_eq!(app.rows("events WHERE resource = 'order-items'").await, 0);
    }

    async fn who_is_in_use_is_not_deleted(app) {
        let customer = shop(app).await;
        for _ in 0..3 {
            app.order(&customer, json!([{ "sku": "A", "quantity": 1 }, { "sku": "B", "quantity": 1 }])).await;
        }
        let order = app.order(&customer, json!([{ "sku": "B", "quantity": 1 }])).await;
        app.act(As::Staff, &order, "cancel", json!({ "reason": "x" })).await.expect(200);
        let product = async |sku: &str| app.get(As::Staff, &format!("/api/products/?sku={sku}")).await.json()["results"][0]["id"].clone();
        let (a, b, c) = (product("A").await, product("B").await, product("C").await);
        for (target, count, href) in [
            (format!("/api/customers/{}", customer["id"]), 4, format!("/orders?customer={}", customer["id"])),
            (format!("/api/products/{a}"), 3, format!("/orders?product={a}")),
            (format!("/api/products/{b}"), 4, format!("/orders?product={b}")),
        ] {
            let refused = app.json(As::Staff, "DELETE", &target, json!({})).await.expect(409).json();
            assert_eq!(refused["blockers"], json!([{ "resource": "orders", "count": count, "href": href }]));
            assert!(refused["detail"].as_str().unwrap().contains(&format!("orders: {count}")), "{refused}");
            let listed = app.get(As::Staff, &format!("/api{href}")).await.expect(200).json();
            assert_eq!(listed["count"], count, "the link leads to just these");
            app.get(As::Staff, &target).await.expect(200);
        }
        app.json(As::Staff, "DELETE", &format!("/api/products/{c}"), json!({})).await.expect(204);
        let free = app.customer("Free").await;
        app.json(As::Staff, "DELETE", &format!("/api/customers/{}", free["id"]), json!({})).await.expect(204);
    }

    async fn a_deleted_draft_takes_its_lines_along(app) {
        let customer = shop(app).await;
        let (order, other) = (app.order(&customer, json!([{ "sku": "A", "quantity": 1 }, { "sku": "B", "quantity": 1 }])).await,
                              app.order(&customer, json!([{ "sku": "A", "quantity": 1 }])).await);
        app.json(As::Staff, "DELETE", &path(&order), json!({})).await.expect(204);
        app.get(As::Staff, &path(&order)).await.expect(404);
        app.get(As::Staff, &format!("/api/order-items/{}", order["items"][0]["id"])).await.expect(404);
        assert_eq!((app.rows("orders").await, app.rows("order_items").await), (1, 1));
        assert_eq!(app.latest_changes(&order, "delete").await["items[B]"][1], Value::Null);
        let refused = app.json(As::Staff, "DELETE", &format!("/api/customers/{}", customer["id"]), json!({})).await.expect(409).json();
        assert_eq!(refused["blockers"][0]["count"], 1);
        app.json(As::Staff, "DELETE", &path(&other), json!({})).await.expect(204);
        app.json(As::Staff, "DELETE", &format!("/api/customers/{}", customer["id"]), json!({})).await.expect(204);
    }

    async fn orders_cost_the_same_statements_however_many_lines(app) {
        let customer = shop(app).await;
        for number in 0..200 {
            app.product(&format!("P{number}"), "1").await;
        }
        // By session, as the use of a token is noted beside the request and would be counted too.
        let headers = [("cookie", app.cookie(As::Staff).unwrap()), ("content-type", "application/json"), ("sec-fetch-site", "same-origin")];
        let cost = async |method: &str, path: &str, body: &Value, status: u16| {
            let before = app.state.database.statements();
            let answer = app.call(As::Anonymous, method, path, &headers, body.to_string()).await.expect(status);
            (app.state.database.statements() - before, answer)
        };
        let lines = |count: usize, quantity: usize| {
            (0..count).map(|n| json!({ "sku": format!("P{n}"), "quantity": quantity })).collect::<Vec<_>>()
        };
        let mut costs = Vec::new();
        for count in [2, 40, 200] {
            let body = json!({ "customer": customer["id"], "items": lines(count, 1) });
            let (create, made) = cost("POST", "/api/orders/", &body, 201).await;
            let order = made.json();
            let (detail, _) = cost("GET", &path(&order), &json!({}), 200).await;
            let (actions, _) = cost("GET", &format!("{}actions/", path(&order)), &json!({}), 200).await;
            let (change, _) = cost("PATCH", &path(&order), &json!({ "items": lines(count, 2) }), 200).await;
            let (line, _) = cost("PATCH", &format!("/api/order-items/{}", order["items"][0]["id"]), &json!({ "quantity": 3 }), 200).await;
            let (place, _) = cost("POST", &format!("{}place/", path(&order)), &json!({}), 200).await;
            costs.push([create, detail, actions, change, line, place]);
        }
        assert_eq!(costs[0], costs[1]);
        assert_eq!(costs[0], costs[2]);
        assert!(costs[0][1] <= 3, "who is asking, the order, its lines: {costs:?}");
    }
}
