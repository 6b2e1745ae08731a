//! The server is killed while it writes, again and again. Whoever was told that an order is there finds it whole; nobody finds half
//! of one. This shows it for the end of the program; that a power cut takes nothing back either rests on `synchronous = full`, with
//! which SQLite has a commit on the disk before it is answered.
//!
//! `KONTOR_KILLS` (50) is how often it is killed, and `KONTOR_SEED` repeats a run.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use kontor::server::database::Database;
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use serde_json::{Value, json};

use crate::cli::{kontor, ok};
use crate::life::Luck;
use crate::support::{PASSWORD, block_on};

/// How many people write at once.
const WRITERS: u64 = 4;

/// An order that was asked for, and what was said about it.
#[derive(Debug, Clone)]
struct Asked {
    body: Value,
    /// The answer, if one came.
    made: Option<Value>,
    /// Whether it was said to be there, by an answer or because of it.
    is_there: bool,
    placed: bool,
}

/// Everything that was asked for, by the key it was asked with, which is also the customer's reference of the order.
type Book = Arc<Mutex<BTreeMap<String, Asked>>>;

/// A running `kontor serve`; ends with its owner.
pub struct Server {
    child: Child,
    pub address: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    pub fn start(url: &str) -> Self {
        Self::start_with(url, &[])
    }

    /// The same with further settings, by name.
    pub fn start_with(url: &str, settings: &[(&str, &str)]) -> Self {
        let settings = settings.iter().map(|(name, value)| (format!("KONTOR_{}", name.to_uppercase()), *value));
        // The soft limit of descriptors is what systems give; the server raises it.
        let mut child = Command::new("sh")
            .args(["-c", "ulimit -Sn 1024; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_kontor")])
            .args(["serve", "--addr", "127.0.0.1:0"])
            .current_dir(std::env::temp_dir())
            // No settings of the program.
            .env_remove("KONTOR_KILLS")
            .env_remove("KONTOR_SEED")
            .env("KONTOR_DATABASE_URL", url)
            .env("KONTOR_RATE_LIMIT", "0")
            .env("KONTOR_PAGE_RATE_LIMIT", "0")
            .env("KONTOR_LOG", "warn,kontor=info,kontor::server::answer=warn")
            .envs(settings)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let serving = log.find(|line| line.as_ref().unwrap().contains("\"serving\"")).unwrap().unwrap();
        let address = serde_json::from_str::<Value>(&serving).unwrap()["address"].as_str().unwrap().to_owned();
        thread::spawn(move || log.for_each(drop));
        Self { child, address: address.trim_start_matches("http://").to_owned() }
    }

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn kill(self) {
        drop(self);
    }

    /// Tells the server to stop, as containers and service managers do.
    pub fn terminate(&self) {
        assert!(Command::new("kill").arg(self.child.id().to_string()).status().unwrap().success());
    }

    /// Waits until the server is gone; whether it stopped in order.
    pub fn wait(mut self) -> bool {
        self.child.wait().unwrap().success()
    }
}

/// Posts JSON; nothing when the server went away before it answered.
pub fn post(address: &str, token: &str, path: &str, key: Option<&str>, body: &Value) -> Option<(u16, Value)> {
    let key = key.map_or_else(String::new, |key| format!("idempotency-key: {key}\r\n"));
    let headers = format!("authorization: Bearer {token}\r\ncontent-type: application/json\r\n{key}");
    let (status, _, body) = ask(address, "POST", path, &headers, &body.to_string())?;
    // An answer that was cut off is none.
    Some((status, serde_json::from_str(&body).ok()?))
}

/// Asks for anything: the status, the head and the body of the answer.
pub fn ask(address: &str, method: &str, path: &str, headers: &str, body: &str) -> Option<(u16, String, String)> {
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, head.to_owned(), body.to_owned()))
}

/// Orders, and places some of them, until the server is gone.
fn write(address: &str, token: &str, name: &str, mut luck: Luck, book: &Book, stop: &AtomicBool) {
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let key = format!("{name}-{number}");
        let first = luck.below(6);
        let items: Vec<_> = (0..=luck.below(5))
            .map(|line| json!({ "sku": format!("P{}", (first + line) % 6), "quantity": luck.below(20) + 1 }))
            .collect();
        let body = json!({ "customer": luck.below(3) + 1, "customer_reference": key, "items": items });
        book.lock()
            .unwrap()
            .insert(key.clone(), Asked { body: body.clone(), made: None, is_there: false, placed: false });
        let Some((status, made)) = post(address, token, "/api/orders/", Some(&key), &body) else { return };
        assert_eq!(status, 201, "{made}");
        if let Some(asked) = book.lock().unwrap().get_mut(&key) {
            (asked.made, asked.is_there) = (Some(made.clone()), true);
        }
        if luck.below(2) == 0 {
            let path = format!("/api/orders/{}/place/", made["id"]);
            let Some((status, answer)) = post(address, token, &path, None, &json!({})) else { return };
            assert_eq!(status, 200, "{answer}");
            book.lock().unwrap().get_mut(&key).unwrap().placed = true;
        }
    }
}

async fn rows(database: &Database, sql: &str) -> Vec<sea_orm::QueryResult> {
    database.reader().query_all_raw(Statement::from_string(DbBackend::Sqlite, sql)).await.unwrap()
}

async fn number(database: &Database, sql: &str) -> i64 {
    rows(database, sql).await[0].try_get_by_index(0).unwrap()
}

/// Whether everything that was acknowledged is there, and nothing is there by half.
async fn look(url: &str, book: &Book) {
    let database = Database::connect(url).await.unwrap();
    let text = async |sql: &str| rows(&database, sql).await[0].try_get_by_index::<String>(0).unwrap();
    assert_eq!(text("PRAGMA integrity_check").await, "ok");
    assert!(rows(&database, "PRAGMA foreign_key_check").await.is_empty());
    for (what, sql) in [
        (
            "orders without their event",
            "SELECT COUNT(*) FROM orders WHERE NOT EXISTS (SELECT 1 FROM events WHERE resource = 'orders' AND record_id = orders.id AND command = 'create')",
        ),
        (
            "events without their order",
            "SELECT COUNT(*) FROM events WHERE resource = 'orders' AND NOT EXISTS (SELECT 1 FROM orders WHERE id = record_id)",
        ),
        (
            "placed orders without that event",
            "SELECT COUNT(*) FROM orders WHERE status = 'placed' AND NOT EXISTS (SELECT 1 FROM events WHERE resource = 'orders' AND record_id = orders.id AND command = 'place')",
        ),
        (
            "numbers of the table that are wrong",
            "SELECT COUNT(*) FROM (SELECT status, COUNT(*) AS n, SUM(total) AS t FROM orders GROUP BY status) AS o LEFT JOIN tallies ON resource = 'orders' AND tab = status WHERE counted IS NOT n OR above * 1000000 + below IS NOT t",
        ),
        (
            "orders that a reference has twice",
            "SELECT COUNT(*) FROM (SELECT 1 FROM orders GROUP BY customer_reference HAVING COUNT(*) > 1)",
        ),
    ] {
        assert_eq!(number(&database, sql).await, 0, "{what}");
    }
    let transaction = database.write().await.unwrap();
    transaction
        .execute_unprepared("INSERT INTO orders_search (orders_search, rank) VALUES ('integrity-check', 1)")
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    let mut found = BTreeMap::new();
    let orders = "SELECT customer_reference, orders.id, status, orders.total, COUNT(order_items.id), SUM(order_items.quantity) \
                  FROM orders LEFT JOIN order_items ON order_id = orders.id GROUP BY orders.id";
    for row in rows(&database, orders).await {
        let key: String = row.try_get_by_index(0).unwrap();
        let [id, total, lines, pieces] =
            [1, 3, 4, 5].map(|at| row.try_get_by_index::<Option<i64>>(at).unwrap().unwrap_or_default());
        found.insert(key, (id, row.try_get_by_index::<String>(2).unwrap(), total, lines, pieces));
    }
    database.close().await;
    let book = book.lock().unwrap();
    assert!(found.keys().all(|key| book.contains_key(key)), "nobody asked for some orders");
    for (key, asked) in book.iter() {
        let Some((id, status, total, lines, pieces)) = found.get(key) else {
            assert!(!asked.is_there, "{key} was acknowledged, and is gone");
            continue;
        };
        let items = asked.body["items"].as_array().unwrap();
        let wanted: i64 = items.iter().map(|item| item["quantity"].as_i64().unwrap() * 1000).sum();
        assert_eq!((*lines, *pieces), (items.len() as i64, wanted), "{key} is there by half");
        if let Some(made) = &asked.made {
            let cents = made["total"].as_str().unwrap().replace('.', "").parse::<i64>().unwrap();
            assert_eq!((made["id"].as_i64().unwrap(), cents), (*id, *total), "{key}");
        }
        assert!(!asked.placed || status == "placed", "{key} was placed, and is {status}");
    }
}

#[test]
fn what_was_acknowledged_survives_any_number_of_kills_and_nothing_is_left_by_half() {
    let variable = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let kills = variable("KONTOR_KILLS").unwrap_or(50);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let seed = variable("KONTOR_SEED").unwrap_or(u64::from(now.subsec_nanos()));
    eprintln!("KONTOR_SEED={seed}");
    let mut luck = Luck::of(seed);
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("storm.db").display());
    let email = "writer@kontor.example";
    ok(kontor(&url, &["migrate", "up"], ""));
    ok(kontor(&url, &["user", "create", email, "--name", "Writer", "--role", "staff", "--password-stdin"], PASSWORD));
    let token = ok(kontor(&url, &["token", "create", "--user", email, "--name", "storm"], "")).trim().to_owned();
    let book = Book::default();
    let mut server = Server::start(&url);
    for name in ["A", "B", "C"] {
        assert_eq!(post(&server.address, &token, "/api/customers/", None, &json!({ "name": name })).unwrap().0, 201);
    }
    for product in 0..6 {
        let body = json!({ "sku": format!("P{product}"), "name": format!("Product {product}"), "unit": "pcs", "price": "1.25" });
        assert_eq!(post(&server.address, &token, "/api/products/", None, &body).unwrap().0, 201);
    }
    for kill in 0..kills {
        let stop = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (address, token, book, stop) =
                    (server.address.clone(), token.clone(), Arc::clone(&book), Arc::clone(&stop));
                let luck = Luck::of(seed ^ (kill * WRITERS + writer + 1));
                thread::spawn(move || write(&address, &token, &format!("k{kill}-w{writer}"), luck, &book, &stop))
            })
            .collect();
        thread::sleep(Duration::from_millis(20 + luck.below(250)));
        server.kill();
        stop.store(true, Ordering::Relaxed);
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        block_on(look(&url, &book));
        server = Server::start(&url);
        // Whoever asks again with their key gets the same order, or the one that was not made yet.
        let again: Vec<_> = {
            let book = book.lock().unwrap();
            let of_this_kill = book.iter().filter(|(key, _)| key.starts_with(&format!("k{kill}-")));
            let (made, lost): (Vec<_>, Vec<_>) = of_this_kill.partition(|(_, asked)| asked.made.is_some());
            made.into_iter().take(1).chain(lost).map(|(key, asked)| (key.clone(), asked.clone())).collect()
        };
        for (key, asked) in again {
            let (status, made) = post(&server.address, &token, "/api/orders/", Some(&key), &asked.body).unwrap();
            let mut book = book.lock().unwrap();
            let entry = book.get_mut(&key).unwrap();
            entry.is_there = true;
            // Killed between its commit and the keeping of its answer, it says that it was carried out.
            if status == 409 && made["detail"].as_str().unwrap().contains("was carried out, but its answer was lost") {
                continue;
            }
            assert_eq!(status, 201, "{made}");
            assert!(asked.made.is_none_or(|before| before["id"] == made["id"]), "{key}");
            entry.made = Some(made);
        }
    }
    server.kill();
    block_on(look(&url, &book));
    let made = book.lock().unwrap().values().filter(|asked| asked.made.is_some()).count();
    assert!(made as u64 > kills, "only {made} orders came through: the storm was a breeze");
    assert!(ok(kontor(&url, &["history", "verify"], "")).contains("count"), "the chain of events");
}
