//! The grammar of lists over REST: operators, relations, sparse answers, walks with a cursor, and exports.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::both;
use crate::support::{As, Kind, TestApp, block_on, run};

/// Three customers and three products with an order of each.
async fn company(app: &TestApp) {
    for (sku, price, category, barcode) in [
        ("Abc-1", "5.00", "Tea", json!("400")),
        ("ABD-2", "10.00", "tea, loose", json!(null)),
        ("x_3", "15.00", "Coffee", json!("500")),
    ] {
        let body =
            json!({ "sku": sku, "name": sku, "price": price, "category": category, "barcode": barcode, "unit": "pcs" });
        app.json(As::Staff, "POST", "/api/products/", body).await.expect(201);
    }
    for (name, city, sku) in [("Zoë", "Wien", "Abc-1"), ("Émil", "Łódź", "ABD-2"), ("Bob", "Wien", "x_3")] {
        let body = json!({ "name": name, "billing_city": city });
        let customer = app.json(As::Staff, "POST", "/api/customers/", body).await.expect(201).json();
        app.order(&customer, json!([{ "sku": sku, "quantity": "2" }])).await;
    }
}

async fn ids(app: &TestApp, path: &str) -> Vec<i64> {
    let list = app.get(As::Viewer, path).await.expect(200).json();
    let mut ids: Vec<_> = list["results"].as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()).collect();
    ids.sort_unstable();
    ids
}

both! {
    async fn every_operator_compares_alike_on_both_databases(app) {
        company(app).await;
        for (query, found) in [
            ("price__gt=5", vec![2, 3]), ("price__gte=5.00", vec![1, 2, 3]), ("price__lt=10", vec![1]), ("price__lte=10.00", vec![1, 2]),
            ("price__in=5,15.00", vec![1, 3]), ("price__exact=10", vec![2]), ("id__in=1,3", vec![1, 3]), ("id__gt=1&id__lt=3", vec![2]),
            ("sku__in=abc-1,X_3", vec![1, 3]), ("sku__startswith=aB", vec![1, 2]), ("sku__contains=_", vec![3]), ("sku__contains=%25", vec![]),
            ("category__contains=ea", vec![1, 2]), ("category__contains=EA", vec![]), ("category__contains=tea", vec![2]),
            ("category__startswith=Tea", vec![1]), ("category__startswith=ea", vec![]), ("category__in=Tea,Coffee", vec![1, 3]),
            ("barcode__isnull=true", vec![2]), ("barcode__isnull=false", vec![1, 3]),
            ("created_at__gt=2020-01-01T00:00:00Z", vec![1, 2, 3]), ("created_at__lt=2020-01-01T00:00:00.5Z", vec![]),
            ("updated_at__lte=2999-12-31T23:59:59%2B02:00", vec![1, 2, 3]),
        ] {
            assert_eq!(ids(app, &format!("/api/products/?{query}")).await, found, "{query}");
        }
    }

    async fn a_filter_reaches_one_step_through_a_relation(app) {
        company(app).await;
        for (path, found) in [
            ("/api/orders/?customer__code=c-00002", vec![2]), ("/api/orders/?customer__billing_city=Wien", vec![1, 3]),
            ("/api/orders/?customer__name__contains=%C3%AB", vec![1]), ("/api/orders/?customer__name__in=Bob,Zo%C3%AB&total__gt=10", vec![3]),
            ("/api/order-items/?product__sku=x_3", vec![3]), ("/api/order-items/?order__status=draft&order__total__lte=10", vec![1]),
            ("/api/order-items/?order__product=2", vec![2]), ("/api/order-items/?product__price__gte=10", vec![2, 3]),
        ] {
            assert_eq!(ids(app, path).await, found, "{path}");
        }
    }

    async fn nobody_filters_by_records_they_may_not_see(app) {
        company(app).await;
        let narrow = app.bearer(&["orders.view"]).await;
        let request = async |path: &str| app.call(As::Anonymous, "GET", path, &[("authorization", narrow.as_str())], "").await;
        request("/api/orders/?status=draft").await.expect(200);
        for suffix in ["", "&cursor=", "&format=csv"] {
            let refused = request(&format!("/api/orders/?customer__code=C-00001{suffix}")).await.expect(403);
            assert!(refused.body.contains("customers.view"), "{}", refused.body);
        }
    }

    async fn a_parameter_that_makes_no_sense_is_named_with_what_would(app) {
        company(app).await;
        for (query, field, said) in [
            ("price__bigger=1", "price__bigger", "price takes exact, in, gt, gte, lt, lte"),
            ("is_active__in=true", "is_active__in", "is_active takes exact."),
            ("prise__gte=1", "prise__gte", "Did you mean price__gte?"),
            ("price__in=1,x", "price__in", "Enter a number"), ("price__in=1,,2", "price__in", "A value is missing"),
            ("barcode__isnull=maybe", "barcode__isnull", "true or false"), ("name__isnull=true", "name__isnull", "no such operator"),
            ("price=1&price__exact=1", "price", "more than once"), ("created_at__gte=yesterday", "created_at__gte", "Enter a moment"),
            ("created_at__gte=2026-02-30T00:00:00Z", "created_at__gte", "Enter a moment"),
            ("fields=id,nmae", "fields", "Did you mean name?"), ("format=xml", "format", "csv"), ("expand=items", "expand", "nothing to expand"),
            ("cursor=12", "cursor", "next"), ("cursor=c1--3", "cursor", "next"), ("cursor=&page=2", "page", "either"),
            ("cursor=&ordering=name", "ordering", "id"),
        ] {
            let refused = app.get(As::Viewer, &format!("/api/products/?{query}")).await.expect(400);
            assert!(refused.at(field).contains(said), "{query}: {}", refused.body);
        }
        let refused = app.get(As::Viewer, "/api/orders/?customer__cod=x").await.expect(400);
        assert!(refused.at("customer__cod").contains("customer__code?"), "{}", refused.body);
        let refused = app.get(As::Viewer, "/api/orders/?product__sku=x").await.expect(400);
        assert!(refused.at("product__sku").contains("product takes exact."), "{}", refused.body);
    }

    async fn a_sparse_answer_says_what_was_asked_for(app) {
        company(app).await;
        let list = app.get(As::Viewer, "/api/orders/?fields=id,total&ordering=id").await.expect(200).json();
        assert_eq!(list["results"][0], json!({ "id": 1, "total": "10.00" }));
        let list = app.get(As::Viewer, "/api/orders/?fields=items&expand=items").await.expect(200).json();
        assert_eq!(list["results"][0]["items"].as_array().unwrap().len(), 1);
        assert_eq!(list["results"][0].as_object().unwrap().len(), 1);
    }

    async fn pages_and_walks_are_linked_in_the_header(app) {
        company(app).await;
        let page = app.get(As::Viewer, "/api/products/?page_size=1&page=2").await.expect(200);
        assert_eq!(
            page.header("link"),
            "<http://kontor.example/api/products/?page_size=1&page=3>; rel=\"next\", <http://kontor.example/api/products/?page_size=1>; rel=\"prev\""
        );
        let walk = app.get(As::Viewer, "/api/products/?page_size=2&cursor=").await.expect(200);
        assert_eq!(walk.header("link"), "<http://kontor.example/api/products/?page_size=2&cursor=c1-2>; rel=\"next\"");
        assert_eq!(walk.json()["next"], "http://kontor.example/api/products/?page_size=2&cursor=c1-2");
        assert!(walk.json().get("count").is_none());
        let last = app.get(As::Viewer, "/api/products/?page_size=2&cursor=c1-2").await.expect(200);
        assert_eq!((last.header("link"), last.json()["next"].clone()), ("", Value::Null));
        assert_eq!(ids(app, "/api/products/?cursor=&ordering=-id&page_size=2").await, [2, 3]);
        assert_eq!(ids(app, "/api/products/?cursor=c1-2&ordering=-id&page_size=2").await, [1]);
    }

    async fn a_walk_meets_every_row_once_while_sixteen_writers_write(app) {
        for number in 0..120 {
            app.product(&format!("P-{number}"), "1.00").await;
        }
        let there: BTreeSet<i64> = (1..=120).collect();
        let writer = async |writer: i64| {
            for round in 0..6 {
                app.product(&format!("N-{writer}-{round}"), "2.00").await;
                let id = 1 + (writer * 7 + round * 17) % 120;
                app.json(As::Staff, "PATCH", &format!("/api/products/{id}/"), json!({ "name": format!("{writer} {round}") })).await.expect(200);
            }
        };
        let walker = async |ordering: &str| {
            let (mut seen, mut path) = (Vec::new(), format!("/api/products/?cursor=&page_size=7&ordering={ordering}"));
            loop {
                let list = app.get(As::Viewer, &path).await.expect(200).json();
                seen.extend(list["results"].as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()));
                match list["next"].as_str() {
                    Some(next) => path = next.trim_start_matches("http://kontor.example").to_owned(),
                    None => break seen,
                }
            }
        };
        let writers = futures::future::join_all((0..16).map(writer));
        let (up, down, _) = futures::join!(walker("id"), walker("-id"), writers);
        for seen in [up, down] {
            let once: BTreeSet<i64> = seen.iter().copied().collect();
            assert_eq!(once.len(), seen.len(), "a row was met twice");
            assert!(once.is_superset(&there), "missed {:?}", there.difference(&once));
        }
    }

    async fn a_list_is_exported_whole_as_csv_and_ndjson(app) {
        company(app).await;
        let body = json!({ "name": "=HYPERLINK(\"x\")", "email": null, "phone": "+49 1", "billing_city": "a, \"b\"" });
        app.json(As::Staff, "POST", "/api/customers/", body).await.expect(201);
        let csv = app.get(As::Viewer, "/api/customers/?format=csv&fields=id,name,phone,billing_city,is_active&ordering=-id&page_size=1").await.expect(200);
        assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8; header=present");
        assert_eq!(csv.header("content-disposition"), "attachment; filename=\"customers.csv\"");
        assert_eq!(
            csv.body,
            "id,name,phone,billing_city,is_active\r\n4,\"'=HYPERLINK(\"\"x\"\")\",'+49 1,\"a, \"\"b\"\"\",true\r\n3,Bob,,Wien,true\r\n\
             2,Émil,,Łódź,true\r\n1,Zoë,,Wien,true\r\n"
        );
        let lines = app.call(As::Viewer, "GET", "/api/orders/?expand=items&total__gte=20", &[("accept", "application/x-ndjson")], "").await.expect(200);
        let rows: Vec<Value> = lines.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(rows.len(), 2);
        assert!(rows.iter().all(|row| row["items"].as_array().unwrap().len() == 1));
        let header = app.call(As::Viewer, "GET", "/api/orders/", &[("accept", "text/csv")], "").await.expect(200);
        assert!(header.body.starts_with("id,version,customer,order_date,"), "{}", header.body);
        assert!(!header.body.lines().next().unwrap().contains("items"));
        app.get(As::Viewer, "/api/customers/?format=csv&nmae=x").await.expect(400);
        app.call(As::Anonymous, "GET", "/api/customers/?format=csv", &[], "").await.expect(401);
    }

    async fn an_export_of_many_rows_costs_statements_by_the_chunk(app) {
        for batch in 0..6 {
            let values: Vec<_> = (0..100).map(|n| format!("('N{batch}-{n}', 'n{batch}-{n}', 'Name', 'name', 'pcs', 10000, 0, TRUE, 1, 'x', '2026-01-01 00:00:00+00:00', '2026-01-01 00:00:00+00:00')")).collect();
            app.execute(&format!("INSERT INTO products (sku, sku_key, name, name_key, unit, price, tax_rate, is_active, version, search_text, created_at, updated_at) VALUES {}", values.join(","))).await;
        }
        let before = app.state.database.statements();
        let csv = app.by_session(As::Viewer, "/api/products/?format=csv").await.expect(200);
        assert_eq!(csv.body.lines().count(), 601);
        assert_eq!(app.state.database.statements() - before, 1 + 1 + 6, "who is asking, the ids, six chunks");
    }

    async fn what_a_list_shows_is_what_its_description_says(app) {
        company(app).await;
        let document = app.get(As::Viewer, "/api/openapi.json").await.json();
        for (path, schema) in [("customers", "Customer"), ("products", "Product"), ("orders", "Order"), ("order-items", "OrderItem")] {
            let described: BTreeSet<_> = document["components"]["schemas"][schema]["properties"].as_object().unwrap().keys().cloned().collect();
            let list = app.get(As::Viewer, &format!("/api/{path}/?fields={}&format=ndjson{}", described.iter().cloned().collect::<Vec<_>>().join(","), if path == "orders" { "&expand=items" } else { "" })).await.expect(200);
            let row: Value = serde_json::from_str(list.body.lines().next().unwrap()).unwrap();
            assert_eq!(row.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>(), described, "{path}");
        }
    }
}

/// Whatever the order, filter and size of its pages, a walk meets the rows that a list counts.
#[test]
fn a_walk_meets_the_rows_that_a_list_counts() {
    run(Kind::Sqlite, &[], async |app| {
        company(app).await;
        for number in 0..40 {
            app.product(&format!("W-{number}"), &format!("{}.00", number % 7)).await;
        }
        proptest!(ProptestConfig::with_cases(24), |(size in 1..30_u32, price in 0..8_u32, down in any::<bool>())| {
            let (listed, met) = std::thread::scope(|scope| {
                scope.spawn(|| block_on(counted_and_met(app, size, price, down))).join().unwrap()
            });
            prop_assert_eq!(listed, met);
        });
    });
}

async fn counted_and_met(app: &TestApp, size: u32, price: u32, down: bool) -> (usize, usize) {
    let filter = format!("price__gte={price}");
    let list = app.get(As::Viewer, &format!("/api/products/?{filter}&page_size=200")).await.expect(200).json();
    let sign = if down { "-" } else { "" };
    let (mut met, mut path) =
        (BTreeSet::new(), format!("/api/products/?{filter}&cursor=&page_size={size}&ordering={sign}id"));
    loop {
        let part = app.get(As::Viewer, &path).await.expect(200).json();
        for row in part["results"].as_array().unwrap() {
            assert!(met.insert(row["id"].as_i64().unwrap()), "a row was met twice");
        }
        match part["next"].as_str() {
            Some(next) => path = next.trim_start_matches("http://kontor.example").to_owned(),
            None => break,
        }
    }
    (usize::try_from(list["count"].as_u64().unwrap()).unwrap(), met.len())
}
