//! Input that makes no sense: always a 4xx that names the culprit, never a driver's text, and nothing is written.

use axum::body::Body;
use serde_json::{Value, json};

use crate::both;
use crate::support::{Answer, As, Kind, run};

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

#[track_caller]
fn a_clear_refusal(answer: &Answer) {
    assert!(answer.status.is_client_error(), "{} {}", answer.status, answer.body);
    assert_eq!(answer.header("content-type"), "application/problem+json");
    for leak in ["sqlx", "sqlite", "postgres", "constraint", "serde", "expected `", "SELECT", "panicked"] {
        assert!(!answer.body.contains(leak), "{leak}: {}", answer.body);
    }
}

#[test]
fn how_deep_a_body_may_nest_is_a_setting() {
    let nested = |levels: usize| format!("{{\"name\": {}{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1));
    for kind in [Kind::Sqlite, Kind::Postgres] {
        run(kind, &[("json_depth", "3")], async |app| {
            for path in ["/api/customers/", "/api/customers/bulk/", "/api/orders/1/place/"] {
                let deep = app.call(As::Staff, "POST", path, &JSON, nested(4)).await.expect(400);
                assert!(deep.body.contains("nests deeper than 3 levels"), "{}", deep.body);
                let allowed = app.call(As::Staff, "POST", path, &JSON, nested(3)).await;
                assert!(!allowed.body.contains("nests deeper"), "{}", allowed.body);
            }
            let order = r#"{"customer": 1, "items": [{"sku": "x", "quantity": 1}]}"#;
            let answer = app.call(As::Staff, "POST", "/api/orders/", &JSON, order).await.expect(400);
            assert!(
                answer.at("customer").contains("no such customer"),
                "an order with lines is three levels: {}",
                answer.body
            );
        });
    }
}

both! {
    async fn a_wrong_value_is_named_at_its_field(app) {
        let long = "x".repeat(201);
        for (field, value) in [
            ("name", json!(null)), ("name", json!("")), ("name", json!("   ")), ("name", json!(5)), ("name", json!([])),
            ("name", json!({})), ("name", json!(true)), ("name", json!(long)), ("name", json!("a\u{0}b")), ("name", json!("a\nb")),
            ("code", json!("x".repeat(41))), ("email", json!("nobody")), ("email", json!("a@b@c")),
            ("billing_country", json!("Atlantis")), ("billing_country", json!("XX")),
            ("payment_terms_days", json!("30")), ("payment_terms_days", json!(1.5)), ("payment_terms_days", json!(-1)),
            ("payment_terms_days", json!(366)), ("payment_terms_days", json!(true)),
            ("credit_limit", json!("-1")), ("credit_limit", json!("1e3")), ("credit_limit", json!("NaN")), ("credit_limit", json!("Infinity")),
            ("credit_limit", json!("1,000")), ("credit_limit", json!("0.001")), ("credit_limit", json!(0.001)),
            ("credit_limit", json!("9".repeat(30))), ("credit_limit", json!(false)),
            ("is_active", json!("true")), ("is_active", json!(1)), ("is_active", json!(null)), ("notes", json!("x".repeat(5001))),
        ] {
            let mut body = json!({ "name": "x" });
            body[field] = value.clone();
            let refused = app.json(As::Staff, "POST", "/api/customers/", body).await.expect(400);
            a_clear_refusal(&refused);
            assert!(!refused.at(field).is_empty(), "{field} {value}: {}", refused.body);
        }
        for (field, value) in [("price", "-0.01"), ("price", "1.00001"), ("price", "1e2"), ("price", "100000000000"), ("tax_rate", "100.01"),
                               ("sku", ""), ("unit", "")] {
            let mut body = json!({ "sku": "S", "name": "x", "unit": "pcs", "price": "1" });
            body[field] = json!(value);
            let refused = app.json(As::Staff, "POST", "/api/products/", body).await.expect(400);
            assert!(!refused.at(field).is_empty(), "{field} {value}");
        }
        for raw in ["1e2", "1.00001", "-1", "99999999999999999999999999"] {
            let body = format!(r#"{{ "sku": "S", "name": "x", "unit": "pcs", "price": {raw} }}"#);
            let refused = app.call(As::Staff, "POST", "/api/products/", &JSON, body).await.expect(400);
            assert!(!refused.at("price").is_empty(), "{raw}");
        }
        assert_eq!(app.rows("customers").await + app.rows("products").await, 0);
        assert_eq!(app.rows("events WHERE resource IN ('customers', 'products')").await, 0);
    }

    async fn missing_and_unknown_fields_are_named_all_at_once(app) {
        let refused = app.json(As::Staff, "POST", "/api/products/", json!({ "prize": "1", "zzzzzzzz": 1 })).await.expect(400);
        assert!(refused.at("prize").contains("Did you mean price?"));
        assert!(refused.at("zzzzzzzz").contains("no such field"));
        for field in ["sku", "name", "price"] {
            assert!(refused.at(field).contains("required"), "{field}");
        }
        let id = app.customer("Somebody").await["id"].clone();
        let refused = app.json(As::Staff, "PATCH", &format!("/api/customers/{id}"), json!({ "status": "vip" })).await.expect(400);
        assert!(refused.at("status").contains("no such field"));
    }

    async fn a_body_that_is_no_json_object_is_refused(app) {
        let deep = format!("{{\"name\": {}{}}}", "[".repeat(100), "]".repeat(100));
        let endless = format!("{{\"name\": {}", "[".repeat(200_000));
        let bodies: [&[u8]; 15] = [
            b"", b"{", b"[]", b"null", b"5", b"\"x\"", b"{\"name\": NaN}", b"{\"name\": Infinity}", b"{'name': 'x'}", b"{\"name\": \"x\",}",
            b"{\"name\": \"\\ud800\"}", b"{\"name\": \"\xff\"}", b"{\"name\": \"a\", \"name\": \"b\"}", deep.as_bytes(), endless.as_bytes(),
        ];
        for body in bodies {
            let refused = app.call(As::Staff, "POST", "/api/customers/", &JSON, body.to_vec()).await.expect(400);
            a_clear_refusal(&refused);
        }
        let twice = app.call(As::Staff, "POST", "/api/customers/", &JSON, "{\"name\": \"a\", \"name\": \"b\"}").await;
        assert_eq!(twice.at("name"), "Given more than once.");
        let crowded = format!("{{{}}}", (0..10_000).map(|n| format!("\"a{n}\": 1")).collect::<Vec<_>>().join(","));
        a_clear_refusal(&app.call(As::Staff, "POST", "/api/customers/", &JSON, crowded).await.expect(400));
        assert_eq!(app.rows("customers").await, 0);
    }

    async fn too_much_and_the_wrong_kind_are_refused(app) {
        let megabyte = json!({ "name": "x".repeat(1 << 20) }).to_string();
        a_clear_refusal(&app.call(As::Staff, "POST", "/api/customers/", &JSON, megabyte).await.expect(413));
        let nearly = json!({ "notes": "x".repeat(1_000_000) }).to_string();
        let refused = app.call(As::Staff, "POST", "/api/customers/", &JSON, nearly).await.expect(400);
        assert!(refused.at("notes").contains("at most 5000"));
        for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "json"] {
            let refused = app.call(As::Staff, "POST", "/api/customers/", &[("content-type", kind)], "{\"name\": \"x\"}").await.expect(415);
            a_clear_refusal(&refused);
        }
        a_clear_refusal(&app.call(As::Staff, "POST", "/api/customers/", &[], "{\"name\": \"x\"}").await.expect(415));
        assert_eq!(app.rows("customers").await, 0);
    }

    async fn a_form_refuses_the_same_with_the_same_words(app) {
        let once = "01890000-0000-7000-8000-000000000001";
        let refused = app.form(As::Staff, "/-/customers/create", "application/json", &[
            ("once", once), ("form[name]", ""), ("form[credit_limit]", "1e5"), ("form[payment_terms_days]", "soon"), ("form[nmae]", "x"),
            ("form[phone]", "a\u{0}b"),
        ]).await.expect(400);
        let errors = refused.json()["errors"].clone();
        assert_eq!(errors["name"][0], "Name is required.");
        assert_eq!(errors["credit_limit"][0], "Enter a number such as 12.50.");
        assert_eq!(errors["payment_terms_days"][0], "Enter a whole number.");
        assert!(errors["nmae"][0].as_str().unwrap().contains("Did you mean name?"));
        assert!(errors["phone"][0].as_str().unwrap().contains("control characters"));

        let id = app.customer("Somebody").await["id"].to_string();
        for fields in [
            vec![("id", "x"), ("version", "1"), ("form[name]", "y")],
            vec![("id", "999999999999999999999999999999"), ("version", "1"), ("form[name]", "y")],
            vec![("id", id.as_str()), ("version", "new"), ("form[name]", "y")],
            vec![("id", id.as_str()), ("form[name]", "y")],
            vec![("id", id.as_str()), ("version", "1"), ("form[name][deep]", "y")],
        ] {
            app.form(As::Staff, "/-/customers/update", "application/json", &fields).await.expect(400);
        }
        let body = vec![b'x'; 1_100_000];
        let mut request = axum::http::Request::post("/-/customers/create").header("sec-fetch-site", "same-origin").header("cookie", app.cookie(As::Staff).unwrap());
        request = request.header("content-type", "application/x-www-form-urlencoded");
        assert_eq!(app.send(request.body(Body::from(body)).unwrap()).await.status, 413);
        let mut request = axum::http::Request::post("/-/customers/create").header("sec-fetch-site", "same-origin").header("cookie", app.cookie(As::Staff).unwrap());
        request = request.header("content-type", "application/json");
        assert_eq!(app.send(request.body(Body::from("{}")).unwrap()).await.status, 415);
        let mut request = axum::http::Request::post("/-/customers/create").header("sec-fetch-site", "same-origin").header("cookie", app.cookie(As::Staff).unwrap());
        request = request.header("content-type", "application/x-www-form-urlencoded");
        assert_eq!(app.send(request.body(Body::from("once=1&form%5Bname%5D=%ff%fe")).unwrap()).await.status, 400);
        assert_eq!(app.rows("customers").await, 1);
    }

    async fn any_text_comes_back_intact_and_is_escaped_on_pages(app) {
        let name = "<script>alert('x')</script> \"&amp; Ünïcødé e\u{301} 👩‍🚀 مرحبا \u{202e}tfel'; DROP TABLE customers;--";
        let notes = "line one\nline two\t</textarea><b>";
        let customer = app.json(As::Staff, "POST", "/api/customers/", json!({ "name": name, "notes": notes })).await.expect(201).json();
        assert_eq!(customer["name"], name);
        let path = format!("/customers/{}", customer["id"]);
        let read = app.get(As::Staff, &format!("/api{path}")).await.json();
        assert_eq!((&read["name"], &read["notes"]), (&Value::from(name), &Value::from(notes)));
        for page in ["/customers".to_owned(), path.clone(), format!("{path}/edit"), format!("{path}/delete"), "/search?q=script".to_owned()] {
            let body = app.page(As::Staff, &page).await.expect(200).body;
            assert!(body.contains("مرحبا") && body.contains("👩‍🚀"), "{page}");
            assert!(!body.contains("<script>alert") && !body.contains("</textarea><b>"), "{page}");
        }
        assert_eq!(app.rows("customers").await, 1);
    }
}
