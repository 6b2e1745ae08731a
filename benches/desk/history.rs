//! What history costs: a record with ten thousand events, the log of the whole house, and the proof that nothing of it was altered.

use std::time::Instant;

use chrono::DateTime;
use serde_json::{Value, json};

use super::{Asker, Budget, CONNECTIONS, Connection, Desk, Fact, Outcome, Row, Server, Until, Workload, wrong};

/// How many events the record gets.
const EVENTS: usize = 10_000;

/// How many events are proven each second, where there are enough for the start not to count.
const PROVEN: f64 = 100_000.0;

/// How many events are enough for that.
const ENOUGH: f64 = 500_000.0;

/// The administrator who reads the log.
const ADMIN: &str = "admin@kontor.example";

impl Desk<'_> {
    /// The timeline of a record that changed often, and the log; far back beside the first page.
    pub async fn ask_history(&self, server: &Server, asker: &Asker, rows: &mut Vec<Row>) -> Outcome<Vec<Fact>> {
        self.run(
            &["user", "create", ADMIN, "--name", "Admin", "--role", "administrator", "--password-stdin"],
            super::PASSWORD,
        )?;
        let token = self.run(&["token", "create", "--user", ADMIN, "--name", "bench"], "")?;
        let admin = Asker::sign_in(server, ADMIN, token.trim()).await?;
        let mut connection = Connection::open(&server.address).await.map_err(wrong("no connection"))?;
        let made = connection.json(&asker.post("/api/customers/", &json!({ "name": "Changed often" }))).await?;
        for batch in 0..EVENTS / 1_000 {
            let change = |number: usize| json!({ "action": "change", "id": made["id"], "values": { "notes": format!("{batch}-{number}") } });
            let bulk = json!({ "rows": (0..1_000).map(change).collect::<Vec<_>>() });
            connection.json(&asker.post("/api/customers/bulk/", &bulk)).await?;
        }
        let oldest = connection.json(&admin.call("/api/events/?page_size=200")).await?;
        let oldest = oldest["results"].as_array().and_then(|events| events.last()).ok_or("there are no events")?;
        let page = format!("/customers/{}", made["id"]);
        // The way to what is older, which leads from the latest events.
        connection.success(&asker.page(&page)).await?;
        let text = String::from_utf8_lossy(&connection.body).into_owned();
        let older = text.split_once("/history?before=").map(|(_, rest)| rest.split('"').next().unwrap_or_default());
        let older: i64 = older.and_then(|id| id.parse().ok()).ok_or("the timeline leads to nothing older")?;
        let deep = older - EVENTS as i64 + 200;
        let until = Until::Passed(self.bench.period());
        let mut facts = Vec::new();
        for (name, other, first, last) in [
            (
                "timeline of 10,000 events",
                "timeline of 10,000 events, far back",
                asker.page(&format!("{page}/history")),
                asker.page(&format!("{page}/history?before={deep}")),
            ),
            (
                "log of the demo's making",
                "log of the demo's making, far back",
                admin.page("/admin/log?person=Kontor"),
                admin.page(&format!("/admin/log?person=Kontor&after={}", place(oldest)?)),
            ),
            (
                "log",
                "log, parts that never meet",
                admin.page("/admin/log"),
                admin.page("/admin/log?resource=customers&command=place"),
            ),
        ] {
            let first = self.measure(server, &Workload::one(name, first, None), CONNECTIONS, until).await?;
            let last = Workload::one(other, last, None);
            let last = self.measure(server, &last, CONNECTIONS, until).await?;
            let beside = 100.0 * last.p50 / first.p50.max(f64::EPSILON);
            facts.push(self.fact(other, beside, "% of p50", Some(Budget::AtMost(150.0))));
            rows.push(first);
        }
        Ok(facts)
    }

    /// Proves the whole history.
    pub fn prove(&self) -> Outcome<Fact> {
        // The first time puts into the chain what the server left.
        self.run(&["history", "verify"], "")?;
        let began = Instant::now();
        let said = self.run(&["history", "verify"], "")?;
        let passed = began.elapsed().as_secs_f64();
        let count = said.lines().find_map(|line| line.strip_prefix("count"));
        let events: f64 =
            count.unwrap_or_default().trim().parse().map_err(|_| format!("history verify said {said:?}"))?;
        let budget = (events >= ENOUGH).then_some(Budget::AtLeast(PROVEN));
        Ok(self.fact("history verify", events / passed, "events/s", budget))
    }
}

/// Where the log goes on after an event.
fn place(event: &Value) -> Outcome<String> {
    let at =
        event["at"].as_str().and_then(|at| DateTime::parse_from_rfc3339(at).ok()).ok_or("an event has no moment")?;
    Ok(format!("{}-{}-", at.timestamp_micros(), i64::MAX))
}
