//! Many records: what is asked answers from indexes, searches find the same whichever way they look, numbers of whole tables stay
//! true, and what is too much to be counted is said to be.

use std::collections::{BTreeMap, BTreeSet};

use kontor::base::fold;
use kontor::demo::company;
use kontor::server::record::tally;
use proptest::strategy::{Strategy, ValueTree};
use sea_orm::{ConnectionTrait, DbBackend, Statement, TransactionTrait};
use serde_json::{Value, json};

use crate::both;
use crate::support::{As, Kind, TestApp, run};

/// The tables that grow without end.
const LARGE: [&str; 5] = ["orders", "order_items", "customers", "products", "events"];

/// What people and scripts ask for, day by day.
const ASKED: [&str; 52] = [
    "/orders",
    "/orders?page=40",
    "/orders?status=placed",
    "/orders?status=draft&ordering=customer_name",
    "/orders?ordering=-total",
    "/orders?ordering=customer_name",
    "/orders?ordering=required_date",
    "/orders?ordering=-number",
    "/orders?search=gmbh",
    "/orders?search=so-2025-0001&status=shipped",
    "/orders?order_date__gte=2025-01-01&order_date__lt=2025-02-01",
    "/orders?total__gte=5000.00&status=shipped",
    "/orders?customer=7",
    "/orders?product=7",
    "/orders/40",
    "/orders/40?status=shipped&at=40",
    "/customers",
    "/customers?search=an&is_active=true",
    "/customers?billing_country=FR",
    "/customers/7",
    "/products?category=Dairy&ordering=-price",
    "/products?search=coffee",
    "/products/7",
    "/customers?is_active=true",
    "/products?is_active=false",
    "/api/customers/?name=Bob",
    "/api/products/?barcode=4001234567890",
    "/api/orders/?number__contains=2025-0001",
    "/admin",
    "/admin/log?resource=orders",
    "/admin/orders",
    "/admin/orders?status=shipped&order_date__gte=2025-01-01&order_date__lt=2026-01-01",
    "/admin/customers",
    "/search?q=anna",
    "/api/orders/?ordering=-created_at",
    "/api/orders/?status=shipped&expand=items",
    "/api/orders/?cursor=c1-1000",
    "/api/orders/?cursor=c1-100&status=draft",
    "/api/orders/?customer__code=C-00007",
    "/api/orders/?customer_reference__startswith=PO+1",
    "/api/orders/?shipping_country=FR",
    "/api/orders/?placed_at__gte=2026-11-01T00:00:00Z",
    "/api/orders/?updated_at__gte=2096-01-01T00:00:00Z",
    "/api/order-items/?order=40",
    "/api/order-items/?product=7",
    "/api/order-items/?cursor=c1-1000",
    "/api/order-items/?order__status=shipped",
    "/api/order-items/?cursor=&order__status=shipped",
    "/api/customers/?email=somebody%40kontor.example",
    "/api/customers/?ordering=-updated_at",
    "/api/products/?sku=BEV-001",
    "/api/products/?ordering=category",
];

/// What the database would do for a statement, step by step.
async fn plan(app: &TestApp, statement: &Statement) -> Vec<String> {
    let reader = app.state.database.reader();
    let (explain, column) = match statement.db_backend {
        DbBackend::Sqlite => ("EXPLAIN QUERY PLAN ", 3),
        _ => ("EXPLAIN (COSTS OFF) ", 0),
    };
    let explained = Statement { sql: format!("{explain}{}", statement.sql), ..statement.clone() };
    let transaction = reader.pool().begin().await.unwrap();
    if statement.db_backend == DbBackend::Postgres {
        // The tables of a test are small enough to be read whole; what remains of that now, no index could spare.
        transaction.execute_unprepared("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off").await.unwrap();
    }
    let rows = transaction.query_all_raw(explained).await.unwrap();
    rows.iter().map(|row| row.try_get_by_index(column).unwrap()).collect()
}

/// What is wrong with the plan of a statement: a large table is read from end to end, or put in order as a whole.
async fn wrong(app: &TestApp, statement: &Statement) -> Option<String> {
    let sql = &statement.sql;
    let reads = LARGE.iter().any(|table| sql.contains(&format!("\"{table}\"")) || sql.contains(&format!("{table} ")));
    // The first rows of a list that nothing narrows are a bounded number.
    if !reads || !sql.trim_start().starts_with("SELECT") || sql.contains("WHERE TRUE LIMIT") {
        return None;
    }
    let steps = plan(app, statement).await;
    // Few rows are gathered, and put in order by values that no index has.
    let gathered = sql.contains("ORDER BY COALESCE") || sql.contains("GROUP BY");
    let bad = |step: &&String| match statement.db_backend {
        DbBackend::Sqlite => {
            let scans = LARGE.iter().any(|table| {
                step.starts_with(&format!("SCAN {table}"))
                    && !step.contains("VIRTUAL TABLE INDEX 0:M")
                    && !(sql.contains("LIMIT") && sql.contains("ORDER BY"))
            });
            scans || (step.contains("USE TEMP B-TREE FOR ORDER BY") && !gathered)
        }
        _ => {
            let scans = LARGE.iter().any(|table| step.contains(&format!("Seq Scan on {table}")));
            scans || (step.trim_start().trim_start_matches("->").trim() == "Sort" && !gathered)
        }
    };
    let found = steps.iter().find(bad)?;
    Some(format!("{found}\n  of {}\n  {}", statement.sql, steps.join("\n  ")))
}

both! {
    async fn every_ordinary_request_answers_from_indexes(app) {
        let database = &app.state.database;
        company::load(database, 2_000, &|_| {}).await.unwrap();
        fill(app, 2_000).await;
        fill_customers(app, 2_000).await;
        database.analyze().await.unwrap();
        let mut faults = Vec::new();
        for path in ASKED {
            let (answer, statements) = database.noting(async {
                if path.starts_with("/api/") { app.get(As::Administrator, path).await } else { app.page(As::Administrator, path).await }
            }).await;
            answer.expect(200);
            assert!(!statements.is_empty(), "{path}");
            for statement in &statements {
                faults.extend(wrong(app, statement).await.map(|fault| format!("{path}: {fault}")));
            }
        }
        assert!(faults.is_empty(), "{} of {}\n{}", faults.len(), ASKED.len(), faults.join("\n\n"));
    }

    async fn what_is_too_much_to_be_counted_is_said_to_be(app) {
        fill(app, 10_060).await;
        let get = async |query: &str| app.get(As::Viewer, &format!("/api/products/?{query}")).await.expect(200).json();
        let all = get("").await;
        assert_eq!((&all["count"], &all["count_is_exact"]), (&json!(10_060), &Value::Null), "kept, not counted");
        let many = get("search=thing").await;
        assert_eq!((&many["count"], &many["count_is_exact"]), (&json!(10_000), &json!(false)));
        assert_eq!(get("search=thing&count=exact").await["count"], 10_060);
        assert_eq!(get("search=thing-10").await["count"], 172, "10, 100 to 109, 1000 to 1099, 10000 to 10060");
        let last = get("search=thing&page=403&ordering=-sku").await;
        assert_eq!(last["results"].as_array().unwrap().len(), 10);
        assert_eq!((&last["count"], &last["next"]), (&json!(10_060), &Value::Null), "at the end everybody knows");
        assert_eq!(last["results"][9]["sku"], "thing-1");
        assert!(get("search=thing&page=402").await["next"].is_string());
        app.get(As::Viewer, "/api/products/?search=thing&page=404").await.expect(404);
        let page = app.page(As::Viewer, "/products?search=thing").await.expect(200).body;
        assert!(page.contains("10,000+") && page.contains("count=exact"), "{page}");
        assert!(app.page(As::Viewer, "/products?search=thing&count=exact").await.body.contains("1–25 of 10,060"));
        app.get(As::Viewer, "/api/products/?count=nearly").await.expect(400);
        // A walk meets every row, however many fit.
        let (mut met, mut next) = (0, "/api/products/?search=thing&page_size=200&cursor=".to_owned());
        loop {
            let answer = app.get(As::Viewer, &next).await.expect(200).json();
            met += answer["results"].as_array().unwrap().len();
            match answer["next"].as_str() {
                Some(address) => next = address.trim_start_matches("http://kontor.example").to_owned(),
                None => break,
            }
        }
        assert_eq!(met, 10_060);
    }

    async fn what_begins_far_into_a_long_text_is_found_among_many(app) {
        // Nothing of it repeats, so that no index can make it shorter.
        let odd = |from: u32, letters: u32| -> String { (0..letters).filter_map(|at| char::from_u32(0x1F300 + from * 7 + at)).collect() };
        let long = json!({
            "code": odd(1, 40), "name": odd(3, 200), "billing_city": format!("{}zebra", odd(9, 90)), "notes": odd(5, 100),
        });
        app.json(As::Staff, "POST", "/api/customers/", long).await.expect(201);
        app.json(As::Staff, "POST", "/api/customers/", json!({ "code": "Z", "name": "Zebra Thing" })).await.expect(201);
        fill_customers(app, 1_500).await;
        app.execute("UPDATE customers SET search_text = search_text || '  zebra' WHERE id % 5 < 4 AND code LIKE 'thing-%'").await;
        tally::look(&app.state.database).await.unwrap();
        for (query, descending) in [("search=zebra", false), ("search=ze&ordering=-name", true), ("search=ebra+thing", false)] {
            let (mut met, mut page) = (Vec::new(), 1);
            loop {
                let answer = app.get(As::Viewer, &format!("/api/customers/?{query}&page={page}&page_size=100")).await.expect(200).json();
                let names = answer["results"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap().to_owned());
                met.extend(names);
                if answer["next"].is_null() {
                    break;
                }
                page += 1;
            }
            let long = usize::from(!query.contains("thing"));
            assert_eq!(met.len(), 1_200 + 1 + long, "{query}");
            let mut sorted = met.clone();
            sorted.sort_by_key(|name| fold::fold(name));
            if descending {
                sorted.reverse();
            }
            assert_eq!(met, sorted, "{query}");
        }
    }

    async fn a_search_meets_all_it_should_however_it_is_ordered(app) {
        fill_customers(app, 21_000).await;
        // The last 1,111 by name.
        app.execute("UPDATE customers SET search_text = search_text || '  zebra' WHERE name_key >= 'thing 9'").await;
        tally::look(&app.state.database).await.unwrap();
        for ordering in ["name", "-name", "name,code", "name,-code", "-name,code", "code", "name,email"] {
            let (mut met, mut page) = (BTreeSet::new(), 1);
            loop {
                let path = format!("/api/customers/?search=zebra&ordering={ordering}&page_size=200&page={page}");
                let answer = app.get(As::Viewer, &path).await.expect(200).json();
                met.extend(answer["results"].as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()));
                if answer["next"].is_null() {
                    break;
                }
                page += 1;
            }
            assert_eq!(met.len(), 1_111, "{ordering}");
        }
    }

    async fn a_search_that_found_many_is_not_counted_again_and_tells_the_truth_of_few(app) {
        fill(app, 10_060).await;
        let database = &app.state.database;
        let ask = async || {
            let (answer, statements) =
                database.noting(app.get(As::Viewer, "/api/products/?search=thing")).await;
            let counts = statements.iter().filter(|statement| statement.sql.contains("COUNT(")).count();
            (answer.expect(200).json(), counts)
        };
        let first = ask().await;
        assert_eq!((&first.0["count"], first.1), (&json!(10_000), 1));
        let again = ask().await;
        assert_eq!((&again.0, again.1), (&first.0, 0));
        // Past the app, as fast as nobody at a page is.
        app.execute("DELETE FROM products WHERE sku_key NOT IN ('thing-1', 'thing-2')").await;
        let (few, _) = ask().await;
        assert_eq!((&few["count"], &few["count_is_exact"]), (&json!(2), &Value::Null), "its end is on the page");
        assert_eq!(few["results"].as_array().unwrap().len(), 2);
        app.execute("DELETE FROM products").await;
        assert_eq!(ask().await.0["count"], 0);
    }

    async fn the_numbers_of_whole_tables_stay_true(app) {
        let customer = app.customer("Bob").await;
        app.product("A", "12.34").await;
        let one = app.order(&customer, json!([{ "sku": "A", "quantity": 3 }])).await;
        let two = app.order(&customer, json!([{ "sku": "A", "quantity": 1 }])).await;
        let path = |order: &Value, rest: &str| format!("/api/orders/{}/{rest}", order["id"]);
        app.json(As::Staff, "POST", &path(&one, "place/"), json!({})).await.expect(200);
        true_numbers(app).await;
        app.json(As::Staff, "PATCH", &path(&two, ""), json!({ "items": [{ "sku": "A", "quantity": 7 }] })).await.expect(200);
        true_numbers(app).await;
        // What is refused and what is only tried leave no trace.
        app.json(As::Staff, "PATCH", &path(&two, ""), json!({ "items": [{ "sku": "none", "quantity": 7 }] })).await.expect(400);
        app.json(As::Staff, "POST", &path(&two, "place/?dry_run=true"), json!({})).await;
        app.json(As::Staff, "DELETE", &path(&one, ""), json!({})).await.expect(409);
        true_numbers(app).await;
        app.json(As::Staff, "DELETE", &path(&two, ""), json!({})).await.expect(204);
        tally::compact(&app.state.database).await.unwrap();
        true_numbers(app).await;
        company::load(&app.state.database, 10, &|_| {}).await.unwrap_err();
        let writers = (0..8).map(|writer| {
            let customer = customer.clone();
            async move {
                for _ in 0..4 {
                    let order = app.order(&customer, json!([{ "sku": "A", "quantity": writer + 1 }])).await;
                    tally::compact(&app.state.database).await.unwrap();
                    if writer % 2 == 0 {
                        app.json(As::Staff, "DELETE", &path(&order, ""), json!({})).await.expect(204);
                    }
                }
            }
        });
        futures::future::join_all(writers).await;
        true_numbers(app).await;
        let list = app.get(As::Viewer, "/api/orders/").await.json();
        assert_eq!(list["count"], 17);
    }
}

/// Whether what is kept of the tables is what counting them says.
async fn true_numbers(app: &TestApp) {
    let reader = app.state.database.reader();
    let read = async |sql: &str| {
        let rows = reader.query_all_raw(Statement::from_string(reader.get_database_backend(), sql)).await.unwrap();
        let row = |row: sea_orm::QueryResult| {
            let [rows, amount] = [2, 3].map(|at| row.try_get_by_index::<Option<i64>>(at).unwrap().unwrap_or_default());
            let [resource, tab] = [0, 1].map(|at| row.try_get_by_index::<String>(at).unwrap());
            ((resource, tab), (rows, amount))
        };
        rows.into_iter().map(row).filter(|(_, (rows, _))| *rows != 0).collect::<BTreeMap<_, _>>()
    };
    let kept = "SELECT resource, tab, CAST(SUM(counted) AS BIGINT), CAST(SUM(above * 1000000 + below) AS BIGINT) FROM tallies \
                GROUP BY resource, tab";
    let counted = "SELECT 'orders', status, COUNT(*), CAST(SUM(total) AS BIGINT) FROM orders GROUP BY status \
                   UNION ALL SELECT 'customers', '', COUNT(*), CAST(0 AS BIGINT) FROM customers \
                   UNION ALL SELECT 'products', '', COUNT(*), CAST(0 AS BIGINT) FROM products";
    assert_eq!(read(kept).await, read(counted).await);
}

/// So many products `thing-1` and on, behind the back of every rule.
async fn fill(app: &TestApp, products: u32) {
    let sql = format!(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {products}) \
         INSERT INTO products (version, sku, sku_key, name, name_key, unit, price, tax_rate, is_active, search_text, created_at, \
         updated_at) SELECT 1, 'thing-' || i, 'thing-' || i, 'Thing ' || i, 'thing ' || i, 'pcs', 100, 0, TRUE, \
         '  thing  ' || i || '  thing-  ' || i, '2026-01-01T00:00:00+00:00', '2026-01-01T00:00:00+00:00' FROM n"
    );
    let transaction = app.state.database.write().await.unwrap();
    transaction.execute_unprepared(&sql).await.unwrap();
    transaction.commit().await.unwrap();
}

/// So many customers `thing-1` and on, likewise: in a small table it is no fault to read all of it.
async fn fill_customers(app: &TestApp, customers: u32) {
    let sql = format!(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {customers}) \
         INSERT INTO customers (version, code, code_key, name, name_key, payment_terms_days, is_active, search_text, created_at, \
         updated_at) SELECT 1, 'thing-' || i, 'thing-' || i, 'Thing ' || i, 'thing ' || i, 30, TRUE, \
         '  thing  ' || i || '  thing-  ' || i, '2026-01-01T00:00:00+00:00', '2026-01-01T00:00:00+00:00' FROM n"
    );
    let transaction = app.state.database.write().await.unwrap();
    transaction.execute_unprepared(&sql).await.unwrap();
    transaction.commit().await.unwrap();
}

/// Whether a search finds just the products that hold every word.
async fn finds_what_it_should(app: &TestApp, names: &BTreeSet<String>, search: &str) {
    let address = form_urlencoded::Serializer::new(String::new()).append_pair("search", search).finish();
    let found = app.get(As::Viewer, &format!("/api/products/?page_size=200&{address}")).await.expect(200).json();
    let found: BTreeSet<_> =
        found["results"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect();
    let needles: Vec<_> = search.split_whitespace().map(fold::needle).collect();
    let holds = |name: &&String| {
        let text = fold::spaced(&fold::fold(name));
        needles.iter().all(|needle| text.contains(needle.as_str()))
    };
    let expected: BTreeSet<_> = names.iter().filter(holds).cloned().collect();
    assert_eq!(found, expected, "{search:?}");
}

fn searches_find_the_same_by_index_and_by_reading(kind: Kind) {
    run(kind, &[], async |app| {
        let words = "[a-cA-CäÄéß東京0-2 .&'*%_-]{1,12}";
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let mut names = BTreeSet::new();
        for number in 0..60 {
            let name = words.new_tree(&mut runner).unwrap().current();
            let body =
                json!({ "sku": format!("xyz{number}"), "name": name, "price": "1.00", "unit": "pcs", "tax_rate": "0" });
            let made = app.json(As::Staff, "POST", "/api/products/", body).await;
            if made.status == 201 {
                names.insert(made.json()["name"].as_str().unwrap().to_owned());
            }
        }
        assert!(names.len() > 40);
        for _ in 0..150 {
            let search = words.new_tree(&mut runner).unwrap().current();
            if !search.contains("xyz") && !search.trim().is_empty() {
                finds_what_it_should(app, &names, &search).await;
            }
        }
        let renamed = names.pop_first().unwrap();
        let found = app.get(As::Staff, "/api/products/?ordering=id").await.json();
        let row =
            found["results"].as_array().unwrap().iter().find(|row| row["name"] == renamed.as_str()).unwrap().clone();
        let path = format!("/api/products/{}/", row["id"]);
        app.json(As::Staff, "PATCH", &path, json!({ "name": "Quince jam" })).await.expect(200);
        assert_eq!(app.get(As::Viewer, "/api/products/?search=uince").await.json()["count"], 1);
        app.json(As::Staff, "DELETE", &path, json!({})).await.expect(204);
        assert_eq!(app.get(As::Viewer, "/api/products/?search=uince").await.json()["count"], 0);
    });
}

#[test]
fn searches_find_the_same_by_index_and_by_reading_on_sqlite() {
    searches_find_the_same_by_index_and_by_reading(Kind::Sqlite);
}

#[test]
fn searches_find_the_same_by_index_and_by_reading_on_postgres() {
    searches_find_the_same_by_index_and_by_reading(Kind::Postgres);
}
