//! Who may what: roles are sets of permissions, nobody gives what they do not have, and somebody can always let people in.

use serde_json::{Value, json};

use crate::both;
use crate::support::{Answer, As, TestApp};

/// A call over the API by whoever has this header.
async fn call(app: &TestApp, bearer: &str, method: &str, path: &str, body: Value) -> Answer {
    let headers = [("content-type", "application/json"), ("authorization", bearer)];
    app.call(As::Anonymous, method, path, &headers, body.to_string()).await
}

async fn role(app: &TestApp, name: &str, permissions: Value) -> Value {
    let body = json!({ "name": name, "permissions": permissions });
    app.json(As::Administrator, "POST", "/api/roles/", body).await.expect(201).json()
}

async fn id_of(app: &TestApp, resource: &str, search: &str) -> i64 {
    let found = app.get(As::Administrator, &format!("/api/{resource}/?search={search}")).await.expect(200).json();
    assert_eq!(found["count"], 1, "{found}");
    found["results"][0]["id"].as_i64().unwrap()
}

both! {
    async fn a_role_is_any_set_of_permissions_and_several_add_up(app) {
        let packers = role(app, "Night shift & packers", json!(["orders.view", "orders.ship", "orders.view"])).await;
        assert_eq!(packers["code"], "night-shift-packers");
        assert_eq!(packers["permissions"], json!(["orders.ship", "orders.view"]), "in their order, each once");
        role(app, "Clerks", json!(["products.view"])).await;
        let ann = app.person("Ann", &["night-shift-packers", "clerks"]).await;
        let cookie = app.signed_in("ann@kontor.example").await;
        for (path, status) in [("/orders", 200), ("/products", 200), ("/customers", 403)] {
            assert_eq!(app.with_cookie(&cookie, path, None).await.status, status, "{path}");
        }
        // From the next request on.
        let path = format!("/api/roles/{}", packers["id"]);
        app.json(As::Administrator, "PATCH", &path, json!({ "permissions": ["customers.view"] })).await.expect(200);
        // Something was added, so the session has another id from then on.
        let added = app.with_cookie(&cookie, "/customers", None).await.expect(200);
        let cookie = crate::accounts::cookie(&added);
        for (path, status) in [("/orders", 403), ("/products", 200), ("/customers", 200)] {
            assert_eq!(app.with_cookie(&cookie, path, None).await.status, status, "{path}");
        }
        let path = format!("/api/users/{}", ann["id"]);
        app.json(As::Administrator, "PATCH", &path, json!({ "roles": [] })).await.expect(200);
        assert_eq!(app.with_cookie(&cookie, "/customers", None).await.status, 403);
        let page = app.get(As::Administrator, "/api/users/?role=clerks").await.expect(200).json();
        assert_eq!(page["count"], 0);
        assert_eq!(app.get(As::Administrator, "/api/users/?role=staff").await.json()["results"][0]["email"], "staff@kontor.example");
    }

    async fn what_is_no_permission_and_no_role_is_named(app) {
        let post = async |path: &str, body: Value| app.json(As::Administrator, "POST", path, body).await;
        let refused = post("/api/roles/", json!({ "name": "x", "permissions": ["orders.shp"] })).await.expect(400);
        assert_eq!(refused.at("permissions"), "There is no permission orders.shp. Did you mean orders.ship?");
        for name in ["Ærlig", "夜勤", "日勤"] {
            post("/api/roles/", json!({ "name": name, "permissions": [] })).await.expect(201);
        }
        assert!(!post("/api/roles/", json!({ "name": "y", "code": "Ä" })).await.expect(400).at("code").is_empty());
        post("/api/roles/", json!({ "name": "x", "permissions": ["a b"] })).await.expect(400);
        post("/api/roles/", json!({ "name": "x", "permissions": "*" })).await.expect(400);
        assert!(post("/api/roles/", json!({ "name": "Ünï", "code": "Ünï" })).await.expect(400).at("code").contains("small letters"));
        assert!(post("/api/roles/", json!({ "name": "Staff" })).await.expect(409).at("code").contains("already"));
        let body = json!({ "name": "x", "email": "x@kontor.example", "roles": ["staff", "stuff"] });
        assert_eq!(post("/api/users/", body).await.expect(400).at("roles"), "There is no role stuff.");
        let staff = id_of(app, "roles", "staff").await;
        let renamed = app.json(As::Administrator, "PATCH", &format!("/api/roles/{staff}"), json!({ "code": "crew" })).await;
        assert!(renamed.expect(400).at("code").contains("stays"));
        let answer = app.json(As::Administrator, "DELETE", &format!("/api/roles/{staff}"), json!({})).await.expect(409).json();
        assert_eq!(answer["blockers"][0]["resource"], "users");
    }

    async fn nobody_gives_what_they_do_not_have(app) {
        let manager = app.bearer(&["users.view", "users.add", "users.change", "users.delete", "roles.view", "roles.add",
            "roles.change", "roles.delete", "tokens.view", "tokens.add", "tokens.delete", "sessions.view", "sessions.delete",
            "products.view"]).await;
        let (administrator, staff) = (id_of(app, "users", "administrator@").await, id_of(app, "users", "staff@").await);
        let (all, crew, viewers) =
            (id_of(app, "roles", "administrator").await, id_of(app, "roles", "staff").await, id_of(app, "roles", "viewer").await);
        let events = app.rows("events").await;
        let someone = |roles: Value| json!({ "name": "x", "email": "x@kontor.example", "roles": roles });
        let attempts = [
            // Roles to people.
            ("POST", "/api/users/".to_owned(), someone(json!(["administrator"]))),
            ("POST", "/api/users/".to_owned(), someone(json!(["viewer"]))),
            ("PATCH", format!("/api/users/{staff}"), json!({ "roles": ["staff", "administrator"] })),
            // Permissions to roles, and roles that hold more.
            ("POST", "/api/roles/".to_owned(), json!({ "name": "x", "permissions": ["*"] })),
            ("POST", "/api/roles/".to_owned(), json!({ "name": "x", "permissions": ["products.view", "orders.ship"] })),
            ("PATCH", format!("/api/roles/{viewers}"), json!({ "permissions": ["products.view"] })),
            ("PATCH", format!("/api/roles/{crew}"), json!({ "name": "Crew" })),
            ("DELETE", format!("/api/roles/{all}"), json!({})),
            // People who hold more.
            ("PATCH", format!("/api/users/{administrator}"), json!({ "is_active": false })),
            ("PATCH", format!("/api/users/{administrator}"), json!({ "email": "mine@kontor.example" })),
            ("PUT", format!("/api/users/{staff}"), someone(json!([]))),
            ("POST", format!("/api/users/{administrator}/invite/"), json!({})),
            ("POST", format!("/api/users/{staff}/sign-out/"), json!({})),
            // Tokens of people who hold more, with what they hold, or with all of it.
            ("POST", "/api/tokens/".to_owned(), json!({ "user": administrator, "name": "x" })),
            ("POST", "/api/tokens/".to_owned(), json!({ "user": staff, "name": "x", "permissions": ["orders.ship"] })),
            ("DELETE", "/api/tokens/1/".to_owned(), json!({})),
        ];
        for (method, path, body) in &attempts {
            let answer = call(app, &manager, method, path, body.clone()).await;
            assert_eq!(answer.status, 403, "{method} {path} {body}: {}", answer.body);
            assert!(answer.json()["detail"].as_str().unwrap().contains("you do not hold"), "{}", answer.body);
        }
        let session = app.get(As::Administrator, &format!("/api/sessions/?user={administrator}")).await.expect(200).json();
        let path = format!("/api/sessions/{}/", session["results"][0]["id"].as_str().unwrap());
        call(app, &manager, "DELETE", &path, json!({})).await.expect(403);
        let rows = json!({ "rows": [{ "action": "change", "id": staff, "values": { "roles": ["administrator"] } }] });
        call(app, &manager, "POST", "/api/users/bulk/", rows).await.expect(403);
        assert_eq!(app.rows("events").await, events, "nothing was written");
        // What they do hold they can give.
        let clerks = json!({ "name": "Clerks", "permissions": ["products.view"] });
        call(app, &manager, "POST", "/api/roles/", clerks).await.expect(201);
        let made = call(app, &manager, "POST", "/api/users/", someone(json!(["clerks"]))).await.expect(201).json();
        let token = json!({ "user": made["id"], "name": "shop" });
        call(app, &manager, "POST", "/api/tokens/", token).await.expect(201);
    }

    async fn a_token_reaches_no_further_than_its_person_and_than_who_makes_it(app) {
        let staff = id_of(app, "users", "staff@").await;
        let body = json!({ "user": staff, "name": "x", "permissions": ["users.view"] });
        let beyond = app.json(As::Administrator, "POST", "/api/tokens/", body).await.expect(400);
        assert_eq!(beyond.at("permissions"), "staff@kontor.example does not hold users.view.");
        let body = json!({ "user": staff, "name": "shop", "permissions": ["orders.view"], "expires_at": "2026-01-01T00:00:00Z" });
        assert!(app.json(As::Administrator, "POST", "/api/tokens/", body).await.expect(400).at("expires_at").contains("to come"));
        let body = json!({ "user": staff, "name": "shop", "permissions": ["orders.view"], "expires_at": "2096-01-01T00:00:00+01:00" });
        let headers = [("content-type", "application/json"), ("idempotency-key", "k")];
        let made = app.call(As::Administrator, "POST", "/api/tokens/", &headers, body.to_string()).await.expect(201).json();
        let secret = made["secret"].as_str().unwrap().to_owned();
        assert_eq!(made["expires_at"], "2095-12-31T23:00:00.000000Z");
        let bearer = format!("Bearer {secret}");
        call(app, &bearer, "GET", "/api/orders/", json!({})).await.expect(200);
        call(app, &bearer, "GET", "/api/customers/", json!({})).await.expect(403);
        // The secret is told once, and kept nowhere.
        let again = app.call(As::Administrator, "POST", "/api/tokens/", &headers, body.to_string()).await.expect(409);
        assert!(!again.body.contains(&secret));
        assert_eq!(app.rows("idempotency_keys WHERE body IS NOT NULL").await, 0);
        let list = app.get(As::Administrator, &format!("/api/tokens/?user={staff}")).await.expect(200);
        assert!(list.body.contains("\"shop\"") && !list.body.contains(&secret) && !list.body.contains("hash"));
        app.get(As::Administrator, "/api/tokens/?usr=1").await.expect(400);
        let path = format!("/api/tokens/{}/", made["id"]);
        app.json(As::Administrator, "DELETE", &path, json!({})).await.expect(204);
        app.json(As::Administrator, "DELETE", &path, json!({})).await.expect(404);
        call(app, &bearer, "GET", "/api/orders/", json!({})).await.expect(401);
    }

    async fn the_last_administrator_stays(app) {
        let (administrator, all) = (id_of(app, "users", "administrator@").await, id_of(app, "roles", "administrator").await);
        let path = format!("/api/users/{administrator}");
        for change in [json!({ "is_active": false }), json!({ "roles": ["staff"] }), json!({ "roles": [] })] {
            let refused = app.json(As::Administrator, "PATCH", &path, change).await.expect(409);
            assert!(refused.body.contains("last active administrator"), "{}", refused.body);
        }
        app.json(As::Administrator, "DELETE", &path, json!({})).await.expect(409);
        let role = format!("/api/roles/{all}");
        app.json(As::Administrator, "PATCH", &role, json!({ "permissions": ["users.view"] })).await.expect(409);
        // Somebody invited who never came is nobody to rely on, nor is a service account.
        let body = json!({ "name": "Invited", "email": "i@kontor.example", "roles": ["administrator"] });
        app.json(As::Administrator, "POST", "/api/users/", body).await.expect(201);
        let body = json!({ "name": "Robot", "email": "r@kontor.example", "roles": ["administrator"], "is_service": true });
        app.json(As::Administrator, "POST", "/api/users/", body).await.expect(201);
        app.json(As::Administrator, "PATCH", &path, json!({ "is_active": false })).await.expect(409);
        app.person("Second", &["administrator"]).await;
        app.json(As::Administrator, "PATCH", &path, json!({ "roles": ["staff"] })).await.expect(200);
        app.get(As::Administrator, "/api/users/").await.expect(403);
    }

    async fn of_two_administrators_who_shut_each_other_out_one_stays(app) {
        let first = id_of(app, "users", "administrator@").await;
        let second = app.person("Second", &["administrator"]).await["id"].as_i64().unwrap();
        let body = json!({ "user": second, "name": "x" });
        let token = app.json(As::Administrator, "POST", "/api/tokens/", body).await.expect(201).json();
        let bearer = format!("Bearer {}", token["secret"].as_str().unwrap());
        let (of_first, of_second) = (format!("/api/users/{first}"), format!("/api/users/{second}"));
        let shut = json!({ "is_active": false });
        let (one, other) = tokio::join!(
            app.json(As::Administrator, "PATCH", &of_second, shut.clone()),
            call(app, &bearer, "PATCH", &of_first, shut.clone()),
        );
        let done = [&one, &other].iter().filter(|answer| answer.status == 200).count();
        assert_eq!(done, 1, "{} {}", one.body, other.body);
        assert_eq!(app.rows("users JOIN user_roles ON user_id = users.id JOIN roles ON roles.id = role_id \
            WHERE code = 'administrator' AND is_active AND email IN ('administrator@kontor.example', 'second@kontor.example')").await, 1);
    }

    async fn who_is_deactivated_is_out_at_once_with_sessions_and_tokens(app) {
        let ann = app.person("Ann", &["staff"]).await;
        let cookie = app.signed_in("ann@kontor.example").await;
        let token = app.json(As::Administrator, "POST", "/api/tokens/", json!({ "user": ann["id"], "name": "x" })).await.expect(201).json();
        let bearer = format!("Bearer {}", token["secret"].as_str().unwrap());
        assert_eq!(app.with_cookie(&cookie, "/orders", None).await.status, 200);
        let path = format!("/api/users/{}", ann["id"]);
        app.json(As::Administrator, "PATCH", &path, json!({ "is_active": false })).await.expect(200);
        assert_eq!(app.with_cookie(&cookie, "/orders", None).await.status, 303);
        call(app, &bearer, "GET", "/api/orders/", json!({})).await.expect(401);
        app.json(As::Administrator, "PATCH", &path, json!({ "is_active": true })).await.expect(200);
        assert_eq!(app.with_cookie(&cookie, "/orders", None).await.status, 303, "the old session stays ended");
        call(app, &bearer, "GET", "/api/orders/", json!({})).await.expect(200);
        let ben = format!("/api/users/{}", app.person("Ben", &["staff"]).await["id"]);
        let refused = app.json(As::Administrator, "DELETE", &ben, json!({})).await.expect(409);
        assert!(refused.body.contains("deactivated, not deleted"));
        app.json(As::Administrator, "POST", &format!("{path}/sign-out/"), json!({})).await.expect(200);
    }

    async fn a_service_account_acts_by_tokens_and_never_signs_in(app) {
        let body = json!({ "name": "Shop", "email": "shop@kontor.example", "roles": ["viewer"], "is_service": true });
        let shop = app.json(As::Administrator, "POST", "/api/users/", body).await.expect(201).json();
        assert_eq!(shop["has_password"], false);
        let path = format!("/api/users/{}", shop["id"]);
        app.json(As::Administrator, "POST", &format!("{path}/invite/"), json!({})).await.expect(409);
        assert!(app.json(As::Administrator, "PATCH", &path, json!({ "is_service": false })).await.expect(400).at("is_service").contains("from the start"));
        let token = app.json(As::Administrator, "POST", "/api/tokens/", json!({ "user": shop["id"], "name": "x" })).await.expect(201).json();
        call(app, &format!("Bearer {}", token["secret"].as_str().unwrap()), "GET", "/api/orders/", json!({})).await.expect(200);
        let blocked = app.json(As::Administrator, "DELETE", &path, json!({})).await.expect(409).json();
        assert_eq!(blocked["blockers"][0]["resource"], "tokens");
    }

    async fn a_refusal_names_the_permission_and_changes_of_access_stand_in_the_history(app) {
        let refused = app.json(As::Staff, "POST", "/api/users/", json!({ "name": "x", "email": "x@kontor.example" })).await.expect(403);
        assert!(refused.body.contains("users.add"));
        let ann = app.person("Ann", &["staff"]).await;
        let path = format!("/api/users/{}", ann["id"]);
        app.json(As::Administrator, "PATCH", &path, json!({ "roles": ["staff", "viewer"] })).await.expect(200);
        let held = format!("events WHERE resource = 'users' AND record_id = {} AND command = 'change'", ann["id"]);
        assert_eq!(app.rows(&format!("{held} AND CAST(changes AS TEXT) LIKE '%viewer%'")).await, 1);
    }
}
