//! Customers, and who may do what with them.

crate::step! {
    up "
CREATE TABLE customers (
    id {id},
    version BIGINT NOT NULL,
    code TEXT NOT NULL,
    code_key {key} NOT NULL,
    name TEXT NOT NULL,
    name_key {key} NOT NULL,
    email TEXT,
    email_key {key},
    phone TEXT,
    tax_id TEXT,
    billing_line1 TEXT,
    billing_line2 TEXT,
    billing_city TEXT,
    billing_region TEXT,
    billing_postal_code TEXT,
    billing_country TEXT,
    shipping_line1 TEXT,
    shipping_line2 TEXT,
    shipping_city TEXT,
    shipping_region TEXT,
    shipping_postal_code TEXT,
    shipping_country TEXT,
    payment_terms_days BIGINT,
    credit_limit BIGINT,
    notes TEXT,
    is_active BOOLEAN NOT NULL,
    search_text TEXT NOT NULL,
    created_at {time} NOT NULL,
    updated_at {time} NOT NULL,
    CONSTRAINT ck_customers_name CHECK (length(name) BETWEEN 1 AND 200),
    CONSTRAINT ck_customers_code CHECK (length(code) BETWEEN 1 AND 40),
    CONSTRAINT ck_customers_credit_limit CHECK (credit_limit >= 0),
    CONSTRAINT ck_customers_payment_terms_days CHECK (payment_terms_days BETWEEN 0 AND 365)
);
CREATE UNIQUE INDEX uq_customers_code ON customers (code_key);
CREATE UNIQUE INDEX uq_customers_email ON customers (email_key);
CREATE INDEX ix_customers_name ON customers (name_key, id);
CREATE INDEX ix_customers_created ON customers (created_at, id);
CREATE INDEX ix_customers_updated ON customers (updated_at, id);
INSERT INTO role_permissions (role_id, permission)
    SELECT id, 'customers.view' FROM roles WHERE code IN ('staff', 'viewer');
INSERT INTO role_permissions (role_id, permission) SELECT id, 'customers.add' FROM roles WHERE code = 'staff';
INSERT INTO role_permissions (role_id, permission) SELECT id, 'customers.change' FROM roles WHERE code = 'staff';
INSERT INTO role_permissions (role_id, permission) SELECT id, 'customers.delete' FROM roles WHERE code = 'staff';
",
    down "
DELETE FROM role_permissions WHERE permission LIKE 'customers.%';
DROP TABLE customers;
",
}
