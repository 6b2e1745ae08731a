//! Import: real files come in whole, dirty ones leave no trace.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::Request;
use kontor::access::gate::Access;
use kontor::base::Result;
use kontor::base::money::Money;
use kontor::base::time::Moment;
use kontor::base::time::stored::now;
use kontor::import::mapping::Mapping;
use kontor::import::run::{self, File, Import, Mode, Watch};
use kontor::import::{Counts, Kind, Report};
use kontor::orders::pricing;
use kontor::server::AppState;
use kontor::server::database::Database;
use sea_orm::{ConnectionTrait, Statement};
use tower::ServiceExt;

use crate::both;
use crate::cli::{kontor, ok, refused};
use crate::support::{Answer, As, TestApp};

/// The folder of Northwind, which is no part of the project.
fn northwind() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/northwind");
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(std::env::var_os("CI").is_none(), "CI must import Northwind: {} is missing", folder.display());
    eprintln!("NOT RUN: {} is missing, so the import of Northwind is not tested", folder.display());
    None
}

const NAMES: [(Kind, &str); 4] = [
    (Kind::Customers, "customers.csv"),
    (Kind::Products, "products.csv"),
    (Kind::Orders, "orders.csv"),
    (Kind::Lines, "order_details.csv"),
];

fn example() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/northwind.toml")).unwrap()
}

fn files_of(folder: &Path) -> Vec<File> {
    let file = |(kind, name): (Kind, &str)| File {
        kind,
        name: name.into(),
        content: std::fs::read(folder.join(name)).unwrap(),
    };
    NAMES.into_iter().map(file).collect()
}

fn file(kind: Kind, text: &str) -> File {
    File { kind, name: format!("{}.csv", kind.name()), content: text.as_bytes().to_vec() }
}

async fn import(app: &TestApp, files: &[File], mapping: &str, mode: Mode) -> Result<Report> {
    let access = Access::<Import>::system(&app.state.database).unwrap();
    run::run(&access, files, &Mapping::parse(mapping).unwrap(), mode, &Watch::new(&|_, _| ())).await
}

async fn write(app: &TestApp, files: &[File]) -> Report {
    import(app, files, "", Mode::Write).await.unwrap()
}

fn said(report: &Report) -> Vec<String> {
    report.problems.iter().map(ToString::to_string).collect()
}

fn created(created: u64) -> Counts {
    Counts { created, ..Counts::default() }
}

fn unchanged(unchanged: u64) -> Counts {
    Counts { unchanged, ..Counts::default() }
}

/// One number out of the database.
async fn number(app: &TestApp, sql: &str) -> i64 {
    let reader = app.state.database.reader();
    let row = reader.query_one_raw(Statement::from_string(reader.get_database_backend(), sql)).await.unwrap().unwrap();
    row.try_get_by_index(0).unwrap()
}

/// Everything that an import could leave a trace in.
async fn traces(app: &TestApp) -> Vec<i64> {
    let mut traces = Vec::new();
    for table in ["customers", "products", "orders", "order_items", "events", "number_series"] {
        traces.push(app.rows(table).await);
    }
    for table in ["customers", "products", "orders"] {
        traces.push(number(app, &format!("SELECT CAST(COALESCE(SUM(version), 0) AS BIGINT) FROM {table}")).await);
    }
    traces
}

const CUSTOMERS: &str = "code,name\nA,Anna\nB,Bert\n";
const PRODUCTS: &str = "sku,name,unit,price\nP,Pen,pcs,2.50\nQ,Quill,pcs,1\n";
const ORDERS: &str = "number,customer_code,order_date,shipped_date\n1,A,2026-01-02,2026-01-05\n2,b,2026-01-03,\n";
const LINES: &str = "order_number,sku,quantity,unit_price,discount_percent\n1,P,2,2.40,10\n1,Q,1,,\n2,p,3,2.50,\n";

fn all() -> Vec<File> {
    [(Kind::Customers, CUSTOMERS), (Kind::Products, PRODUCTS), (Kind::Orders, ORDERS), (Kind::Lines, LINES)]
        .map(|(kind, text)| file(kind, text))
        .into()
}

/// The files with one of them replaced.
fn all_but(kind: Kind, text: &[u8]) -> Vec<File> {
    let mut files = all();
    for file in files.iter_mut().filter(|file| file.kind == kind) {
        file.content = text.to_vec();
    }
    files
}

both! {
    async fn northwind_comes_in_whole_and_a_second_time_changes_nothing(app) {
        let Some(folder) = northwind() else { return };
        let files = files_of(&folder);
        let tried = import(app, &files, &example(), Mode::DryRun).await.unwrap();
        assert_eq!(said(&tried), [""; 0]);
        assert_eq!(app.rows("customers").await + app.rows("orders").await, 0, "a dry run writes nothing");
        let events = app.rows("events").await;
        let statements = app.state.database.statements();
        let report = import(app, &files, &example(), Mode::Write).await.unwrap();
        assert!(app.state.database.statements() - statements < 60, "batches, not rows");
        assert_eq!(report, tried, "a dry run says what the real one does");
        let whole = [(Kind::Customers, 91), (Kind::Products, 77), (Kind::Orders, 830), (Kind::Lines, 2155)];
        assert_eq!(report.counts, whole.map(|(kind, rows)| (kind, created(rows))));
        for (table, rows) in [("customers", 91), ("products", 77), ("orders", 830), ("order_items", 2155)] {
            assert_eq!(app.rows(table).await, rows, "{table}");
        }
        assert_eq!(number(app, "SELECT COUNT(*) FROM orders WHERE status = 'shipped' AND shipped_at IS NOT NULL").await, 809);
        assert_eq!(number(app, "SELECT COUNT(*) FROM orders WHERE status = 'placed' AND shipped_at IS NULL").await, 21);
        // Quantities are units of 10⁻³ and prices of 10⁻⁴.
        let sum = number(app, "SELECT CAST(SUM(quantity * unit_price) AS BIGINT) FROM order_items").await;
        assert_eq!(sum, 13_544_585_900_000);
        assert_eq!(number(app, "SELECT CAST(SUM(subtotal) AS BIGINT) FROM orders").await, 135_445_859);
        let net = number(app, "SELECT CAST(SUM(net) AS BIGINT) FROM order_items").await;
        assert_eq!(net, i64::from(net_of(&folder)));
        assert_eq!(number(app, "SELECT CAST(SUM(subtotal - discount_total) AS BIGINT) FROM orders").await, net);
        let differ = "SELECT COUNT(*) FROM orders o WHERE o.total <> (SELECT SUM(i.total) FROM order_items i WHERE i.order_id = o.id)";
        assert_eq!(number(app, differ).await, 0);

        let order = app.get(As::Staff, "/api/orders/?number=10250&expand=items").await.expect(200).json();
        let order = &order["results"][0];
        assert_eq!(order["order_date"], "1996-07-08");
        assert_eq!(order["placed_at"], "1996-07-08T00:00:00.000000Z");
        assert_eq!(order["shipped_at"], "1996-07-12T00:00:00.000000Z");
        assert_eq!(order["freight"], "65.83");
        assert_eq!(order["shipping_line1"], "Rua do Paço, 67");
        assert_eq!(order["shipping_country"], "BR");
        assert_eq!(order["items"][1]["discount_percent"], "15.00");
        assert_eq!(order["items"][1]["unit_price"], "42.40");
        let customer = app.get(As::Staff, "/api/customers/?code=alfki").await.json()["results"][0].clone();
        assert_eq!(customer["notes"], "Contact: Sales Representative Maria Anders");
        assert_eq!(customer["billing_city"], "Berlin");
        let product = app.get(As::Staff, "/api/products/?sku=5").await.json()["results"][0].clone();
        assert_eq!((&product["is_active"], &product["unit"]), (&false.into(), &"pcs".into()));

        assert_eq!(app.rows("events").await - events, 91 + 77 + 830 + 1, "each record has an event, and the import has one");
        assert_eq!(number(app, "SELECT COUNT(DISTINCT request_id) FROM events WHERE door = 'import'").await, 1);
        assert_eq!(number(app, "SELECT COUNT(*) FROM events WHERE resource = 'imports' AND command = 'import'").await, 1);

        let before = traces(app).await;
        let again = import(app, &files, &example(), Mode::Write).await.unwrap();
        assert_eq!(said(&again), [""; 0]);
        assert_eq!(again.counts, whole.map(|(kind, rows)| (kind, unchanged(rows))));
        assert_eq!(traces(app).await, before);
    }

    async fn mapped_values_are_merged_and_others_stay(app) {
        let report = write(app, &all()).await;
        assert_eq!(said(&report), [""; 0]);
        assert_eq!(report.counts, [
            (Kind::Customers, created(2)), (Kind::Products, created(2)), (Kind::Orders, created(2)), (Kind::Lines, created(3)),
        ]);
        let prices = file(Kind::Products, "SKU;Price;colour\np;2,75;red\nq;1;blue\nR;3;green\n");
        let report = write(app, std::slice::from_ref(&prices)).await;
        assert_eq!(said(&report), [
            "products.csv, row 1, column name: Name is required. No column goes to name.",
            "products.csv, row 1, column unit: Unit is required. No column goes to unit.",
            "products.csv, row 2, column Price: Enter a number such as 12.50.",
        ]);
        assert_eq!(report.notes, ["products.csv: these columns go nowhere: colour."]);
        let prices = file(Kind::Products, "SKU;Price\np;2.75\nQ;1\n");
        let report = write(app, std::slice::from_ref(&prices)).await;
        assert_eq!(report.count(Kind::Products), Counts { created: 0, changed: 1, unchanged: 1 });
        let page = app.get(As::Staff, "/api/products/?ordering=sku").await.json();
        let (pen, quill) = (&page["results"][0], &page["results"][1]);
        assert_eq!((&pen["sku"], &pen["name"], &pen["price"], &pen["version"]), (&"p".into(), &"Pen".into(), &"2.75".into(), &2.into()));
        assert_eq!(quill["version"], 1, "what is the same is left alone");
        let events = number(app, "SELECT COUNT(*) FROM events WHERE resource = 'products' AND command = 'change' AND version_after = 2");
        assert_eq!(events.await, 1);
        // The price of a product is not the price of an old line.
        assert_eq!(write(app, &all_but(Kind::Products, b"sku\nP\nQ\n")).await.count(Kind::Lines), unchanged(3));
    }

    async fn an_order_that_is_there_must_be_the_same(app) {
        assert!(write(app, &all()).await.is_clean());
        let before = traces(app).await;
        let orders = b"number,customer_code,order_date,shipped_date\n1,B,2026-01-09,2026-01-06\n2,B,2026-01-03,2026-02-01\n";
        let report = write(app, &all_but(Kind::Orders, orders)).await;
        assert_eq!(said(&report), [
            "orders.csv, row 2, column customer_code: The order 1 exists and differs: it is for Anna. A placed order never changes.",
            "orders.csv, row 2, column order_date: The order 1 exists and differs: its day is 2026-01-02. A placed order never changes.",
            "orders.csv, row 2, column shipped_date: The order 1 exists and differs: it was shipped on 2026-01-05. A placed order never changes.",
            "orders.csv, row 3, column shipped_date: The order 2 exists and differs: it is not shipped. A placed order never changes.",
        ]);
        let lines = b"order_number,sku,quantity,unit_price,discount_percent\n1,P,3,2.40,10\n2,P,3,2.60,\n2,Q,1,1,\n";
        let report = write(app, &all_but(Kind::Lines, lines)).await;
        assert_eq!(said(&report), [
            "lines.csv, row 2, column quantity: The order 1 exists and differs: its quantity is 2.",
            "lines.csv, row 3, column unit_price: The order 2 exists and differs: its price is 2.50.",
            "lines.csv, row 4, column sku: The order 2 exists and differs: it has no such line.",
        ]);
        let report = write(app, &[file(Kind::Lines, "order_number,sku,quantity\n1,P,2\n")]).await;
        assert_eq!(said(&report), ["lines.csv, row 2, column order_number: The order 1 exists and differs: it has 2 lines."]);
        let report = write(app, &[file(Kind::Lines, LINES)]).await;
        assert_eq!((said(&report), report.count(Kind::Lines)), (vec![], unchanged(3)));
        assert_eq!(traces(app).await, before);
    }

    async fn documents_of_the_past_bring_their_status(app) {
        let orders = "number,customer_code,status,order_date,shipped_date,cancelled_date,cancel_reason\n\
            D,A,draft,2026-01-01,,,\nP,A,,2026-01-01,,,\nS,A,Shipped,2026-01-01,2026-01-02,,\n\
            C,A,cancelled,2026-01-01,,2026-01-03,Too late\n";
        let mut files = all_but(Kind::Orders, orders.as_bytes());
        files.pop();
        assert_eq!(said(&write(app, &files).await), [""; 0], "an order may have no lines");
        for (number, status, placed, shipped, cancelled) in [
            ("D", "draft", false, false, false),
            ("P", "placed", true, false, false),
            ("S", "shipped", true, true, false),
            ("C", "cancelled", true, false, true),
        ] {
            let order = app.get(As::Staff, &format!("/api/orders/?number={number}")).await.json()["results"][0].clone();
            assert_eq!(order["status"], status);
            for (name, is_set) in [("placed_at", placed), ("shipped_at", shipped), ("cancelled_at", cancelled)] {
                assert_eq!(order[name].is_string(), is_set, "{number} {name}");
            }
        }
        let orders = b"number,customer_code,status,shipped_date,cancel_reason\nE,A,gone,,\nF,A,shipped,,\nG,A,placed,2026-01-01,\nH,A,cancelled,,\n";
        let mut files = all_but(Kind::Orders, orders);
        files.pop();
        assert_eq!(said(&write(app, &files).await), [
            "orders.csv, row 2, column status: Choose one of draft, placed, shipped, cancelled.",
            "orders.csv, row 3, column shipped_date: A shipped order needs the day it was shipped.",
            "orders.csv, row 4, column status: An order with a shipped date is shipped.",
            "orders.csv, row 5, column cancel_reason: A cancelled order needs a reason.",
        ]);
    }

    async fn every_kind_of_dirty_row_is_reported_and_leaves_no_trace(app) {
        let long = "x".repeat(201);
        let before = traces(app).await;
        for (kind, text, expected) in [
            (Kind::Customers, "code,name\nA,Anna\nB,Bert\na,Anna again", "row 4, column code: Row 2 has a already."),
            (Kind::Customers, "code,name\nA,\nB,Bert", "row 2, column name: Name is required."),
            (Kind::Customers, "code,name\nA,Anna\n,Bert\nB,Bert", "row 3, column code: Rows are matched by this value, so it cannot be blank."),
            (Kind::Customers, "code,name,email\nA,Anna,x@y.example\nB,Bert,X@Y.example", "row 3, column email: Row 2 has this value already."),
            (Kind::Customers, "code,name,email\nA,Anna,nonsense\nB,Bert,", "row 2, column email: "),
            (Kind::Customers, "code,name,billing_country\nA,Anna,Atlantis\nB,Bert,", "row 2, column billing_country: "),
            (Kind::Customers, "code,name,credit_limit\nA,Anna,-1\nB,Bert,", "row 2, column credit_limit: Enter a number that is not negative."),
            (Kind::Customers, "code,name,payment_terms_days\nA,Anna,30.5\nB,Bert,", "row 2, column payment_terms_days: Enter a whole number."),
            (Kind::Customers, "code,name,is_active\nA,Anna,maybe\nB,Bert,", "row 2, column is_active: Enter 1 or 0, true or false, yes or no."),
            (Kind::Customers, "code,company\nA,Anna\nB,Bert", "row 1, column name: Name is required. No column goes to name."),
            (Kind::Customers, "code,name\nA,Anna,x\nA,Anna\nB,Bert", "row 2: This row has 3 values, and the header has 2."),
            (Kind::Customers, "code,name\nA,Anna\nB,\"Bert", "row 3: This row opens a quotation mark that is never closed."),
            (Kind::Customers, &format!("code,name\nA,{long}\nB,Bert"), "row 2, column name: "),
            (Kind::Customers, "code,name\nA,An\0na\nB,Bert", "row 2, column name: This value has a NUL character."),
            (Kind::Customers, "", "customers.csv: The file is empty."),
            (Kind::Products, "sku,name,unit,price\nP,Pen,pcs,2.505x\nQ,Quill,pcs,1", "row 2, column price: Enter a number such as 12.50."),
            (Kind::Products, "sku,name,unit,price\nP,Pen,pcs,2.00001\nQ,Quill,pcs,1", "row 2, column price: Use at most 4 decimals."),
            (Kind::Products, "sku,name,unit,price\nP,Pen,pcs,-2\nQ,Quill,pcs,1", "row 2, column price: Enter a number that is not negative."),
            (Kind::Products, "sku,name,unit,price\nP,Pen,pcs,2\nQ,Quill,pcs,1\nq,Quill,pcs,1", "row 4, column sku: Row 3 has q already."),
            (Kind::Orders, "number,customer_code\n1,A\n2,Z", "row 3, column customer_code: There is no customer Z."),
            (Kind::Orders, "number,customer_code\n1,A\n2,", "row 3, column customer_code: Customer is required."),
            (Kind::Orders, "number,customer_code,order_date\n1,A,30.02.2026\n2,B,", "row 2, column order_date: Enter a day such as 2026-11-24."),
            (Kind::Orders, "number,customer_code,order_date\n1,A,2026-02-30\n2,B,", "row 2, column order_date: Enter a day such as 2026-11-24."),
            (Kind::Orders, "number,customer_code\n1,A\n2,B\n1,B", "row 4, column number: Row 2 has the order 1 already."),
            (Kind::Orders, "number,customer_code\n1,A\n2,B\n,B", "row 4, column number: Number is required."),
            (Kind::Lines, "order_number,sku,quantity\n1,P,1\n3,P,1", "row 3, column order_number: There is no order 3."),
            (Kind::Lines, "order_number,sku,quantity\n1,Z,1", "row 2, column sku: There is no product Z."),
            (Kind::Lines, "order_number,sku,quantity\n1,P,1\n1,p,2", "row 3, column sku: Row 2 has p on this order already; a product stands on one line."),
            (Kind::Lines, "order_number,sku,quantity\n1,P,0", "row 2, column quantity: Enter a quantity above zero."),
            (Kind::Lines, "order_number,sku,quantity\n1,P,-1", "row 2, column quantity: Enter a number that is not negative."),
            (Kind::Lines, "order_number,sku,quantity\n1,P,", "row 2, column quantity: Quantity is required."),
            (Kind::Lines, "order_number,sku,quantity\n1,,1", "row 2, column sku: SKU is required."),
            (Kind::Lines, "order_number,sku,quantity,discount_fraction\n1,P,1,1.01", "row 2, column discount_fraction: Enter at most 100."),
            (Kind::Lines, "order_number,sku,quantity,discount_fraction\n1,P,1,ten", "row 2, column discount_fraction: Enter a part of one such as 0.15."),
            (Kind::Lines, "order_number,sku,quantity,unit_price\n1,P,999999999,99999999999", "row 2, column quantity: The amount of this line is too large."),
            (Kind::Lines, "order_number,product,quantity\n1,P,1\n2,P,1", "row 1, column sku: SKU is required. No column goes to sku."),
        ] {
            let files = all_but(kind, text.as_bytes());
            let report = write(app, &files).await;
            let problems = said(&report);
            assert!(problems.iter().any(|problem| problem.contains(expected)), "{text:?}: {problems:?}");
            assert!(problems.iter().all(|problem| problem.starts_with(kind.name())), "nothing else is blamed: {problems:?}");
            assert_eq!(import(app, &files, "", Mode::DryRun).await.unwrap(), report);
            assert_eq!(traces(app).await, before, "{text:?}");
        }
        let report = write(app, &all_but(Kind::Customers, b"code,name\nA,M\xfcller\nB,Bert")).await;
        assert_eq!(said(&report), ["customers.csv, row 2, column name: This is not UTF-8. Save the file as CSV UTF-8."]);
        assert_eq!(traces(app).await, before);
    }

    async fn all_problems_come_at_once_in_the_order_of_the_files(app) {
        let files = [
            file(Kind::Lines, "order_number,sku,quantity\n1,Z,x\n9,P,1\n"),
            file(Kind::Customers, "code,name\nA,\n"),
            file(Kind::Orders, "number,customer_code,order_date,freight\n1,A,soon,much\n2,Z,,\n"),
        ];
        let problems = said(&write(app, &files).await);
        let places: Vec<_> = problems.iter().map(|problem| problem.split(':').next().unwrap()).collect();
        assert_eq!(places, [
            "customers.csv, row 2, column name",
            "orders.csv, row 2, column freight",
            "orders.csv, row 2, column order_date",
            "orders.csv, row 3, column customer_code",
            "lines.csv, row 2, column quantity",
            "lines.csv, row 3, column order_number",
            "lines.csv, row 3, column sku",
        ]);
    }

    async fn another_record_that_has_the_value_stands_in_the_way(app) {
        let body = serde_json::json!({ "name": "Carl", "code": "C", "email": "carl@x.example" });
        app.json(As::Staff, "POST", "/api/customers/", body).await.expect(201);
        let report = write(app, &[file(Kind::Customers, "code,name,email\nA,Anna,CARL@x.example\n")]).await;
        assert_eq!(said(&report), ["customers.csv, row 2, column email: Another customer has this value already."]);
        let report = write(app, &[file(Kind::Customers, "code,name,email\nC,Carla,CARL@x.example\n")]).await;
        assert_eq!((said(&report), report.count(Kind::Customers).changed), (vec![], 1));
        // Two that exchange a value would have to pass through a state that the database refuses.
        assert!(write(app, &[file(Kind::Customers, "code,name,email\nD,Dora,dora@x.example\n")]).await.is_clean());
        let swap = file(Kind::Customers, "code,name,email\nC,Carla,dora@x.example\nD,Dora,carl@x.example\n");
        assert!(!write(app, &[swap]).await.is_clean());
    }

    async fn the_command_line_imports_by_flags_and_tells_by_its_exit_code(app) {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(path("people.csv"), "id,company,title\nA,Anna,Ms\nB,Bert,\n").unwrap();
        std::fs::write(path("dirty.csv"), "id,company\nA,\n=B,Bert\n=b,Bert\n").unwrap();
        let run = |arguments: &[&str]| kontor(&app.url, arguments, "");
        let (people, dirty, report) = (path("people.csv"), path("dirty.csv"), path("report.csv"));
        let mapped = ["import", "--map", "code=id", "--map", "name=company", "--map", "notes==From", "--map", "notes=title"];
        let with = |more: &[&str]| run(&[&mapped[..], more].concat());
        let said = ok(with(&["--customers", &people, "--dry-run"]));
        assert!(said.contains("2 created") && said.contains("Dry run: nothing was written."), "{said}");
        assert_eq!(app.rows("customers").await, 0);
        let error = refused(with(&["--customers", &dirty, "--report", &report]));
        assert!(error.contains("dirty.csv, row 2, column company: Name is required.\n"), "{error}");
        assert!(error.contains("dirty.csv, row 4, column id: Row 3 has =b already.\n"), "{error}");
        assert!(error.contains("problems; nothing was imported."), "{error}");
        let table = std::fs::read_to_string(&report).unwrap();
        assert!(table.starts_with("file,row,column,message\r\ndirty.csv,1,title,"), "{table}");
        assert!(table.contains("dirty.csv,2,company,Name is required.\r\n"), "{table}");
        assert_eq!(app.rows("customers").await, 0);
        let said = ok(with(&["--customers", &people]));
        assert!(said.contains("2 created") && said.contains("Imported."), "{said}");
        let said = ok(with(&["--customers", &people]));
        assert!(said.contains("2 unchanged") && said.contains("nothing was written"), "{said}");
        let customer = app.get(As::Staff, "/api/customers/?code=A").await.json()["results"][0].clone();
        assert_eq!(customer["notes"], "From Ms");
        assert!(refused(run(&["import"])).contains("at least one file"));
        assert!(refused(run(&["import", "--customers", "missing.csv"])).contains("missing.csv"));
        assert!(refused(with(&["--customers", &people, "--map", "colour=x"])).contains("no file given here has a value colour"));
        assert!(refused(with(&["--customers", &people, "--map", "phone=tel"])).contains("There is no such column"));
    }
}

/// The form of step 2 as it stands on the page: every choice that is made.
fn choices(page: &str) -> Vec<(String, String)> {
    let between = |text: &str, from: &str, to: &str| Some(text.split_once(from)?.1.split_once(to)?.0.to_owned());
    let selects = page.split("<select").skip(1).map(|select| select.split_once("</select>").unwrap().0);
    let mut choices: Vec<_> = selects
        .map(|select| {
            let chosen = select.split("<option").find(|option| option.split('>').next().unwrap().contains("selected"));
            let chosen = chosen.and_then(|option| between(option, "value=\"", "\"")).unwrap_or_default();
            (between(select, "name=\"", "\"").unwrap(), chosen)
        })
        .collect();
    let extra = between(page, "<textarea", "</textarea>").unwrap();
    choices.push(("form[extra]".into(), extra.split_once('>').unwrap().1.replace("&quot;", "\"")));
    choices
}

async fn step(app: &TestApp, who: As, path: &str, id: &str, choices: &[(String, String)]) -> Answer {
    let page = format!("/import?upload={id}");
    let mut fields = vec![("id", id), ("page", page.as_str())];
    fields.extend(choices.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    app.form(who, path, "text/html", &fields).await
}

/// The page of an upload once nothing goes on with it any more.
async fn settled(app: &TestApp, who: As, place: &str) -> Answer {
    until(async || Some(app.page(who, place).await.expect(200)).filter(|page| !page.body.contains("<progress"))).await
}

/// What a question finds out, asked until there is an answer.
async fn until<T>(question: impl AsyncFn() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(120);
    loop {
        if let Some(answer) = question().await {
            return answer;
        }
        assert!(Instant::now() < end, "nothing happens");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The id of what was uploaded.
async fn uploaded(app: &TestApp, who: As, files: &[(&str, &str, &[u8])]) -> String {
    let place = app.upload(who, files).await.expect(303).header("location").to_owned();
    place.strip_prefix("/import?upload=").unwrap().to_owned()
}

/// Uploads files that need no mapping, has them checked, and answers with their id.
async fn checked(app: &TestApp, files: &[(&str, &str, &[u8])]) -> String {
    let id = uploaded(app, As::Staff, files).await;
    let page = app.page(As::Staff, &format!("/import?upload={id}")).await.expect(200);
    step(app, As::Staff, "/-/import/check", &id, &choices(&page.body)).await.expect(303);
    let page = settled(app, As::Staff, &format!("/import?upload={id}")).await;
    assert!(page.body.contains("No problems."), "{}", page.body);
    id
}

/// Another server over the same database.
async fn another_server(app: &TestApp) -> AppState {
    let database = Database::connect(&app.url).await.unwrap();
    kontor::house::state((*app.state.settings).clone(), database)
}

/// The same people, who ask another server.
async fn through(server: &AppState, app: &TestApp, method: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "kontor.example")
        .header("sec-fetch-site", "same-origin")
        .header("accept", "text/html")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("cookie", app.cookie(As::Staff).unwrap())
        .body(Body::from(body))
        .unwrap();
    let response = kontor::house::router(server).unwrap().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    Answer { status: parts.status, headers: parts.headers, body: String::from_utf8_lossy(&body).into_owned() }
}

both! {
    async fn the_page_imports_in_four_steps_without_javascript(app) {
        let page = app.page(As::Staff, "/import").await.expect(200);
        assert!(page.body.contains("multipart/form-data") && page.body.contains("href=\"/import\""));
        let mapping = example();
        let customers = "customer_id,company_name,contact_name,fax\nALFKI,Alfreds <Futterkiste>,Maria,1\nB,,Bert,2\n";
        let files: [(&str, &str, &[u8]); 4] = [
            ("customers", "C:\\people.csv", customers.as_bytes()),
            ("products", "products.csv", b"product_id,product_name,unit_price\nP,Pen,2.50\nQ,Quill,1\n"),
            ("orders", "", b""),
            ("mapping", "northwind.toml", mapping.as_bytes()),
        ];
        let answer = app.upload(As::Staff, &files).await.expect(303);
        let place = answer.header("location").to_owned();
        let id = place.strip_prefix("/import?upload=").unwrap().to_owned();
        let page = app.page(As::Staff, &place).await.expect(200);
        assert!(page.body.contains("people.csv") && page.body.contains("Alfreds &lt;Futterkiste&gt;"));
        let chosen = choices(&page.body);
        assert_eq!(chosen[0], ("form[customers.0]".into(), "code".into()));
        assert_eq!(chosen[1], ("form[customers.1]".into(), "name".into()));
        assert_eq!(chosen[2], ("form[customers.2]".into(), String::new()));
        assert_eq!(chosen[4], ("form[products.0]".into(), "sku".into()));

        // The example says things about columns that these files do not have.
        let checked = step(app, As::Staff, "/-/import/check", &id, &chosen).await.expect(303);
        assert_eq!(checked.header("location"), place);
        let page = settled(app, As::Staff, &place).await;
        assert!(page.body.contains("Name is required.") && page.body.contains("There is no such column"), "{}", page.body);
        assert!(!page.body.contains("/-/import/run"), "what has problems cannot be imported");
        let report = app.page(As::Staff, &format!("/-/import/report?upload={id}")).await.expect(200);
        assert!(report.header("content-type").starts_with("text/csv"));
        assert!(report.body.contains("people.csv,3,company_name,Name is required.\r\n"), "{}", report.body);
        step(app, As::Staff, "/-/import/run", &id, &[]).await.expect(303);
        let page = settled(app, As::Staff, &place).await;
        assert!(!page.body.contains("/-/changes/undo"), "nothing was imported, so there is nothing to undo");
        assert_eq!(app.rows("customers").await + app.rows("products").await, 0);

        // The contact's name stands in for the missing company.
        let mut mended = chosen.clone();
        mended[1].1 = String::new();
        mended[2].1 = "name".into();
        mended.last_mut().unwrap().1 = "[products".into();
        let refused = step(app, As::Staff, "/-/import/check", &id, &mended).await.expect(400);
        assert!(refused.body.contains("not valid TOML"));
        assert_eq!(choices(&refused.body), mended, "what was chosen is kept");
        mended.last_mut().unwrap().1 = "[customers]\nnotes = [\"=Fax\", \"fax\"]\n[products]\nunit = \"=pcs\"".into();
        step(app, As::Staff, "/-/import/check", &id, &mended).await.expect(303);
        let page = settled(app, As::Staff, &place).await;
        assert!(page.body.contains("No problems. Nothing is written yet.") && page.body.contains("/-/import/run"));
        assert_eq!(choices(&page.body), mended);
        assert_eq!(app.rows("customers").await, 0, "a dry run writes nothing");

        step(app, As::Staff, "/-/import/run", &id, &[]).await.expect(303);
        let page = settled(app, As::Staff, &place).await;
        assert!(page.body.contains("Everything was imported") && page.body.contains("href=\"/customers\""));
        assert_eq!((app.rows("customers").await, app.rows("products").await, app.rows("import_files").await), (2, 2, 0));
        let customer = app.get(As::Staff, "/api/customers/?code=B").await.json()["results"][0].clone();
        assert_eq!((&customer["name"], &customer["notes"]), (&"Bert".into(), &"Fax 2".into()));
        let event = "SELECT COUNT(*) FROM events WHERE resource = 'imports' AND door = 'import' AND actor_name = 'The staff'";
        assert_eq!(number(app, event).await, 1);
        let events = app.rows("events").await;
        step(app, As::Staff, "/-/import/run", &id, &[]).await.expect(303);
        let page = settled(app, As::Staff, &place).await;
        assert_eq!(app.rows("events").await, events, "a second click does nothing");
        let (_, form) = page.body.split_once("/-/changes/undo").expect("the page offers to undo it");
        let request = form.split_once("name=\"request\"").unwrap().1.split_once("value=\"").unwrap().1;
        let request = request.split('"').next().unwrap();
        app.form(As::Staff, "/-/changes/undo", "text/html", &[("request", request), ("page", &place)]).await.expect(303);
        assert_eq!(app.rows("customers").await + app.rows("products").await, 0);
    }

    async fn pressing_the_button_twice_imports_once(app) {
        for round in 0..4 {
            let text = format!("code,name\nT{round},Twice\n");
            let place = app.upload(As::Staff, &[("customers", "customers.csv", text.as_bytes())]).await.expect(303).header("location").to_owned();
            let id = place.strip_prefix("/import?upload=").unwrap();
            let page = app.page(As::Staff, &place).await.expect(200);
            step(app, As::Staff, "/-/import/check", id, &choices(&page.body)).await.expect(303);
            let pressed = futures::future::join_all((0..3).map(|_| step(app, As::Staff, "/-/import/run", id, &[]))).await;
            for answer in pressed {
                answer.expect(303);
            }
            let events = "SELECT COUNT(*) FROM events JOIN customers ON record_id = customers.id WHERE resource = 'customers'";
            assert_eq!(number(app, &format!("{events} AND code = 'T{round}'")).await, 1);
        }
    }

    async fn an_upload_is_for_those_who_may_and_for_its_owner(app) {
        let files: [(&str, &str, &[u8]); 1] = [("customers", "customers.csv", CUSTOMERS.as_bytes())];
        app.upload(As::Viewer, &files).await.expect(403);
        assert!(app.upload(As::Anonymous, &files).await.expect(303).header("location").starts_with("/sign-in"));
        app.page(As::Viewer, "/import").await.expect(403);
        assert!(!app.page(As::Viewer, "/customers").await.body.contains("href=\"/import\""));
        let place = app.upload(As::Staff, &files).await.expect(303).header("location").to_owned();
        let id = place.strip_prefix("/import?upload=").unwrap();
        app.page(As::Administrator, &place).await.expect(404);
        app.page(As::Administrator, &format!("/-/import/report?upload={id}")).await.expect(404);
        app.page(As::Staff, &format!("/-/import/report?upload={id}")).await.expect(404);
        step(app, As::Administrator, "/-/import/run", id, &[]).await.expect(404);
        step(app, As::Viewer, "/-/import/run", id, &[]).await.expect(403);
        app.page(As::Staff, "/import?upload=%00").await.expect(404);
        assert_eq!(app.rows("customers").await, 0);
    }

    async fn what_is_no_csv_is_said_on_the_page(app) {
        let none: [(&str, &str, &[u8]); 1] = [("customers", "", b"")];
        let answer = app.upload(As::Staff, &none).await.expect(400);
        assert!(answer.body.contains("Choose at least one file.") && answer.body.contains("multipart/form-data"));
        let twice: [(&str, &str, &[u8]); 2] = [("orders", "a.csv", b"x"), ("orders", "b.csv", b"x")];
        assert!(app.upload(As::Staff, &twice).await.expect(400).body.contains("one file of orders"));
        let mapping: [(&str, &str, &[u8]); 2] = [("orders", "a.csv", b"x"), ("mapping", "m.toml", b"[goods]")];
        assert!(app.upload(As::Staff, &mapping).await.expect(400).body.contains("[goods]"));
        let plain = app.form(As::Staff, "/-/import/upload", "text/html", &[("x", "y")]).await.expect(415);
        assert!(plain.body.contains("multipart"));
        for (content, expected) in [
            (b"\xff\xfea".as_slice(), "x.csv: The file is UTF-16."),
            (b"\0\0\0", "x.csv: This is not a CSV file."),
            (b",\n,", "x.csv: The file is empty."),
            (b"\r\r\n\"", "x.csv: This is not a CSV file."),
            (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "x.csv: This is not a CSV file."),
        ] {
            let answer = app.upload(As::Staff, &[("customers", "x.csv", content)]).await.expect(400);
            assert!(answer.body.contains(expected), "{content:?}: {}", answer.body);
        }
        assert_eq!(app.rows("imports").await, 0, "what is refused is not kept");
        for content in [b"a,b\n1,\"2".as_slice(), b"a\n\xff\n", b"code\nA\0"] {
            let place = app.upload(As::Staff, &[("customers", "x.csv", content)]).await.expect(303).header("location").to_owned();
            let id = place.strip_prefix("/import?upload=").unwrap();
            let page = app.page(As::Staff, &place).await.expect(200);
            step(app, As::Staff, "/-/import/check", id, &choices(&page.body)).await.expect(303);
            let page = settled(app, As::Staff, &place).await;
            assert!(page.body.contains("nothing can be imported"), "{content:?}");
        }
    }

    async fn the_worst_files_take_nobody_down(app) {
        let many = 1_000_000;
        let wide = (0..16_000).map(|column| format!("c{column}")).collect::<Vec<_>>().join(",");
        let columns = (0..300).map(|column| format!("c{column}")).collect::<Vec<_>>().join(",");
        let files: Vec<(&str, Vec<u8>)> = vec![
            ("x.csv: The first row names more than 300 columns", format!("{wide}\n").into_bytes()),
            ("x.csv: The first row names more than 300 columns", [vec![b','; 15_999], vec![b'a']].concat()),
            ("x.csv: The name of a column can have up to 200 characters.", vec![b'x'; 8 * many]),
            ("x.csv: The first row names more than 300 columns", [vec![b'a'], vec![b','; 4 * many]].concat()),
            ("", format!("{columns}\n{}", format!("{}\n", vec!["x"; 300].join(",")).repeat(5_000)).into_bytes()),
            ("", [b"code,name\n".as_slice(), &vec![b'\n'; 4 * many]].concat()),
            ("", [b"code,name\n".as_slice(), &vec![b','; 4 * many]].concat()),
            ("", [b"code,name\nA,".as_slice(), &vec![b'x'; 8 * many]].concat()),
            ("", [b"code,name\nA,".as_slice(), "\u{fdfa}".repeat(many).as_bytes()].concat()),
            ("", [b"code,name\nA,".as_slice(), &vec![0; 4 * many]].concat()),
            ("", [b"code,name\n".as_slice(), "\"a\n".repeat(many).as_bytes()].concat()),
            ("", [b"code,name\nA,\"".as_slice(), "\"\"".repeat(many).as_bytes()].concat()),
            ("", [b"code,name\n".as_slice(), "A,\n".repeat(50_000).as_bytes()].concat()),
        ];
        let stop = Arc::new(AtomicBool::new(false));
        let (router, over) = (app.router.clone(), Arc::clone(&stop));
        let watching = tokio::spawn(async move {
            let mut longest = Duration::ZERO;
            while !over.load(Ordering::Relaxed) {
                let begin = Instant::now();
                let request = Request::get("/healthz").body(Body::empty()).unwrap();
                assert_eq!(router.clone().oneshot(request).await.unwrap().status(), 200);
                longest = longest.max(begin.elapsed());
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            longest
        });
        for files in files.chunks(4) {
            let send = async |(refusal, content): &(&str, Vec<u8>)| {
                let answer = app.upload(As::Staff, &[("customers", "x.csv", content)]).await;
                if !refusal.is_empty() {
                    assert!(answer.expect(400).body.contains(refusal), "{refusal}");
                    return;
                }
                let place = answer.expect(303).header("location").to_owned();
                let id = place.strip_prefix("/import?upload=").unwrap();
                let page = app.page(As::Staff, &place).await.expect(200);
                assert!(page.body.len() < 2_000_000, "a page that browsers can show: {}", page.body.len());
                step(app, As::Staff, "/-/import/check", id, &choices(&page.body)).await.expect(303);
                settled(app, As::Staff, &place).await;
                step(app, As::Staff, "/-/import/remove", id, &[]).await.expect(303);
            };
            futures::future::join_all(files.iter().map(send)).await;
        }
        stop.store(true, Ordering::Relaxed);
        let longest = watching.await.unwrap();
        assert!(longest < Duration::from_secs(5), "somebody waited for {longest:?}");
        assert_eq!((app.rows("imports").await, app.rows("import_parts").await, app.rows("customers").await), (0, 0, 0));
    }

    async fn a_file_arrives_in_parts_and_any_server_goes_on_with_it(app) {
        let text = format!("code,name,notes\n{}", (0..2_000).map(|n| format!("C{n},Customer,{}\n", "x".repeat(500))).collect::<String>());
        let id = uploaded(app, As::Staff, &[("customers", "people.csv", text.as_bytes())]).await;
        assert!(app.rows("import_parts").await >= 4);
        assert!(number(app, "SELECT CAST(MAX(LENGTH(content)) AS BIGINT) FROM import_parts").await <= 256 * 1_024);
        assert_eq!(number(app, "SELECT CAST(SUM(LENGTH(content)) AS BIGINT) FROM import_parts").await, i64::try_from(text.len()).unwrap());
        let other = another_server(app).await;
        let place = format!("/import?upload={id}");
        let page = through(&other, app, "GET", &place, &[]).await.expect(200);
        assert!(page.body.contains("people.csv"));
        let mut fields = vec![("id".to_owned(), id.clone()), ("page".to_owned(), place.clone())];
        fields.extend(choices(&page.body));
        let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        through(&other, app, "POST", "/-/import/check", &fields).await.expect(303);
        let page = settled(app, As::Staff, &place).await;
        assert!(page.body.contains("No problems."), "{}", page.body);
        step(app, As::Staff, "/-/import/run", &id, &[]).await.expect(303);
        settled(app, As::Staff, &place).await;
        assert_eq!((app.rows("customers").await, app.rows("import_parts").await), (2_000, 0));
        other.database.close().await;
    }

    async fn uploads_that_wait_are_limited_and_can_be_removed(app) {
        let files: [(&str, &str, &[u8]); 1] = [("customers", "people.csv", CUSTOMERS.as_bytes())];
        let first = uploaded(app, As::Staff, &files).await;
        for _ in 0..19 {
            uploaded(app, As::Staff, &files).await;
        }
        let refused = app.upload(As::Staff, &files).await.expect(409);
        assert!(refused.body.contains("20 of your uploads wait to be imported. Remove one of them first."), "{}", refused.body);
        assert_eq!(refused.body.matches("action=\"/-/import/remove\"").count(), 20, "the page says where");
        assert!(refused.body.contains(&format!("/import?upload={first}")));
        uploaded(app, As::Administrator, &files).await;
        step(app, As::Administrator, "/-/import/remove", &first, &[]).await.expect(404);
        step(app, As::Viewer, "/-/import/remove", &first, &[]).await.expect(403);
        let removed = step(app, As::Staff, "/-/import/remove", &first, &[]).await.expect(303);
        assert_eq!(removed.header("location"), "/import");
        app.page(As::Staff, &format!("/import?upload={first}")).await.expect(404);
        assert_eq!((app.rows("import_files").await, app.rows("import_parts").await), (20, 20));
        let last = uploaded(app, As::Staff, &files).await;
        // What was imported waits no longer.
        step(app, As::Staff, "/-/import/run", &last, &[]).await.expect(303);
        settled(app, As::Staff, &format!("/import?upload={last}")).await;
        uploaded(app, As::Staff, &files).await;
    }

    async fn an_upload_that_breaks_off_is_forgotten(app) {
        let head = "--xyz\r\ncontent-disposition: form-data; name=\"customers\"; filename=\"x.csv\"\r\n\r\ncode,name\n";
        let cut = format!("{head}{}", "A,Anna\n".repeat(100_000));
        let request = Request::post("/-/import/upload")
            .header("sec-fetch-site", "same-origin")
            .header("host", "kontor.example")
            .header("accept", "text/html")
            .header("content-type", "multipart/form-data; boundary=xyz")
            .header("cookie", app.cookie(As::Staff).unwrap());
        let answer = app.send(request.body(Body::from(cut)).unwrap()).await.expect(400);
        assert!(answer.body.contains("The upload broke off."));
        assert_eq!((app.rows("imports").await, app.rows("import_parts").await), (0, 0));
        // One whose server went away is swept.
        uploaded(app, As::Staff, &[("customers", "x.csv", CUSTOMERS.as_bytes())]).await;
        app.execute("UPDATE imports SET state = 'uploading', heartbeat_at = '2026-01-01T00:00:00Z'").await;
        assert!(!app.page(As::Staff, "/import").await.body.contains("x.csv"));
        assert_eq!(kontor::import::upload::sweep(&app.state.database).await.unwrap(), 1);
        assert_eq!((app.rows("imports").await, app.rows("import_parts").await), (0, 0));
    }

    async fn a_dry_run_waits_for_nobody_who_writes_and_nobody_waits_for_it(app) {
        assert!(write(app, &all()).await.is_clean());
        let held = app.state.database.write().await.unwrap();
        held.execute_unprepared("UPDATE customers SET version = version + 1").await.unwrap();
        held.execute_unprepared("UPDATE products SET version = version + 1").await.unwrap();
        let changed = [
            file(Kind::Customers, "code,name\nA,Antonia\nC,Carl\n"),
            file(Kind::Orders, "number,customer_code\n7,C\n"),
            file(Kind::Lines, "order_number,sku,quantity\n7,P,1\n"),
        ];
        let tried = import(app, &changed, "", Mode::DryRun).await.unwrap();
        assert_eq!(tried.count(Kind::Customers), Counts { created: 1, changed: 1, unchanged: 0 });
        assert_eq!(tried.count(Kind::Orders), created(1));
        held.rollback().await.unwrap();
        assert_eq!(write(app, &changed).await, tried);
    }

    async fn what_others_change_while_an_import_is_prepared_is_taken_into_account(app) {
        assert!(write(app, &all()).await.is_clean());
        let files = [
            file(Kind::Products, "sku,name\nP,Pencil\n"),
            file(Kind::Orders, "number,customer_code\n7,A\n"),
            file(Kind::Lines, "order_number,sku,quantity\n7,P,2\n"),
        ];
        let held = app.state.database.write().await.unwrap();
        let price = "UPDATE products SET price = 30000, version = version + 1 WHERE sku_key = 'p'";
        held.execute_unprepared(price).await.unwrap();
        let prepared = AtomicBool::new(false);
        let tell = |done: usize, all: usize| prepared.store(prepared.load(Ordering::Relaxed) || 2 * done >= all, Ordering::Relaxed);
        let access = Access::<Import>::system(&app.state.database).unwrap();
        let (mapping, watch) = (Mapping::default(), Watch::new(&tell));
        let importing = run::run(&access, &files, &mapping, Mode::Write, &watch);
        let changing = async {
            until(async || prepared.load(Ordering::Relaxed).then_some(())).await;
            held.commit().await.unwrap();
        };
        let (report, ()) = tokio::join!(importing, changing);
        assert!(report.unwrap().is_clean());
        let product = app.get(As::Staff, "/api/products/?sku=P").await.json()["results"][0].clone();
        assert_eq!((&product["name"], &product["price"], &product["version"]), (&"Pencil".into(), &"3.00".into(), &3.into()));
        let order = app.get(As::Staff, "/api/orders/?number=7&expand=items").await.json()["results"][0].clone();
        assert_eq!((&order["total"], &order["items"][0]["description"]), (&"6.00".into(), &"Pencil".into()));
    }

    async fn work_that_was_interrupted_is_recognised_and_starts_again_once(app) {
        let id = checked(app, &[("customers", "people.csv", CUSTOMERS.as_bytes())]).await;
        let place = format!("/import?upload={id}");
        // Another server works on it, and was heard of lately.
        let working = "UPDATE imports SET state = 'running', task = 'import', worker = 'other', steps_done = 1, steps_all = 4, heartbeat_at";
        app.execute(&format!("{working} = '{}'", Moment::from(now()).rfc3339())).await;
        let page = app.page(As::Staff, &place).await.expect(200);
        assert!(page.body.contains("1 of 4 steps done.") && page.body.contains("<progress"), "{}", page.body);
        assert!(page.body.contains("http-equiv=\"refresh\""), "without JavaScript the page looks again");
        step(app, As::Staff, "/-/import/run", &id, &[]).await.expect(303);
        step(app, As::Staff, "/-/import/remove", &id, &[]).await.expect(409);
        assert_eq!(app.rows("customers").await, 0, "nobody starts what goes on");
        // It was not heard of for a while.
        app.execute(&format!("{working} = '2026-01-01T00:00:00Z'")).await;
        let page = app.page(As::Staff, &place).await.expect(200);
        assert!(page.body.contains("The server stopped while it imported. Nothing was written"), "{}", page.body);
        assert!(page.body.contains("/-/import/run"), "it can be started again");
        let other = another_server(app).await;
        let fields = [("id", id.as_str()), ("page", place.as_str())];
        let (here, there) = tokio::join!(
            step(app, As::Staff, "/-/import/run", &id, &[]),
            through(&other, app, "POST", "/-/import/run", &fields)
        );
        assert_eq!((here.status.as_u16(), there.status.as_u16()), (303, 303));
        let page = settled(app, As::Staff, &place).await;
        assert!(page.body.contains("Everything was imported"), "{}", page.body);
        assert_eq!(number(app, "SELECT COUNT(*) FROM events WHERE resource = 'imports'").await, 1, "and it is imported once");
        assert_eq!(app.rows("customers").await, 2);
        other.database.close().await;
    }

    async fn a_server_that_stops_takes_its_imports_back_and_another_can_start_them(app) {
        let id = checked(app, &[("customers", "people.csv", CUSTOMERS.as_bytes())]).await;
        let place = format!("/import?upload={id}");
        let other = another_server(app).await;
        let fields = [("id", id.as_str()), ("page", place.as_str())];
        let turns = (other.background.turn().await, other.background.turn().await);
        through(&other, app, "POST", "/-/import/run", &fields).await.expect(303);
        let page = through(&other, app, "GET", &place, &[]).await.expect(200);
        assert!(page.body.contains("this waits for its turn"), "{}", page.body);
        // What it writes waits for somebody else.
        let held = app.state.database.write().await.unwrap();
        if app.url.starts_with("postgres") {
            held.execute_unprepared("LOCK TABLE customers IN SHARE ROW EXCLUSIVE MODE").await.unwrap();
        }
        drop(turns);
        until(async || {
            let page = through(&other, app, "GET", &place, &[]).await.expect(200);
            page.body.contains("2 of 4 steps done.").then_some(())
        }).await;
        other.background.stop();
        held.rollback().await.unwrap();
        assert!(other.background.stopped(Duration::from_secs(30)).await);
        assert_eq!(app.rows("customers").await, 0, "nothing is written by half");
        let page = app.page(As::Staff, &place).await.expect(200);
        assert!(page.body.contains("The server stopped while it imported."), "{}", page.body);
        step(app, As::Staff, "/-/import/run", &id, &[]).await.expect(303);
        settled(app, As::Staff, &place).await;
        assert_eq!(app.rows("customers").await, 2);
        other.database.close().await;
    }

    async fn imports_that_write_at_once_wait_for_each_other(app) {
        let text = |letter: char| format!("code,name\n{}", (0..50).map(|n| format!("{letter}{n},Customer\n")).collect::<String>());
        let first = uploaded(app, As::Staff, &[("customers", "a.csv", text('A').as_bytes())]).await;
        let second = uploaded(app, As::Staff, &[("customers", "b.csv", text('B').as_bytes())]).await;
        let writing = app.state.database.begin_bulk_write().await;
        for id in [&first, &second] {
            step(app, As::Staff, "/-/import/run", id, &[]).await.expect(303);
            let page = app.page(As::Staff, &format!("/import?upload={id}")).await.expect(200);
            assert!(page.body.contains("<progress"), "it waits until the other has written");
        }
        drop(writing);
        for id in [&first, &second] {
            let page = settled(app, As::Staff, &format!("/import?upload={id}")).await;
            assert!(page.body.contains("Everything was imported"), "{}", page.body);
        }
        assert_eq!(app.rows("customers").await, 100);
    }

    async fn a_dry_run_says_of_broken_files_what_the_import_says(app) {
        let Some(folder) = northwind() else { return };
        for (name, from, to) in [
            ("customers.csv", "ANTON,", "ALFKI,"),
            ("customers.csv", "\nAROUT,", "\n,"),
            ("products.csv", "\n5,", "\n4,"),
            ("orders.csv", "1996-07-08", "1996-07-38"),
            ("orders.csv", "VINET", "NOBODY"),
            ("order_details.csv", "\n10248,", "\n99999,"),
            ("order_details.csv", "\n10250,", "\n10249,"),
        ] {
            let mut files = files_of(&folder);
            for file in files.iter_mut().filter(|file| file.name == name) {
                let text = String::from_utf8(std::mem::take(&mut file.content)).unwrap();
                assert!(text.contains(from), "{name} {from}");
                file.content = text.replace(from, to).into_bytes();
            }
            let tried = import(app, &files, &example(), Mode::DryRun).await.unwrap();
            assert!(!tried.is_clean(), "{name} {to}");
            assert_eq!(import(app, &files, &example(), Mode::Write).await.unwrap(), tried);
        }
        assert_eq!(app.rows("customers").await, 0);
    }
}

#[test]
fn one_person_has_only_so_much_waiting() {
    use crate::support::{Kind, run};
    for kind in [Kind::Sqlite, Kind::Postgres] {
        run(kind, &[("import_quota", "600000")], async |app| {
            let large = format!("code,name\n{}", "A,Anna\n".repeat(50_000));
            let first = uploaded(app, As::Staff, &[("customers", "x.csv", large.as_bytes())]).await;
            let answer = app.upload(As::Staff, &[("customers", "y.csv", large.as_bytes())]).await.expect(413);
            assert!(
                answer.body.contains("up to 585 KiB together. Remove an upload that you do not need."),
                "{}",
                answer.body
            );
            assert!(answer.body.contains("Remove x.csv") && !answer.body.contains("Remove y.csv"));
            assert_eq!(app.rows("imports").await, 1, "what is refused is not kept");
            uploaded(app, As::Administrator, &[("customers", "z.csv", large.as_bytes())]).await;
            step(app, As::Staff, "/-/import/remove", &first, &[]).await.expect(303);
            uploaded(app, As::Staff, &[("customers", "y.csv", large.as_bytes())]).await;
        });
    }
}

#[test]
fn while_an_import_writes_others_wait_for_it_or_learn_why_not() {
    use crate::support::{Kind, run};
    run(Kind::Sqlite, &[("request_timeout", "8")], async |app| {
        let customer = || app.json(As::Staff, "POST", "/api/customers/", serde_json::json!({ "name": "Anna" }));
        let writing = app.state.database.begin_bulk_write().await;
        let held = app.state.database.write().await.unwrap();
        let answer = customer().await.expect(503).json();
        assert_eq!(answer["detail"], "An import is writing just now. Try again soon. Nothing was saved.");
        let later = async {
            // Longer than anybody waits otherwise.
            tokio::time::sleep(Duration::from_millis(5_500)).await;
            held.rollback().await.unwrap();
        };
        let (answer, ()) = tokio::join!(customer(), later);
        answer.expect(201);
        drop(writing);
    });
}

#[test]
fn an_upload_has_a_limit_that_the_page_names() {
    use crate::support::{Kind, run};
    run(Kind::Sqlite, &[("import_limit", "2048")], async |app| {
        let large = "x".repeat(4096);
        let answer = app.upload(As::Staff, &[("customers", "x.csv", large.as_bytes())]).await.expect(413);
        assert!(answer.body.contains("The files may have up to 2 KiB together."), "{}", answer.body);
        assert!(app.page(As::Staff, "/import").await.body.contains("up to 2 KiB together"));
        app.upload(As::Staff, &[("customers", "x.csv", b"code,name\n")]).await.expect(303);
    });
}

#[test]
fn the_documented_command_imports_northwind() {
    let Some(_) = northwind() else { return };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let from = readme.find("kontor import --mapping examples/northwind.toml").expect("the README has the command");
    let command = readme[from..].split("\n```").next().unwrap().replace("\\\n", " ");
    let arguments: Vec<_> = command.split_whitespace().skip(1).collect();
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("new.db").display());
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_kontor"))
        .args(&arguments)
        .current_dir(root)
        .env("KONTOR_DATABASE_URL", &url)
        .output()
        .unwrap();
    let said = ok(output);
    for count in ["91 created", "77 created", "830 created", "2155 created"] {
        assert!(said.contains(count), "{said}");
    }
}

/// The sum of the lines' nets by rule 2 of DOMAIN.md, computed line by line from the file.
fn net_of(folder: &Path) -> Money {
    let text = std::fs::read_to_string(folder.join("order_details.csv")).unwrap();
    let net = |line: &str| {
        let cells: Vec<_> = line.split(',').collect();
        let discount = format!("{:0<2}", cells[4].strip_prefix("0.").unwrap_or("0"));
        let line = pricing::Line {
            unit_price: cells[2].parse().unwrap(),
            quantity: cells[3].parse().unwrap(),
            discount_percent: discount.parse().unwrap(),
            tax_rate: "0".parse().unwrap(),
        };
        pricing::net(&line).unwrap()
    };
    Money::checked_sum(text.lines().skip(1).map(net)).unwrap()
}
