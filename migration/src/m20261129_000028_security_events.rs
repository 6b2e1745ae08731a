//! Security events: who signed in or tried to, and what was done about ways in.

crate::step! {
    up "
CREATE TABLE security_events (
    id {id},
    at {time} NOT NULL,
    last_at {time} NOT NULL,
    count BIGINT NOT NULL,
    kind {key} NOT NULL,
    account TEXT NOT NULL,
    account_key {key} NOT NULL,
    actor TEXT NOT NULL,
    address {key} NOT NULL,
    request_id TEXT NOT NULL,
    detail TEXT NOT NULL
);
CREATE INDEX ix_security_events_at ON security_events (at);
",
    down "
DROP TABLE security_events;
",
}
