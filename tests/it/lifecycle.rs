//! The lifecycle of an order over REST (DOMAIN.md, Lifecycle): every state answers every command, by what happens and by what
//! `actions/` says beforehand.

use serde_json::{Value, json};

use crate::both;
use crate::support::{Answer, As, TestApp};

const COMMANDS: [&str; 6] = ["change", "place", "ship", "reopen", "cancel", "delete"];

/// What a command answers in a state: the status and, of a refusal, the reason.
type Outcome = (u16, &'static str);
const OK: Outcome = (200, "");

/// For every state, what each of [`COMMANDS`] answers.
const TABLE: [(&str, [Outcome; 6]); 4] = [
    (
        "draft",
        [
            OK,
            OK,
            (409, "This order is a draft. Only a placed order can be shipped."),
            (409, "This order is a draft. Only a placed order can be reopened."),
            OK,
            (204, ""),
        ],
    ),
    (
        "placed",
        [
            (409, "This order is placed. Lines change only while an order is a draft; reopen it first."),
            (409, "This order is placed. Only a draft can be placed."),
            OK,
            OK,
            OK,
            (409, "This order is placed. Only a draft that never had a number can be deleted."),
        ],
    ),
    (
        "shipped",
        [
            (409, "This order is shipped. Lines change only while an order is a draft."),
            (409, "This order is shipped. Only a draft can be placed."),
            (409, "This order is shipped. Only a placed order can be shipped."),
            (409, "This order is shipped. Only a placed order can be reopened."),
            (409, "This order is shipped. Only a draft or a placed order can be cancelled."),
            (409, "This order is shipped. Only a draft that never had a number can be deleted."),
        ],
    ),
    (
        "cancelled",
        [
            (409, "This order is cancelled. Lines change only while an order is a draft."),
            (409, "This order is cancelled. Only a draft can be placed."),
            (409, "This order is cancelled. Only a placed order can be shipped."),
            (409, "This order is cancelled. Only a placed order can be reopened."),
            (409, "This order is cancelled. Only a draft or a placed order can be cancelled."),
            (409, "This order is cancelled. Only a draft that never had a number can be deleted."),
        ],
    ),
];

/// A customer with a product to order.
async fn shop(app: &TestApp) -> Value {
    app.product("A", "10").await;
    app.product("B", "2.50").await;
    app.customer("Somebody").await
}

fn two_lines() -> Value {
    json!([{ "sku": "A", "quantity": 2 }, { "sku": "B", "quantity": 4, "discount_percent": "10" }])
}

/// A new order that was led to this status.
async fn order_that_is(app: &TestApp, customer: &Value, status: &str) -> Value {
    let order = app.order(customer, two_lines()).await;
    let commands: &[&str] = match status {
        "placed" => &["place"],
        "shipped" => &["place", "ship"],
        "cancelled" => &["cancel"],
        _ => &[],
    };
    for command in commands {
        app.act(As::Staff, &order, command, json!({ "reason": "by the test" })).await.expect(200);
    }
    let order = app.get(As::Staff, &path(&order)).await.expect(200).json();
    assert_eq!(order["status"], status);
    order
}

fn path(order: &Value) -> String {
    format!("/api/orders/{}/", order["id"])
}

async fn command(app: &TestApp, who: As, order: &Value, command: &str) -> Answer {
    match command {
        "change" => app.json(who, "PATCH", &path(order), json!({ "notes": "changed" })).await,
        "delete" => app.json(who, "DELETE", &path(order), json!({})).await,
        _ => app.act(who, order, command, json!({ "reason": "by the test" })).await,
    }
}

/// What `actions/` says: of each command whether it is allowed, else why not.
async fn actions(app: &TestApp, who: As, order: &Value) -> Vec<(String, Option<String>)> {
    let said = app.get(who, &format!("{}actions/", path(order))).await.expect(200).json();
    let actions = said["actions"].as_array().unwrap().iter().map(|action| {
        let reason = action.get("reason").map(|reason| reason.as_str().unwrap().to_owned());
        assert_eq!(action["allowed"], reason.is_none());
        (action["command"].as_str().unwrap().to_owned(), reason)
    });
    actions.collect()
}

/// Why `actions/` would refuse to place it; blank when it would not.
async fn blocked(app: &TestApp, who: As, order: &Value) -> String {
    let actions = actions(app, who, order).await;
    actions.into_iter().find(|(command, _)| command == "place").unwrap().1.unwrap_or_default()
}

/// Tries to place an order that cannot be: the reason is the one `actions/` gives, and nothing is written.
async fn refused_to_place(app: &TestApp, who: As, order: &Value) -> String {
    let books = app.order_books().await;
    let reason = blocked(app, who, order).await;
    for body in [json!({}), json!({ "dry_run": true })] {
        let refused = app.act(who, order, "place", body).await.expect(409).json();
        assert_eq!(refused["detail"], format!("Draft #{}: {reason}", order["id"]));
        assert!(!refused["allowed"].as_array().unwrap().contains(&json!("place")));
    }
    assert_eq!(app.order_books().await, books);
    reason
}

both! {
    async fn every_state_answers_every_command(app) {
        let customer = shop(app).await;
        for (status, outcomes) in TABLE {
            for (name, (answer, reason)) in COMMANDS.into_iter().zip(outcomes) {
                let order = order_that_is(app, &customer, status).await;
                let actions = actions(app, As::Staff, &order).await;
                let said: Vec<_> = actions.iter().map(|(name, _)| name.as_str()).collect();
                assert_eq!(said, COMMANDS);
                let announced = actions.iter().find(|(command, _)| command == name).unwrap().1.clone();
                assert_eq!(announced.unwrap_or_default(), reason, "{status}: {name}");

                let books = app.order_books().await;
                let answered = command(app, As::Staff, &order, name).await;
                assert_eq!(answered.status, answer, "{status}: {name}: {}", answered.body);
                if answer == 409 {
                    let problem = answered.json();
                    let title = order["number"].as_str().map_or(format!("Draft #{}", order["id"]), str::to_owned);
                    assert_eq!(problem["detail"], format!("{title}: {reason}"));
                    let allowed: Vec<_> = actions.iter().filter(|(_, reason)| reason.is_none()).map(|(name, _)| json!(name)).collect();
                    assert_eq!(problem.get("allowed").cloned().unwrap_or(json!([])), json!(allowed));
                    assert_eq!(app.order_books().await, books, "{status}: {name}");
                } else {
                    assert_eq!(app.rows("events WHERE resource = 'orders'").await,
                        1 + i64::try_from(books.iter().filter(|row| row["resource"] == "orders").count()).unwrap());
                }
            }
        }
    }

    async fn lines_change_only_while_their_order_is_a_draft(app) {
        let customer = shop(app).await;
        app.product("C", "1").await;
        for (status, outcomes) in TABLE.into_iter().skip(1) {
            let order = order_that_is(app, &customer, status).await;
            let line = format!("/api/order-items/{}/", order["items"][0]["id"]);
            let books = app.order_books().await;
            for (method, path, body) in [
                ("POST", "/api/order-items/", json!({ "order": order["id"], "sku": "C", "quantity": 1 })),
                ("PATCH", line.as_str(), json!({ "quantity": 3 })),
                ("PUT", line.as_str(), json!({ "order": order["id"], "sku": "A", "quantity": 3 })),
                ("DELETE", line.as_str(), json!({})),
                ("PATCH", &path(&order), json!({ "items": [] })),
                ("PUT", &path(&order), json!({ "customer": customer["id"] })),
            ] {
                let refused = app.json(As::Staff, method, path, body).await.expect(409).json();
                assert!(refused["detail"].as_str().unwrap().ends_with(outcomes[0].1), "{refused}");
            }
            assert_eq!(app.order_books().await, books);
        }
    }

    async fn commands_leave_their_marks(app) {
        let customer = app.json(As::Staff, "POST", "/api/customers/", json!({
            "name": "Café Lumière", "billing_line1": "27 rue des Abbesses", "billing_city": "Paris", "billing_postal_code": "75018",
            "billing_country": "FR",
        })).await.expect(201).json();
        app.product("A", "10").await;
        app.product("B", "2.50").await;
        let draft = order_that_is(app, &customer, "draft").await;
        assert_eq!((&draft["number"], &draft["placed_at"], &draft["shipping_city"]), (&Value::Null, &Value::Null, &Value::Null));

        let placed = app.act(As::Staff, &draft, "place", json!({})).await.expect(200);
        assert_eq!(placed.header("etag"), "\"v2\"");
        let placed = placed.json()["order"].clone();
        let year = placed["placed_at"].as_str().unwrap()[..4].to_owned();
        assert_eq!(placed["number"], format!("SO-{year}-00001"));
        assert_eq!((&placed["shipping_name"], &placed["shipping_city"], &placed["shipping_country"]),
            (&json!("Café Lumière"), &json!("Paris"), &json!("FR")), "a draft without an address takes the customer's");
        assert_eq!(app.get(As::Staff, &path(&draft)).await.json(), placed);

        let reopened = app.act(As::Staff, &draft, "reopen", json!({ "reason": "typo" })).await.expect(200).json()["order"].clone();
        assert_eq!((&reopened["status"], &reopened["number"], &reopened["placed_at"]), (&json!("draft"), &placed["number"], &Value::Null));
        let again = app.act(As::Staff, &draft, "place", json!({})).await.expect(200).json()["order"].clone();
        assert_eq!(again["number"], placed["number"], "a number is kept");

        let shipped = app.act(As::Staff, &draft, "ship", json!({})).await.expect(200).json()["order"].clone();
        assert!(shipped["shipped_at"].is_string() && shipped["status"] == "shipped" && shipped["version"] == 5);

        let other = order_that_is(app, &customer, "placed").await;
        assert_eq!(other["number"], format!("SO-{year}-00002"));
        let cancelled = app.act(As::Staff, &other, "cancel", json!({ "reason": "  ordered twice " })).await.expect(200).json()["order"].clone();
        assert_eq!((&cancelled["number"], &cancelled["cancel_reason"]), (&other["number"], &json!("ordered twice")));
        assert!(cancelled["cancelled_at"].is_string());
        let books = app.order_books().await;
        let event = books.iter().rfind(|row| row["command"] == "cancel").unwrap();
        assert_eq!((&event["reason"], &event["version_before"], &event["version_after"]), (&json!("ordered twice"), &json!(2), &json!(3)));
    }

    async fn an_address_that_was_given_stays(app) {
        let customer = app.json(As::Staff, "POST", "/api/customers/", json!({
            "name": "Somebody", "billing_city": "Paris", "shipping_line1": "Dock 4", "shipping_city": "Le Havre",
        })).await.expect(201).json();
        app.product("A", "10").await;
        app.product("B", "10").await;
        let given = app.order(&customer, two_lines()).await;
        app.json(As::Staff, "PATCH", &path(&given), json!({ "shipping_city": "Lyon" })).await.expect(200);
        let placed = app.act(As::Staff, &given, "place", json!({})).await.expect(200).json()["order"].clone();
        assert_eq!((&placed["shipping_city"], &placed["shipping_line1"]), (&json!("Lyon"), &Value::Null));
        let blank = order_that_is(app, &customer, "placed").await;
        assert_eq!((&blank["shipping_city"], &blank["shipping_line1"]), (&json!("Le Havre"), &json!("Dock 4")));
        app.json(As::Staff, "PATCH", &format!("/api/customers/{}", customer["id"]), json!({ "name": "New name", "shipping_city": "Nice" })).await.expect(200);
        let kept = app.get(As::Staff, &path(&blank)).await.json();
        assert_eq!((&kept["customer_name"], &kept["shipping_city"]), (&json!("Somebody"), &json!("Le Havre")), "placing fixes them");
    }

    async fn an_order_without_lines_is_not_placed(app) {
        let customer = shop(app).await;
        let order = app.order(&customer, json!([])).await;
        assert_eq!(refused_to_place(app, As::Staff, &order).await, "An order needs at least one line before it is placed.");
        app.json(As::Staff, "POST", "/api/order-items/", json!({ "order": order["id"], "sku": "A", "quantity": 1 })).await.expect(201);
        app.act(As::Staff, &order, "place", json!({})).await.expect(200);
    }

    async fn an_inactive_customer_gets_no_new_orders(app) {
        let customer = shop(app).await;
        let (draft, placed) = (order_that_is(app, &customer, "draft").await, order_that_is(app, &customer, "placed").await);
        let customer_path = format!("/api/customers/{}", customer["id"]);
        app.json(As::Staff, "PATCH", &customer_path, json!({ "is_active": false })).await.expect(200);

        let refused = app.json(As::Staff, "POST", "/api/orders/", json!({ "customer": customer["id"], "items": two_lines() })).await.expect(400);
        assert_eq!(refused.at("customer"), "This customer is inactive and cannot get new orders.");
        assert_eq!(refused_to_place(app, As::Staff, &draft).await, "The customer is inactive and cannot get new orders.");
        assert_eq!(refused_to_place(app, As::Administrator, &draft).await, "The customer is inactive and cannot get new orders.");
        let other = app.order(&app.customer("Other").await, two_lines()).await;
        let refused = app.json(As::Staff, "PATCH", &path(&other), json!({ "customer": customer["id"] })).await.expect(400);
        assert!(refused.at("customer").contains("inactive"));

        app.json(As::Staff, "PATCH", &path(&draft), json!({ "notes": "still a draft" })).await.expect(200);
        app.act(As::Staff, &placed, "ship", json!({})).await.expect(200);
        app.json(As::Staff, "PATCH", &customer_path, json!({ "is_active": true })).await.expect(200);
        app.act(As::Staff, &draft, "place", json!({})).await.expect(200);
    }

    async fn an_inactive_product_is_not_added_and_not_placed(app) {
        let customer = shop(app).await;
        let order = order_that_is(app, &customer, "draft").await;
        let product = format!("/api/products/{}", order["items"][0]["product"]);
        app.json(As::Staff, "PATCH", &product, json!({ "is_active": false })).await.expect(200);

        let message = "This product is inactive and cannot be ordered.";
        for line in [json!({ "sku": "A", "quantity": 1 }), json!({ "product": order["items"][0]["product"], "quantity": 1 })] {
            let body = json!({ "customer": customer["id"], "items": [{ "sku": "B", "quantity": 1 }, line.clone()] });
            let refused = app.json(As::Staff, "POST", "/api/orders/", body).await.expect(400);
            assert_eq!(refused.at(&format!("items[1].{}", if line.get("sku").is_some() { "sku" } else { "product" })), message);
        }
        assert_eq!(refused_to_place(app, As::Staff, &order).await, "These products are inactive and cannot be ordered: A.");

        let line = format!("/api/order-items/{}/", order["items"][0]["id"]);
        app.json(As::Staff, "PATCH", &line, json!({ "quantity": 5 })).await.expect(200);
        app.json(As::Staff, "DELETE", &line, json!({})).await.expect(204);
        let again = json!({ "order": order["id"], "product": order["items"][0]["product"], "quantity": 1 });
        assert_eq!(app.json(As::Staff, "POST", "/api/order-items/", again).await.expect(400).at("product"), message);
        app.act(As::Staff, &order, "place", json!({})).await.expect(200);
    }

    async fn open_orders_and_this_one_stay_within_the_credit_limit(app) {
        app.product("A", "10").await;
        let customer = app.json(As::Staff, "POST", "/api/customers/", json!({ "name": "Limited", "credit_limit": "50" })).await.expect(201).json();
        let order = async |quantity: i64| app.order(&customer, json!([{ "sku": "A", "quantity": quantity }])).await;
        let (first, second, third) = (order(3).await, order(2).await, order(1).await);
        app.act(As::Staff, &first, "place", json!({})).await.expect(200);
        assert_eq!(blocked(app, As::Staff, &second).await, "", "drafts do not count, and the limit itself is within");
        app.act(As::Staff, &second, "place", json!({})).await.expect(200);
        let reason = refused_to_place(app, As::Staff, &third).await;
        assert_eq!(reason, "This goes beyond the customer's credit limit: 50.00 open and 10.00 of this order make 60.00, the limit is 50.00.");
        app.act(As::Staff, &first, "ship", json!({})).await.expect(200);
        app.act(As::Staff, &third, "place", json!({ "dry_run": true })).await.expect(200);
        app.act(As::Staff, &order(4).await, "place", json!({})).await.expect(409);
        app.act(As::Staff, &second, "cancel", json!({ "reason": "too much" })).await.expect(200);
        app.act(As::Staff, &third, "place", json!({})).await.expect(200);
        app.act(As::Staff, &third, "reopen", json!({})).await.expect(200);
        app.act(As::Staff, &order(5).await, "place", json!({})).await.expect(200);
    }

    async fn who_may_override_the_credit_limit_places_beyond_it(app) {
        app.product("A", "10").await;
        let customer = app.json(As::Staff, "POST", "/api/customers/", json!({ "name": "Limited", "credit_limit": "0" })).await.expect(201).json();
        let line = json!([{ "sku": "A", "quantity": 1 }]);
        let (one, two) = (app.order(&customer, line.clone()).await, app.order(&customer, line).await);
        assert!(refused_to_place(app, As::Staff, &one).await.contains("the limit is 0.00"));
        let place = async |order: &Value, permissions: &[&str]| {
            let bearer = app.bearer(permissions).await;
            app.call(As::Anonymous, "POST", &format!("{}place/", path(order)), &[("authorization", &bearer)], "").await
        };
        place(&one, &["orders.place"]).await.expect(409);
        place(&one, &["orders.place", "orders.override_credit_limit"]).await.expect(200);
        assert_eq!(blocked(app, As::Administrator, &two).await, "");
        app.act(As::Administrator, &two, "place", json!({})).await.expect(200);
    }

    async fn a_cancellation_needs_a_reason(app) {
        let customer = shop(app).await;
        let order = order_that_is(app, &customer, "placed").await;
        let books = app.order_books().await;
        for body in [json!({}), json!({ "reason": null }), json!({ "reason": "" }), json!({ "reason": "   " }), json!({ "dry_run": true })] {
            let refused = app.act(As::Staff, &order, "cancel", body).await.expect(400);
            assert_eq!(refused.at("reason"), "Say why the order is cancelled.");
        }
        app.call(As::Staff, "POST", &format!("{}cancel/", path(&order)), &[], "").await.expect(400);
        assert_eq!(app.order_books().await, books);
    }

    async fn what_a_command_does_not_know_is_named(app) {
        let order = order_that_is(app, &shop(app).await, "placed").await;
        let books = app.order_books().await;
        for (body, field, said) in [
            (json!({ "reson": "x" }), "reson", "Did you mean reason?"),
            (json!({ "dryrun": true }), "dryrun", "Did you mean dry_run?"),
            (json!({ "dry_run": "yes" }), "dry_run", "true or false"),
            (json!({ "reason": 5 }), "reason", "Enter text."),
            (json!({ "reason": "a\nb" }), "reason", "control characters"),
            (json!({ "reason": "x".repeat(501) }), "reason", "at most 500"),
        ] {
            let refused = app.act(As::Staff, &order, "ship", body).await.expect(400);
            assert!(refused.at(field).contains(said), "{}", refused.body);
        }
        let ship = format!("{}ship/", path(&order));
        app.call(As::Staff, "POST", &ship, &[("content-type", "text/plain")], "{}").await.expect(415);
        app.call(As::Staff, "POST", &ship, &[("content-type", "application/json")], "[]").await.expect(400);
        app.call(As::Staff, "POST", &ship, &[("content-type", "application/json")], "x".repeat(2_000_000)).await.expect(413);
        app.json(As::Staff, "POST", "/api/orders/999999/ship/", json!({})).await.expect(404);
        app.json(As::Staff, "POST", "/api/orders/x/ship/", json!({})).await.expect(404);
        app.get(As::Staff, "/api/orders/999999/actions/").await.expect(404);
        app.json(As::Staff, "POST", &format!("{}refund/", path(&order)), json!({})).await.expect(404);
        app.get(As::Staff, &ship).await.expect(405);
        assert_eq!(app.order_books().await, books);
    }

    async fn a_draft_that_once_had_a_number_is_not_deleted(app) {
        let order = order_that_is(app, &shop(app).await, "placed").await;
        app.act(As::Staff, &order, "reopen", json!({})).await.expect(200);
        let reason = "An order that has had a number is cancelled, not deleted.";
        let refused = app.json(As::Administrator, "DELETE", &path(&order), json!({})).await.expect(409).json();
        assert_eq!(refused["detail"], format!("{}: {reason}", order["number"].as_str().unwrap()));
        let delete = actions(app, As::Staff, &order).await.pop().unwrap();
        assert_eq!(delete, ("delete".to_owned(), Some(reason.to_owned())));
        assert_eq!(app.rows("orders").await, 1);
    }

    async fn each_command_needs_its_own_permission(app) {
        let customer = shop(app).await;
        let all: Vec<String> = ["view", "add"].iter().chain(&COMMANDS).map(|action| format!("orders.{action}")).collect();
        for name in COMMANDS {
            let permission = format!("orders.{name}");
            let others: Vec<_> = all.iter().filter(|code| **code != permission).map(String::as_str).collect();
            let (without, with) = (app.bearer(&others).await, app.bearer(&[&permission]).await);
            let order = order_that_is(app, &customer, if matches!(name, "ship" | "reopen") { "placed" } else { "draft" }).await;
            let (method, target, body) = match name {
                "change" => ("PATCH", path(&order), json!({ "notes": "x" })),
                "delete" => ("DELETE", path(&order), json!({})),
                _ => ("POST", format!("{}{name}/", path(&order)), json!({ "reason": "x" })),
            };
            let books = app.order_books().await;
            let call = async |bearer: &str| {
                let headers = [("content-type", "application/json"), ("authorization", bearer)];
                app.call(As::Anonymous, method, &target, &headers, body.to_string()).await
            };
            let said = format!("This needs the permission {permission}.");
            assert_eq!(call(&without).await.expect(403).json()["detail"], said);
            assert_eq!(app.order_books().await, books);
            let listed = app.call(As::Anonymous, "GET", &format!("{}actions/", path(&order)), &[("authorization", &without)], "").await.expect(200).json();
            let action = listed["actions"].as_array().unwrap().iter().find(|action| action["command"] == name).unwrap().clone();
            assert_eq!(action["reason"], said);
            assert!(call(&with).await.status.is_success(), "{name}");
        }
    }

    async fn a_viewer_is_told_what_is_missing(app) {
        let order = order_that_is(app, &shop(app).await, "draft").await;
        for (name, reason) in actions(app, As::Viewer, &order).await {
            assert_eq!(reason.unwrap(), format!("This needs the permission orders.{name}."));
            command(app, As::Viewer, &order, &name).await.expect(403);
        }
    }

    async fn a_dry_run_says_what_the_real_run_does_and_writes_nothing(app) {
        let customer = app.json(As::Staff, "POST", "/api/customers/", json!({ "name": "Somebody", "billing_city": "Wien" })).await.expect(201).json();
        app.product("A", "10").await;
        app.product("B", "2.50").await;
        for (status, name) in [("draft", "place"), ("placed", "ship"), ("placed", "reopen"), ("draft", "cancel"), ("placed", "cancel")] {
            let order = order_that_is(app, &customer, status).await;
            let books = app.order_books().await;
            let dry = app.act(As::Staff, &order, name, json!({ "reason": "why", "dry_run": true })).await.expect(200);
            assert!(!dry.headers.contains_key("etag"), "no version was made");
            let dry = dry.json();
            assert_eq!(app.order_books().await, books, "{status}: {name}");
            assert_eq!(app.get(As::Staff, &path(&order)).await.json(), order);

            let real = app.act(As::Staff, &order, name, json!({ "reason": "why", "dry_run": false })).await.expect(200).json();
            assert_eq!((&dry["dry_run"], &real["dry_run"]), (&json!(true), &json!(false)));
            let told = |outcome: &Value| {
                let mut changes = outcome["changes"].clone();
                for (name, change) in changes.as_object_mut().unwrap() {
                    if name.ends_with("_at") {
                        *change = json!([change[0], change[1].is_string()]);
                    }
                }
                changes
            };
            assert_eq!(told(&dry), told(&real), "{status}: {name}");
            assert_eq!(app.latest_changes(&order, name).await, real["changes"]);
            let timeless = |order: &Value| {
                let mut order = order.clone();
                for name in ["placed_at", "shipped_at", "cancelled_at", "updated_at"] {
                    order[name] = json!(order[name].is_string());
                }
                order
            };
            assert_eq!(timeless(&dry["order"]), timeless(&real["order"]));
            assert_eq!(app.get(As::Staff, &path(&order)).await.json(), real["order"]);
            for amount in ["subtotal", "discount_total", "tax_total", "total"] {
                assert_eq!(real["order"][amount], order[amount], "a command changes no amount");
            }
        }
    }

    async fn a_dry_run_shows_an_order_to_those_alone_who_may_see_it(app) {
        let order = order_that_is(app, &shop(app).await, "placed").await;
        let headers = [("content-type", "application/json")];
        let ship = async |permissions: &[&str]| {
            let bearer = app.bearer(permissions).await;
            let body = json!({ "dry_run": true }).to_string();
            app.call(As::Anonymous, "POST", &format!("{}ship/", path(&order)), &[headers[0], ("authorization", &bearer)], body).await
        };
        let refused = ship(&["orders.ship"]).await.expect(403);
        assert!(refused.body.contains("orders.view") && !refused.body.contains("customer_name"), "{}", refused.body);
        ship(&["orders.ship", "orders.view"]).await.expect(200);
    }

    async fn an_address_is_copied_as_a_whole_and_goes_with_the_customer_it_was_copied_from(app) {
        let customer = async |name: &str, rest: Value| {
            let mut body = json!({ "name": name, "billing_city": "Wien", "billing_country": "AT" });
            body.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
            app.json(As::Staff, "POST", "/api/customers/", body).await.expect(201).json()
        };
        let (first, second) = (customer("Anna", json!({})).await, customer("Bob", json!({ "shipping_line2": "Door 3" })).await);
        app.product("A", "10").await;
        app.product("B", "2.50").await;
        let sent = |order: &Value| {
            ["name", "line1", "line2", "postal_code", "city", "region", "country"].map(|part| order[format!("shipping_{part}")].clone())
        };
        let place = async |order: &Value| app.act(As::Staff, order, "place", json!({})).await.expect(200).json()["order"].clone();
        let change = async |order: &Value, body: Value| app.json(As::Staff, "PATCH", &path(order), body).await.expect(200).json();

        let order = order_that_is(app, &first, "draft").await;
        change(&order, json!({ "shipping_country": "FR", "shipping_region": "Bretagne" })).await;
        let placed = place(&order).await;
        assert_eq!(sent(&placed)[1..], json!([null, null, null, null, "Bretagne", "FR"]).as_array().unwrap()[..], "what was typed stays");

        let order = order_that_is(app, &first, "placed").await;
        assert_eq!(sent(&app.get(As::Staff, &path(&order)).await.json()), [json!("Anna"), json!(null), json!(null), json!(null), json!("Wien"), json!(null), json!("AT")]);
        app.act(As::Staff, &order, "reopen", json!({})).await.expect(200);
        let changed = change(&order, json!({ "customer": second["id"] })).await;
        assert_eq!(sent(&changed), [const { Value::Null }; 7], "it was Anna's");
        assert_eq!(sent(&place(&order).await), [json!("Bob"), json!(null), json!("Door 3"), json!(null), json!(null), json!(null), json!(null)]);
        app.act(As::Staff, &order, "reopen", json!({})).await.expect(200);
        change(&order, json!({ "shipping_line2": "Door 4" })).await;
        change(&order, json!({ "customer": first["id"] })).await;
        assert_eq!(sent(&place(&order).await)[2], "Door 4", "what somebody typed stays");
    }

    async fn a_command_is_decided_on_a_version(app) {
        let order = order_that_is(app, &shop(app).await, "draft").await;
        app.json(As::Staff, "PATCH", &path(&order), json!({ "notes": "meanwhile" })).await.expect(200);
        let books = app.order_books().await;
        for name in ["place", "cancel"] {
            for dry_run in [true, false] {
                let body = json!({ "reason": "x", "dry_run": dry_run });
                let stale = app.at_version(As::Staff, "POST", &format!("{}{name}/", path(&order)), &order["version"], body).await.expect(412).json();
                assert_eq!((&stale["code"], &stale["version"]), (&json!("stale"), &json!(2)));
            }
        }
        app.at_version(As::Staff, "DELETE", &path(&order), &order["version"], json!({})).await.expect(412);
        app.act(As::Careful, &order, "place", json!({})).await.expect(428);
        app.act(As::Careful, &order, "place", json!({ "dry_run": true })).await.expect(428);
        assert_eq!(app.order_books().await, books);
        app.at_version(As::Careful, "POST", &format!("{}place/", path(&order)), &json!(2), json!({})).await.expect(200);
    }
}
