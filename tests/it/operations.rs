//! Health, headers, request ids, policies, and the bundle's files.

use axum::body::Body;
use axum::http::Request;
use futures::future::join_all;
use sea_orm::ConnectionTrait;
use serde_json::json;

use kontor::server::postgres::Timeouts;

use crate::both;
use crate::support::{As, Kind, run};

both! {
    async fn health_is_told(app) {
        assert_eq!(app.get(As::Anonymous, "/healthz").await.expect(200).body, "ok\n");
        assert_eq!(app.get(As::Anonymous, "/readyz").await.expect(200).body, "ready\n");
        app.state.database.clone().close().await;
        app.get(As::Anonymous, "/healthz").await.expect(200);
        app.get(As::Anonymous, "/readyz").await.expect(503);
        let refused = app.get(As::Staff, "/api/customers/").await.expect(503);
        assert!(!refused.body.contains("pool") && refused.headers.contains_key("retry-after"), "{}", refused.body);
    }

    async fn every_answer_carries_its_headers(app) {
        for path in ["/customers", "/api/customers", "/healthz", "/sign-in", "/nowhere", "/api/docs/"] {
            let answer = if path.starts_with("/api") { app.get(As::Staff, path).await } else { app.page(As::Staff, path).await };
            assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
            assert_eq!(answer.header("referrer-policy"), "same-origin", "{path}");
            assert!(answer.header("content-security-policy").contains("frame-ancestors 'none'"), "{path}");
            assert!(!answer.header("content-security-policy").contains("unsafe-inline"), "{path}");
            assert!(!answer.header("x-request-id").is_empty(), "{path}");
        }
    }

    async fn a_page_runs_only_scripts_with_its_nonce_and_no_inline_style(app) {
        let id = app.customer("Somebody").await["id"].clone();
        let mut nonces = Vec::new();
        for path in ["/customers", "/customers/new", &format!("/customers/{id}"), "/sign-in", "/nowhere"] {
            let page = app.page(As::Staff, path).await;
            let policy = page.header("content-security-policy");
            let nonce = policy.split("'nonce-").nth(1).unwrap().split('\'').next().unwrap().to_owned();
            let scripts = page.body.matches("<script").count();
            assert!(scripts > 0 && scripts == page.body.matches(&format!("nonce=\"{nonce}\"")).count(), "{path}: {}", page.body);
            assert!(!page.body.contains(" style=") && !page.body.contains("<style") && !page.body.contains(" onclick"), "{path}");
            nonces.push(nonce);
        }
        nonces.sort();
        nonces.dedup();
        assert_eq!(nonces.len(), 5, "a nonce is used once");
    }

    async fn a_page_draws_everything_before_it_is_sent(app) {
        app.customer("Somebody").await;
        let page = app.page(As::Staff, "/customers").await.expect(200);
        assert!(page.body.contains("Somebody") && page.body.contains("1–1 of 1"));
        assert_eq!(page.header("cache-control"), "no-store");
    }
}

#[test]
fn files_with_a_hash_in_their_name_are_kept_for_a_year_and_sent_compressed() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("pkg")).unwrap();
    for (name, text) in [
        ("pkg/kontor.abc.js", "plain"),
        ("pkg/kontor.abc.js.br", "brotli"),
        ("pkg/kontor.abc.css", "css"),
        ("robots.txt", "robots"),
    ] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    run(Kind::Sqlite, &[("site_dir", folder.path().to_str().unwrap())], async |app| {
        let ask = async |path: &str| {
            app.send(Request::get(path).header("accept-encoding", "gzip, br").body(Body::empty()).unwrap()).await
        };
        let js = ask("/pkg/kontor.abc.js").await.expect(200);
        assert_eq!((js.header("content-encoding"), js.body.as_str()), ("br", "brotli"));
        assert_eq!(js.header("cache-control"), "public, max-age=31536000, immutable");
        assert_eq!(ask("/robots.txt").await.expect(200).header("cache-control"), "public, max-age=3600");
        for path in ["/pkg/missing.js", "/pkg/../Cargo.toml", "/pkg/%2e%2e/robots.txt", "/..%2fCargo.toml"] {
            ask(path).await.expect(404);
        }
        let page = app.page(As::Staff, "/customers").await.expect(200);
        assert!(page.body.contains("/pkg/kontor.abc.js") && page.body.contains("/pkg/kontor.abc.css"));
    });
}

#[test]
fn sqlite_has_a_commit_on_the_disk_before_anybody_is_told_unless_that_is_given_up() {
    use kontor::server::database::{Database, Durability};

    assert_eq!(Durability::default(), Durability::Full);
    assert_eq!(Durability::named("off"), None);
    run(Kind::Sqlite, &[], async |app| {
        let create = |name: String| app.json(As::Staff, "POST", "/api/customers/", json!({ "name": name }));
        let flushes = || app.state.database.flushes();
        let before = flushes();
        create("First".into()).await.expect(201);
        assert!(flushes() > before);
        // However many commit at once, each has its answer from the disk.
        let before = flushes();
        for answer in join_all((0..32).map(|number| create(format!("Customer {number}")))).await {
            answer.expect(201);
        }
        assert!((1..=32).contains(&(flushes() - before)), "{before}, {}", flushes());

        let file = app.url.strip_prefix("sqlite:").unwrap();
        let log = std::path::PathBuf::from(format!("{file}-wal"));
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link.db");
        std::os::unix::fs::symlink(file, &link).unwrap();
        let linked = Database::connect(&format!("sqlite:{}", link.display())).await.unwrap();
        let kept = log.with_extension("kept");
        std::fs::rename(&log, &kept).unwrap();
        std::os::unix::fs::symlink(&log, &log).unwrap();
        let answer = create("Never acknowledged".into()).await.expect(503);
        assert!(answer.body.contains("may have been saved"), "{}", answer.body);
        let transaction = linked.write().await.unwrap();
        transaction.execute_unprepared("UPDATE customers SET notes = 'x'").await.unwrap();
        assert!(transaction.commit().await.is_err(), "the log is beside the file, not beside the link");
        std::fs::remove_file(&log).unwrap();
        std::fs::rename(&kept, &log).unwrap();
        linked.close().await;
        create("Last".into()).await.expect(201);

        let database = Database::connect_with(&app.url, Durability::Normal, Timeouts::default()).await.unwrap();
        let transaction = database.write().await.unwrap();
        transaction.execute_unprepared("UPDATE customers SET notes = 'x'").await.unwrap();
        transaction.commit().await.unwrap();
        assert_eq!(database.flushes(), 0);
        database.close().await;
    });
}

#[test]
fn the_log_of_sqlite_is_brought_into_the_database_beside_the_commits() {
    run(Kind::Sqlite, &[], async |app| {
        let size = || std::fs::metadata(app.url.strip_prefix("sqlite:").unwrap()).unwrap().len();
        let before = size();
        for number in 0..64 {
            let customer = json!({ "name": format!("Customer {number}"), "notes": "n".repeat(5_000) });
            app.json(As::Staff, "POST", "/api/customers/", customer).await.expect(201);
        }
        let began = std::time::Instant::now();
        while size() < before + 32 * 5_000 {
            assert!(began.elapsed().as_secs() < 30, "{} bytes, before {before}", size());
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    });
}

#[test]
fn a_start_with_nothing_to_do_looks_through_no_table() {
    run(Kind::Sqlite, &[], async |app| {
        let (migrated, statements) = app.state.database.noting(app.state.database.migrate()).await;
        migrated.unwrap();
        assert!(statements.iter().any(|statement| statement.sql.contains("seaql_migrations")), "{statements:?}");
        assert!(!statements.iter().any(|statement| statement.sql.contains("foreign_key_check")), "{statements:?}");
    });
}
