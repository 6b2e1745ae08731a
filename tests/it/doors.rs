//! Who may open which door. The table below must name every REST operation, every server function and every page.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use crate::both;
use crate::support::{Answer, As, Kind, TestApp, run};

/// What a door needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needs {
    Nothing,
    /// Being signed in.
    Somebody,
    Permission(&'static str),
    /// In the admin area: `admin.view` as well.
    Inside(&'static str),
}
use Needs::{Inside, Nothing, Permission, Somebody};

const REST: [(&str, &str, Needs); 73] = [
    ("GET", "/api/", Somebody),
    ("GET", "/api/openapi.json", Somebody),
    ("GET", "/api/docs/", Somebody),
    // Whoever may view any resource; here asked for one.
    ("GET", "/api/events/?resource=products", Permission("products.view")),
    // Whoever may view any resource may ask; what was done and by which commands it is undone decides the rest (undo.rs).
    ("POST", "/api/changes/{request_id}/undo/", Permission("products.view")),
    ("GET", "/api/customers/", Permission("customers.view")),
    ("POST", "/api/customers/", Permission("customers.add")),
    ("POST", "/api/customers/bulk/", Permission("customers.view")),
    ("OPTIONS", "/api/customers/", Permission("customers.view")),
    ("GET", "/api/customers/{id}/", Permission("customers.view")),
    ("PUT", "/api/customers/{id}/", Permission("customers.change")),
    ("PATCH", "/api/customers/{id}/", Permission("customers.change")),
    ("DELETE", "/api/customers/{id}/", Permission("customers.delete")),
    ("POST", "/api/customers/{id}/restore/", Permission("customers.view")),
    ("GET", "/api/products/", Permission("products.view")),
    ("POST", "/api/products/", Permission("products.add")),
    ("POST", "/api/products/bulk/", Permission("products.view")),
    ("OPTIONS", "/api/products/", Permission("products.view")),
    ("GET", "/api/products/{id}/", Permission("products.view")),
    ("PUT", "/api/products/{id}/", Permission("products.change")),
    ("PATCH", "/api/products/{id}/", Permission("products.change")),
    ("DELETE", "/api/products/{id}/", Permission("products.delete")),
    ("POST", "/api/products/{id}/restore/", Permission("products.view")),
    ("GET", "/api/orders/", Permission("orders.view")),
    ("POST", "/api/orders/", Permission("orders.add")),
    ("POST", "/api/orders/bulk/", Permission("orders.view")),
    ("OPTIONS", "/api/orders/", Permission("orders.view")),
    ("GET", "/api/orders/{id}/", Permission("orders.view")),
    ("PUT", "/api/orders/{id}/", Permission("orders.change")),
    ("PATCH", "/api/orders/{id}/", Permission("orders.change")),
    ("DELETE", "/api/orders/{id}/", Permission("orders.delete")),
    ("POST", "/api/orders/{id}/restore/", Permission("orders.view")),
    ("GET", "/api/orders/{id}/actions/", Permission("orders.view")),
    ("OPTIONS", "/api/orders/{id}/actions/", Permission("orders.view")),
    ("POST", "/api/orders/{id}/place/", Permission("orders.place")),
    ("OPTIONS", "/api/orders/{id}/place/", Permission("orders.place")),
    ("POST", "/api/orders/{id}/ship/", Permission("orders.ship")),
    ("POST", "/api/orders/{id}/reopen/", Permission("orders.reopen")),
    ("POST", "/api/orders/{id}/cancel/", Permission("orders.cancel")),
    ("GET", "/api/order-items/", Permission("orders.view")),
    ("POST", "/api/order-items/", Permission("orders.change")),
    ("POST", "/api/order-items/bulk/", Permission("orders.view")),
    ("OPTIONS", "/api/order-items/", Permission("orders.view")),
    ("GET", "/api/order-items/{id}/", Permission("orders.view")),
    ("PUT", "/api/order-items/{id}/", Permission("orders.change")),
    ("PATCH", "/api/order-items/{id}/", Permission("orders.change")),
    ("DELETE", "/api/order-items/{id}/", Permission("orders.change")),
    ("GET", "/api/users/", Permission("users.view")),
    ("POST", "/api/users/", Permission("users.add")),
    ("POST", "/api/users/bulk/", Permission("users.view")),
    ("OPTIONS", "/api/users/", Permission("users.view")),
    ("GET", "/api/users/{id}/", Permission("users.view")),
    ("PUT", "/api/users/{id}/", Permission("users.change")),
    ("PATCH", "/api/users/{id}/", Permission("users.change")),
    ("DELETE", "/api/users/{id}/", Permission("users.delete")),
    ("POST", "/api/users/{id}/invite/", Permission("users.change")),
    ("POST", "/api/users/{id}/sign-out/", Permission("users.change")),
    ("OPTIONS", "/api/users/{id}/sign-out/", Permission("users.view")),
    ("GET", "/api/roles/", Permission("roles.view")),
    ("POST", "/api/roles/", Permission("roles.add")),
    ("POST", "/api/roles/bulk/", Permission("roles.view")),
    ("OPTIONS", "/api/roles/", Permission("roles.view")),
    ("GET", "/api/roles/{id}/", Permission("roles.view")),
    ("PUT", "/api/roles/{id}/", Permission("roles.change")),
    ("PATCH", "/api/roles/{id}/", Permission("roles.change")),
    ("DELETE", "/api/roles/{id}/", Permission("roles.delete")),
    ("GET", "/api/tokens/", Permission("tokens.view")),
    ("POST", "/api/tokens/", Permission("tokens.add")),
    ("OPTIONS", "/api/tokens/", Permission("tokens.view")),
    ("DELETE", "/api/tokens/{id}/", Permission("tokens.delete")),
    ("GET", "/api/sessions/", Permission("sessions.view")),
    ("OPTIONS", "/api/sessions/", Permission("sessions.view")),
    ("DELETE", "/api/sessions/{id}/", Permission("sessions.delete")),
];

const FUNCTIONS: &[(&str, &str, Needs)] = &[
    ("POST", "/-/sign-in", Nothing),
    ("POST", "/-/sign-in/code", Nothing),
    ("GET", "/-/invite/read", Nothing),
    ("POST", "/-/invite/accept", Nothing),
    ("POST", "/-/sign-out", Somebody),
    ("POST", "/-/theme", Nothing),
    // Of the resource that is named, here orders; restoring also asks for what it does (past.rs).
    ("GET", "/-/history/read", Permission("orders.view")),
    ("POST", "/-/history/restore", Permission("orders.view")),
    // Whoever may view any resource may ask (undo.rs).
    ("POST", "/-/changes/undo", Permission("products.view")),
    ("GET", "/-/audit/log", Inside("history.view")),
    ("GET", "/-/customers/list", Permission("customers.view")),
    ("GET", "/-/customers/read", Permission("customers.view")),
    ("GET", "/-/customers/new", Permission("customers.add")),
    ("POST", "/-/customers/create", Permission("customers.add")),
    ("POST", "/-/customers/update", Permission("customers.change")),
    ("POST", "/-/customers/delete", Permission("customers.delete")),
    ("GET", "/-/products/list", Permission("products.view")),
    ("GET", "/-/products/read", Permission("products.view")),
    ("GET", "/-/products/new", Permission("products.add")),
    ("POST", "/-/products/create", Permission("products.add")),
    ("POST", "/-/products/update", Permission("products.change")),
    ("POST", "/-/products/delete", Permission("products.delete")),
    ("GET", "/-/customers/taken-along", Permission("customers.delete")),
    ("GET", "/-/products/taken-along", Permission("products.delete")),
    ("GET", "/-/orders/taken-along", Permission("orders.delete")),
    ("GET", "/-/orders/latest", Permission("orders.view")),
    ("GET", "/-/orders/list", Permission("orders.view")),
    ("GET", "/-/orders/read", Permission("orders.view")),
    ("GET", "/-/orders/new", Permission("orders.add")),
    ("POST", "/-/orders/create", Permission("orders.add")),
    ("POST", "/-/orders/update", Permission("orders.change")),
    ("POST", "/-/orders/place", Permission("orders.place")),
    ("POST", "/-/orders/ship", Permission("orders.ship")),
    ("POST", "/-/orders/reopen", Permission("orders.reopen")),
    ("POST", "/-/orders/cancel", Permission("orders.cancel")),
    ("POST", "/-/orders/delete", Permission("orders.delete")),
    ("GET", "/-/orders/customers", Permission("customers.view")),
    ("GET", "/-/orders/products", Permission("products.view")),
    ("POST", "/-/orders/resolve", Permission("products.view")),
    ("GET", "/-/import/read", Permission("records.import")),
    ("POST", "/-/import/check", Permission("records.import")),
    ("POST", "/-/import/run", Permission("records.import")),
    ("POST", "/-/import/remove", Permission("records.import")),
    ("GET", "/-/users/list", Inside("users.view")),
    ("GET", "/-/users/read", Inside("users.view")),
    ("GET", "/-/users/new", Inside("users.add")),
    ("POST", "/-/users/create", Inside("users.add")),
    ("POST", "/-/users/update", Inside("users.change")),
    ("POST", "/-/users/activate", Inside("users.change")),
    ("POST", "/-/users/deactivate", Inside("users.change")),
    ("POST", "/-/users/invite", Inside("users.change")),
    ("POST", "/-/users/sign-out", Inside("users.change")),
    ("POST", "/-/users/take-factor", Inside("users.change")),
    ("POST", "/-/users/delete", Inside("users.delete")),
    ("GET", "/-/users/taken-along", Inside("users.delete")),
    ("GET", "/-/roles/list", Inside("roles.view")),
    ("GET", "/-/roles/read", Inside("roles.view")),
    ("GET", "/-/roles/new", Inside("roles.add")),
    ("POST", "/-/roles/create", Inside("roles.add")),
    ("POST", "/-/roles/update", Inside("roles.change")),
    ("POST", "/-/roles/delete", Inside("roles.delete")),
    ("GET", "/-/roles/taken-along", Inside("roles.delete")),
    ("GET", "/-/sessions/list", Inside("sessions.view")),
    ("POST", "/-/sessions/end", Inside("sessions.delete")),
    ("POST", "/-/sessions/end-others", Inside("sessions.delete")),
    ("GET", "/-/tokens/list", Inside("tokens.view")),
    ("GET", "/-/tokens/new", Inside("tokens.add")),
    ("POST", "/-/tokens/create", Inside("tokens.add")),
    ("POST", "/-/tokens/revoke", Inside("tokens.delete")),
    ("GET", "/-/security/list", Inside("security.view")),
    ("GET", "/-/account/read", Somebody),
    ("POST", "/-/account/password", Somebody),
    ("POST", "/-/account/time-zone", Somebody),
    ("POST", "/-/account/end-session", Somebody),
    ("GET", "/-/account/new-token", Somebody),
    ("POST", "/-/account/create-token", Somebody),
    ("POST", "/-/account/revoke-token", Somebody),
    ("GET", "/-/account/second-factor/read", Somebody),
    ("POST", "/-/account/second-factor/begin", Somebody),
    ("POST", "/-/account/second-factor/confirm", Somebody),
    ("POST", "/-/account/second-factor/codes", Somebody),
    ("POST", "/-/account/second-factor/off", Somebody),
    ("GET", "/-/admin/overview", Permission("admin.view")),
    ("GET", "/-/admin/table", Permission("admin.view")),
    ("GET", "/-/admin/question", Permission("admin.view")),
    ("POST", "/-/admin/act", Permission("admin.view")),
    ("GET", "/-/admin/run", Permission("admin.view")),
    ("GET", "/-/admin/health", Permission("admin.view")),
    ("GET", "/-/admin/data", Permission("admin.view")),
    ("POST", "/-/admin/demo", Permission("admin.view")),
    ("GET", "/-/admin/settings", Inside("settings.change")),
    ("POST", "/-/admin/set", Inside("settings.change")),
];

const PAGES: [(&str, Needs); 50] = [
    ("/", Somebody),
    ("/sign-in", Nothing),
    ("/sign-in/code", Nothing),
    ("/invite", Nothing),
    ("/account", Somebody),
    ("/account/tokens/new", Somebody),
    ("/account/second-factor", Somebody),
    ("/admin/users", Inside("users.view")),
    ("/admin/users/new", Inside("users.add")),
    ("/admin/users/{id}", Inside("users.view")),
    ("/admin/users/{id}/edit", Inside("users.change")),
    ("/admin/users/{id}/delete", Inside("users.delete")),
    ("/admin/roles", Inside("roles.view")),
    ("/admin/roles/new", Inside("roles.add")),
    ("/admin/roles/{id}", Inside("roles.view")),
    ("/admin/roles/{id}/edit", Inside("roles.change")),
    ("/admin/roles/{id}/delete", Inside("roles.delete")),
    ("/admin/sessions", Inside("sessions.view")),
    ("/admin/tokens", Inside("tokens.view")),
    ("/admin/tokens/new", Inside("tokens.add")),
    ("/admin/security", Inside("security.view")),
    ("/search", Somebody),
    ("/import", Permission("records.import")),
    ("/admin/log", Inside("history.view")),
    ("/orders", Permission("orders.view")),
    ("/orders/new", Permission("orders.add")),
    ("/orders/{id}", Permission("orders.view")),
    ("/orders/{id}/cancel", Permission("orders.cancel")),
    ("/orders/{id}/delete", Permission("orders.delete")),
    ("/orders/{id}/print", Permission("orders.view")),
    ("/orders/{id}/history", Permission("orders.view")),
    ("/customers", Permission("customers.view")),
    ("/customers/new", Permission("customers.add")),
    ("/customers/{id}", Permission("customers.view")),
    ("/customers/{id}/edit", Permission("customers.change")),
    ("/customers/{id}/delete", Permission("customers.delete")),
    ("/customers/{id}/history", Permission("customers.view")),
    ("/products", Permission("products.view")),
    ("/products/new", Permission("products.add")),
    ("/products/{id}", Permission("products.view")),
    ("/products/{id}/edit", Permission("products.change")),
    ("/products/{id}/delete", Permission("products.delete")),
    ("/products/{id}/history", Permission("products.view")),
    ("/admin", Permission("admin.view")),
    ("/admin/health", Permission("admin.view")),
    ("/admin/data", Permission("admin.view")),
    ("/admin/settings", Inside("settings.change")),
    ("/admin/runs/{id}", Permission("admin.view")),
    ("/admin/{resource}", Permission("admin.view")),
    ("/admin/{resource}/act", Permission("admin.view")),
];

const EVERYBODY: [As; 8] =
    [As::Anonymous, As::Viewer, As::Staff, As::Administrator, As::Scoped, As::Expired, As::Ended, As::Shut];

/// Those who come with a browser.
const WITH_COOKIES: [As; 6] = [As::Anonymous, As::Viewer, As::Staff, As::Administrator, As::Ended, As::Shut];

/// Whether a caller is nobody, whatever they still have.
fn is_nobody(who: As) -> bool {
    matches!(who, As::Anonymous | As::Expired | As::Ended | As::Shut)
}

/// Whether a permission is about the house itself, which only its administrator looks after.
fn is_guarded(code: &str) -> bool {
    ["users.", "roles.", "tokens.", "sessions.", "admin.", "history.", "settings.", "security."]
        .iter()
        .any(|guarded| code.starts_with(guarded))
}

fn holds(who: As, needs: Needs) -> bool {
    match (who, needs) {
        (_, Nothing) | (As::Administrator, _) => true,
        (who, _) if is_nobody(who) => false,
        (_, Somebody) => true,
        (As::Staff | As::Viewer, Inside(_)) => false,
        (As::Staff, Permission(code)) => !is_guarded(code),
        (As::Viewer, Permission(code)) => code.ends_with(".view") && !is_guarded(code),
        (_, Permission(code) | Inside(code)) => code == "products.view",
    }
}

#[test]
fn the_table_names_every_rest_operation() {
    let document = kontor::house::api().document();
    let served: BTreeSet<(String, String)> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, item)| {
            let methods = ["get", "post", "put", "patch", "delete"];
            methods.into_iter().filter(|method| item.get(method).is_some()).map(|m| (m.to_uppercase(), path.clone()))
        })
        .collect();
    let named: BTreeSet<(String, String)> = REST
        .iter()
        .filter(|(method, _, needs)| *method != "OPTIONS" && matches!(needs, Permission(_)))
        .map(|(method, path, _)| ((*method).to_owned(), path.split('?').next().unwrap_or_default().to_owned()))
        .collect();
    assert_eq!(served, named);
}

#[test]
fn the_table_names_every_server_function() {
    let served: BTreeSet<(String, String)> = leptos::server_fn::axum::server_fn_paths()
        .map(|(path, method)| (method.to_string(), path.to_owned()))
        .collect();
    let named = FUNCTIONS.iter().map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned())).collect();
    assert_eq!(served, named);
}

#[test]
fn the_table_names_every_page() {
    let served: BTreeSet<String> = kontor::house::page_routes().iter().map(|page| page.path().to_owned()).collect();
    let named = PAGES.iter().map(|(path, _)| (*path).to_owned()).collect();
    assert_eq!(served, named);
}

/// One record of each kind.
#[derive(Debug, Clone, Copy)]
struct Records {
    customer: i64,
    product: i64,
    order: i64,
    item: i64,
    user: i64,
    role: i64,
    token: i64,
}

impl Records {
    fn id(self, path: &str) -> String {
        let id = match path
            .trim_start_matches("/api/")
            .trim_start_matches("/-/")
            .trim_start_matches('/')
            .trim_start_matches("admin/")
        {
            path if path.starts_with("customers") => self.customer,
            path if path.starts_with("products") => self.product,
            path if path.starts_with("order-items") => self.item,
            path if path.starts_with("users") => self.user,
            path if path.starts_with("roles") => self.role,
            path if path.starts_with("tokens") => self.token,
            _ => self.order,
        };
        id.to_string()
    }

    fn address(self, path: &str) -> String {
        path.replace("{id}", &self.id(path)).replace("{resource}", "orders")
    }
}

async fn records(app: &TestApp) -> Records {
    let sku = format!("X{}", uuid::Uuid::new_v4());
    let (customer, product) = (app.customer("Somebody").await, app.product(&sku, "1").await);
    let id = |record: &Value| record["id"].as_i64().unwrap();
    let order = app.order(&customer, json!([{ "sku": sku, "quantity": 1 }])).await;
    let unique = sku.to_lowercase();
    let body = json!({ "name": "Somebody", "email": format!("{unique}@kontor.example") });
    let user = app.json(As::Administrator, "POST", "/api/users/", body).await.expect(201).json();
    let body = json!({ "name": "Nothing", "code": unique });
    let role = app.json(As::Administrator, "POST", "/api/roles/", body).await.expect(201).json();
    let body = json!({ "name": "Nothing", "user": user["id"] });
    let token = app.json(As::Administrator, "POST", "/api/tokens/", body).await.expect(201).json();
    Records {
        customer: id(&customer),
        product: id(&product),
        order: id(&order),
        item: id(&order["items"][0]),
        user: id(&user),
        role: id(&role),
        token: id(&token),
    }
}

/// A call of a server function as the script of a page sends it.
async fn call(app: &TestApp, cookie: Option<&str>, method: &str, path: &str) -> Answer {
    let id = records(app).await.id(path);
    let mut request = match method {
        "GET" => Request::get(format!("{path}?id={id}&query=&within=&text=&key=x&resource=orders")),
        _ => Request::post(path).header("content-type", "application/x-www-form-urlencoded"),
    };
    request = request
        .header("host", "kontor.example")
        .header("sec-fetch-site", "same-origin")
        .header("accept", "application/json");
    if let Some(cookie) = cookie {
        request = request.header("cookie", cookie);
    }
    let fields = [
        ("id", id.as_str()),
        ("version", "1"),
        ("once", "0"),
        ("form[name]", "x"),
        ("query", ""),
        ("key", "x"),
        ("code", "x"),
        ("new_password", "x"),
        ("time_zone", ""),
        ("days", ""),
        ("back", "/"),
        ("email", "x"),
        ("password", "x"),
        ("next", ""),
        ("theme", "dark"),
        ("page", "/"),
        ("reason", "x"),
        ("resource", "orders"),
        ("event", "0"),
        ("request", "x"),
    ];
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    app.send(request.body(if method == "GET" { Body::empty() } else { Body::from(body) }).unwrap()).await
}

/// The cookie of somebody who holds these permissions.
async fn someone(app: &TestApp, name: &str, permissions: &[&str]) -> String {
    let body = json!({ "name": name, "permissions": permissions });
    app.json(As::Administrator, "POST", "/api/roles/", body).await.expect(201);
    app.person(name, &[&name.to_lowercase()]).await;
    app.signed_in(&format!("{}@kontor.example", name.to_lowercase())).await
}

both! {
    async fn the_api_opens_to_those_who_hold_the_permission(app) {
        for (method, path, needs) in REST {
            for who in EVERYBODY {
                let path = records(app).await.address(path);
                let answer = app.json(who, method, &path, json!({})).await;
                let status = answer.status.as_u16();
                match (holds(who, needs), who) {
                    (true, _) => assert!(!matches!(status, 401 | 403), "{who:?} {method} {path}: {status}"),
                    (false, _) if is_nobody(who) => assert_eq!(status, 401, "{who:?} {method} {path}"),
                    (false, _) => {
                        assert_eq!(status, 403, "{who:?} {method} {path}");
                        let Permission(code) = needs else { panic!("{path}") };
                        assert!(answer.json()["detail"].as_str().unwrap().contains(code));
                    }
                }
            }
        }
    }

    async fn server_functions_open_to_those_who_hold_the_permission(app) {
        for who in WITH_COOKIES {
            for &(method, path, needs) in FUNCTIONS {
                let ends_sessions = matches!(path, "/-/sign-out" | "/-/sessions/end-others");
                if ends_sessions && holds(who, needs) && who != As::Anonymous {
                    continue; // it would end the sessions the other rows need; see signing.rs and accounts.rs
                }
                let status = call(app, app.cookie(who), method, path).await.status.as_u16();
                match (holds(who, needs), who) {
                    // Wrong credentials are answered 401 to anybody; that is the function's answer, not the gate's.
                    _ if matches!(path, "/-/sign-in" | "/-/sign-in/code") => assert_eq!(status, 401),
                    (true, _) => assert!(!matches!(status, 401 | 403), "{who:?} {method} {path}: {status}"),
                    (false, _) if is_nobody(who) => assert_eq!(status, 401, "{who:?} {method} {path}"),
                    (false, _) => assert_eq!(status, 403, "{who:?} {method} {path}"),
                }
            }
        }
    }

    async fn the_admin_area_takes_the_permission_to_enter_beside_the_one_of_its_rooms(app) {
        let records = records(app).await;
        let rooms = kontor::house::catalogue().codes().filter(|code| *code != "admin.view").collect::<Vec<_>>();
        let (outside, inside) = (someone(app, "Outside", &rooms).await, someone(app, "Inside", &["admin.view"]).await);
        for (cookie, missing) in [(&outside, Some("admin.view")), (&inside, None)] {
            for &(method, path, needs) in FUNCTIONS {
                let Inside(own) = needs else { continue };
                let answer = call(app, Some(cookie), method, path).await.expect(403);
                assert!(answer.body.contains(&format!("needs the permission {}.", missing.unwrap_or(own))), "{path}: {}", answer.body);
            }
            for (path, needs) in PAGES {
                let Inside(own) = needs else { continue };
                let answer = app.with_cookie(cookie, &records.address(path), None).await.expect(403);
                assert!(answer.body.contains(&format!("needs the permission {}.", missing.unwrap_or(own))), "{path}");
            }
            let export = app.with_cookie(cookie, "/-/audit/export", None).await;
            assert_eq!(export.status, 403);
            let past = "/-/history/read?resource=users&id=1&query=";
            assert_eq!(app.with_cookie(cookie, past, None).await.status, 403);
        }
        // Over the API nothing is in the admin area.
        let token = [("days", ""), ("form[name]", "x"), ("page", "/account/tokens/new")];
        let made = app.with_cookie(&outside, "/-/account/create-token", Some(&token)).await.expect(200);
        let secret = made.body.split("<code>").nth(1).unwrap().split('<').next().unwrap();
        let bearer = format!("Bearer {secret}");
        for (method, path, needs) in REST {
            let Permission(code) = needs else { continue };
            let address = self::records(app).await.address(path);
            let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
            let answer = app.call(As::Anonymous, method, &address, &headers, "{}").await;
            assert!(!matches!(answer.status.as_u16(), 401 | 403), "{method} {path} with {code}: {}", answer.body);
        }
    }

    async fn pages_lead_strangers_to_sign_in_and_back(app) {
        let records = records(app).await;
        for (path, needs) in PAGES {
            let path = records.address(path);
            for who in WITH_COOKIES {
                let answer = app.page(who, &path).await;
                let status = answer.status.as_u16();
                match (holds(who, needs), who) {
                    // No invitation is open here.
                    _ if path == "/invite" => assert_eq!(status, 404),
                    // Nothing was done yet, and nothing is said of what to do.
                    (true, _) if path.starts_with("/admin/runs/") => assert_eq!(status, 404),
                    (true, _) if path.ends_with("/act") => assert_eq!(status, 400),
                    (true, _) => assert!(matches!(status, 200 | 302), "{who:?} {path}: {status}"),
                    (false, _) if is_nobody(who) => {
                        assert_eq!(status, 303, "{who:?} {path}");
                        assert!(answer.header("location").starts_with("/sign-in"), "{path}");
                    }
                    (false, _) => assert_eq!(status, 403, "{who:?} {path}"),
                }
            }
        }
        let answer = app.page(As::Anonymous, "/customers/3?x=1&y=%C3%A4").await;
        assert_eq!(answer.header("location"), "/sign-in?next=%2Fcustomers%2F3%3Fx%3D1%26y%3D%25C3%25A4");
    }

    async fn what_anybody_may_see_needs_no_sign_in(app) {
        for path in ["/healthz", "/readyz"] {
            app.page(As::Anonymous, path).await.expect(200);
        }
        app.page(As::Anonymous, "/nowhere").await.expect(404);
    }

    async fn a_viewer_sees_no_buttons_that_would_fail(app) {
        let customer = app.customer("Somebody").await;
        let page = app.page(As::Viewer, &format!("/customers/{}", customer["id"])).await.expect(200);
        assert!(page.body.contains("Somebody") && !page.body.contains("/edit\"") && !page.body.contains("Delete for good"));
        assert!(!app.page(As::Viewer, "/customers").await.body.contains("New customer"));
    }
}

#[test]
fn anonymous_reading_of_the_api_is_a_setting_on_sqlite() {
    anonymous_reading_of_the_api(Kind::Sqlite);
}

#[test]
fn anonymous_reading_of_the_api_is_a_setting_on_postgres() {
    anonymous_reading_of_the_api(Kind::Postgres);
}

fn anonymous_reading_of_the_api(kind: Kind) {
    run(kind, &[("anonymous_api_read", "true")], async |app| {
        app.customer("Somebody").await;
        assert_eq!(app.get(As::Anonymous, "/api/customers/").await.expect(200).json()["count"], 1);
        app.get(As::Anonymous, "/api/").await.expect(200);
        for path in ["/api/users/", "/api/users/1/", "/api/roles/", "/api/tokens/", "/api/sessions/"] {
            app.get(As::Anonymous, path).await.expect(401);
        }
        for event in app.get(As::Anonymous, "/api/events/?page_size=1000").await.expect(200).json()["results"]
            .as_array()
            .unwrap()
        {
            assert!(!["users", "roles"].contains(&event["resource"].as_str().unwrap()), "{event}");
        }
        let body = json!({ "name": "x" });
        app.json(As::Anonymous, "POST", "/api/customers/", body).await.expect(401);
        app.page(As::Anonymous, "/customers").await.expect(303);
    });
}

/// A role over time, and a person who has it.
struct Changing {
    role: String,
    user: Value,
    cookie: String,
}

impl Changing {
    async fn new(app: &TestApp, permissions: &[&str]) -> Self {
        let body = json!({ "name": "Changing", "permissions": permissions });
        let role = app.json(As::Administrator, "POST", "/api/roles/", body).await.expect(201).json();
        let user = app.person("Cleo", &["changing"]).await;
        let cookie = app.signed_in("cleo@kontor.example").await;
        Self { role: role["id"].to_string(), user, cookie }
    }

    /// Gives the role exactly these permissions; the person signs in again when more of them end the session's id.
    async fn now(&self, app: &TestApp, permissions: &[&str]) {
        let body = json!({ "permissions": permissions });
        app.json(As::Administrator, "PATCH", &format!("/api/roles/{}", self.role), body).await.expect(200);
    }

    /// A token they make themselves, of all they may.
    async fn token(&self, app: &TestApp) -> String {
        let fields = [("days", ""), ("form[name]", "own"), ("page", "/account/tokens/new")];
        let made = app.with_cookie(&self.cookie, "/-/account/create-token", Some(&fields)).await.expect(200);
        format!("Bearer {}", crate::accounts::told(&made).remove(0))
    }
}

async fn status(app: &TestApp, bearer: &str, method: &str, path: &str, body: Value) -> u16 {
    let headers = [("authorization", bearer), ("content-type", "application/json")];
    app.call(As::Anonymous, method, path, &headers, body.to_string()).await.status.as_u16()
}

both! {
    async fn rights_that_shrink_count_at_once_for_what_was_made_before(app) {
        let both = ["customers.view", "customers.add", "records.import"];
        let cleo = Changing::new(app, &both).await;
        let own = cleo.token(app).await;
        let body = json!({ "user": cleo.user["id"], "name": "made by another" });
        let others = app.json(As::Administrator, "POST", "/api/tokens/", body).await.expect(201).json();
        let others = format!("Bearer {}", others["secret"].as_str().unwrap());
        // The key of a form, and an upload, from before.
        let form = app.with_cookie(&cleo.cookie, "/customers/new", None).await.expect(200).body;
        let key = form.split("name=\"once\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        let file = "--xyz\r\ncontent-disposition: form-data; name=\"customers\"; filename=\"c.csv\"\r\n\r\nname\r\nAnn\r\n\r\n--xyz--\r\n";
        let request = Request::post("/-/import/upload").header("sec-fetch-site", "same-origin").header("accept", "text/html");
        let request = request.header("content-type", "multipart/form-data; boundary=xyz").header("cookie", &cleo.cookie);
        let uploaded = app.send(request.header("host", "kontor.example").body(Body::from(file)).unwrap()).await.expect(303);
        let upload = uploaded.header("location").to_owned();
        app.with_cookie(&cleo.cookie, &upload, None).await.expect(200);
        let create = [("once", key.as_str()), ("form[name]", "Made once"), ("page", "/customers/new")];
        let used = async || {
            let mut seen = Vec::new();
            for bearer in [&own, &others] {
                seen.push(status(app, bearer, "GET", "/api/customers/", json!({})).await);
                seen.push(status(app, bearer, "POST", "/api/customers/", json!({ "name": "x" })).await);
            }
            seen.push(app.with_cookie(&cleo.cookie, "/customers", None).await.status.as_u16());
            seen.push(app.with_cookie(&cleo.cookie, &upload, None).await.status.as_u16());
            seen
        };
        cleo.now(app, &["customers.view"]).await;
        assert_eq!(used().await, [200, 403, 200, 403, 200, 403]);
        app.with_cookie(&cleo.cookie, "/-/customers/create", Some(&create)).await.expect(403);
        cleo.now(app, &[]).await;
        assert_eq!(used().await, [403; 6]);
        // A form that was refused is not spent: it works once, when its right is back.
        cleo.now(app, &both).await;
        let again = app.signed_in("cleo@kontor.example").await;
        app.with_cookie(&again, "/-/customers/create", Some(&create)).await.expect(303);
        app.with_cookie(&again, "/-/customers/create", Some(&create)).await.expect(303);
        assert_eq!(app.rows("customers WHERE name = 'Made once'").await, 1);
        // Somebody else's upload opens to nobody, whatever they may.
        app.page(As::Administrator, &upload).await.expect(404);
    }

    async fn rights_that_grow_reach_only_what_their_person_made_and_what_its_maker_could_give(app) {
        let cleo = Changing::new(app, &["customers.view"]).await;
        let own = cleo.token(app).await;
        let manager = app.bearer(&["users.view", "users.change", "tokens.add", "customers.view"]).await;
        let manage = async |path: &str, body: Value| {
            let headers = [("authorization", manager.as_str()), ("content-type", "application/json")];
            app.call(As::Anonymous, "POST", path, &headers, body.to_string()).await
        };
        let body = json!({ "user": cleo.user["id"], "name": "theirs" });
        let theirs = manage("/api/tokens/", body).await.expect(201).json();
        let theirs = format!("Bearer {}", theirs["secret"].as_str().unwrap());
        let link = manage(&format!("/api/users/{}/invite/", cleo.user["id"]), json!({})).await.expect(200).json();
        let link = link["link"].as_str().unwrap().split_once("kontor.example").unwrap().1.to_owned();
        let session = app.signed_in("cleo@kontor.example").await;
        cleo.now(app, &["customers.view", "products.view"]).await;
        let products = async |bearer: &str| status(app, bearer, "GET", "/api/products/", json!({})).await;
        assert_eq!((products(&own).await, products(&theirs).await), (200, 403));
        app.page(As::Anonymous, &link).await.expect(404);
        let grown = app.with_cookie(&session, "/products", None).await.expect(200);
        assert_ne!(crate::accounts::cookie(&grown), session, "the session has another id with more rights");
        // A scope that somebody chose does not grow either.
        let scoped = app.bearer(&["customers.view"]).await;
        assert_eq!(products(&scoped).await, 403);
    }

    async fn a_follower_who_loses_the_right_while_waiting_is_told_nothing_more(app) {
        let cleo = Changing::new(app, &["customers.view"]).await;
        let own = cleo.token(app).await;
        let last = app.get(As::Administrator, "/api/events/").await.expect(200).json()["last"].to_string();
        let path = format!("/api/events/?resource=customers&wait=20&after={last}");
        let by_token = async |bearer: &str| {
            let headers = [("authorization", bearer)];
            app.call(As::Anonymous, "GET", &path, &headers, "").await
        };
        let happens = async |revoke: Value| {
            let changed = app.json(As::Administrator, "PATCH", &format!("/api/users/{}", cleo.user["id"]), revoke).await;
            changed.expect(200);
            app.customer("Too late").await;
        };
        // Both wait before anything happens: an answer comes only with an event.
        let session = app.signed_in("cleo@kontor.example").await;
        let headers = [("cookie", session.as_str())];
        let by_session = app.call(As::Anonymous, "GET", &path, &headers, "");
        let (first, second, ()) = tokio::join!(by_token(&own), by_session, async {
            // So many statements take both past finding out who asks.
            let before = app.state.database.statements();
            while app.state.database.statements() < before + 12 {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
            happens(json!({ "is_active": false })).await;
        });
        for answer in [first, second] {
            assert_eq!(answer.status, 401, "{}", answer.body);
            assert!(!answer.body.contains("Too late"));
        }
        app.customer("Later").await;
        assert!(by_token(app.token(As::Viewer).map(|token| format!("Bearer {token}")).unwrap().as_str()).await.body.contains("Later"));
    }

    async fn an_export_that_began_with_the_right_to_it_is_finished(app) {
        for number in 0..3 {
            app.customer(&format!("Customer {number}")).await;
        }
        let cleo = Changing::new(app, &["customers.view"]).await;
        let own = cleo.token(app).await;
        let request = Request::get("/api/customers/?format=csv").header("host", "kontor.example");
        let request = request.header("authorization", &own).body(Body::empty()).unwrap();
        let response = tower::ServiceExt::oneshot(app.router.clone(), request).await.unwrap();
        assert_eq!(response.status(), 200);
        cleo.now(app, &[]).await;
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&body).matches("Customer ").count(), 3);
        assert_eq!(status(app, &own, "GET", "/api/customers/?format=csv", json!({})).await, 403);
    }
}
