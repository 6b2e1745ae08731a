//! What other sites send with somebody's cookie is not carried out, whatever they say of where it comes from.

use axum::body::Body;
use axum::http::Request;
use sea_orm::ConnectionTrait;
use sea_orm::FromQueryResult;
use serde_json::{Value, json};

use crate::both;
use crate::support::{Answer, As, Kind, PASSWORD, TestApp, run};

/// What a request that is no page of ours says of where it comes from.
const LIES: [&[(&str, &str)]; 17] = [
    &[],
    &[("sec-fetch-site", "cross-site")],
    &[("sec-fetch-site", "same-site")],
    &[("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")],
    &[("sec-fetch-site", "cross-site"), ("origin", "http://kontor.example")],
    &[("sec-fetch-site", "Same-Origin"), ("origin", "https://evil.example")],
    &[("origin", "https://evil.example")],
    &[("origin", "null")],
    &[("origin", "")],
    &[("origin", "kontor.example")],
    &[("origin", "ftp://kontor.example")],
    &[("origin", "http://kontor.example:8080")],
    &[("origin", "http://kontor.example.evil.example")],
    &[("origin", "http://evilkontor.example")],
    &[("origin", "http://kontor.example@evil.example")],
    &[("origin", "http://evil.example/kontor.example")],
    &[("origin", "http://evil.example#http://kontor.example")],
];

/// What pages of ours say, in old browsers and new ones.
const TRUE: [&[(&str, &str)]; 3] = [
    &[("sec-fetch-site", "same-origin")],
    &[("origin", "http://kontor.example")],
    &[("sec-fetch-site", "same-origin"), ("origin", "http://kontor.example")],
];

/// A form with its fields, and who sends it.
struct Form {
    who: As,
    path: &'static str,
    fields: Vec<(&'static str, String)>,
}

impl Form {
    fn of(who: As, path: &'static str, fields: &[(&'static str, &str)]) -> Self {
        Self { who, path, fields: fields.iter().map(|(name, value)| (*name, (*value).to_owned())).collect() }
    }

    async fn send(&self, app: &TestApp, host: &str, said: &[(&str, &str)]) -> Answer {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.fields).finish();
        let mut request = Request::post(self.path).header("host", host).header("accept", "text/html");
        request = request.header("content-type", "application/x-www-form-urlencoded");
        for (name, value) in said {
            request = request.header(*name, *value);
        }
        if let Some(cookie) = app.cookie(self.who) {
            request = request.header("cookie", cookie);
        }
        app.send(request.body(Body::from(body)).unwrap()).await
    }
}

/// One form of every sort: signing in and out, records, many records, people, roles, one's own account, undoing.
async fn forms(app: &TestApp) -> Vec<Form> {
    app.product("A", "1.00").await;
    let customer = app.customer("Bob").await;
    let path = format!("/api/customers/{}/", customer["id"]);
    let changed = app.json(As::Staff, "PATCH", &path, json!({ "name": "Rob" })).await.expect(200);
    let once = |last: &'static str| ("once", last);
    let act = [
        ("resource", "products"),
        ("page", "/admin/products/act"),
        ("form[action]", "set:category"),
        ("form[ids]", "1"),
        ("form[value]", "Food"),
        ("form[policy]", "all"),
    ];
    vec![
        Form::of(
            As::Anonymous,
            "/-/sign-in",
            &[("email", "staff@kontor.example"), ("password", PASSWORD), ("next", ""), ("page", "/sign-in")],
        ),
        Form::of(
            As::Staff,
            "/-/customers/create",
            &[once("01890000-0000-7000-8000-000000000001"), ("form[name]", "x"), ("page", "/customers/new")],
        ),
        Form::of(As::Administrator, "/-/admin/act", &act),
        Form::of(
            As::Administrator,
            "/-/roles/create",
            &[
                once("01890000-0000-7000-8000-000000000002"),
                ("form[name]", "x"),
                ("form[permissions.*]", "true"),
                ("page", "/admin/roles/new"),
            ],
        ),
        Form::of(
            As::Administrator,
            "/-/users/create",
            &[
                once("01890000-0000-7000-8000-000000000003"),
                ("form[name]", "x"),
                ("form[email]", "x@kontor.example"),
                ("form[is_active]", "true"),
                ("page", "/admin/users/new"),
            ],
        ),
        Form::of(As::Staff, "/-/changes/undo", &[("request", changed.header("x-request-id")), ("page", "/customers")]),
        Form::of(
            As::Staff,
            "/-/account/password",
            &[("password", PASSWORD), ("new_password", "violet harbour lantern"), ("page", "/account")],
        ),
        Form::of(
            // Staff just got another session with their password.
            As::Viewer,
            "/-/account/create-token",
            &[("days", ""), ("form[name]", "x"), ("page", "/account/tokens/new")],
        ),
        Form::of(As::Viewer, "/-/account/end-session", &[("id", ""), ("page", "/account")]),
        Form::of(As::Administrator, "/-/sign-out", &[]),
    ]
}

/// Everything that any of the forms could touch.
async fn books(app: &TestApp) -> Vec<Value> {
    let reader = app.state.database.reader();
    let mut rows = Vec::new();
    for table in
        ["customers", "products", "users", "roles", "user_roles", "api_tokens", "sessions", "events", "form_keys"]
    {
        let sql = format!("SELECT * FROM {table} ORDER BY 1, 2");
        let statement = sea_orm::Statement::from_string(reader.get_database_backend(), sql);
        rows.extend(sea_orm::JsonValue::find_by_statement(statement).all(reader).await.unwrap());
    }
    // Events get their place in the chain on their own.
    for row in &mut rows {
        let row = row.as_object_mut().unwrap();
        row.retain(|name, _| !matches!(name.as_str(), "place" | "hash"));
    }
    rows
}

both! {
    async fn a_form_that_no_page_of_ours_sent_is_not_carried_out(app) {
        let forms = forms(app).await;
        let before = books(app).await;
        for form in &forms {
            for said in LIES {
                let answer = form.send(app, "kontor.example", said).await;
                assert_eq!(answer.status, 403, "{} {said:?}: {}", form.path, answer.body);
                assert!(answer.body.contains("so it was not carried out"), "{}", answer.body);
                assert!(!answer.headers.contains_key("set-cookie"), "{} {said:?}", form.path);
            }
        }
        assert_eq!(books(app).await, before, "nothing was written");
        for (index, form) in forms.iter().enumerate() {
            let before = books(app).await;
            let answer = form.send(app, "kontor.example", TRUE[index % TRUE.len()]).await;
            assert!(matches!(answer.status.as_u16(), 200 | 303), "{}: {} {}", form.path, answer.status, answer.body);
            assert_ne!(books(app).await, before, "{} was carried out", form.path);
        }
    }

    async fn the_api_takes_a_cookie_only_from_pages_of_ours(app) {
        let cookie = app.cookie(As::Staff).unwrap();
        let send = async |said: &[(&str, &str)]| {
            let mut headers = vec![("content-type", "application/json"), ("cookie", cookie)];
            headers.extend(said);
            app.call(As::Anonymous, "POST", "/api/customers/", &headers, json!({ "name": "x" }).to_string()).await
        };
        for said in LIES {
            assert_eq!(send(said).await.status, 403, "{said:?}");
        }
        assert_eq!(app.rows("customers").await, 0);
        for said in TRUE {
            send(said).await.expect(201);
        }
        // A token is no cookie: no other site has one to send along.
        app.json(As::Staff, "POST", "/api/customers/", json!({ "name": "y" })).await.expect(201);
        app.json(As::Anonymous, "POST", "/api/customers/", json!({ "name": "y" })).await.expect(401);
    }

    async fn nothing_is_changed_by_following_a_link(app) {
        let forms = forms(app).await;
        let before = books(app).await;
        for form in forms {
            let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(&form.fields).finish();
            assert_eq!(app.page(form.who, &format!("{}?{query}", form.path)).await.status, 405, "{}", form.path);
        }
        assert_eq!(books(app).await, before);
    }
}

#[test]
fn where_the_address_is_known_its_scheme_counts() {
    run(Kind::Sqlite, &[("public_url", "https://orders.example.com")], async |app| {
        let form = Form::of(As::Staff, "/-/theme", &[("theme", "dark"), ("page", "/customers")]);
        for origin in
            ["http://orders.example.com", "https://orders.example.com:8443", "https://orders.example.com.evil.example"]
        {
            let answer = form.send(app, "orders.example.com", &[("origin", origin)]).await;
            assert!(answer.expect(403).body.contains("came from another site"), "{origin}");
        }
        form.send(app, "orders.example.com", &[("origin", "https://orders.example.com")]).await.expect(303);
        // Behind a proxy that asks by another name.
        form.send(app, "127.0.0.1:3000", &[("origin", "https://orders.example.com")]).await.expect(303);
    });
}
