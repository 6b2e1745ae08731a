//! How the server deals with connections, proxies, hosts and caches.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use futures::future::join_all;
use kontor::server::listener::{LocalAddress, raise_descriptor_limit};
use sea_orm::ConnectionTrait;
use serde_json::Value;

use crate::crash::{Server, ask};
use crate::support::{Answer, As, Kind, TestApp, run};

/// Runs a test with these settings on both databases.
fn on_both(said: &[(&str, &str)], test: impl AsyncFn(&TestApp)) {
    for kind in [Kind::Sqlite, Kind::Postgres] {
        run(kind, said, async |app| test(app).await);
    }
}

#[test]
fn guesses_behind_a_proxy_are_slowed_down_whatever_they_say_of_their_address() {
    on_both(&[("sign_in_attempts", "3"), ("trusted_proxies", "10.0.0.0/8")], async |app| {
        let guess = async |peer: &str, lines: [&str; 2]| {
            let body = "email=staff%40kontor.example&password=wrong&next=";
            let mut request = Request::post("/-/sign-in")
                .header("sec-fetch-site", "same-origin")
                .header("content-type", "application/x-www-form-urlencoded");
            for line in lines {
                request = request.header("x-forwarded-for", line);
            }
            let mut request = request.body(body.into()).unwrap();
            request.extensions_mut().insert(ConnectInfo(SocketAddr::new(peer.parse().unwrap(), 4711)));
            app.send(request).await.status.as_u16()
        };
        // The client's own line comes first, the proxy's after it.
        for guessed in 0..8 {
            let own = format!("192.0.2.{guessed}");
            let expected = if guessed < 3 { 401 } else { 429 };
            assert_eq!(guess("10.0.0.7", [&own, "203.0.113.7"]).await, expected, "{guessed}");
        }
        assert_eq!(guess("10.0.0.7", ["203.0.113.7", "203.0.113.8"]).await, 401, "somebody else");
        for guessed in 0..8 {
            let own = format!("192.0.2.{guessed}");
            let expected = if guessed < 3 { 401 } else { 429 };
            assert_eq!(guess("198.51.100.1", ["192.0.2.66", &own]).await, expected, "no proxy of ours: {guessed}");
        }
    });
}

/// A connection to the server, over which requests go one after the other.
struct Connection(BufReader<TcpStream>);

impl Connection {
    fn open(server: &Server) -> Self {
        Self::try_open(&server.address).unwrap()
    }

    fn try_open(address: &str) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        Ok(Self(BufReader::new(stream)))
    }

    fn write(&mut self, text: &str) -> std::io::Result<()> {
        self.0.get_mut().write_all(text.as_bytes())
    }

    fn get(&mut self, path: &str) -> std::io::Result<()> {
        self.write(&format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n"))
    }

    /// The status, the head and the body of the next answer; nothing when the server closed the connection before it.
    fn answer(&mut self) -> std::io::Result<Option<(u16, String, String)>> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.0.read_line(&mut head)? == 0 {
                assert!(head.is_empty(), "an answer was cut off: {head}");
                return Ok(None);
            }
        }
        let length =
            head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |n| n.parse().unwrap());
        let mut body = vec![0; length];
        self.0.read_exact(&mut body)?;
        Ok(Some((head.split(' ').nth(1).unwrap().parse().unwrap(), head, String::from_utf8(body).unwrap())))
    }

    fn status(&mut self) -> u16 {
        self.answer().unwrap().expect("an answer").0
    }

    /// Waits until the server closes the connection, without anything more.
    fn is_closed_by_the_server(&mut self) -> bool {
        match self.0.read(&mut [0; 1]) {
            Ok(0) => true,
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
            Ok(_) => false,
        }
    }
}

/// A server on an empty database of its own.
fn server(settings: &[(&str, &str)]) -> (Server, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("kontor.db").display());
    (Server::start_with(&url, settings), folder)
}

#[test]
fn sockets_that_never_finish_a_head_keep_nobody_from_an_answer_and_are_closed() {
    raise_descriptor_limit();
    let (server, _folder) = server(&[("head_timeout", "3")]);
    let mut stuck: Vec<_> = (0..1100).map(|_| Connection::open(&server)).collect();
    for (at, connection) in stuck.iter_mut().enumerate() {
        // Some say nothing at all.
        connection.write(if at % 10 == 0 { "" } else { "GET / HTTP/1.1\r\n" }).unwrap();
    }
    for path in ["/healthz", "/readyz", "/sign-in"] {
        let asked = Instant::now();
        assert_eq!(ask(&server.address, "GET", path, "", "").unwrap().0, 200, "{path}");
        assert!(asked.elapsed() < Duration::from_secs(10), "{path}: {:?}", asked.elapsed());
    }
    let began = Instant::now();
    assert!(stuck.iter_mut().all(Connection::is_closed_by_the_server));
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

#[test]
fn a_head_that_trickles_in_is_cut_off_also_after_other_requests() {
    let (server, _folder) = server(&[("head_timeout", "1")]);
    let mut connection = Connection::open(&server);
    for _ in 0..2 {
        connection.get("/healthz").unwrap();
        assert_eq!(connection.status(), 200);
    }
    let began = Instant::now();
    while connection.write("x").is_ok() {
        thread::sleep(Duration::from_millis(50));
        assert!(began.elapsed() < Duration::from_secs(20));
    }
}

#[test]
fn a_connection_without_requests_is_closed_in_its_time_and_not_before() {
    let (server, _folder) = server(&[("head_timeout", "1"), ("keep_alive_timeout", "3")]);
    let mut connection = Connection::open(&server);
    for _ in 0..2 {
        connection.get("/healthz").unwrap();
        assert_eq!(connection.status(), 200);
    }
    let answered = Instant::now();
    assert!(connection.is_closed_by_the_server());
    let kept = answered.elapsed();
    assert!(kept > Duration::from_millis(2900) && kept < Duration::from_secs(20), "{kept:?}");
}

#[test]
fn a_connection_beyond_the_limit_is_refused_at_once_until_another_one_ends() {
    let (server, _folder) = server(&[("max_connections", "8")]);
    let mut others: Vec<_> = (0..8).map(|_| Connection::open(&server)).collect();
    for connection in &mut others {
        connection.get("/healthz").unwrap();
        assert_eq!(connection.status(), 200);
    }
    let (status, head, body) = Connection::open(&server).answer().unwrap().unwrap();
    assert_eq!((status, head.contains("retry-after: 2")), (503, true));
    assert!(body.starts_with("Too many connections."), "{body}");
    others.pop();
    let began = Instant::now();
    while ask(&server.address, "GET", "/healthz", "", "").is_none_or(|(status, ..)| status != 200) {
        assert!(began.elapsed() < Duration::from_secs(10));
    }
    others[0].get("/healthz").unwrap();
    assert_eq!(others[0].status(), 200);
}

#[test]
fn a_head_that_is_too_large_is_refused() {
    let (server, _folder) = server(&[]);
    let long = "x".repeat(70_000);
    for headers in [format!("x-long: {long}\r\n"), "x: y\r\n".repeat(101), format!("cookie: {long}\r\n")] {
        assert_eq!(ask(&server.address, "GET", "/healthz", &headers, "").unwrap().0, 431);
    }
    let fits = "x".repeat(50_000);
    assert_eq!(ask(&server.address, "GET", "/healthz", &format!("x-long: {fits}\r\n"), "").unwrap().0, 200);
}

/// Sends a customer whose JSON is padded to so many bytes, a piece at a time with a pause after each, as long as the server
/// takes it; its answer.
fn upload(address: &str, token: &str, size: usize, piece: usize, pause: Duration) -> (u16, String) {
    let body = format!("{{\"name\": \"Slow\"{}}}", " ".repeat(size - 16));
    let mut connection = Connection::try_open(address).unwrap();
    let head = format!(
        "POST /api/customers/ HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    connection.write(&head).unwrap();
    let mut reader = Connection(BufReader::new(connection.0.get_ref().try_clone().unwrap()));
    let is_answered = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for piece in body.as_bytes().chunks(piece) {
                if is_answered.load(Ordering::Relaxed) || connection.0.get_mut().write_all(piece).is_err() {
                    return;
                }
                thread::sleep(pause);
            }
        });
        let (status, _, body) = reader.answer().unwrap().expect("an answer");
        is_answered.store(true, Ordering::Relaxed);
        (status, body)
    })
}

#[test]
fn a_body_may_take_its_time_as_long_as_it_comes() {
    on_both(&[], async |app| {
        let settings = [("request_timeout", "1"), ("body_timeout", "2"), ("min_rate", "1000")];
        let server = Server::start_with(&app.url, &settings);
        let (address, token) = (server.address.as_str(), app.token(As::Staff).unwrap());
        thread::scope(|scope| {
            // Each takes three times as long as the work may.
            let slow: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| upload(address, token, 300_000, 10_000, Duration::from_millis(100))))
                .collect();
            let (status, answer) = upload(address, token, 300_000, 1, Duration::from_millis(100));
            assert_eq!(status, 408, "too slow over time: {answer}");
            assert!(answer.contains("came too slowly") && answer.contains("\"status\":408"), "{answer}");
            let (status, _) = upload(address, token, 300_000, 100_000, Duration::from_secs(5));
            assert_eq!(status, 408, "nothing for too long");
            for upload in slow {
                let (status, answer) = upload.join().unwrap();
                assert_eq!(status, 201, "{answer}");
            }
        });
    });
}

#[test]
fn an_answer_that_nobody_takes_is_given_up() {
    let site = tempfile::tempdir().unwrap();
    std::fs::create_dir(site.path().join("pkg")).unwrap();
    std::fs::File::create(site.path().join("pkg/large.bin")).unwrap().set_len(64 << 20).unwrap();
    let (server, _folder) = server(&[("site_dir", site.path().to_str().unwrap()), ("write_timeout", "1")]);
    let mut connection = Connection::open(&server);
    connection.get("/pkg/large.bin").unwrap();
    let began = Instant::now();
    while connection.write("x").is_ok() {
        thread::sleep(Duration::from_millis(50));
        assert!(began.elapsed() < Duration::from_secs(30));
    }
}

#[test]
fn a_server_that_stops_loses_no_request_and_waits_for_nobody_who_waits() {
    on_both(&[], async |app| {
        let server = Server::start_with(&app.url, &[("drain_delay", "2"), ("shutdown_timeout", "60")]);
        let (address, token) = (server.address.clone(), app.token(As::Staff).unwrap());
        let bearer = format!("authorization: Bearer {token}\r\n");
        let (is_down, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
        let mut idle = Connection::open(&server);
        idle.get("/healthz").unwrap();
        assert_eq!(idle.status(), 200);
        let mut unused = Connection::open(&server);
        let mut open = Connection::open(&server);
        open.write(&format!(
            "POST /api/customers/ HTTP/1.1\r\nhost: localhost\r\n{bearer}content-type: application/json\r\n\
             content-length: 16\r\n\r\n{{\"name\":"
        ))
        .unwrap();
        let mut follower = Connection::open(&server);
        follower
            .write(&format!("GET /api/events/?after=999999&wait=30 HTTP/1.1\r\nhost: localhost\r\n{bearer}\r\n"))
            .unwrap();
        thread::scope(|scope| {
            for client in 0..4 {
                let (address, bearer, is_down, answered) = (&address, &bearer, &is_down, &answered);
                scope.spawn(move || {
                    // Half of them keep their connection for as long as the server does.
                    let mut kept = None;
                    while !is_down.load(Ordering::Relaxed) {
                        let Some(mut connection) = kept.take().or_else(|| Connection::try_open(address).ok()) else {
                            thread::sleep(Duration::from_millis(5));
                            continue;
                        };
                        let request = format!("GET /api/customers/ HTTP/1.1\r\nhost: localhost\r\n{bearer}\r\n");
                        connection.write(&request).unwrap();
                        let (status, head, _) = connection.answer().unwrap().expect("an answer");
                        assert_eq!(status, 200);
                        answered.fetch_add(1, Ordering::Relaxed);
                        kept = (client % 2 == 0 && !head.contains("connection: close")).then_some(connection);
                    }
                });
            }
            while answered.load(Ordering::Relaxed) < 20 {
                thread::sleep(Duration::from_millis(5));
            }
            let told = Instant::now();
            server.terminate();
            let (status, _, body) = follower.answer().unwrap().unwrap();
            assert_eq!(status, 200, "{body}");
            assert_eq!(serde_json::from_str::<Value>(&body).unwrap()["results"].as_array().unwrap().len(), 0);
            assert!(told.elapsed() < Duration::from_secs(15), "{:?}", told.elapsed());
            let (status, _, body) = ask(&address, "GET", "/readyz", "", "").unwrap();
            assert_eq!((status, body.contains("stopping")), (503, true), "{body}");
            assert_eq!(ask(&address, "GET", "/healthz", "", "").unwrap().0, 200);
            let before = answered.load(Ordering::Relaxed);
            assert!(idle.is_closed_by_the_server() && unused.is_closed_by_the_server());
            while TcpStream::connect(&address).is_ok() {
                thread::sleep(Duration::from_millis(5));
            }
            assert!(answered.load(Ordering::Relaxed) > before, "it went on answering until it closed");
            open.write("\"Late\" }").unwrap();
            let (status, head, body) = open.answer().unwrap().unwrap();
            assert_eq!((status, head.contains("connection: close")), (201, true), "{body}");
            is_down.store(true, Ordering::Relaxed);
            assert!(server.wait(), "it stops in order");
            assert!(told.elapsed() < Duration::from_secs(25), "{:?}", told.elapsed());
        });
    });
}

/// An administrator's request for a host, as it came in on an address of the server.
async fn for_host(app: &TestApp, method: &str, path: &str, host: &str) -> Answer {
    let local: SocketAddr = "192.0.2.7:3000".parse().unwrap();
    let request = Request::builder().method(method).uri(path).header("host", host).header("accept", "text/html");
    let request = request
        .header("sec-fetch-site", "same-origin")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("cookie", app.cookie(As::Administrator).unwrap());
    let mut request = request.body(Body::from("id=2")).unwrap();
    request.extensions_mut().insert(LocalAddress(local));
    app.send(request).await
}

#[test]
fn a_link_that_leaves_the_house_leads_to_an_address_of_ours_or_is_not_made() {
    let open: &[(&str, &str)] = &[("public_url", "")];
    let listed = &[("public_url", ""), ("allowed_hosts", "orders.example.com, *.example.org")];
    let public = &[("public_url", "https://orders.example.com"), ("secure_cookies", "false")];
    for (settings, host, expected) in [
        (open, "evil.example", None),
        (open, "orders.example.com", None),
        (open, "192.0.2.8:3000", None),
        (open, "user@localhost", None),
        (open, "localhost:3000", Some("http://localhost:3000/invite")),
        (open, "127.0.0.1:3000", Some("http://127.0.0.1:3000/invite")),
        (open, "[::1]:3000", Some("http://[::1]:3000/invite")),
        (open, "192.0.2.7:3000", Some("http://192.0.2.7:3000/invite")),
        (listed, "orders.example.com", Some("http://orders.example.com/invite")),
        (listed, "a.example.org:81", Some("http://a.example.org:81/invite")),
        (public, "evil.example", Some("https://orders.example.com/invite")),
    ] {
        on_both(settings, async |app| {
            let before = (app.rows("invitations").await, app.rows("events").await);
            let bearer = format!("Bearer {}", app.token(As::Administrator).unwrap());
            let mut over_api =
                Request::post("/api/users/2/invite/").header("host", host).header("authorization", &bearer);
            over_api.extensions_mut().unwrap().insert(LocalAddress("192.0.2.7:3000".parse().unwrap()));
            let over_api = app.send(over_api.body(Body::empty()).unwrap()).await;
            let on_page = for_host(app, "POST", "/-/users/invite", host).await;
            match expected {
                Some(link) => {
                    assert!(over_api.expect(200).json()["link"].as_str().unwrap().starts_with(link), "{host}");
                    assert!(on_page.expect(200).body.contains(link), "{host}");
                }
                None => {
                    assert!(
                        over_api.expect(400).json()["detail"].as_str().unwrap().contains("Set public_url"),
                        "{host}"
                    );
                    assert!(on_page.expect(400).body.contains("Set public_url"), "{host}");
                    assert_eq!((app.rows("invitations").await, app.rows("events").await), before, "nothing was done");
                }
            }
        });
    }
}

#[test]
fn where_hosts_are_named_others_are_not_answered_for() {
    let settings = [("public_url", "http://kontor.example"), ("allowed_hosts", "orders.example.com")];
    on_both(&settings, async |app| {
        for host in ["kontor.example", "orders.example.com:8080", "ORDERS.example.com"] {
            for_host(app, "GET", "/customers", host).await.expect(200);
        }
        // A page of a strange site whose name leads here (DNS rebinding) is of one origin with what it asks.
        for (method, path) in
            [("GET", "/customers"), ("GET", "/api/customers/"), ("POST", "/-/sign-out"), ("GET", "/robots.txt")]
        {
            for host in ["evil.example", "127.0.0.1", "orders.example.com@evil.example", ""] {
                let answer = for_host(app, method, path, host).await.expect(421);
                assert!(
                    answer.body.contains("does not answer for this host"),
                    "{method} {path} {host}: {}",
                    answer.body
                );
                assert!(!answer.body.contains(host) || host.is_empty());
            }
        }
        for_host(app, "GET", "/customers", "orders.example.com").await.expect(200);
        let twice = Request::get("/customers").header("host", "orders.example.com").header("host", "evil.example");
        app.send(twice.body(Body::empty()).unwrap()).await.expect(421);
        app.send(
            Request::get("http://evil.example/customers")
                .header("host", "orders.example.com")
                .body(Body::empty())
                .unwrap(),
        )
        .await
        .expect(421);
        for path in ["/healthz", "/readyz"] {
            for_host(app, "GET", path, "10.0.0.7:3000").await.expect(200);
        }
    });
}

/// The refusal among so many requests at once that some must be refused.
async fn refused<T: Future<Output = Answer>>(ask: impl Fn() -> T) -> Answer {
    let answers = join_all((0..20).map(|_| ask())).await;
    assert!(answers.iter().any(|answer| answer.status.is_success() || answer.status.is_redirection()));
    answers.into_iter().find(|answer| answer.status == 429).expect("a refusal")
}

#[test]
fn pages_and_their_functions_are_counted_by_person_and_others_by_address() {
    on_both(&[("page_rate_limit", "1"), ("page_rate_burst", "5")], async |app| {
        let page = refused(|| app.page(As::Staff, "/customers")).await;
        assert!(!page.header("retry-after").is_empty() && page.header("content-type").starts_with("text/html"));
        assert!(page.body.contains("Too many requests. Try again in"), "{}", page.body);
        let theme = [("theme", "dark"), ("page", "/")];
        refused(|| app.form(As::Viewer, "/-/theme", "text/html", &theme)).await;
        let by_script = refused(|| {
            let list =
                Request::get("/-/customers/list?query=").header("cookie", app.cookie(As::Administrator).unwrap());
            app.send(list.body(Body::empty()).unwrap())
        });
        let by_script = by_script.await;
        assert_eq!(by_script.json()["code"], "too_many_requests");
        assert!(!by_script.header("retry-after").is_empty());
        refused(|| app.page(As::Anonymous, "/sign-in")).await;
        // Neither the API nor what costs nothing.
        for path in ["/healthz", "/readyz", "/pkg/none.js", "/robots.txt"] {
            let answers = join_all((0..20).map(|_| app.page(As::Staff, path))).await;
            assert!(answers.iter().all(|answer| answer.status != 429), "{path}");
        }
        for answer in join_all((0..20).map(|_| app.get(As::Staff, "/api/customers/"))).await {
            answer.expect(200);
        }
    });
    on_both(&[("page_rate_limit", "0"), ("page_rate_burst", "1")], async |app| {
        for answer in join_all((0..20).map(|_| app.page(As::Staff, "/customers"))).await {
            answer.expect(200);
        }
    });
}

#[test]
fn beyond_the_requests_that_are_worked_on_at_once_some_are_told_to_come_again() {
    on_both(&[("max_requests", "1")], async |app| {
        // A request whose body is waited for is not worked on.
        let (send, body) = tokio::sync::oneshot::channel::<&str>();
        let headers = [("content-type", "application/json")];
        let body = Body::from_stream(futures::stream::once(body));
        let slow = app.call(As::Staff, "POST", "/api/customers/", &headers, body);
        let others = async {
            let begun = Instant::now();
            while app.get(As::Staff, "/api/customers/").await.status != 200 {
                assert!(begun.elapsed() < Duration::from_secs(10));
                tokio::task::yield_now().await;
            }
            send.send("{ \"name\": \"Slow\" }").unwrap();
        };
        let (slow, ()) = futures::join!(slow, others);
        slow.expect(201);
        // One that waits for the database is, so others find no room.
        let held = app.state.database.write().await.unwrap();
        if app.url.starts_with("postgres") {
            held.execute_unprepared("LOCK TABLE customers").await.unwrap();
        }
        let working = app.json(As::Staff, "POST", "/api/customers/", serde_json::json!({ "name": "First" }));
        let others = async {
            let begun = Instant::now();
            let refused = loop {
                let answer = app.get(As::Staff, "/api/customers/").await;
                if answer.status == 503 {
                    break answer;
                }
                assert!(begun.elapsed() < Duration::from_secs(10));
                tokio::task::yield_now().await;
            };
            let page = app.page(As::Staff, "/customers").await;
            app.get(As::Staff, "/api/events/?wait=0&after=999999").await.expect(200);
            app.page(As::Anonymous, "/healthz").await.expect(200);
            drop(held);
            assert_eq!((refused.header("retry-after"), refused.json()["code"].clone()), ("2", "unavailable".into()));
            assert!(page.expect(503).body.contains("too much to do"));
        };
        let (first, ()) = futures::join!(working, others);
        // On a slow machine the database may have been held for too long.
        assert!(matches!(first.status.as_u16(), 201 | 503), "{}", first.body);
        app.get(As::Staff, "/api/customers/").await.expect(200);
    });
}

#[test]
fn nothing_behind_sign_in_is_stored_by_browsers_and_signing_out_clears_them() {
    on_both(&[], async |app| {
        let id = app.customer("Somebody").await["id"].clone();
        for path in [
            "/customers",
            &format!("/customers/{id}"),
            "/account",
            "/sign-in",
            "/nowhere",
            "/-/customers/list?query=",
            "/-/customers/list?query=nonsense=1",
        ] {
            assert_eq!(app.page(As::Staff, path).await.header("cache-control"), "no-store", "{path}");
        }
        let path = format!("/api/customers/{id}/");
        let record = app.get(As::Staff, &path).await.expect(200);
        assert_eq!(record.header("cache-control"), "no-store");
        // A script that keeps a record by itself still asks by its tag.
        let same = app.call(As::Staff, "GET", &path, &[("if-none-match", record.header("etag"))], Body::empty()).await;
        assert_eq!((same.status.as_u16(), same.header("cache-control")), (304, "no-store"));
        for accept in ["text/html", "application/json"] {
            let cookie = app.signed_in("viewer@kontor.example").await;
            let request = Request::post("/-/sign-out")
                .header("sec-fetch-site", "same-origin")
                .header("accept", accept)
                .header("content-type", "application/x-www-form-urlencoded")
                .header("cookie", cookie);
            let out = app.send(request.body(Body::empty()).unwrap()).await;
            assert_eq!(out.header("clear-site-data"), "\"cache\", \"storage\"", "{accept}");
        }
    });
}
