//! Releases beside each other, servers that start together, and changes of the schema while others work.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use sea_orm::ConnectionTrait;
use serde_json::json;

use crate::both;
use crate::cli::{kontor, ok, refused};
use crate::crash::{Server, ask, post};
use crate::support::{As, Kind, TestApp, run};

/// An empty database of the same kind; gone with the app's, or with what is returned.
async fn empty(app: &TestApp, name: &str) -> (String, Option<tempfile::TempDir>) {
    if app.url.starts_with("sqlite") {
        let folder = tempfile::tempdir().unwrap();
        return (format!("sqlite:{}", folder.path().join("new/empty.db").display()), Some(folder));
    }
    let (server, of_app) = app.url.rsplit_once('/').unwrap();
    let name = format!("{of_app}_{name}");
    let database = sea_orm::Database::connect(&app.url).await.unwrap();
    database.execute_unprepared(&format!("CREATE DATABASE {name}")).await.unwrap();
    (format!("{server}/{name}"), None)
}

async fn drop_empty(app: &TestApp, url: &str) {
    if let Some((_, name)) = url.rsplit_once('/').filter(|_| url.starts_with("postgres")) {
        let database = sea_orm::Database::connect(&app.url).await.unwrap();
        database.execute_unprepared(&format!("DROP DATABASE {name} WITH (FORCE)")).await.unwrap();
    }
}

/// A server that is starting. Its output is read when it is over.
fn starting(url: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_kontor"))
        .args(["serve", "--addr", "127.0.0.1:0"])
        .current_dir(std::env::temp_dir())
        .env("KONTOR_DATABASE_URL", url)
        .env("KONTOR_LOG", "kontor=info")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Waits until a server serves, ends it, and says what it printed; everything it logged when it does not.
fn served(mut server: Child) -> Result<String, String> {
    let mut log = String::new();
    let mut is_serving = false;
    for line in BufReader::new(server.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        is_serving |= line.contains("\"serving\"");
        log.push_str(&line);
        log.push('\n');
        if is_serving {
            break;
        }
    }
    server.kill().unwrap();
    let printed = String::from_utf8(server.wait_with_output().unwrap().stdout).unwrap();
    if is_serving { Ok(printed) } else { Err(log) }
}

both! {
    async fn servers_that_start_together_on_an_empty_database_take_turns(app) {
        for round in 0..3 {
            let (url, _folder) = empty(app, &format!("empty{round}")).await;
            let servers: Vec<_> = (0..4).map(|_| starting(&url)).collect();
            let servers: Vec<_> = servers.into_iter().map(|server| thread::spawn(move || served(server))).collect();
            let printed: Vec<_> = servers.into_iter().map(|server| server.join().unwrap().unwrap()).collect();
            let passwords = printed.iter().filter(|text| text.contains("password")).count();
            assert_eq!(passwords, 1, "one of them made the administrator: {printed:?}");
            assert!(!ok(kontor(&url, &["migrate", "status"], "")).contains("missing"));
            assert_eq!(ok(kontor(&url, &["user", "list"], "")).lines().count(), 1);
            drop_empty(app, &url).await;
        }
    }

    async fn a_release_works_beside_a_schema_that_is_ahead_of_it_until_a_step_says_that_it_is_too_old(app) {
        app.execute("INSERT INTO seaql_migrations (version, applied_at) VALUES ('m20991231_000099_later', 0)").await;
        app.execute("ALTER TABLE customers ADD COLUMN later TEXT").await;
        app.execute("ALTER TABLE orders ADD COLUMN later BIGINT NOT NULL DEFAULT 7").await;
        app.execute("CREATE TABLE laters (id BIGINT NOT NULL PRIMARY KEY)").await;
        assert!(ok(kontor(&app.url, &["migrate", "up"], "")).contains("unknown  m20991231_000099_later"));
        let server = Server::start(&app.url);
        let token = app.token(As::Staff).unwrap();
        let ready = || ask(&server.address, "GET", "/readyz", "", "").unwrap();
        assert_eq!(ready().0, 200);
        assert!(ready().2.contains("steps of the schema that this release does not know: 1"), "{}", ready().2);
        let (status, customer) = post(&server.address, token, "/api/customers/", None, &json!({ "name": "Somebody" })).unwrap();
        assert_eq!(status, 201, "{customer}");
        let order = json!({ "customer": customer["id"], "items": [] });
        assert_eq!(post(&server.address, token, "/api/orders/", None, &order).unwrap().0, 201);
        let page = app.page(As::Administrator, "/admin/health").await;
        assert!(page.status != 200 || page.body.contains("ahead of this release by 1 steps"));
        let down = refused(kontor(&app.url, &["migrate", "down"], ""));
        assert!(down.contains("m20991231_000099_later is of a later release"), "{down}");

        app.execute("UPDATE schema_requirement SET step = 'm20991231_000099_later'").await;
        // An answer holds for a second.
        let end = Instant::now() + Duration::from_secs(10);
        while ready().0 == 200 {
            assert!(Instant::now() < end, "it is still ready");
        }
        let (status, _, body) = ready();
        assert_eq!((status, body.contains("m20991231_000099_later")), (503, true), "{body}");
        for arguments in [&["serve", "--addr", "127.0.0.1:0"][..], &["serve", "--no-migrate", "--addr", "127.0.0.1:0"], &["migrate", "up"], &["migrate", "status"]] {
            let why = refused(kontor(&app.url, arguments, ""));
            assert!(why.contains("This release of Kontor is too old for the database"), "{arguments:?}: {why}");
        }
    }

    async fn a_server_is_not_ready_while_steps_are_missing(app) {
        app.state.database.migrate_down(1).await.unwrap();
        let answer = app.get(As::Anonymous, "/readyz").await.expect(503);
        assert!(answer.body.contains("missing: 1"), "{}", answer.body);
        assert!(ok(kontor(&app.url, &["migrate", "status"], "")).contains("missing  m2"));
        ok(kontor(&app.url, &["migrate", "up"], ""));
        let end = Instant::now() + Duration::from_secs(10);
        while app.get(As::Anonymous, "/readyz").await.status != 200 {
            assert!(Instant::now() < end, "it is not ready");
            tokio::task::yield_now().await;
        }
    }

    async fn a_step_that_fails_is_named_and_those_before_it_stay(app) {
        let schema = app.state.database.schema().await.unwrap();
        let later = schema.steps.iter().skip_while(|(name, _)| !name.contains("000022")).count();
        app.state.database.migrate_down(later.try_into().unwrap()).await.unwrap();
        // What a step is to make is there already.
        app.execute("CREATE INDEX ix_events_unsealed ON events (id)").await;
        let why = refused(kontor(&app.url, &["migrate", "up"], ""));
        assert!(why.contains("m20261129_000026_unsealed_events of the schema could not be applied"), "{why}");
        assert!(why.contains("the steps before it are applied"), "{why}");
        let status = ok(kontor(&app.url, &["migrate", "status"], ""));
        assert!(status.contains("applied  m20261129_000022_schema_requirement"), "{status}");
        assert!(status.contains("missing  m20261129_000026_unsealed_events"), "{status}");
        app.execute("DROP INDEX ix_events_unsealed").await;
        assert!(!ok(kontor(&app.url, &["migrate", "up"], "")).contains("missing"));
    }
}

/// Ends those who write, also when something fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn the_schema_changes_beside_those_who_write() {
    run(Kind::Postgres, &[("rate_limit", "0")], async |app| {
        app.product("A", "1").await;
        let customer = app.customer("Somebody").await;
        let server = Server::start(&app.url);
        let (address, token) = (server.address.as_str(), app.token(As::Staff).unwrap());
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            for writer in 0..8 {
                let (is_over, customer) = (&is_over, &customer);
                scope.spawn(move || {
                    let mut made = 0;
                    while !is_over.load(Ordering::Relaxed) {
                        let items = json!([{ "sku": "A", "quantity": 1 }]);
                        let order = json!({ "customer": customer["id"], "items": items });
                        let new = json!({ "name": format!("{writer}-{made}") });
                        for (path, body) in [("/api/orders/", &order), ("/api/customers/", &new)] {
                            let (status, answer) = post(address, token, path, None, body).unwrap();
                            assert!([201, 503].contains(&status), "{status} {answer}");
                        }
                        made += 1;
                    }
                    assert!(made > 0);
                });
            }
            let _over = Over(&is_over);
            for _ in 0..6 {
                ok(kontor(&app.url, &["migrate", "down", "--steps", "3"], ""));
                assert!(!ok(kontor(&app.url, &["migrate", "up"], "")).contains("missing"));
            }
        });
    });
}
