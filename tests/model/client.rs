//! A client that does at random what people and scripts do, and more often than they do to the same few records at once.

use std::collections::BTreeMap;

use axum::body::Body;
use kontor::base::form::Input;
use kontor::base::time::Moment;
use kontor::base::time::stored::now;
use kontor::customers::CustomerInput;
use kontor::orders::{Command, OrderInput};
use kontor::products::ProductInput;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{RngExt, SeedableRng};
use serde_json::{Map, Value, json};

use crate::history::{History, Intent, Key, Request, Row, Step};
use crate::support::{As, TestApp};

pub const CUSTOMERS: &str = "customers";
pub const PRODUCTS: &str = "products";
pub const ORDERS: &str = "orders";

/// A script or a browser: it sends one request after the other, and some twice at once.
pub struct Client<'a> {
    number: usize,
    who: As,
    servers: &'a [&'a TestApp],
    history: &'a History,
    random: StdRng,
    /// Records as this client read them last. Others may have changed them since.
    copies: BTreeMap<Key, Value>,
    /// A moment in the middle of the history, to restore records to.
    moment: String,
    /// How many keys and walks this client began.
    begun: u64,
}

impl<'a> Client<'a> {
    pub fn new(number: usize, who: As, seed: u64, servers: &'a [&'a TestApp], history: &'a History) -> Self {
        let random = StdRng::seed_from_u64(seed.wrapping_mul(1_000).wrapping_add(number as u64));
        Self { number, who, servers, history, random, copies: BTreeMap::new(), moment: moment(), begun: 0 }
    }

    /// Makes a company so small that clients meet at its records.
    pub async fn found_company(&mut self) {
        for number in 0..3 {
            let limit = (number == 0).then_some("120.00");
            let body =
                json!({ "name": format!("Customer {number}"), "code": format!("w{number}"), "credit_limit": limit });
            self.create(CUSTOMERS, body).await;
        }
        for (number, price, rate) in
            [(0, "9.99", "19.00"), (1, "0.35", "7.00"), (2, "12.5", "19.00"), (3, "3.3333", "0")]
        {
            let (sku, name) = (format!("w{number}"), format!("Product {number}"));
            let body = json!({ "sku": sku, "name": name, "unit": "pcs", "price": price, "tax_rate": rate });
            self.create(PRODUCTS, body).await;
        }
        for number in 0..4_i64 {
            let items = json!([{ "product": number + 1, "quantity": "2" }, { "product": (number + 1) % 4 + 1, "quantity": "1.5" }]);
            self.create(ORDERS, json!({ "customer": number % 3 + 1, "items": items })).await;
        }
    }

    async fn create(&mut self, resource: &'static str, body: Value) {
        let request = Request::new("POST", format!("/api/{resource}/"), Intent::Create).with(body);
        let made = self.send(0, request).await;
        assert_eq!(made.status, 201, "{}", made.body);
        self.learn(&made);
    }

    /// Does one thing at random, whether it is allowed or not.
    pub async fn act(&mut self) {
        if self.chance(0.05) {
            self.moment = moment();
        }
        match self.below(100) {
            0..8 => self.read().await,
            8..12 => self.list().await,
            12..15 => self.walk().await,
            15..29 => self.patch().await,
            29..34 => self.put_copy().await,
            34..43 => self.save_form().await,
            43..48 => self.make_by_form().await,
            48..54 => self.make_by_api().await,
            54..71 => self.command().await,
            71..83 => self.lines().await,
            83..88 => self.bulk().await,
            88..91 => self.delete().await,
            91..95 => self.undo().await,
            95..97 => self.restore().await,
            97..99 => self.import().await,
            _ => self.settings().await,
        }
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.random.random_range(0..limit)
    }

    fn chance(&mut self, probability: f64) -> bool {
        self.random.random_bool(probability)
    }

    fn word(&mut self) -> String {
        format!("w{}", self.below(30))
    }

    fn begin(&mut self) -> u64 {
        self.begun += 1;
        self.number as u64 * 1_000 + self.begun
    }

    fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        *of.choose(&mut self.random).unwrap()
    }

    /// A record of a resource, most likely one of a few that everybody prefers: the oldest, but of orders, which come to an end,
    /// the latest.
    fn any(&mut self, resource: &'static str) -> Key {
        let ids = self.history.known(resource);
        let few = if resource == ORDERS { ids.len().saturating_sub(5)..ids.len() } else { 0..ids.len().min(4) };
        let some = if self.chance(0.7) { &ids[few] } else { &ids };
        Key { resource, id: self.one_of(some) }
    }

    fn any_record(&mut self) -> Key {
        let resource = self.one_of(&[CUSTOMERS, PRODUCTS, ORDERS, ORDERS]);
        self.any(resource)
    }

    /// What this client takes a record to be: as it read it some time ago, or as it is now.
    async fn copy(&mut self, record: Key) -> Option<Value> {
        let is_stale = self.chance(0.4);
        match self.copies.get(&record) {
            Some(copy) if is_stale => Some(copy.clone()),
            _ => self.read_one(record).await,
        }
    }

    /// The version of a copy, or nothing for a change of whatever is stored.
    async fn version(&mut self, record: Key) -> Option<i64> {
        if self.chance(0.4) {
            return None;
        }
        self.copy(record).await?["version"].as_i64()
    }

    fn address(record: Key) -> String {
        format!("/api/{}/{}/", record.resource, record.id)
    }

    /// Waits until no server works on an upload any more: what it was asked to do is acknowledged only then.
    async fn wait_for_work(&self, app: &TestApp, id: &str) {
        let path = format!("/-/import/read?id={id}");
        loop {
            let get = axum::http::Request::get(&path).header("accept", "application/json");
            let answer =
                app.send(get.header("cookie", app.cookie(self.who).unwrap()).body(Body::empty()).unwrap()).await;
            if !answer.body.contains("\"Queued\"") && !answer.body.contains("\"Running\"") {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    async fn send(&self, server: usize, request: Request) -> Step {
        let sent = self.history.tick();
        let app = self.servers[server];
        let answer = match (&request.body, request.is_form()) {
            (Value::Object(fields), true) if request.method == "POST" => {
                let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let fields: Vec<_> = fields.iter().map(|(name, value)| (name.clone(), text(value))).collect();
                let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                app.form(self.who, &request.path, "application/json", &fields).await
            }
            (Value::String(csv), true) => app.upload(self.who, &[("customers", "customers.csv", csv.as_bytes())]).await,
            (_, true) => {
                let get = axum::http::Request::get(&request.path).header("accept", "application/json");
                app.send(get.header("cookie", app.cookie(self.who).unwrap()).body(Body::empty()).unwrap()).await
            }
            (body, false) => {
                let tag = request.named.map(|version| format!("\"v{version}\""));
                let mut headers = Vec::new();
                headers.extend(tag.as_deref().map(|tag| ("if-match", tag)));
                headers.extend(request.repetition.as_deref().map(|key| ("idempotency-key", key)));
                let body = if *body == Value::Null { String::new() } else { body.to_string() };
                if !body.is_empty() {
                    headers.push(("content-type", "application/json"));
                }
                app.call(self.who, request.method, &request.path, &headers, body).await
            }
        };
        if ["/-/import/check", "/-/import/run"].contains(&request.path.as_str()) {
            self.wait_for_work(app, request.body["id"].as_str().unwrap_or_default()).await;
        }
        self.history.enter(self.number, server, sent, request, &answer)
    }

    /// Sends to any of the servers, and keeps what came back.
    async fn ask(&mut self, request: Request) -> Step {
        let server = self.server();
        let step = self.send(server, request).await;
        self.learn(&step);
        step
    }

    fn server(&mut self) -> usize {
        self.random.random_range(0..self.servers.len())
    }

    /// Sends a request that carries a key up to three times: at once to any servers, or one after the other.
    async fn ask_again(&mut self, request: Request) {
        match self.below(4) {
            0 => {
                let servers = [self.server(), self.server(), self.server()];
                let sent = servers.map(|server| self.send(server, request.clone()));
                for step in futures::future::join_all(sent).await {
                    self.learn(&step);
                }
            }
            1 => {
                self.ask(request.clone()).await;
                self.ask(request).await;
            }
            _ => drop(self.ask(request).await),
        }
    }

    fn learn(&mut self, step: &Step) {
        let resource = step.request.path.split('/').nth(2).unwrap_or_default();
        let known = [CUSTOMERS, PRODUCTS, ORDERS].into_iter().find(|known| *known == resource);
        if step.request.intent == Intent::Create && step.request.record.is_none() && step.succeeded() {
            let id = step.body.as_i64().or(step.body["id"].as_i64());
            if let (Some(resource), Some(id)) = (known, id) {
                self.history.discover(Key { resource, id });
            }
        }
        match (step.shown(), step.request.record, known) {
            _ if step.request.dry_run || step.request.line.is_some() || step.is_replayed => {}
            (Some(shown), Some(record), Some(_)) => drop(self.copies.insert(record, shown.clone())),
            (Some(shown), None, Some(resource)) => {
                let id = shown["id"].as_i64().unwrap();
                self.copies.insert(Key { resource, id }, shown.clone());
            }
            _ => {}
        }
    }

    async fn read_one(&mut self, record: Key) -> Option<Value> {
        let step = self.ask(Request::new("GET", Self::address(record), Intent::Read).about(record)).await;
        step.shown().cloned()
    }

    async fn read(&mut self) {
        let record = self.any_record();
        self.read_one(record).await;
    }

    async fn list(&mut self) {
        let path = self.one_of(&[
            "/api/orders/?expand=items",
            "/api/orders/?status=placed&expand=items&ordering=-total",
            "/api/customers/?search=w1",
            "/api/products/?is_active=true&ordering=price",
        ]);
        self.ask(Request::new("GET", path, Intent::List { walk: None })).await;
    }

    /// Walks through a whole list by cursor, while others write.
    async fn walk(&mut self) {
        let walk = Some(self.begin());
        let resource = self.one_of(&[CUSTOMERS, PRODUCTS, ORDERS]);
        let size = 1 + self.below(4);
        let mut next = Some(format!("/api/{resource}/?cursor=&page_size={size}"));
        while let Some(path) = next {
            let step = self.ask(Request::new("GET", path, Intent::List { walk })).await;
            next = step.body["next"].as_str().map(|next| next.replace("http://kontor.example", ""));
        }
    }

    /// Some new values of a record.
    fn values(&mut self, resource: &str) -> Value {
        let (word, is_active) = (self.word(), self.chance(0.8));
        match (resource, self.below(5)) {
            (CUSTOMERS, 0) => json!({ "name": word }),
            (CUSTOMERS, 1) => json!({ "code": word }),
            (CUSTOMERS, 2) => json!({ "email": format!("{word}@example.com"), "is_active": is_active }),
            (CUSTOMERS, 3) => json!({ "credit_limit": self.one_of(&[Some("90.00"), Some("150.00"), None]) }),
            (CUSTOMERS, _) => json!({ "notes": word, "shipping_city": word }),
            (PRODUCTS, 0) => json!({ "price": format!("{}.25", self.below(9)) }),
            (PRODUCTS, 1) => json!({ "sku": word }),
            (PRODUCTS, 2) => json!({ "is_active": is_active }),
            (PRODUCTS, 3) => json!({ "tax_rate": self.one_of(&["7.00", "19.00", "0"]) }),
            (PRODUCTS, _) => json!({ "description": word, "name": word }),
            (_, 0) => json!({ "customer_reference": word }),
            (_, 1) => json!({ "customer": self.any(CUSTOMERS).id }),
            (_, 2) => json!({ "freight": "3.50", "notes": word }),
            (_, _) => json!({ "items": self.new_lines() }),
        }
    }

    fn quantity(&mut self) -> String {
        format!("{}.{}", self.below(4), self.below(9) + 1)
    }

    fn new_line(&mut self) -> Value {
        let mut line = json!({ "product": self.any(PRODUCTS).id, "quantity": self.quantity() });
        if self.chance(0.2) {
            line["unit_price"] = json!(format!("{}.125", self.below(20)));
        }
        if self.chance(0.2) {
            line["discount_percent"] = json!(self.one_of(&["5", "12.5", "100"]));
        }
        line
    }

    fn new_lines(&mut self) -> Value {
        let mut products = self.history.known(PRODUCTS);
        products.shuffle(&mut self.random);
        let lines = 1 + self.random.random_range(0..3);
        let mut items = Vec::new();
        for product in products.into_iter().take(lines) {
            let mut line = self.new_line();
            line["product"] = product.into();
            items.push(line);
        }
        items.into()
    }

    async fn patch(&mut self) {
        let record = self.any_record();
        let (version, body) = (self.version(record).await, self.values(record.resource));
        let request = Request::new("PATCH", Self::address(record), Intent::Change).about(record);
        self.ask(request.at_version(version).with(body)).await;
    }

    /// Sends a whole record back, with something changed.
    async fn put_copy(&mut self) {
        let record = self.any_record();
        let Some(mut copy) = self.copy(record).await else { return };
        let version = copy["version"].as_i64().filter(|_| self.chance(0.8));
        copy["notes"] = json!(self.word());
        if record.resource == PRODUCTS {
            copy.as_object_mut().unwrap().remove("notes");
            copy["description"] = json!(self.word());
        }
        let request = Request::new("PUT", Self::address(record), Intent::Change).about(record);
        self.ask(request.at_version(version).with(copy)).await;
    }

    /// The fields of the form in which a record is changed.
    fn form(record: &Value, fields: &[kontor::base::form::Field]) -> Map<String, Value> {
        let filled = fields.iter().filter_map(|field| {
            let text = match &record[field.name] {
                Value::Null | Value::Bool(false) => return None,
                Value::Bool(true) => "on".to_owned(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            Some((format!("form[{}]", field.name), text.into()))
        });
        filled.collect()
    }

    fn order_form(order: &Value) -> Map<String, Value> {
        let mut form = Self::form(order, OrderInput::FIELDS);
        for (row, line) in order["items"].as_array().into_iter().flatten().enumerate() {
            for name in ["id", "product", "quantity", "unit_price", "discount_percent"] {
                let value = &line[name];
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                if *value != Value::Null {
                    form.insert(format!("form[items.{row}.{name}]"), text.into());
                }
            }
        }
        form
    }

    /// Opens the form of a record and saves it, as it was when the form was opened but for one value.
    async fn save_form(&mut self) {
        let record = self.any_record();
        let Some(mut copy) = self.copy(record).await else { return };
        let version = copy["version"].as_i64();
        let word = self.word();
        let mut form = match record.resource {
            CUSTOMERS => {
                copy["phone"] = word.into();
                Self::form(&copy, CustomerInput::FIELDS)
            }
            PRODUCTS => {
                copy["barcode"] = word.into();
                Self::form(&copy, ProductInput::FIELDS)
            }
            _ => {
                copy["notes"] = word.into();
                if self.chance(0.5) {
                    copy["items"] = self.new_lines();
                }
                Self::order_form(&copy)
            }
        };
        if record.resource == ORDERS && self.chance(0.2) {
            form.insert("then".into(), "place".into());
        }
        form.insert("id".into(), record.id.into());
        form.insert("version".into(), version.into());
        let request = Request::new("POST", format!("/-/{}/update", record.resource), Intent::Change).about(record);
        self.ask(request.at_version(version).with(form.into())).await;
    }

    /// A new record as a script would send it.
    fn new_record(&mut self, resource: &str) -> Value {
        let word = self.word();
        match resource {
            CUSTOMERS => json!({ "name": word, "email": format!("{word}@example.com") }),
            PRODUCTS => json!({ "sku": word, "name": word, "unit": "pcs", "price": "1.99", "tax_rate": "7.00" }),
            _ => json!({ "customer": self.any(CUSTOMERS).id, "customer_reference": word, "items": self.new_lines() }),
        }
    }

    async fn make_by_form(&mut self) {
        let resource = self.one_of(&[CUSTOMERS, PRODUCTS, ORDERS, ORDERS]);
        let mut record = self.new_record(resource);
        record["is_active"] = true.into();
        let mut form = match resource {
            CUSTOMERS => Self::form(&record, CustomerInput::FIELDS),
            PRODUCTS => Self::form(&record, ProductInput::FIELDS),
            _ => Self::order_form(&record),
        };
        let once = uuid::Uuid::from_u64_pair(self.random.random(), self.random.random()).to_string();
        form.insert("once".into(), once.clone().into());
        if resource == ORDERS && self.chance(0.3) {
            form.insert("then".into(), "place".into());
        }
        let request = Request::new("POST", format!("/-/{resource}/create"), Intent::Create);
        self.ask_again(request.under(Some(once)).with(form.into())).await;
    }

    /// An `Idempotency-Key`, more often than not.
    fn key(&mut self) -> Option<String> {
        let key = format!("key-{}", self.begin());
        self.chance(0.6).then_some(key)
    }

    async fn make_by_api(&mut self) {
        let resource = self.one_of(&[CUSTOMERS, PRODUCTS, ORDERS, ORDERS]);
        let (body, key) = (self.new_record(resource), self.key());
        let request = Request::new("POST", format!("/api/{resource}/"), Intent::Create).with(body);
        match key {
            Some(key) => self.ask_again(request.under(Some(key))).await,
            None => drop(self.ask(request).await),
        }
    }

    async fn command(&mut self) {
        let order = self.any(ORDERS);
        let command = self.one_of(&[
            Command::Place,
            Command::Place,
            Command::Place,
            Command::Place,
            Command::Reopen,
            Command::Reopen,
            Command::Reopen,
            Command::Ship,
            Command::Cancel,
        ]);
        let version = self.version(order).await;
        let is_form = version.is_some() && self.chance(0.4);
        let intent = Intent::Command(command);
        if is_form {
            let mut form = json!({ "id": order.id, "version": version });
            if command == Command::Cancel {
                form["reason"] = "why".into();
            }
            let request = Request::new("POST", format!("/-/orders/{}", command.name()), intent).about(order);
            self.ask(request.at_version(version).with(form)).await;
            return;
        }
        let (dry_run, key) = (self.chance(0.15), self.key().filter(|_| self.chance(0.3)));
        let body = json!({ "reason": "why", "dry_run": dry_run });
        let path = format!("{}{}/", Self::address(order), command.name());
        let request = Request::new("POST", path, intent).about(order).at_version(version).dry(dry_run).with(body);
        match key {
            Some(key) => self.ask_again(request.under(Some(key))).await,
            None => drop(self.ask(request).await),
        }
    }

    /// Changes the lines of an order: all of them, by operations, or one of them as a record of its own.
    async fn lines(&mut self) {
        let order = self.any(ORDERS);
        let Some(copy) = self.copy(order).await else { return };
        let version = copy["version"].as_i64().filter(|_| self.chance(0.4));
        let lines = copy["items"].as_array().cloned().unwrap_or_default();
        let line = lines.choose(&mut self.random).and_then(|line| line["id"].as_i64());
        let whole = |method, body| {
            Request::new(method, Self::address(order), Intent::Change).about(order).at_version(version).with(body)
        };
        let request = match (self.below(6), line) {
            (0, _) => {
                let mut items: Vec<_> =
                    lines.iter().map(|line| json!({ "id": line["id"], "quantity": self.quantity() })).collect();
                items.push(self.new_line());
                items.shuffle(&mut self.random);
                whole("PATCH", json!({ "items": items }))
            }
            (1, Some(line)) => {
                let operations = match self.below(3) {
                    0 => json!({ "add": [self.new_line()], "update": [{ "id": line, "quantity": self.quantity() }] }),
                    1 => json!({ "update": [{ "id": line, "unit_price": "2.50" }] }),
                    _ => json!({ "remove": [line], "add": [self.new_line()] }),
                };
                whole("PATCH", json!({ "items": operations }))
            }
            (2 | 3, Some(line)) => {
                let body = json!({ "quantity": self.quantity() });
                let request = Request::new("PATCH", format!("/api/order-items/{line}/"), Intent::Change);
                request.about(order).at_line(line).at_version(version).with(body)
            }
            (4, Some(line)) => {
                let request = Request::new("DELETE", format!("/api/order-items/{line}/"), Intent::Change);
                request.about(order).at_line(line).at_version(version)
            }
            _ => {
                let mut body = self.new_line();
                body["order"] = order.id.into();
                Request::new("POST", "/api/order-items/", Intent::Change).about(order).with(body)
            }
        };
        self.ask(request).await;
    }

    /// Many rows in one transaction, over the same few records in any order.
    async fn bulk(&mut self) {
        let resource = self.one_of(&[CUSTOMERS, PRODUCTS, ORDERS]);
        let (mut rows, mut sent) = (Vec::new(), Vec::new());
        for _ in 0..2 + self.below(4) {
            let record = self.any(resource);
            let named = self.copies.get(&record).and_then(|copy| copy["version"].as_i64()).filter(|_| self.chance(0.4));
            let (row, said) = match self.below(8) {
                0 => {
                    let values = self.new_record(resource);
                    (Row { record: None, named: None }, json!({ "action": "create", "values": values }))
                }
                1 if self.chance(0.3) => (
                    Row { record: Some(record), named },
                    json!({ "action": "delete", "id": record.id, "version": named }),
                ),
                _ => {
                    let values = self.values(resource);
                    let said = json!({ "action": "change", "id": record.id, "version": named, "values": values });
                    (Row { record: Some(record), named }, said)
                }
            };
            rows.push(row);
            sent.push(said);
        }
        let on_error = self.one_of(&["reject_all", "reject_row", "reject_row"]);
        let request = Request::new("POST", format!("/api/{resource}/bulk/"), Intent::Bulk(rows));
        self.ask(request.with(json!({ "on_error": on_error, "rows": sent }))).await;
    }

    async fn delete(&mut self) {
        let record = self.any_record();
        let version = self.version(record).await;
        let request = match version.filter(|_| self.chance(0.5)) {
            Some(version) => Request::new("POST", format!("/-/{}/delete", record.resource), Intent::Delete)
                .with(json!({ "id": record.id, "version": version })),
            None => Request::new("DELETE", Self::address(record), Intent::Delete),
        };
        self.ask(request.about(record).at_version(version)).await;
    }

    async fn undo(&mut self) {
        let changes = self.history.latest_changes(12);
        let Some(change) = changes.choose(&mut self.random).cloned() else { return };
        let intent = Intent::Undo(change.clone());
        if self.chance(0.3) {
            let form = json!({ "request": change, "page": "/orders" });
            self.ask(Request::new("POST", "/-/changes/undo", intent).with(form)).await;
            return;
        }
        let dry_run = self.chance(0.2);
        let request = Request::new("POST", format!("/api/changes/{change}/undo/"), intent).dry(dry_run);
        self.ask(request.with(json!({ "dry_run": dry_run }))).await;
    }

    async fn restore(&mut self) {
        let record = self.any_record();
        let (version, dry_run) = (self.version(record).await, self.chance(0.2));
        let request = Request::new("POST", format!("{}restore/", Self::address(record)), Intent::Restore).about(record);
        let body = json!({ "as_of": self.moment, "dry_run": dry_run });
        self.ask(request.at_version(version).dry(dry_run).with(body)).await;
    }

    /// Uploads a file, tries it, and imports it, at times twice at once; and at times the same file again.
    async fn import(&mut self) {
        let (one, other) = (self.word(), self.word());
        let csv = format!("code,name\n{one},Imported {one}\n{other}x,Imported {other}\n");
        for _ in 0..1 + self.below(2) {
            let upload = Request::new("POST", "/-/import/upload", Intent::Import).with(csv.clone().into()).dry(true);
            let server = self.server();
            let sent = self.history.tick();
            let answer = self.servers[server].upload(self.who, &[("customers", "customers.csv", csv.as_bytes())]).await;
            self.history.enter(self.number, server, sent, upload, &answer);
            let Some(id) = answer.header("location").split("upload=").nth(1).map(str::to_owned) else { return };
            let form = json!({ "id": id, "form[customers.0]": "code", "form[customers.1]": "name" });
            self.ask(Request::new("POST", "/-/import/check", Intent::Import).with(form).dry(true)).await;
            let run = Request::new("POST", "/-/import/run", Intent::Import).with(json!({ "id": id }));
            self.ask_again(run).await;
        }
    }

    /// Changes a setting, decided on what it was some time ago.
    async fn settings(&mut self) {
        if self.who != As::Administrator {
            return;
        }
        let step = self.ask(Request::new("GET", "/-/admin/settings", Intent::Read)).await;
        let settings = step.body.as_array().cloned().unwrap_or_default();
        let was =
            settings.iter().find(|setting| setting["name"] == "sign_in_attempts").map(|setting| setting["set"].clone());
        let wish = (500 + self.below(100)).to_string();
        let form = json!({ "form[sign_in_attempts]": wish, "form[was.sign_in_attempts]": was });
        let request = Request::new("POST", "/-/admin/set", Intent::Settings).with(form);
        let other = self.below(100) + 700;
        let mut rival = request.clone();
        rival.body["form[sign_in_attempts]"] = json!(other.to_string());
        if self.chance(0.5) {
            let servers = [self.server(), self.server()];
            tokio::join!(self.send(servers[0], request), self.send(servers[1], rival));
        } else {
            self.ask(request).await;
        }
    }
}

fn moment() -> String {
    Moment::from(now()).rfc3339().to_owned()
}
