//! Speed, memory and size of the release, against the budgets: `make bench`.
//!
//! Companies with few and with many orders are loaded, the release serves them, and one client after the other asks for the same
//! thing over kept connections; first on SQLite, then on the PostgreSQL of `TEST_DATABASE_URL`. Beside it the floor is asked:
//! the same rows by plain SQL in the same process. What is measured is printed, kept in `target/bench.json`, and held against
//! what was kept there before. Any answer that is no success fails the bench, and so does an order that got lost.
//!
//! `BENCH_SECONDS` (5) is how long each workload runs, `BENCH_ORDERS` (10000,1000000) how many orders the companies have,
//! `BENCH_SOAK_SECONDS` (0) how long the server of the last company is watched whether its memory stays as it is, and
//! `KONTOR_PROGRAM` the release, where it is not in the target folder.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{IsTerminal, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use sea_orm::ConnectionTrait;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

#[path = "desk/api.rs"]
mod api;
#[path = "desk/browser.rs"]
mod browser;
#[path = "desk/bundle.rs"]
mod bundle;
#[path = "desk/floor.rs"]
mod floor;
#[path = "desk/history.rs"]
mod history;

/// What went wrong, in words.
type Outcome<T> = Result<T, String>;

/// How many connections ask at once.
const CONNECTIONS: usize = 16;

/// How many workloads are lists and records of one table.
const PLAIN: usize = 4;

/// How many orders are created by each number of writers.
const CREATED: usize = 2_000;

/// How many orders are imported, and how many lines each has.
const IMPORTED: (usize, usize) = (20_000, 5);

/// How much longer than half of the requests the slowest hundredth may take.
const TAIL: f64 = 5.0;

/// How much longer a request may take among the most orders than among the fewest.
const GROWN: f64 = 150.0;

/// How much worse than before is worth a word.
const WORSE: f64 = 1.10;

const EMAIL: &str = "bench@kontor.example";
const PASSWORD: &str = "correct horse battery";

/// What is measured with, from the environment.
struct Bench {
    program: PathBuf,
    site: PathBuf,
    /// The browser's program as it was compiled.
    compiled: PathBuf,
    kept: PathBuf,
    seconds: u64,
    soak: u64,
    orders: Vec<u64>,
}

/// All that was measured.
#[derive(Default, Serialize, Deserialize)]
struct Report {
    rows: Vec<Row>,
    facts: Vec<Fact>,
}

/// How one workload went on one database.
#[derive(Serialize, Deserialize)]
struct Row {
    /// The database, and how many orders the company had.
    database: String,
    name: String,
    per_second: f64,
    /// Milliseconds, as the two after it.
    p50: f64,
    p99: f64,
    /// Time of the server's processors, on one request; the database's own are not in it.
    cpu: f64,
    statements: Option<usize>,
    /// How many statements there may be.
    budget: Option<usize>,
}

/// One number beside its budget.
#[derive(Serialize, Deserialize)]
struct Fact {
    /// The database it was measured on; empty for what has none.
    database: String,
    name: String,
    value: f64,
    unit: String,
    budget: Option<Budget>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
enum Budget {
    AtMost(f64),
    AtLeast(f64),
}

/// Something that is asked again and again.
struct Workload {
    name: &'static str,
    /// Asked in turn.
    requests: Vec<Request>,
    /// How many statements one may cost.
    budget: Option<usize>,
}

/// A request as it goes over the wire.
#[derive(Clone)]
struct Request(Arc<[u8]>);

/// When to stop asking.
#[derive(Clone, Copy)]
enum Until {
    Passed(Duration),
    Sent(usize),
}

fn main() -> ExitCode {
    // Cargo runs this with --test to see whether it starts.
    if std::env::args().any(|argument| argument == "--test") {
        return ExitCode::SUCCESS;
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&format!("cannot start: {error}")),
    };
    match runtime.block_on(run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => failed(&why),
    }
}

fn failed(why: &str) -> ExitCode {
    eprintln!("bench: {why}");
    ExitCode::FAILURE
}

async fn run() -> Outcome<()> {
    let bench = Bench::from_environment()?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    say(&format!("Kontor, {CONNECTIONS} connections, {} s each, on {cores} cores", bench.seconds));
    let mut report = Report::default();
    for orders in &bench.orders {
        let folder = tempfile::tempdir().map_err(wrong("no temporary folder"))?;
        let file = folder.path().join("bench.db");
        bench.on("SQLite", *orders, &format!("sqlite:{}", file.display()), folder.path(), &mut report).await?;
    }
    for orders in &bench.orders {
        let Ok(admin) = std::env::var("TEST_DATABASE_URL") else {
            say("\nNOT MEASURED on PostgreSQL: TEST_DATABASE_URL is not set (see scripts/with-postgres)");
            break;
        };
        let folder = tempfile::tempdir().map_err(wrong("no temporary folder"))?;
        let own = Own::create(&admin).await?;
        let measured = bench.on("PostgreSQL", *orders, &own.url, folder.path(), &mut report).await;
        own.drop().await?;
        measured?;
    }
    report.grown();
    bench.weigh(&mut report)?;
    bench.keep(&report)
}

impl Bench {
    fn from_environment() -> Outcome<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let number = |name: &str, otherwise: u64| match std::env::var(name) {
            Ok(text) => text.parse().map_err(|_| format!("{name} is no whole number: {text}")),
            Err(_) => Ok(otherwise),
        };
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        let named = std::env::var_os("KONTOR_PROGRAM").map(PathBuf::from);
        let program = named.unwrap_or_else(|| target.join("release/kontor"));
        Ok(Self {
            program: program.canonicalize().map_err(wrong(format!("no release at {}", program.display())))?,
            site: root.join("target/site"),
            compiled: target.join("front/wasm32-unknown-unknown/wasm-release/kontor.wasm"),
            kept: root.join("target/bench.json"),
            seconds: number("BENCH_SECONDS", 5)?,
            soak: number("BENCH_SOAK_SECONDS", 0)?,
            orders: std::env::var("BENCH_ORDERS")
                .unwrap_or_else(|_| "10000,1000000".into())
                .split(',')
                .map(|orders| orders.trim().parse().map_err(|_| format!("BENCH_ORDERS: {orders} is no whole number")))
                .collect::<Outcome<_>>()?,
        })
    }

    /// Everything that is measured on one database.
    async fn on(&self, name: &str, orders: u64, url: &str, folder: &Path, report: &mut Report) -> Outcome<()> {
        let name = format!("{name}, {} orders", thousands(orders as f64));
        say(&format!("\n{name}"));
        let desk = Desk { bench: self, database: &name, url, folder };
        desk.run(&["user", "create", EMAIL, "--name", "Bench", "--role", "staff", "--password-stdin"], PASSWORD)?;
        let began = Instant::now();
        desk.run(&["demo", "--orders", &orders.to_string()], "")?;
        let speed = orders as f64 / began.elapsed().as_secs_f64();
        report.note(desk.fact("demo", speed, "orders/s", None));
        let token = desk.run(&["token", "create", "--user", EMAIL, "--name", "bench"], "")?;

        let server = desk.serve("warn").await?;
        let asker = Asker::sign_in(&server, EMAIL, token.trim()).await?;
        let (mut rows, mut memory) = (Vec::new(), Vec::new());
        // The plain ones come first and ask for no order, so that the server did nothing else before its memory is read.
        for workload in asker.reads(0, 0).iter().take(PLAIN) {
            rows.push(desk.measure(&server, workload, CONNECTIONS, Until::Passed(self.period())).await?);
        }
        memory.push(desk.fact("memory after the four first", server.memory()?, "MB", Some(Budget::AtMost(60.0))));
        let goods = asker.goods(&server, 1_000).await?;
        let [short, long] = [asker.order(&server, &goods[..10]).await?, asker.order(&server, &goods).await?];
        for workload in asker.reads(short, long).iter().skip(PLAIN) {
            rows.push(desk.measure(&server, workload, CONNECTIONS, Until::Passed(self.period())).await?);
        }
        for writers in [1, 8, 32] {
            rows.push(desk.write(&server, &asker, &asker.writes(writers, &goods), writers).await?);
        }
        rows.push(desk.place(&server, &asker, &goods).await?);
        rows.push(desk.measure(&server, &asker.mixed(short, &goods), CONNECTIONS, Until::Passed(self.period())).await?);
        let floor = desk.ask_floor(&server, &asker, [short, long], &goods, &mut rows).await?;
        memory.push(desk.fact("memory after everything", server.memory()?, "MB", Some(Budget::AtMost(100.0))));
        let mut facts = desk.ask_api(&server, &asker, &goods, &mut rows).await?;
        facts.extend(floor);
        facts.extend(desk.ask_history(&server, &asker, &mut rows).await?);
        if name.starts_with("SQLite") && self.orders.first() == Some(&orders) {
            facts.extend(desk.judge(&server, &asker, short)?);
        }
        if self.orders.last() == Some(&orders) {
            facts.extend(desk.soak(&server, &asker, short, &goods).await?);
        }
        server.stop()?;
        facts.extend(desk.export(&asker).await?);
        facts.push(desk.prove()?);

        let server = desk.serve("warn").await?;
        let start =
            desk.fact("start to first answer", server.started.as_secs_f64() * 1e3, "ms", Some(Budget::AtMost(1e3)));
        server.stop()?;

        desk.count(&asker, short, long, &goods, &mut rows).await?;
        for row in rows {
            report.tell(row);
        }
        memory.into_iter().chain(facts).for_each(|fact| report.note(fact));
        report.note(start);
        let speed = desk.import()?;
        report.note(desk.fact("import", speed, "lines/s", Some(Budget::AtLeast(10_000.0))));
        Ok(())
    }

    fn period(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    /// What the browser fetches: at first, and with the first page that needs it.
    fn weigh(&self, report: &mut Report) -> Outcome<()> {
        say("\nBrowser bundle");
        let folder = self.site.join("pkg");
        let mut newest: BTreeMap<String, (std::time::SystemTime, u64, u64)> = BTreeMap::new();
        for entry in fs::read_dir(&folder).map_err(wrong("no browser bundle; `make build` makes it"))? {
            let entry = entry.map_err(wrong("cannot read the bundle"))?;
            let file = entry.file_name().to_string_lossy().into_owned();
            let (Some(stem), Some(kind)) = (file.split('.').next(), file.rsplit('.').next()) else { continue };
            if !["wasm", "js", "css"].contains(&kind) {
                continue;
            }
            let about = entry.metadata().map_err(wrong("cannot read the bundle"))?;
            let packed =
                fs::metadata(folder.join(format!("{file}.br"))).map_err(wrong(format!("{file} has no .br")))?;
            let weight = (about.modified().map_err(wrong("no time of a file"))?, about.len(), packed.len());
            let known = newest.entry(format!("{stem}.{kind}")).or_insert(weight);
            *known = weight.max(*known);
        }
        let is_first = |name: &str| name.starts_with("kontor.") || name.starts_with("__wasm_split.");
        let mut first = 0;
        for (name, (_, raw, packed)) in &newest {
            if is_first(name) {
                first += packed;
                report.note(Fact::bytes(name, *packed, Some(*raw), None));
            }
        }
        report.note(Fact::bytes("first load", first, None, Some(Budget::AtMost(300_000.0))));
        // Every build numbers what pages share anew.
        let is_shared = |name: &str| name.starts_with("chunk_");
        for (name, (_, raw, packed)) in newest.iter().filter(|(name, _)| !is_first(name) && !is_shared(name)) {
            report.note(Fact::bytes(&format!("{name}, later"), *packed, Some(*raw), None));
        }
        let shared = newest.iter().filter(|(name, _)| is_shared(name)).map(|(_, weight)| weight);
        let (raw, packed) = shared.fold((0, 0), |sum, (_, raw, packed)| (sum.0 + raw, sum.1 + packed));
        report.note(Fact::bytes("shared by pages, later", packed, Some(raw), None));
        say("\nWhat its code is made of, before it is split and packed");
        let shares = bundle::shares(&self.compiled)?;
        let all: u64 = shares.iter().map(|(_, size)| size).sum();
        for (name, size) in shares {
            let unit = format!("bytes, {:.1} %", 100.0 * size as f64 / all as f64);
            let (database, name) = (String::new(), format!("code of {name}"));
            report.note(Fact { database, name, value: size as f64, unit, budget: None });
        }
        Ok(())
    }

    /// Says what got worse since the last time, and keeps this time for the next.
    fn keep(&self, report: &Report) -> Outcome<()> {
        let before = fs::read(&self.kept).ok().and_then(|text| serde_json::from_slice::<Report>(&text).ok());
        if let Some(before) = before {
            let worse = report.worse_than(&before);
            let found =
                if worse.is_empty() { "\nNothing got more than 10 % worse." } else { "\nMore than 10 % worse:" };
            say(found);
            worse.iter().for_each(|line| say(line));
        }
        let text = serde_json::to_vec_pretty(report).map_err(wrong("the report is no JSON"))?;
        fs::write(&self.kept, text).map_err(wrong("cannot keep the report"))
    }
}

/// A database of PostgreSQL that lives as long as the bench.
struct Own {
    admin: sea_orm::DatabaseConnection,
    name: String,
    url: String,
}

impl Own {
    async fn create(admin: &str) -> Outcome<Self> {
        let name = format!("kontor_bench_{}", std::process::id());
        let server = admin.rsplit_once('/').map_or(admin, |(server, _)| server);
        let url = format!("{server}/{name}");
        let admin = sea_orm::Database::connect(admin).await.map_err(wrong("no PostgreSQL"))?;
        admin
            .execute_unprepared(&format!("CREATE DATABASE {name}"))
            .await
            .map_err(wrong("cannot create a database"))?;
        Ok(Self { admin, name, url })
    }

    async fn drop(self) -> Outcome<()> {
        let drop = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        self.admin.execute_unprepared(&drop).await.map(|_| ()).map_err(wrong("cannot drop the database"))
    }
}

/// The release on one database.
struct Desk<'a> {
    bench: &'a Bench,
    database: &'a str,
    url: &'a str,
    folder: &'a Path,
}

impl Desk<'_> {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.bench.program);
        command
            .args(arguments)
            .current_dir(self.folder)
            .env("KONTOR_DATABASE_URL", self.url)
            .env("KONTOR_SITE_DIR", &self.bench.site)
            .env("KONTOR_SIGN_IN_ATTEMPTS", "1000")
            .env("KONTOR_RATE_LIMIT", "0")
            .env("KONTOR_PAGE_RATE_LIMIT", "0")
            .env("KONTOR_LOG", "warn")
            .env_remove("KONTOR_PROGRAM");
        command
    }

    /// Runs a command of the release to its end; what it says.
    fn run(&self, arguments: &[&str], input: &str) -> Outcome<String> {
        let what = format!("kontor {}", arguments.first().unwrap_or(&""));
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(wrong(&what))?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input.as_bytes()).map_err(wrong(&what))?;
        }
        let output = child.wait_with_output().map_err(wrong(&what))?;
        if !output.status.success() {
            return Err(format!("{what}: {}", String::from_utf8_lossy(&output.stderr)));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    async fn serve(&self, log: &str) -> Outcome<Server> {
        let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let address = free.map_err(wrong("no free port"))?.to_string();
        let log_file = self.folder.join("server.log");
        let file = File::create(&log_file).map_err(wrong("cannot write the server's log"))?;
        let began = Instant::now();
        let child = self
            .command(&["serve", "--addr", &address, "--bench-floor"])
            .env("KONTOR_LOG", log)
            .stdout(Stdio::null())
            .stderr(file)
            .spawn()
            .map_err(wrong("kontor serve"))?;
        let mut server = Server { child, address, log_file, started: Duration::ZERO };
        let ready = Request::get(&server, "/readyz", "");
        while !server.answers(&ready).await {
            if began.elapsed() > Duration::from_secs(30) {
                return Err(format!("the server does not start: {}", server.log()));
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        server.started = began.elapsed();
        Ok(server)
    }

    /// Lets some connections ask until it is enough.
    async fn measure(&self, server: &Server, workload: &Workload, connections: usize, until: Until) -> Outcome<Row> {
        passing(&format!("  {} …", workload.name));
        let failed = |why: String| format!("{}, {}: {why}", self.database, workload.name);
        if let Until::Passed(_) = until {
            ask(server, workload, connections, Until::Sent(2 * connections)).await.map_err(failed)?;
        }
        let (began, cpu) = (Instant::now(), server.cpu()?);
        let mut times = ask(server, workload, connections, until).await.map_err(failed)?;
        let (passed, cpu) = (began.elapsed().as_secs_f64(), server.cpu()? - cpu);
        passing("");
        times.sort_unstable();
        let at = |percent: usize| {
            let time = times.get((times.len() * percent / 100).min(times.len().saturating_sub(1)));
            time.map_or(0.0, |time| time.as_secs_f64() * 1e3)
        };
        Ok(Row {
            database: self.database.into(),
            name: workload.name.into(),
            per_second: times.len() as f64 / passed,
            p50: at(50),
            p99: at(99),
            cpu: cpu.as_secs_f64() * 1e3 / times.len() as f64,
            statements: None,
            budget: workload.budget,
        })
    }

    /// Creates orders, and sees whether all of them and all their lines are there.
    async fn write(&self, server: &Server, asker: &Asker, workload: &Workload, writers: usize) -> Outcome<Row> {
        let before = asker.counts(server).await?;
        let row = self.measure(server, workload, writers, Until::Sent(CREATED)).await?;
        let after = asker.counts(server).await?;
        let created = [after[0] - before[0], after[1] - before[1]];
        if created != [CREATED as i64, 5 * CREATED as i64] {
            return Err(format!(
                "{}, {}: {CREATED} orders of 5 lines were answered, {} orders and {} lines are there",
                self.database, workload.name, created[0], created[1]
            ));
        }
        Ok(row)
    }

    /// How many statements each workload costs, in a server that logs them.
    async fn count(&self, asker: &Asker, short: i64, long: i64, goods: &[i64], rows: &mut [Row]) -> Outcome<()> {
        let server = self.serve("warn,kontor::statement=trace").await?;
        let asker = Asker { host: server.address.clone(), ..asker.clone() };
        let mut connection = Connection::open(&server.address).await.map_err(wrong("no connection"))?;
        let mut workloads = asker.reads(short, long);
        workloads.push(asker.writes(1, goods));
        workloads.extend(asker.walks(&server).await?);
        for workload in &workloads {
            let Some(request) = workload.requests.first() else { continue };
            connection.success(request).await?;
            // What the server does by itself now and then comes in between; three times it does not.
            let mut statements = usize::MAX;
            for _ in 0..3 {
                let before = server.statements().await;
                connection.success(request).await?;
                statements = statements.min(server.statements().await - before);
            }
            for row in rows.iter_mut().filter(|row| row.name == workload.name) {
                row.statements = Some(statements);
            }
        }
        server.stop()
    }

    /// Imports orders of the past; lines in a second.
    fn import(&self) -> Outcome<f64> {
        let (orders, lines) = IMPORTED;
        let (mut heads, mut items) =
            (String::from("number,customer_code,order_date\n"), String::from("order_number,sku,quantity\n"));
        for order in 0..orders {
            let (month, day) = (order % 12 + 1, order % 28 + 1);
            let _ = writeln!(heads, "BENCH-{order},C-{:05},2024-{month:02}-{day:02}", order % 24 + 1);
            for line in 0..lines {
                // Every company has the first SKUs of its eight shelves.
                let sku = SHELVES[(order + line) % SHELVES.len()];
                let _ = writeln!(items, "BENCH-{order},{sku}-{:04},{}", order % 5 + 1, line + 1);
            }
        }
        let [heads_file, items_file] = [("orders.csv", heads), ("lines.csv", items)].map(|(name, text)| {
            let path = self.folder.join(name);
            fs::write(&path, text).map(|()| path.display().to_string()).map_err(wrong("cannot write a CSV file"))
        });
        let began = Instant::now();
        self.run(&["import", "--orders", &heads_file?, "--lines", &items_file?], "")?;
        Ok((orders * lines) as f64 / began.elapsed().as_secs_f64())
    }

    fn fact(&self, name: &str, value: f64, unit: &str, budget: Option<Budget>) -> Fact {
        Fact { database: self.database.into(), name: name.into(), value, unit: unit.into(), budget }
    }
}

/// The prefixes of the demo company's SKUs.
const SHELVES: [&str; 8] = ["BEV", "HOT", "DRY", "OIL", "DAI", "SPI", "PAC", "CLE"];

/// A running server; ends with its owner.
struct Server {
    child: Child,
    address: String,
    log_file: PathBuf,
    /// From its start to its first answer.
    started: Duration,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    async fn answers(&self, request: &Request) -> bool {
        match Connection::open(&self.address).await {
            Ok(mut connection) => connection.success(request).await.is_ok(),
            Err(_) => false,
        }
    }

    /// Ends it in order.
    fn stop(mut self) -> Outcome<()> {
        Command::new("kill").arg(self.child.id().to_string()).status().map_err(wrong("cannot stop the server"))?;
        let status = self.child.wait().map_err(wrong("cannot stop the server"))?;
        if status.success() { Ok(()) } else { Err(format!("the server ended badly: {}", self.log())) }
    }

    fn log(&self) -> String {
        fs::read_to_string(&self.log_file).unwrap_or_default()
    }

    fn proc(&self, file: &str) -> Outcome<String> {
        fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).map_err(wrong("no /proc of the server"))
    }

    /// What it has used of all processors.
    fn cpu(&self) -> Outcome<Duration> {
        // After the name in brackets; user and system time are the 12th and 13th, in hundredths of a second.
        let stat = self.proc("stat")?;
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
        let ticks: u64 = fields.filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
        Ok(Duration::from_millis(10 * ticks))
    }

    /// In MB.
    fn memory(&self) -> Outcome<f64> {
        let status = self.proc("status")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
        let kilobytes: f64 = line.trim().trim_end_matches("kB").trim().parse().map_err(wrong("no VmRSS"))?;
        Ok(kilobytes / 1024.0)
    }

    /// How many it has logged, once no more come.
    async fn statements(&self) -> usize {
        let logged = || self.log().matches("kontor::statement").count();
        let mut count = logged();
        loop {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let now = logged();
            if now == count {
                return count;
            }
            count = now;
        }
    }
}

/// What somebody types to find a product, and what others search among customers.
const TYPED: [&str; 7] = ["b", "bu", "but", "butter", "oil", "rice+org", "BEV-00"];
const SEARCHED: [&str; 6] = ["berg", "hotel", "lyon", "caf%C3%A9", "orders%40", "bakery+york"];

/// Somebody who asks, in the browser and by script.
#[derive(Clone)]
struct Asker {
    host: String,
    /// Headers that say who it is.
    cookie: String,
    token: String,
}

impl Asker {
    async fn sign_in(server: &Server, email: &str, token: &str) -> Outcome<Self> {
        let body = format!("email={email}&password={}&next=", PASSWORD.replace(' ', "+"));
        let form =
            "content-type: application/x-www-form-urlencoded\r\naccept: text/html\r\nsec-fetch-site: same-origin\r\n";
        let request = Request::new(&server.address, "POST", "/-/sign-in", form, &body);
        let mut connection = Connection::open(&server.address).await.map_err(wrong("no connection"))?;
        let answer = connection.ask(&request).await.map_err(wrong("cannot sign in"))?;
        let cookie = answer.cookie.ok_or_else(|| format!("signing in was answered with {}", answer.status))?;
        Ok(Self {
            host: server.address.clone(),
            cookie: format!("cookie: {cookie}\r\n"),
            token: format!("authorization: Bearer {token}\r\n"),
        })
    }

    fn page(&self, path: &str) -> Request {
        Request::new(&self.host, "GET", path, &format!("{}accept: text/html\r\n", self.cookie), "")
    }

    /// What a page asks for by script.
    fn fetch(&self, path: &str) -> Request {
        Request::new(&self.host, "GET", path, &format!("{}accept: application/json\r\n", self.cookie), "")
    }

    fn call(&self, path: &str) -> Request {
        Request::new(&self.host, "GET", path, &self.token, "")
    }

    fn post(&self, path: &str, body: &Value) -> Request {
        let headers = format!("{}content-type: application/json\r\n", self.token);
        Request::new(&self.host, "POST", path, &headers, &body.to_string())
    }

    /// What people and scripts read all day.
    fn reads(&self, short: i64, long: i64) -> Vec<Workload> {
        let (page, call) = (|path: &str| self.page(path), |path: &str| self.call(path));
        let list = Some(2 + 1);
        vec![
            Workload::one("customers, list page", page("/customers"), list),
            Workload::one("customers, API list", call("/api/customers/"), list),
            Workload::one("customer, page", page("/customers/3"), None),
            Workload::one("customer, API", call("/api/customers/3/"), None),
            Workload::one("orders, list page", page("/orders"), list),
            Workload::one("orders, API list", call("/api/orders/"), list),
            Workload::one("orders, API list with items", call("/api/orders/?expand=items"), None),
            Workload::one("orders, tab with its counts", page("/orders?status=placed"), list),
            Workload::one("order of 10 lines, page", page(&format!("/orders/{short}")), None),
            Workload::one("order of 10 lines, API", call(&format!("/api/orders/{short}/")), None),
            Workload::one("order of 1,000 lines, page", page(&format!("/orders/{long}")), None),
            Workload::one("order of 1,000 lines, API", call(&format!("/api/orders/{long}/")), None),
            Workload {
                name: "products, typing ahead",
                requests: TYPED.iter().map(|text| self.fetch(&format!("/-/orders/products?text={text}"))).collect(),
                budget: None,
            },
            Workload {
                name: "customers, search",
                requests: SEARCHED.iter().map(|text| page(&format!("/customers?search={text}"))).collect(),
                budget: Some(5),
            },
        ]
    }

    /// Orders of five lines by so many at once.
    fn writes(&self, writers: usize, goods: &[i64]) -> Workload {
        Workload {
            name: match writers {
                1 => "create an order, 1 writer",
                8 => "create an order, 8 writers",
                _ => "create an order, 32 writers",
            },
            requests: (0..200).map(|number| self.post("/api/orders/", &self.order_of_five(number, goods))).collect(),
            budget: None,
        }
    }

    fn order_of_five(&self, number: usize, goods: &[i64]) -> Value {
        let line = |at: usize| json!({ "product": goods[(number * 7 + at * 31) % goods.len()], "quantity": "4" });
        json!({ "customer": number % 20 + 1, "items": (0..5).map(line).collect::<Vec<_>>() })
    }

    /// The ids of so many active products; those that lack are made.
    async fn goods(&self, server: &Server, wanted: usize) -> Outcome<Vec<i64>> {
        let mut connection = Connection::open(&server.address).await.map_err(wrong("no connection"))?;
        let mut goods = Vec::new();
        for page in 1.. {
            let found = connection
                .json(&self.call(&format!("/api/products/?is_active=true&page_size=200&page={page}")))
                .await?;
            goods
                .extend(found["results"].as_array().into_iter().flatten().filter_map(|product| product["id"].as_i64()));
            if goods.len() >= wanted || found["next"].is_null() {
                break;
            }
        }
        for number in goods.len()..wanted {
            let product = json!({ "sku": format!("MORE-{number}"), "name": format!("One more, {number}"), "unit": "pcs", "price": "1.25" });
            let made = connection.json(&self.post("/api/products/", &product)).await?;
            goods.push(made["id"].as_i64().ok_or("a product has no id")?);
        }
        goods.truncate(wanted);
        Ok(goods)
    }

    /// Creates an order of these products; its id.
    async fn order(&self, server: &Server, goods: &[i64]) -> Outcome<i64> {
        let items: Vec<_> = goods.iter().map(|product| json!({ "product": product, "quantity": "2" })).collect();
        let mut connection = Connection::open(&server.address).await.map_err(wrong("no connection"))?;
        let made = connection.json(&self.post("/api/orders/", &json!({ "customer": 1, "items": items }))).await?;
        made["id"].as_i64().ok_or_else(|| "an order has no id".into())
    }

    /// How many orders and how many lines there are.
    async fn counts(&self, server: &Server) -> Outcome<[i64; 2]> {
        let mut connection = Connection::open(&server.address).await.map_err(wrong("no connection"))?;
        let mut counts = [0; 2];
        for (count, path) in
            counts.iter_mut().zip(["/api/orders/?page_size=1&count=exact", "/api/order-items/?page_size=1&count=exact"])
        {
            *count = connection.json(&self.call(path)).await?["count"].as_i64().ok_or("a list has no count")?;
        }
        Ok(counts)
    }
}

impl Workload {
    fn one(name: &'static str, request: Request, budget: Option<usize>) -> Self {
        Self { name, requests: vec![request], budget }
    }
}

impl Request {
    fn new(host: &str, method: &str, path: &str, headers: &str, body: &str) -> Self {
        let length = body.len();
        let text =
            format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\n{headers}content-length: {length}\r\n\r\n{body}");
        Self(text.into_bytes().into())
    }

    fn get(server: &Server, path: &str, headers: &str) -> Self {
        Self::new(&server.address, "GET", path, headers, "")
    }
}

/// Lets connections take turns with the requests of a workload; how long each request took.
async fn ask(server: &Server, workload: &Workload, connections: usize, until: Until) -> Outcome<Vec<Duration>> {
    let (began, sent) = (Instant::now(), Arc::new(AtomicUsize::new(0)));
    let requests: Arc<[Request]> = workload.requests.clone().into();
    let mut askers = JoinSet::new();
    for _ in 0..connections {
        let mut connection = Connection::open(&server.address).await.map_err(wrong("no connection"))?;
        let (sent, requests) = (Arc::clone(&sent), Arc::clone(&requests));
        askers.spawn(async move {
            let mut times = Vec::new();
            loop {
                let number = sent.fetch_add(1, Ordering::Relaxed);
                let enough = match until {
                    Until::Passed(period) => began.elapsed() >= period,
                    Until::Sent(count) => number >= count,
                };
                if enough {
                    return Ok::<_, String>(times);
                }
                let asked = Instant::now();
                connection.success(&requests[number % requests.len()]).await?;
                times.push(asked.elapsed());
            }
        });
    }
    let mut times = Vec::new();
    while let Some(asked) = askers.join_next().await {
        times.extend(asked.map_err(wrong("a connection was given up"))??);
    }
    Ok(times)
}

/// A kept connection over HTTP/1.1, one request at a time.
struct Connection {
    stream: BufReader<TcpStream>,
    line: Vec<u8>,
    body: Vec<u8>,
}

/// What stands before the body of an answer.
struct Head {
    status: u16,
    length: usize,
    is_chunked: bool,
    /// The first cookie it sets, without its attributes.
    cookie: Option<String>,
}

/// An answer; its body stays in the connection.
struct Answer {
    status: u16,
    /// The first cookie it sets, without its attributes.
    cookie: Option<String>,
}

impl Connection {
    async fn open(address: &str) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::with_capacity(1 << 16, stream), line: Vec::new(), body: Vec::new() })
    }

    /// Asks, and takes nothing but a success.
    async fn success(&mut self, request: &Request) -> Outcome<()> {
        let answer = self.ask(request).await.map_err(wrong("no answer"))?;
        match answer.status {
            200..300 => Ok(()),
            status => Err(format!("answered with {status}: {}", String::from_utf8_lossy(&self.body))),
        }
    }

    async fn json(&mut self, request: &Request) -> Outcome<Value> {
        self.success(request).await?;
        serde_json::from_slice(&self.body).map_err(wrong("the answer is no JSON"))
    }

    async fn ask(&mut self, request: &Request) -> std::io::Result<Answer> {
        let head = self.head(request).await?;
        if head.is_chunked {
            while let size @ 1.. = usize::from_str_radix(self.line().await?.as_str(), 16).unwrap_or_default() {
                self.take(size).await?;
                self.line().await?;
            }
            self.line().await?;
        } else {
            self.take(head.length).await?;
        }
        Ok(Answer { status: head.status, cookie: head.cookie })
    }

    /// Asks, and reads the answer up to its body.
    async fn head(&mut self, request: &Request) -> std::io::Result<Head> {
        self.stream.get_mut().write_all(&request.0).await?;
        let status = self.line().await?.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
        let mut head = Head { status, length: 0, is_chunked: false, cookie: None };
        loop {
            let line = self.line().await?;
            let Some((name, value)) = line.split_once(':') else { break };
            match (name.to_ascii_lowercase().as_str(), value.trim()) {
                ("content-length", value) => head.length = value.parse().unwrap_or_default(),
                ("transfer-encoding", value) => head.is_chunked = value.eq_ignore_ascii_case("chunked"),
                ("set-cookie", value) => head.cookie = head.cookie.or(value.split(';').next().map(str::to_owned)),
                _ => {}
            }
        }
        self.body.clear();
        Ok(head)
    }

    async fn line(&mut self) -> std::io::Result<String> {
        self.line.clear();
        if self.stream.read_until(b'\n', &mut self.line).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        Ok(String::from_utf8_lossy(&self.line).trim_end().to_owned())
    }

    async fn take(&mut self, size: usize) -> std::io::Result<()> {
        let read = self.body.len();
        self.body.resize(read + size, 0);
        self.stream.read_exact(&mut self.body[read..]).await.map(|_| ())
    }
}

impl Report {
    /// Adds a row and prints it, under the head of the table when it is the first of its database.
    fn tell(&mut self, row: Row) {
        if self.rows.last().is_none_or(|last| last.database != row.database) {
            say(&format!(
                "  {:<28} {:>10} {:>9} {:>9} {:>8}   statements",
                "", "requests/s", "p50, ms", "p99, ms", "CPU, ms"
            ));
        }
        let statements = row.statements.map_or_else(|| "–".into(), |count| count.to_string());
        let mut budget = row.budget.map_or_else(String::new, |budget| {
            let verdict = if row.statements.is_some_and(|count| count > budget) { "  OVER" } else { "" };
            format!("   budget {budget}{verdict}")
        });
        if row.p99 > TAIL * row.p50 {
            let _ = write!(budget, "   p99 over {TAIL} × p50");
        }
        let (speed, name) = (thousands(row.per_second), &row.name);
        say(&format!(
            "  {name:<28} {speed:>10} {:>9.2} {:>9.2} {:>8.2}   {statements}{budget}",
            row.p50, row.p99, row.cpu
        ));
        self.rows.push(row);
    }

    fn note(&mut self, fact: Fact) {
        say(&fact.line());
        self.facts.push(fact);
    }

    /// How much longer each request takes in the largest company than in the smallest.
    fn grown(&mut self) {
        let mut facts = Vec::new();
        for row in &self.rows {
            let database = row.database.split(',').next().unwrap_or_default();
            let same = |other: &&Row| other.database.starts_with(database) && other.name == row.name;
            let small = self.rows.iter().find(same).filter(|small| small.database != row.database);
            if let Some(small) = small {
                let value = 100.0 * row.p50 / small.p50.max(f64::EPSILON);
                let budget = Some(Budget::AtMost(GROWN));
                let (database, name) = (format!("{}, grown", row.database), row.name.clone());
                facts.push(Fact { database, name, value, unit: "% of the smallest's p50".into(), budget });
            }
        }
        let mut last = String::new();
        for fact in facts {
            if fact.database != last {
                say(&format!("\n{}", fact.database));
                last.clone_from(&fact.database);
            }
            self.note(fact);
        }
    }

    /// What is more than a tenth worse than it was, each in a line.
    fn worse_than(&self, before: &Report) -> Vec<String> {
        let rows = self.rows.iter().filter_map(|row| {
            let old = before.rows.iter().find(|old| (&old.database, &old.name) == (&row.database, &row.name))?;
            let (now, then) = (thousands(row.per_second), thousands(old.per_second));
            (row.per_second * WORSE < old.per_second)
                .then(|| format!("  {}, {}: {now} requests/s, was {then}", row.database, row.name))
        });
        let facts = self.facts.iter().filter_map(|fact| {
            let old = before.facts.iter().find(|old| (&old.database, &old.name) == (&fact.database, &fact.name))?;
            let more_is_better = fact.unit.ends_with("/s") || matches!(fact.budget, Some(Budget::AtLeast(_)));
            let is_worse = if more_is_better { fact.value * WORSE < old.value } else { fact.value > old.value * WORSE };
            let place = if fact.database.is_empty() { String::new() } else { format!("{}, ", fact.database) };
            let (now, then) = (thousands(fact.value), thousands(old.value));
            is_worse.then(|| format!("  {place}{}: {now} {}, was {then}", fact.name, fact.unit))
        });
        rows.chain(facts).collect()
    }
}

impl Fact {
    fn bytes(name: &str, packed: u64, raw: Option<u64>, budget: Option<Budget>) -> Self {
        let raw = raw.map_or_else(String::new, |raw| format!(", {} raw", thousands(raw as f64)));
        let unit = format!("bytes brotli{raw}");
        Self { database: String::new(), name: name.into(), value: packed as f64, unit, budget }
    }

    fn line(&self) -> String {
        let (value, unit, name) = (thousands(self.value), &self.unit, &self.name);
        let budget = match self.budget {
            None => String::new(),
            Some(budget) => {
                let (limit, holds) = match budget {
                    Budget::AtMost(limit) => (limit, self.value <= limit),
                    Budget::AtLeast(limit) => (limit, self.value >= limit),
                };
                format!("   budget {}{}", thousands(limit), if holds { "" } else { "  MISSED" })
            }
        };
        format!("  {name:<28} {value:>10} {unit}{budget}")
    }
}

/// A whole number for reading: `12,345`.
fn thousands(value: f64) -> String {
    kontor::base::money::grouped(&format!("{value:.0}"))
}

fn wrong<E: std::fmt::Display>(what: impl Into<String>) -> impl FnOnce(E) -> String {
    let what = what.into();
    move |error| format!("{what}: {error}")
}

/// Says what is being done, on a terminal, until something else is.
fn passing(text: &str) {
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[K{text}");
    }
}

fn say(line: &str) {
    println!("{line}");
}
