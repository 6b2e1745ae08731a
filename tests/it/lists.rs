//! Lists: search, filters, order and pages, over REST and on the page, at a constant number of statements.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::both;
use crate::support::{As, Kind, TestApp, block_on, run};

fn names(list: &Value) -> Vec<&str> {
    list["results"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect()
}

async fn people(app: &TestApp) {
    for (name, city, active) in
        [("zebra", "Bergen", true), ("Ärger", "Wien", false), ("Apple", "Wien", true), ("100 %_x", "Łódź", true)]
    {
        let body = json!({ "name": name, "billing_city": city, "is_active": active });
        app.json(As::Staff, "POST", "/api/customers", body).await.expect(201);
    }
}

both! {
    async fn a_list_counts_pages_and_orders_alike_on_both_databases(app) {
        people(app).await;
        let list = app.get(As::Viewer, "/api/customers/?page_size=3").await.expect(200).json();
        assert_eq!(list["count"], 4);
        assert_eq!(names(&list), ["100 %_x", "Apple", "Ärger"], "case and accents do not count");
        assert_eq!(list["next"], "http://kontor.example/api/customers/?page_size=3&page=2");
        assert_eq!(list["previous"], Value::Null);
        let list = app.get(As::Viewer, "/api/customers/?page=2&page_size=3").await.json();
        assert_eq!(names(&list), ["zebra"]);
        assert_eq!(list["next"], Value::Null);
        assert_eq!(list["previous"], "http://kontor.example/api/customers/?page_size=3");
        let list = app.get(As::Viewer, "/api/customers/?ordering=-name").await.json();
        assert_eq!(names(&list), ["zebra", "Ärger", "Apple", "100 %_x"]);
    }

    async fn every_word_must_match_and_wildcards_are_words(app) {
        people(app).await;
        for (search, found) in [
            ("WIEN", vec!["Apple", "Ärger"]), ("wien+arger", vec!["Ärger"]), ("wien+zebra", vec![]), ("%25", vec!["100 %_x"]),
            ("_", vec!["100 %_x"]), ("%22100+%25%22", vec!["100 %_x"]), ("lodz", vec![]), ("c-00001", vec!["zebra"]), ("'", vec![]),
        ] {
            let list = app.get(As::Viewer, &format!("/api/customers/?search={search}")).await.expect(200).json();
            assert_eq!(names(&list), found, "{search}");
        }
    }

    async fn filters_compare_in_the_fields_own_terms(app) {
        people(app).await;
        app.product("Abc-1", "9.9000").await;
        let count = async |path: &str| app.get(As::Viewer, path).await.expect(200).json()["count"].as_i64().unwrap();
        assert_eq!(count("/api/customers/?is_active=false").await, 1);
        assert_eq!(count("/api/customers/?billing_city=Wien&is_active=true").await, 1);
        assert_eq!(count("/api/customers/?code=c-00002").await, 1);
        assert_eq!(count("/api/products/?price=9.9").await, 1);
        assert_eq!(count("/api/products/?sku=ABC-1").await, 1);
        assert_eq!(count("/api/products/?category=none").await, 0);
    }

    async fn what_a_list_does_not_know_is_named(app) {
        people(app).await;
        for (query, field, said) in [
            ("serach=x", "serach", "Did you mean search?"),
            ("ordering=nmae", "ordering", "Did you mean name?"),
            ("page=0", "page", "whole number"),
            ("page=two", "page", "whole number"),
            ("page_size=1000", "page_size", "200"),
            ("is_active=perhaps", "is_active", "true or false"),
            ("search=%00", "search", "control"),
            ("payment_terms_days=many", "payment_terms_days", "whole number"),
        ] {
            let refused = app.get(As::Viewer, &format!("/api/customers/?{query}")).await.expect(400);
            assert!(refused.at(field).contains(said), "{query}: {}", refused.body);
            app.page(As::Viewer, &format!("/customers?{query}")).await.expect(400);
        }
        app.get(As::Viewer, "/api/customers/?search=%ff").await.expect(400);
        app.get(As::Viewer, "/api/customers/?page=9").await.expect(404);
        app.get(As::Viewer, "/api/customers/?page=4294967295&page_size=200").await.expect(404);
        app.page(As::Viewer, "/customers?page=9").await.expect(404);
    }

    async fn a_page_and_a_detail_cost_the_same_statements_however_many_rows(app) {
        // By session, as the use of a token is noted beside the request and would be counted too.
        let headers =
            [("cookie", app.cookie(As::Staff).unwrap()), ("content-type", "application/json"), ("sec-fetch-site", "same-origin")];
        let cost = async |path: &str, page: bool| {
            let before = app.state.database.statements();
            if page {
                app.page(As::Staff, path).await.expect(200);
            } else {
                app.call(As::Anonymous, "GET", path, &headers, "").await.expect(200);
            }
            app.state.database.statements() - before
        };
        let add = async |name: String| {
            let body = json!({ "name": name }).to_string();
            app.call(As::Anonymous, "POST", "/api/customers", &headers, body).await.expect(201).json()["id"].to_string()
        };
        let costs = async |id: &str| {
            let (detail, record) = (format!("/api/customers/{id}"), format!("/customers/{id}"));
            [
                cost("/api/customers?page_size=200", false).await,
                cost(&detail, false).await,
                cost("/customers?page_size=200", true).await,
                cost(&record, true).await,
            ]
        };
        let id = add("First".into()).await;
        let few = costs(&id).await;
        for number in 0..60 {
            add(format!("Customer {number}")).await;
        }
        // Who is asking, and the rows with their number. The page of a customer also lists their orders.
        assert_eq!(few, [2, 2, 2, 4]);
        assert_eq!(costs(&id).await, few);
    }

    async fn the_list_page_says_what_the_api_says(app) {
        people(app).await;
        let page = app.page(As::Viewer, "/customers?search=wien&ordering=-name").await.expect(200).body;
        let (first, second) = (page.find("Ärger").unwrap(), page.find("Apple").unwrap());
        assert!(first < second && !page.contains("zebra"));
        assert!(page.contains("1–2 of 2") && page.contains("aria-sort=\"descending\""));
        assert!(app.page(As::Viewer, "/customers?search=nobody").await.expect(200).body.contains("No customers match."));
        assert!(app.page(As::Viewer, "/products").await.expect(200).body.contains("No products yet."));
    }
}

#[test]
fn walking_the_pages_meets_every_row_once() {
    run(Kind::Sqlite, &[], async |app| {
        for number in 0..40 {
            let body = json!({ "name": format!("Name {}", number % 5), "code": format!("K{number}") });
            app.json(As::Staff, "POST", "/api/customers", body).await.expect(201);
        }
        let orders = ["name", "-name", "code", "-created_at,name", "email,-code", "-id", ""];
        // The walk itself is asynchronous, so each case gets a thread with a runtime of its own.
        proptest!(ProptestConfig::with_cases(24), |(size in 1..=50u32, order in 0..orders.len())| {
            let (router, order) = (app, orders[order]);
            let seen = std::thread::scope(|scope| scope.spawn(|| block_on(walk(router, size, order))).join().unwrap());
            prop_assert_eq!(seen.len(), 40);
            prop_assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 40);
        });
    });
}

async fn walk(app: &TestApp, size: u32, order: &str) -> Vec<i64> {
    let mut seen = Vec::new();
    let mut next = Some(format!("/api/customers/?page_size={size}&ordering={order}"));
    while let Some(path) = next {
        let list = app.get(As::Viewer, path.trim_start_matches("http://kontor.example")).await.expect(200).json();
        seen.extend(list["results"].as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()));
        next = list["next"].as_str().map(str::to_owned);
    }
    seen
}
