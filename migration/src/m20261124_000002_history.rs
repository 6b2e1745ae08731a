//! What changed: the event log, the one-time keys of forms, and the series codes are drawn from.

crate::step! {
    up "
CREATE TABLE events (
    id {id},
    at {time} NOT NULL,
    actor_kind TEXT NOT NULL,
    actor_id BIGINT,
    actor_name TEXT NOT NULL,
    door TEXT NOT NULL,
    request_id TEXT NOT NULL,
    resource {key} NOT NULL,
    record_id BIGINT NOT NULL,
    command TEXT NOT NULL,
    reason TEXT,
    version_before BIGINT,
    version_after BIGINT,
    changes {json} NOT NULL
);
CREATE INDEX ix_events_record ON events (resource, record_id, id);
CREATE TABLE form_keys (
    key {key} NOT NULL PRIMARY KEY,
    user_id BIGINT NOT NULL,
    resource {key} NOT NULL,
    record_id BIGINT NOT NULL,
    created_at {time} NOT NULL,
    CONSTRAINT fk_form_keys_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE INDEX ix_form_keys_created ON form_keys (created_at);
CREATE TABLE number_series (
    name {key} NOT NULL PRIMARY KEY,
    last BIGINT NOT NULL
);
",
    down "
DROP TABLE number_series;
DROP TABLE form_keys;
DROP TABLE events;
",
}
