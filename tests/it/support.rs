//! The app under test: the real router over a database of its own, and three people who ask it things.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use kontor::access::gate::Access;
use kontor::access::people::UserInput;
use kontor::access::token::{NewToken, Owner, digest};
use kontor::access::{token, user};
use kontor::house;
use kontor::server::AppState;
use kontor::server::database::Database;
use kontor::server::settings::Settings;
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde_json::Value;
use tower::ServiceExt;

pub const PASSWORD: &str = "correct horse battery";

/// Declares a test that runs on both databases; its body gets a fresh [`TestApp`].
#[macro_export]
macro_rules! both {
    ($(async fn $name:ident($app:ident) $body:block)+) => {$(
        mod $name {
            #[allow(unused_imports)] // what one body needs, another does not
            use super::*;

            async fn body($app: &$crate::support::TestApp) $body

            #[test]
            fn sqlite() {
                $crate::support::run($crate::support::Kind::Sqlite, &[], async |app| body(app).await);
            }

            #[test]
            fn postgres() {
                $crate::support::run($crate::support::Kind::Postgres, &[], async |app| body(app).await);
            }
        }
    )+};
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Postgres,
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum As {
    Anonymous,
    Administrator,
    Staff,
    Viewer,
    /// A token of the administrator that may only view products.
    Scoped,
    /// A token of the administrator that must name versions.
    Careful,
    /// A token of the administrator that ran out.
    Expired,
    /// Somebody whose session was ended, with the cookie they still have.
    Ended,
    /// A former administrator who was deactivated, with the token and the cookie they still have.
    Shut,
}

/// What people bring along: made once in the template, valid in every copy.
#[derive(Debug, Clone)]
struct Keys {
    administrator: (String, String),
    staff: (String, String),
    viewer: (String, String),
    scoped: String,
    careful: String,
    expired: String,
    ended: String,
    shut: (String, String),
}

struct Template {
    /// The file to copy, or the database to copy.
    source: String,
    keys: Keys,
    _folder: Option<tempfile::TempDir>,
}

pub struct TestApp {
    pub state: AppState,
    pub router: Router,
    pub url: String,
    keys: Keys,
    /// The settings that the test asked for.
    said: Vec<(String, String)>,
    _folder: Option<tempfile::TempDir>,
}

/// How a server reaches the database of another one.
#[allow(dead_code)] // not every test target runs more than one server
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connections {
    Own,
    Shared,
}

/// An answer, read whole.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The messages at one field of a problem.
    pub fn at(&self, field: &str) -> String {
        let problem = self.json();
        problem["errors"][field]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        self
    }
}

fn admin_url() -> Option<String> {
    let url = std::env::var("TEST_DATABASE_URL").ok();
    assert!(url.is_some() || std::env::var_os("CI").is_none(), "CI must test on PostgreSQL: set TEST_DATABASE_URL");
    url
}

fn named(url: &str, name: &str) -> String {
    format!("{}/{name}", url.rsplit_once('/').unwrap().0)
}

fn unique() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("kontor_test_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Runs on the one runtime of all tests, as the server has one: leptos keeps tasks across requests on threads of its own,
/// and they must not outlive the runtime that wakes them.
pub fn block_on<T>(work: impl Future<Output = T>) -> T {
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    RUNTIME
        .get_or_init(|| tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap())
        .block_on(work)
}

fn template(kind: Kind) -> &'static Template {
    static SQLITE: OnceLock<Template> = OnceLock::new();
    static POSTGRES: OnceLock<Template> = OnceLock::new();
    let once = if kind == Kind::Sqlite { &SQLITE } else { &POSTGRES };
    // A thread of its own, as the test is already inside a runtime.
    once.get_or_init(|| std::thread::spawn(move || block_on(make_template(kind))).join().unwrap())
}

async fn make_template(kind: Kind) -> Template {
    let (url, source, folder) = match kind {
        Kind::Sqlite => {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("template.db").display().to_string();
            (format!("sqlite:{file}"), file, Some(folder))
        }
        Kind::Postgres => {
            let (admin, name) = (admin_url().unwrap(), unique());
            sea_orm::Database::connect(&admin)
                .await
                .unwrap()
                .execute_unprepared(&format!("CREATE DATABASE {name}"))
                .await
                .unwrap();
            (named(&admin, &name), name, None)
        }
    };
    let database = Database::connect(&url).await.unwrap();
    database.migrate().await.unwrap();
    for (who, role) in
        [("administrator", "administrator"), ("staff", "staff"), ("viewer", "viewer"), ("former", "administrator")]
    {
        let (email, name) = (format!("{who}@kontor.example"), format!("The {who}"));
        let input = UserInput { email, name, roles: vec![role.into()], is_active: true, is_service: false };
        user::Entity::enlist(&Access::system(&database).unwrap(), input, PASSWORD.into()).await.unwrap();
    }
    let access = Access::<token::Issue>::system(&database).unwrap();
    let make = async |user: &str, permissions: &[&str], requires_version| {
        let permissions = permissions.iter().map(|code| (*code).to_owned()).collect();
        let owner = Owner::Email(format!("{user}@kontor.example"));
        let new = NewToken { name: format!("{user}'s token"), permissions, expires_at: None, requires_version };
        token::Entity::issue(&access, owner, new).await.unwrap().1
    };
    let state = house::state(settings(&url, &[]), database.clone());
    let router = house::router(&state).unwrap();
    let cookie = async |user: &str| sign_in(&router, &format!("{user}@kontor.example")).await;
    let keys = Keys {
        administrator: (make("administrator", &[], false).await, cookie("administrator").await),
        staff: (make("staff", &[], false).await, cookie("staff").await),
        viewer: (make("viewer", &[], false).await, cookie("viewer").await),
        scoped: make("administrator", &["products.view"], false).await,
        careful: make("administrator", &[], true).await,
        expired: make("administrator", &["*"], false).await,
        ended: cookie("administrator").await,
        shut: (make("former", &[], false).await, cookie("former").await),
    };
    // Every test begins without a security event.
    state.security.flush().await;
    let session = digest(keys.ended.split_once('=').unwrap().1);
    for sql in [
        "UPDATE api_tokens SET expires_at = '2026-01-01T00:00:00+00:00' WHERE permissions IS NOT NULL AND name LIKE 'admin%' \
         AND CAST(permissions AS TEXT) LIKE '%*%'",
        &format!("DELETE FROM sessions WHERE id = '{session}'"),
        "UPDATE users SET is_active = FALSE WHERE email = 'former@kontor.example'",
        "DELETE FROM security_events",
        // Nobody's password is asked again, however long the tests take.
        "UPDATE sessions SET data = REPLACE(data, '\"signed_in\":', '\"confirmed\":4000000000,\"signed_in\":')",
        // Nobody's use is noted while statements are counted.
        "UPDATE sessions SET seen_at = '2096-01-01T00:00:00+00:00'",
        "UPDATE api_tokens SET last_used_at = '2096-01-01T00:00:00+00:00', addresses = '0.0.0.0'",
    ] {
        let transaction = database.write().await.unwrap();
        assert!(transaction.execute_unprepared(sql).await.unwrap().rows_affected() > 0, "{sql}");
        transaction.commit().await.unwrap();
    }
    drop((router, state));
    database.close().await;
    Template { source, keys, _folder: folder }
}

async fn sign_in(router: &Router, email: &str) -> String {
    let body = format!("email={email}&password={}&next=", PASSWORD.replace(' ', "+"));
    let request = form_request("/-/sign-in", &body).header("accept", "text/html").body(Body::from(body)).unwrap();
    let answer = router.clone().oneshot(request).await.unwrap();
    assert_eq!(answer.status(), 303);
    answer.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned()
}

fn form_request(path: &str, _: &str) -> axum::http::request::Builder {
    Request::post(path)
        .header("host", "kontor.example")
        .header("sec-fetch-site", "same-origin")
        .header("content-type", "application/x-www-form-urlencoded")
}

/// What a test says comes last; a blank leaves a setting unsaid.
fn settings(url: &str, said: &[(&str, &str)]) -> Settings {
    let mut flags = vec![
        ("database_url", Some(url.to_owned())),
        ("public_url", Some("http://kontor.example".to_owned())),
        ("sign_in_attempts", Some("1000".to_owned())),
    ];
    flags.retain(|(name, _)| !said.contains(&(*name, "")));
    flags.extend(
        said.iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| (*name, Some((*value).to_owned()))),
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kontor.toml");
    std::fs::write(&file, "").unwrap();
    Settings::load(&flags, Some(&file)).unwrap()
}

/// Runs a test on a fresh copy of the template; loud where PostgreSQL is missing.
pub fn run(kind: Kind, said: &[(&str, &str)], test: impl AsyncFn(&TestApp)) {
    if kind == Kind::Postgres && admin_url().is_none() {
        eprintln!("NOT RUN on PostgreSQL: TEST_DATABASE_URL is not set (see scripts/with-postgres)");
        return;
    }
    block_on(async {
        let app = TestApp::new(kind, said).await;
        test(&app).await;
        app.finish().await;
    });
}

impl TestApp {
    async fn new(kind: Kind, said: &[(&str, &str)]) -> Self {
        let template = template(kind);
        let (url, folder) = match kind {
            Kind::Sqlite => {
                let folder = tempfile::tempdir().unwrap();
                let file: PathBuf = folder.path().join("test.db");
                std::fs::copy(&template.source, &file).unwrap();
                (format!("sqlite:{}", file.display()), Some(folder))
            }
            Kind::Postgres => {
                let (admin, name) = (admin_url().unwrap(), unique());
                let sql = format!("CREATE DATABASE {name} TEMPLATE {}", template.source);
                sea_orm::Database::connect(&admin).await.unwrap().execute_unprepared(&sql).await.unwrap();
                (named(&admin, &name), None)
            }
        };
        let settings = settings(&url, said);
        let database = Database::connect_with(&url, settings.durability, settings.timeouts).await.unwrap();
        let state = house::state(settings, database);
        let router = house::router(&state).unwrap();
        let said = said.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { router, state, url, keys: template.keys.clone(), said, _folder: folder }
    }

    /// Another server over the same database: over connections of its own, or over those of this one. Finished by its owner
    /// before this one.
    #[allow(dead_code)] // not every test target runs more than one server
    pub async fn beside(&self, connections: Connections) -> Self {
        let database = match connections {
            Connections::Own => Database::connect(&self.url).await.unwrap(),
            Connections::Shared => self.state.database.clone(),
        };
        let state = house::state(settings(&self.url, &self.said()), database);
        let router = house::router(&state).unwrap();
        Self { router, state, url: self.url.clone(), keys: self.keys.clone(), said: self.said.clone(), _folder: None }
    }

    fn said(&self) -> Vec<(&str, &str)> {
        self.said.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    /// The same company behind another address of its database.
    pub async fn over(&self, url: &str) -> Self {
        let state = house::state(settings(url, &self.said()), Database::connect(url).await.unwrap());
        let router = house::router(&state).unwrap();
        Self { router, state, url: url.to_owned(), keys: self.keys.clone(), said: self.said.clone(), _folder: None }
    }

    async fn finish(self) {
        self.state.database.clone().close().await;
        if let (Some(admin), true) = (admin_url(), self.url.starts_with("postgres")) {
            let name = self.url.rsplit_once('/').unwrap().1;
            let sql = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
            sea_orm::Database::connect(&admin).await.unwrap().execute_unprepared(&sql).await.unwrap();
        }
    }

    /// The token somebody sends over the API.
    pub fn token(&self, who: As) -> Option<&str> {
        match who {
            As::Anonymous => None,
            As::Administrator => Some(&self.keys.administrator.0),
            As::Staff => Some(&self.keys.staff.0),
            As::Viewer => Some(&self.keys.viewer.0),
            As::Scoped => Some(&self.keys.scoped),
            As::Careful => Some(&self.keys.careful),
            As::Expired => Some(&self.keys.expired),
            As::Shut => Some(&self.keys.shut.0),
            As::Ended => None,
        }
    }

    /// The session cookie somebody's browser sends.
    pub fn cookie(&self, who: As) -> Option<&str> {
        match who {
            As::Administrator => Some(&self.keys.administrator.1),
            As::Staff => Some(&self.keys.staff.1),
            As::Viewer => Some(&self.keys.viewer.1),
            As::Ended => Some(&self.keys.ended),
            As::Shut => Some(&self.keys.shut.1),
            As::Anonymous | As::Scoped | As::Careful | As::Expired => None,
        }
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = String::from_utf8_lossy(&to_bytes(body, usize::MAX).await.unwrap()).into_owned();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// A call over the API with further headers and a body as it is.
    pub async fn call(
        &self,
        who: As,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("host", "kontor.example");
        if let Some(token) = self.token(who) {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(body.into()).unwrap()).await
    }

    /// A person made by the administrator, who can sign in with [`PASSWORD`] and has these roles.
    pub async fn person(&self, name: &str, roles: &[&str]) -> Value {
        let email = format!("{}@kontor.example", name.to_lowercase());
        let body = serde_json::json!({ "name": name, "email": email, "roles": roles });
        let user = self.json(As::Administrator, "POST", "/api/users/", body).await.expect(201).json();
        let access = Access::system(&self.state.database).unwrap();
        user::Entity::set_password(&access, &email, PASSWORD.into(), user::Tokens::Keep).await.unwrap();
        user
    }

    /// The session cookie of somebody who signs in with [`PASSWORD`].
    pub async fn signed_in(&self, email: &str) -> String {
        sign_in(&self.router, email).await
    }

    /// A request of whoever has this cookie: a page, or a form when there are fields.
    pub async fn with_cookie(&self, cookie: &str, path: &str, fields: Option<&[(&str, &str)]>) -> Answer {
        let request = match fields {
            None => Request::get(path).header("host", "kontor.example"),
            Some(_) => form_request(path, ""),
        };
        let fields = fields.unwrap_or_default();
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = request.header("accept", "text/html").header("cookie", cookie);
        self.send(request.body(Body::from(body)).unwrap()).await
    }

    /// A form of whoever has this cookie, sent to another server on the same database.
    pub async fn at(&self, router: &Router, cookie: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = form_request(path, &body).header("accept", "text/html").header("cookie", cookie);
        let other = Self {
            state: self.state.clone(),
            router: router.clone(),
            url: self.url.clone(),
            keys: self.keys.clone(),
            said: self.said.clone(),
            _folder: None,
        };
        other.send(request.body(Body::from(body)).unwrap()).await
    }

    /// A call over the API with a JSON body.
    pub async fn json(&self, who: As, method: &str, path: &str, body: Value) -> Answer {
        self.call(who, method, path, &[("content-type", "application/json")], body.to_string()).await
    }

    pub async fn get(&self, who: As, path: &str) -> Answer {
        self.call(who, "GET", path, &[], Body::empty()).await
    }

    /// The same by a session: the use of a token is noted beside the request, and would be counted with its statements.
    pub async fn by_session(&self, who: As, path: &str) -> Answer {
        self.call(As::Anonymous, "GET", path, &[("cookie", self.cookie(who).unwrap())], Body::empty()).await
    }

    /// A page as a browser asks for it.
    pub async fn page(&self, who: As, path: &str) -> Answer {
        let mut request = Request::get(path).header("host", "kontor.example").header("accept", "text/html");
        if let Some(cookie) = self.cookie(who) {
            request = request.header("cookie", cookie);
        }
        self.send(request.body(Body::empty()).unwrap()).await
    }

    /// A form as a browser sends it: by the page alone (`text/html`) or by its script (`application/json`).
    pub async fn form(&self, who: As, path: &str, accept: &str, fields: &[(&str, &str)]) -> Answer {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let mut request = form_request(path, &body).header("accept", accept);
        if let Some(cookie) = self.cookie(who) {
            request = request.header("cookie", cookie);
        }
        self.send(request.body(Body::from(body)).unwrap()).await
    }

    /// Files as a browser's form sends them to be imported: what they hold, their names, and their contents.
    pub async fn upload(&self, who: As, files: &[(&str, &str, &[u8])]) -> Answer {
        let mut body = Vec::new();
        for (field, name, content) in files {
            let head =
                format!("--xyz\r\ncontent-disposition: form-data; name=\"{field}\"; filename=\"{name}\"\r\n\r\n");
            body.extend_from_slice(head.as_bytes());
            body.extend_from_slice(content);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"--xyz--\r\n");
        let mut request = Request::post("/-/import/upload")
            .header("sec-fetch-site", "same-origin")
            .header("host", "kontor.example")
            .header("accept", "text/html")
            .header("content-type", "multipart/form-data; boundary=xyz");
        if let Some(cookie) = self.cookie(who) {
            request = request.header("cookie", cookie);
        }
        self.send(request.body(Body::from(body)).unwrap()).await
    }

    /// A customer made over the API.
    pub async fn customer(&self, name: &str) -> Value {
        self.json(As::Staff, "POST", "/api/customers/", serde_json::json!({ "name": name })).await.expect(201).json()
    }

    /// A product made over the API.
    pub async fn product(&self, sku: &str, price: &str) -> Value {
        let body = serde_json::json!({ "sku": sku, "name": format!("Product {sku}"), "unit": "pcs", "price": price });
        self.json(As::Staff, "POST", "/api/products/", body).await.expect(201).json()
    }

    /// A draft made over the API, as it was answered; `lines` are its items.
    pub async fn order(&self, customer: &Value, lines: Value) -> Value {
        let body = serde_json::json!({ "customer": customer["id"], "items": lines });
        self.json(As::Staff, "POST", "/api/orders/", body).await.expect(201).json()
    }

    /// A command given to an order over the API.
    pub async fn act(&self, who: As, order: &Value, command: &str, body: Value) -> Answer {
        self.json(who, "POST", &format!("/api/orders/{}/{command}/", order["id"]), body).await
    }

    /// The header of a new token of the administrator that holds these permissions and no others.
    pub async fn bearer(&self, permissions: &[&str]) -> String {
        let access = Access::<token::Issue>::system(&self.state.database).unwrap();
        let new = NewToken {
            name: "scoped".into(),
            permissions: permissions.iter().map(|code| (*code).to_owned()).collect(),
            expires_at: None,
            requires_version: false,
        };
        let owner = Owner::Email("administrator@kontor.example".into());
        format!("Bearer {}", token::Entity::issue(&access, owner, new).await.unwrap().1)
    }

    /// A call over the API with a JSON body that names the version it was decided on.
    pub async fn at_version(&self, who: As, method: &str, path: &str, version: &Value, body: Value) -> Answer {
        let tag = format!("\"v{version}\"");
        let headers = [("content-type", "application/json"), ("if-match", tag.as_str())];
        self.call(who, method, path, &headers, body.to_string()).await
    }

    /// Everything that is stored about orders, to see that nothing of it changed.
    pub async fn order_books(&self) -> Vec<Value> {
        let reader = self.state.database.reader();
        let mut rows = Vec::new();
        for table in ["orders", "order_items", "events", "number_series", "form_keys"] {
            let sql = format!("SELECT * FROM {table} ORDER BY 1");
            let statement = sea_orm::Statement::from_string(reader.get_database_backend(), sql);
            rows.extend(sea_orm::JsonValue::find_by_statement(statement).all(reader).await.unwrap());
        }
        rows
    }

    /// The changes that the latest event of an order holds.
    pub async fn latest_changes(&self, order: &Value, command: &str) -> Value {
        let books = self.order_books().await;
        let of_order = |row: &&Value| row["resource"] == "orders" && row["record_id"] == order["id"];
        let event = books.iter().rfind(of_order).unwrap();
        assert_eq!(event["command"], command);
        match &event["changes"] {
            Value::String(text) => serde_json::from_str(text).unwrap(),
            changes => changes.clone(),
        }
    }

    /// Runs a statement past the app, to prepare what the doors cannot.
    pub async fn execute(&self, sql: &str) {
        let transaction = self.state.database.write().await.unwrap();
        transaction.execute_unprepared(sql).await.unwrap();
        transaction.commit().await.unwrap();
    }

    /// The sum of a column over the rows of a table that meet a condition.
    pub async fn sum(&self, table: &str, column: &str, condition: &str) -> i64 {
        let sql = format!("SELECT CAST(COALESCE(SUM({column}), 0) AS BIGINT) AS n FROM {table} WHERE {condition}");
        let reader = self.state.database.reader();
        let statement = sea_orm::Statement::from_string(reader.get_database_backend(), sql);
        reader.query_one_raw(statement).await.unwrap().unwrap().try_get("", "n").unwrap()
    }

    /// How many rows a table has.
    pub async fn rows(&self, table: &str) -> i64 {
        let sql = format!("SELECT COUNT(*) AS n FROM {table}");
        let row = self
            .state
            .database
            .reader()
            .query_one_raw(sea_orm::Statement::from_string(self.state.database.reader().get_database_backend(), sql));
        row.await.unwrap().unwrap().try_get("", "n").unwrap()
    }
}
