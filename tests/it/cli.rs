//! The command line.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use crate::both;
use crate::support::TestApp;

pub fn kontor(database: &str, arguments: &[&str], input: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_kontor"))
        .args(arguments)
        .current_dir(folder.path())
        // No settings of the program.
        .env_remove("KONTOR_KILLS")
        .env_remove("KONTOR_SEED")
        .env("KONTOR_DATABASE_URL", database)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[track_caller]
pub fn ok(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
pub fn refused(output: Output) -> String {
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

async fn bearer(app: &TestApp, token: &str, path: &str) -> u16 {
    let value = format!("Bearer {token}");
    app.call(crate::support::As::Anonymous, "GET", path, &[("authorization", &value)], "").await.status.as_u16()
}

both! {
    async fn people_are_added_listed_and_get_passwords(app) {
        let run = |arguments: &[&str], input: &str| kontor(&app.url, arguments, input);
        let create = ["user", "create", "ann@kontor.example", "--name", "Ann Ärger", "--role", "staff"];
        let password = ok(run(&create, ""));
        assert_eq!(password.trim().len(), 23, "one generated password, alone: {password}");
        assert!(refused(run(&create, "")).contains("email"));
        let list = ok(run(&["user", "list"], ""));
        assert!(list.contains("ann@kontor.example") && list.contains(" staff ") && list.contains("Ann Ärger"));
        assert!(ok(run(&["user", "set-password", "ann@kontor.example", "--password-stdin"], "a quite new password of Ann\n")).is_empty());
        for weak in ["short", "password1234", "aaaaaaaaaaaaaaaa", "ann@kontor.example"] {
            assert!(refused(run(&["user", "set-password", "ann@kontor.example", "--password-stdin"], weak)).contains("password"), "{weak}");
        }
        assert!(refused(run(&["user", "set-password", "nobody@kontor.example"], "")).contains("no such user"));
        let fields = [("email", "ann@kontor.example"), ("password", "a quite new password of Ann"), ("next", "")];
        app.form(crate::support::As::Anonymous, "/-/sign-in", "text/html", &fields).await.expect(303);
    }

    async fn a_token_is_printed_once_works_within_its_scope_and_ends(app) {
        let run = |arguments: &[&str]| kontor(&app.url, arguments, "");
        let user = "staff@kontor.example";
        let token = ok(run(&["token", "create", "--user", user, "--name", "shop", "--permission", "products.view", "--expires", "90d"]));
        assert!(token.starts_with("kontor_") && token.lines().count() == 1);
        assert_eq!(bearer(app, token.trim(), "/api/products").await, 200);
        assert_eq!(bearer(app, token.trim(), "/api/customers").await, 403);
        let list = ok(run(&["token", "list"]));
        assert!(list.contains("shop") && list.contains("products.view") && !list.contains(token.trim()));
        let id = list.lines().find(|line| line.contains("shop")).unwrap().split_whitespace().next().unwrap().to_owned();
        ok(run(&["token", "revoke", &id]));
        assert_eq!(bearer(app, token.trim(), "/api/products").await, 401);
        assert!(refused(run(&["token", "revoke", &id])).contains("no such token"));
        let beyond = ["token", "create", "--user", user, "--name", "x", "--permission", "users.manage"];
        assert!(refused(run(&beyond)).contains("users.manage"));
        assert!(refused(run(&["token", "create", "--user", user, "--name", "x", "--expires", "soon"])).contains("90d"));
    }

    async fn the_schema_goes_down_and_up_again(app) {
        let run = |arguments: &[&str]| kontor(&app.url, arguments, "");
        let status = ok(run(&["migrate", "status"]));
        assert!(!status.contains("missing"));
        let steps = status.lines().count();
        let down = ok(run(&["migrate", "down", "--steps", &steps.to_string()]));
        assert_eq!(down.matches("missing").count(), steps);
        let up = ok(run(&["migrate", "up"]));
        assert_eq!(up.matches("applied").count(), steps);
        assert!(ok(run(&["demo"])).contains("24 customers, 38 products and 160 orders"));
        assert!(refused(run(&["demo"])).contains("empty database"));
    }
}

#[test]
fn two_servers_that_start_together_take_turns_to_migrate() {
    crate::support::run(crate::support::Kind::Postgres, &[], async |app| {
        let steps = ok(kontor(&app.url, &["migrate", "status"], "")).lines().count().to_string();
        ok(kontor(&app.url, &["migrate", "down", "--steps", &steps], ""));
        let children: Vec<_> = (0..3)
            .map(|_| {
                let url = app.url.clone();
                std::thread::spawn(move || kontor(&url, &["migrate", "up"], ""))
            })
            .collect();
        for child in children {
            ok(child.join().unwrap());
        }
    });
}

#[test]
fn a_wrong_setting_is_named_with_where_it_came_from() {
    let error = refused(kontor("mysql://x", &["user", "list"], ""));
    assert!(error.contains("KONTOR_DATABASE_URL") && error.contains("mysql://x"), "{error}");
    let error = refused(kontor("sqlite::memory:", &["serve", "--addr", "nowhere"], ""));
    assert!(error.contains("--addr") && error.contains("nowhere"), "{error}");
    let error = refused(kontor("sqlite:x", &["--config", "missing.toml", "user", "list"], ""));
    assert!(error.contains("missing.toml"), "{error}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kontor.toml");
    std::fs::write(&file, "synchronous = \"off\"\n").unwrap();
    let error = refused(kontor("sqlite:x", &["--config", file.to_str().unwrap(), "user", "list"], ""));
    assert!(
        error.contains("kontor.toml") && error.contains("synchronous") && error.contains("full or normal"),
        "{error}"
    );
    let error = refused(kontor("postgres://nobody@127.0.0.1:1/x", &["migrate", "status"], ""));
    assert!(error.contains("cannot open the database"), "{error}");
}

#[test]
fn help_and_documents_are_printed() {
    let help = ok(kontor("sqlite:x", &["--help"], ""));
    for word in ["serve", "migrate", "demo", "user", "token", "openapi", "healthcheck", "KONTOR_", "First steps"] {
        assert!(help.contains(word), "{word}");
    }
    let document: serde_json::Value = serde_json::from_str(&ok(kontor("sqlite:x", &["openapi"], ""))).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    assert!(ok(kontor("sqlite:x", &["settings"], "")).contains("request_timeout"));
}

#[test]
fn a_server_starts_tells_the_password_once_answers_and_stops_in_order() {
    use std::io::{BufRead, BufReader};
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("data/new.db").display());
    let start = || {
        let mut child = Command::new(env!("CARGO_BIN_EXE_kontor"))
            .args(["serve", "--demo", "--addr", "127.0.0.1:0"])
            .current_dir(folder.path())
            .env("KONTOR_DATABASE_URL", &url)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let serving = log.find(|line| line.as_ref().unwrap().contains("\"serving\"")).unwrap().unwrap();
        let address =
            serde_json::from_str::<serde_json::Value>(&serving).unwrap()["address"].as_str().unwrap().to_owned();
        // The reader stays, as a server whose log nobody takes cannot stop in order.
        (child, address.trim_start_matches("http://").to_owned(), log)
    };
    let stop = |child: std::process::Child| {
        assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "it stops in order");
        String::from_utf8(output.stdout).unwrap()
    };
    let (child, address, _log) = start();
    assert_eq!(ok(kontor(&url, &["healthcheck", "--addr", &address], "")), "ready\n");
    let said = stop(child);
    assert!(said.contains("password") && said.contains("admin@kontor.example") && said.contains(&address));
    let (child, _, _log) = start();
    assert!(stop(child).is_empty(), "the second start tells nothing");
    assert!(refused(kontor(&url, &["healthcheck", "--addr", &address], "")).contains("no answer"));
}
