//! Products, and who may do what with them. Prices are units of 10⁻⁴, rates units of 10⁻² percent.

crate::step! {
    up "
CREATE TABLE products (
    id {id},
    version BIGINT NOT NULL,
    sku TEXT NOT NULL,
    sku_key {key} NOT NULL,
    name TEXT NOT NULL,
    name_key {key} NOT NULL,
    description TEXT,
    category {key},
    unit TEXT NOT NULL,
    price BIGINT NOT NULL,
    tax_rate BIGINT NOT NULL,
    barcode TEXT,
    is_active BOOLEAN NOT NULL,
    search_text TEXT NOT NULL,
    created_at {time} NOT NULL,
    updated_at {time} NOT NULL,
    CONSTRAINT ck_products_name CHECK (length(name) BETWEEN 1 AND 200),
    CONSTRAINT ck_products_sku CHECK (length(sku) BETWEEN 1 AND 40),
    CONSTRAINT ck_products_price CHECK (price >= 0),
    CONSTRAINT ck_products_tax_rate CHECK (tax_rate BETWEEN 0 AND 10000)
);
CREATE UNIQUE INDEX uq_products_sku ON products (sku_key);
CREATE INDEX ix_products_name ON products (name_key, id);
CREATE INDEX ix_products_category ON products (category, id);
CREATE INDEX ix_products_price ON products (price, id);
CREATE INDEX ix_products_created ON products (created_at, id);
CREATE INDEX ix_products_updated ON products (updated_at, id);
INSERT INTO role_permissions (role_id, permission)
    SELECT id, 'products.view' FROM roles WHERE code IN ('staff', 'viewer');
INSERT INTO role_permissions (role_id, permission) SELECT id, 'products.add' FROM roles WHERE code = 'staff';
INSERT INTO role_permissions (role_id, permission) SELECT id, 'products.change' FROM roles WHERE code = 'staff';
INSERT INTO role_permissions (role_id, permission) SELECT id, 'products.delete' FROM roles WHERE code = 'staff';
",
    down "
DELETE FROM role_permissions WHERE permission LIKE 'products.%';
DROP TABLE products;
",
}
