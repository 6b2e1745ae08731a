//! Changes are undone by commands that lead back, as long as nothing depends on them.

use sea_orm::{ConnectionTrait, FromQueryResult, Statement};
use serde_json::{Value, json};

use crate::both;
use crate::life::{Deed, Luck, begin, seldom, step};
use crate::support::{Answer, As, TestApp};

async fn undo(app: &TestApp, who: As, change: &Answer) -> Answer {
    let request = change.header("x-request-id");
    app.json(who, "POST", &format!("/api/changes/{request}/undo/"), json!({})).await
}

#[track_caller]
fn why(answer: Answer) -> String {
    answer.expect(409).json()["detail"].as_str().unwrap().to_owned()
}

/// Everything that is stored about the business and its people, but for what undoing leaves otherwise: versions and the time of the last
/// change; what orders are searched by, which holds the customer's code of the moment. The history itself and the series of
/// numbers are no business: a number that was drawn is not drawn again.
async fn books(app: &TestApp) -> Vec<Value> {
    let reader = app.state.database.reader();
    let mut rows = Vec::new();
    for table in ["customers", "products", "orders", "order_items", "users", "roles", "user_roles"] {
        let key = if table == "user_roles" { "user_id, role_id" } else { "id" };
        let sql = format!("SELECT * FROM {table} ORDER BY {key}");
        let statement = Statement::from_string(reader.get_database_backend(), sql);
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
    for _ in 0..80 {
        let before = books(app).await;
        let deed = if luck.below(4) == 0 {
            seldom(app, &mut luck).await
        } else {
            let answer = step(app, &mut luck, false).await;
            Deed { request: answer.header("x-request-id").to_owned(), said: answer.body }
        };
        if app.rows(&format!("events WHERE request_id = '{}'", deed.request)).await > 0 {
            done.push((before, deed));
        }
    }
    assert!(done.len() > 30, "too little happened: {}", done.len());
    for part in ["import 5", " /api/users/", " /api/roles/"] {
        assert!(done.iter().any(|(_, deed)| deed.said.contains(part)), "nothing was done by {part}");
    }
    while let Some((before, deed)) = done.pop() {
        let undone =
            app.json(As::Administrator, "POST", &format!("/api/changes/{}/undo/", deed.request), json!({})).await;
        assert_eq!(undone.status, 200, "seed {seed}: {}\n{}", undone.body, deed.said);
        assert_eq!(books(app).await, before, "seed {seed}: {}", deed.said);
    }
}

/// The request of the latest event of a sort.
async fn latest_request(app: &TestApp, which: &str) -> String {
    let reader = app.state.database.reader();
    let sql = format!("SELECT request_id FROM events WHERE {which} ORDER BY id DESC LIMIT 1");
    let statement = Statement::from_string(reader.get_database_backend(), sql);
    let row = reader.query_one_raw(statement).await.unwrap();
    row.expect("such an event").try_get("", "request_id").unwrap()
}

both! {
    async fn what_one_client_sends_twice_under_one_id_is_undone_for_itself(app) {
        let change = async |name: &str| {
            let headers = [("content-type", "application/json"), ("x-request-id", "job-7")];
            let body = json!({ "name": name }).to_string();
            app.call(As::Staff, "POST", "/api/customers/", &headers, body).await.expect(201)
        };
        let (first, second) = (change("First").await, change("Second").await);
        assert_ne!(first.header("x-request-id"), second.header("x-request-id"));
        let address = format!("/api/changes/{}/undo/", first.header("x-request-id"));
        app.json(As::Staff, "POST", &address, json!({})).await.expect(200);
        let left = app.get(As::Staff, "/api/customers/").await.json();
        assert_eq!((&left["count"], &left["results"][0]["name"]), (&json!(1), &json!("Second")));
        app.json(As::Staff, "POST", "/api/changes/job-7/undo/", json!({})).await.expect(404);
    }

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
        app.json(As::Staff, "PATCH", "/api/customers/1/", json!({ "credit_limit": "5.00" })).await.expect(200);
        assert!(why(undo(app, As::Staff, &reopened).await).contains("credit limit"));
        app.json(As::Staff, "PATCH", "/api/customers/1/", json!({ "credit_limit": null, "is_active": false })).await.expect(200);
        undo(app, As::Staff, &reopened).await.expect(200);
        app.json(As::Staff, "PATCH", "/api/customers/1/", json!({ "is_active": true })).await.expect(200);
        let shipped = app.act(As::Staff, &order, "ship", json!({})).await.expect(200);
        let books = app.order_books().await;
        let said = why(undo(app, As::Staff, &shipped).await);
        assert!(said.contains("is shipped") && said.contains("no command leads back"), "{said}");
        assert_eq!(app.order_books().await, books, "nothing is written");
    }

    async fn what_was_ordered_comes_back_though_it_is_no_longer_sold(app) {
        let customer = app.customer("Bob").await;
        app.product("A", "10.00").await;
        app.product("B", "10.00").await;
        let order = app.order(&customer, json!([{ "sku": "A", "quantity": 1 }, { "sku": "B", "quantity": 2 }])).await;
        let path = format!("/api/orders/{}/", order["id"]);
        for product in [1, 2] {
            app.json(As::Staff, "PATCH", &format!("/api/products/{product}/"), json!({ "is_active": false })).await.expect(200);
        }
        app.json(As::Staff, "PATCH", "/api/customers/1/", json!({ "is_active": false })).await.expect(200);
        let before = books(app).await;
        let fewer = app.json(As::Staff, "PATCH", &path, json!({ "items": [{ "id": order["items"][0]["id"], "quantity": 1 }] })).await.expect(200);
        // Restoring orders anew, and what is not sold cannot be ordered.
        let events = app.get(As::Staff, "/api/events/?resource=orders").await.json();
        let place = events["results"][0]["id"].clone();
        let refused = app.at_version(As::Staff, "POST", &format!("{path}restore/"), &json!(2), json!({ "event": place })).await;
        assert!(refused.body.contains("inactive"), "{}", refused.body);
        undo(app, As::Staff, &fewer).await.expect(200);
        assert_eq!(books(app).await, before);
        let gone = app.json(As::Staff, "DELETE", &path, json!({})).await.expect(204);
        undo(app, As::Staff, &gone).await.expect(200);
        assert_eq!(books(app).await, before);
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

    async fn what_was_done_to_people_and_roles_is_undone_by_the_same_rules(app) {
        let send = async |who: As, method: &str, path: &str, body: Value| app.json(who, method, path, body).await;
        let clerks = json!({ "name": "Clerks", "permissions": ["products.view"] });
        let role = send(As::Administrator, "POST", "/api/roles/", clerks).await.expect(201);
        let person = json!({ "name": "Ann", "email": "ann@kontor.example", "roles": ["clerks"] });
        let made = send(As::Administrator, "POST", "/api/users/", person).await.expect(201);
        let ann = format!("/api/users/{}/", made.json()["id"]);
        let before = books(app).await;
        assert!(why(undo(app, As::Administrator, &role).await).contains("is in use"));

        // More for a person, more for a role, and a person gone: all of it comes back, with what they hold.
        let raised = send(As::Administrator, "PATCH", &ann, json!({ "roles": ["clerks", "staff"] })).await.expect(200);
        let widened = send(As::Administrator, "PATCH", &format!("/api/roles/{}/", role.json()["id"]), json!({ "permissions": ["products.view", "orders.ship"] })).await.expect(200);
        undo(app, As::Administrator, &widened).await.expect(200);
        let undone = undo(app, As::Administrator, &raised).await.expect(200);
        assert_eq!(books(app).await, before);
        undo(app, As::Administrator, &undone).await.expect(200);
        assert_eq!(app.get(As::Administrator, &ann).await.json()["roles"], json!(["clerks", "staff"]));
        let lowered = send(As::Administrator, "PATCH", &ann, json!({ "roles": ["clerks"] })).await.expect(200);
        let gone = send(As::Administrator, "DELETE", &ann, json!({})).await.expect(204);
        undo(app, As::Administrator, &gone).await.expect(200);
        assert_eq!(books(app).await, before);

        // Undoing gives nobody more than who undoes holds.
        let manager = app.bearer(&["users.view", "users.change", "roles.view", "roles.change", "products.view"]).await;
        let clerks = format!("/api/roles/{}/", role.json()["id"]);
        send(As::Administrator, "PATCH", &clerks, json!({ "permissions": ["products.view", "orders.ship"] })).await.expect(200);
        let narrowed = send(As::Administrator, "PATCH", &clerks, json!({ "permissions": ["products.view"] })).await.expect(200);
        for change in [&lowered, &narrowed] {
            let path = format!("/api/changes/{}/undo/", change.header("x-request-id"));
            let headers = [("content-type", "application/json"), ("authorization", manager.as_str())];
            let refused = app.call(As::Anonymous, "POST", &path, &headers, "{}".to_owned()).await.expect(403);
            assert!(refused.body.contains("you do not hold"), "{}", refused.body);
        }
        assert_eq!(books(app).await, before);
    }

    async fn what_has_no_way_back_says_so(app) {
        app.person("Ann", &["administrator"]).await;
        app.bearer(&["products.view"]).await;
        for (which, said) in [("command = 'set_password'", "way in"), ("resource = 'tokens'", "revoke")] {
            let request = latest_request(app, which).await;
            let detail = why(app.json(As::Administrator, "POST", &format!("/api/changes/{request}/undo/"), json!({})).await);
            assert!(detail.contains(said), "{detail}");
        }
    }

    async fn settings_are_undone_unless_somebody_changed_them_since(app) {
        let set = async |was: &str, burst: &str| {
            let fields = [("page", "/admin/settings"), ("form[was.rate_burst]", was), ("form[rate_burst]", burst)];
            let saved = app.form(As::Administrator, "/-/admin/set", "text/html", &fields).await.expect(303);
            assert!(saved.header("set-cookie").starts_with("kontor_done=Saved."), "the page offers to undo it");
            latest_request(app, "resource = 'settings'").await
        };
        let burst = || app.state.live.settings().rate_burst.get();
        let undo = async |who: As, request: &str, body: Value| app.json(who, "POST", &format!("/api/changes/{request}/undo/"), body).await;
        let (first, second) = (set("", "7").await, set("7", "9").await);
        assert!(why(undo(As::Administrator, &first, json!({})).await).contains("Somebody else set rate_burst to \"9\""));
        undo(As::Staff, &second, json!({})).await.expect(403);
        undo(As::Administrator, &second, json!({ "dry_run": true })).await.expect(200);
        assert_eq!(burst(), 9);
        undo(As::Administrator, &second, json!({})).await.expect(200);
        assert_eq!(burst(), 7);
        undo(As::Administrator, &first, json!({})).await.expect(200);
        assert_eq!((burst(), app.rows("settings").await), (2_000, 0));
        let undone = latest_request(app, "resource = 'settings' AND command = 'undo'").await;
        let form = [("request", undone.as_str()), ("page", "/admin/settings")];
        let redone = app.form(As::Administrator, "/-/changes/undo", "text/html", &form).await.expect(303);
        assert_eq!((redone.header("location"), burst()), ("/admin/settings", 7));
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
        let request = latest_request(app, "resource = 'users'").await;
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
