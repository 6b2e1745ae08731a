//! The server functions behind the order pages: forms with a grid of lines, and buttons.

use serde_json::{Value, json};

use crate::both;
use crate::support::{Answer, As, TestApp};

const ONCE: &str = "01890000-0000-7000-8000-000000000003";

async fn shop(app: &TestApp) -> String {
    app.product("A", "10").await;
    app.product("B", "2.50").await;
    app.customer("Somebody").await["id"].to_string()
}

async fn send(app: &TestApp, who: As, function: &str, fields: &[(&str, &str)]) -> Answer {
    app.form(who, &format!("/-/orders/{function}"), "application/json", fields).await
}

async fn ask(app: &TestApp, query: &str) -> Value {
    let request = axum::http::Request::get(format!("/-/orders/{query}")).header("accept", "application/json");
    let request = request.header("cookie", app.cookie(As::Staff).unwrap());
    app.send(request.body(axum::body::Body::empty()).unwrap()).await.expect(200).json()
}

both! {
    async fn a_form_makes_an_order_out_of_its_grid(app) {
        let customer = shop(app).await;
        let made = send(app, As::Staff, "create", &[
            ("once", ONCE), ("form[customer]", &customer), ("form[order_date]", "2026-02-28"), ("form[notes]", "two\r\nlines"),
            ("form[items.0.sku]", "A"), ("form[items.0.quantity]", " 2 "), ("form[items.0.unit_price]", ""), ("form[items.0.id]", ""),
            ("form[items.7.product]", ""), ("form[items.7.sku]", "b"), ("form[items.7.quantity]", "3"), ("form[items.7.discount_percent]", "50"),
            ("form[items.8.sku]", ""), ("form[items.8.quantity]", " "), ("form[items.8.id]", ""),
        ]).await.expect(200);
        assert_eq!(made.header("location"), format!("/orders/{}", made.json()));
        let order = app.get(As::Staff, &format!("/api/orders/{}", made.json())).await.json();
        assert_eq!((&order["status"], &order["total"], &order["notes"]), (&json!("draft"), &json!("23.75"), &json!("two\nlines")));
        assert_eq!(order["items"].as_array().unwrap().len(), 2, "rows that say nothing are spare");
    }

    async fn whoever_works_through_a_list_keeps_their_place_in_it(app) {
        app.product("A", "10").await;
        let customer = app.customer("Somebody").await;
        let mut orders = Vec::new();
        for _ in 0..3 {
            let order = app.order(&customer, json!([{ "sku": "A", "quantity": 1 }])).await;
            orders.push(app.act(As::Staff, &order, "place", json!({})).await.expect(200).json()["order"].clone());
        }
        let middle = &orders[1];
        let page = format!("/orders/{}?status=placed&at=2", middle["id"]);
        let ship = async |referer: String| {
            let body = format!("id={}&version={}&page=%2Forders", middle["id"], middle["version"]);
            let request = axum::http::Request::post("/-/orders/ship").header("accept", "text/html").header("host", "kontor.example")
                .header("sec-fetch-site", "same-origin").header("content-type", "application/x-www-form-urlencoded")
                .header("cookie", app.cookie(As::Staff).unwrap()).header("referer", referer);
            app.send(request.body(axum::body::Body::from(body)).unwrap()).await
        };
        let shipped = ship(format!("https://kontor.example{page}")).await.expect(303);
        assert_eq!(shipped.header("location"), page);
        let body = app.page(As::Staff, &page).await.expect(200).body;
        // The latest comes first. The next takes the place of the one that left.
        for (order, at) in [(&orders[2], 1), (&orders[0], 2)] {
            assert!(body.contains(&format!("href=\"/orders/{}?status=placed&amp;at={at}\"", order["id"])), "{at}: {body}");
        }
        // Pages of others say nothing of a place.
        for other in [format!("https://kontor.example/orders/{}0?at=1", middle["id"]), "https://kontor.example/orders?at=1".into()] {
            let again = ship(other.clone()).await;
            assert!(!again.header("location").contains("at="), "{other}");
        }
    }

    async fn a_customer_may_be_typed_by_code_or_name(app) {
        shop(app).await;
        app.customer("Twin").await;
        app.customer("Twin").await;
        for (number, typed) in ["c-00001", "somebody", " SOMEBODY "].into_iter().enumerate() {
            let once = format!("01890000-0000-7000-8000-00000000010{number}");
            send(app, As::Staff, "create", &[("once", &once), ("form[customer]", typed)]).await.expect(200);
        }
        for typed in ["Twin", "Nobody"] {
            let refused = send(app, As::Staff, "create", &[("once", ONCE), ("form[customer]", typed)]).await.expect(400);
            assert!(refused.at("customer").contains("no customer with this name or code"), "{}", refused.body);
        }
        assert_eq!(app.rows("orders").await, 3);
    }

    async fn what_is_wrong_in_the_grid_is_named_by_its_row(app) {
        let customer = shop(app).await;
        let refused = send(app, As::Staff, "create", &[
            ("once", ONCE), ("form[customer]", &customer), ("form[freight]", "lots"), ("form[items.0.sku]", "A"), ("form[items.0.quantity]", "1"),
            ("form[items.4.sku]", "nothing"), ("form[items.4.quantity]", "x"), ("form[items.5.quantity]", "1"), ("form[items.6.qty]", "1"),
        ]).await.expect(400);
        for field in ["freight", "items[4].quantity", "items[5].product", "items[6].qty"] {
            assert!(!refused.at(field).is_empty(), "{field}: {}", refused.body);
        }
        let refused = send(app, As::Staff, "create", &[
            ("once", ONCE), ("form[customer]", &customer), ("form[items.4.sku]", "nothing"), ("form[items.4.quantity]", "1"), ("form[items.x.sku]", "A"),
        ]).await.expect(400);
        assert!(!refused.at("items").is_empty(), "{}", refused.body);
        assert_eq!(app.rows("orders").await + app.rows("form_keys").await, 0);
    }

    async fn saving_and_placing_is_one_step_or_none(app) {
        let customer = shop(app).await;
        let lines = [("form[items.0.sku]", "A"), ("form[items.0.quantity]", "2")];
        let head = [("once", ONCE), ("then", "place"), ("form[customer]", customer.as_str())];
        let refused = send(app, As::Staff, "create", &head).await.expect(409);
        assert!(refused.body.contains("at least one line"), "{}", refused.body);
        assert_eq!(app.rows("orders").await + app.rows("form_keys").await + app.rows("number_series WHERE name LIKE 'orders%'").await, 0);
        let id = send(app, As::Staff, "create", &[&head[..], &lines].concat()).await.expect(200).json();
        let order = app.get(As::Staff, &format!("/api/orders/{id}")).await.json();
        assert_eq!((&order["status"], &order["version"]), (&json!("placed"), &json!(2)));
        let again = send(app, As::Staff, "create", &[&head[..], &lines].concat()).await.expect(200).json();
        assert_eq!((again, app.rows("orders").await), (id.clone(), 1));

        let id = id.to_string();
        send(app, As::Staff, "reopen", &[("id", &id), ("version", "2")]).await.expect(200);
        let update = [("id", id.as_str()), ("version", "3"), ("then", "place"), ("form[customer]", customer.as_str())];
        let refused = send(app, As::Staff, "update", &update).await.expect(409);
        assert!(refused.body.contains("at least one line"), "a grid without rows is an order without lines: {}", refused.body);
        assert_eq!(app.get(As::Staff, &format!("/api/orders/{id}")).await.json()["version"], 3);
        let saved = [&update[..], &[("form[items.0.sku]", "A"), ("form[items.0.quantity]", "9")]].concat();
        send(app, As::Staff, "update", &saved).await.expect(200);
        let order = app.get(As::Staff, &format!("/api/orders/{id}")).await.json();
        assert_eq!((&order["status"], &order["version"], &order["total"]), (&json!("placed"), &json!(5), &json!("90.00")));
        send(app, As::Staff, "update", &[("id", &id), ("version", "5"), ("then", "ship"), ("form[customer]", &customer)]).await.expect(400);
    }

    async fn a_double_click_makes_one_order(app) {
        let customer = shop(app).await;
        for (number, then) in ["", "place"].into_iter().enumerate() {
            let once = format!("01890000-0000-7000-8000-00000000020{number}");
            let fields = [("once", once.as_str()), ("then", then), ("form[customer]", &customer), ("form[items.0.sku]", "A"), ("form[items.0.quantity]", "1")];
            let clicks = futures::future::join_all((0..4).map(|_| send(app, As::Staff, "create", &fields))).await;
            let bodies: Vec<_> = clicks.into_iter().map(|answer| answer.expect(200).body).collect();
            assert!(bodies.iter().all(|body| *body == bodies[0]), "{bodies:?}");
        }
        assert_eq!((app.rows("orders").await, app.rows("orders WHERE status = 'placed'").await), (2, 1));
        assert_eq!(app.rows("events WHERE resource = 'orders'").await, 3);
    }

    async fn buttons_are_decided_on_a_version(app) {
        shop(app).await;
        let order = app.order(&json!({ "id": 1 }), json!([{ "sku": "A", "quantity": 1 }])).await;
        let id = order["id"].to_string();
        for function in ["place", "cancel", "delete"] {
            send(app, As::Staff, function, &[("id", &id), ("version", "7"), ("reason", "x")]).await.expect(412);
        }
        let stale = send(app, As::Staff, "update", &[("id", &id), ("version", "7"), ("form[customer]", "1")]).await.expect(412).json();
        assert_eq!(stale["stale"]["values"]["items"][0]["sku"], "A", "the form can show what is stored");
        assert!(send(app, As::Staff, "cancel", &[("id", &id), ("version", "1"), ("reason", " ")]).await.expect(400).at("reason").contains("Say why"));
        for (function, version) in [("place", "1"), ("ship", "2")] {
            let done = send(app, As::Staff, function, &[("id", &id), ("version", version)]).await.expect(200);
            assert_eq!(done.header("location"), format!("/orders/{id}"));
        }
        send(app, As::Staff, "cancel", &[("id", &id), ("version", "3"), ("reason", "x")]).await.expect(409);
        let draft = app.order(&json!({ "id": 1 }), json!([])).await["id"].to_string();
        let gone = send(app, As::Staff, "delete", &[("id", &draft), ("version", "1")]).await.expect(200);
        assert_eq!(gone.header("location"), "/orders");
    }

    async fn who_may_add_but_not_place_cannot_do_both(app) {
        let customer = shop(app).await;
        app.execute("UPDATE roles SET permissions = replace(permissions, 'orders.place', '') WHERE code = 'staff'").await;
        let fields = [("once", ONCE), ("then", "place"), ("form[customer]", customer.as_str()), ("form[items.0.sku]", "A"), ("form[items.0.quantity]", "1")];
        let refused = send(app, As::Staff, "create", &fields).await.expect(403);
        assert!(refused.body.contains("orders.place"));
        assert_eq!(app.rows("orders").await, 0);
        let fields: Vec<_> = fields.into_iter().filter(|(name, _)| *name != "then").collect();
        let id = send(app, As::Staff, "create", &fields).await.expect(200).json().to_string();
        let update = [("id", id.as_str()), ("version", "1"), ("then", "place"), ("form[customer]", &customer), ("form[notes]", "x")];
        send(app, As::Staff, "update", &update).await.expect(403);
        assert_eq!(app.get(As::Staff, &format!("/api/orders/{id}")).await.json()["version"], 1, "nor is it saved");
    }

    async fn the_pages_ask_for_what_they_show(app) {
        shop(app).await;
        let order = app.order(&json!({ "id": 1 }), json!([{ "sku": "A", "quantity": 1 }])).await;
        app.json(As::Staff, "PATCH", &format!("/api/products/{}", order["items"][0]["product"]), json!({ "is_active": false })).await.expect(200);
        let others = [app.order(&json!({ "id": 1 }), json!([])).await, app.order(&json!({ "id": 1 }), json!([])).await];
        let sheet = ask(app, &format!("read?id={}&within=ordering%3Did%26at%3D1", order["id"])).await;
        assert_eq!(sheet["record"]["inactive"], json!(["A"]));
        assert_eq!((&sheet["record"]["order"]["id"], &sheet["events"][0]["command"]), (&order["id"], &json!("create")));
        assert_eq!(sheet["beside"]["next"], format!("/orders/{}?ordering=id&at=2", others[0]["id"]));
        assert_eq!(sheet["beside"]["previous"], Value::Null);
        let sheet = ask(app, &format!("read?id={}&within=ordering%3Did%26at%3D2", others[0]["id"])).await;
        assert_eq!(sheet["beside"]["previous"], format!("/orders/{}?ordering=id&at=1", order["id"]));
        let names = |rows: &Value| rows.as_array().unwrap().iter().map(|row| row["values"]["name"].clone()).collect::<Vec<_>>();
        assert_eq!(names(&ask(app, "customers?text=SOME").await), ["Somebody"]);
        assert_eq!(names(&ask(app, "products?text=product").await), ["Product B"], "an inactive product is not offered");
        assert_eq!(ask(app, "new").await[1]["order_date"], order["order_date"], "today");
    }
}
