//! What the API promises beside speed: a key costs little, no page of a walk is far away, and a file of everything needs no
//! memory.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{
    Asker, Budget, CONNECTIONS, CREATED, Connection, Desk, Fact, Outcome, Request, Row, Server, Until, Workload, wrong,
};

/// How many rows a page has when nothing is said.
const PAGE: usize = 25;

impl Desk<'_> {
    /// Keyed creations beside plain ones, and walks from their beginning and to their end.
    pub async fn ask_api(
        &self,
        server: &Server,
        asker: &Asker,
        goods: &[i64],
        rows: &mut Vec<Row>,
    ) -> Outcome<Vec<Fact>> {
        let plain = self.write(server, asker, &asker.writes(1, goods), 1).await?;
        let keyed = self.write(server, asker, &asker.keyed(goods), 1).await?;
        let until = Until::Passed(self.bench.period());
        let [first, last] = asker.walks(server).await?;
        let first = self.measure(server, &first, CONNECTIONS, until).await?;
        let last = self.measure(server, &last, CONNECTIONS, until).await?;
        let beside = |one: &Row, other: &Row| 100.0 * one.p50 / other.p50.max(f64::EPSILON);
        let facts = vec![
            self.fact("keyed POST beside a plain", beside(&keyed, &plain), "% of p50", Some(Budget::AtMost(200.0))),
            self.fact("last page beside first", beside(&last, &first), "% of p50", Some(Budget::AtMost(150.0))),
        ];
        rows.extend([keyed, first, last]);
        Ok(facts)
    }

    /// Files of all orders, from a server that did nothing before.
    pub async fn export(&self, asker: &Asker) -> Outcome<Vec<Fact>> {
        let mut facts = Vec::new();
        for format in ["csv", "ndjson"] {
            let server = self.serve("warn").await?;
            let asker = Asker { host: server.address.clone(), ..asker.clone() };
            let mut connection = Connection::open(&server.address).await.map_err(wrong("no connection"))?;
            let count = connection.json(&asker.call("/api/orders/?page_size=200&count=exact")).await?["count"].as_f64();
            let (before, began) = (server.memory()?, Instant::now());
            let request = asker.call(&format!("/api/orders/?format={format}"));
            let reading = tokio::spawn(async move { connection.lines(&request).await });
            let mut most = before;
            while !reading.is_finished() {
                most = most.max(server.memory()?);
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            let passed = began.elapsed().as_secs_f64();
            let lines = reading.await.map_err(wrong("an export was given up"))?.map_err(wrong("no export"))?;
            let head = usize::from(format == "csv");
            if count.unwrap_or_default() as usize + head != lines {
                return Err(format!("{}: {count:?} orders were exported as {lines} lines", self.database));
            }
            let name = |what: &str| format!("export as {format}{what}");
            facts.push(self.fact(&name(""), lines as f64 / passed, "orders/s", None));
            facts.push(self.fact(&name(", memory"), most - before, "MB more", Some(Budget::AtMost(20.0))));
            server.stop()?;
        }
        Ok(facts)
    }
}

impl Asker {
    /// The same orders, each with a key of its own.
    fn keyed(&self, goods: &[i64]) -> Workload {
        let plain = |number: usize| self.order_of_five(number, goods);
        let once = format!("bench-{}", std::process::id());
        let keyed = |number: usize| {
            let headers =
                format!("{}content-type: application/json\r\nidempotency-key: {once}-{number}\r\n", self.token);
            Request::new(&self.host, "POST", "/api/orders/", &headers, &plain(number).to_string())
        };
        Workload { name: "create an order, with a key", requests: (0..CREATED).map(keyed).collect(), budget: None }
    }

    /// The first and the last page of a walk through all orders.
    pub async fn walks(&self, server: &Server) -> Outcome<[Workload; 2]> {
        let mut connection = Connection::open(&server.address).await.map_err(wrong("no connection"))?;
        let path = format!("/api/orders/?ordering=-id&fields=id&page_size={}", PAGE + 1);
        let ids = connection.json(&self.call(&path)).await?;
        let before = ids["results"].get(PAGE).map_or(json!(0), |row| row["id"].clone());
        Ok([
            Workload::one("walk, first page", self.call("/api/orders/?cursor="), Some(2)),
            Workload::one("walk, last page", self.call(&format!("/api/orders/?cursor=c1-{before}")), Some(2)),
        ])
    }
}

impl Connection {
    /// Asks, and counts the lines of the answer without keeping them.
    async fn lines(&mut self, request: &Request) -> std::io::Result<usize> {
        let head = self.head(request).await?;
        let mut lines = 0;
        let mut count = |body: &[u8]| lines += body.iter().filter(|byte| **byte == b'\n').count();
        if head.is_chunked {
            while let size @ 1.. = usize::from_str_radix(self.line().await?.as_str(), 16).unwrap_or_default() {
                self.body.clear();
                self.take(size).await?;
                count(&self.body);
                self.line().await?;
            }
            self.line().await?;
        } else {
            self.take(head.length).await?;
            count(&self.body);
        }
        Ok(lines)
    }
}
