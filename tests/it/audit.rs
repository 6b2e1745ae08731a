//! The log of the house: filtered, walked without counting, opened, and taken along as a file.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use crate::both;
use crate::support::{Answer, As, TestApp};

async fn ask(app: &TestApp, who: As, query: &str) -> Answer {
    let query = form_urlencoded::byte_serialize(query.as_bytes()).collect::<String>();
    let path = format!("/-/audit/log?query={query}");
    app.send(Request::get(path).header("cookie", app.cookie(who).unwrap()).body(Body::empty()).unwrap()).await
}

async fn log(app: &TestApp, query: &str) -> Value {
    ask(app, As::Administrator, query).await.expect(200).json()
}

fn groups(log: &Value) -> Vec<Value> {
    log["groups"].as_array().unwrap().clone()
}

async fn file(app: &TestApp, who: As, query: &str) -> Answer {
    app.page(who, &format!("/-/audit/export?{query}")).await
}

/// The numbers of customers whose creation the whole log tells, part after part.
async fn walked(app: &TestApp, query: &str) -> (Vec<i64>, usize) {
    let (mut seen, mut parts, mut next) = (Vec::new(), 0, query.to_owned());
    loop {
        let log = log(app, &next).await;
        parts += 1;
        for group in groups(&log) {
            seen.extend(group["entries"].as_array().unwrap().iter().map(|entry| entry["record"].as_i64().unwrap()));
        }
        match log["next"].as_str() {
            Some(more) => next = more.to_owned(),
            None => return (seen, parts),
        }
    }
}

both! {
    async fn the_log_says_who_did_what_through_which_door(app) {
        let customer = app.customer("Bob").await;
        app.json(As::Staff, "PATCH", "/api/customers/1/", json!({ "notes": "x" })).await.expect(200);
        app.product("A", "1.00").await;
        let order = app.order(&customer, json!([{ "sku": "A", "quantity": 1 }])).await;
        app.act(As::Staff, &order, "cancel", json!({ "reason": "Ordered twice" })).await.expect(200);
        let once = "01890000-0000-7000-8000-000000000003";
        app.form(As::Staff, "/-/customers/create", "text/html", &[("once", once), ("form[name]", "Web"), ("page", "/")]).await.expect(303);
        let counted = async |query: &str| groups(&log(app, query).await).iter().map(|group| group["count"].as_u64().unwrap()).sum::<u64>();
        for (query, count) in [
            ("resource=customers", 3), ("resource=orders", 2), ("command=create&resource=customers", 2), ("command=cancel", 1),
            ("door=web", 1), ("door=api", 5), ("person=The+staff", 1), ("person=staff%27s+token", 5), ("person=Nobody", 0),
            ("from=2020-01-01&resource=customers", 3), ("to=2020-01-01", 0), ("from=2999-01-01T10:00", 0),
        ] {
            assert_eq!(counted(query).await, count, "{query}");
        }
        let today = kontor::base::time::stored::today().to_string();
        assert_eq!(counted(&format!("from={today}&to={today}&resource=orders")).await, 2, "a day is over with its last moment");
        let page = app.page(As::Administrator, "/admin/log?resource=orders").await.expect(200).body;
        for part in ["cancel orders 1", "Ordered twice", "Cancel reason", "version 1 → 2", "/orders/1", "Export CSV", "draft", "cancelled"] {
            assert!(page.contains(part), "{part}");
        }
    }

    async fn a_bulk_change_is_one_row_that_opens(app) {
        let rows: Vec<_> = (0..30).map(|number| json!({ "action": "create", "values": { "name": format!("C {number}") } })).collect();
        let bulk = app.json(As::Staff, "POST", "/api/customers/bulk/", json!({ "rows": rows })).await.expect(200);
        app.customer("Alone").await;
        let request = bulk.header("x-request-id");
        let all = groups(&log(app, "resource=customers").await);
        assert_eq!(all.len(), 2);
        assert_eq!((&all[1]["count"], all[1]["entries"].as_array().unwrap().len(), &all[1]["request"]), (&json!(30), 20, &json!(request)));
        let opened = groups(&log(app, &format!("request={request}")).await);
        assert_eq!(opened.len(), 30);
        let page = app.page(As::Administrator, "/admin/log").await.expect(200).body;
        assert!(page.contains("30 changes: create customers") && page.contains(&format!("/admin/log?request={request}")));
    }

    async fn a_walk_meets_every_event_once_and_passes_over_large_changes(app) {
        for number in 0..60 {
            app.customer(&format!("Early {number}")).await;
        }
        let rows: Vec<_> = (0..900).map(|number| json!({ "action": "create", "values": { "name": format!("C {number}") } })).collect();
        app.json(As::Staff, "POST", "/api/customers/bulk/", json!({ "rows": rows })).await.expect(200);
        for number in 0..60 {
            app.customer(&format!("Late {number}")).await;
        }
        let (seen, parts) = walked(app, "resource=customers").await;
        let mut alone: Vec<i64> = seen.iter().copied().filter(|id| *id <= 60 || *id > 960).collect();
        assert_eq!(alone.len(), 120, "{alone:?}");
        alone.dedup();
        assert!(alone.is_sorted_by(|one, other| one > other), "the latest first, none twice");
        assert_eq!(seen.len(), 120 + 20, "of a large change some are shown");
        assert!(parts <= 4, "{parts}");
        let request = app.json(As::Staff, "PATCH", "/api/customers/1/", json!({ "notes": "x" })).await.header("x-request-id").to_owned();
        assert_eq!(walked(app, &format!("request={request}")).await.0, [1]);
        let cost = async |query: &str| {
            let before = app.state.database.statements();
            log(app, query).await;
            app.state.database.statements() - before
        };
        let second = log(app, "resource=customers").await["next"].as_str().unwrap().to_owned();
        let (first, later) = (cost("resource=customers").await, cost(&second).await);
        assert!(later <= first + 3, "{first} statements, then {later}");
    }

    async fn parts_that_hardly_meet_are_looked_for_step_by_step(app) {
        app.json(As::Staff, "POST", "/api/products/", json!({ "sku": "A", "name": "A", "unit": "pcs", "price": 1 })).await.expect(201);
        let many = async |person: &str, resource: &str, command: &str, count: i64| {
            app.execute(&format!(
                "INSERT INTO events (at, actor_kind, actor_name, door, request_id, resource, record_id, command, changes) \
                 SELECT e.at, e.actor_kind, '{person}', e.door, '{person}' || e.id || '-' || n.i, '{resource}', n.i, '{command}', e.changes \
                 FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) SELECT i FROM n) AS n, \
                 (SELECT * FROM events ORDER BY id LIMIT 1) AS e ORDER BY n.i"
            )).await;
        };
        many("Early", "products", "change", 2_500).await;
        many("Early", "products", "create", 3).await;
        many("Late", "customers", "change", 22_500).await;
        let counted = |log: &Value| groups(log).iter().map(|group| group["count"].as_u64().unwrap()).sum::<u64>();

        let never = log(app, "person=Late&resource=products").await;
        assert_eq!(counted(&never), 0);
        let further = never["next"].as_str().expect("a way further back");
        assert!(never["looked_to"].is_string());
        let page = app.page(As::Administrator, "/admin/log?person=Late&resource=products").await.expect(200).body;
        assert!(page.contains("Nothing so far.") && page.contains("Look further back") && page.contains("Looked back to"));
        let over = log(app, further).await;
        assert_eq!((counted(&over), &over["next"], &over["looked_to"]), (0, &Value::Null, &Value::Null));

        let (seen, parts) = walked(app, "person=Early&resource=products&command=change").await;
        assert_eq!((seen.len(), parts), (2_500, 1 + 50), "one part looks without finding, none is missed");
        assert!(seen.is_sorted_by(|one, other| one > other));

        for (query, count) in [("person=The+staff&resource=products", 0), ("command=create&resource=products", 4), ("person=Early&command=create", 3)] {
            let rare = log(app, query).await;
            assert_eq!((counted(&rare), &rare["next"]), (count, &Value::Null), "{query}: what is rare is found at once");
        }
        let before = app.state.database.statements();
        log(app, "person=Late&resource=products").await;
        assert!(app.state.database.statements() - before <= 6);
        let file = file(app, As::Administrator, "person=Early&resource=products&command=create").await.expect(200).body;
        assert_eq!(file.lines().count(), 1 + 3);
    }

    async fn what_is_filtered_is_taken_along(app) {
        app.json(As::Staff, "POST", "/api/customers/", json!({ "name": "Bob" })).await.expect(201);
        for number in 0..3 {
            app.json(As::Staff, "PATCH", "/api/customers/1/", json!({ "notes": format!("=SUM({number})") })).await.expect(200);
        }
        app.get(As::Viewer, "/api/events/").await.expect(200);
        let csv = file(app, As::Administrator, "format=csv&resource=customers&command=change").await.expect(200);
        assert!(csv.header("content-type").starts_with("text/csv") && csv.header("content-disposition").contains("log.csv"));
        let lines: Vec<_> = csv.body.lines().collect();
        assert_eq!(lines.len(), 4);
        assert!(lines[0].starts_with("place,at,actor_kind,actor,door,request_id,resource,record,command"));
        assert!(lines[1].contains("=SUM(2)") && lines[3].contains("=SUM(0)"), "the latest first");
        let ndjson = file(app, As::Administrator, "format=ndjson&resource=customers").await.expect(200);
        let rows: Vec<Value> = ndjson.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(rows.len(), 4);
        assert_eq!((&rows[0]["changes"]["notes"][1], &rows[3]["command"], rows[0]["hash"].as_str().unwrap().len()), (&json!("=SUM(2)"), &json!("create"), 64));
        assert!(file(app, As::Administrator, "format=xml").await.expect(400).body.contains("Choose csv or ndjson"));
    }

    async fn an_export_is_not_cut_into_pages(app) {
        let rows: Vec<_> = (0..1000).map(|number| json!({ "action": "create", "values": { "name": format!("C {number}") } })).collect();
        for _ in 0..3 {
            app.json(As::Staff, "POST", "/api/customers/bulk/", json!({ "rows": rows })).await.expect(200);
        }
        let csv = file(app, As::Administrator, "resource=customers").await.expect(200).body;
        let mut records: Vec<_> = csv.lines().skip(1).map(|line| line.split(',').nth(7).unwrap().parse::<i64>().unwrap()).collect();
        records.sort_unstable();
        assert_eq!(records, (1..=3000).collect::<Vec<_>>());
    }

    async fn the_log_is_for_whoever_may_see_it_and_says_what_it_does_not_know(app) {
        for who in [As::Staff, As::Viewer] {
            ask(app, who, "").await.expect(403);
            file(app, who, "").await.expect(403);
            assert!(!app.page(who, "/customers").await.expect(200).body.contains("/admin/log"));
        }
        for (query, field, said) in [
            ("persn=x", "persn", "Did you mean person?"), ("from=yesterday", "from", "2026-11-24"), ("to=2026-13-01", "to", "2026-11-24"),
            ("after=x", "after", "older"), ("after=1-x-", "after", "older"),
        ] {
            let refused = ask(app, As::Administrator, query).await.expect(400);
            assert!(refused.at(field).contains(said) || refused.body.contains(said), "{query}: {}", refused.body);
        }
        app.page(As::Administrator, "/admin/log?from=never").await.expect(400);
    }
}
