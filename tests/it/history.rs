//! Every write leaves one event with before and after, in the same transaction; nothing else does.

use serde_json::json;

use crate::both;
use crate::support::As;

both! {
    async fn each_write_leaves_one_event_with_old_and_new(app) {
        let product = app.product("A", "9.00").await;
        let path = format!("/api/products/{}", product["id"]);
        let headers = [("content-type", "application/json"), ("x-request-id", "req-7")];
        app.call(As::Staff, "PATCH", &path, &headers, r#"{"price": "9.90"}"#).await.expect(200);
        app.json(As::Staff, "PATCH", &path, json!({ "price": "9.90" })).await.expect(200);
        app.json(As::Staff, "PATCH", &path, json!({ "price": "-1" })).await.expect(400);
        let page = app.page(As::Viewer, &format!("/products/{}", product["id"])).await.expect(200).body;
        for part in ["staff&#x27;s token", "changed this", "9.90", "9.00", "api", "version 2", "created this"] {
            assert!(page.contains(part) || page.contains(&part.replace("&#x27;", "'")), "{part}");
        }
        assert_eq!(app.rows("events WHERE resource = 'products'").await, 2, "no difference and no success leave no event");
        assert_eq!(app.rows("events WHERE request_id LIKE 'req-7.%' AND version_before = 1 AND version_after = 2 AND door = 'api'").await, 1);
        app.json(As::Staff, "DELETE", &path, json!({})).await.expect(204);
        assert_eq!(app.rows("events WHERE resource = 'products' AND command = 'delete' AND version_after IS NULL").await, 1);
    }

    async fn people_tokens_and_the_house_are_told_apart(app) {
        app.customer("Api").await;
        let once = "01890000-0000-7000-8000-000000000003";
        app.form(As::Staff, "/-/customers/create", "text/html", &[("once", once), ("form[name]", "Web"), ("page", "/")]).await.expect(303);
        assert_eq!(app.rows("events WHERE actor_kind = 'token' AND door = 'api' AND resource = 'customers'").await, 1);
        assert_eq!(app.rows("events WHERE actor_kind = 'user' AND door = 'web' AND actor_name = 'The staff'").await, 1);
        assert_eq!(app.rows("events WHERE actor_kind = 'system' AND resource = 'users' AND door = 'cli'").await, 4);
    }

    async fn no_event_holds_a_password(app) {
        assert_eq!(app.rows("events WHERE CAST(changes AS TEXT) LIKE '%argon2%' OR CAST(changes AS TEXT) LIKE '%password%'").await, 0);
        assert_eq!(app.rows("api_tokens WHERE hash LIKE 'kontor%'").await, 0, "only digests are stored");
    }
}
