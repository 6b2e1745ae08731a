//! `Idempotency-Key` over REST, and how much one caller may ask.

use axum::body::Body;
use serde_json::{Value, json};

use crate::both;
use crate::support::{Answer, As, Kind, TestApp, run};

async fn keyed(app: &TestApp, who: As, path: &str, key: &str, body: &Value) -> Answer {
    let headers = [("content-type", "application/json"), ("idempotency-key", key)];
    app.call(who, "POST", path, &headers, body.to_string()).await
}

both! {
    async fn a_repetition_gets_the_first_answer(app) {
        let body = json!({ "name": "Once" });
        let first = keyed(app, As::Staff, "/api/customers/", "k-1", &body).await.expect(201);
        assert_eq!(first.header("idempotency-replayed"), "");
        let again = keyed(app, As::Staff, "/api/customers/", "k-1", &body).await.expect(201);
        assert_eq!(again.header("idempotency-replayed"), "true");
        assert_eq!(again.body, first.body);
        for name in ["location", "etag", "content-type"] {
            assert_eq!(again.header(name), first.header(name), "{name}");
        }
        assert_ne!(again.header("x-request-id"), first.header("x-request-id"));
        assert_eq!(app.rows("customers").await, 1);
        assert_eq!(app.rows("events WHERE resource = 'customers'").await, 1);
    }

    async fn a_key_is_for_one_request_of_one_person(app) {
        keyed(app, As::Staff, "/api/customers/", "k", &json!({ "name": "A" })).await.expect(201);
        let reused = keyed(app, As::Staff, "/api/customers/", "k", &json!({ "name": "B" })).await.expect(422);
        assert_eq!(reused.json()["code"], "key_reused");
        keyed(app, As::Staff, "/api/v1/customers/", "k", &json!({ "name": "A" })).await.expect(422);
        keyed(app, As::Administrator, "/api/customers/", "k", &json!({ "name": "B" })).await.expect(201);
        assert_eq!(app.rows("customers").await, 2);
        for key in ["", " ", "ä", &"x".repeat(256)] {
            keyed(app, As::Staff, "/api/customers/", key, &json!({ "name": "C" })).await.expect(400);
        }
        assert_eq!(app.rows("customers").await, 2);
    }

    async fn a_refusal_is_repeated_and_a_failure_of_ours_is_not_kept(app) {
        let refused = keyed(app, As::Staff, "/api/customers/", "bad", &json!({ "nmae": "A" })).await.expect(400);
        let again = keyed(app, As::Staff, "/api/customers/", "bad", &json!({ "nmae": "A" })).await.expect(400);
        assert_eq!(again.header("idempotency-replayed"), "true");
        assert_eq!(again.json()["errors"], refused.json()["errors"]);
        assert_eq!(again.json()["instance"], again.header("x-request-id"));
        keyed(app, As::Anonymous, "/api/customers/", "who", &json!({ "name": "A" })).await.expect(401);
        keyed(app, As::Staff, "/api/customers/", "who", &json!({ "name": "A" })).await.expect(201);
    }

    async fn a_refusal_for_a_version_or_a_header_is_mended_under_the_same_key(app) {
        app.product("A", "1.00").await;
        let customer = app.customer("Bob").await;
        let order = app.order(&customer, json!([{ "sku": "A", "quantity": 2 }])).await;
        let path = format!("/api/orders/{}/place/", order["id"]);
        let place = async |headers: &[(&str, &str)]| {
            app.call(As::Staff, "POST", &path, &[&[("idempotency-key", "p")], headers].concat(), "{}").await
        };
        let json = ("content-type", "application/json");
        place(&[json, ("if-match", "\"v9\"")]).await.expect(412);
        place(&[("content-type", "text/plain")]).await.expect(415);
        let placed = place(&[json, ("if-match", "\"v1\"")]).await.expect(200);
        assert_eq!(placed.header("idempotency-replayed"), "");
        // Afterwards the version is another, and the answer the same.
        let again = place(&[json, ("if-match", "\"v1\"")]).await.expect(200);
        assert_eq!((again.header("idempotency-replayed"), &again.body), ("true", &placed.body));
    }

    async fn a_hundred_at_once_create_one_order(app) {
        app.product("A", "1.00").await;
        let customer = app.customer("Bob").await;
        let body = json!({ "customer": customer["id"], "items": [{ "sku": "A", "quantity": 2 }] });
        let answers = futures::future::join_all((0..100).map(|_| keyed(app, As::Staff, "/api/orders/", "one", &body))).await;
        let made: Vec<_> = answers.iter().filter(|answer| answer.status == 201).collect();
        assert!(!made.is_empty());
        assert!(made.iter().all(|answer| answer.body == made[0].body));
        for answer in answers.iter().filter(|answer| answer.status != 201) {
            assert_eq!(answer.status, 409, "{}", answer.body);
            assert_eq!(answer.header("retry-after"), "1");
        }
        assert_eq!((app.rows("orders").await, app.rows("order_items").await), (1, 1));
        let later = keyed(app, As::Staff, "/api/orders/", "one", &body).await.expect(201);
        assert_eq!(later.body, made[0].body);
    }

    async fn what_was_done_without_an_answer_is_not_done_again(app) {
        let body = json!({ "name": "Lost" });
        keyed(app, As::Staff, "/api/customers/", "lost", &body).await.expect(201);
        // As if the server had died between storing the customer and storing the answer.
        app.execute("UPDATE idempotency_keys SET status = NULL, headers = NULL, body = NULL").await;
        let lost = keyed(app, As::Staff, "/api/customers/", "lost", &body).await.expect(409);
        assert!(lost.body.contains("its answer was lost"), "{}", lost.body);
        assert_eq!(app.rows("customers").await, 1);
    }

    async fn a_key_may_be_used_anew_after_a_day(app) {
        keyed(app, As::Staff, "/api/customers/", "old", &json!({ "name": "A" })).await.expect(201);
        app.execute("UPDATE idempotency_keys SET created_at = '2026-01-01T00:00:00+00:00'").await;
        let anew = keyed(app, As::Staff, "/api/customers/", "old", &json!({ "name": "B" })).await.expect(201);
        assert_eq!(anew.header("idempotency-replayed"), "");
        assert_eq!(keyed(app, As::Staff, "/api/customers/", "old", &json!({ "name": "B" })).await.expect(201).body, anew.body);
        assert_eq!(app.rows("customers").await, 2);
        app.execute("UPDATE idempotency_keys SET created_at = '2026-01-01T00:00:00+00:00'").await;
        keyed(app, As::Staff, "/api/customers/", "old", &json!({ "nmae": "C" })).await.expect(400);
        let again = keyed(app, As::Staff, "/api/customers/", "old", &json!({ "nmae": "C" })).await.expect(400);
        assert_eq!(again.header("idempotency-replayed"), "true", "a refusal under a key used anew is kept too");
    }

    async fn commands_are_repeated_too_and_a_dry_run_does_nothing_twice(app) {
        app.product("A", "1.00").await;
        let order = app.order(&app.customer("Bob").await, json!([{ "sku": "A", "quantity": 2 }])).await;
        let path = format!("/api/orders/{}/place/", order["id"]);
        keyed(app, As::Staff, &path, "dry", &json!({ "dry_run": true })).await.expect(200);
        keyed(app, As::Staff, &path, "dry", &json!({ "dry_run": true })).await.expect(200);
        let placed = keyed(app, As::Staff, &path, "place", &json!({})).await.expect(200);
        let again = keyed(app, As::Staff, &path, "place", &json!({})).await.expect(200);
        assert_eq!(placed.body, again.body);
        app.act(As::Staff, &order, "place", json!({})).await.expect(409);
    }
}

#[test]
fn who_asks_too_much_is_told_how_long_to_wait() {
    run(Kind::Sqlite, &[("rate_limit", "1"), ("rate_burst", "5")], async |app| {
        let ask = async |who| app.call(who, "GET", "/api/customers/", &[], Body::empty()).await;
        let first = ask(As::Viewer).await.expect(200);
        assert_eq!(first.header("ratelimit-policy"), "\"default\";q=5;w=5");
        assert_eq!(first.header("ratelimit"), "\"default\";r=4;t=1");
        for _ in 0..4 {
            ask(As::Viewer).await.expect(200);
        }
        let refused = ask(As::Viewer).await.expect(429);
        assert_eq!(refused.header("retry-after"), "1");
        assert_eq!(refused.header("ratelimit"), "\"default\";r=0;t=5");
        assert_eq!(refused.json()["code"], "too_many_requests");
        // Another token has a bucket of its own, and so has an address that nobody knows.
        ask(As::Staff).await.expect(200);
        for _ in 0..5 {
            app.call(
                As::Anonymous,
                "GET",
                "/api/customers/",
                &[("authorization", "Bearer kontor_guess")],
                Body::empty(),
            )
            .await
            .expect(401);
        }
        ask(As::Anonymous).await.expect(429);
        // Pages are not counted.
        app.page(As::Viewer, "/customers").await.expect(200);
    });
}

#[test]
fn a_limit_of_nought_is_no_limit() {
    run(Kind::Sqlite, &[("rate_limit", "0"), ("rate_burst", "1")], async |app| {
        for _ in 0..20 {
            let answer = app.get(As::Viewer, "/api/customers/").await.expect(200);
            assert_eq!(answer.header("ratelimit"), "");
        }
    });
}
