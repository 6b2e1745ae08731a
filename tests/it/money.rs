//! Money on stored rows: after many random orders over REST the database agrees with itself and with DOMAIN.md, Money.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use crate::both;
use crate::support::{As, TestApp};

const RATES: [&str; 4] = ["0", "7", "19", "8.25"];

/// A product of every rate and many prices.
async fn products(app: &TestApp, random: &mut StdRng) -> usize {
    for number in 0..24 {
        let price = format!("{}.{:04}", random.random_range(0..500), random.random_range(0..10_000));
        let body = json!({ "sku": format!("P{number}"), "name": "x", "unit": "pcs", "price": price, "tax_rate": RATES[number % RATES.len()] });
        app.json(As::Staff, "POST", "/api/products/", body).await.expect(201);
    }
    24
}

fn line(random: &mut StdRng, product: usize) -> Value {
    let mut line = json!({ "sku": format!("P{product}"), "quantity": format!("{}.{:03}", random.random_range(0..200), random.random_range(1..1_000)) });
    if random.random_bool(0.4) {
        line["discount_percent"] = json!(format!("{}.{:02}", random.random_range(0..100), random.random_range(0..100)));
    }
    if random.random_bool(0.3) {
        line["unit_price"] = json!(format!("{}.{:04}", random.random_range(0..1_000), random.random_range(0..10_000)));
    }
    line
}

fn lines(random: &mut StdRng, products: usize) -> Vec<Value> {
    let (first, count) = (random.random_range(0..products), random.random_range(0..=12));
    (0..count).map(|offset| line(random, (first + offset) % products)).collect()
}

fn units(value: &Value, decimals: usize) -> i128 {
    let text = value.as_str().unwrap();
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{fraction:0<decimals$}").parse().unwrap()
}

fn half_up(dividend: i128, divisor: i128) -> i128 {
    (2 * dividend + divisor).div_euclid(2 * divisor)
}

/// Works an order out anew from what its lines say.
fn audit(order: &Value) {
    let lines = order["items"].as_array().unwrap();
    let (mut gross, mut nets, mut taxes) = (0, 0, 0);
    for line in lines {
        let exact = units(&line["quantity"], 3) * units(&line["unit_price"], 4);
        let net = half_up(exact * (10_000 - units(&line["discount_percent"], 2)), 100_000 * 10_000);
        assert_eq!(units(&line["net"], 2), net, "{line}");
        assert_eq!(units(&line["total"], 2), net + units(&line["tax"], 2), "{line}");
        (gross, nets, taxes) = (gross + half_up(exact, 100_000), nets + net, taxes + units(&line["tax"], 2));
    }
    let mut by_rate = std::collections::BTreeMap::new();
    for line in lines {
        *by_rate.entry(units(&line["tax_rate"], 2)).or_insert(0) += units(&line["net"], 2);
    }
    assert_eq!(taxes, by_rate.iter().map(|(rate, net)| half_up(rate * net, 10_000)).sum::<i128>(), "{order}");
    assert_eq!(units(&order["subtotal"], 2), gross);
    assert_eq!(units(&order["subtotal"], 2) - units(&order["discount_total"], 2), nets);
    assert_eq!(units(&order["tax_total"], 2), taxes);
    assert_eq!(units(&order["total"], 2), nets + taxes);
}

both! {
    async fn lines_always_add_up_to_their_order_in_the_database(app) {
        let random = &mut StdRng::seed_from_u64(7);
        let customer = app.customer("Somebody").await;
        let products = products(app, random).await;
        for number in 0..150 {
            let order = app.order(&customer, json!(lines(random, products))).await;
            audit(&order);
            let path = format!("/api/orders/{}/", order["id"]);
            let own = order["items"].as_array().unwrap();
            match number % 5 {
                0 => audit(&app.json(As::Staff, "PATCH", &path, json!({ "items": lines(random, products) })).await.expect(200).json()),
                1 if !own.is_empty() => {
                    let line = &own[random.random_range(0..own.len())];
                    let change = json!({ "quantity": random.random_range(1..50), "discount_percent": random.random_range(0..=100) });
                    app.json(As::Staff, "PATCH", &format!("/api/order-items/{}", line["id"]), change).await.expect(200);
                }
                2 if !own.is_empty() => {
                    let line = &own[random.random_range(0..own.len())];
                    app.json(As::Staff, "DELETE", &format!("/api/order-items/{}", line["id"]), json!({})).await.expect(204);
                }
                3 if !own.is_empty() => {
                    app.act(As::Staff, &order, "place", json!({})).await.expect(200);
                }
                _ => {}
            }
            audit(&app.get(As::Viewer, &path).await.expect(200).json());
        }
        let wrong = "orders LEFT JOIN (SELECT order_id, SUM(net) AS net, SUM(tax) AS tax, SUM(total) AS total FROM order_items GROUP BY order_id) \
            AS lines ON lines.order_id = orders.id WHERE COALESCE(lines.net, 0) <> subtotal - discount_total \
            OR COALESCE(lines.tax, 0) <> tax_total OR COALESCE(lines.total, 0) <> orders.total OR subtotal - discount_total + tax_total <> orders.total";
        assert_eq!((app.rows(wrong).await, app.rows("orders").await), (0, 150));
        assert!(app.rows("order_items").await > 500, "the orders have lines");
    }
}
