//! The chain of events: whatever is done to the log past Kontor is found, and the first bad row named.

use serde_json::json;

use crate::both;
use crate::cli::{kontor, ok, refused};
use crate::support::{As, TestApp};

const VERIFY: [&str; 2] = ["history", "verify"];

/// Eight events beside those of the template, and how many there are in all.
async fn company(app: &TestApp) -> i64 {
    for number in 0..4 {
        let customer = app.customer(&format!("Cüstomer {number}")).await;
        let body = json!({ "notes": format!("é\u{1f600} \"{number}\"\n"), "credit_limit": "1000.50" });
        app.json(As::Staff, "PATCH", &format!("/api/customers/{}/", customer["id"]), body).await.expect(200);
    }
    app.rows("events").await
}

fn verified(app: &TestApp) -> (i64, String) {
    let said = ok(kontor(&app.url, &VERIFY, ""));
    let word = |name: &str| said.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
    (word("count").parse().unwrap(), word("head"))
}

/// What `verify` says after `sql` was done to the log, and that it says so again.
async fn after(app: &TestApp, sql: &str) -> String {
    app.execute(sql).await;
    let refusal = || refused(kontor(&app.url, &VERIFY, "")).lines().last().unwrap().to_owned();
    let said = refusal();
    assert_eq!(refusal(), said);
    said
}

both! {
    async fn an_untouched_log_is_proven_with_its_count_and_head(app) {
        let events = company(app).await;
        let (count, head) = verified(app);
        assert_eq!((count, head.len()), (events, 64));
        assert_eq!(verified(app), (count, head.clone()), "looking changes nothing");
        app.customer("Another").await;
        let (more, next) = verified(app);
        assert_eq!(more, count + 1);
        assert_ne!(next, head);
        let said = ok(kontor(&app.url, &["history", "verify", "--head", &head], ""));
        assert!(said.contains(&format!("stands at place {count}")), "{said}");
        let foreign = refused(kontor(&app.url, &["history", "verify", "--head", &"ab".repeat(32)], ""));
        assert!(foreign.contains("no hash of this chain"), "{foreign}");
    }

    async fn a_changed_event_is_named(app) {
        let events = company(app).await;
        verified(app);
        for column in [
            "reason = 'because'", "changes = '{}'", "actor_name = 'Somebody else'", "record_id = record_id + 1", "command = 'x'",
            "door = 'cli'", "version_after = 9", "actor_id = NULL", "resource = 'products'", "request_id = ''", "actor_kind = 'user!'",
        ] {
            app.execute("CREATE TABLE kept AS SELECT * FROM events").await;
            let said = after(app, &format!("UPDATE events SET {column} WHERE place = {}", events - 3)).await;
            assert!(said.contains(&format!("place {}, row ", events - 3)) && said.contains("altered"), "{column}: {said}");
            let name = column.split(' ').next().unwrap();
            app.execute(&format!("UPDATE events SET {name} = (SELECT {name} FROM kept WHERE kept.id = events.id)")).await;
            app.execute("DROP TABLE kept").await;
            verified(app);
        }
        if app.url.starts_with("sqlite") {
            app.execute("UPDATE events SET changes = ' ' || changes, at = replace(at, '+00:00', 'Z') WHERE place = 3").await;
            verified(app);
            app.execute("UPDATE events SET reason = CAST(x'ff00' AS BLOB) WHERE place = 3").await;
            assert!(refused(kontor(&app.url, &VERIFY, "")).contains("place 3: the event was altered"));
            app.execute("UPDATE events SET reason = NULL WHERE place = 3").await;
            verified(app);
        }
        let later = if app.url.starts_with("sqlite") { "replace(at, 'T', 'T')" } else { "at + interval '0 seconds'" };
        app.execute(&format!("UPDATE events SET at = {later}")).await;
        verified(app);
        let earlier = if app.url.starts_with("sqlite") { "'2020-01-01T00:00:00+00:00'" } else { "at - interval '1 microsecond'" };
        assert!(after(app, &format!("UPDATE events SET at = {earlier} WHERE place = 2")).await.contains("place 2, row "));
    }

    async fn events_that_were_kept_otherwise_are_as_they_were_sealed(app) {
        company(app).await;
        let odd = "a \"quoted\" \\ name, ünïcode 🎁 \t";
        let product = app.product("ODD", "1.00").await;
        let body = json!({ "description": format!("{odd}\n{odd}") });
        app.json(As::Staff, "PATCH", &format!("/api/products/{}/", product["id"]), body).await.expect(200);
        let sealed = verified(app);
        // As PostgreSQL had them before: with their names in its own order, and spaces between.
        ok(kontor(&app.url, &["migrate", "down", "--steps", "2"], ""));
        ok(kontor(&app.url, &["migrate", "up"], ""));
        assert_eq!(verified(app), sealed);
        let said = after(app, "UPDATE events SET changes = replace(changes, 'ünïcode', 'unicode')").await;
        assert!(said.contains("altered") && said.contains(&format!("of products {}", product["id"])), "{said}");
    }

    async fn a_deleted_event_leaves_its_place(app) {
        let events = company(app).await;
        verified(app);
        let said = after(app, &format!("DELETE FROM events WHERE place = {}", events - 4)).await;
        assert!(said.contains(&format!("place {}: the event is missing", events - 4)), "{said}");
        let said = after(app, &format!("UPDATE events SET place = place - 1 WHERE place > {}", events - 4)).await;
        assert!(said.contains(&format!("place {}, row ", events - 4)), "{said}");
    }

    async fn a_tail_that_was_cut_is_missed_even_when_others_follow(app) {
        let events = company(app).await;
        verified(app);
        let said = after(app, &format!("DELETE FROM events WHERE place > {}", events - 2)).await;
        assert!(said.contains(&format!("place {}", events - 1)) && said.contains("cut off"), "{said}");
        app.customer("Later").await;
        let said = refused(kontor(&app.url, &VERIFY, ""));
        assert!(said.contains(&format!("place {}: the event is missing", events - 1)), "{said}");
    }

    async fn the_head_cannot_be_moved_to_hide_a_cut(app) {
        let events = company(app).await;
        let (_, head) = verified(app);
        app.execute(&format!("DELETE FROM events WHERE place = {events}")).await;
        let said = after(app, &format!("UPDATE event_head SET count = {}", events - 1)).await;
        assert!(said.contains(&format!("place {}: the head", events - 1)), "{said}");
        // Whoever also knows the hash hides it, but not from one who wrote the head down.
        app.execute("UPDATE event_head SET hash = (SELECT hash FROM events ORDER BY place DESC LIMIT 1)").await;
        verified(app);
        assert!(refused(kontor(&app.url, &["history", "verify", "--head", &head], "")).contains("no hash of this chain"));
        assert!(after(app, "DELETE FROM event_head").await.contains("head of the chain is gone"));
    }

    async fn an_inserted_event_is_named(app) {
        let events = company(app).await;
        verified(app);
        let columns = "at, actor_kind, actor_name, door, request_id, resource, record_id, command, changes";
        let copy = |place: i64, hash: &str| format!(
            "INSERT INTO events ({columns}, place, hash) SELECT {columns}, {place}, {hash} FROM events WHERE place = {events}"
        );
        let said = after(app, &copy(events + 5, "hash")).await;
        assert!(said.contains("put behind the head"), "{said}");
        app.execute(&format!("DELETE FROM events WHERE place > {events}")).await;
        verified(app);
        for place in (2..=events).rev() {
            app.execute(&format!("UPDATE events SET place = {} WHERE place = {place}", place + 1)).await;
        }
        let columns_moved = copy(2, "'00'").replace(&format!("place = {events}"), &format!("place = {}", events + 1));
        let said = after(app, &columns_moved).await;
        assert!(said.contains("place 2, row "), "{said}");
    }

    async fn exchanged_events_are_named(app) {
        let events = company(app).await;
        verified(app);
        let (one, other) = (events - 5, events - 1);
        app.execute(&format!("UPDATE events SET place = -1 WHERE place = {one}")).await;
        app.execute(&format!("UPDATE events SET place = {one} WHERE place = {other}")).await;
        let said = after(app, &format!("UPDATE events SET place = {other} WHERE place = -1")).await;
        assert!(said.contains(&format!("place {one}, row ")), "{said}");
    }

    async fn events_from_before_the_chain_are_sealed_too(app) {
        let events = company(app).await;
        let place = if app.url.starts_with("sqlite") { "NULL" } else { "id" };
        let steps = ok(kontor(&app.url, &["migrate", "status"], ""));
        let since = steps.lines().skip_while(|step| !step.ends_with("_event_chain")).count().to_string();
        ok(kontor(&app.url, &["migrate", "down", "--steps", &since], ""));
        if place == "id" {
            app.execute("UPDATE events SET place = id WHERE id < 5").await;
        }
        let (count, _) = verified(app);
        assert_eq!(count, events);
        assert_eq!(app.rows("events WHERE place = id").await, events);
    }

    async fn sixteen_writers_and_a_follower_leave_one_chain(app) {
        let writer = async |writer: i64| {
            for round in 0..5 {
                app.customer(&format!("N {writer}-{round}")).await;
            }
        };
        let follower = async {
            for _ in 0..20 {
                app.get(As::Viewer, "/api/events/").await.expect(200);
            }
        };
        futures::join!(follower, futures::future::join_all((0..16).map(writer)));
        assert_eq!(verified(app).0, app.rows("events").await);
    }
}

#[test]
fn both_databases_come_to_the_same_hash() {
    use crate::support::{Kind, run};
    let heads = std::sync::Mutex::new(Vec::new());
    for kind in [Kind::Sqlite, Kind::Postgres] {
        run(kind, &[], async |app| {
            app.execute("DELETE FROM events").await;
            let changes = r#"{"zz": [null, "1.50"], "é": [1, -7], "a": [{"y": true, "b": null}, []], "n": [0.1, 12345678901234567]}"#;
            app.execute(&format!(
                "INSERT INTO events (id, at, actor_kind, actor_name, door, request_id, resource, record_id, command, changes) \
                 VALUES (7, '2026-11-24T14:02:01.000005+00:00', 'user', 'Änne', 'web', 'r', 'customers', 3, 'create', '{changes}')"
            )).await;
            heads.lock().unwrap().push(verified(app));
        });
    }
    let heads = heads.into_inner().unwrap();
    assert!(heads.iter().all(|head| *head == heads[0] && head.0 == 1), "{heads:?}");
}
