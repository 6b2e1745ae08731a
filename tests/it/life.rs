//! A company that lives at random: the same seed is the same life on both databases.

use kontor::access::gate::Access;
use kontor::import::Kind;
use kontor::import::mapping::Mapping;
use kontor::import::run::{self, File, Import, Mode, Watch};
use serde_json::{Value, json};

use crate::support::{Answer, As, TestApp};

/// Numbers that look random (xorshift).
pub struct Luck(u64);

impl Luck {
    pub fn of(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }

    fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[usize::try_from(self.below(of.len() as u64)).unwrap()]
    }
}

/// A company with somebody to sell to and something to sell.
pub async fn begin(app: &TestApp) {
    for number in 0..3 {
        app.customer(&format!("Customer {number}")).await;
        app.product(&format!("P{number}"), "10.00").await;
    }
}

async fn ids(app: &TestApp, resource: &str) -> Vec<i64> {
    let page = app.get(As::Administrator, &format!("/api/{resource}/?page_size=200")).await.expect(200).json();
    page["results"].as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()).collect()
}

fn lines(luck: &mut Luck, products: &[i64]) -> Value {
    let mut lines = Vec::new();
    for product in products {
        if luck.below(2) == 0 {
            let mut line = json!({ "product": product, "quantity": format!("{}.5", luck.below(9)) });
            if luck.below(3) == 0 {
                line["unit_price"] = json!(format!("{}.25", luck.below(50)));
            }
            if luck.below(3) == 0 {
                line["discount_percent"] = json!(luck.below(100));
            }
            lines.push(line);
        }
    }
    if luck.below(2) == 0 {
        lines.reverse();
    }
    lines.into()
}

/// Does something, whether it is allowed or not.
pub async fn step(app: &TestApp, luck: &mut Luck, final_ones: bool) -> Answer {
    let (customers, products, orders) =
        (ids(app, "customers").await, ids(app, "products").await, ids(app, "orders").await);
    let word = format!("w{}", luck.below(1000));
    let (resource, id, mut action) = match luck.below(10) {
        0..=2 if !customers.is_empty() => ("customers", *luck.one(&customers), luck.below(5)),
        3..=5 if !products.is_empty() => ("products", *luck.one(&products), luck.below(5)),
        _ if !orders.is_empty() => ("orders", *luck.one(&orders), luck.below(10)),
        _ => ("orders", 0, 0),
    };
    if id == 0 {
        action = 0;
    }
    let one = format!("/api/{resource}/{id}/");
    let all = format!("/api/{resource}/");
    let send = async |method: &str, path: &str, body: Value| app.json(As::Administrator, method, path, body).await;
    match (resource, action) {
        ("customers", 0) => {
            send(
                "POST",
                &all,
                json!({ "name": word, "code": word, "notes": null, "credit_limit": luck.below(9) * 100 }),
            )
            .await
        }
        ("products", 0) => {
            send(
                "POST",
                &all,
                json!({ "sku": word, "name": word, "unit": "kg", "price": luck.below(99), "tax_rate": "19.00" }),
            )
            .await
        }
        ("customers" | "products", 1) => send("DELETE", &one, json!({})).await,
        ("customers" | "products", 2) => {
            let twice = json!([
                { "action": "change", "id": id, "values": { "name": word } },
                { "action": "change", "id": id, "values": { "name": format!("{word} again") } },
                { "action": "delete", "id": luck.one(if resource == "customers" { &customers } else { &products }) },
            ]);
            send("POST", &format!("{all}bulk/"), json!({ "on_error": "reject_row", "rows": twice })).await
        }
        ("customers", _) => {
            let changes = [
                json!({ "name": word, "email": format!("{word}@example.com") }),
                json!({ "code": word }),
                json!({ "is_active": luck.below(2) == 0, "phone": word }),
                json!({ "credit_limit": null, "shipping_city": word }),
            ];
            send("PATCH", &one, luck.one(&changes).clone()).await
        }
        ("products", _) => {
            let changes = [
                json!({ "price": luck.below(99), "barcode": word }),
                json!({ "sku": word }),
                json!({ "is_active": luck.below(2) == 0 }),
                json!({ "description": word, "tax_rate": "7.00" }),
            ];
            send("PATCH", &one, luck.one(&changes).clone()).await
        }
        (_, 0 | 1) => {
            let customer = luck.one(&customers);
            send("POST", &all, json!({ "customer": customer, "items": lines(luck, &products), "notes": word })).await
        }
        (_, 2) => send("DELETE", &one, json!({})).await,
        (_, 3 | 4) => send("POST", &format!("{one}place/"), json!({})).await,
        (_, 5) => send("POST", &format!("{one}reopen/"), json!({})).await,
        (_, 6) if final_ones => {
            let command = *luck.one(&["ship", "cancel"]);
            send("POST", &format!("{one}{command}/"), json!({ "reason": word })).await
        }
        (_, 6 | 7) => send("PATCH", &one, json!({ "items": lines(luck, &products) })).await,
        (_, 8) => send("PATCH", &one, json!({ "customer": luck.one(&customers), "freight": "3.50" })).await,
        _ => {
            send(
                "PATCH",
                &one,
                json!({ "customer_reference": word, "shipping_city": word, "required_date": "2027-01-31" }),
            )
            .await
        }
    }
}

/// What was done in one request, if it was allowed.
pub struct Deed {
    pub request: String,
    pub said: String,
}

/// Does something that a company does seldom: about the people of the house, or a whole import.
pub async fn seldom(app: &TestApp, luck: &mut Luck) -> Deed {
    if luck.below(3) == 0 {
        return import(app, luck).await;
    }
    let (users, roles) = (ids(app, "users").await, ids(app, "roles").await);
    let word = format!("w{}", luck.below(1000));
    let permissions = ["customers.view", "customers.change", "orders.place", "products.view"];
    let some: Vec<_> = permissions.iter().filter(|_| luck.below(2) == 0).collect();
    let page = app.get(As::Administrator, "/api/roles/").await.expect(200).json();
    let codes: Vec<_> = page["results"].as_array().unwrap().iter().map(|role| role["code"].clone()).collect();
    let held: Vec<_> = codes.iter().filter(|_| luck.below(3) == 0).collect();
    let (method, path, body) = match luck.below(7) {
        0 => ("POST", "/api/roles/".to_owned(), json!({ "name": word, "permissions": some })),
        1 => {
            ("PATCH", format!("/api/roles/{}/", luck.one(&roles)), json!({ "permissions": some, "description": word }))
        }
        2 => ("DELETE", format!("/api/roles/{}/", luck.one(&roles)), json!({})),
        3 => {
            let service = luck.below(2) == 0;
            let body =
                json!({ "name": word, "email": format!("{word}@k.example"), "roles": held, "is_service": service });
            ("POST", "/api/users/".to_owned(), body)
        }
        4 => ("DELETE", format!("/api/users/{}/", luck.one(&users)), json!({})),
        5 => ("PATCH", format!("/api/users/{}/", luck.one(&users)), json!({ "roles": held, "name": word })),
        _ => ("PATCH", format!("/api/users/{}/", luck.one(&users)), json!({ "is_active": luck.below(2) == 0 })),
    };
    // The administrator who does all this stays one.
    let is_own =
        path.starts_with("/api/users/") && app.get(As::Administrator, &path).await.body.contains("\"administrator@");
    let body = if is_own && method == "PATCH" { json!({ "name": word }) } else { body };
    let answer = app.json(As::Administrator, method, &path, body).await;
    assert!(!answer.status.is_server_error(), "{method} {path}: {}", answer.body);
    Deed { request: answer.header("x-request-id").to_owned(), said: format!("{method} {path}: {}", answer.body) }
}

/// Imports a new customer and a known one with another name, a product, and an order of it.
async fn import(app: &TestApp, luck: &mut Luck) -> Deed {
    let page = app.get(As::Administrator, "/api/customers/?page_size=200").await.expect(200).json();
    let known: Vec<_> = page["results"].as_array().unwrap().iter().map(|row| row["code"].clone()).collect();
    let number = 50_000 + luck.below(1_000);
    let mut customers = format!("code,name\nI{number},Imported {number}\n");
    if !known.is_empty() {
        customers.push_str(&format!("{},Renamed {number}\n", luck.one(&known).as_str().unwrap()));
    }
    let products = format!("sku,name,unit,price\nI{number},Thing,pcs,1.50\n");
    let orders = format!("number,customer_code,order_date\n{number},I{number},2026-01-02\n");
    let lines = format!("order_number,sku,quantity\n{number},I{number},{}\n", 1 + luck.below(9));
    let files =
        [(Kind::Customers, customers), (Kind::Products, products), (Kind::Orders, orders), (Kind::Lines, lines)];
    let files =
        files.map(|(kind, text)| File { kind, name: format!("{}.csv", kind.name()), content: text.into_bytes() });
    let access = Access::<Import>::system(&app.state.database).unwrap();
    let watch = Watch::new(&|_, _| ());
    let report = run::run(&access, &files, &Mapping::default(), Mode::Write, &watch).await.unwrap();
    Deed { request: access.caller().request_id.clone(), said: format!("import {number}: {:?}", report.problems) }
}
