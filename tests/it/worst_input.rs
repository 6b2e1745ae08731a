//! No request, however large or odd, keeps others from an answer: the worst of every kind is sent, several at once, while
//! `/healthz` is asked in between. What the bounds are stands in README.
//!
//! `WORST_INPUT` is a part of the names of the requests to send, when not all are to be.

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::crash::Server;
use crate::support::{As, Kind, TestApp, run};

/// How long `/healthz` may take. Code that is not optimised takes ten to thirty times as long, and tests run beside each
/// other on all cores.
const BOUND: Duration = if cfg!(debug_assertions) { Duration::from_secs(5) } else { Duration::from_millis(100) };
/// How many requests of a kind are sent at once: more than a small machine has cores.
const AT_ONCE: usize = 4;
/// The largest body of a request, as the server is told; what takes a second otherwise would take a minute here.
const BODY: usize = if cfg!(debug_assertions) { 1 << 18 } else { 1 << 20 };
/// The most lines of an order, or as many as a test draws in a few seconds.
const LINES: usize = if cfg!(debug_assertions) { 1_000 } else { 5_000 };
/// The longest query that fits into the head of a request.
const QUERY: usize = 60_000;

/// A request of its kind.
struct Worst {
    name: &'static str,
    method: &'static str,
    path: String,
    headers: String,
    body: String,
}

/// The status of the answer, once it is read to its end.
fn send(address: &str, worst: &Worst) -> u16 {
    let Worst { method, path, headers, body, .. } = worst;
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(300))).unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let mut answer = Vec::new();
    // A server that refuses a body need not read it.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
    let _ = stream.read_to_end(&mut answer);
    let status = answer.get(9..12).and_then(|status| std::str::from_utf8(status).ok()?.parse().ok());
    status.unwrap_or_else(|| panic!("{}: no answer", worst.name))
}

/// So many pieces that they fill a body or a query.
fn filled(size: usize, mut piece: impl FnMut(usize) -> String) -> String {
    let mut text = String::with_capacity(size);
    for number in 0.. {
        let next = piece(number);
        if text.len() + next.len() > size {
            break;
        }
        text += &next;
    }
    text
}

/// Bodies of JSON.
fn bodies(customer: &Value) -> Vec<(&'static str, &'static str, String)> {
    let lines = |line: fn(usize) -> Value| {
        let items: Vec<_> = (0..LINES).map(line).collect();
        json!({ "customer": customer["id"], "items": items }).to_string()
    };
    let list = |open: &str, piece: &str, close: &str| {
        let pieces = filled(BODY - 100, |_| format!("{piece},"));
        format!("{open}{}{close}", pieces.trim_end_matches(','))
    };
    let deepest = format!("{}1{}", "[".repeat(30), "]".repeat(30));
    let unknown =
        format!("{{\"action\":\"create\",\"values\":{{{}\"b\":1}}}}", filled(800, |n| format!("\"a{n}\":1,")));
    let customers: Vec<_> = (0..1_000)
        .map(|number| json!({ "action": "create", "values": { "name": format!("ﷺ {number} {}", "é".repeat(80)) } }))
        .collect();
    let products: Vec<_> = (0..1_000)
        .map(|number| json!({ "action": "create", "values": { "sku": format!("S{number}"), "name": "x", "unit": "pcs", "price": 1 } }))
        .collect();
    let long_names = filled(BODY - 100, |n| format!("\"{}{n}\":1,", "x".repeat(5_000)));
    vec![
        ("deep nesting", "/api/customers/", list("{\"name\":[", &deepest, "]}")),
        (
            "a long text deep inside",
            "/api/customers/",
            format!("{{\"name\":{}\"{}\"{}}}", "[".repeat(31), "x".repeat(BODY - 100), "]".repeat(31)),
        ),
        (
            "a long name deep inside",
            "/api/customers/",
            format!(
                "{}{{\"{}\":1,\"{}\":1}}{}",
                "{\"a\":".repeat(30),
                "x".repeat(BODY / 3),
                "x".repeat(BODY / 3),
                "}".repeat(30)
            ),
        ),
        ("long names that begin alike", "/api/customers/", format!("{{{}\"b\":1}}", long_names)),
        ("numbers", "/api/orders/", list("{\"items\":[", "0", "]}")),
        ("a long number", "/api/products/", format!("{{\"price\":{}}}", "9".repeat(BODY - 100))),
        ("a long text", "/api/customers/", format!("{{\"name\":\"{}\"}}", "x".repeat(BODY - 100))),
        ("letters that grow", "/api/customers/", format!("{{\"name\":\"{}\"}}", "ﷺ".repeat(BODY / 3 - 100))),
        (
            "marks in the wrong order",
            "/api/customers/",
            format!("{{\"name\":\"a{}\"}}", "\u{0315}\u{0300}\u{05ae}".repeat(BODY / 6 - 100)),
        ),
        ("rows of customers", "/api/customers/bulk/", json!({ "rows": customers }).to_string()),
        ("rows of products", "/api/products/bulk/", json!({ "rows": products, "on_error": "reject_row" }).to_string()),
        ("rows of unknown fields", "/api/customers/bulk/", list("{\"rows\":[", &unknown, "]}")),
        ("lines", "/api/orders/", lines(|number| json!({ "sku": format!("A{number}"), "quantity": "1.5" }))),
        ("lines of no product", "/api/orders/", lines(|number| json!({ "sku": format!("N{number}"), "quantity": 1 }))),
        ("lines with every fault", "/api/orders/", lines(|_| json!({ "skq": "A", "quantiti": -1, "x": [{}] }))),
    ]
}

/// What a list is asked.
fn queries() -> Vec<(&'static str, &'static str, String)> {
    let several = |count: usize| (1..=count).map(|id| id.to_string()).collect::<Vec<_>>().join(",");
    vec![
        ("many values", "/api/orders/", format!("id__in={}", several(1_000))),
        ("many values of a reference", "/api/orders/", format!("customer__id__in={}", several(1_000))),
        ("too many values", "/api/orders/", format!("id__in={}", several(10_000))),
        ("a long value", "/api/customers/", format!("name__contains={}", "%25".repeat(QUERY / 3))),
        ("a long beginning", "/api/customers/", format!("name__startswith={}", "_".repeat(QUERY))),
        ("unknown parameters", "/api/customers/", filled(QUERY, |n| format!("a{n}=1&"))),
        ("a long unknown parameter", "/api/customers/", format!("{}=1", "customer__".repeat(QUERY / 10))),
        ("a repeated parameter", "/api/customers/", "name=a&".repeat(QUERY / 7)),
        ("many terms", "/api/customers/", format!("search={}", "a+".repeat(100))),
        ("terms that grow", "/api/customers/", format!("search={}", "%EF%B7%BA".repeat(200))),
        ("a long search", "/api/customers/", format!("search={}", "a".repeat(QUERY))),
        ("a long order", "/api/customers/", format!("ordering={}", "name,".repeat(QUERY / 5))),
        ("a last page", "/api/orders/", "page=4294967295&page_size=200&count=exact&expand=items".to_owned()),
        ("many fields", "/api/orders/", format!("fields={}", "id,".repeat(QUERY / 3))),
        ("a long cursor", "/api/orders/", format!("cursor=c1-{}", "9".repeat(QUERY))),
        ("a long past", "/api/customers/1/", format!("as_of={}", "2".repeat(QUERY))),
        ("a long wait for nothing", "/api/events/", format!("resource={}", "x".repeat(QUERY))),
    ]
}

fn worst(app: &TestApp, customer: &Value, order: &Value) -> Vec<Worst> {
    let bearer = format!("authorization: Bearer {}\r\n", app.token(As::Administrator).unwrap());
    let cookie = format!("cookie: {}\r\n", app.cookie(As::Administrator).unwrap());
    let form = format!(
        "{cookie}content-type: application/x-www-form-urlencoded\r\nsec-fetch-site: same-origin\r\naccept: text/html\r\n"
    );
    let json = format!("{bearer}content-type: application/json\r\n");
    let mut all: Vec<_> = bodies(customer)
        .into_iter()
        .map(|(name, path, body)| Worst { name, method: "POST", path: path.into(), headers: json.clone(), body })
        .collect();
    let get = |name, path: String, headers: String| Worst { name, method: "GET", path, headers, body: String::new() };
    for (name, path, query) in queries() {
        all.push(get(name, format!("{path}?{query}"), bearer.clone()));
        // The page of the same list, where there is one.
        let page = path.trim_start_matches("/api").trim_end_matches('/');
        all.push(get(name, format!("{page}?{query}"), format!("{cookie}accept: text/html\r\n")));
    }
    let one = format!("/api/orders/{}/", order["id"]);
    all.push(get("an order of many lines", one.clone(), format!("{bearer}accept-encoding: br\r\n")));
    all.push(get(
        "the page of an order of many lines",
        format!("/orders/{}", order["id"]),
        format!("{cookie}accept-encoding: br\r\n"),
    ));
    all.push(get("the form of an order of many lines", format!("/orders/{}/edit", order["id"]), cookie.clone()));
    let items: Vec<_> = (0..LINES).map(|number| json!({ "sku": format!("A{number}"), "quantity": 2 })).collect();
    let replaced = json!({ "customer": customer["id"], "items": items }).to_string();
    all.push(Worst { name: "lines anew", method: "PUT", path: one.clone(), headers: json.clone(), body: replaced });
    for (name, header) in [
        ("a long tag", format!("if-none-match: {}\r\n", "\"v1\",".repeat(QUERY / 5))),
        ("a long version", format!("if-match: \"v{}\"\r\n", "1".repeat(QUERY))),
        ("a long accept", format!("accept: {}\r\n", "a/b;q=0.1,".repeat(QUERY / 10))),
        ("a long cookie", format!("cookie: {}\r\n", "a=b; ".repeat(QUERY / 5))),
        ("a long chain of proxies", format!("x-forwarded-for: {}\r\n", "127.0.0.1, ".repeat(QUERY / 11))),
        ("a long encoding", format!("accept-encoding: {}\r\n", "gzip;q=0.1, ".repeat(QUERY / 12))),
        ("a long id", format!("x-request-id: {}\r\n", "x".repeat(QUERY))),
        ("a long secret", format!("authorization: Bearer {}\r\n", "x".repeat(QUERY))),
    ] {
        let own = if header.starts_with("authorization") { String::new() } else { bearer.clone() };
        all.push(get(name, "/api/customers/1/".into(), own.clone() + &header));
    }
    let fields = |piece: fn(usize) -> String| "once=0&page=/customers/new&".to_owned() + &filled(BODY - 30, piece);
    for (name, path, body) in [
        ("fields of a form", "/-/customers/create", fields(|n| format!("form[f{n}]=&"))),
        ("fields of an order", "/-/orders/create", fields(|n| format!("form[f{n}]=&"))),
        ("one field again and again", "/-/customers/create", fields(|_| "form[name]=x&".into())),
        ("nested fields", "/-/customers/create", fields(|n| format!("form[a][{n}][b][c][d][e]=&"))),
        ("fields of a list", "/-/customers/create", fields(|_| "form[]=x&".into())),
        ("fields of nobody", "/-/sign-in", fields(|n| format!("a{n}&"))),
        (
            "a long address",
            "/-/sign-in",
            format!("password=x&next=&page=/sign-in&email={}", "%EF%B7%BA".repeat(BODY / 9 - 100)),
        ),
        (
            "a long password",
            "/-/sign-in",
            format!("email=a%40b.example&next=&page=/sign-in&password={}", "x".repeat(BODY - 100)),
        ),
        (
            "a long way back",
            "/-/sign-in",
            format!("email=a&password=x&page=/sign-in&next=/{}", "%C3%A4".repeat(BODY / 6 - 100)),
        ),
        (
            "a long page",
            "/-/sign-in",
            format!("email=a&password=x&next=&page=/sign-in?next=/{}", "x".repeat(BODY - 100)),
        ),
        (
            "many records",
            "/-/admin/act",
            format!(
                "resource=products&page=/admin/products/act&form[action]=set:category&form[value]=x&form[policy]=all&form[ids]={}",
                filled(BODY - 200, |n| format!("{n},"))
            ),
        ),
        ("a form without end", "/-/customers/create", "&".repeat(BODY)),
    ] {
        all.push(Worst { name, method: "POST", path: path.into(), headers: form.clone(), body });
    }
    all
}

fn on(kind: Kind) {
    run(kind, &[], async |app| {
        for thousand in 0..LINES / 1000 {
            let product = |number| json!({ "sku": format!("A{number}"), "name": "x", "unit": "pcs", "price": 1 });
            let rows = (thousand * 1000..(thousand + 1) * 1000)
                .map(|number| json!({ "action": "create", "values": product(number) }));
            let rows = json!({ "rows": rows.collect::<Vec<_>>() });
            app.json(As::Administrator, "POST", "/api/products/bulk/", rows).await.expect(200);
        }
        let customer = app.customer("Somebody").await;
        let lines: Vec<_> = (0..LINES).map(|number| json!({ "sku": format!("A{number}"), "quantity": 1 })).collect();
        let order = app.order(&customer, json!(lines)).await;
        let limit = BODY.to_string();
        let settings = [
            ("sign_in_attempts", "100000"),
            ("request_timeout", "300"),
            ("body_limit", limit.as_str()),
            ("form_limit", limit.as_str()),
        ];
        let server = Server::start_with(&app.url, &settings);
        let address = server.address.as_str();
        let well = Worst {
            name: "healthz",
            method: "GET",
            path: "/healthz".into(),
            headers: String::new(),
            body: String::new(),
        };
        let chosen = std::env::var("WORST_INPUT").unwrap_or_default();
        let mut faults = String::new();
        for worst in worst(app, &customer, &order).into_iter().filter(|worst| worst.name.contains(&chosen)) {
            let (is_over, slowest) = (AtomicBool::new(false), std::sync::Mutex::new(Duration::ZERO));
            let began = Instant::now();
            let statuses: Vec<u16> = thread::scope(|scope| {
                scope.spawn(|| {
                    while !is_over.load(Ordering::Relaxed) {
                        let asked = Instant::now();
                        assert_eq!(send(address, &well), 200);
                        let mut slowest = slowest.lock().unwrap();
                        *slowest = asked.elapsed().max(*slowest);
                    }
                });
                let sent: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(|| send(address, &worst))).collect();
                let statuses = sent.into_iter().map(|sent| sent.join().unwrap()).collect();
                is_over.store(true, Ordering::Relaxed);
                statuses
            });
            let (took, slowest) = (began.elapsed(), *slowest.lock().unwrap());
            println!("{:?} {} {}: {statuses:?} in {took:.1?}, healthz {slowest:.1?}", kind, worst.method, worst.name);
            // Several that write much at once may find the database busy.
            let failed = |status: &u16| *status >= 500 && *status != 503;
            if slowest > BOUND || statuses.iter().any(failed) {
                let path: String = worst.path.chars().take(60).collect();
                writeln!(faults, "{} ({path}): {statuses:?}, healthz took {slowest:?}", worst.name).unwrap();
            }
        }
        assert!(faults.is_empty(), "\n{faults}");
    });
}

#[test]
fn the_worst_requests_keep_nobody_waiting_on_sqlite() {
    on(Kind::Sqlite);
}

#[test]
fn the_worst_requests_keep_nobody_waiting_on_postgres() {
    on(Kind::Postgres);
}
