//! The floor under the API's speed: the same rows by plain prepared SQL and nothing else, to hold the house against in
//! benchmarks. No session, no permission, no history of who asked; therefore only ever mounted by `serve --bench-floor`, and only
//! where nobody but this machine can ask.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use sea_orm::sqlx::{self, Row};
use sea_orm::{ConnectionTrait, DbBackend};
use serde::{Deserialize, Serialize};

use super::database::Database;
use super::reader::Reader;
use crate::base::{Error, Result};

const ORDER: &str = "SELECT id, version, number, status, customer_id, customer_name, currency, CAST(order_date AS TEXT), \
    CAST(required_date AS TEXT), customer_reference, shipping_name, shipping_line1, shipping_line2, shipping_postal_code, \
    shipping_city, shipping_region, shipping_country, freight, notes, subtotal, discount_total, tax_total, total, \
    CAST(placed_at AS TEXT), CAST(shipped_at AS TEXT), CAST(cancelled_at AS TEXT), cancel_reason, CAST(created_at AS TEXT), \
    CAST(updated_at AS TEXT) FROM orders";

const ITEM: &str = "SELECT id, order_id, position, product_id, sku, description, unit, quantity, unit_price, price_is_manual, \
    discount_percent, tax_rate, net, tax, total FROM order_items";

/// Rows of a list.
const ROWS: usize = 25;

#[derive(Serialize)]
struct Order {
    id: i64,
    version: i64,
    number: Option<String>,
    status: String,
    customer: i64,
    customer_name: String,
    currency: String,
    order_date: String,
    required_date: Option<String>,
    customer_reference: Option<String>,
    shipping: [Option<String>; 7],
    freight: Option<i64>,
    notes: Option<String>,
    subtotal: i64,
    discount_total: i64,
    tax_total: i64,
    total: i64,
    placed_at: Option<String>,
    shipped_at: Option<String>,
    cancelled_at: Option<String>,
    cancel_reason: Option<String>,
    created_at: String,
    updated_at: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    items: Vec<Item>,
}

#[derive(Serialize)]
struct Item {
    id: i64,
    #[serde(skip)]
    order: i64,
    position: i64,
    product: i64,
    sku: String,
    description: String,
    unit: String,
    quantity: i64,
    unit_price: i64,
    price_is_manual: bool,
    discount_percent: i64,
    tax_rate: i64,
    net: i64,
    tax: i64,
    total: i64,
}

/// An order to insert: its customer, and a product and a quantity for each line.
#[derive(Deserialize)]
struct New {
    customer: i64,
    items: Vec<(i64, i64)>,
}

/// Reads an order and an item out of a row of either driver.
macro_rules! readers {
    ($order:ident, $item:ident, $row:ty) => {
        fn $order(row: $row) -> sqlx::Result<Order> {
            Ok(Order {
                id: row.try_get(0)?,
                version: row.try_get(1)?,
                number: row.try_get(2)?,
                status: row.try_get(3)?,
                customer: row.try_get(4)?,
                customer_name: row.try_get(5)?,
                currency: row.try_get(6)?,
                order_date: row.try_get(7)?,
                required_date: row.try_get(8)?,
                customer_reference: row.try_get(9)?,
                shipping: [
                    row.try_get(10)?,
                    row.try_get(11)?,
                    row.try_get(12)?,
                    row.try_get(13)?,
                    row.try_get(14)?,
                    row.try_get(15)?,
                    row.try_get(16)?,
                ],
                freight: row.try_get(17)?,
                notes: row.try_get(18)?,
                subtotal: row.try_get(19)?,
                discount_total: row.try_get(20)?,
                tax_total: row.try_get(21)?,
                total: row.try_get(22)?,
                placed_at: row.try_get(23)?,
                shipped_at: row.try_get(24)?,
                cancelled_at: row.try_get(25)?,
                cancel_reason: row.try_get(26)?,
                created_at: row.try_get(27)?,
                updated_at: row.try_get(28)?,
                items: Vec::new(),
            })
        }

        fn $item(row: $row) -> sqlx::Result<Item> {
            Ok(Item {
                id: row.try_get(0)?,
                order: row.try_get(1)?,
                position: row.try_get(2)?,
                product: row.try_get(3)?,
                sku: row.try_get(4)?,
                description: row.try_get(5)?,
                unit: row.try_get(6)?,
                quantity: row.try_get(7)?,
                unit_price: row.try_get(8)?,
                price_is_manual: row.try_get(9)?,
                discount_percent: row.try_get(10)?,
                tax_rate: row.try_get(11)?,
                net: row.try_get(12)?,
                tax: row.try_get(13)?,
                total: row.try_get(14)?,
            })
        }
    };
}

readers!(sqlite_order, sqlite_item, sqlx::sqlite::SqliteRow);
readers!(postgres_order, postgres_item, sqlx::postgres::PgRow);

/// What the floor reads and writes over: sqlx's own pool, as many connections as the house reads over.
#[derive(Clone)]
struct Floor {
    pool: Pool,
    database: Database,
}

#[derive(Clone)]
enum Pool {
    Sqlite(sqlx::SqlitePool),
    Postgres(sqlx::PgPool),
}

impl Pool {
    fn beside(reader: &Reader) -> Self {
        match reader.get_database_backend() {
            DbBackend::Postgres => {
                let pool = reader.pool().get_postgres_connection_pool();
                let options = pool.options().clone().max_connections(reader.most());
                Self::Postgres(options.connect_lazy_with(pool.connect_options().as_ref().clone()))
            }
            _ => {
                let pool = reader.pool().get_sqlite_connection_pool();
                let options = pool.options().clone().max_connections(reader.most());
                Self::Sqlite(options.connect_lazy_with(pool.connect_options().as_ref().clone()))
            }
        }
    }
}

/// The routes, over the database alone.
pub fn routes(database: Database) -> Router {
    let floor = Floor { pool: Pool::beside(database.reader()), database };
    Router::new()
        .route("/floor/orders", get(list))
        .route("/floor/orders/items", get(list_with_items))
        .route("/floor/orders/{id}", get(order))
        .route("/floor/orders", post(create))
        .with_state(floor)
}

fn failed(error: sqlx::Error) -> Error {
    Error::internal(error.to_string())
}

fn answer(value: &impl Serialize) -> Result<Response> {
    let text = serde_json::to_vec(value).map_err(|error| Error::internal(error.to_string()))?;
    Ok(([(CONTENT_TYPE, "application/json")], text).into_response())
}

async fn orders(pool: &Pool, rest: &str, id: Option<i64>) -> Result<Vec<Order>> {
    let sql = sqlx::AssertSqlSafe(format!("{ORDER} {rest}"));
    let read = async || -> sqlx::Result<Vec<Order>> {
        match pool {
            Pool::Postgres(pool) => {
                let query = sqlx::query(sql);
                let query = if let Some(id) = id { query.bind(id) } else { query };
                query.fetch_all(pool).await?.into_iter().map(postgres_order).collect()
            }
            Pool::Sqlite(pool) => {
                let query = sqlx::query(sql);
                let query = if let Some(id) = id { query.bind(id) } else { query };
                query.fetch_all(pool).await?.into_iter().map(sqlite_order).collect()
            }
        }
    };
    read().await.map_err(failed)
}

async fn with_items(pool: &Pool, orders: &mut [Order]) -> Result<()> {
    let places = (1..=orders.len()).map(|place| format!("${place}")).collect::<Vec<_>>().join(", ");
    let sql = sqlx::AssertSqlSafe(format!("{ITEM} WHERE order_id IN ({places}) ORDER BY order_id, position"));
    let ids: Vec<i64> = orders.iter().map(|order| order.id).collect();
    let read = async || -> sqlx::Result<Vec<Item>> {
        match pool {
            Pool::Postgres(pool) => {
                let query = ids.iter().fold(sqlx::query(sql), |query, id| query.bind(*id));
                query.fetch_all(pool).await?.into_iter().map(postgres_item).collect()
            }
            Pool::Sqlite(pool) => {
                let query = ids.iter().fold(sqlx::query(sql), |query, id| query.bind(*id));
                query.fetch_all(pool).await?.into_iter().map(sqlite_item).collect()
            }
        }
    };
    for item in read().await.map_err(failed)? {
        if let Some(order) = orders.iter_mut().find(|order| order.id == item.order) {
            order.items.push(item);
        }
    }
    Ok(())
}

async fn order(State(floor): State<Floor>, Path(id): Path<i64>) -> Result<Response> {
    let mut found = orders(&floor.pool, "WHERE id = $1", Some(id)).await?;
    with_items(&floor.pool, &mut found).await?;
    found.first().map_or_else(|| Err(Error::not_found("order")), answer)
}

async fn latest(pool: &Pool) -> Result<Vec<Order>> {
    orders(pool, &format!("ORDER BY orders.order_date DESC, orders.id DESC LIMIT {ROWS}"), None).await
}

async fn list(State(floor): State<Floor>) -> Result<Response> {
    answer(&latest(&floor.pool).await?)
}

async fn list_with_items(State(floor): State<Floor>) -> Result<Response> {
    let mut found = latest(&floor.pool).await?;
    with_items(&floor.pool, &mut found).await?;
    answer(&found)
}

/// What is inserted for an order: the order, its lines and its event. `{time}` and `{date}` are now and today.
const INSERTS: [&str; 3] = [
    "INSERT INTO orders (version, status, customer_id, customer_name, customer_name_key, currency, order_date, subtotal, \
     discount_total, tax_total, total, search_text, created_at, updated_at) VALUES (1, 'draft', $1, 'Floor', 'floor', 'EUR', \
     {date}, 10000, 0, 0, 10000, '  floor', {time}, {time}) RETURNING id",
    "INSERT INTO order_items (order_id, position, product_id, sku, description, unit, quantity, unit_price, price_is_manual, \
     discount_percent, tax_rate, net, tax, total) VALUES ",
    "INSERT INTO events (at, actor_kind, actor_name, door, request_id, resource, record_id, command, version_after, changes) \
     VALUES ({time}, 'system', 'Floor', 'api', 'floor', 'orders', $1, 'create', 1, $2)",
];

async fn create(State(Floor { database, .. }): State<Floor>, Json(new): Json<New>) -> Result<Response> {
    let lines = new.items.iter().enumerate().map(|(index, (product, quantity))| {
        format!(
            "($1, {}, {product}, 'floor', 'A line of the floor', 'pcs', {quantity}, 10000, FALSE, 0, 0, 1000, 0, 1000)",
            index + 1
        )
    });
    let lines = lines.collect::<Vec<_>>().join(", ");
    let changes = serde_json::json!({ "customer": [null, new.customer], "items": new.items }).to_string();
    let write = async || -> sqlx::Result<i64> {
        match database.reader().get_database_backend() {
            DbBackend::Postgres => {
                let sql = INSERTS.map(|sql| sql.replace("{time}", "now()").replace("{date}", "current_date"));
                let [order, items, event] = sql;
                let mut transaction = database.writer().get_postgres_connection_pool().begin().await?;
                let row =
                    sqlx::query(sqlx::AssertSqlSafe(order)).bind(new.customer).fetch_one(&mut *transaction).await?;
                let id: i64 = row.try_get(0)?;
                let items = sqlx::query(sqlx::AssertSqlSafe(items + &lines)).bind(id);
                items.execute(&mut *transaction).await?;
                let event = sqlx::query(sqlx::AssertSqlSafe(event)).bind(id).bind(changes);
                event.execute(&mut *transaction).await?;
                transaction.commit().await?;
                Ok(id)
            }
            _ => {
                let (time, date) = ("strftime('%Y-%m-%dT%H:%M:%f000+00:00')", "date()");
                let [order, items, event] = INSERTS.map(|sql| sql.replace("{time}", time).replace("{date}", date));
                let pool = database.writer().get_sqlite_connection_pool();
                let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
                let row =
                    sqlx::query(sqlx::AssertSqlSafe(order)).bind(new.customer).fetch_one(&mut *transaction).await?;
                let id: i64 = row.try_get(0)?;
                let items = sqlx::query(sqlx::AssertSqlSafe(items + &lines)).bind(id);
                items.execute(&mut *transaction).await?;
                let event = sqlx::query(sqlx::AssertSqlSafe(event)).bind(id).bind(changes);
                event.execute(&mut *transaction).await?;
                transaction.commit().await?;
                Ok(id)
            }
        }
    };
    let id = write().await.map_err(failed)?;
    // As durable as what the house answers with.
    database.flushed().await?;
    Ok((StatusCode::CREATED, Json(serde_json::json!({ "id": id }))).into_response())
}
