//! A connection pooler between Kontor and PostgreSQL.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::cli::{kontor, ok, refused};
use crate::crash::{Server, post};
use crate::support::{As, Kind, TestApp, run};

/// PgBouncer in front of an app's database; ends with its owner.
struct Pooler {
    child: Child,
    url: String,
    _folder: tempfile::TempDir,
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Pooler {
    /// Nothing where PgBouncer is missing; CI must have it.
    fn start(app: &TestApp, mode: &str) -> Option<Self> {
        let program = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer", "/usr/local/bin/pgbouncer"];
        let Some(program) = program.iter().find(|program| Path::new(program).exists()) else {
            assert!(std::env::var_os("CI").is_none(), "CI must test with PgBouncer: run scripts/setup test");
            eprintln!("NOT RUN: PgBouncer is missing (see scripts/setup)");
            return None;
        };
        let (server, database) = app.url.rsplit_once('/').unwrap();
        let (person, place) = server.split_once("://").unwrap().1.split_once('@').unwrap();
        let (host, port) = place.rsplit_once(':').unwrap_or((place, "5432"));
        let (user, password) = person.split_once(':').unwrap_or((person, ""));
        let password = if password.is_empty() { String::new() } else { format!(" password='{password}'") };
        let folder = tempfile::tempdir().unwrap();
        let listen = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let settings = format!(
            "[databases]\n* = host={host} port={port} user={user}{password}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {listen}\nunix_socket_dir =\nauth_type = any\npool_mode = {mode}\nmax_client_conn = 200\n\
             default_pool_size = 50\n"
        );
        let file = folder.path().join("pgbouncer.ini");
        std::fs::write(&file, settings).unwrap();
        for path in [folder.path(), &file] {
            assert!(Command::new("chmod").arg("755").arg(path).status().unwrap().success());
        }
        let is_root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
        let mut command = Command::new(if is_root { "setpriv" } else { program });
        if is_root {
            // It refuses to be run by root.
            command.args(["--reuid", "nobody", "--regid", "65534", "--clear-groups", program]);
        }
        let child = command.arg(&file).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let pooler = Self { child, url: format!("postgres://{user}@127.0.0.1:{listen}/{database}"), _folder: folder };
        let began = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", listen)).is_err() {
            assert!(began.elapsed() < Duration::from_secs(15), "PgBouncer does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(pooler)
    }
}

#[test]
fn a_pooler_that_gives_each_transaction_another_connection_is_refused_at_the_start() {
    run(Kind::Postgres, &[], async |app| {
        for mode in ["transaction", "statement"] {
            let Some(pooler) = Pooler::start(app, mode) else { return };
            for arguments in [&["serve", "--addr", "127.0.0.1:0"][..], &["migrate", "up"]] {
                let why = refused(kontor(&pooler.url, arguments, ""));
                assert!(why.contains("set the pooler to session mode"), "{mode}: {why}");
            }
        }
    });
}

#[test]
fn a_pooler_in_session_mode_works() {
    run(Kind::Postgres, &[], async |app| {
        let Some(pooler) = Pooler::start(app, "session") else { return };
        assert!(!ok(kontor(&pooler.url, &["migrate", "up"], "")).contains("missing"));
        let server = Server::start(&pooler.url);
        let customer = json!({ "name": "Somebody" });
        let (status, made) =
            post(&server.address, app.token(As::Staff).unwrap(), "/api/customers/", None, &customer).unwrap();
        assert_eq!(status, 201, "{made}");
    });
}
