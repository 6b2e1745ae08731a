//! What a token of the API means while people, roles and time change around it.

use std::time::Duration;

use axum::body::Body;

use crate::both;
use crate::support::{As, TestApp};

async fn asks(app: &TestApp, bearer: &str, path: &str) -> u16 {
    app.call(As::Anonymous, "GET", path, &[("authorization", bearer)], Body::empty()).await.status.as_u16()
}

/// How many tokens have such a last use.
async fn used(app: &TestApp, when: &str) -> i64 {
    app.rows(&format!("api_tokens WHERE last_used_at {when}")).await
}

const LONG_AGO: &str = "2026-01-01T00:00:00+00:00";

both! {
    async fn the_last_use_is_noted_and_not_at_every_use(app) {
        let bearer = app.bearer(&["products.view"]).await;
        app.execute("UPDATE api_tokens SET last_used_at = NULL").await;
        futures::future::join_all((0..20).map(|_| asks(app, &bearer, "/api/products/"))).await;
        let noted = async {
            while used(app, "IS NOT NULL").await == 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), noted).await.expect("a use is noted");
        // Noted for so far ahead that nothing can be due.
        app.execute("UPDATE api_tokens SET last_used_at = '2999-01-01T00:00:00+00:00' WHERE last_used_at IS NOT NULL").await;
        futures::future::join_all((0..20).map(|_| asks(app, &bearer, "/api/products/"))).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(used(app, "= '2999-01-01T00:00:00+00:00'").await, 1, "within the minute nothing is written");
        app.execute(&format!("UPDATE api_tokens SET last_used_at = '{LONG_AGO}' WHERE last_used_at IS NOT NULL")).await;
        asks(app, &bearer, "/api/products/").await;
        let noted = async {
            while used(app, &format!("= '{LONG_AGO}'")).await > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), noted).await.expect("after a minute it is noted anew");
    }

    async fn a_token_that_ran_out_or_was_revoked_is_nobodys_at_once(app) {
        for (ends, column) in [("ran out", "expires_at"), ("was revoked", "revoked_at")] {
            let bearer = app.bearer(&["products.view"]).await;
            assert_eq!(asks(app, &bearer, "/api/products/").await, 200);
            app.execute(&format!("UPDATE api_tokens SET {column} = '{LONG_AGO}' WHERE name = 'scoped'")).await;
            assert_eq!(asks(app, &bearer, "/api/products/").await, 401, "{ends}");
        }
    }

    async fn a_scope_shrinks_with_what_its_person_may(app) {
        let bearer = app.bearer(&["products.view", "customers.view"]).await;
        assert_eq!(asks(app, &bearer, "/api/customers/").await, 200);
        app.execute("UPDATE user_roles SET role_id = (SELECT id FROM roles WHERE code = 'viewer') WHERE user_id = (SELECT id FROM users WHERE email = 'administrator@kontor.example')").await;
        assert_eq!(asks(app, &bearer, "/api/customers/").await, 200, "a viewer may");
        app.execute("UPDATE roles SET permissions = 'products.view' WHERE code = 'viewer'").await;
        assert_eq!(asks(app, &bearer, "/api/customers/").await, 403);
        assert_eq!(asks(app, &bearer, "/api/products/").await, 200);
        app.execute("UPDATE users SET is_active = FALSE WHERE email = 'administrator@kontor.example'").await;
        assert_eq!(asks(app, &bearer, "/api/products/").await, 401, "the token of somebody who was shut out");
    }
}
