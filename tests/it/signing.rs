//! Signing in and out, the session cookie, other sites, and how often one may try.

use axum::body::Body;
use axum::http::Request;

use crate::both;
use crate::support::{As, Kind, PASSWORD, TestApp, run};

const PAGE: &str = "text/html";

async fn sign_in(app: &TestApp, email: &str, password: &str, next: &str) -> crate::support::Answer {
    let fields = [("email", email), ("password", password), ("next", next), ("page", "/sign-in")];
    app.form(As::Anonymous, "/-/sign-in", PAGE, &fields).await
}

async fn with_cookie(app: &TestApp, method: &str, path: &str, cookie: &str) -> crate::support::Answer {
    let request = Request::builder().method(method).uri(path).header("accept", PAGE).header("cookie", cookie);
    let request = request.header("sec-fetch-site", "same-origin");
    app.send(request.header("content-type", "application/x-www-form-urlencoded").body(Body::empty()).unwrap()).await
}

both! {
    async fn a_person_signs_in_is_led_back_and_signs_out(app) {
        let answer = sign_in(app, "STAFF@kontor.example", PASSWORD, "/products?page=1").await.expect(303);
        assert_eq!(answer.header("location"), "/products?page=1");
        let cookie = answer.header("set-cookie").to_owned();
        for part in ["HttpOnly", "SameSite=Lax", "Path=/"] {
            assert!(cookie.contains(part), "{cookie}");
        }
        let session = cookie.split(';').next().unwrap();
        assert_eq!(with_cookie(app, "GET", "/customers", session).await.status, 200);
        assert_eq!(app.rows(&format!("sessions WHERE id LIKE '%{}%'", session.split('=').nth(1).unwrap())).await, 0, "the database keeps a digest");
        let out = with_cookie(app, "POST", "/-/sign-out", session).await.expect(303);
        assert_eq!(out.header("location"), "/sign-in");
        assert_eq!(with_cookie(app, "GET", "/customers", session).await.status, 303, "the session is over, whoever kept the cookie");
    }

    async fn unknown_people_and_wrong_passwords_get_the_same_answer(app) {
        let unknown = sign_in(app, "nobody@kontor.example", PASSWORD, "").await.expect(401);
        let wrong = sign_in(app, "staff@kontor.example", "wrong", "").await.expect(401);
        let plain = |body: &str| regex_free(body);
        assert_eq!(plain(&unknown.body).replace("nobody@", "staff@"), plain(&wrong.body));
        assert!(wrong.body.contains("The e-mail or the password is not right."));
        assert!(wrong.body.contains("value=\"staff@kontor.example\"") && !wrong.body.contains("value=\"wrong\""));
        assert!(!wrong.headers.contains_key("set-cookie"));
    }

    async fn nobody_is_led_to_another_site(app) {
        for next in ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", ""] {
            let answer = sign_in(app, "staff@kontor.example", PASSWORD, next).await.expect(303);
            assert_eq!(answer.header("location"), "/", "{next}");
        }
    }

    async fn a_forged_or_old_cookie_is_nobody(app) {
        for cookie in ["kontor_session=", "kontor_session=AAAA", "kontor_session=AAAAAAAAAAAAAAAAAAAAAA", "other=1"] {
            assert_eq!(with_cookie(app, "GET", "/customers", cookie).await.status, 303, "{cookie}");
        }
    }

    async fn a_session_ends_when_its_person_is_shut_out(app) {
        app.page(As::Staff, "/customers").await.expect(200);
        let held = app.state.database.write().await.unwrap();
        sea_orm::ConnectionTrait::execute_unprepared(&held, "UPDATE users SET is_active = FALSE WHERE email = 'staff@kontor.example'").await.unwrap();
        held.commit().await.unwrap();
        app.page(As::Staff, "/customers").await.expect(303);
        app.get(As::Staff, "/api/").await.expect(401);
        sign_in(app, "staff@kontor.example", PASSWORD, "").await.expect(401);
    }

    async fn the_theme_is_remembered(app) {
        let answer = app.form(As::Staff, "/-/theme", PAGE, &[("theme", "dark"), ("page", "/customers?page=1")]).await.expect(303);
        assert_eq!(answer.header("location"), "/customers?page=1");
        let theme = answer.header("set-cookie").split(';').next().unwrap().to_owned();
        let cookie = format!("{}; {theme}", app.cookie(As::Staff).unwrap());
        assert!(with_cookie(app, "GET", "/customers", &cookie).await.body.contains("data-theme=\"dark\""));
    }
}

/// The page without what is new each time.
fn regex_free(body: &str) -> String {
    let mut text = String::new();
    let mut rest = body;
    while let Some(at) = rest.find("nonce=\"") {
        text.push_str(&rest[..at]);
        rest = rest[at + 7..].split_once('"').unwrap().1;
    }
    text + rest
}

#[test]
fn attempts_are_counted_per_account() {
    run(Kind::Sqlite, &[("sign_in_attempts", "3")], async |app| {
        for _ in 0..3 {
            sign_in(app, "staff@kontor.example", "wrong", "").await.expect(401);
        }
        let refused = sign_in(app, "Staff@kontor.example", PASSWORD, "").await.expect(429);
        assert!(refused.header("retry-after").parse::<u32>().unwrap() > 0);
        assert!(refused.body.contains("Too many attempts."));
        sign_in(app, "viewer@kontor.example", PASSWORD, "").await.expect(303);
    });
}

#[test]
fn attempts_are_counted_per_address() {
    run(Kind::Sqlite, &[("sign_in_attempts", "3")], async |app| {
        let mut statuses = Vec::new();
        for number in 0..13 {
            statuses.push(sign_in(app, &format!("person{number}@kontor.example"), "wrong", "").await.status.as_u16());
        }
        assert_eq!(statuses[..12], [401; 12]);
        assert_eq!(statuses[12], 429);
    });
}

#[test]
fn the_cookie_is_secure_behind_tls() {
    run(Kind::Sqlite, &[("public_url", "https://orders.example.com")], async |app| {
        let answer = sign_in(app, "staff@kontor.example", PASSWORD, "").await.expect(303);
        assert!(answer.header("set-cookie").contains("Secure"));
        assert!(answer.headers.contains_key("strict-transport-security"));
        assert!(app.get(As::Staff, "/api/customers/?page_size=1").await.json()["next"].is_null());
    });
}
