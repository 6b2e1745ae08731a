//! The list of orders over REST: tabs, filters, search, order and what rows carry along.

use serde_json::{Value, json};

use crate::both;
use crate::support::{As, TestApp};

/// Four orders: a draft of 10.00, one placed of 20.00, one shipped of 30.00, and a cancelled draft of 40.00.
async fn orders(app: &TestApp) -> [Value; 4] {
    app.product("A", "10").await;
    app.product("B", "10").await;
    let (zoe, emil) = (app.customer("Zoë & Co").await, app.customer("Émil").await);
    let mut made = Vec::new();
    for (quantity, customer, sku, date, required, reference) in [
        (1, &zoe, "A", "2026-01-10", json!("2026-02-01"), json!("PO-7 100 %")),
        (2, &zoe, "B", "2026-01-20", json!(null), json!("Müller")),
        (3, &emil, "A", "2026-02-10", json!("2026-01-31"), json!(null)),
        (4, &emil, "B", "2026-02-20", json!(null), json!(null)),
    ] {
        let body = json!({ "customer": customer["id"], "order_date": date, "required_date": required, "customer_reference": reference,
                           "items": [{ "sku": sku, "quantity": quantity }] });
        made.push(app.json(As::Staff, "POST", "/api/orders/", body).await.expect(201).json());
    }
    for (index, command) in [(1, "place"), (2, "place"), (2, "ship"), (3, "cancel")] {
        app.act(As::Staff, &made[index], command, json!({ "reason": "x" })).await.expect(200);
    }
    made.try_into().unwrap()
}

/// The totals of the rows that a query finds, in their order, without the cents.
async fn found(app: &TestApp, query: &str) -> Vec<String> {
    let list = app.get(As::Viewer, &format!("/api/orders/?{query}")).await.expect(200).json();
    let rows = list["results"].as_array().unwrap();
    assert_eq!(list["count"], rows.len(), "{query}");
    rows.iter().map(|row| row["total"].as_str().unwrap().trim_end_matches(".00").to_owned()).collect()
}

both! {
    async fn orders_are_filtered_in_their_own_terms(app) {
        let made = orders(app).await;
        let (zoe, a) = (made[0]["customer"].clone(), made[0]["items"][0]["product"].clone());
        let year = made[0]["created_at"].as_str().unwrap()[..4].to_owned();
        for (query, totals) in [
            (String::new(), vec!["40", "30", "20", "10"]),
            ("status=draft".into(), vec!["10"]),
            ("status=placed".into(), vec!["20"]),
            ("status=shipped".into(), vec!["30"]),
            ("status=cancelled".into(), vec!["40"]),
            (format!("customer={zoe}"), vec!["20", "10"]),
            ("customer=999999".into(), vec![]),
            (format!("product={a}"), vec!["30", "10"]),
            ("product=999999".into(), vec![]),
            (format!("customer={zoe}&product={a}&status=draft"), vec!["10"]),
            ("order_date__gte=2026-01-20".into(), vec!["40", "30", "20"]),
            ("order_date__lte=2026-01-20".into(), vec!["20", "10"]),
            ("order_date__gte=2026-01-20&order_date__lte=2026-02-10".into(), vec!["30", "20"]),
            ("order_date=2026-02-10".into(), vec!["30"]),
            ("required_date__lte=2026-01-31".into(), vec!["30"]),
            ("total__gte=20".into(), vec!["40", "30", "20"]),
            ("total__lte=20.00".into(), vec!["20", "10"]),
            ("total__gte=10.01&total__lte=39.99".into(), vec!["30", "20"]),
            ("total=30".into(), vec!["30"]),
            (format!("number=so-{year}-00002"), vec!["30"]),
            ("customer_reference=M%C3%BCller".into(), vec!["20"]),
        ] {
            assert_eq!(found(app, &query).await, totals, "{query}");
        }
    }

    async fn a_search_finds_number_customer_and_reference(app) {
        let made = orders(app).await;
        let year = made[0]["created_at"].as_str().unwrap()[..4].to_owned();
        for (search, totals) in [
            (format!("so-{year}-00001"), vec!["20"]),
            (format!("{year}-0000"), vec!["30", "20"]),
            ("zoe".into(), vec!["20", "10"]),
            ("EMIL".into(), vec!["40", "30"]),
            ("c-00001".into(), vec!["20", "10"]),
            ("po-7".into(), vec!["10"]),
            ("muller+zoe".into(), vec!["20"]),
            ("muller+emil".into(), vec![]),
            ("%25".into(), vec!["10"]),
            ("%22100+%25%22".into(), vec!["10"]),
            ("%22zoe+%26+co%22".into(), vec!["20", "10"]),
            ("'".into(), vec![]),
        ] {
            assert_eq!(found(app, &format!("search={search}")).await, totals, "{search}");
        }
    }

    async fn orders_are_ordered_alike_on_both_databases(app) {
        orders(app).await;
        for (ordering, totals) in [
            ("order_date", ["10", "20", "30", "40"]),
            ("-order_date", ["40", "30", "20", "10"]),
            ("total", ["10", "20", "30", "40"]),
            ("-total", ["40", "30", "20", "10"]),
            ("customer_name,-total", ["40", "30", "20", "10"]),
            ("-customer_name,total", ["10", "20", "30", "40"]),
            ("number", ["20", "30", "10", "40"]),
            ("-number", ["40", "10", "30", "20"]),
            ("required_date", ["30", "10", "20", "40"]),
            ("-required_date", ["40", "20", "10", "30"]),
            ("-id", ["40", "30", "20", "10"]),
            ("created_at", ["10", "20", "30", "40"]),
            ("updated_at", ["10", "20", "30", "40"]),
        ] {
            assert_eq!(found(app, &format!("ordering={ordering}")).await, totals, "{ordering}");
        }
    }

    async fn rows_carry_their_lines_on_request(app) {
        let made = orders(app).await;
        let plain = app.get(As::Viewer, "/api/orders/?ordering=id").await.expect(200).json();
        assert!(plain["results"].as_array().unwrap().iter().all(|row| row.get("items").is_none()));
        let list = app.get(As::Viewer, "/api/orders/?ordering=id&expand=items&page_size=3").await.expect(200).json();
        let rows = list["results"].as_array().unwrap();
        assert_eq!((rows.len(), rows[0]["items"].clone()), (3, made[0]["items"].clone()));
        for row in rows {
            assert_eq!(*row, app.get(As::Viewer, &format!("/api/orders/{}", row["id"])).await.json(), "a row is the order");
        }
        let next = list["next"].as_str().unwrap();
        assert!(next.contains("expand=items"), "{next}");
        let last = app.get(As::Viewer, next.trim_start_matches("http://kontor.example")).await.expect(200).json();
        assert_eq!(last["results"][0]["items"][0]["quantity"], "4");
    }

    async fn what_the_list_of_orders_does_not_know_is_named(app) {
        for (query, field, said) in [
            ("status=lost", "status", "Choose one of draft, placed, shipped, cancelled."),
            ("statsu=draft", "statsu", "Did you mean status?"),
            ("total__gtee=1", "total__gtee", "Did you mean total__gte?"), ("total__contains=1", "total__contains", "total takes exact"),
            ("customer__cod=x", "customer__cod", "Did you mean customer__code?"), ("custmer__code=x", "custmer__code", "Did you mean customer__code?"),
            ("customer__code__contians=x", "customer__code__contians", "customer__code takes exact, in, contains, startswith, isnull. Did you mean customer__code__contains?"),
            ("customer__naem__in=x", "customer__naem__in", "Did you mean customer__name__in?"), ("number__in=A,%20", "number__in", "A value is missing."),
            ("expand=lines", "expand", "This list can expand items."),
            ("order_date__gte=yesterday", "order_date__gte", "Enter a day"),
            ("order_date=2026-02-30", "order_date", "Enter a day"),
            ("total__gte=1e2", "total__gte", "Enter a number"),
            ("total__above=1", "total__above", "total takes exact, in, gt, gte, lt, lte"),
            ("status__gte=draft", "status__gte", "status takes exact, in"),
            ("product__gte=1", "product__gte", "product takes exact."),
            ("customer=Emil", "customer", "whole number"),
            ("ordering=status", "ordering", "Order by one of"),
            ("ordering=totl", "ordering", "Did you mean total?"),
            ("total=1&total=2", "total", "more than once"),
        ] {
            let refused = app.get(As::Viewer, &format!("/api/orders/?{query}")).await.expect(400);
            assert!(refused.at(field).contains(said), "{query}: {}", refused.body);
        }
        app.get(As::Viewer, "/api/orders/?page=2").await.expect(404);
        app.customer("null").await;
        let blank = app.get(As::Viewer, "/api/customers/?name=%20&code=&email__in=+").await.expect(200).json();
        assert_eq!(blank["count"], app.rows("customers").await, "a blank is as good as none");
    }

    async fn the_page_behind_the_list_counts_tabs_and_sums(app) {
        orders(app).await;
        let list = async |query: &str| {
            let encoded: String = form_urlencoded::byte_serialize(query.as_bytes()).collect();
            let mut request = axum::http::Request::get(format!("/-/orders/list?query={encoded}")).header("accept", "application/json");
            request = request.header("cookie", app.cookie(As::Staff).unwrap());
            app.send(request.body(axum::body::Body::empty()).unwrap()).await.expect(200).json()
        };
        let all = json!({ "": 4, "draft": 1, "placed": 1, "shipped": 1, "cancelled": 1 });
        let page = list("").await;
        assert_eq!((&page["count"], &page["tabs"], &page["sum"]), (&json!(4), &all, &json!("100.00")));
        let page = list("status=placed").await;
        assert_eq!((&page["count"], &page["tabs"], &page["sum"]), (&json!(1), &all, &json!("20.00")), "a tab does not hide the others");
        let page = list("total__gte=20&page_size=1").await;
        assert_eq!((&page["count"], &page["sum"], &page["tabs"][""]), (&json!(3), &json!("90.00"), &json!(3)));
        let page = list("search=nothing").await;
        assert_eq!((&page["count"], &page["sum"]), (&json!(0), &json!("0.00")));
    }

    async fn a_page_of_orders_costs_the_same_statements_however_many_rows_and_lines(app) {
        let customer = app.customer("Somebody").await;
        for number in 0..12 {
            app.product(&format!("P{number}"), "1").await;
        }
        let costs = async || {
            let mut costs = Vec::new();
            for path in ["/api/orders/?page_size=200", "/api/orders/?page_size=200&expand=items", "/api/order-items/?page_size=200"] {
                let before = app.state.database.statements();
                app.by_session(As::Staff, path).await.expect(200);
                costs.push(app.state.database.statements() - before);
            }
            costs
        };
        let order = async |lines: usize| {
            let lines: Vec<_> = (0..lines).map(|n| json!({ "sku": format!("P{n}"), "quantity": 1 })).collect();
            app.order(&customer, json!(lines)).await;
        };
        order(1).await;
        // The template's tokens are used once here, so that noting their use is over.
        while app.rows("api_tokens WHERE last_used_at IS NULL AND name = 'staff''s token'").await > 0 {
            tokio::task::yield_now().await;
        }
        let few = costs().await;
        for _ in 0..40 {
            order(12).await;
        }
        assert_eq!(costs().await, few);
        assert_eq!(few, [2, 3, 4], "who is asking, the rows with their number, what they carry along; of lines a count");
    }
}
