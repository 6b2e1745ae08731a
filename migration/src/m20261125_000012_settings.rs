//! Settings that were changed while the server ran.

crate::step! {
    up "
CREATE TABLE settings (
    name {key} NOT NULL PRIMARY KEY,
    value TEXT NOT NULL,
    updated_at {time} NOT NULL
);
",
    down "
DROP TABLE settings;
",
}
