//! A write that was acknowledged is there; of one that failed nothing is, and the next one is not lost with it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use futures::future::join_all;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use crate::both;
use crate::cli::{kontor, ok, refused};
use crate::crash::{Server, ask, post};
use crate::support::{Answer, As, Kind, PASSWORD, TestApp, run};

/// Waits for an answer of `/readyz` with this status; answers are shared for a second.
async fn readiness(app: &TestApp, status: u16) -> Answer {
    let began = Instant::now();
    loop {
        let answer = app.get(As::Anonymous, "/readyz").await;
        if answer.status == status {
            return answer;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{status} wanted: {} {}", answer.status, answer.body);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

both! {
    async fn a_transaction_in_which_a_statement_failed_commits_nothing(app) {
        for (sql, is_over) in [("SELECT * FROM nowhere", true), ("SELECT 1 / 0", app.url.starts_with("postgres"))] {
            let transaction = app.state.database.write().await.unwrap();
            let insert = "INSERT INTO settings (name, value, updated_at) VALUES ('half', '', '2026-11-29T00:00:00+00:00')";
            transaction.execute_unprepared(insert).await.unwrap();
            assert_eq!(transaction.execute_unprepared(sql).await.is_err(), is_over, "{sql}");
            if is_over {
                assert!(transaction.commit().await.is_err(), "{sql}");
                assert_eq!(app.rows("settings").await, 0, "{sql}");
            } else {
                transaction.rollback().await.unwrap();
            }
            app.customer("Somebody").await;
        }
        assert_eq!(app.rows("customers").await, 2);
    }

    async fn a_command_that_is_given_up_halfway_leaves_a_connection_in_no_transaction(app) {
        let slow = if app.url.starts_with("postgres") {
            "SELECT pg_sleep(0.3)"
        } else {
            "WITH RECURSIVE t (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 300000) SELECT MAX(n) FROM t"
        };
        for _ in 0..4 {
            let transaction = app.state.database.write().await.unwrap();
            transaction.execute_unprepared("UPDATE users SET name = 'Nobody'").await.unwrap();
            let given_up = tokio::time::timeout(Duration::from_millis(5), transaction.execute_unprepared(slow)).await;
            assert!(given_up.is_err());
            drop(transaction);
        }
        let made = app.customer("Somebody").await;
        app.get(As::Staff, &format!("/api/customers/{}/", made["id"])).await.expect(200);
        assert_eq!(app.rows("users WHERE name = 'Nobody'").await, 0);
    }

    async fn readiness_is_a_write_that_is_shared(app) {
        assert_eq!(readiness(app, 200).await.body, "ready\n");
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        let before = app.state.database.statements();
        for answer in join_all((0..50).map(|_| app.get(As::Anonymous, "/readyz"))).await {
            answer.expect(200);
        }
        // Three statements read the schema, one writes; a second may have passed meanwhile.
        assert!((1..=8).contains(&(app.state.database.statements() - before)));
        app.execute("ALTER TABLE readiness RENAME TO elsewhere").await;
        let answer = readiness(app, 503).await;
        assert!(answer.body.contains("A write could not be committed."), "{}", answer.body);
        app.execute("ALTER TABLE elsewhere RENAME TO readiness").await;
        readiness(app, 200).await;
    }
}

#[test]
fn a_write_that_is_given_up_before_its_commit_says_that_nothing_was_saved() {
    for kind in [Kind::Sqlite, Kind::Postgres] {
        run(kind, &[("request_timeout", "1")], async |app| {
            let held = app.state.database.write().await.unwrap();
            if kind == Kind::Postgres {
                held.execute_unprepared("LOCK TABLE customers IN EXCLUSIVE MODE").await.unwrap();
            }
            let body = json!({ "name": "Somebody" });
            let answer = app.json(As::Staff, "POST", "/api/customers/", body.clone()).await.expect(503);
            assert!(answer.body.contains("The answer took too long. Nothing was saved."), "{}", answer.body);
            held.rollback().await.unwrap();
            assert_eq!(app.rows("customers").await, 0);
            app.json(As::Staff, "POST", "/api/customers/", body).await.expect(201);
            assert_eq!(app.rows("customers").await, 1);
        });
    }
}

#[test]
fn what_is_acknowledged_after_sqlite_ended_a_transaction_by_itself_is_committed() {
    run(Kind::Sqlite, &[], async |app| {
        let create = |name: &str| app.json(As::Staff, "POST", "/api/customers/", json!({ "name": name }));
        // As when the disk is full, SQLite rolls the whole transaction back and says no more than that a statement failed.
        app.execute(
            "CREATE TRIGGER full_disk AFTER INSERT ON customers WHEN NEW.name = 'No room' \
             BEGIN SELECT RAISE(ROLLBACK, 'database or disk is full'); END",
        )
        .await;
        let failed = create("No room").await.expect(500);
        assert!(failed.body.contains("Nothing was saved."), "{}", failed.body);
        app.json(As::Staff, "PATCH", "/api/customers/999/", json!({ "name": "Nobody" })).await.expect(404);
        for name in ["One", "Two"] {
            let made = create(name).await.expect(201).json();
            app.get(As::Staff, &format!("/api/customers/{}/", made["id"])).await.expect(200);
        }
        assert_eq!(app.rows("customers").await, 2);
    });
}

#[test]
fn readiness_falls_when_the_file_of_sqlite_is_gone_replaced_or_damaged() {
    run(Kind::Sqlite, &[], async |app| {
        let file = app.url.strip_prefix("sqlite:").unwrap();
        let kept = format!("{file}.kept");
        // Not done by this process, as SQLite loses its locks on a file whose descriptor anybody in its process closes.
        let shell = |command: String| assert!(Command::new("sh").args(["-c", &command]).status().unwrap().success());
        readiness(app, 200).await;
        shell(format!("mv {file} {kept}"));
        let answer = readiness(app, 503).await;
        assert!(answer.body.contains("deleted, moved or replaced"), "{}", answer.body);
        shell(format!("cp {kept} {file}"));
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        readiness(app, 503).await;
        shell(format!("mv {kept} {file}"));
        readiness(app, 200).await;
        shell(format!("dd if=/dev/zero of={file} bs=4096 count=1 conv=notrunc 2>/dev/null; rm {file}-wal"));
        readiness(app, 503).await;
    });
}

#[test]
fn sqlite_is_no_version_that_can_damage_the_database() {
    use sea_orm::Statement;

    run(Kind::Sqlite, &[], async |app| {
        let reader = app.state.database.reader();
        let sql = Statement::from_string(reader.get_database_backend(), "SELECT sqlite_version()");
        let version: String = reader.query_one_raw(sql).await.unwrap().unwrap().try_get_by_index(0).unwrap();
        let numbers: Vec<u32> = version.split('.').map(|part| part.parse().unwrap()).collect();
        assert!(numbers >= vec![3, 51, 3], "{version}");
    });
}

#[test]
fn a_database_that_was_there_and_is_gone_is_not_begun_anew_unasked() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kontor.db");
    let url = format!("sqlite:{}", file.display());
    ok(kontor(&url, &["migrate", "up"], ""));
    ok(kontor(&url, &["migrate", "status"], ""));
    std::fs::remove_file(&file).unwrap();
    let commands: [&[&str]; 5] =
        [&["serve", "--addr", "127.0.0.1:0"], &["migrate", "up"], &["demo"], &["user", "list"], &["history", "verify"]];
    for command in commands {
        let told = refused(kontor(&url, command, ""));
        assert!(told.contains("is missing") && told.contains("--new-database"), "{command:?}: {told}");
        assert!(!file.exists(), "{command:?}");
    }
    ok(kontor(&url, &["migrate", "up", "--new-database"], ""));
    ok(kontor(&url, &["user", "list"], ""));
    // With a database that is there, the word changes nothing.
    ok(kontor(&url, &["demo"], ""));
    let people = ok(kontor(&url, &["user", "list"], ""));
    assert_eq!(ok(kontor(&url, &["user", "list", "--new-database"], "")), people);
}

/// A server on a new database of SQLite, with a customer and a token.
fn served(folder: &std::path::Path) -> (Server, String, String) {
    let url = format!("sqlite:{}", folder.join("kontor.db").display());
    let email = "writer@kontor.example";
    ok(kontor(&url, &["migrate", "up"], ""));
    ok(kontor(&url, &["user", "create", email, "--name", "Writer", "--role", "staff", "--password-stdin"], PASSWORD));
    let token = ok(kontor(&url, &["token", "create", "--user", email, "--name", "t"], "")).trim().to_owned();
    let server = Server::start(&url);
    assert_eq!(post(&server.address, &token, "/api/customers/", None, &json!({ "name": "A" })).unwrap().0, 201);
    (server, url, token)
}

#[test]
fn a_server_that_has_run_out_of_descriptors_still_knows_what_it_saved() {
    let folder = tempfile::tempdir().unwrap();
    let (server, _, token) = served(folder.path());
    let mut stream = TcpStream::connect(&server.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut send = |method: &str, path: &str, body: &str| {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            server.address,
            body.len()
        );
        stream.write_all(request.as_bytes()).unwrap();
        let (mut answer, mut buffer) = (String::new(), [0; 4096]);
        loop {
            let read = stream.read(&mut buffer).unwrap();
            assert!(read > 0, "{answer}");
            answer.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
            let Some((head, body)) = answer.split_once("\r\n\r\n") else { continue };
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            if body.len() == length.parse::<usize>().unwrap() {
                return (head.split(' ').nth(1).unwrap().parse::<u16>().unwrap(), body.to_owned());
            }
        }
    };
    // Connections that are opened when they are first used.
    assert_eq!(send("POST", "/api/customers/", r#"{"name":"B"}"#).0, 201);
    assert_eq!(send("GET", "/api/customers/", "").0, 200);
    let folder = format!("/proc/{}/fd", server.id());
    let mut used: Vec<u32> = std::fs::read_dir(folder)
        .unwrap()
        .map(|fd| fd.unwrap().file_name().to_str().unwrap().parse().unwrap())
        .collect();
    used.sort_unstable();
    let free = (0..).zip(&used).find(|(number, used)| number != *used).map_or(used.len() as u32, |(number, _)| number);
    let limit = format!("--nofile={free}:{free}");
    let limited = Command::new("prlimit").args(["--pid", &server.id().to_string(), &limit]).status().unwrap();
    assert!(limited.success());
    for number in 0..20 {
        let (status, body) = send("POST", "/api/customers/", &format!(r#"{{"name":"C{number}"}}"#));
        assert_eq!(status, 201, "{body}");
        let id = serde_json::from_str::<Value>(&body).unwrap()["id"].clone();
        assert_eq!(send("GET", &format!("/api/customers/{id}/"), "").0, 200);
    }
}

/// A small file system in memory.
struct Small(tempfile::TempDir);

impl Small {
    /// Nothing where this is not permitted; there the injected faults show the same.
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let arguments = ["-t", "tmpfs", "-o", "size=24m", "tmpfs", folder.path().to_str().unwrap()];
        let mounted = Command::new("mount").args(arguments).output().is_ok_and(|output| output.status.success());
        mounted.then_some(Self(folder))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn on_a_file_system_that_was_full_everything_acknowledged_is_there_after_a_restart() {
    let Some(small) = Small::mount() else {
        eprintln!("NOT RUN: mounting a file system is not permitted");
        return;
    };
    let (mut server, url, token) = served(small.0.path());
    let filler = small.0.path().join("filler");
    let bearer = format!("authorization: Bearer {token}\r\n");
    let mut made = Vec::new();
    for round in 0..5 {
        let mut file = std::fs::File::create(&filler).unwrap();
        while file.write_all(&[1; 4096]).is_ok() {}
        let mut failures = 0;
        for number in 0..200 {
            let customer = json!({ "name": format!("Full {round}-{number}"), "notes": "n".repeat(4_000) });
            let (status, answer) = post(&server.address, &token, "/api/customers/", None, &customer).unwrap();
            match status {
                201 => made.push(answer["id"].clone()),
                _ => failures += 1,
            }
            // What is refused leaves a savepoint in a transaction that is counted wrong.
            let refused = ask(&server.address, "PATCH", "/api/customers/9999/", &bearer, "{}").unwrap();
            assert!(refused.0 >= 400);
            if failures > 3 {
                break;
            }
        }
        assert!(failures > 0, "the disk never was full");
        std::fs::remove_file(&filler).unwrap();
        drop(file);
        for number in 0..10 {
            let customer = json!({ "name": format!("Free {round}-{number}"), "notes": "n".repeat(400) });
            let (status, answer) = post(&server.address, &token, "/api/customers/", None, &customer).unwrap();
            assert_eq!(status, 201, "{answer}");
            let path = format!("/api/customers/{}/", answer["id"]);
            assert_eq!(ask(&server.address, "GET", &path, &bearer, "").unwrap().0, 200);
            made.push(answer["id"].clone());
        }
        if round % 2 == 1 {
            server.kill();
            server = Server::start(&url);
        }
        for id in &made {
            let answer = ask(&server.address, "GET", &format!("/api/customers/{id}/"), &bearer, "").unwrap();
            assert_eq!(answer.0, 200, "{id} was acknowledged: {}", answer.2);
        }
    }
    drop(server);
}

/// Which way a message goes.
#[derive(Debug, Clone, Copy)]
enum Way {
    ToServer,
    ToClient,
}

/// A way to PostgreSQL that is cut at the n-th message of one direction after it was armed.
struct Proxy {
    address: SocketAddr,
    left: Arc<[AtomicI64; 2]>,
}

impl Proxy {
    fn to(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Self { address: listener.local_addr().unwrap(), left: Arc::default() };
        let left = Arc::clone(&proxy.left);
        thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), Ok(server)) = (client, TcpStream::connect(&server)) else { return };
                for way in [Way::ToServer, Way::ToClient] {
                    let (client, server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                    let left = Arc::clone(&left);
                    thread::spawn(move || match way {
                        Way::ToServer => carry(client, server, way, &left),
                        Way::ToClient => carry(server, client, way, &left),
                    });
                }
            }
        });
        proxy
    }

    fn arm(&self, way: Way, n: i64) {
        self.left[way as usize].store(n, Ordering::SeqCst);
    }

    /// Cuts nothing any more; whether anything was cut.
    fn disarm(&self) -> bool {
        self.left.iter().map(|left| left.swap(0, Ordering::SeqCst)).all(|left| left <= 0)
    }
}

/// Carries messages of PostgreSQL's protocol until one is where the connection is cut.
fn carry(mut from: TcpStream, mut to: TcpStream, way: Way, left: &[AtomicI64; 2]) {
    let left = &left[way as usize];
    // The first message of a client has no type.
    let mut has_type = matches!(way, Way::ToClient);
    let mut message = Vec::new();
    loop {
        message.resize(if has_type { 5 } else { 4 }, 0);
        if from.read_exact(&mut message).is_err() {
            break;
        }
        let at = message.len() - 4;
        let length = u32::from_be_bytes(message[at..].try_into().unwrap()) as usize;
        let head = message.len();
        message.resize(head + length - 4, 0);
        if from.read_exact(&mut message[head..]).is_err() {
            break;
        }
        has_type = true;
        if left.load(Ordering::SeqCst) > 0 && left.fetch_sub(1, Ordering::SeqCst) == 1 {
            break;
        }
        if to.write_all(&message).is_err() {
            break;
        }
    }
    let _ = (from.shutdown(std::net::Shutdown::Both), to.shutdown(std::net::Shutdown::Both));
}

#[test]
fn a_way_to_postgres_that_is_cut_at_any_message_loses_nothing_that_was_acknowledged() {
    run(Kind::Postgres, &[], async |app| {
        let (start, server) = app.url.split_once('@').unwrap();
        let (server, name) = server.split_once('/').unwrap();
        let server = if server.contains(':') { server.to_owned() } else { format!("{server}:5432") };
        let proxy = Proxy::to(server);
        let name = name.split('?').next().unwrap();
        let behind = app.over(&format!("{start}@{}/{name}?sslmode=disable", proxy.address)).await;
        app.customer("Somebody").await;
        for sku in ["P", "Q"] {
            app.product(sku, "1.25").await;
        }
        for way in [Way::ToServer, Way::ToClient] {
            let mut n = 1;
            loop {
                let key = format!("{way:?}-{n}");
                let order = json!({
                    "customer": 1, "customer_reference": key, "items": [{ "sku": "P", "quantity": 2 }, { "sku": "Q", "quantity": 1 }],
                });
                let headers = [("content-type", "application/json"), ("idempotency-key", key.as_str())];
                let create = || behind.call(As::Staff, "POST", "/api/orders/", &headers, order.to_string());
                proxy.arm(way, n);
                let answer = create().await;
                let was_cut = proxy.disarm();
                let there = app.rows(&format!("orders WHERE customer_reference = '{key}'")).await;
                let told = format!("{way:?}, {n}: {} {}", answer.status, answer.body);
                match answer.status.as_u16() {
                    201 => assert_eq!(there, 1, "acknowledged, and not there: {told}"),
                    500.. if answer.body.contains("Nothing was saved.") => assert_eq!(there, 0, "{told}"),
                    503 if answer.body.contains("may have been saved") => {}
                    _ => panic!("an answer that tells nothing: {told}"),
                }
                // The key tells, whatever the first answer said.
                let mut again = create().await;
                while again.status == 409 && again.body.contains("is being carried out") {
                    again = create().await;
                }
                let is_known = again.status == 201 || again.body.contains("was carried out");
                assert!(is_known, "{told}, then {} {}", again.status, again.body);
                let of_key = format!("orders WHERE customer_reference = '{key}'");
                assert_eq!(app.rows(&of_key).await, 1, "{told}");
                let lines = format!("order_items WHERE order_id IN (SELECT id FROM {of_key})");
                assert_eq!(app.rows(&lines).await, 2, "{told}");
                let events = format!("events WHERE resource = 'orders' AND record_id IN (SELECT id FROM {of_key})");
                assert_eq!(app.rows(&events).await, 1, "{told}");
                if !was_cut {
                    break;
                }
                n += if n < 25 { 1 } else { n / 5 };
            }
            assert!(n > 10, "{way:?}: {n}");
        }
        behind.state.database.clone().close().await;
    });
}
