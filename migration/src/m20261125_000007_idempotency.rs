//! Answers to requests that carried an `Idempotency-Key`, kept for a day.

crate::step! {
    up "
CREATE TABLE idempotency_keys (
    key {key} NOT NULL PRIMARY KEY,
    fingerprint {key} NOT NULL,
    claim {key} NOT NULL,
    status INTEGER,
    headers {json},
    body {bytes},
    created_at {time} NOT NULL
);
CREATE INDEX ix_idempotency_keys_created ON idempotency_keys (created_at);
",
    down "
DROP TABLE idempotency_keys;
",
}
