//! Moments are shown, and read, in the zone of the person; over the API they are in UTC.

use axum::body::Body;
use axum::http::Request;
use serde_json::json;

use crate::both;
use crate::support::{As, TestApp};

/// Half past one in the night of the 25th in Kolkata.
const AT: &str = "2026-07-24T20:00:00+00:00";
const THERE: &str = "25 Jul 2026, 01:30 UTC+5:30";

async fn choose(app: &TestApp, zone: &str) {
    let fields = [("time_zone", zone), ("page", "/account")];
    app.form(As::Administrator, "/-/account/time-zone", "text/html", &fields).await.expect(303);
}

/// A placed order of somebody, a token and a session, all of that moment.
async fn company(app: &TestApp) {
    let (customer, _) = (app.customer("Somebody").await, app.product("A", "1.00").await);
    let order = app.order(&customer, json!([{ "sku": "A", "quantity": 1 }])).await;
    app.act(As::Staff, &order, "place", json!({})).await.expect(200);
    choose(app, "Asia/Kolkata").await;
    for (table, column) in [
        ("events", "at"),
        ("orders", "placed_at"),
        ("customers", "created_at"),
        ("customers", "updated_at"),
        ("api_tokens", "created_at"),
        ("api_tokens", "last_used_at"),
    ] {
        app.execute(&format!("UPDATE {table} SET {column} = '{AT}'")).await;
    }
    // A session of somebody who asks nothing, as one that is so old is over.
    let others = "user_id = (SELECT id FROM users WHERE email = 'viewer@kontor.example')";
    app.execute(&format!("UPDATE sessions SET created_at = '{AT}' WHERE {others}")).await;
    let placed = app.rows("events").await;
    app.execute(&format!("UPDATE events SET changes = '{{\"placed_at\": [null, \"2026-07-24T20:00:00.000000Z\"]}}' WHERE id = {placed} - 1")).await;
}

/// What people see, without what the browser is told beside it.
fn visible(page: &str) -> String {
    let mut text = String::new();
    for part in page.split("<script") {
        text.push_str(part.rsplit_once("</script>").map_or(part, |(_, rest)| rest));
    }
    text
}

both! {
    async fn years_months_and_days_are_those_of_the_persons_calendar(app) {
        choose(app, "Asia/Kolkata").await;
        // There the year begins at half past six in the evening of UTC.
        for (name, at) in [
            ("Old", "2025-12-31T18:29:59+00:00"), ("New", "2025-12-31T18:30:00+00:00"), ("Noon", "2026-01-01T06:30:00+00:00"),
            ("Second", "2026-01-01T18:30:00+00:00"), ("Spring", "2026-03-31T18:31:00+00:00"),
        ] {
            let made = app.customer(name).await;
            app.execute(&format!("UPDATE customers SET created_at = '{at}' WHERE id = {}", made["id"])).await;
        }
        let table = async |query: &str| {
            let query = form_urlencoded::byte_serialize(query.as_bytes()).collect::<String>();
            let request = Request::get(format!("/-/admin/table?resource=customers&query={query}"));
            let request = request.header("cookie", app.cookie(As::Administrator).unwrap()).body(Body::empty()).unwrap();
            app.send(request).await.expect(200).json()
        };
        let steps = |table: &serde_json::Value| {
            let steps = table["dates"]["steps"].as_array().unwrap().clone();
            steps.iter().map(|step| format!("{} {}", step["label"].as_str().unwrap(), step["count"])).collect::<Vec<_>>()
        };
        let follow = async |from: &serde_json::Value, at: usize| {
            table(from["dates"]["steps"][at]["href"].as_str().unwrap().split_once('?').unwrap().1).await
        };
        let all = table("").await;
        assert_eq!((&all["dates"]["label"], steps(&all)), (&json!("Created"), vec!["2026 4".to_owned(), "2025 1".to_owned()]));
        let year = follow(&all, 0).await;
        assert_eq!((&year["count"]["rows"], steps(&year)), (&json!(4), vec!["Apr 2026 1".to_owned(), "Jan 2026 3".to_owned()]));
        let month = follow(&year, 1).await;
        assert_eq!((&month["count"]["rows"], steps(&month)), (&json!(3), vec!["2 Jan 1".to_owned(), "1 Jan 2".to_owned()]));
        let day = follow(&month, 1).await;
        assert_eq!((&day["count"]["rows"], steps(&day).len(), day["dates"]["back"].as_array().unwrap().len()), (&json!(2), 0, 4));
        choose(app, "Europe/London").await;
        assert_eq!(steps(&table("").await), ["2026 3", "2025 2"]);
    }

    async fn every_page_says_moments_in_the_zone_of_the_person_and_names_it(app) {
        company(app).await;
        let events = app.get(As::Administrator, "/api/events/?resource=orders").await.expect(200).json();
        assert_eq!(events["results"][0]["at"], "2026-07-24T20:00:00.000000Z", "scripts read UTC");
        let ids: Vec<String> = app.order_books().await.iter().filter(|row| row["resource"] == "orders").map(|row| row["id"].to_string()).collect();
        let history = format!("/orders/1/history?at={}&with={}", ids[1], ids[0]);
        let then = format!("/orders/1/history?at={}", ids[0]);
        for path in [
            "/admin", "/admin/log", "/admin/sessions", "/admin/tokens", "/admin/users/1", "/account", "/orders/1", "/customers/1",
            "/orders/1/history", &history, &then, "/customers/1/history", "/products/1",
        ] {
            let page = visible(&app.page(As::Administrator, path).await.expect(200).body);
            assert!(page.contains(THERE), "{path}");
            assert!(!page.contains(", 20:00") && !page.contains(" UTC<"), "{path}: a moment in another zone");
        }
        let page = visible(&app.page(As::Administrator, &then).await.body);
        assert!(page.contains(&format!("As it was at {THERE}")) && page.contains(&format!("Make it as it was at {THERE}")));
        let page = app.page(As::Administrator, "/admin/customers?columns=created_at").await.expect(200).body;
        assert!(page.contains("Created, Asia/Kolkata") && page.contains("2026-07-25 01:30"));
        let narrowed = "/admin/customers?created_at__gte=2026-07-24T20:00:00Z";
        assert!(app.page(As::Administrator, narrowed).await.expect(200).body.contains(&format!("Created: from {THERE}")));
        assert!(visible(&app.page(As::Staff, "/orders/1").await.body).contains("24 Jul 2026, 20:00 UTC<"), "others read theirs");
    }

    async fn what_is_entered_is_read_in_the_zone_of_the_person(app) {
        company(app).await;
        let found = async |from: &str, to: &str| {
            let page = app.page(As::Administrator, &format!("/admin/log?resource=customers&from={from}&to={to}")).await.expect(200).body;
            page.contains(THERE)
        };
        assert!(found("2026-07-25", "2026-07-25").await);
        assert!(!found("2026-07-24", "2026-07-24").await);
        assert!(found("2026-07-25T01:30", "2026-07-25T01:30").await);
        assert!(!found("2026-07-24T20:00", "2026-07-24T20:00").await);
        assert!(found("2026-07-24T20:00:00Z", "2026-07-24T20:00:00Z").await, "what names its zone is in no other");
        let file = app.page(As::Administrator, "/-/audit/export?resource=customers&from=2026-07-25").await.expect(200).body;
        assert!(file.contains("2026-07-24T20:00:00.000000Z"), "a file is for programs");
        assert!(app.page(As::Administrator, "/admin/log").await.body.contains("From, Asia/Kolkata"));

        let then = async |moment: &str| app.page(As::Administrator, &format!("/customers/1/history?as_of={moment}")).await;
        assert!(then("2026-07-25T01:30").await.expect(200).body.contains(&format!("As it was at {THERE}")));
        assert!(then("2026-07-25T01:29").await.expect(404).body.contains("There was no such customer then."));
        assert!(then("2026-07-24T20:00").await.status == 404);
        then("2026-07-24T20:00:01Z").await.expect(200);
        then("yesterday").await.expect(400);
        then("2026-02-30T00:00").await.expect(400);
        choose(app, "").await;
        then("2026-07-24T20:00").await.expect(200);
        assert!(then("").await.expect(200).body.contains("Or at a moment, UTC"));
        app.json(As::Administrator, "DELETE", "/api/customers/1/", json!({})).await.expect(409);
        app.execute("DELETE FROM order_items").await;
        app.execute("DELETE FROM orders").await;
        app.json(As::Administrator, "DELETE", "/api/customers/1/", json!({})).await.expect(204);
        then("2099-01-01T00:00").await.expect(404);
    }

    async fn a_new_order_is_of_the_day_where_the_person_is(app) {
        // One of the two is not in the day of UTC, whenever this runs.
        for zone in ["Pacific/Kiritimati", "Pacific/Niue"] {
            choose(app, zone).await;
            let today = kontor::base::time::zones::today(zone);
            let page = app.page(As::Administrator, "/orders/new").await.expect(200).body;
            assert!(page.contains(&format!("value=\"{today}\"")), "{zone}");
        }
    }
}
