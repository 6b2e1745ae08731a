//! The REST contract of API.md.

use axum::body::Body;
use serde_json::{Value, json};

use crate::both;
use crate::support::As;

both! {
    async fn a_customer_lives_from_post_to_delete(app) {
        let body = json!({ "name": "Café Lumière", "email": "Bonjour@Cafe.example", "billing_country": "fr",
                           "credit_limit": "2500", "payment_terms_days": 30 });
        let created = app.json(As::Staff, "POST", "/api/customers/", body).await.expect(201);
        let customer = created.json();
        let path = created.header("location").to_owned();
        assert_eq!(path, format!("/api/customers/{}/", customer["id"]));
        assert_eq!(created.header("etag"), "\"v1\"");
        assert_eq!(customer["code"], "C-00001");
        assert_eq!(customer["billing_country"], "FR");
        assert_eq!(customer["credit_limit"], "2500.00");
        assert_eq!(customer["is_active"], true);
        assert!(customer["created_at"].as_str().unwrap().ends_with('Z'));
        assert_eq!(customer["created_at"], customer["updated_at"]);

        let read = app.get(As::Viewer, &path).await.expect(200);
        assert_eq!(read.json(), customer);
        let fresh = app.call(As::Viewer, "GET", &path, &[("if-none-match", "\"v1\"")], Body::empty()).await.expect(304);
        assert!(fresh.body.is_empty());

        let patched = app.json(As::Staff, "PATCH", &path, json!({ "phone": "+33 1" })).await.expect(200);
        assert_eq!(patched.header("etag"), "\"v2\"");
        assert_eq!(patched.json()["phone"], "+33 1");
        assert_eq!(patched.json()["name"], "Café Lumière");

        let replaced = app.json(As::Staff, "PUT", &path, json!({ "name": "Lumière" })).await.expect(200).json();
        assert_eq!(replaced["email"], Value::Null, "what a PUT does not name is blank");
        assert_eq!(replaced["code"], "C-00001", "but a code is never lost");

        app.json(As::Staff, "DELETE", &path, json!({})).await.expect(204);
        app.get(As::Staff, &path).await.expect(404);
        assert_eq!(app.rows("customers").await, 0);
    }

    async fn a_price_keeps_every_decimal(app) {
        for (sku, given, kept) in [("A", json!("9.90"), "9.90"), ("B", json!("0.0001"), "0.0001"), ("C", json!("12"), "12.00"),
                                   ("D", json!("99999999999.9999"), "99999999999.9999")] {
            let body = json!({ "sku": sku, "name": "x", "unit": "pcs", "price": given, "tax_rate": "19" });
            let product = app.json(As::Staff, "POST", "/api/products/", body).await.expect(201).json();
            assert_eq!(product["price"], kept);
            assert_eq!(product["tax_rate"], "19.00");
            assert_eq!(app.get(As::Staff, &format!("/api/products/{}", product["id"])).await.json()["price"], kept);
        }
        let raw = r#"{ "sku": "E", "name": "x", "unit": "pcs", "price": 9.9 }"#;
        let headers = [("content-type", "application/json; charset=utf-8")];
        assert_eq!(app.call(As::Staff, "POST", "/api/products", &headers, raw).await.expect(201).json()["price"], "9.90");
    }

    async fn what_a_get_gave_can_be_put_back_unchanged(app) {
        let customer = app.customer("Somebody").await;
        let path = format!("/api/customers/{}/", customer["id"]);
        let same = app.json(As::Staff, "PUT", &path, customer.clone()).await.expect(200);
        assert_eq!(same.json(), customer, "nothing changed, so nothing was written");
        let mut forged = customer;
        forged["version"] = json!(7);
        let refused = app.json(As::Staff, "PUT", &path, forged).await.expect(400);
        assert_eq!(refused.at("version"), "This field is read-only.");
        let refused = app.json(As::Staff, "POST", "/api/customers/", json!({ "name": "x", "id": 5 })).await.expect(400);
        assert!(refused.at("id").contains("no such field"));
    }

    async fn a_stale_version_is_refused_with_the_current_one(app) {
        let customer = app.customer("Somebody").await;
        let path = format!("/api/customers/{}", customer["id"]);
        let json_as = |tag| [("content-type", "application/json"), ("if-match", tag)];
        let change = |name: &str| json!({ "name": name }).to_string();
        app.call(As::Staff, "PATCH", &path, &json_as("\"v1\""), change("One")).await.expect(200);
        for method in ["PATCH", "PUT", "DELETE"] {
            let stale = app.call(As::Staff, method, &path, &json_as("\"v1\""), change("Two")).await.expect(412).json();
            assert_eq!((&stale["code"], &stale["version"]), (&json!("stale"), &json!(2)));
        }
        assert_eq!(app.get(As::Staff, &path).await.json()["name"], "One");
        app.call(As::Staff, "PATCH", &path, &json_as("v2"), change("Two")).await.expect(400);
        app.call(As::Staff, "PATCH", &path, &json_as("*"), change("Two")).await.expect(200);
        app.call(As::Staff, "DELETE", &path, &json_as("\"v3\""), Body::empty()).await.expect(204);
    }

    async fn a_careful_token_must_name_the_version(app) {
        let customer = app.customer("Somebody").await;
        let path = format!("/api/customers/{}", customer["id"]);
        app.json(As::Careful, "PATCH", &path, json!({ "name": "x" })).await.expect(428);
        app.json(As::Careful, "DELETE", &path, json!({})).await.expect(428);
        let headers = [("content-type", "application/json"), ("if-match", "\"v1\"")];
        app.call(As::Careful, "PATCH", &path, &headers, r#"{"name": "x"}"#).await.expect(200);
    }

    async fn every_path_answers_with_and_without_the_slash_and_under_v1(app) {
        let id = app.customer("Somebody").await["id"].clone();
        for base in ["/api", "/api/v1"] {
            for path in [base.to_owned(), format!("{base}/customers"), format!("{base}/customers/{id}"), format!("{base}/products")] {
                let without = app.get(As::Staff, &path).await.expect(200);
                let with = app.get(As::Staff, &format!("{path}/")).await.expect(200);
                assert_eq!(without.body.replace('/', ""), with.body.replace('/', ""), "{path}");
            }
            let index = app.get(As::Staff, base).await.json();
            assert_eq!(index["customers"], format!("{base}/customers/"));
        }
        let created = app.json(As::Staff, "POST", "/api/v1/customers/", json!({ "name": "x" })).await.expect(201);
        assert!(created.header("location").starts_with("/api/v1/customers/"));
    }

    async fn head_options_and_wrong_methods_are_answered(app) {
        let id = app.customer("Somebody").await["id"].clone();
        for (path, allowed) in [
            ("/api/".to_owned(), "GET, HEAD, OPTIONS"),
            ("/api/customers/".to_owned(), "GET, HEAD, POST, OPTIONS"),
            (format!("/api/customers/{id}"), "GET, HEAD, PUT, PATCH, DELETE, OPTIONS"),
        ] {
            let head = app.call(As::Staff, "HEAD", &path, &[], Body::empty()).await.expect(200);
            assert!(head.body.is_empty(), "{path}");
            let options = app.call(As::Staff, "OPTIONS", &path, &[], Body::empty()).await.expect(204);
            assert_eq!(options.header("allow"), allowed);
            let wrong = app.call(As::Staff, "TRACE", &path, &[], Body::empty()).await.expect(405);
            let names = |text: &str| text.split(',').map(|m| m.trim().to_owned()).collect::<std::collections::BTreeSet<_>>();
            assert_eq!(names(wrong.header("allow")), names(allowed), "{path}");
            assert_eq!(wrong.json()["code"], "method_not_allowed");
        }
    }

    async fn parameters_are_refused_where_none_are_known(app) {
        let (customer, order) = (app.customer("Somebody").await, app.order(&app.customer("Else").await, json!([])).await);
        let (one, order) = (format!("/api/customers/{}/", customer["id"]), format!("/api/v1/orders/{}", order["id"]));
        for (method, path) in [("GET", "/api/?x=1".to_owned()), ("GET", format!("{one}?fields=name")), ("HEAD", format!("{one}?x")),
                               ("PATCH", format!("{one}?dry_run=true")), ("DELETE", format!("{one}?force=1")), ("POST", "/api/customers/?x=1".into()),
                               ("POST", format!("{order}/place/?dry_run=true")), ("GET", format!("{order}/actions?x=1")), ("POST", "/api/customers/bulk/?x=1".into()),
                               ("GET", "/api/openapi.json?x=1".into()), ("POST", "/api/customers/?format=json".into())] {
            let refused = app.json(As::Staff, method, &path, json!({ "name": "x" })).await.expect(400);
            let said = ["This address takes no parameters.", "There is no such parameter."];
            assert!(method == "HEAD" || said.iter().any(|said| refused.body.contains(said)), "{path}: {}", refused.body);
        }
        assert_eq!(app.rows("customers").await, 2, "nothing was done");
        app.get(As::Staff, &format!("{one}?format=json")).await.expect(200);
        app.get(As::Staff, "/api/nothing/?x=1").await.expect(404);
        app.get(As::Anonymous, &format!("{one}?x=1")).await.expect(401);
    }

    async fn what_stands_beside_the_resources_answers_options_too(app) {
        for path in ["/api", "/api/openapi.json", "/api/openapi.json/", "/api/v1/openapi.json/", "/api/events/", "/api/docs", "/api/docs/",
                     "/api/docs/explorer/", "/api/docs/explorer/swagger-ui.css"] {
            let options = app.call(As::Viewer, "OPTIONS", path, &[], Body::empty()).await.expect(204);
            assert_eq!(options.header("allow"), "GET, HEAD, OPTIONS", "{path}");
            assert!(app.get(As::Viewer, path).await.status.as_u16() < 400, "{path}");
        }
    }

    async fn every_refusal_is_a_problem_with_the_request_id(app) {
        let answer = app.call(As::Staff, "GET", "/api/customers/77", &[("x-request-id", "abc-1")], Body::empty()).await.expect(404);
        assert_eq!(answer.header("content-type"), "application/problem+json");
        let id = answer.header("x-request-id");
        assert!(id.starts_with("abc-1.") && id.len() == 38, "{id}");
        let problem = answer.json();
        assert_eq!(problem["instance"], id);
        assert_eq!(problem["status"], 404);
        assert_eq!(problem["title"], "Not found");
        for path in ["/api/nothing", "/api/customers/1/2/3", "/api/v1/x", "/api/customers/abc", "/api/customers/-1",
                     "/api/customers/999999999999999999999999999999", "/api/customers/%00"] {
            let answer = app.get(As::Staff, path).await.expect(404);
            assert_eq!(answer.header("content-type"), "application/problem+json", "{path}");
        }
        let unfit = app.call(As::Staff, "GET", "/api/", &[("x-request-id", "a b;c")], Body::empty()).await;
        assert_ne!(unfit.header("x-request-id"), "a b;c");
    }

    async fn the_answer_is_json_or_nothing(app) {
        app.call(As::Staff, "GET", "/api/customers", &[("accept", "application/xml")], Body::empty()).await.expect(406);
        app.customer("Bob").await;
        app.call(As::Staff, "GET", "/api/customers/1/", &[("accept", "text/csv")], Body::empty()).await.expect(406);
        for method in ["GET", "HEAD"] {
            app.call(As::Staff, method, "/api/customers/", &[("accept", "text/csv")], Body::empty()).await.expect(200);
        }
        app.call(As::Staff, "GET", "/api/customers", &[("accept", "application/*;q=0.5")], Body::empty()).await.expect(200);
    }

    async fn a_taken_value_is_a_conflict_at_its_field(app) {
        app.json(As::Staff, "POST", "/api/customers", json!({ "name": "x", "code": "Abc", "email": "A@b.example" })).await.expect(201);
        for (field, value) in [("code", "aBC"), ("email", "a@B.example")] {
            let taken = app.json(As::Staff, "POST", "/api/customers", json!({ "name": "y", field: value })).await.expect(409);
            assert_eq!(taken.at(field), "Another record already has this value.");
            assert_eq!(taken.json()["code"], "conflict");
        }
        assert_eq!(app.rows("customers").await, 1);
        assert_eq!(app.rows("events WHERE resource = 'customers'").await, 1);
    }

    async fn a_generated_code_never_meets_a_typed_one(app) {
        app.json(As::Staff, "POST", "/api/customers", json!({ "name": "x", "code": "c-00002" })).await.expect(201);
        assert_eq!(app.customer("First").await["code"], "C-00001");
        assert_eq!(app.customer("Second").await["code"], "C-00003");
    }

    async fn tokens_are_accepted_as_bearer_and_as_token(app) {
        for scheme in ["Bearer", "Token", "bearer"] {
            let value = format!("{scheme} {}", app.token(As::Viewer).unwrap());
            app.call(As::Anonymous, "GET", "/api/", &[("authorization", &value)], Body::empty()).await.expect(200);
        }
        for wrong in ["Bearer kontor_0000", "Bearer", "Basic YTpi", "kontor"] {
            let answer = app.call(As::Anonymous, "GET", "/api/", &[("authorization", wrong)], Body::empty()).await.expect(401);
            assert!(answer.header("www-authenticate").starts_with("Bearer"), "{wrong}");
        }
    }
}
