//! Orders with their lines, and who may do what with them. Amounts are units of 10⁻², prices of 10⁻⁴, quantities of 10⁻³.

crate::step! {
    up "
CREATE TABLE orders (
    id {id},
    version BIGINT NOT NULL,
    number TEXT,
    number_key {key},
    status {key} NOT NULL,
    customer_id BIGINT NOT NULL,
    customer_name TEXT NOT NULL,
    customer_name_key {key} NOT NULL,
    currency {key} NOT NULL,
    order_date {date} NOT NULL,
    required_date {date},
    customer_reference TEXT,
    shipping_name TEXT,
    shipping_line1 TEXT,
    shipping_line2 TEXT,
    shipping_city TEXT,
    shipping_region TEXT,
    shipping_postal_code TEXT,
    shipping_country TEXT,
    freight BIGINT,
    notes TEXT,
    subtotal BIGINT NOT NULL,
    discount_total BIGINT NOT NULL,
    tax_total BIGINT NOT NULL,
    total BIGINT NOT NULL,
    placed_at {time},
    shipped_at {time},
    cancelled_at {time},
    cancel_reason TEXT,
    search_text TEXT NOT NULL,
    created_at {time} NOT NULL,
    updated_at {time} NOT NULL,
    CONSTRAINT fk_orders_customer FOREIGN KEY (customer_id) REFERENCES customers (id),
    CONSTRAINT ck_orders_status CHECK (status IN ('draft', 'placed', 'shipped', 'cancelled')),
    CONSTRAINT ck_orders_number CHECK (status IN ('draft', 'cancelled') OR number IS NOT NULL),
    CONSTRAINT ck_orders_freight CHECK (freight >= 0),
    CONSTRAINT ck_orders_total CHECK (subtotal - discount_total + tax_total = total AND subtotal >= discount_total
        AND discount_total >= 0 AND tax_total >= 0)
);
CREATE UNIQUE INDEX uq_orders_number ON orders (number_key);
CREATE INDEX ix_orders_customer ON orders (customer_id, status, total);
CREATE INDEX ix_orders_customer_name ON orders (customer_name_key, id);
CREATE INDEX ix_orders_status ON orders (status, total);
CREATE INDEX ix_orders_order_date ON orders (order_date, id);
CREATE INDEX ix_orders_required_date ON orders (required_date, id);
CREATE INDEX ix_orders_total ON orders (total, id);
CREATE INDEX ix_orders_created ON orders (created_at, id);
CREATE INDEX ix_orders_updated ON orders (updated_at, id);
CREATE TABLE order_items (
    id {id},
    order_id BIGINT NOT NULL,
    position BIGINT NOT NULL,
    product_id BIGINT NOT NULL,
    sku TEXT NOT NULL,
    description TEXT NOT NULL,
    unit TEXT NOT NULL,
    quantity BIGINT NOT NULL,
    unit_price BIGINT NOT NULL,
    price_is_manual BOOLEAN NOT NULL,
    discount_percent BIGINT NOT NULL,
    tax_rate BIGINT NOT NULL,
    net BIGINT NOT NULL,
    tax BIGINT NOT NULL,
    total BIGINT NOT NULL,
    CONSTRAINT fk_order_items_order FOREIGN KEY (order_id) REFERENCES orders (id) ON DELETE CASCADE,
    CONSTRAINT fk_order_items_product FOREIGN KEY (product_id) REFERENCES products (id),
    CONSTRAINT ck_order_items_quantity CHECK (quantity > 0),
    CONSTRAINT ck_order_items_unit_price CHECK (unit_price >= 0),
    CONSTRAINT ck_order_items_discount_percent CHECK (discount_percent BETWEEN 0 AND 10000),
    CONSTRAINT ck_order_items_tax_rate CHECK (tax_rate BETWEEN 0 AND 10000),
    CONSTRAINT ck_order_items_total CHECK (net + tax = total AND net >= 0 AND tax >= 0)
);
CREATE UNIQUE INDEX uq_order_items_product ON order_items (product_id, order_id);
CREATE INDEX ix_order_items_order ON order_items (order_id, position);
INSERT INTO role_permissions (role_id, permission)
    SELECT id, 'orders.view' FROM roles WHERE code IN ('staff', 'viewer');
INSERT INTO role_permissions (role_id, permission) SELECT id, 'orders.add' FROM roles WHERE code = 'staff';
INSERT INTO role_permissions (role_id, permission) SELECT id, 'orders.change' FROM roles WHERE code = 'staff';
INSERT INTO role_permissions (role_id, permission) SELECT id, 'orders.delete' FROM roles WHERE code = 'staff';
INSERT INTO role_permissions (role_id, permission) SELECT id, 'orders.place' FROM roles WHERE code = 'staff';
INSERT INTO role_permissions (role_id, permission) SELECT id, 'orders.ship' FROM roles WHERE code = 'staff';
INSERT INTO role_permissions (role_id, permission) SELECT id, 'orders.reopen' FROM roles WHERE code = 'staff';
INSERT INTO role_permissions (role_id, permission) SELECT id, 'orders.cancel' FROM roles WHERE code = 'staff';
INSERT INTO role_permissions (role_id, permission) SELECT id, 'records.import' FROM roles WHERE code = 'staff';
",
    down "
DELETE FROM role_permissions WHERE permission LIKE 'orders.%' OR permission = 'records.import';
DROP TABLE order_items;
DROP TABLE orders;
",
}
