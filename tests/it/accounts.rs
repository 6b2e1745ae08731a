//! People's accounts through the pages' own forms: invitations, passwords, second factors, sessions, tokens.

use serde_json::{Value, json};
use totp_rs::{Algorithm, Builder, Secret};

use crate::both;
use crate::support::{Answer, As, Kind, PASSWORD, TestApp, run};

const NEW_PASSWORD: &str = "violet harbour lantern";

/// What stands between two marks of a page.
#[track_caller]
fn between<'a>(page: &'a str, before: &str, after: &str) -> &'a str {
    let rest = page.split_once(before).unwrap_or_else(|| panic!("{before} is not on the page")).1;
    rest.split_once(after).unwrap().0
}

/// Everything that was told once on a page.
pub fn told(page: &Answer) -> Vec<String> {
    let list = between(&page.body, "class=\"notice good told\"", "</section>");
    list.split("<code>").skip(1).map(|rest| rest.split_once('<').unwrap().0.to_owned()).collect()
}

/// The code that an app with this secret shows so many steps from now.
pub fn code(secret: &str, steps: i64) -> String {
    let secret = Secret::try_from_base32(secret.replace(' ', "")).unwrap();
    let totp =
        Builder::new().with_algorithm(Algorithm::SHA1).with_secret(secret).with_account_name("x").build().unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    totp.generate(now.saturating_add_signed(steps * 30)).to_string()
}

pub async fn sign_in(app: &TestApp, email: &str, password: &str, cookie: &str) -> Answer {
    let fields = [("email", email), ("password", password), ("next", "/orders"), ("page", "/sign-in")];
    app.with_cookie(cookie, "/-/sign-in", Some(&fields)).await
}

pub fn cookie(answer: &Answer) -> String {
    answer.header("set-cookie").split(';').next().unwrap().to_owned()
}

/// Sets a second factor up and returns its secret, the recovery codes, and the session under its new id.
pub async fn enrol(app: &TestApp, session: &str) -> (String, Vec<String>, String) {
    let page = [("page", "/account/second-factor")];
    app.with_cookie(session, "/-/account/second-factor/begin", Some(&page)).await.expect(303);
    let page = app.with_cookie(session, "/account/second-factor", None).await.expect(200);
    assert!(page.body.contains("class=\"qr\"") && page.body.contains("<path d=\"M"));
    let secret = between(&page.body, "class=\"secret\">", "<").to_owned();
    let wrong = [("page", "/account/second-factor"), ("code", "000000")];
    let refused = app.with_cookie(session, "/-/account/second-factor/confirm", Some(&wrong)).await.expect(400);
    assert!(refused.body.contains("not right"));
    let now = code(&secret, -1);
    let fields = [("page", "/account/second-factor"), ("code", now.as_str())];
    let on = app.with_cookie(session, "/-/account/second-factor/confirm", Some(&fields)).await.expect(200);
    assert_eq!(on.header("cache-control"), "no-store");
    (secret, told(&on), cookie(&on))
}

async fn create_user(app: &TestApp, fields: &[(&str, &str)]) -> Answer {
    let once = format!("01890000-0000-7000-8000-{:012x}", rand::random::<u32>());
    let mut all = vec![("once", once.as_str()), ("page", "/admin/users/new"), ("form[is_active]", "true")];
    all.extend(fields);
    app.form(As::Administrator, "/-/users/create", "text/html", &all).await
}

both! {
    async fn an_invited_person_chooses_name_and_password_once(app) {
        let fields = [("form[name]", "Ann"), ("form[email]", "Ann@kontor.example"), ("form[roles.viewer]", "true")];
        let made = create_user(app, &fields).await.expect(200);
        let link = told(&made).remove(0);
        let key = link.split_once("key=").unwrap().1.to_owned();
        assert!(link.starts_with("http://kontor.example/invite?key="));
        assert_eq!(app.rows(&format!("invitations WHERE hash = '{key}'")).await, 0, "the database keeps a digest");
        let list = app.page(As::Administrator, "/admin/users").await.expect(200);
        assert!(list.body.contains("Invited") && !list.body.contains(&key));
        sign_in(app, "ann@kontor.example", PASSWORD, "").await.expect(401);
        let path = format!("/invite?key={key}");
        assert!(app.page(As::Anonymous, &path).await.expect(200).body.contains("Ann@kontor.example"));
        let accept = async |name: &str, password: &str| {
            let fields = [("key", key.as_str()), ("name", name), ("password", password), ("page", path.as_str())];
            app.form(As::Anonymous, "/-/invite/accept", "text/html", &fields).await
        };
        for (name, password, field) in [("", NEW_PASSWORD, "Name is required"), ("Ann", "short", "12 to 200"), ("Ann", "annannannann", "easy to guess")] {
            let refused = accept(name, password).await.expect(400);
            assert!(refused.body.contains(field) && !refused.body.contains(&format!("value=\"{password}\"")), "{field}");
        }
        let welcome = accept("Ann Ärger", NEW_PASSWORD).await.expect(303);
        let page = app.with_cookie(&cookie(&welcome), "/orders", None).await.expect(200);
        assert!(page.body.contains("Ann Ärger"));
        accept("Eve", PASSWORD).await.expect(404);
        app.page(As::Anonymous, &path).await.expect(404);
        sign_in(app, "ann@kontor.example", NEW_PASSWORD, "").await.expect(303);
        let named = "events WHERE command = 'accept_invitation' AND actor_name = 'Ann Ärger' AND CAST(changes AS TEXT) LIKE '%rger%'";
        assert_eq!(app.rows(named).await, 1);
    }

    async fn a_link_runs_out_and_a_new_one_stops_the_old(app) {
        let user = app.person("Ann", &["staff"]).await;
        let session = app.signed_in("ann@kontor.example").await;
        let id = user["id"].to_string();
        let page = format!("/admin/users/{id}");
        let invite = async || {
            let fields = [("id", id.as_str()), ("page", page.as_str())];
            let told = told(&app.form(As::Administrator, "/-/users/invite", "text/html", &fields).await.expect(200));
            told[0].split_once("kontor.example").unwrap().1.to_owned()
        };
        let (first, second) = (invite().await, invite().await);
        assert_eq!(app.with_cookie(&session, "/orders", None).await.status, 303, "a reset ends the sessions");
        app.page(As::Anonymous, &first).await.expect(404);
        app.page(As::Anonymous, &second).await.expect(200);
        app.execute("UPDATE invitations SET expires_at = '2026-01-01T00:00:00+00:00'").await;
        app.page(As::Anonymous, &second).await.expect(404);
        let third = invite().await;
        app.json(As::Administrator, "PATCH", &format!("/api/users/{id}"), json!({ "is_active": false })).await.expect(200);
        app.page(As::Anonymous, &third).await.expect(404);
    }

    async fn a_changed_password_signs_out_elsewhere(app) {
        let (here, elsewhere) = (app.signed_in("staff@kontor.example").await, app.signed_in("staff@kontor.example").await);
        let change = async |old: &str, new: &str| {
            let fields = [("password", old), ("new_password", new), ("page", "/account")];
            app.with_cookie(&here, "/-/account/password", Some(&fields)).await
        };
        assert!(change("wrong", NEW_PASSWORD).await.expect(400).body.contains("This is not your password."));
        assert!(change(PASSWORD, "password1234").await.expect(400).body.contains("easy to guess"));
        assert_eq!(app.with_cookie(&elsewhere, "/orders", None).await.status, 200);
        let here = cookie(&change(PASSWORD, NEW_PASSWORD).await.expect(303));
        assert_eq!(app.with_cookie(&here, "/orders", None).await.status, 200);
        assert_eq!(app.with_cookie(&elsewhere, "/orders", None).await.status, 303);
        sign_in(app, "staff@kontor.example", PASSWORD, "").await.expect(401);
        sign_in(app, "staff@kontor.example", NEW_PASSWORD, "").await.expect(303);
        assert_eq!(app.rows("events WHERE CAST(changes AS TEXT) LIKE '%argon2%' OR CAST(changes AS TEXT) LIKE '%violet%'").await, 0);
    }

    async fn a_hash_with_old_parameters_is_made_anew_at_sign_in(app) {
        let old = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, argon2::Params::new(8192, 1, 1, None).unwrap());
        let hash = argon2::password_hash::PasswordHasher::hash_password(&old, PASSWORD.as_bytes()).unwrap().to_string();
        app.execute(&format!("UPDATE users SET password_hash = '{hash}' WHERE email = 'staff@kontor.example'")).await;
        sign_in(app, "staff@kontor.example", "wrong", "").await.expect(401);
        assert_eq!(app.rows("users WHERE password_hash LIKE '%m=8192%'").await, 1);
        sign_in(app, "staff@kontor.example", PASSWORD, "").await.expect(303);
        assert_eq!(app.rows("users WHERE password_hash LIKE '%m=8192%'").await, 0);
        sign_in(app, "staff@kontor.example", PASSWORD, "").await.expect(303);
    }

    async fn a_second_factor_asks_for_a_code_that_is_taken_once(app) {
        let session = app.signed_in("staff@kontor.example").await;
        let (secret, codes, _) = enrol(app, &session).await;
        assert_eq!(codes.len(), 10);
        assert_eq!(app.rows(&format!("recovery_codes WHERE hash LIKE '%{}%'", codes[0])).await, 0, "only digests are stored");
        let half = sign_in(app, "staff@kontor.example", PASSWORD, "").await.expect(303);
        assert_eq!(half.header("location"), "/sign-in/code?next=%2Forders");
        let waiting = cookie(&half);
        for path in ["/orders", "/account", "/account/second-factor"] {
            assert_eq!(app.with_cookie(&waiting, path, None).await.status, 303, "the password alone opens nothing: {path}");
        }
        assert_eq!(app.call(As::Anonymous, "GET", "/api/orders/", &[("cookie", &waiting)], "").await.status, 401);
        assert!(app.with_cookie(&waiting, "/sign-in/code", None).await.expect(200).body.contains("one-time-code"));
        let enter = async |cookie: &str, code: &str| {
            let fields = [("code", code), ("next", "/orders"), ("page", "/sign-in/code?next=/orders")];
            app.with_cookie(cookie, "/-/sign-in/code", Some(&fields)).await
        };
        enter(&waiting, "000000").await.expect(400);
        enter(&waiting, "").await.expect(400);
        let now = code(&secret, 0);
        let whole = enter(&waiting, &format!(" {} {} ", &now[..3], &now[3..])).await.expect(303);
        assert_eq!(whole.header("location"), "/orders");
        let session = cookie(&whole);
        assert_ne!(session, waiting, "the session gets a new id");
        assert_eq!(app.with_cookie(&session, "/orders", None).await.status, 200);
        assert_eq!(app.with_cookie(&waiting, "/orders", None).await.status, 303);
        // The same code again, and one from before.
        let again = cookie(&sign_in(app, "staff@kontor.example", PASSWORD, "").await.expect(303));
        enter(&again, &now).await.expect(400);
        enter(&again, &code(&secret, -1)).await.expect(400);
        // A recovery code signs in once, however it is typed.
        enter(&again, &codes[3].to_uppercase().replace('-', " ")).await.expect(303);
        let third = cookie(&sign_in(app, "staff@kontor.example", PASSWORD, "").await.expect(303));
        enter(&third, &codes[3]).await.expect(400);
        enter("kontor_session=AAAAAAAAAAAAAAAAAAAAAA", &codes[4]).await.expect(401);
        // Turning it off takes both.
        let off = async |password: &str, code: &str| {
            let fields = [("password", password), ("code", code), ("page", "/account/second-factor")];
            app.with_cookie(&session, "/-/account/second-factor/off", Some(&fields)).await
        };
        off("wrong", &codes[5]).await.expect(400);
        off(PASSWORD, "123456").await.expect(400);
        off(PASSWORD, &codes[5]).await.expect(303);
        assert_eq!(sign_in(app, "staff@kontor.example", PASSWORD, "").await.expect(303).header("location"), "/orders");
        assert_eq!(app.rows("recovery_codes").await, 0);
    }

    async fn who_must_have_a_second_factor_does_nothing_before(app) {
        let body = json!({ "name": "Careful", "permissions": ["orders.view"], "requires_second_factor": true });
        app.json(As::Administrator, "POST", "/api/roles/", body).await.expect(201);
        let ann = app.person("Ann", &["careful", "staff"]).await;
        let session = app.signed_in("ann@kontor.example").await;
        for path in ["/orders", "/account", "/customers/new", "/"] {
            let led = app.with_cookie(&session, path, None).await;
            assert_eq!((led.status.as_u16(), led.header("location")), (303, "/account/second-factor"), "{path}");
        }
        for (path, fields) in [("/-/customers/create", [("once", "x"), ("form[name]", "x")]), ("/-/account/create-token", [("days", ""), ("form[name]", "x")])] {
            assert_eq!(app.with_cookie(&session, path, Some(&fields)).await.status, 403, "{path}");
        }
        for path in ["/api/orders/", "/api/customers/"] {
            assert_eq!(app.call(As::Anonymous, "GET", path, &[("cookie", &session)], "").await.status, 403, "{path}");
        }
        let (_, codes, session) = enrol(app, &session).await;
        assert_eq!(app.with_cookie(&session, "/orders", None).await.status, 200);
        // An administrator helps who lost both; the next sign-in sets it up again.
        let id = ann["id"].to_string();
        let fields = [("id", id.as_str()), ("page", "/admin/users")];
        app.form(As::Staff, "/-/users/take-factor", "text/html", &fields).await.expect(403);
        app.form(As::Administrator, "/-/users/take-factor", "text/html", &fields).await.expect(303);
        assert_eq!(app.with_cookie(&session, "/orders", None).await.header("location"), "/sign-in?next=%2Forders");
        let session = app.signed_in("ann@kontor.example").await;
        assert_eq!(app.with_cookie(&session, "/orders", None).await.header("location"), "/account/second-factor");
        assert_eq!(codes.len(), 10);
    }

    async fn sessions_say_where_from_and_end_one_by_one_or_all(app) {
        let here = app.signed_in("staff@kontor.example").await;
        let other = app.signed_in("staff@kontor.example").await;
        let agent = "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0";
        let body = format!("email=staff%40kontor.example&password={}&next=", PASSWORD.replace(' ', "+"));
        let request = axum::http::Request::post("/-/sign-in").header("host", "kontor.example").header("sec-fetch-site", "same-origin").header("user-agent", agent);
        let request = request.header("content-type", "application/x-www-form-urlencoded").header("accept", "text/html");
        let third = cookie(&app.send(request.body(body.into()).unwrap()).await.expect(303));
        let account = app.with_cookie(&here, "/account", None).await.expect(200);
        assert!(account.body.contains("Firefox on Linux") && account.body.contains("This one") && account.body.contains("0.0.0.0"));
        let all = app.get(As::Administrator, "/api/sessions/").await.expect(200).json();
        let of_staff = |row: &&Value| row["email"] == "staff@kontor.example" && row["browser"] == "Firefox on Linux";
        let listed = all["results"].as_array().unwrap().iter().find(of_staff).unwrap()["id"].as_str().unwrap().to_owned();
        assert!(!third.contains(&listed));
        let end = async |id: &str| app.with_cookie(&here, "/-/account/end-session", Some(&[("id", id), ("page", "/account")])).await;
        end(&listed).await.expect(303);
        assert_eq!(app.with_cookie(&third, "/orders", None).await.status, 303);
        // Nobody ends what is not theirs that way.
        let foreign = all["results"].as_array().unwrap().iter().find(|row| row["email"] == "administrator@kontor.example").unwrap();
        end(foreign["id"].as_str().unwrap()).await.expect(404);
        end("").await.expect(303);
        assert_eq!(app.with_cookie(&other, "/orders", None).await.status, 303);
        assert_eq!(app.with_cookie(&here, "/orders", None).await.status, 200);
        assert!(app.rows("sessions WHERE seen_at IS NOT NULL AND user_id IS NOT NULL").await > 0);
        // An administrator ends them all, by form and over the API.
        let staff = all["results"].as_array().unwrap().iter().find(|row| row["email"] == "staff@kontor.example").unwrap()["user"].to_string();
        let fields = [("id", staff.as_str()), ("page", "/admin/users")];
        app.form(As::Administrator, "/-/users/sign-out", "text/html", &fields).await.expect(303);
        assert_eq!(app.with_cookie(&here, "/orders", None).await.status, 303);
        let (one, two) = (app.signed_in("staff@kontor.example").await, app.signed_in("staff@kontor.example").await);
        app.json(As::Administrator, "POST", &format!("/api/users/{staff}/sign-out/"), json!({})).await.expect(200);
        for session in [one, two] {
            assert_eq!(app.with_cookie(&session, "/orders", None).await.status, 303);
        }
        assert_eq!(app.page(As::Administrator, "/orders").await.status, 200, "nobody else is signed out");
    }

    async fn many_sessions_and_tokens_are_told_page_by_page(app) {
        let staff = app.get(As::Administrator, "/api/users/?email=staff@kontor.example").await.json()["results"][0]["id"].clone();
        let (sessions, tokens) = (app.rows("sessions WHERE user_id IS NOT NULL").await, app.rows("api_tokens").await);
        let numbers = "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 600) SELECT i FROM n) AS n";
        app.execute(&format!(
            "INSERT INTO sessions (id, user_id, data, expires_at, created_at, seen_at) SELECT 'made-' || n.i, s.user_id, s.data, s.expires_at, \
             s.created_at, s.seen_at FROM {numbers}, (SELECT * FROM sessions WHERE user_id = {staff} LIMIT 1) AS s"
        )).await;
        app.execute(&format!(
            "INSERT INTO api_tokens (user_id, name, hash, requires_version, created_at) SELECT t.user_id, 'made ' || n.i, 'made-' || n.i, \
             t.requires_version, t.created_at FROM {numbers}, (SELECT * FROM api_tokens WHERE user_id = {staff} LIMIT 1) AS t"
        )).await;
        for (what, count) in [("sessions", sessions + 600), ("tokens", tokens + 600)] {
            let (mut next, mut seen) = (format!("/api/{what}/?page_size=90"), Vec::new());
            loop {
                let page = app.get(As::Administrator, &next).await.expect(200).json();
                assert_eq!(page["count"], count, "{what}");
                seen.extend(page["results"].as_array().unwrap().iter().map(|row| row["id"].to_string()));
                match page["next"].as_str() {
                    Some(address) => next = address.strip_prefix("http://kontor.example").unwrap_or(address).to_owned(),
                    None => break,
                }
            }
            seen.sort();
            seen.dedup();
            assert_eq!(seen.len(), usize::try_from(count).unwrap(), "every one of the {what} is told once");
            let page = app.page(As::Administrator, &format!("/admin/{what}?page=2")).await.expect(200).body;
            assert!(page.contains(&format!("26–50 of {count}")) && page.contains(&format!("/admin/{what}?page=3")), "{what}");
            let of_staff = app.get(As::Administrator, &format!("/api/{what}/?user={staff}")).await.json();
            assert!(of_staff["count"].as_i64().unwrap() < count && of_staff["previous"].is_null());
            let person = app.page(As::Administrator, &format!("/admin/users/{staff}")).await.expect(200).body;
            assert!(person.contains("The latest 25 of 60") && person.contains(&format!("/admin/{what}?user={staff}")));
            for (query, field) in [("page=0", "page"), ("page_size=201", "page_size"), ("user=x", "user"), ("user=1&user=2", "user"), ("pag=1", "pag")] {
                let refused = app.get(As::Administrator, &format!("/api/{what}/?{query}")).await.expect(400);
                assert!(!refused.at(field).is_empty(), "{query}");
                app.page(As::Administrator, &format!("/admin/{what}?{query}")).await.expect(400);
            }
            let over = app.page(As::Administrator, &format!("/admin/{what}?page=1000")).await.expect(200).body;
            assert!(over.contains("Nothing on this page"));
        }
        assert!(app.page(As::Staff, "/account").await.expect(200).body.contains("The latest 200 of 60"));
    }

    async fn all_other_sessions_end_but_of_those_who_may_more(app) {
        let guard = json!({ "name": "Guards", "permissions": ["admin.view", "sessions.view", "sessions.delete", "customers.view"] });
        app.json(As::Administrator, "POST", "/api/roles/", guard).await.expect(201);
        let clerk = json!({ "name": "Clerks", "permissions": ["customers.view"] });
        app.json(As::Administrator, "POST", "/api/roles/", clerk).await.expect(201);
        app.person("Guard", &["guards"]).await;
        app.person("Clerk", &["clerks"]).await;
        let (here, elsewhere) = (app.signed_in("guard@kontor.example").await, app.signed_in("guard@kontor.example").await);
        let clerk = app.signed_in("clerk@kontor.example").await;
        let end = [("page", "/admin/sessions")];
        app.with_cookie(&here, "/-/sessions/end-others", Some(&end)).await.expect(303);
        app.with_cookie(&here, "/customers", None).await.expect(200);
        for ended in [&elsewhere, &clerk] {
            app.with_cookie(ended, "/customers", None).await.expect(303);
        }
        for spared in [As::Administrator, As::Staff] {
            app.page(spared, "/customers").await.expect(200);
        }
        assert_eq!(app.rows("events WHERE resource = 'sessions' AND command = 'end_all'").await, 1);
        app.form(As::Administrator, "/-/sessions/end-others", "text/html", &end).await.expect(303);
        app.page(As::Administrator, "/customers").await.expect(200);
        app.page(As::Staff, "/customers").await.expect(303);
    }

    async fn a_session_never_keeps_the_id_it_had_before_signing_in(app) {
        let planted = cookie(&sign_in(app, "viewer@kontor.example", PASSWORD, "").await.expect(303));
        let own = cookie(&sign_in(app, "staff@kontor.example", PASSWORD, &planted).await.expect(303));
        assert_ne!(own, planted);
        assert_eq!(app.with_cookie(&planted, "/orders", None).await.status, 303, "whoever planted it has nothing");
        let chosen = "kontor_session=AAAAAAAAAAAAAAAAAAAAAA";
        let own = cookie(&sign_in(app, "staff@kontor.example", PASSWORD, chosen).await.expect(303));
        assert_ne!(own, chosen);
        assert_eq!(app.with_cookie(chosen, "/orders", None).await.status, 303);
    }

    async fn ones_own_tokens_reach_no_further_than_oneself(app) {
        let session = app.signed_in("staff@kontor.example").await;
        let make = async |fields: &[(&str, &str)]| {
            let mut all = vec![("page", "/account/tokens/new"), ("days", "30"), ("form[name]", "my script")];
            all.extend(fields);
            app.with_cookie(&session, "/-/account/create-token", Some(&all)).await
        };
        let beyond = make(&[("form[permissions.users.view]", "true")]).await.expect(400);
        assert!(beyond.body.contains("does not hold users.view"));
        let made = make(&[("form[permissions.orders.view]", "true"), ("form[user]", "1")]).await.expect(200);
        let secret = told(&made).remove(0);
        let bearer = format!("Bearer {secret}");
        let get = async |path: &str| app.call(As::Anonymous, "GET", path, &[("authorization", &bearer)], "").await.status.as_u16();
        assert_eq!((get("/api/orders/").await, get("/api/customers/").await), (200, 403));
        assert_eq!(app.rows("api_tokens JOIN users ON users.id = user_id WHERE users.email = 'staff@kontor.example' AND api_tokens.name = 'my script'").await, 1);
        assert!(!app.with_cookie(&session, "/account", None).await.expect(200).body.contains(&secret));
        // A token is no session: it changes nobody's password and makes no tokens.
        let form = [("authorization", bearer.as_str()), ("content-type", "application/x-www-form-urlencoded"), ("accept", "application/json")];
        for path in ["/-/account/create-token", "/-/account/password", "/-/account/second-factor/begin"] {
            let body = "days=&form[name]=x&password=x&new_password=x";
            assert_eq!(app.call(As::Anonymous, "POST", path, &form, body).await.status, 401, "{path}");
        }
    }

    async fn forged_forms_reach_no_further_than_rest(app) {
        let body = json!({ "name": "Managers", "permissions": ["admin.view", "users.view", "users.add", "users.change", "roles.view", "roles.add", "roles.change", "tokens.view", "tokens.add"] });
        app.json(As::Administrator, "POST", "/api/roles/", body).await.expect(201);
        app.person("Max", &["managers"]).await;
        let session = app.signed_in("max@kontor.example").await;
        let users = app.get(As::Administrator, "/api/users/?search=administrator@").await.json();
        let administrator = users["results"][0]["id"].to_string();
        let roles = app.get(As::Administrator, "/api/roles/?search=managers").await.json();
        let managers = roles["results"][0]["id"].to_string();
        let (id, own) = (("id", administrator.as_str()), ("id", managers.as_str()));
        let once = ("once", "01890000-0000-7000-8000-000000000001");
        let version = ("version", "1");
        let attempts: [(&str, Vec<(&str, &str)>); 8] = [
            ("/-/users/create", vec![once, ("form[name]", "x"), ("form[email]", "x@kontor.example"), ("form[roles.administrator]", "true")]),
            ("/-/users/update", vec![id, version, ("form[name]", "x"), ("form[email]", "mine@kontor.example")]),
            ("/-/users/deactivate", vec![id, version]),
            ("/-/users/invite", vec![id]),
            ("/-/users/sign-out", vec![id]),
            ("/-/roles/update", vec![own, version, ("form[name]", "Managers"), ("form[permissions.*]", "true")]),
            ("/-/roles/create", vec![once, ("form[name]", "x"), ("form[permissions.orders.ship]", "true")]),
            ("/-/tokens/create", vec![("days", ""), ("form[user]", &administrator), ("form[name]", "x")]),
        ];
        let events = app.rows("events").await;
        for (path, mut fields) in attempts {
            fields.push(("page", "/admin/users"));
            let answer = app.with_cookie(&session, path, Some(&fields)).await;
            assert_eq!(answer.status, 403, "{path}: {}", answer.body);
        }
        assert_eq!(app.rows("events").await, events);
        assert!(!app.with_cookie(&session, "/admin/users/new", None).await.expect(200).body.contains("administrator\" value=\"true\" checked"));
    }

    async fn people_read_times_in_their_zone(app) {
        let session = app.signed_in("staff@kontor.example").await;
        let customer = app.customer("Somebody").await;
        app.execute("UPDATE events SET at = '2026-07-24T22:30:00+00:00' WHERE resource = 'customers'").await;
        let path = format!("/customers/{}", customer["id"]);
        assert!(app.with_cookie(&session, &path, None).await.expect(200).body.contains("24 Jul 2026, 22:30 UTC"));
        let choose = async |zone: &str| app.with_cookie(&session, "/-/account/time-zone", Some(&[("time_zone", zone), ("page", "/account")])).await;
        choose("Mars/Olympus").await.expect(400);
        choose("Europe/Berlin").await.expect(303);
        let page = app.with_cookie(&session, &path, None).await.expect(200).body;
        assert!(page.contains("25 Jul 2026, 00:30") && !page.contains("22:30 UTC"));
        assert!(app.page(As::Viewer, &path).await.expect(200).body.contains("22:30 UTC"), "everybody has their own");
        choose("").await.expect(303);
        assert!(app.with_cookie(&session, &path, None).await.expect(200).body.contains("22:30 UTC"));
    }

    async fn a_role_is_edited_by_its_matrix(app) {
        let page = app.page(As::Administrator, "/admin/roles/new").await.expect(200).body;
        for part in ["name=\"form[permissions.customers.view]\"", "name=\"form[permissions.orders.override_credit_limit]\"", "Customers: Change"] {
            assert!(page.contains(part), "{part}");
        }
        let once = ("once", "01890000-0000-7000-8000-000000000002");
        let fields = [once, ("page", "/admin/roles/new"), ("form[name]", "Packers"), ("form[permissions.orders.ship]", "true"), ("form[permissions.orders.view]", "true")];
        let made = app.form(As::Administrator, "/-/roles/create", "text/html", &fields).await.expect(303);
        let path = made.header("location").to_owned();
        let id = path.rsplit('/').next().unwrap().to_owned();
        let form = app.page(As::Administrator, &format!("{path}/edit")).await.expect(200).body;
        assert_eq!(form.matches(" checked").count(), 2);
        let fields = [("id", id.as_str()), ("version", "1"), ("page", &path), ("form[name]", "Packers"), ("form[permissions.orders.view]", "true")];
        app.form(As::Administrator, "/-/roles/update", "text/html", &fields).await.expect(303);
        assert_eq!(app.get(As::Administrator, &format!("/api/roles/{id}")).await.json()["permissions"], json!(["orders.view"]));
        let stale = app.form(As::Administrator, "/-/roles/update", "text/html", &fields).await;
        assert_eq!(stale.status, 412, "the form was decided on version 1");
        assert!(app.page(As::Administrator, &path).await.expect(200).body.contains("changed this"));
    }
}

#[test]
fn nobody_is_locked_out_by_tries_from_elsewhere() {
    run(Kind::Sqlite, &[("sign_in_attempts", "3"), ("trust_forwarded", "true")], async |app| {
        let from = async |address: &str, password: &str| {
            let body = format!("email=staff%40kontor.example&password={}&next=", password.replace(' ', "+"));
            let request = axum::http::Request::post("/-/sign-in").header("x-forwarded-for", address);
            let request = request.header("sec-fetch-site", "same-origin");
            let request =
                request.header("content-type", "application/x-www-form-urlencoded").header("accept", "text/html");
            app.send(request.body(body.into()).unwrap()).await.status.as_u16()
        };
        for _ in 0..3 {
            assert_eq!(from("203.0.113.7", "wrong").await, 401);
        }
        assert_eq!(from("203.0.113.7", PASSWORD).await, 429, "the address that tries is slowed down");
        assert_eq!(from("198.51.100.9", PASSWORD).await, 303, "the owner is not");
        for host in 1..=3 {
            assert_eq!(from(&format!("2001:db8:0:1::{host}"), "wrong").await, 401);
        }
        assert_eq!(from("2001:db8:0:1::99", PASSWORD).await, 429, "one network is one address");
        assert_eq!(from("2001:db8:0:2::1", PASSWORD).await, 303);
    });
}

#[test]
fn codes_are_not_guessed_from_many_addresses_by_who_knows_the_password() {
    run(Kind::Sqlite, &[("trust_forwarded", "true")], async |app| {
        let session = app.signed_in("staff@kontor.example").await;
        let (secret, codes, _) = enrol(app, &session).await;
        let post = async |address: &str, cookie: &str, path: &str, body: String| {
            let request = axum::http::Request::post(path).header("x-forwarded-for", address).header("cookie", cookie);
            let request = request.header("sec-fetch-site", "same-origin").header("accept", "text/html");
            app.send(request.header("content-type", "application/x-www-form-urlencoded").body(body.into()).unwrap())
                .await
        };
        let begin = async |address: &str| {
            let body = format!("email=staff%40kontor.example&password={}&next=", PASSWORD.replace(' ', "+"));
            cookie(&post(address, "", "/-/sign-in", body).await.expect(303))
        };
        let enter = async |address: &str, code: &str| {
            let half = begin(address).await;
            post(address, &half, "/-/sign-in/code", format!("code={}&next=/orders", code.replace(' ', "+"))).await
        };
        let tried = futures::future::join_all((0..14).map(|host| {
            let enter = &enter;
            async move { enter(&format!("203.0.113.{host}"), "000000").await.status.as_u16() }
        }))
        .await;
        assert_eq!(tried.iter().filter(|status| **status == 400).count(), 10, "{tried:?}");
        assert_eq!(tried.iter().filter(|status| **status == 429).count(), 4, "{tried:?}");
        let right = enter("198.51.100.9", &code(&secret, 0)).await;
        assert_eq!(right.status, 429, "even the right one has to wait");
        assert!(!right.header("retry-after").is_empty());
        enter("198.51.100.9", &codes[0]).await.expect(303);
    });
}
