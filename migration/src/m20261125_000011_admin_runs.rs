//! What was done to many records at once in the admin area, with a result for each.

crate::step! {
    up "
CREATE TABLE admin_runs (
    id {key} NOT NULL PRIMARY KEY,
    user_id BIGINT NOT NULL,
    resource {key} NOT NULL,
    what TEXT NOT NULL,
    written BOOLEAN NOT NULL,
    record TEXT NOT NULL,
    request_id TEXT NOT NULL,
    outcomes {json} NOT NULL,
    created_at {time} NOT NULL,
    CONSTRAINT fk_admin_runs_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE INDEX ix_admin_runs_created ON admin_runs (created_at);
CREATE INDEX ix_admin_runs_user ON admin_runs (user_id);
",
    down "
DROP TABLE admin_runs;
",
}
