//! The ways people look through many orders: a tab in the usual order, a customer's orders with the latest first, and what few
//! orders say at all, such as an address of their own.

crate::step! {
    up "
CREATE INDEX ix_orders_status_date ON orders (status, order_date, id, total);
CREATE INDEX ix_orders_customer_date ON orders (customer_id, order_date, id);
CREATE INDEX ix_orders_customer_reference ON orders (customer_reference) WHERE customer_reference IS NOT NULL;
CREATE INDEX ix_orders_shipping_country ON orders (shipping_country, id) WHERE shipping_country IS NOT NULL;
CREATE INDEX ix_orders_shipping_city ON orders (shipping_city) WHERE shipping_city IS NOT NULL;
CREATE INDEX ix_orders_shipping_postal_code ON orders (shipping_postal_code) WHERE shipping_postal_code IS NOT NULL;
CREATE INDEX ix_orders_placed ON orders (placed_at, id) WHERE placed_at IS NOT NULL;
CREATE INDEX ix_orders_shipped ON orders (shipped_at, id) WHERE shipped_at IS NOT NULL;
CREATE INDEX ix_orders_cancelled ON orders (cancelled_at, id) WHERE cancelled_at IS NOT NULL;
CREATE INDEX ix_customers_billing_country ON customers (billing_country, id);
CREATE INDEX ix_customers_billing_city ON customers (billing_city, id);
CREATE INDEX ix_customers_active ON customers (is_active, id);
CREATE INDEX ix_customers_phone ON customers (phone) WHERE phone IS NOT NULL;
CREATE INDEX ix_products_barcode ON products (barcode) WHERE barcode IS NOT NULL;
CREATE INDEX ix_products_active ON products (is_active, id);
",
    down "
DROP INDEX ix_orders_status_date;
DROP INDEX ix_orders_customer_date;
DROP INDEX ix_orders_customer_reference;
DROP INDEX ix_orders_shipping_country;
DROP INDEX ix_orders_shipping_city;
DROP INDEX ix_orders_shipping_postal_code;
DROP INDEX ix_orders_placed;
DROP INDEX ix_orders_shipped;
DROP INDEX ix_orders_cancelled;
DROP INDEX ix_customers_billing_country;
DROP INDEX ix_customers_billing_city;
DROP INDEX ix_customers_active;
DROP INDEX ix_customers_phone;
DROP INDEX ix_products_barcode;
DROP INDEX ix_products_active;
",
}
