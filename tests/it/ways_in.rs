//! Ways in and what they reach as rights, passwords and time change: tokens, links, sessions, second factors.

use serde_json::{Value, json};

use crate::accounts::{code, cookie, enrol, sign_in, told};
use crate::both;
use crate::cli::{kontor, ok};
use crate::support::{Answer, As, Kind, PASSWORD, TestApp, run};

const NEW_PASSWORD: &str = "violet harbour lantern";

/// A call over the API with a bearer token.
async fn call(app: &TestApp, bearer: &str, method: &str, path: &str, body: Value) -> Answer {
    let headers = [("authorization", bearer), ("content-type", "application/json")];
    app.call(As::Anonymous, method, path, &headers, body.to_string()).await
}

async fn may(app: &TestApp, bearer: &str, path: &str) -> u16 {
    call(app, bearer, "GET", path, json!({})).await.status.as_u16()
}

/// A role that permits this, by its id.
async fn role(app: &TestApp, name: &str, permissions: &[&str]) -> String {
    let body = json!({ "name": name, "permissions": permissions });
    app.json(As::Administrator, "POST", "/api/roles/", body).await.expect(201).json()["id"].to_string()
}

async fn patch(app: &TestApp, path: &str, body: Value) {
    app.json(As::Administrator, "PATCH", path, body).await.expect(200);
}

/// A token of somebody who looks after clerks, and may no more than view customers besides.
async fn manager(app: &TestApp) -> String {
    app.bearer(&["users.view", "users.change", "tokens.add", "customers.view"]).await
}

/// The page of a link that `bearer` makes for somebody.
async fn link(app: &TestApp, bearer: &str, user: &Value) -> String {
    let path = format!("/api/users/{}/invite/", user["id"]);
    let made = call(app, bearer, "POST", &path, json!({})).await.expect(200).json();
    made["link"].as_str().unwrap().split_once("kontor.example").unwrap().1.to_owned()
}

async fn accept(app: &TestApp, link: &str) -> Answer {
    let key = link.split_once("key=").unwrap().1;
    let fields = [("key", key), ("name", "Clerk"), ("password", NEW_PASSWORD), ("page", link)];
    app.form(As::Anonymous, "/-/invite/accept", "text/html", &fields).await
}

both! {
    async fn a_token_made_for_somebody_keeps_what_its_maker_could_give(app) {
        let manager = manager(app).await;
        let clerks = role(app, "Clerks", &["customers.view"]).await;
        let user = app.person("Clerk", &["clerks"]).await;
        let session = app.signed_in("clerk@kontor.example").await;
        let body = json!({ "user": user["id"], "name": "theirs" });
        let theirs = call(app, &manager, "POST", "/api/tokens/", body).await.expect(201).json();
        assert_eq!(theirs["permissions"], json!(["customers.view"]), "frozen to what both held");
        let theirs = format!("Bearer {}", theirs["secret"].as_str().unwrap());
        let fields = [("days", ""), ("form[name]", "own"), ("page", "/account/tokens/new")];
        let own = told(&app.with_cookie(&session, "/-/account/create-token", Some(&fields)).await.expect(200)).remove(0);
        let own = format!("Bearer {own}");
        // A token makes none that outgrows it either.
        let body = json!({ "user": user["id"], "name": "by a token" });
        let by_token = app.json(As::Administrator, "POST", "/api/tokens/", body).await.expect(201).json();
        let by_token = format!("Bearer {}", by_token["secret"].as_str().unwrap());
        let all = [&theirs, &own, &by_token];
        for bearer in all {
            assert_eq!((may(app, bearer, "/api/customers/").await, may(app, bearer, "/api/products/").await), (200, 403));
        }
        patch(app, &format!("/api/roles/{clerks}"), json!({ "permissions": ["customers.view", "products.view"] })).await;
        for (bearer, products) in all.into_iter().zip([403, 200, 403]) {
            assert_eq!((may(app, bearer, "/api/customers/").await, may(app, bearer, "/api/products/").await), (200, products));
        }
        patch(app, &format!("/api/users/{}", user["id"]), json!({ "roles": ["administrator"] })).await;
        for (bearer, users) in all.into_iter().zip([403, 200, 403]) {
            assert_eq!((may(app, bearer, "/api/customers/").await, may(app, bearer, "/api/users/").await), (200, users));
        }
        patch(app, &format!("/api/users/{}", user["id"]), json!({ "roles": [] })).await;
        for bearer in all {
            assert_eq!(may(app, bearer, "/api/customers/").await, 403, "what is taken away counts at once");
        }
    }

    async fn a_link_ends_when_its_person_may_more_than_its_maker_could_give(app) {
        let manager = manager(app).await;
        let clerks = role(app, "Clerks", &["customers.view"]).await;
        let user = app.person("Clerk", &["clerks"]).await;
        let path = format!("/api/users/{}", user["id"]);
        let first = link(app, &manager, &user).await;
        app.page(As::Anonymous, &first).await.expect(200);
        patch(app, &path, json!({ "roles": ["clerks", "administrator"] })).await;
        app.page(As::Anonymous, &first).await.expect(404);
        accept(app, &first).await.expect(404);
        assert_eq!(app.rows("invitations").await, 0);
        patch(app, &path, json!({ "roles": ["clerks"] })).await;
        let second = link(app, &manager, &user).await;
        patch(app, &format!("/api/roles/{clerks}"), json!({ "permissions": ["customers.view", "orders.view"] })).await;
        accept(app, &second).await.expect(404);
        assert_eq!(app.rows("invitations").await, 0, "the same by a role that was widened");
        // The link of somebody who may give all of it stays.
        let third = link(app, &format!("Bearer {}", app.token(As::Administrator).unwrap()), &user).await;
        patch(app, &path, json!({ "roles": ["clerks", "staff"] })).await;
        accept(app, &third).await.expect(303);
    }

    async fn a_link_ends_with_the_rights_of_its_maker(app) {
        role(app, "Clerks", &["customers.view"]).await;
        role(app, "Managers", &["admin.view", "users.view", "users.change", "customers.view"]).await;
        let clerk = app.person("Clerk", &["clerks"]).await;
        let max = app.person("Max", &["managers"]).await;
        let session = app.signed_in("max@kontor.example").await;
        let id = clerk["id"].to_string();
        let invite = async || {
            let fields = [("id", id.as_str()), ("page", "/admin/users")];
            let made = app.with_cookie(&session, "/-/users/invite", Some(&fields)).await.expect(200);
            told(&made)[0].split_once("kontor.example").unwrap().1.to_owned()
        };
        let path = format!("/api/users/{}", max["id"]);
        let link = invite().await;
        app.page(As::Anonymous, &link).await.expect(200);
        patch(app, &path, json!({ "roles": ["staff"] })).await;
        app.page(As::Anonymous, &link).await.expect(200);
        patch(app, &path, json!({ "roles": [] })).await;
        app.page(As::Anonymous, &link).await.expect(404);
        patch(app, &path, json!({ "roles": ["managers"], "is_active": false })).await;
        accept(app, &link).await.expect(404);
    }

    async fn a_session_begun_by_a_link_ends_when_its_person_may_more_than_the_link_could_give(app) {
        let manager = manager(app).await;
        let clerks = role(app, "Clerks", &["customers.view"]).await;
        let user = app.person("Clerk", &["clerks"]).await;
        let by_link = cookie(&accept(app, &link(app, &manager, &user).await).await.expect(303));
        let by_password = cookie(&sign_in(app, "clerk@kontor.example", NEW_PASSWORD, "").await.expect(303));
        // What somebody makes in it does not outgrow it.
        let fields = [("days", ""), ("form[name]", "own"), ("page", "/account/tokens/new")];
        let token = told(&app.with_cookie(&by_link, "/-/account/create-token", Some(&fields)).await.expect(200)).remove(0);
        assert_eq!(app.with_cookie(&by_link, "/customers", None).await.status, 200);
        patch(app, &format!("/api/roles/{clerks}"), json!({ "permissions": ["customers.view", "products.view"] })).await;
        assert_eq!(app.with_cookie(&by_link, "/customers", None).await.status, 303);
        assert_eq!(app.rows("sessions WHERE reach IS NOT NULL").await, 0);
        assert_eq!(app.with_cookie(&by_password, "/products", None).await.status, 200);
        assert_eq!(may(app, &format!("Bearer {token}"), "/api/products/").await, 403);
        let administrator = format!("Bearer {}", app.token(As::Administrator).unwrap());
        let by_link = cookie(&accept(app, &link(app, &administrator, &user).await).await.expect(303));
        patch(app, &format!("/api/users/{}", user["id"]), json!({ "roles": ["staff"] })).await;
        assert_eq!(app.with_cookie(&by_link, "/orders", None).await.status, 200);
    }

    async fn tokens_of_before_whose_maker_is_another_or_unknown_are_frozen(app) {
        let viewer = app.get(As::Administrator, "/api/users/?search=viewer@").await.json()["results"][0]["id"].clone();
        app.json(As::Administrator, "POST", "/api/tokens/", json!({ "user": viewer, "name": "theirs" })).await.expect(201);
        app.json(As::Administrator, "POST", "/api/tokens/", json!({ "user": viewer, "name": "unknown" })).await.expect(201);
        let session = app.signed_in("viewer@kontor.example").await;
        let fields = [("days", ""), ("form[name]", "own"), ("page", "/account/tokens/new")];
        app.with_cookie(&session, "/-/account/create-token", Some(&fields)).await.expect(200);
        let invited = app.person("Ann", &["viewer"]).await;
        let open = link(app, &format!("Bearer {}", app.token(As::Administrator).unwrap()), &invited).await;
        app.execute("UPDATE api_tokens SET permissions = NULL WHERE name IN ('theirs', 'unknown')").await;
        app.execute("DELETE FROM events WHERE resource = 'tokens' AND record_id = (SELECT id FROM api_tokens WHERE name = 'unknown')").await;
        let database = &app.state.database;
        let steps = database.schema().await.unwrap().steps;
        let step = steps.iter().position(|(name, _)| name.contains("_000025_")).unwrap();
        database.migrate_down(u32::try_from(steps.len() - step).unwrap()).await.unwrap();
        database.migrate().await.unwrap();
        let tokens = app.get(As::Administrator, &format!("/api/tokens/?user={viewer}")).await.expect(200).json();
        let scope = |name: &str| {
            let tokens = tokens["results"].as_array().unwrap();
            tokens.iter().find(|token| token["name"] == name).unwrap()["permissions"].clone()
        };
        let viewed = json!(["customers.view", "orders.view", "products.view"]);
        let sorted = |scope: Value| {
            let mut codes = scope.as_array().cloned().unwrap_or_default();
            codes.sort_by_key(ToString::to_string);
            Value::Array(codes)
        };
        assert_eq!((sorted(scope("theirs")), sorted(scope("unknown"))), (viewed.clone(), viewed));
        assert_eq!((scope("own"), scope("viewer's token")), (Value::Null, Value::Null), "theirs, and the command line's");
        patch(app, &format!("/api/users/{}", invited["id"]), json!({ "roles": ["viewer", "staff"] })).await;
        app.page(As::Anonymous, &open).await.expect(404);
    }

    async fn who_must_have_a_second_factor_acts_by_no_token_before(app) {
        let user = app.person("Ann", &["staff"]).await;
        let body = json!({ "name": "Robot", "email": "robot@kontor.example", "roles": ["staff"], "is_service": true });
        let robot = app.json(As::Administrator, "POST", "/api/users/", body).await.expect(201).json();
        let token = async |user: &Value| {
            let body = json!({ "user": user["id"], "name": "x" });
            let made = app.json(As::Administrator, "POST", "/api/tokens/", body).await.expect(201).json();
            format!("Bearer {}", made["secret"].as_str().unwrap())
        };
        let (anns, robots) = (token(&user).await, token(&robot).await);
        assert_eq!((may(app, &anns, "/api/orders/").await, may(app, &robots, "/api/orders/").await), (200, 200));
        let staff = app.get(As::Administrator, "/api/roles/?search=staff").await.json()["results"][0]["id"].to_string();
        patch(app, &format!("/api/roles/{staff}"), json!({ "requires_second_factor": true })).await;
        let refused = call(app, &anns, "GET", "/api/orders/", json!({})).await.expect(403);
        assert!(refused.body.contains("must set up a second factor first"), "{}", refused.body);
        call(app, &anns, "POST", "/api/customers/", json!({ "name": "x" })).await.expect(403);
        assert_eq!(may(app, &robots, "/api/orders/").await, 200, "a service account never signs in, and can have none");
        let session = app.signed_in("ann@kontor.example").await;
        enrol(app, &session).await;
        assert_eq!(may(app, &anns, "/api/orders/").await, 200);
    }

    async fn changing_the_password_ends_the_tokens_when_that_is_asked(app) {
        let account = app.page(As::Staff, "/account").await.expect(200);
        assert!(account.body.contains("name=\"end_tokens\""));
        let bearer = format!("Bearer {}", app.token(As::Staff).unwrap());
        let session = app.signed_in("staff@kontor.example").await;
        let fields = [("password", PASSWORD), ("new_password", NEW_PASSWORD), ("page", "/account")];
        let session = cookie(&app.with_cookie(&session, "/-/account/password", Some(&fields)).await.expect(303));
        assert_eq!(may(app, &bearer, "/api/orders/").await, 200);
        let fields = [("password", NEW_PASSWORD), ("new_password", PASSWORD), ("end_tokens", "true"), ("page", "/account")];
        app.with_cookie(&session, "/-/account/password", Some(&fields)).await.expect(303);
        assert_eq!(may(app, &bearer, "/api/orders/").await, 401);
        assert_eq!(app.rows("events WHERE resource = 'tokens' AND command = 'revoke'").await, 1);
        // The command line asks the same.
        let bearer = format!("Bearer {}", app.token(As::Viewer).unwrap());
        let set = ["user", "set-password", "viewer@kontor.example", "--password-stdin"];
        ok(kontor(&app.url, &set, NEW_PASSWORD));
        assert_eq!(may(app, &bearer, "/api/orders/").await, 200);
        ok(kontor(&app.url, &[&set[..], &["--end-tokens"]].concat(), PASSWORD));
        assert_eq!(may(app, &bearer, "/api/orders/").await, 401);
    }

    async fn the_second_factor_is_locked_after_many_wrong_codes_and_its_owner_is_told(app) {
        let session = app.signed_in("staff@kontor.example").await;
        let (secret, codes, _) = enrol(app, &session).await;
        let enter = async |router: Option<&axum::Router>, code: &str| {
            let half = cookie(&sign_in(app, "staff@kontor.example", PASSWORD, "").await.expect(303));
            let fields = [("code", code), ("next", "/orders"), ("page", "/sign-in/code?next=/orders")];
            match router {
                None => app.with_cookie(&half, "/-/sign-in/code", Some(&fields)).await,
                Some(router) => app.at(router, &half, "/-/sign-in/code", &fields).await,
            }
        };
        let guess = async |times: usize| {
            let half = cookie(&sign_in(app, "staff@kontor.example", PASSWORD, "").await.expect(303));
            for _ in 0..times {
                let fields = [("code", "wrong-code"), ("next", "/orders"), ("page", "/sign-in/code?next=/orders")];
                app.with_cookie(&half, "/-/sign-in/code", Some(&fields)).await.expect(400);
            }
        };
        guess(30).await;
        let locked = enter(None, &code(&secret, 0)).await.expect(429);
        assert!(locked.body.contains("too many wrong codes") && !locked.header("retry-after").is_empty(), "{}", locked.body);
        // Another server on the same database says the same.
        let other = kontor::house::router(&kontor::house::state((*app.state.settings).clone(), app.state.database.clone())).unwrap();
        enter(Some(&other), &code(&secret, 0)).await.expect(429);
        // Its owner still comes in, is told, and has it open again.
        let whole = enter(None, &codes[0]).await.expect(303);
        assert_eq!(whole.header("location"), "/account");
        let account = app.with_cookie(&cookie(&whole), "/account", None).await.expect(200);
        assert!(account.body.contains("30 wrong codes were entered for your account"));
        app.state.security.flush().await;
        assert_eq!(app.rows("security_events WHERE kind = 'second_factor_shut' AND account = 'staff@kontor.example'").await, 1);
        enter(None, &code(&secret, 0)).await.expect(303);
        // It opens by itself,
        guess(30).await;
        assert_eq!(app.rows("second_factors WHERE shut_until IS NOT NULL").await, 1);
        app.execute("UPDATE second_factors SET shut_until = '2026-01-01T00:00:00+00:00', last_step = 0").await;
        enter(None, &code(&secret, 0)).await.expect(303);
        // and with another password, which whoever tried does not know.
        guess(30).await;
        ok(kontor(&app.url, &["user", "set-password", "staff@kontor.example", "--password-stdin"], PASSWORD));
        assert_eq!(app.rows("second_factors WHERE shut_until IS NOT NULL OR failures > 0").await, 0);
    }

    async fn codes_that_are_tried_at_once_are_all_counted(app) {
        let session = app.signed_in("staff@kontor.example").await;
        enrol(app, &session).await;
        let half = cookie(&sign_in(app, "staff@kontor.example", PASSWORD, "").await.expect(303));
        let fields = [("code", "wrong-code"), ("next", "/orders"), ("page", "/sign-in/code?next=/orders")];
        futures::future::join_all((0..12).map(|_| app.with_cookie(&half, "/-/sign-in/code", Some(&fields)))).await;
        assert_eq!(app.rows("second_factors WHERE failures = 12").await, 1);
    }

    async fn a_session_ends_after_thirty_days_however_much_it_is_used(app) {
        let session = app.signed_in("staff@kontor.example").await;
        let ago = |days: i64| (chrono::Utc::now() - chrono::TimeDelta::days(days)).to_rfc3339();
        app.execute(&format!("UPDATE sessions SET created_at = '{}'", ago(29))).await;
        assert_eq!(app.with_cookie(&session, "/orders", None).await.status, 200);
        app.execute(&format!("UPDATE sessions SET created_at = '{}'", ago(31))).await;
        assert_eq!(app.with_cookie(&session, "/orders", None).await.status, 303);
        // Another id does not make it younger.
        let session = app.signed_in("staff@kontor.example").await;
        let signed_in = chrono::Utc::now().timestamp() - 20 * 86_400;
        app.execute(&format!("UPDATE sessions SET data = '{{\"signed_in\":{signed_in}}}'")).await;
        let fields = [("password", PASSWORD), ("new_password", NEW_PASSWORD), ("page", "/account")];
        let session = cookie(&app.with_cookie(&session, "/-/account/password", Some(&fields)).await.expect(303));
        assert_eq!(app.with_cookie(&session, "/orders", None).await.status, 200);
        let younger = ago(19);
        assert_eq!(app.rows(&format!("sessions WHERE created_at > '{younger}' AND user_id = (SELECT id FROM users WHERE email = 'staff@kontor.example')")).await, 0);
    }

    async fn a_session_gets_another_id_with_the_password_the_second_factor_and_more_rights(app) {
        let opens = async |session: &str| app.with_cookie(session, "/customers", None).await.status.as_u16();
        let clerks = role(app, "Clerks", &["customers.view"]).await;
        app.person("Clerk", &["clerks"]).await;
        let first = app.signed_in("clerk@kontor.example").await;
        let fields = [("password", PASSWORD), ("new_password", NEW_PASSWORD), ("page", "/account")];
        let second = cookie(&app.with_cookie(&first, "/-/account/password", Some(&fields)).await.expect(303));
        assert_eq!((opens(&first).await, opens(&second).await), (303, 200), "password");
        let (_, codes, third) = enrol(app, &second).await;
        assert_eq!((opens(&second).await, opens(&third).await), (303, 200), "second factor on");
        let off = [("password", NEW_PASSWORD), ("code", &codes[0]), ("page", "/account/second-factor")];
        let fourth = cookie(&app.with_cookie(&third, "/-/account/second-factor/off", Some(&off)).await.expect(303));
        assert_eq!((opens(&third).await, opens(&fourth).await), (303, 200), "second factor off");
        let path = format!("/api/roles/{clerks}");
        patch(app, &path, json!({ "permissions": ["customers.view", "orders.view"] })).await;
        let fifth = cookie(&app.with_cookie(&fourth, "/customers", None).await.expect(200));
        assert_eq!((opens(&fourth).await, opens(&fifth).await), (303, 200), "more rights");
        patch(app, &path, json!({ "permissions": ["customers.view"] })).await;
        assert_eq!((opens(&fifth).await, opens(&fifth).await), (200, 200), "fewer rights count at once, and leave the id");
    }

    async fn a_token_and_a_second_factor_take_the_password_again_after_a_while(app) {
        let session = app.signed_in("staff@kontor.example").await;
        let recent = app.with_cookie(&session, "/account/tokens/new", None).await.expect(200);
        assert!(!recent.body.contains("name=\"password\""));
        let age = "UPDATE sessions SET data = REPLACE(REPLACE(data, '\"signed_in\":', '\"signed_in\":1,\"then\":'), '\"confirmed\":', '\"before\":')";
        app.execute(age).await;
        for page in ["/account/tokens/new", "/account/second-factor"] {
            assert!(app.with_cookie(&session, page, None).await.expect(200).body.contains("name=\"password\""), "{page}");
        }
        let begin = async |password: &str| {
            let fields = [("password", password), ("page", "/account/second-factor")];
            app.with_cookie(&session, "/-/account/second-factor/begin", Some(&fields)).await
        };
        let make = async |password: &str| {
            let fields = [("days", ""), ("form[name]", "x"), ("password", password), ("page", "/account/tokens/new")];
            app.with_cookie(&session, "/-/account/create-token", Some(&fields)).await
        };
        assert!(begin("").await.expect(400).body.contains("Enter your password once more"));
        assert!(make("").await.expect(400).body.contains("Enter your password once more"));
        assert!(make("wrong").await.expect(400).body.contains("This is not your password."));
        // Nor does the same session make one over the API.
        let headers = [("cookie", session.as_str()), ("content-type", "application/json")];
        let body = json!({ "user": 1, "name": "x" }).to_string();
        let administrator = app.signed_in("administrator@kontor.example").await;
        app.execute(age).await;
        let headers_of = [("cookie", administrator.as_str()), headers[1], ("sec-fetch-site", "same-origin")];
        let refused = app.call(As::Anonymous, "POST", "/api/tokens/", &headers_of, body).await.expect(400);
        assert!(!refused.at("password").is_empty());
        let fields = [("days", ""), ("form[name]", "x"), ("form[user]", "1"), ("page", "/admin/tokens/new")];
        app.with_cookie(&administrator, "/-/tokens/create", Some(&fields)).await.expect(400);
        assert_eq!(app.rows("api_tokens WHERE name = 'x'").await, 0);
        make(PASSWORD).await.expect(200);
        make("").await.expect(200);
        begin("").await.expect(303);
    }

    async fn a_password_is_long_enough_and_no_common_one(app) {
        let session = app.signed_in("staff@kontor.example").await;
        let long = "x ".repeat(101);
        for (password, said) in [
            ("eleven char", "12 to 200"), (long.as_str(), "12 to 200"), ("password1234", "easy to guess"), ("123456789012", "easy to guess"),
            ("qwertyuiop12", "easy to guess"), ("iloveyou1234", "easy to guess"), ("staff@kontor.example", "easy to guess"),
        ] {
            let fields = [("password", PASSWORD), ("new_password", password), ("page", "/account")];
            let refused = app.with_cookie(&session, "/-/account/password", Some(&fields)).await.expect(400);
            assert!(refused.body.contains(said), "{password}");
        }
    }
}

#[test]
fn the_cookie_belongs_to_this_host_alone_behind_tls() {
    run(Kind::Sqlite, &[("public_url", "https://orders.example.com")], async |app| {
        let answer = sign_in(app, "staff@kontor.example", PASSWORD, "").await.expect(303);
        let set = answer.header("set-cookie");
        assert!(set.starts_with("__Host-kontor_session=") && set.contains("Path=/") && set.contains("Secure"), "{set}");
        assert!(!set.contains("Domain"), "{set}");
        assert_eq!(app.with_cookie(&cookie(&answer), "/orders", None).await.status, 200);
    });
}

#[test]
fn passwords_and_recovery_codes_are_throttled_by_person_in_a_session() {
    run(Kind::Sqlite, &[("trust_forwarded", "true")], async |app| {
        let session = app.signed_in("staff@kontor.example").await;
        let (_, codes, session) = enrol(app, &session).await;
        let post = async |host: usize, path: &str, body: String| {
            let request = axum::http::Request::post(path).header("x-forwarded-for", format!("203.0.113.{host}"));
            let request = request.header("cookie", &session).header("sec-fetch-site", "same-origin");
            let request =
                request.header("content-type", "application/x-www-form-urlencoded").header("accept", "text/html");
            app.send(request.body(body.into()).unwrap()).await
        };
        let mut statuses = Vec::new();
        for host in 0..12 {
            let (path, body) = match host % 3 {
                0 => ("/-/account/password", "password=wrong&new_password=x&page=/account".to_owned()),
                1 => ("/-/account/second-factor/codes", "code=wrong-recovery-code&page=/account".to_owned()),
                _ => {
                    ("/-/account/second-factor/off", "password=wrong&code=wrong-recovery-code&page=/account".to_owned())
                }
            };
            statuses.push(post(host, path, body).await.status.as_u16());
        }
        assert_eq!(statuses, [&[400; 10][..], &[429; 2]].concat(), "from whatever address");
        // Elsewhere the owner signs in as ever.
        let half = cookie(&sign_in(app, "staff@kontor.example", PASSWORD, "").await.expect(303));
        let fields = [("code", codes[0].as_str()), ("next", "/orders"), ("page", "/sign-in/code?next=/orders")];
        app.with_cookie(&half, "/-/sign-in/code", Some(&fields)).await.expect(303);
    });
}
