//! The OpenAPI document: a contract, kept as a snapshot.

use serde_json::{Value, json};

use crate::both;
use crate::support::{As, Kind, TestApp, run};

#[test]
fn the_openapi_document_is_as_agreed() {
    let document = kontor::house::api().document();
    insta::with_settings!({ sort_maps => true }, { insta::assert_json_snapshot!("openapi", document) });
}

#[test]
fn every_reference_of_the_openapi_document_leads_somewhere() {
    let document = kontor::house::api().document();
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#/").skip(1) {
        let path = format!("/{}", reference.split('"').next().unwrap());
        assert!(document.pointer(&path).is_some(), "{path}");
    }
}

/// A call as the guide shows it: method, path and body.
fn shown(guide: &str, operation: &str) -> (String, String, String) {
    let section =
        guide.split(&format!("id=\"{operation}\"")).nth(1).unwrap_or_else(|| panic!("{operation} is missing"));
    let call = section.split("<pre>").nth(1).unwrap().split("</pre>").next().unwrap();
    let call = call.replace("&quot;", "\"").replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">");
    let method = call.split("-X ").nth(1).map_or("GET", |rest| rest.split(' ').next().unwrap());
    let body = call.split("-d '").nth(1).map_or("", |rest| rest.split("' \\").next().unwrap());
    let path = call.rsplit("'http://kontor.example").next().unwrap().trim_end_matches('\'');
    (method.to_owned(), path.to_owned(), body.to_owned())
}

/// A user, a role, a token or a session that nobody misses.
async fn unheld(app: &TestApp, resource: &str) -> String {
    let add = async |path: &str, body: Value| app.json(As::Administrator, "POST", path, body).await.expect(201).json();
    match resource {
        "roles" => add("/api/roles/", json!({ "name": "Nothing", "code": "nothing" })).await["id"].to_string(),
        "sessions" => {
            let sessions = app.get(As::Administrator, "/api/sessions/").await.expect(200).json();
            let first = &sessions["results"][0]["id"];
            first.as_str().map_or_else(|| first.to_string(), str::to_owned)
        }
        resource => {
            let body = json!({ "name": "Nobody", "email": "nobody@kontor.example", "roles": [] });
            let user = add("/api/users/", body).await;
            match resource {
                "users" => user["id"].to_string(),
                _ => add("/api/tokens/", json!({ "name": "Nothing", "user": user["id"] })).await["id"].to_string(),
            }
        }
    }
}

#[test]
fn every_example_of_the_guide_is_carried_out_as_shown() {
    let document = kontor::house::api().document();
    let items = document["paths"].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap().values());
    let described: Vec<_> = items.filter_map(|operation| operation.get("operationId")?.as_str()).collect();
    assert!(described.len() > 30, "{described:?}");
    for kind in [Kind::Sqlite, Kind::Postgres] {
        for operation in described.iter().copied().chain(["start"]) {
            // Every example is about record 1, so each has a company of its own.
            run(kind, &[], async |app| {
                let customer = app.customer("First").await;
                app.product("FIRST", "1.00").await;
                app.product("SECOND", "1.00").await;
                if operation != "customers.delete" {
                    let order = app.order(&customer, json!([{ "sku": "SECOND", "quantity": 1 }])).await;
                    if ["orders.ship", "orders.reopen"].contains(&operation) {
                        app.act(As::Staff, &order, "place", json!({})).await.expect(200);
                    }
                }
                let guide = app.get(As::Viewer, "/api/docs/").await.expect(200).body;
                let (method, mut path, body) = match operation {
                    "start" => {
                        let call = guide
                            .split("KONTOR_TOKEN&quot; '")
                            .nth(1)
                            .or_else(|| guide.split("$KONTOR_TOKEN\" '").nth(1));
                        let path =
                            call.unwrap().split('\'').next().unwrap().trim_start_matches("http://kontor.example");
                        ("GET".to_owned(), path.to_owned(), String::new())
                    }
                    operation => shown(&guide, operation),
                };
                // The first of these are whom the house would be shut without.
                if let Some(resource) = ["users", "roles", "tokens", "sessions"]
                    .into_iter()
                    .find(|name| operation.starts_with(&format!("{name}.")))
                {
                    let one = unheld(app, resource).await;
                    path = path.replace(&format!("/{resource}/1/"), &format!("/{resource}/{one}/"));
                }
                if operation == "changes.undo" {
                    // Somebody did something in the request of the example.
                    let request = path.split('/').nth(3).unwrap();
                    let body = serde_json::json!({ "name": "Second" });
                    let made = app.json(As::Staff, "POST", "/api/customers/", body).await.expect(201);
                    let own = made.header("x-request-id");
                    app.execute(&format!("UPDATE events SET request_id = '{request}' WHERE request_id = '{own}'"))
                        .await;
                }
                if operation.ends_with(".restore") {
                    // All of it was there at the moment of the example.
                    app.execute("UPDATE events SET at = '2026-11-01T00:00:00+00:00'").await;
                }
                let headers: &[_] = if body.is_empty() { &[] } else { &[("content-type", "application/json")] };
                let answer = app.call(As::Administrator, &method, &path, headers, body.clone()).await;
                assert!(answer.status.is_success(), "{operation}: {method} {path} {body}\n{}", answer.body);
                if operation != "start" {
                    let statuses = guide.split(&format!("id=\"{operation}\"")).nth(1).unwrap();
                    let statuses = statuses.split("</details>").next().unwrap();
                    let statuses = statuses.rsplit(">Answers ").next().unwrap();
                    assert!(statuses.contains(&answer.status.as_u16().to_string()), "{operation}: {}", answer.status);
                }
            });
        }
    }
}

both! {
    async fn the_document_and_its_page_are_served_by_us(app) {
        let served = app.get(As::Viewer, "/api/openapi.json").await.expect(200).json();
        assert_eq!(served, kontor::house::api().document());
        app.get(As::Viewer, "/api/v1/openapi.json").await.expect(200);
        let page = app.get(As::Viewer, "/api/docs/explorer/").await.expect(200);
        assert!(page.body.contains("swagger-ui") && !page.body.contains("https://"));
        for file in ["swagger-ui.css", "swagger-ui-bundle.js", "swagger-initializer.js"] {
            app.get(As::Viewer, &format!("/api/docs/explorer/{file}")).await.expect(200);
        }
        app.get(As::Viewer, "/api/docs/explorer/nothing.js").await.expect(404);
    }

    async fn the_guide_names_every_operation_and_every_refusal(app) {
        let guide = app.get(As::Viewer, "/api/docs/").await.expect(200);
        assert_eq!(guide.header("content-type"), "text/html; charset=utf-8");
        for item in kontor::house::api().document()["paths"].as_object().unwrap().values() {
            for operation in item.as_object().unwrap().values().filter_map(|operation| operation.get("operationId")) {
                assert!(guide.body.contains(&format!("id=\"{}\"", operation.as_str().unwrap())), "{operation}");
            }
        }
        // The type of a problem leads to its explanation.
        let refused = app.get(As::Viewer, "/api/customers/?nothing=1").await.expect(400).json();
        let (page, anchor) = refused["type"].as_str().unwrap().split_once('#').unwrap();
        assert!(page == "/api/docs/" && guide.body.contains(&format!("id=\"{anchor}\"")));
        for code in kontor::base::error::Code::ALL {
            assert!(guide.body.contains(&format!("<dt id=\"{}\">", code.name())), "{code:?}");
        }
        assert!(guide.body.contains("&#x27;http://kontor.example/api/customers/") || guide.body.contains("'http://kontor.example/api/customers/"));
    }

    async fn answers_have_the_described_shape(app) {
        let document = kontor::house::api().document();
        let properties = |schema: &str| {
            let names = document["components"]["schemas"][schema]["properties"].as_object().unwrap();
            names.keys().cloned().collect::<std::collections::BTreeSet<_>>()
        };
        let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<std::collections::BTreeSet<_>>();
        assert_eq!(keys(&app.customer("x").await), properties("Customer"));
        assert_eq!(keys(&app.product("x", "1").await), properties("Product"));
        assert_eq!(keys(&app.get(As::Viewer, "/api/customers").await.json()), properties("CustomerPage"));
        let order = app.order(&app.customer("y").await, json!([{ "sku": "x", "quantity": 2 }])).await;
        assert_eq!(keys(&order), properties("Order"));
        assert_eq!(keys(&order["items"][0]), properties("OrderItem"));
        let item = app.get(As::Viewer, &format!("/api/order-items/{}", order["items"][0]["id"])).await.expect(200).json();
        assert_eq!(keys(&item), properties("OrderItem"));
        let mut listed = properties("Order");
        listed.remove("items");
        assert_eq!(keys(&app.get(As::Viewer, "/api/orders").await.json()["results"][0]), listed);
        assert_eq!(keys(&app.get(As::Viewer, "/api/orders?expand=items").await.json()["results"][0]), properties("Order"));
        let problem = app.json(As::Staff, "POST", "/api/customers", json!({})).await.expect(400).json();
        assert!(keys(&problem).is_subset(&properties("Problem")));
    }
}
