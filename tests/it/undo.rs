//! Changes are undone by commands that lead back, as long as nothing depends on them.

use sea_orm::FromQueryResult;
use serde_json::{Value, json};

use crate::both;
use crate::life::{Luck, begin, step};
use crate::support::{Answer, As, TestApp};

async fn undo(app: &TestApp, who: As, change: &Answer) -> Answer {
    let request = change.header("x-request-id");
    app.json(who, "POST", &format!("/api/changes/{request}/undo/"), json!({})).await
}

#[track_caller]
fn why(answer: Answer) -> String {
    answer.expect(409).json()["detail"].as_str().unwrap().to_owned()
}

/// Everything that is stored about the business, but for what undoing leaves otherwise: versions and the time of the last
/// change; what orders are searched by, which holds the customer's code of the moment. The history itself and the series of
/// numbers are no business: a number that was drawn is not drawn again.
async fn books(app: &TestApp) -> Vec<Value> {
    let reader = app.state.database.reader();
    let mut rows = Vec::new();
    for table in ["customers", "products", "orders", "order_items"] {
        let sql = format!("SELECT * FROM {table} ORDER BY id");
        let statement = sea_orm::Statement::from_string(sea_orm::ConnectionTrait::get_database_backend(reader), sql);
        for mut row in sea_orm::JsonValue::find_by_statement(statement).all(reader).await.unwrap() {
            let values = row.as_object_mut().unwrap();
            values.remove("version");
            values.remove("updated_at");
            if table == "orders" {
                values.remove("search_text");
            }
            rows.push(json!({ table: row }));
        }
    }
    rows
}

async fn a_life_backwards(app: &TestApp, seed: u64) {
    let mut luck = Luck::of(seed);
    begin(app).await;
    let mut done = Vec::new();
    for _ in 0..60 {
        let before = books(app).await;
        let answer = step(app, &mut luck, false).await;
        let events = format!("events WHERE request_id = '{}'", answer.header("x-request-id"));
        if app.rows(&events).await > 0 {
            done.push((before, answer));
        }
    }
    assert!(done.len() > 25, "too little happened: {}", done.len());
    while let Some((before, answer)) = done.pop() {
        let undone = undo(app, As::Administrator, &answer).await;
        assert_eq!(undone.status, 200, "seed {seed}: {}\n{}", undone.body, answer.body);
        assert_eq!(books(app).await, before, "seed {seed}: {}", answer.body);
    }
}

both! {
    async fn whatever_was_done_is_undone_in_reverse(app) {
        a_life_backwards(app, 2).await;
    }

    async fn whatever_was_done_is_undone_in_reverse_in_a_second_life(app) {
        a_life_backwards(app, 5).await;
    }

    async fn whatever_was_done_is_undone_in_reverse_in_a_third_life(app) {
        a_life_backwards(app, 11).await;
    }

    async fn undoing_is_a_change_of_its_own_and_can_be_undone(app) {
        let product = app.product("A", "1.00").await;
        let path = format!("/api/products/{}/", product["id"]);
        let change = app.json(As::Staff, "PATCH", &path, json!({ "price": "3.00" })).await.expect(200);
        let address = format!("/api/changes/{}/undo/", change.header("x-request-id"));
        app.json(As::Staff, "POST", &address, json!({ "reason": "Wrong list" })).await.expect(200);
        let reason = format!("Wrong list · Undoes {}", change.header("x-request-id"));
        assert_eq!(app.rows(&format!("events WHERE command = 'undo' AND reason = '{reason}'")).await, 1);
        let change = app.json(As::Staff, "PATCH", &path, json!({ "price": "2.00" })).await.expect(200);
        let address = format!("/api/changes/{}/undo/", change.header("x-request-id"));
        let dry = app.json(As::Staff, "POST", &address, json!({ "dry_run": true })).await;
        assert_eq!(dry.expect(200).json()["dry_run"], true);
        assert_eq!(app.get(As::Staff, &path).await.json()["price"], "2.00");
        let undone = undo(app, As::Staff, &change).await.expect(200);
        assert_eq!(undone.json()["undone"], 1);
        assert_eq!(undone.json()["request_id"], undone.header("x-request-id"));
        assert_eq!(app.get(As::Staff, &path).await.json()["price"], "1.00");
        let reason = format!("Undoes {}", change.header("x-request-id"));
        assert_eq!(app.rows(&format!("events WHERE command = 'undo' AND reason = '{reason}' AND version_before = 4")).await, 1);
        assert!(why(undo(app, As::Staff, &change).await).contains("was changed since: it is at version 5"));
        undo(app, As::Staff, &undone).await.expect(200);
        assert_eq!(app.get(As::Staff, &path).await.json()["price"], "2.00");
    }

    async fn what_something_depends_on_is_not_undone_and_it_says_why(app) {
        let made = app.json(As::Staff, "POST", "/api/customers/", json!({ "name": "Bob" })).await.expect(201);
        let product = app.json(As::Staff, "POST", "/api/products/", json!({ "sku": "A", "name": "A", "unit": "pcs", "price": 1 })).await.expect(201);
        let customer = made.json();
        let order = app.order(&customer, json!([{ "sku": "A", "quantity": 1 }])).await;
        let used = undo(app, As::Staff, &made).await;
        assert_eq!(used.json()["blockers"][0]["href"], format!("/orders?customer={}", customer["id"]));
        assert!(why(used).contains("is in use"));
        assert!(why(undo(app, As::Staff, &product).await).contains("is in use"));
        let renamed = app.json(As::Staff, "PATCH", "/api/customers/1/", json!({ "name": "Rob" })).await.expect(200);
        app.json(As::Staff, "PATCH", "/api/customers/1/", json!({ "notes": "x" })).await.expect(200);
        let said = why(undo(app, As::Staff, &renamed).await);
        assert!(said.contains("The customer 1 was changed since") && said.contains("left it at 2"), "{said}");
        let path = format!("/api/orders/{}/", order["id"]);
        let gone = app.json(As::Staff, "DELETE", &path, json!({})).await.expect(204);
        let freed = app.json(As::Staff, "DELETE", "/api/products/1/", json!({})).await.expect(204);
        let said = why(undo(app, As::Staff, &gone).await);
        assert!(said.contains("The product A is gone"), "{said}");
        undo(app, As::Staff, &freed).await.expect(200);
        undo(app, As::Staff, &gone).await.expect(200);
        let back = app.get(As::Staff, &path).await.expect(200).json();
        assert_eq!((&back["items"][0]["id"], &back["total"]), (&order["items"][0]["id"], &order["total"]));
        assert!(why(undo(app, As::Staff, &gone).await).contains("there again"));
    }

    async fn orders_go_back_as_far_as_their_life_allows(app) {
        let customer = app.customer("Bob").await;
        app.product("A", "10.00").await;
        let made = app.json(As::Staff, "POST", "/api/orders/", json!({ "customer": customer["id"], "items": [{ "sku": "A", "quantity": 1 }] })).await.expect(201);
        let order = made.json();
        let path = format!("/api/orders/{}/", order["id"]);
        let placed = app.act(As::Staff, &order, "place", json!({})).await.expect(200);
        let number = placed.json()["order"]["number"].clone();
        assert!(why(undo(app, As::Staff, &made).await).contains("was changed since"));
        undo(app, As::Staff, &placed).await.expect(200);
        let draft = app.get(As::Staff, &path).await.json();
        assert_eq!((&draft["status"], &draft["number"], &draft["placed_at"]), (&json!("draft"), &Value::Null, &Value::Null));
        let again = app.act(As::Staff, &order, "place", json!({})).await.expect(200).json()["order"].clone();
        assert_ne!(again["number"], number, "a number that was drawn is not drawn again");
        let reopened = app.act(As::Staff, &order, "reopen", json!({})).await.expect(200);
        undo(app, As::Staff, &reopened).await.expect(200);
        let back = app.get(As::Staff, &path).await.json();
        assert_eq!((&back["status"], &back["number"], &back["placed_at"]), (&json!("placed"), &again["number"], &again["placed_at"]));
        let reopened = app.act(As::Staff, &order, "reopen", json!({})).await.expect(200);
        app.json(As::Staff, "PATCH", "/api/customers/1/", json!({ "is_active": false })).await.expect(200);
        assert!(why(undo(app, As::Staff, &reopened).await).contains("customer is inactive"));
        app.json(As::Staff, "PATCH", "/api/customers/1/", json!({ "is_active": true })).await.expect(200);
        undo(app, As::Staff, &reopened).await.expect(200);
        let shipped = app.act(As::Staff, &order, "ship", json!({})).await.expect(200);
        let books = app.order_books().await;
        let said = why(undo(app, As::Staff, &shipped).await);
        assert!(said.contains("is shipped") && said.contains("no command leads back"), "{said}");
        assert_eq!(app.order_books().await, books, "nothing is written");
    }

    async fn a_bulk_change_is_undone_as_one_or_not_at_all(app) {
        for name in ["One", "Two", "Three"] {
            app.customer(name).await;
        }
        let before = books(app).await;
        let rows = json!([
            { "action": "change", "id": 1, "values": { "name": "Uno" } }, { "action": "change", "id": 1, "values": { "notes": "x" } },
            { "action": "delete", "id": 2 }, { "action": "create", "values": { "name": "Four" } },
        ]);
        let bulk = app.json(As::Staff, "POST", "/api/customers/bulk/", json!({ "rows": rows })).await.expect(200);
        assert_eq!(undo(app, As::Staff, &bulk).await.expect(200).json()["undone"], 4);
        assert_eq!(books(app).await, before);
        let bulk = app.json(As::Staff, "POST", "/api/customers/bulk/", json!({ "rows": [
            { "action": "change", "id": 1, "values": { "name": "Uno" } }, { "action": "change", "id": 3, "values": { "name": "Tre" } },
        ] })).await.expect(200);
        app.json(As::Staff, "PATCH", "/api/customers/1/", json!({ "notes": "later" })).await.expect(200);
        let (stored, events) = (books(app).await, app.rows("events").await);
        assert!(why(undo(app, As::Staff, &bulk).await).contains("The customer 1 was changed since"));
        assert_eq!((books(app).await, app.rows("events").await), (stored, events), "all or nothing");
    }

    async fn an_id_that_a_caller_uses_again_makes_no_change_of_two(app) {
        let send = async |name: &str| {
            let headers = [("content-type", "application/json"), ("x-request-id", "nightly")];
            app.call(As::Staff, "POST", "/api/customers/", &headers, json!({ "name": name }).to_string()).await.expect(201)
        };
        let (first, second) = (send("One").await, send("Two").await);
        assert!(first.header("x-request-id").starts_with("nightly.") && second.header("x-request-id").starts_with("nightly."));
        assert_ne!(first.header("x-request-id"), second.header("x-request-id"));
        assert_eq!(undo(app, As::Staff, &first).await.expect(200).json()["undone"], 1);
        assert_eq!(app.rows("customers WHERE name = 'Two'").await, 1);
        app.json(As::Staff, "POST", "/api/changes/nightly/undo/", json!({})).await.expect(404);
    }

    async fn only_who_may_do_it_may_undo_it(app) {
        let made = app.json(As::Staff, "POST", "/api/customers/", json!({ "name": "Bob" })).await.expect(201);
        assert!(undo(app, As::Viewer, &made).await.expect(403).body.contains("customers.delete"));
        assert!(undo(app, As::Scoped, &made).await.expect(403).body.contains("customers.view"));
        undo(app, As::Anonymous, &made).await.expect(401);
        assert_eq!(app.rows("customers").await, 1);
        for request in ["nothing", "%00", "..%2F"] {
            let unknown = app.json(As::Staff, "POST", &format!("/api/changes/{request}/undo/"), json!({})).await.expect(404);
            assert!(unknown.body.contains("nothing to undo"), "{}", unknown.body);
        }
        let refused = app.json(As::Staff, "POST", &format!("/api/changes/{}/undo/", made.header("x-request-id")), json!({ "why": "x" })).await;
        assert!(!refused.expect(400).at("why").is_empty());
        let users = app.rows("events WHERE resource = 'users'").await;
        assert!(users > 0);
        let request: String = {
            let sql = "SELECT request_id FROM events WHERE resource = 'users' LIMIT 1";
            let reader = app.state.database.reader();
            let row = sea_orm::ConnectionTrait::query_one_raw(reader, sea_orm::Statement::from_string(sea_orm::ConnectionTrait::get_database_backend(reader), sql)).await;
            row.unwrap().unwrap().try_get("", "request_id").unwrap()
        };
        let refused = app.json(As::Administrator, "POST", &format!("/api/changes/{request}/undo/"), json!({})).await;
        assert_eq!(refused.status, 409, "{}", refused.body);
    }
}

/// A page as a browser asks for it that was just told something.
async fn told(app: &TestApp, answer: &Answer, path: &str) -> Answer {
    let cookie = answer
        .headers
        .get_all("set-cookie")
        .iter()
        .find_map(|cookie| cookie.to_str().unwrap().strip_prefix("kontor_done="));
    let cookie = format!(
        "{}; kontor_done={}",
        app.cookie(As::Staff).unwrap(),
        cookie.unwrap_or_default().split(';').next().unwrap()
    );
    let request = axum::http::Request::get(path).header("accept", "text/html").header("cookie", cookie);
    app.send(request.body(axum::body::Body::empty()).unwrap()).await
}

fn request_of(page: &str) -> String {
    page.split("name=\"request\" value=\"").nth(1).expect("a form that undoes").split('"').next().unwrap().to_owned()
}

both! {
    async fn after_a_form_the_page_offers_to_undo_it_without_javascript(app) {
        let once = "01890000-0000-7000-8000-000000000003";
        let made = app.form(As::Staff, "/-/customers/create", "text/html", &[("once", once), ("form[name]", "Bob"), ("page", "/")]).await.expect(303);
        let page = told(app, &made, "/customers/1").await.expect(200);
        assert!(page.body.contains("Created.") && page.header("set-cookie").contains("kontor_done=; Path=/; Max-Age=0"), "said once");
        assert!(!app.page(As::Staff, "/customers/1").await.body.contains("Created."));
        let form = [("form[name]", "Rob"), ("form[is_active]", "on"), ("form[code]", "C-00001"), ("id", "1"), ("version", "1"), ("page", "/customers/1/edit")];
        let saved = app.form(As::Staff, "/-/customers/update", "text/html", &form).await.expect(303);
        let request = request_of(&told(app, &saved, "/customers/1").await.body);
        let undo = async |request: &str| app.form(As::Staff, "/-/changes/undo", "text/html", &[("request", request), ("page", "/customers/1")]).await;
        let undone = undo(&request).await.expect(303);
        assert_eq!(undone.header("location"), "/customers/1");
        assert_eq!(app.get(As::Viewer, "/api/customers/1/").await.json()["name"], "Bob");
        let page = told(app, &undone, "/customers/1").await.expect(200).body;
        assert!(page.contains("Undone.") && page.contains("Redo"));
        undo(&request_of(&page)).await.expect(303);
        assert_eq!(app.get(As::Viewer, "/api/customers/1/").await.json()["name"], "Rob");
        app.json(As::Staff, "PATCH", "/api/customers/1/", json!({ "notes": "later" })).await.expect(200);
        let refused = undo(&request).await.expect(409).body;
        assert!(refused.contains("This cannot be undone.") && refused.contains("was changed since") && refused.contains("Rob"));
        let gone = app.form(As::Staff, "/-/customers/delete", "text/html", &[("id", "1"), ("version", "5"), ("page", "/")]).await.expect(303);
        let page = told(app, &gone, "/customers").await.expect(200).body;
        assert!(page.contains("Deleted."));
        assert_eq!(undo(&request_of(&page)).await.expect(303).header("location"), "/customers/1");
        assert_eq!(app.get(As::Viewer, "/api/customers/1/").await.expect(200).json()["notes"], "later");
    }

    async fn a_bulk_action_of_the_admin_area_is_undone_as_one(app) {
        for sku in ["A", "B", "C"] {
            app.product(sku, "1.00").await;
        }
        let before = books(app).await;
        let form = [("resource", "products"), ("page", "/admin/products/act"), ("form[action]", "set:category"), ("form[ids]", "1,2,3"),
                    ("form[value]", "Food"), ("form[policy]", "all")];
        let done = app.form(As::Administrator, "/-/admin/act", "text/html", &form).await.expect(303);
        assert_eq!(app.rows("products WHERE category = 'Food'").await, 3);
        let request = request_of(&told(app, &done, "/products").await.body);
        let undone = app.form(As::Administrator, "/-/changes/undo", "text/html", &[("request", &request), ("page", "/products")]).await.expect(303);
        assert_eq!(undone.header("location"), "/products");
        assert_eq!(books(app).await, before);
    }

    async fn an_import_is_undone_as_one(app) {
        let before = books(app).await;
        let customers = "code,name\nA,Anna\nB,Bert\n";
        let (products, orders) = ("sku,name,unit,price\nX,Thing,pcs,1.50\n", "number,customer_code,order_date\n77,A,2026-01-02\n");
        let lines = "order_number,sku,quantity\n77,X,2\n";
        let files = [("customers", customers), ("products", products), ("orders", orders), ("lines", lines)];
        let files = files.map(|(kind, content)| kontor::import::run::File {
            kind: kontor::import::Kind::named(kind).unwrap(), name: format!("{kind}.csv"), content: content.as_bytes().to_vec(),
        });
        let access = kontor::access::gate::Access::<kontor::import::run::Import>::system(&app.state.database).unwrap();
        let (mapping, watch) = (kontor::import::mapping::Mapping::default(), kontor::import::run::Watch::new(&|_, _| ()));
        let report = kontor::import::run::run(&access, &files, &mapping, kontor::import::run::Mode::Write, &watch).await.unwrap();
        assert!(report.is_clean(), "{:?}", report.problems);
        assert_eq!((app.rows("orders").await, app.rows("order_items").await), (1, 1));
        let undo = format!("/api/changes/{}/undo/", access.caller().request_id);
        let undone = app.json(As::Administrator, "POST", &undo, json!({})).await.expect(200);
        assert_eq!(undone.json()["undone"], 4);
        assert_eq!(books(app).await, before);
        let again = format!("/api/changes/{}/undo/", undone.header("x-request-id"));
        app.json(As::Administrator, "POST", &again, json!({})).await.expect(200);
        assert_eq!(app.get(As::Viewer, "/api/orders/?number=77").await.expect(200).json()["results"][0]["status"], "placed");
    }
}
