//! The floor beside the house, and what people do beside reading: placing orders, everything at once, and for long.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{
    Asker, Budget, CONNECTIONS, Connection, Desk, Fact, Outcome, Request, Row, Server, Until, Workload, passing, wrong,
};

/// How many orders are placed.
const PLACED: usize = 500;

/// The shares of the floor's throughput that the house has to reach, in percent: workload, its floor, and the share.
const SHARES: [(&str, &str, f64); 5] = [
    ("order of 10 lines, API", "floor, order of 10 lines", 50.0),
    ("orders, API list", "floor, list", 50.0),
    ("orders, API list with items", "floor, list with items", 50.0),
    ("order of 10 lines, page", "floor, order of 10 lines", 20.0),
    ("orders, list page", "floor, list", 20.0),
];

/// How much longer than the floor's inserts the creation of an order may take, in percent.
const CREATION: f64 = 400.0;

impl Desk<'_> {
    /// Asks the floor for what the house was asked for, and holds the house against it.
    pub async fn ask_floor(
        &self,
        server: &Server,
        asker: &Asker,
        [short, long]: [i64; 2],
        goods: &[i64],
        rows: &mut Vec<Row>,
    ) -> Outcome<Vec<Fact>> {
        let get = |path: &str| Request::new(&asker.host, "GET", path, "", "");
        let reads = [
            Workload::one("floor, order of 10 lines", get(&format!("/floor/orders/{short}")), None),
            Workload::one("floor, order of 1,000 lines", get(&format!("/floor/orders/{long}")), None),
            Workload::one("floor, list", get("/floor/orders"), None),
            Workload::one("floor, list with items", get("/floor/orders/items"), None),
        ];
        let until = Until::Passed(self.bench.period());
        let house = asker.reads(short, long);
        let mut facts = Vec::new();
        for workload in &reads {
            let row = self.measure(server, workload, CONNECTIONS, until).await?;
            // The house is asked again right beside it, as both read the latest orders, and others were made meanwhile.
            for (name, _, share) in SHARES.iter().filter(|(_, floor, _)| *floor == row.name) {
                let Some(workload) = house.iter().find(|workload| workload.name == *name) else { continue };
                let beside = self.measure(server, workload, CONNECTIONS, until).await?;
                let value = 100.0 * beside.per_second / row.per_second.max(f64::EPSILON);
                facts.push(self.fact(name, value, "% of the floor's", Some(Budget::AtLeast(*share))));
            }
            rows.push(row);
        }
        let create = |number: usize| {
            let items: Vec<_> = (0..5).map(|at| json!([goods[(number * 7 + at * 31) % goods.len()], 4000])).collect();
            let body = json!({ "customer": number % 20 + 1, "items": items }).to_string();
            Request::new(&asker.host, "POST", "/floor/orders", "content-type: application/json\r\n", &body)
        };
        let create =
            Workload { name: "floor, create an order", requests: (0..200).map(create).collect(), budget: None };
        rows.push(self.measure(server, &create, 1, Until::Passed(self.bench.period())).await?);
        let of = |name: &str| rows.iter().find(|row| row.name == name);
        if let (Some(row), Some(floor)) = (of("create an order, 1 writer"), of("floor, create an order")) {
            let value = 100.0 * row.p50 / floor.p50.max(f64::EPSILON);
            facts.push(self.fact("create an order", value, "% of the floor's p50", Some(Budget::AtMost(CREATION))));
        }
        Ok(facts)
    }

    /// Places orders that were made for it, and sees whether all of them are.
    pub async fn place(&self, server: &Server, asker: &Asker, goods: &[i64]) -> Outcome<Row> {
        let mut connection = Connection::open(&server.address).await.map_err(wrong("no connection"))?;
        // Somebody without a credit limit.
        let customer = connection.json(&asker.post("/api/customers/", &json!({ "name": "Bench" }))).await?;
        let mut requests = Vec::new();
        for number in 0..PLACED {
            let mut order = asker.order_of_five(number, goods);
            order["customer"] = customer["id"].clone();
            let made = connection.json(&asker.post("/api/orders/", &order)).await?;
            requests.push(asker.post(&format!("/api/orders/{}/place/", made["id"]), &json!({})));
        }
        let workload = Workload { name: "place an order", requests, budget: None };
        let before = placed(&mut connection, asker).await?;
        let row = self.measure(server, &workload, 8, Until::Sent(PLACED)).await?;
        let after = placed(&mut connection, asker).await?;
        if after - before != PLACED as i64 {
            return Err(format!("{}: {PLACED} orders were placed, {} are", self.database, after - before));
        }
        Ok(row)
    }

    /// Whether memory stays as it is under everything at once.
    pub async fn soak(&self, server: &Server, asker: &Asker, short: i64, goods: &[i64]) -> Outcome<Vec<Fact>> {
        let all = Duration::from_secs(self.bench.soak);
        let workload = asker.mixed(short, goods);
        let (began, mut samples) = (Instant::now(), Vec::new());
        while began.elapsed() < all {
            passing(&format!("  soaking, {} s …", began.elapsed().as_secs()));
            self.measure(server, &workload, CONNECTIONS, Until::Passed(all / 20)).await?;
            samples.push(server.memory()?);
        }
        // The first fifth fills what is kept for reuse.
        let (Some(settled), Some(last)) = (samples.get(samples.len() / 5), samples.last()) else {
            return Ok(Vec::new());
        };
        Ok(vec![self.fact("memory grown by the soak", last - settled, "MB", Some(Budget::AtMost(5.0)))])
    }
}

/// How many orders are placed.
async fn placed(connection: &mut Connection, asker: &Asker) -> Outcome<i64> {
    let list: Value = connection.json(&asker.call("/api/orders/?status=placed&page_size=1")).await?;
    list["count"].as_i64().ok_or_else(|| "a list has no count".into())
}

impl Asker {
    /// Nine reads for every order that is made.
    pub fn mixed(&self, short: i64, goods: &[i64]) -> Workload {
        let reads = [
            self.page("/orders"),
            self.call("/api/orders/"),
            self.page(&format!("/orders/{short}")),
            self.call(&format!("/api/orders/{short}/")),
            self.page("/customers?search=berg"),
            self.page("/orders?status=placed"),
            self.fetch("/-/orders/products?text=butter"),
            self.page("/customers/3"),
            self.call("/api/products/?ordering=-price"),
        ];
        let create = |number: usize| self.post("/api/orders/", &self.order_of_five(number, goods));
        let requests = (0..20).flat_map(|number| reads.iter().cloned().chain([create(number)])).collect();
        Workload { name: "nine reads and a write", requests, budget: None }
    }
}
