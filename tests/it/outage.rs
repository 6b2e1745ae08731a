//! PostgreSQL goes away while everybody works, and comes back.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::cli::{kontor, ok};
use crate::crash::{Server, ask, post};
use crate::support::PASSWORD;

/// A cluster of its own, that can be stopped without anybody else noticing.
struct Cluster {
    programs: PathBuf,
    folder: tempfile::TempDir,
    port: u16,
}

impl Cluster {
    /// Nothing where PostgreSQL's programs are missing; CI must have them.
    fn make() -> Option<Self> {
        let where_it_is = "ls -v /usr/lib/postgresql/*/bin/initdb 2>/dev/null | tail -n 1; command -v initdb";
        let found = Command::new("sh").args(["-c", where_it_is]).output().unwrap();
        let found = String::from_utf8(found.stdout).unwrap();
        let Some(initdb) = found.lines().find(|line| !line.is_empty()) else {
            assert!(std::env::var_os("CI").is_none(), "CI must test on PostgreSQL: its programs are missing");
            eprintln!("NOT RUN on PostgreSQL: its programs are missing");
            return None;
        };
        let programs = Path::new(initdb).parent().unwrap().to_owned();
        let folder = tempfile::tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let cluster = Self { programs, folder, port };
        assert!(
            Command::new("chmod")
                .args(["777", &cluster.folder.path().display().to_string()])
                .status()
                .unwrap()
                .success()
        );
        cluster.run(
            "initdb",
            &["-D", &cluster.data(), "-U", "kontor", "--auth", "trust", "--encoding", "UTF8", "--no-sync"],
        );
        cluster.start();
        Some(cluster)
    }

    fn data(&self) -> String {
        self.folder.path().join("data").display().to_string()
    }

    /// Runs one of PostgreSQL's programs, which refuse to be run by root.
    fn run(&self, program: &str, arguments: &[&str]) {
        let program = self.programs.join(program);
        let is_root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
        let mut command = if is_root {
            let mut command = Command::new("setpriv");
            let user = if Command::new("id").arg("postgres").output().unwrap().status.success() {
                "postgres"
            } else {
                "nobody"
            };
            let group = String::from_utf8(Command::new("id").args(["-g", user]).output().unwrap().stdout).unwrap();
            command.args(["--reuid", user, "--regid", group.trim(), "--clear-groups"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        // What it starts keeps what it writes to, so that is no pipe of ours.
        let quiet = std::process::Stdio::null;
        let status = command.args(arguments).current_dir("/").stdout(quiet()).stderr(quiet()).status().unwrap();
        assert!(status.success(), "{arguments:?}");
    }

    fn start(&self) {
        let options = format!("-p {} -h 127.0.0.1 -k '' -c fsync=off", self.port);
        let log = self.folder.path().join("data/log").display().to_string();
        self.run("pg_ctl", &["-D", &self.data(), "-w", "-l", &log, "-o", &options, "start"]);
    }

    fn stop(&self) {
        self.run("pg_ctl", &["-D", &self.data(), "-m", "immediate", "stop"]);
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // It may be stopped already.
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.stop()));
    }
}

#[test]
fn while_postgres_is_away_everybody_is_told_and_all_goes_on_by_itself_when_it_is_back() {
    let Some(cluster) = Cluster::make() else { return };
    let url = format!("postgres://kontor@127.0.0.1:{}/postgres", cluster.port);
    let email = "writer@kontor.example";
    ok(kontor(&url, &["migrate", "up"], ""));
    ok(kontor(&url, &["user", "create", email, "--name", "Writer", "--role", "staff", "--password-stdin"], PASSWORD));
    let token = ok(kontor(&url, &["token", "create", "--user", email, "--name", "storm"], "")).trim().to_owned();
    let server = Server::start(&url);
    let address = &server.address;
    let form =
        "content-type: application/x-www-form-urlencoded\r\naccept: text/html\r\nsec-fetch-site: same-origin\r\n";
    let body = format!("email={email}&password={}&next=", PASSWORD.replace(' ', "+"));
    let (status, head, _) = ask(address, "POST", "/-/sign-in", form, &body).unwrap();
    assert_eq!(status, 303, "{head}");
    let cookie =
        head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap().split(';').next().unwrap().to_owned();
    assert_eq!(post(address, &token, "/api/customers/", None, &json!({ "name": "A" })).unwrap().0, 201);

    let (stop, made, odd) =
        (AtomicBool::new(false), Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
    let token = &token;
    thread::scope(|scope| {
        for reader in 0..4 {
            let (odd, stop, cookie) = (Arc::clone(&odd), &stop, &cookie);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let (path, headers) = match reader {
                        0 | 1 => ("/api/customers/", format!("authorization: Bearer {token}\r\n")),
                        _ => ("/customers", format!("cookie: {cookie}\r\naccept: text/html\r\n")),
                    };
                    let began = Instant::now();
                    let (status, head, body) = ask(address, "GET", path, &headers, "").unwrap();
                    let told =
                        status == 200 || (status == 503 && head.contains("retry-after") && !body.contains("sqlx"));
                    if !told || began.elapsed() > Duration::from_secs(12) {
                        odd.lock().unwrap().push(format!("{path}: {status} after {:?}: {body}", began.elapsed()));
                    }
                }
            });
        }
        for writer in 0..2 {
            let (made, odd, stop) = (Arc::clone(&made), Arc::clone(&odd), &stop);
            scope.spawn(move || {
                for number in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let name = format!("Customer {writer}-{number}");
                    let (status, answer) =
                        post(address, token, "/api/customers/", None, &json!({ "name": name })).unwrap();
                    match status {
                        201 => made.lock().unwrap().push(answer["id"].as_i64().unwrap()),
                        503 if answer["code"] == "unavailable" => {}
                        _ => odd.lock().unwrap().push(format!("writing: {status}: {answer}")),
                    }
                }
            });
        }
        thread::sleep(Duration::from_millis(700));
        let before = made.lock().unwrap().len();
        cluster.stop();
        let (status, _, _) = ask(address, "GET", "/healthz", "", "").unwrap();
        assert_eq!(status, 200, "the program lives");
        let (status, _, body) = ask(address, "GET", "/readyz", "", "").unwrap();
        assert_eq!(status, 503, "{body}");
        let told = ask(address, "GET", "/api/customers/", &format!("authorization: Bearer {token}\r\n"), "").unwrap();
        assert_eq!((told.0, told.2.contains("\"code\":\"unavailable\"")), (503, true), "{}", told.2);
        cluster.start();
        let back = Instant::now();
        while ask(address, "GET", "/readyz", "", "").unwrap().0 != 200 {
            assert!(back.elapsed() < Duration::from_secs(15), "it does not come back by itself");
            thread::sleep(Duration::from_millis(50));
        }
        thread::sleep(Duration::from_secs(2));
        stop.store(true, Ordering::Relaxed);
        assert!(before > 0 && made.lock().unwrap().len() > before, "there was writing before and after");
    });
    let odd = odd.lock().unwrap();
    assert!(odd.is_empty(), "{} answers: {}", odd.len(), odd.iter().take(5).cloned().collect::<Vec<_>>().join("\n"));
    for id in made.lock().unwrap().iter() {
        let path = format!("/api/customers/{id}/");
        let (status, _, body) = ask(address, "GET", &path, &format!("authorization: Bearer {token}\r\n"), "").unwrap();
        assert_eq!(status, 200, "{id} was acknowledged: {body}");
    }
}
