//! The database is the last validator: every constraint of the schema, violated behind the rules' back, comes back as the
//! same error on both databases.

use kontor::base::Error;
use kontor::base::error::Code;
use sea_orm::ConnectionTrait;
use serde_json::json;

use crate::both;
use crate::support::TestApp;

/// The schema's steps, to find constraints that the test forgot.
const STEPS: [&str; 8] = [
    include_str!("../../migration/src/m20261124_000001_access.rs"),
    include_str!("../../migration/src/m20261124_000002_history.rs"),
    include_str!("../../migration/src/m20261124_000003_customers.rs"),
    include_str!("../../migration/src/m20261124_000004_products.rs"),
    include_str!("../../migration/src/m20261124_000005_orders.rs"),
    include_str!("../../migration/src/m20261124_000006_imports.rs"),
    include_str!("../../migration/src/m20261125_000010_access.rs"),
    include_str!("../../migration/src/m20261129_000024_import_parts.rs"),
];

/// Constraints that a later step took away.
const DROPPED: [&str; 2] = ["fk_role_permissions_role", "fk_users_role"];

/// Constraint, a statement that violates it, and the error at its field (blank for a reference).
const VIOLATIONS: [(&str, &str, Code, &str); 25] = [
    ("uq_roles_code", "INSERT INTO roles (code, name) VALUES ('staff', 'x')", Code::Conflict, "code"),
    ("fk_user_roles_user", "UPDATE user_roles SET user_id = 999", Code::Conflict, ""),
    ("fk_user_roles_role", "UPDATE user_roles SET role_id = 999", Code::Conflict, ""),
    ("ck_users_password_hash", "UPDATE users SET is_service = TRUE", Code::Invalid, "password_hash"),
    (
        "fk_second_factors_user",
        "INSERT INTO second_factors (user_id, secret, last_step) VALUES (999, 'x', 0)",
        Code::Conflict,
        "",
    ),
    ("fk_recovery_codes_user", "INSERT INTO recovery_codes (hash, user_id) VALUES ('x', 999)", Code::Conflict, ""),
    (
        "fk_invitations_user",
        "INSERT INTO invitations (user_id, hash, expires_at) VALUES (999, 'x', '2026-01-01T00:00:00Z')",
        Code::Conflict,
        "",
    ),
    (
        "uq_invitations_hash",
        "INSERT INTO invitations (user_id, hash, expires_at)
            SELECT id, 'same', '2026-01-01T00:00:00Z' FROM users",
        Code::Conflict,
        "hash",
    ),
    ("uq_users_email", "UPDATE users SET email_key = 'staff@kontor.example'", Code::Conflict, "email"),
    ("fk_sessions_user", "UPDATE sessions SET user_id = 999", Code::Conflict, ""),
    ("fk_api_tokens_user", "UPDATE api_tokens SET user_id = 999", Code::Conflict, ""),
    ("uq_api_tokens_hash", "UPDATE api_tokens SET hash = 'x'", Code::Conflict, "hash"),
    (
        "fk_form_keys_user",
        "INSERT INTO form_keys (key, user_id, resource, record_id, created_at) VALUES ('k', 999, 'x', 1, '2026-01-01T00:00:00Z')",
        Code::Conflict,
        "",
    ),
    (
        "fk_imports_user",
        "INSERT INTO imports (id, user_id, choices, is_done, created_at) VALUES ('i', 999, '{}', FALSE, '2026-01-01T00:00:00Z')",
        Code::Conflict,
        "",
    ),
    (
        "fk_import_files_import",
        "INSERT INTO import_files (import_id, kind, name, content) VALUES ('nowhere', 'orders', 'x', '')",
        Code::Conflict,
        "",
    ),
    (
        "fk_import_parts_import",
        "INSERT INTO import_parts (import_id, kind, part, content) VALUES ('nowhere', 'orders', 0, '')",
        Code::Conflict,
        "",
    ),
    ("uq_customers_code", "UPDATE customers SET code_key = 'same'", Code::Conflict, "code"),
    ("uq_customers_email", "UPDATE customers SET email_key = 'same'", Code::Conflict, "email"),
    ("ck_customers_name", "UPDATE customers SET name = ''", Code::Invalid, "name"),
    ("ck_customers_code", "UPDATE customers SET code = ''", Code::Invalid, "code"),
    ("ck_customers_credit_limit", "UPDATE customers SET credit_limit = -1", Code::Invalid, "credit_limit"),
    (
        "ck_customers_payment_terms_days",
        "UPDATE customers SET payment_terms_days = 366",
        Code::Invalid,
        "payment_terms_days",
    ),
    ("uq_products_sku", "UPDATE products SET sku_key = 'same'", Code::Conflict, "sku"),
    ("ck_products_price", "UPDATE products SET price = -1", Code::Invalid, "price"),
    ("ck_products_tax_rate", "UPDATE products SET tax_rate = 10001", Code::Invalid, "tax_rate"),
];

const MORE: [(&str, &str, Code, &str); 17] = [
    (
        "form_keys_pkey",
        "INSERT INTO form_keys (key, user_id, resource, record_id, created_at)
            VALUES ('k', 1, 'x', 1, '2026-01-01T00:00:00Z'), ('k', 1, 'x', 2, '2026-01-01T00:00:00Z')",
        Code::Conflict,
        "",
    ),
    ("ck_products_name", "UPDATE products SET name = ''", Code::Invalid, "name"),
    ("ck_products_sku", "UPDATE products SET sku = ''", Code::Invalid, "sku"),
    ("fk_orders_customer", "UPDATE orders SET customer_id = 999", Code::Conflict, ""),
    ("uq_orders_number", "UPDATE orders SET number_key = 'same'", Code::Conflict, "number"),
    ("ck_orders_status", "UPDATE orders SET status = 'lost', number = 'x'", Code::Invalid, "status"),
    ("ck_orders_number", "UPDATE orders SET status = 'placed'", Code::Invalid, "number"),
    ("ck_orders_freight", "UPDATE orders SET freight = -1", Code::Invalid, "freight"),
    ("ck_orders_total", "UPDATE orders SET total = total + 1", Code::Invalid, "total"),
    (
        "fk_order_items_order",
        "UPDATE order_items SET order_id = 999 WHERE id = (SELECT MIN(id) FROM order_items)",
        Code::Conflict,
        "",
    ),
    (
        "fk_order_items_product",
        "UPDATE order_items SET product_id = 999 WHERE id = (SELECT MIN(id) FROM order_items)",
        Code::Conflict,
        "",
    ),
    (
        "uq_order_items_product",
        "UPDATE order_items SET product_id = (SELECT MIN(id) FROM products)",
        Code::Conflict,
        "product",
    ),
    ("ck_order_items_quantity", "UPDATE order_items SET quantity = 0", Code::Invalid, "quantity"),
    ("ck_order_items_unit_price", "UPDATE order_items SET unit_price = -1", Code::Invalid, "unit_price"),
    (
        "ck_order_items_discount_percent",
        "UPDATE order_items SET discount_percent = 10001",
        Code::Invalid,
        "discount_percent",
    ),
    ("ck_order_items_tax_rate", "UPDATE order_items SET tax_rate = -1", Code::Invalid, "tax_rate"),
    ("ck_order_items_total", "UPDATE order_items SET total = total + 1", Code::Invalid, "total"),
];

async fn violate(app: &TestApp, sql: &str) -> Error {
    let transaction = app.state.database.write().await.unwrap();
    Error::from(transaction.execute_unprepared(sql).await.expect_err(sql))
}

#[test]
fn the_table_names_every_constraint() {
    let steps = STEPS.concat();
    let names: Vec<_> = steps
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| ["uq_", "ck_", "fk_"].iter().any(|kind| word.starts_with(kind)))
        .collect();
    assert!(names.len() > 15);
    for name in names.into_iter().filter(|name| !DROPPED.contains(name)) {
        assert!(VIOLATIONS.iter().chain(&MORE).any(|(known, ..)| *known == name), "{name} is not in the table");
    }
}

both! {
    async fn every_violation_is_the_same_error_on_both_databases(app) {
        let customer = app.customer("One").await;
        app.customer("Two").await;
        app.product("A", "1").await;
        app.product("B", "1").await;
        app.order(&customer, json!([{ "sku": "A", "quantity": 1 }, { "sku": "B", "quantity": 1 }])).await;
        app.order(&customer, json!([])).await;
        for (name, sql, code, field) in VIOLATIONS.into_iter().chain(MORE) {
            let error = violate(app, sql).await;
            assert_eq!(error.code, code, "{name}: {error:?}");
            let fields: Vec<_> = error.errors.keys().map(String::as_str).collect();
            assert_eq!(fields, if field.is_empty() { vec![] } else { vec![field] }, "{name}");
            assert!(!error.detail.contains(name) && error.internal.is_some(), "{name}");
        }
    }

    async fn anything_else_the_database_says_stays_inside(app) {
        let error = violate(app, "SELECT * FROM nowhere").await;
        assert_eq!(error.code, Code::Internal);
        assert!(!error.detail.contains("nowhere") && error.internal.unwrap().contains("nowhere"));
    }
}
