//! The admin area: every resource by the same pages, and what is done to many records at once.

use serde_json::{Value, json};

use crate::both;
use crate::support::{Answer, As, Kind, TestApp, run};

const PAGE: &str = "text/html,application/xhtml+xml";

/// What the page of a list is drawn from.
async fn table(app: &TestApp, resource: &str, query: &str) -> Value {
    let query: String = form_urlencoded::byte_serialize(query.as_bytes()).collect();
    ask(app, &format!("/-/admin/table?resource={resource}&query={query}")).await.expect(200).json()
}

async fn question(app: &TestApp, resource: &str, query: &str) -> Answer {
    let query: String = form_urlencoded::byte_serialize(query.as_bytes()).collect();
    ask(app, &format!("/-/admin/question?resource={resource}&query={query}")).await
}

async fn ask(app: &TestApp, path: &str) -> Answer {
    let request = axum::http::Request::get(path)
        .header("accept", "application/json")
        .header("cookie", app.cookie(As::Administrator).unwrap());
    app.send(request.body(axum::body::Body::empty()).unwrap()).await
}

/// Does something to records, and reads what became of them.
async fn act(app: &TestApp, resource: &str, ids: &str, action: &str, more: &[(&str, &str)]) -> Value {
    let fields = [
        &[("resource", resource), ("page", "/admin/customers/act"), ("form[action]", action), ("form[ids]", ids)],
        more,
    ]
    .concat();
    let done = app.form(As::Administrator, "/-/admin/act", PAGE, &fields).await.expect(303);
    let run = done.header("location").strip_prefix("/admin/runs/").unwrap().to_owned();
    ask(app, &format!("/-/admin/run?id={run}")).await.expect(200).json()
}

/// The counts of one field, as text.
fn counts(table: &Value, label: &str) -> Vec<String> {
    let facets = table["facets"].as_array().unwrap();
    let facet = facets.iter().find(|facet| facet["label"] == label);
    let choices = facet.map_or(Vec::new(), |facet| facet["choices"].as_array().unwrap().clone());
    choices.iter().map(|choice| format!("{} {}", choice["label"].as_str().unwrap(), choice["count"])).collect()
}

async fn products(app: &TestApp) -> Vec<i64> {
    let mut ids = Vec::new();
    for (sku, category, active) in
        [("A-1", "Dairy", true), ("A-2", "Dairy", true), ("B-1", "Oil", false), ("B-2", "Oil", true)]
    {
        let body =
            json!({ "sku": sku, "name": sku, "unit": "pcs", "price": "2", "category": category, "is_active": active });
        let made = app.json(As::Staff, "POST", "/api/products/", body).await.expect(201).json();
        ids.push(made["id"].as_i64().unwrap());
    }
    ids
}

fn joined(ids: &[i64]) -> String {
    ids.iter().map(i64::to_string).collect::<Vec<_>>().join(",")
}

both! {
    async fn every_resource_of_the_api_is_there_with_its_count(app) {
        products(app).await;
        app.customer("Bob").await;
        let page = app.page(As::Administrator, "/admin").await.expect(200).body;
        let index = app.get(As::Administrator, "/api/").await.json();
        for name in index.as_object().unwrap().keys().filter(|name| *name != "events") {
            assert!(page.contains(&format!("href=\"/admin/{name}\"")), "{name}");
            assert!(app.page(As::Administrator, &format!("/admin/{name}")).await.expect(200).body.contains("<h1>"), "{name}");
        }
        let kinds = ask(app, "/-/admin/overview").await.expect(200).json();
        let products = kinds.as_array().unwrap().iter().find(|kind| kind["title"] == "Products").unwrap();
        assert_eq!((&products["count"]["rows"], &products["last"]["command"]), (&json!(4), &json!("create")));
        app.page(As::Administrator, "/admin/nothing").await.expect(404);
    }

    async fn counts_by_value_respect_the_other_filters(app) {
        products(app).await;
        let all = table(app, "products", "").await;
        assert_eq!(counts(&all, "Active"), ["yes 3", "no 1"]);
        let mut categories = counts(&all, "Category");
        categories.sort();
        assert_eq!(categories, ["Dairy 2", "Oil 2"]);

        let oil = table(app, "products", "category=Oil").await;
        let mut active = counts(&oil, "Active");
        active.sort();
        assert_eq!(active, ["no 1", "yes 1"], "within the category");
        let mut categories = counts(&oil, "Category");
        categories.sort();
        assert_eq!(categories, ["Dairy 2", "Oil 2"], "its own filter is not one of the others");
        assert_eq!(oil["count"], json!({ "rows": 2, "exact": true }));
        let searched = table(app, "products", "search=A-1").await;
        assert_eq!(searched["count"]["rows"], 1);
        let query = form_urlencoded::byte_serialize(b"category=Oil&nonsense=1").collect::<String>();
        ask(app, &format!("/-/admin/table?resource=products&query={query}")).await.expect(400);
    }

    async fn time_is_told_by_year_month_and_day(app) {
        let (customer, product) = (app.customer("Bob").await, app.product("A", "1").await);
        for date in ["2024-02-29", "2025-12-31", "2025-12-01", "2026-01-01"] {
            let body = json!({ "customer": customer["id"], "order_date": date, "items": [{ "product": product["id"], "quantity": 1 }] });
            app.json(As::Staff, "POST", "/api/orders/", body).await.expect(201);
        }
        let steps = |table: &Value| {
            let steps = table["dates"]["steps"].as_array().unwrap().clone();
            steps.iter().map(|step| format!("{} {}", step["label"].as_str().unwrap(), step["count"])).collect::<Vec<_>>()
        };
        let href = |table: &Value, at: usize| {
            table["dates"]["steps"][at]["href"].as_str().unwrap().split_once('?').unwrap().1.to_owned()
        };
        let all = table(app, "orders", "").await;
        assert_eq!(steps(&all), ["2026 1", "2025 2", "2024 1"]);
        let year = table(app, "orders", &href(&all, 1)).await;
        assert_eq!((year["count"]["rows"].clone(), steps(&year)), (json!(2), vec!["Dec 2025 2".to_owned()]));
        let month = table(app, "orders", &href(&year, 0)).await;
        assert_eq!(steps(&month), ["31 Dec 1", "1 Dec 1"]);
        let day = table(app, "orders", &href(&month, 0)).await;
        assert_eq!((day["count"]["rows"].clone(), steps(&day).len()), (json!(1), 0));
        assert_eq!(day["dates"]["back"].as_array().unwrap().len(), 4, "all, year, month, day");
        let leap = table(app, "orders", &href(&all, 2)).await;
        let leap = table(app, "orders", &href(&leap, 0)).await;
        assert_eq!(steps(&leap), ["29 Feb 1"]);
        let made = table(app, "products", "").await;
        assert_eq!(steps(&made).len(), 1, "without a date, by when it was made");
        assert_eq!(table(app, "products", &href(&made, 0)).await["count"]["rows"], 1);
    }

    async fn columns_are_chosen_by_boxes_and_kept_in_the_address(app) {
        products(app).await;
        let chosen = table(app, "products", "columns=price&columns=unit&ordering=-price").await;
        let labels: Vec<_> = chosen["headings"].as_array().unwrap().iter().map(|heading| heading["label"].clone()).collect();
        assert_eq!(labels.len(), 2);
        assert!(chosen["headings"][0]["href"].as_str().is_some_and(|href| href.contains("fields=")), "{chosen}");
        ask(app, "/-/admin/table?resource=products&query=columns%3Dnonsense").await.expect(400);
    }

    async fn references_are_shown_by_name_at_a_constant_number_of_statements(app) {
        let (customer, one, two) = (app.customer("Bob").await, app.product("A", "1").await, app.product("B", "1").await);
        let cost = async || {
            let before = app.state.database.statements();
            let rows = table(app, "order-items", "").await;
            (app.state.database.statements() - before, rows)
        };
        app.order(&customer, json!([{ "sku": "A", "quantity": 1 }])).await;
        let (few, _) = cost().await;
        for _ in 0..5 {
            app.order(&customer, json!([{ "sku": "A", "quantity": 1 }, { "sku": "B", "quantity": 2 }])).await;
        }
        let (many, rows) = cost().await;
        assert_eq!(few, many);
        let line = &rows["lines"][0];
        let hrefs: Vec<_> = line["cells"].as_array().unwrap().iter().filter_map(|cell| cell["href"].as_str()).collect();
        assert!(hrefs.iter().any(|href| href.starts_with("/products/")), "{line}");
        assert!(line["name"]["href"].as_str().unwrap().starts_with("/orders/"), "a line is shown on its order");
        let _ = (one, two);
    }

    async fn a_field_is_set_on_many_records_each_with_its_event(app) {
        let ids = products(app).await;
        let run = act(app, "products", &joined(&ids), "set:category", &[("form[value]", "Food"), ("form[policy]", "all")]).await;
        assert_eq!((run["written"].clone(), run["done"].clone(), run["refused"].clone()), (json!(true), json!(4), json!(0)));
        for id in &ids {
            assert_eq!(app.get(As::Viewer, &format!("/api/products/{id}")).await.json()["category"], "Food");
        }
        assert_eq!(app.rows(&format!("events WHERE command = 'change' AND request_id = '{}'", run["request_id"].as_str().unwrap())).await, 4);
        act(app, "products", &joined(&ids[..2]), "set:is_active=false", &[]).await;
        assert_eq!(app.get(As::Viewer, "/api/products/?is_active=true").await.json()["count"], 1);
        act(app, "products", &joined(&ids[..2]), "set:category", &[("form[value]", "")]).await;
        assert_eq!(app.get(As::Viewer, &format!("/api/products/{}", ids[0])).await.json()["category"], Value::Null);
    }

    async fn all_or_nothing_leaves_everything_when_one_refuses(app) {
        let (used, customer) = (app.product("A", "1").await, app.customer("Bob").await);
        let free = app.product("B", "1").await;
        app.order(&customer, json!([{ "sku": "A", "quantity": 1 }])).await;
        let ids = format!("{},{},999999", free["id"], used["id"]);
        let run = act(app, "products", &ids, "delete", &[("form[policy]", "all")]).await;
        assert_eq!((run["written"].clone(), run["done"].clone(), run["refused"].clone()), (json!(false), json!(0), json!(2)));
        assert_eq!(app.rows("products").await, 2);
        let why = run["outcomes"][0]["error"].as_str().unwrap();
        assert!(why.contains("in use"), "{why}");

        let run = act(app, "products", &ids, "delete", &[("form[policy]", "each")]).await;
        assert_eq!((run["written"].clone(), run["done"].clone(), run["refused"].clone()), (json!(true), json!(1), json!(2)));
        assert_eq!(app.rows("products").await, 1);
        let path = format!("/admin/runs/{}", "00000000-0000-0000-0000-000000000000");
        app.page(As::Administrator, &path).await.expect(404);
    }

    async fn order_commands_are_given_to_many(app) {
        let (customer, _) = (app.customer("Bob").await, app.product("A", "1").await);
        let mut ids = Vec::new();
        for _ in 0..3 {
            let order = app.order(&customer, json!([{ "sku": "A", "quantity": 1 }])).await;
            ids.push(order["id"].as_i64().unwrap());
        }
        let run = act(app, "orders", &joined(&ids[..2]), "command:place", &[]).await;
        assert_eq!(run["done"], 2);
        let run = act(app, "orders", &joined(&ids), "command:ship", &[("form[policy]", "each")]).await;
        assert_eq!((run["done"].clone(), run["refused"].clone()), (json!(2), json!(1)));
        assert!(run["outcomes"][0]["error"].as_str().unwrap().contains("Only a placed order can be shipped"));
        let back = app.form(As::Administrator, "/-/admin/act", PAGE, &[
            ("resource", "orders"), ("page", &format!("/admin/orders/act?action=command%3Acancel&ids={}", ids[2])),
            ("form[action]", "command:cancel"), ("form[ids]", &ids[2].to_string()), ("form[reason]", " "),
        ]).await.expect(400);
        assert!(back.body.contains("Say why."), "{}", back.body);
        let run = act(app, "orders", &ids[2].to_string(), "command:cancel", &[("form[reason]", "Bob changed his mind")]).await;
        assert_eq!(run["done"], 1);
        let order = app.get(As::Viewer, &format!("/api/orders/{}", ids[2])).await.json();
        assert_eq!((&order["status"], &order["cancel_reason"]), (&json!("cancelled"), &json!("Bob changed his mind")));
    }

    async fn the_question_says_what_goes_along_and_what_stands_in_the_way(app) {
        let (customer, _) = (app.customer("Bob").await, app.product("A", "1").await);
        let order = app.order(&customer, json!([{ "sku": "A", "quantity": 1 }])).await;
        let asked = question(app, "orders", &format!("action=delete&ids={}", order["id"])).await.expect(200).json();
        assert_eq!(asked["taken_along"]["goes"][0], json!({ "resource": "lines", "count": 1, "href": "" }));
        let asked = question(app, "customers", &format!("action=delete&ids={}", customer["id"])).await.expect(200).json();
        let blocker = &asked["taken_along"]["blockers"][0];
        assert_eq!((&blocker["resource"], &blocker["count"]), (&json!("orders"), &json!(1)));
        assert_eq!(blocker["href"], format!("/orders?customer={}", customer["id"]));
        assert_eq!(asked["names"][0][1], "Bob");
        let page = app.page(As::Administrator, &format!("/customers/{}/delete", customer["id"])).await.expect(200).body;
        assert!(page.contains(">1 order<") && page.contains("cannot be deleted"), "{page}");
        assert!(page.contains("An inactive customer keeps what was ordered") && !page.contains("Delete for good"), "{page}");
        let holder = app.get(As::Administrator, "/api/tokens/").await.expect(200).json()["results"][0]["user"].clone();
        let page = app.page(As::Administrator, &format!("/admin/users/{holder}/delete")).await.expect(200).body;
        assert!(page.contains("Who is not active cannot sign in") && !page.contains("Delete for good"), "{page}");
        let page = app.page(As::Administrator, &format!("/orders/{}/delete", order["id"])).await.expect(200).body;
        assert!(page.contains("<li>1 line<"), "{page}");
    }

    async fn all_that_match_are_the_rows_of_every_page(app) {
        let ids = products(app).await;
        let asked = question(app, "products", "action=set%3Acategory&all=on&is_active=true&page_size=1").await.expect(200).json();
        assert_eq!(asked["ids"].as_array().unwrap().len(), 3, "whatever the size of a page");
        assert!(!asked["ids"].as_array().unwrap().contains(&json!(ids[2])));
        let exported = question(app, "products", &format!("action=export%3Acsv&ids={}&ids={}", ids[0], ids[1])).await.expect(200).json();
        let file = app.get(As::Administrator, exported["file"].as_str().unwrap()).await.expect(200);
        assert!(file.header("content-type").starts_with("text/csv"));
        assert_eq!(file.body.lines().count(), 3, "{}", file.body);
    }

    async fn a_forged_form_does_nothing(app) {
        let ids = products(app).await;
        let fields = [("resource", "products"), ("form[action]", "delete"), ("form[ids]", &joined(&ids))];
        for who in [As::Viewer, As::Staff] {
            app.form(who, "/-/admin/act", PAGE, &fields).await.expect(403);
        }
        for (action, ids, status) in [
            ("", "1", 400), ("destroy", "1", 400), ("set:id", "1", 400), ("set:sku", "1", 400), ("command:place", "1", 400),
            ("export:csv", "1", 400), ("delete", "", 400), ("delete", "one", 400), ("set:category=x;--", "1", 303),
        ] {
            let fields = [("resource", "products"), ("page", "/admin"), ("form[action]", action), ("form[ids]", ids)];
            let answer = app.form(As::Administrator, "/-/admin/act", PAGE, &fields).await;
            assert_eq!(answer.status.as_u16(), status, "{action} {ids}");
        }
        let many = (1..=5_001).collect::<Vec<i64>>();
        let fields = [("resource", "products"), ("page", "/admin"), ("form[action]", "delete"), ("form[ids]", &joined(&many))];
        app.form(As::Administrator, "/-/admin/act", PAGE, &fields).await.expect(400);
        let fields = [("resource", "sessions"), ("page", "/admin"), ("form[action]", "delete"), ("form[ids]", "1")];
        app.form(As::Administrator, "/-/admin/act", PAGE, &fields).await.expect(404);
        assert_eq!(app.rows("products").await, 4);
    }

    async fn the_house_says_how_it_is(app) {
        let parts = ask(app, "/-/admin/health").await.expect(200).json();
        let facts: Vec<_> = parts.as_array().unwrap().iter().flat_map(|part| part["facts"].as_array().unwrap().clone()).collect();
        let said = |name: &str| facts.iter().find(|fact| fact["name"] == name).unwrap().clone();
        assert!(said("Schema")["value"].as_str().unwrap().starts_with("up to date"));
        assert_eq!(said("Schema")["is_well"], true);
        let kind = if app.url.starts_with("sqlite") { "SQLite 3" } else { "PostgreSQL " };
        assert!(said("Kind")["value"].as_str().unwrap().starts_with(kind));
        assert!(said("Free")["value"].as_str().unwrap().contains(" of "));
    }

    async fn settings_change_while_the_server_runs_each_with_its_event(app) {
        let set = async |fields: &[(&str, &str)]| {
            let fields = [&[("page", "/admin/settings")], fields].concat();
            app.form(As::Administrator, "/-/admin/set", PAGE, &fields).await
        };
        app.get(As::Anonymous, "/api/customers/").await.expect(401);
        set(&[("form[anonymous_api_read]", "true"), ("form[rate_burst]", "7"), ("form[rate_limit]", "")]).await.expect(303);
        app.get(As::Anonymous, "/api/customers/").await.expect(200);
        let told = app.get(As::Viewer, "/api/customers/").await.expect(200);
        assert!(told.header("ratelimit-policy").contains("q=7"), "{}", told.header("ratelimit-policy"));
        assert_eq!(app.rows("events WHERE resource = 'settings'").await, 1);

        let stale = set(&[("form[was.rate_burst]", "2"), ("form[rate_burst]", "9")]).await.expect(409);
        assert!(stale.body.contains("Somebody else set rate_burst"), "{}", stale.body);
        for (name, value) in [("rate_burst", "many"), ("rate_burst", "0"), ("anonymous_api_read", "perhaps"), ("log", "kontor=loud"),
                              ("addr", "127.0.0.1:1"), ("database_url", "sqlite:x"), ("nonsense", "1")] {
            let was = if name == "rate_burst" { "7" } else if name == "anonymous_api_read" { "true" } else { "" };
            let refused = set(&[(&format!("form[was.{name}]"), was), (&format!("form[{name}]"), value)]).await.expect(400);
            assert!(refused.body.contains("<h1>"), "{name} {value}");
        }
        assert_eq!(app.rows("settings").await, 2);
        set(&[("form[was.anonymous_api_read]", "true"), ("form[anonymous_api_read]", "")]).await.expect(303);
        app.get(As::Anonymous, "/api/customers/").await.expect(401);
        for who in [As::Viewer, As::Staff] {
            app.form(who, "/-/admin/set", PAGE, &[("form[rate_burst]", "1")]).await.expect(403);
        }
        let page = app.page(As::Administrator, "/admin/settings").await.expect(200).body;
        assert!(page.contains("value=\"7\"") && page.contains("the flag") || page.contains("This is set"), "{page}");
    }

    async fn another_server_learns_of_a_changed_setting(app) {
        app.execute("INSERT INTO settings (name, value, updated_at) VALUES ('anonymous_api_read', 'true', '2026-11-25T00:00:00+00:00')").await;
        app.get(As::Anonymous, "/api/customers/").await.expect(401);
        kontor::server::live::refresh(&app.state).await.unwrap();
        app.get(As::Anonymous, "/api/customers/").await.expect(200);
        app.execute("UPDATE settings SET value = 'perhaps'").await;
        kontor::server::live::refresh(&app.state).await.unwrap();
        app.get(As::Anonymous, "/api/customers/").await.expect(200);
    }

    async fn the_demo_company_moves_into_an_empty_house_only(app) {
        let files = ask(app, "/-/admin/data").await.expect(200).json();
        assert_eq!(files["may_demo"], true);
        app.form(As::Administrator, "/-/admin/demo", PAGE, &[("page", "/admin/data")]).await.expect(303);
        assert!(app.rows("orders").await > 100);
        let orders = app.rows("orders").await;
        let refused = app.form(As::Administrator, "/-/admin/demo", PAGE, &[("page", "/admin/data")]).await.expect(409);
        assert!(refused.body.contains("empty database"));
        assert_eq!(app.rows("orders").await, orders);
        assert_eq!(ask(app, "/-/admin/data").await.json()["may_demo"], false);
        app.form(As::Staff, "/-/admin/demo", PAGE, &[]).await.expect(403);
    }
}

#[test]
fn how_often_one_may_try_to_sign_in_changes_while_the_server_runs() {
    for kind in [Kind::Sqlite, Kind::Postgres] {
        run(kind, &[("sign_in_attempts", "")], async |app| {
            let set = async |was: &str, wish: &str| {
                let fields = [("form[was.sign_in_attempts]", was), ("form[sign_in_attempts]", wish)];
                app.form(As::Administrator, "/-/admin/set", PAGE, &fields).await.expect(303);
            };
            let attempt = async || {
                let fields =
                    [("email", "nobody@kontor.example"), ("password", "wrong"), ("next", ""), ("page", "/sign-in")];
                app.form(As::Anonymous, "/-/sign-in", PAGE, &fields).await.status.as_u16()
            };
            set("", "1").await;
            assert_eq!((attempt().await, attempt().await), (401, 429));
            set("1", "").await;
            assert_eq!((attempt().await, attempt().await), (401, 401));
        });
    }
}
