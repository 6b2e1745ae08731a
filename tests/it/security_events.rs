//! Security events: in a table for administrators, whatever way something came.

use serde_json::{Value, json};

use crate::accounts::{code, cookie, enrol, sign_in, told};
use crate::both;
use crate::cli::{kontor, ok};
use crate::support::{As, Kind, PASSWORD, TestApp, run};

/// How many events there are of a kind about an account, counted as often as they happened.
async fn count(app: &TestApp, kind: &str, account: &str) -> i64 {
    app.state.security.flush().await;
    let account = if account.is_empty() { String::new() } else { format!("{account}@kontor.example") };
    app.sum("security_events", "count", &format!("kind = '{kind}' AND account_key = '{account}'")).await
}

both! {
    async fn everything_about_ways_in_is_an_event(app) {
        // Signing in and out, and failing to.
        sign_in(app, "staff@kontor.example", "wrong", "").await.expect(401);
        sign_in(app, "NOBODY@kontor.example", PASSWORD, "").await.expect(401);
        let session = cookie(&sign_in(app, "staff@kontor.example", PASSWORD, "").await.expect(303));
        let (secret, codes, session) = enrol(app, &session).await;
        let half = cookie(&sign_in(app, "staff@kontor.example", PASSWORD, "").await.expect(303));
        let enter = async |code: &str| {
            let fields = [("code", code), ("next", "/orders"), ("page", "/sign-in/code")];
            app.with_cookie(&half, "/-/sign-in/code", Some(&fields)).await
        };
        enter("wrong").await.expect(400);
        enter(&code(&secret, 0)).await.expect(303);
        let half = cookie(&sign_in(app, "staff@kontor.example", PASSWORD, "").await.expect(303));
        let fields = [("code", codes[0].as_str()), ("next", "/orders"), ("page", "/sign-in/code")];
        app.with_cookie(&half, "/-/sign-in/code", Some(&fields)).await.expect(303);
        // One's own account.
        let wrong = [("password", "wrong"), ("new_password", "violet harbour lantern"), ("page", "/account")];
        app.with_cookie(&session, "/-/account/password", Some(&wrong)).await.expect(400);
        let off = [("password", PASSWORD), ("code", codes[1].as_str()), ("page", "/account/second-factor")];
        let session = cookie(&app.with_cookie(&session, "/-/account/second-factor/off", Some(&off)).await.expect(303));
        let right = [("password", PASSWORD), ("new_password", "violet harbour lantern"), ("page", "/account")];
        let session = cookie(&app.with_cookie(&session, "/-/account/password", Some(&right)).await.expect(303));
        let make = [("days", ""), ("form[name]", "own"), ("page", "/account/tokens/new")];
        let token = told(&app.with_cookie(&session, "/-/account/create-token", Some(&make)).await.expect(200)).remove(0);
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str())];
        app.call(As::Anonymous, "GET", "/api/orders/", &headers, "").await.expect(200);
        app.call(As::Anonymous, "GET", "/api/orders/?format=csv", &headers, "").await.expect(200);
        app.call(As::Anonymous, "GET", "/api/users/", &headers, "").await.expect(403);
        app.call(As::Anonymous, "GET", "/api/orders/", &[("authorization", "Bearer kontor_no")], "").await.expect(401);
        app.with_cookie(&session, "/-/sign-out", Some(&[])).await.expect(303);
        for (kind, account, times) in [
            ("sign_in_failed", "staff", 1), ("sign_in_failed", "nobody", 1), ("signed_in", "staff", 3), ("signed_out", "staff", 1),
            ("second_factor_on", "staff", 1), ("second_factor_failed", "staff", 1), ("second_factor_used", "staff", 1),
            ("recovery_code_used", "staff", 2), ("second_factor_off", "staff", 1), ("password_refused", "staff", 1),
            ("password_changed", "staff", 1), ("token_made", "staff", 1), ("exported", "staff", 1), ("refused", "staff", 1), ("token_refused", "", 1),
        ] {
            assert_eq!(count(app, kind, account).await, times, "{kind} {account}");
        }
        for _ in 0..500 {
            if count(app, "token_first_used", "staff").await == 1 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        assert_eq!(count(app, "token_first_used", "staff").await, 1);
        assert_eq!(app.rows("security_events WHERE detail LIKE '%wrong%' OR detail LIKE '%violet%' OR detail LIKE '%argon2%'").await, 0);
        assert_eq!(app.rows("security_events WHERE request_id = ''").await, 0);
    }

    async fn what_administrators_do_about_ways_in_is_an_event_at_every_entry_point(app) {
        let ann = app.person("Ann", &["staff"]).await;
        let path = format!("/api/users/{}", ann["id"]);
        app.json(As::Administrator, "POST", &format!("{path}/invite/"), json!({})).await.expect(200);
        app.json(As::Administrator, "PATCH", &path, json!({ "roles": ["viewer"] })).await.expect(200);
        app.json(As::Administrator, "PATCH", &path, json!({ "is_active": false })).await.expect(200);
        app.json(As::Administrator, "PATCH", &path, json!({ "is_active": true })).await.expect(200);
        app.json(As::Administrator, "POST", &format!("{path}/sign-out/"), json!({})).await.expect(200);
        let token = app.json(As::Administrator, "POST", "/api/tokens/", json!({ "user": ann["id"], "name": "x" })).await.expect(201).json();
        app.json(As::Administrator, "DELETE", &format!("/api/tokens/{}/", token["id"]), json!({})).await.expect(204);
        ok(kontor(&app.url, &["token", "create", "--user", "ann@kontor.example", "--name", "by hand"], ""));
        let role = app.json(As::Administrator, "POST", "/api/roles/", json!({ "name": "Packers", "permissions": [] })).await.expect(201).json();
        app.json(As::Administrator, "PATCH", &format!("/api/roles/{}", role["id"]), json!({ "permissions": ["orders.view"] })).await.expect(200);
        let fields = [("form[rate_burst]", "1500"), ("page", "/admin/settings")];
        app.form(As::Administrator, "/-/admin/set", "text/html", &fields).await.expect(303);
        for (kind, account, times) in [
            ("invitation_made", "ann", 1), ("account_changed", "ann", 3), ("sessions_ended", "ann", 1), ("token_made", "ann", 2),
            ("token_revoked", "ann", 1), ("password_changed", "ann", 1), ("roles_changed", "ann", 1), ("roles_changed", "administrator", 2),
        ] {
            assert_eq!(count(app, kind, account).await, times, "{kind} {account}");
        }
        assert_eq!(app.rows("security_events WHERE kind = 'roles_changed' AND detail LIKE '%orders.view%'").await, 1);
        assert_eq!(app.rows("security_events WHERE kind = 'token_made' AND actor = 'Command line' AND address = ''").await, 1);
        assert_eq!(app.rows("security_events WHERE kind = 'settings_changed' AND detail LIKE '%1500%'").await, 1);
    }

    async fn administrators_look_through_them_by_filter_and_cursor(app) {
        sign_in(app, "<script>alert(1)</script>@x\r\nforged", "wrong", "").await.expect(401);
        for number in 0..60 {
            sign_in(app, &format!("person{number}@kontor.example"), "wrong", "").await.expect(401);
        }
        sign_in(app, "staff@kontor.example", PASSWORD, "").await.expect(303);
        app.state.security.flush().await;
        let page = async |query: &str| app.page(As::Administrator, &format!("/admin/security{query}")).await;
        let first = page("?kind=sign_in_failed").await.expect(200).body;
        assert!(first.contains("person59@kontor.example") && !first.contains("person5@kontor.example") && !first.contains("staff@kontor.example"));
        let older = first.split("href=\"/admin/security?").nth(1).unwrap().split('"').next().unwrap().replace("&amp;", "&");
        let second = page(&format!("?{older}")).await.expect(200).body;
        assert!(second.contains("person5@kontor.example") && !second.contains("person59@kontor.example"));
        assert!(second.contains("&lt;script&gt;") && !second.contains("<script>alert"));
        let found = page("?account=PERSON7@kontor.example").await.expect(200).body;
        assert!(found.contains("person7@kontor.example") && !found.contains("person8@kontor.example"));
        assert!(page("?address=0.0.0.0&account=person7@kontor.example").await.expect(200).body.contains("person7@"));
        assert!(page("?address=203.0.113.9").await.expect(200).body.contains("Nothing matches."));
        assert!(page("?to=2026-01-01").await.expect(200).body.contains("Nothing matches."));
        assert!(!page("?from=2026-01-01").await.expect(200).body.contains("Nothing matches."));
        for query in ["?kind=x", "?from=soon", "?before=x", "?knd=x"] {
            page(query).await.expect(400);
        }
        app.page(As::Staff, "/admin/security").await.expect(403);
    }

    async fn a_flood_of_failures_does_not_fill_the_database(app) {
        let bearer = [("authorization", "Bearer kontor_no")];
        for number in 0..1_200 {
            app.call(As::Anonymous, "GET", &format!("/api/orders/{number}"), &bearer, "").await.expect(401);
        }
        for _ in 0..100 {
            app.call(As::Anonymous, "GET", "/api/orders/", &bearer, "").await.expect(401);
        }
        assert_eq!(count(app, "token_refused", "").await, 1_300, "each is counted");
        let rows = app.rows("security_events WHERE kind = 'token_refused'").await;
        // The minute may turn on the way.
        assert!(rows <= 620, "{rows} rows");
        assert!(rows < 1_200);
    }

    async fn old_events_are_swept(app) {
        sign_in(app, "staff@kontor.example", "wrong", "").await.expect(401);
        assert_eq!(count(app, "sign_in_failed", "staff").await, 1);
        let days = app.state.settings.security_event_days;
        kontor::access::security::sweep(&app.state.database, days).await.unwrap();
        assert_eq!(count(app, "sign_in_failed", "staff").await, 1);
        app.execute("UPDATE security_events SET at = '2026-01-01T00:00:00+00:00'").await;
        kontor::access::security::sweep(&app.state.database, days).await.unwrap();
        assert_eq!(app.rows("security_events").await, 0);
    }
}

#[test]
fn signing_in_waits_for_no_event_to_be_stored() {
    run(Kind::Sqlite, &[], async |app| {
        let held = app.state.database.write().await.unwrap();
        let started = std::time::Instant::now();
        sign_in(app, "staff@kontor.example", "wrong", "").await.expect(401);
        assert!(started.elapsed().as_secs() < 4, "a writer is waited for five seconds");
        held.rollback().await.unwrap();
        assert_eq!(count(app, "sign_in_failed", "staff").await, 1);
    });
}

fn strangers(kind: Kind) {
    run(kind, &[("anonymous_api_read", "true")], async |app| {
        let customer = app.customer("Gone GmbH").await;
        let id = customer["id"].to_string();
        let path = format!("/api/customers/{id}");
        let body = json!({ "email": "secret@gone.example", "notes": "hush-hush" });
        app.json(As::Staff, "PATCH", &path, body).await.expect(200);
        let moment = app.get(As::Staff, &path).await.json()["updated_at"].as_str().unwrap().to_owned();
        app.json(As::Staff, "DELETE", &path, json!({})).await.expect(204);
        let kept = app.customer("Kept GmbH").await;
        app.product("A", "1.00").await;
        let order = app.order(&kept, json!([{ "sku": "A", "quantity": 1 }])).await;
        app.act(As::Staff, &order, "cancel", json!({ "reason": "because of Mr Smith" })).await.expect(200);
        let headers = [("x-request-id", "smith-1"), ("content-type", "application/json")];
        app.call(As::Staff, "POST", "/api/customers/", &headers, json!({ "name": "X" }).to_string()).await.expect(201);
        let mut told = String::new();
        let order_path = format!("/api/orders/{}", order["id"]);
        for path in [
            "/api/",
            "/api/events/?page_size=1000",
            "/api/events/?wait=1&after=0",
            "/api/customers/",
            "/api/customers/?format=csv",
            "/api/customers/?format=ndjson",
            "/api/products/",
            "/api/orders/",
            "/api/orders/?expand=items",
            "/api/order-items/",
            "/api/orders/?format=csv",
            order_path.as_str(),
            &format!("{order_path}/actions/"),
            "/api/openapi.json",
        ] {
            told += &app.get(As::Anonymous, path).await.expect(200).body;
        }
        for hidden in ["The staff", "staff's token", "Gone GmbH", "secret@gone.example", "hush-hush", "smith-1"] {
            assert!(!told.contains(hidden), "{hidden}");
        }
        let events = app.get(As::Anonymous, "/api/events/").await.json();
        for event in events["results"].as_array().unwrap() {
            assert_eq!((&event["changes"], &event["actor"], &event["reason"]), (&json!({}), &json!({}), &Value::Null));
        }
        for path in [format!("{path}/?as_of={moment}"), format!("/api/customers/{}/?as_of={moment}", kept["id"])] {
            app.get(As::Anonymous, &path).await.expect(401);
        }
        app.get(As::Staff, &format!("{path}/?as_of={moment}")).await.expect(200);
    });
}

#[test]
fn strangers_are_told_nothing_of_staff_and_of_what_was_deleted_on_sqlite() {
    strangers(Kind::Sqlite);
}

#[test]
fn strangers_are_told_nothing_of_staff_and_of_what_was_deleted_on_postgres() {
    strangers(Kind::Postgres);
}
