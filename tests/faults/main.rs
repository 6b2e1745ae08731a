//! Every way to write fails at every place: the disk is full, the disk fails, memory runs out, a statement is interrupted. Whatever
//! was acknowledged is there and whole, of what "nothing was saved" is said nothing is there, and the next write succeeds.
//!
//! A fault hits the first 25 places of every write, then every fourth and fewer; `TEST_FAULTS=all` has it hit all of them.

// What a test expects, it may insist on.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod failpoint;
#[allow(dead_code)] // what other tests need
#[path = "../it/support.rs"]
mod support;

use std::process::Command;
use std::sync::{Mutex, PoisonError};

use kontor::access::gate::Access;
use kontor::history::{self, chain};
use kontor::import;
use kontor::import::mapping::Mapping;
use kontor::import::run::{File, Import, Mode, Watch};
use sea_orm::sqlx::sqlite::SqliteConnectOptions;
use sea_orm::sqlx::{AssertSqlSafe, ConnectOptions, Connection, SqliteConnection, query_scalar};
use serde_json::{Value, json};

use failpoint::Fault;
use support::{Answer, As, Kind, PASSWORD, TestApp, run};

/// The ways to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Path {
    Create,
    Change,
    Delete,
    Order,
    Place,
    Bulk,
    Undo,
    SignIn,
    Keyed,
    Set,
    Import,
    TokenUse,
    Seal,
}

const PATHS: &[Path] = &[
    Path::Create,
    Path::Change,
    Path::Delete,
    Path::Order,
    Path::Place,
    Path::Bulk,
    Path::Undo,
    Path::SignIn,
    Path::Keyed,
    Path::Set,
    Path::Import,
    Path::TokenUse,
    Path::Seal,
];

/// One write that a fault hits.
struct Deed<'a> {
    app: &'a TestApp,
    path: Path,
    /// What tells it apart.
    tag: String,
    /// What it needs, made before.
    needs: Value,
}

impl Deed<'_> {
    async fn new(app: &TestApp, path: Path, tag: String) -> Deed<'_> {
        let needs = match path {
            Path::Change | Path::Delete => app.customer(&tag).await,
            Path::Place => app.order(&json!({ "id": 1 }), json!([{ "sku": "P", "quantity": 2 }])).await,
            Path::Undo => {
                let customer = app.customer(&tag).await;
                let at = format!("/api/customers/{}/", customer["id"]);
                let changed = app.json(As::Staff, "PATCH", &at, json!({ "notes": tag })).await.expect(200);
                json!({ "id": customer["id"], "change": changed.header("x-request-id") })
            }
            Path::SignIn => json!(app.rows("sessions").await),
            Path::Set => {
                let mut connection = seen(app.url.strip_prefix("sqlite:").unwrap()).await;
                let sql = "SELECT COALESCE((SELECT value FROM settings WHERE name = 'rate_burst'), '')";
                json!(text(&mut connection, sql).await)
            }
            Path::TokenUse => {
                app.execute("UPDATE api_tokens SET last_used_at = NULL").await;
                Value::Null
            }
            _ => Value::Null,
        };
        Deed { app, path, tag, needs }
    }

    async fn done(&self) -> Answer {
        let (app, tag, needs) = (self.app, &self.tag, &self.needs);
        match self.path {
            Path::Create => app.json(As::Staff, "POST", "/api/customers/", json!({ "name": tag })).await,
            Path::Change => {
                let at = format!("/api/customers/{}/", needs["id"]);
                app.json(As::Staff, "PATCH", &at, json!({ "notes": tag })).await
            }
            Path::Delete => {
                let at = format!("/api/customers/{}/", needs["id"]);
                app.json(As::Administrator, "DELETE", &at, Value::Null).await
            }
            Path::Order => {
                let items = json!([{ "sku": "P", "quantity": 2 }, { "sku": "Q", "quantity": 1 }]);
                let order = json!({ "customer": 1, "customer_reference": tag, "items": items });
                app.json(As::Staff, "POST", "/api/orders/", order).await
            }
            Path::Place => app.act(As::Staff, needs, "place", json!({})).await,
            Path::Bulk => {
                let row = |end: &str| json!({ "action": "create", "values": { "name": format!("{tag}{end}") } });
                let body = json!({ "rows": [row("-a"), row("-b")] });
                app.json(As::Staff, "POST", "/api/customers/bulk/", body).await
            }
            Path::Undo => {
                let at = format!("/api/changes/{}/undo/", needs["change"].as_str().unwrap());
                app.json(As::Staff, "POST", &at, json!({})).await
            }
            Path::SignIn => {
                let fields = [("email", "staff@kontor.example"), ("password", PASSWORD), ("next", "")];
                app.form(As::Anonymous, "/-/sign-in", "text/html", &fields).await
            }
            Path::Keyed => {
                let headers = [("content-type", "application/json"), ("idempotency-key", tag.as_str())];
                app.call(As::Staff, "POST", "/api/customers/", &headers, json!({ "name": tag }).to_string()).await
            }
            Path::Set => {
                let was = needs.as_str().unwrap();
                let fields =
                    [("page", "/admin/settings"), ("form[was.rate_burst]", was), ("form[rate_burst]", self.number())];
                app.form(As::Administrator, "/-/admin/set", "text/html", &fields).await
            }
            Path::Import => {
                let access = Access::<Import>::system(&app.state.database).unwrap();
                let content = format!("code,name\n{tag}-1,{tag}-a\n{tag}-2,{tag}-b\n").into_bytes();
                let files = [File { kind: import::Kind::Customers, name: "customers.csv".into(), content }];
                let watch = Watch::new(&|_, _| ());
                let report = import::run::run(&access, &files, &Mapping::default(), Mode::Write, &watch).await;
                as_answer(report.map(|report| assert!(report.is_clean(), "{:?}", report.problems)))
            }
            Path::TokenUse => app.get(As::Staff, "/api/products/").await,
            Path::Seal => as_answer(chain::seal(&app.state.database).await.map(drop)),
        }
    }

    /// A setting that no other deed chooses.
    fn number(&self) -> &str {
        self.tag.rsplit('-').next().unwrap()
    }

    /// A question to the database, with its answers when nothing was saved and when everything was.
    fn question(&self) -> (String, String, String) {
        let (tag, id) = (&self.tag, &self.needs["id"]);
        let events = |of: &str, command: &str| {
            format!(
                "(SELECT COUNT(*) FROM events WHERE resource = '{of}' AND record_id = {id} AND command = '{command}')"
            )
        };
        let (sql, absent, whole) = match self.path {
            Path::Create | Path::Keyed | Path::Bulk | Path::Import => (
                format!(
                    "SELECT COUNT(*) || '/' || (SELECT COUNT(*) FROM events WHERE resource = 'customers' AND command = 'create' \
                     AND record_id IN (SELECT id FROM customers WHERE name = '{tag}' OR name LIKE '{tag}-_')) \
                     FROM customers WHERE name = '{tag}' OR name LIKE '{tag}-_'"
                ),
                "0/0",
                if matches!(self.path, Path::Bulk | Path::Import) { "2/2" } else { "1/1" },
            ),
            Path::Change => (
                format!(
                    "SELECT (COALESCE(notes, '') = '{tag}') || '/' || version || '/' || {} FROM customers WHERE id = {id}",
                    events("customers", "change")
                ),
                "0/1/0",
                "1/2/1",
            ),
            Path::Delete => (
                format!("SELECT COUNT(*) || '/' || {} FROM customers WHERE id = {id}", events("customers", "delete")),
                "1/0",
                "0/1",
            ),
            Path::Order => (
                format!(
                    "SELECT COUNT(DISTINCT o.id) || '/' || COUNT(i.id) || '/' || (SELECT COUNT(*) FROM events \
                     JOIN orders ON record_id = orders.id WHERE resource = 'orders' AND customer_reference = '{tag}') \
                     FROM orders AS o LEFT JOIN order_items AS i ON i.order_id = o.id WHERE customer_reference = '{tag}'"
                ),
                "0/0/0",
                "1/2/1",
            ),
            Path::Place => (
                format!(
                    "SELECT (status = 'placed') || '/' || {} FROM orders WHERE id = {id}",
                    events("orders", "place")
                ),
                "0/0",
                "1/1",
            ),
            Path::Undo => (
                format!(
                    "SELECT (COALESCE(notes, '') = '') || '/' || {} FROM customers WHERE id = {id}",
                    events("customers", "undo")
                ),
                "0/0",
                "1/1",
            ),
            Path::SignIn => (format!("SELECT CAST(COUNT(*) - {} AS TEXT) FROM sessions", self.needs), "0", "1"),
            Path::Set => (
                format!(
                    "SELECT COUNT(*) || '' FROM settings WHERE name = 'rate_burst' AND value = '{}'",
                    self.number()
                ),
                "0",
                "1",
            ),
            Path::TokenUse | Path::Seal => ("SELECT ''".to_owned(), "", ""),
        };
        (sql, absent.to_owned(), whole.to_owned())
    }
}

/// What a request would be answered: a command that fails has saved nothing, unless it says otherwise.
fn as_answer(done: kontor::base::Result<()>) -> Answer {
    let (status, body) = match done {
        Ok(()) => (200, String::new()),
        Err(error) if error.detail.contains("may have been saved") => (error.status(), error.detail),
        Err(error) => (error.status(), format!("{} Nothing was saved.", error.detail)),
    };
    Answer { status: status.try_into().unwrap(), headers: Default::default(), body }
}

/// The database as somebody else sees it who opens it now.
async fn seen(file: &str) -> SqliteConnection {
    SqliteConnectOptions::new().filename(file).create_if_missing(false).connect().await.unwrap()
}

async fn text(connection: &mut SqliteConnection, sql: &str) -> String {
    query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(connection).await.unwrap()
}

/// What the next start would find if the program ended now.
async fn after_a_crash(file: &str, sql: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    // Not copied by this process: SQLite loses its locks on a file whose descriptor anybody in its process closes.
    for end in ["", "-wal"] {
        let copied = Command::new("cp").arg(format!("{file}{end}")).arg(folder.path()).status().unwrap();
        assert!(copied.success());
    }
    let name = std::path::Path::new(file).file_name().unwrap();
    let mut connection = seen(folder.path().join(name).to_str().unwrap()).await;
    let found = text(&mut connection, sql).await;
    connection.close().await.unwrap();
    found
}

/// What may never be half there, whoever wrote it.
const WHOLE: &[&str] = &[
    "SELECT (SELECT COUNT(*) FROM orders WHERE NOT EXISTS (SELECT 1 FROM events WHERE resource = 'orders' AND record_id = orders.id \
     AND command = 'create')) || ''",
    "SELECT COUNT(*) || '' FROM (SELECT status, COUNT(*) AS n, SUM(total) AS t FROM orders GROUP BY status) AS o LEFT JOIN tallies \
     ON resource = 'orders' AND tab = status WHERE counted IS NOT n OR above * 1000000 + below IS NOT t",
    "SELECT COUNT(*) || '' FROM pragma_foreign_key_check",
];

/// Has the fault hit each way to write at every place.
fn storm(fault: Fault) {
    // What fails is one for the whole process.
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    failpoint::install();
    let all = std::env::var("TEST_FAULTS").is_ok_and(|which| which == "all");
    run(Kind::Sqlite, &[("sign_in_attempts", "100000"), ("rate_limit", "0")], async |app| {
        let file = app.url.strip_prefix("sqlite:").unwrap();
        app.customer("Somebody").await;
        app.product("P", "1.25").await;
        app.product("Q", "2.50").await;
        let mut acknowledged = Vec::new();
        for path in PATHS {
            let (mut n, mut hits) = (1, 0);
            loop {
                let tag = format!("{path:?}-{}", 10_000 + n);
                let deed = Deed::new(app, *path, tag.clone()).await;
                failpoint::arm(fault, n);
                let answer = deed.done().await;
                let was_hit = failpoint::disarm();
                hits += u32::from(was_hit);
                let at = format!("{fault:?}, {path:?}, {n}: {} {}", answer.status, answer.body);
                let (sql, absent, whole) = deed.question();
                let mut other = seen(file).await;
                let found = text(&mut other, &sql).await;
                let crashed = after_a_crash(file, &sql).await;
                match answer.status.as_u16() {
                    200..=399 => {
                        assert_eq!((&found, &crashed), (&whole, &whole), "acknowledged, and not there: {at}");
                        acknowledged.push((sql, whole));
                    }
                    500.. if answer.body.contains("Nothing was saved") => {
                        assert_eq!((&found, &crashed), (&absent, &absent), "said to be absent, and there: {at}");
                    }
                    500.. if answer.body.contains("may have been saved") => {
                        assert!(found == absent || found == whole, "half there: {found}: {at}");
                        assert!(crashed == absent || crashed == whole, "half there: {crashed}: {at}");
                    }
                    500.. if *path == Path::TokenUse => {}
                    _ => panic!("an answer that tells nothing: {at}"),
                }
                if *path == Path::Keyed {
                    let again = deed.done().await;
                    let was_kept = again.status == 201 || again.body.contains("was carried out");
                    assert!(was_kept, "{at}, then {} {}", again.status, again.body);
                    let (sql, _, whole) = deed.question();
                    assert_eq!(text(&mut other, &sql).await, whole, "the key tells something else: {at}");
                }
                let name = format!("After {fault:?} {tag}");
                let after = app.json(As::Staff, "POST", "/api/customers/", json!({ "name": name })).await;
                assert_eq!(after.status, 201, "the next write: {at}, then {}", after.body);
                let sql = format!("SELECT COUNT(*) || '' FROM customers WHERE name = '{name}'");
                assert_eq!(text(&mut other, &sql).await, "1", "the next write is lost: {at}");
                acknowledged.push((sql, "1".to_owned()));
                for sql in WHOLE {
                    assert_eq!(text(&mut other, sql).await, "0", "{sql}: {at}");
                }
                other.close().await.unwrap();
                if !was_hit {
                    break;
                }
                n += if all || n < 25 { 1 } else { n / 4 };
            }
            eprintln!("{fault:?} {path:?}: {hits} faults, done by {n}");
            assert!(hits > 0 || *path == Path::TokenUse, "{fault:?} never hit {path:?}");
        }
        chain::seal(&app.state.database).await.unwrap();
        let access = Access::<history::View>::system(&app.state.database).unwrap();
        assert_eq!(chain::verify(&access, None).await.unwrap().fault.map(|fault| fault.what), None);
        app.state.database.clone().close().await;
        let mut reopened = seen(file).await;
        assert_eq!(text(&mut reopened, "PRAGMA integrity_check").await, "ok");
        for (sql, whole) in acknowledged {
            // What was set, changed or deleted may have been so again.
            if sql.contains("FROM customers WHERE name") || sql.contains("customer_reference") {
                assert_eq!(text(&mut reopened, &sql).await, whole, "after reopening: {sql}");
            }
        }
        reopened.close().await.unwrap();
    });
}

#[test]
fn a_full_disk_at_any_write_loses_nothing_that_was_acknowledged() {
    storm(Fault::FullDisk);
}

#[test]
fn an_error_of_the_disk_at_any_write_loses_nothing_that_was_acknowledged() {
    storm(Fault::Disk);
}

#[test]
fn a_lack_of_memory_at_any_allocation_loses_nothing_that_was_acknowledged() {
    storm(Fault::Memory);
}

#[test]
fn an_interrupt_at_any_step_loses_nothing_that_was_acknowledged() {
    storm(Fault::Step);
}
