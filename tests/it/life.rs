//! A company that lives at random: the same seed is the same life on both databases.

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
