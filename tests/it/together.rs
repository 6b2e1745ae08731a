//! Two people at once: nothing is lost, nothing is made twice, nobody sees a locked database.

use std::collections::BTreeSet;

use futures::future::join_all;
use serde_json::json;

use crate::both;
use crate::support::As;

both! {
    async fn of_many_who_save_the_same_version_exactly_one_wins(app) {
        let id = app.customer("Before").await["id"].clone();
        let path = format!("/api/customers/{id}");
        let headers = [("content-type", "application/json"), ("if-match", "\"v1\"")];
        let saved = join_all((0..12).map(|n| {
            let body = json!({ "name": format!("Name {n}") }).to_string();
            let (path, headers) = (&path, &headers);
            async move { app.call(As::Staff, "PATCH", path, headers, body).await.status.as_u16() }
        })).await;
        assert_eq!(saved.iter().filter(|status| **status == 200).count(), 1, "{saved:?}");
        assert_eq!(saved.iter().filter(|status| **status == 412).count(), 11, "{saved:?}");
        assert_eq!(app.get(As::Staff, &path).await.json()["version"], 2);
        assert_eq!(app.rows("events WHERE resource = 'customers'").await, 2);
    }

    async fn many_writers_get_codes_of_their_own(app) {
        let made = join_all((0..32).map(|n| app.customer(Box::leak(format!("Customer {n}").into_boxed_str())))).await;
        let codes: BTreeSet<_> = made.iter().map(|customer| customer["code"].as_str().unwrap().to_owned()).collect();
        assert_eq!(codes.len(), 32);
        assert_eq!(app.rows("customers").await, 32);
    }

    async fn of_many_who_want_the_same_code_exactly_one_gets_it(app) {
        let body = json!({ "sku": "ONE", "name": "x", "unit": "pcs", "price": "1" });
        let made = join_all((0..12).map(|_| app.json(As::Staff, "POST", "/api/products/", body.clone()))).await;
        let statuses: Vec<_> = made.iter().map(|answer| answer.status.as_u16()).collect();
        assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
        assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 11, "{statuses:?}");
        assert_eq!(app.rows("products").await, 1);
    }

    async fn one_deletes_while_another_saves(app) {
        let id = app.customer("Before").await["id"].clone();
        let path = format!("/api/customers/{id}");
        let headers = [("content-type", "application/json"), ("if-match", "\"v1\"")];
        let (deleted, saved) = tokio::join!(
            app.call(As::Staff, "DELETE", &path, &headers, ""),
            app.call(As::Staff, "PATCH", &path, &headers, r#"{"name": "After"}"#),
        );
        let outcome = (deleted.status.as_u16(), saved.status.as_u16());
        assert!(matches!(outcome, (204, 404) | (412, 200)), "{outcome:?}");
        assert_eq!(app.rows("events WHERE resource = 'customers'").await, 2);
    }

    async fn readers_do_not_wait_for_a_writer(app) {
        app.customer("Before").await;
        let held = app.state.database.write().await.unwrap();
        app.get(As::Viewer, "/api/customers/").await.expect(200);
        drop(held);
    }
}
