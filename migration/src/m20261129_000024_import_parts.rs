//! Uploaded files in parts, so that neither server nor database holds one whole while it arrives; and what their columns are
//! called, so that no page has to read them.

crate::step! {
    up "
CREATE TABLE import_parts (
    import_id {key} NOT NULL,
    kind {key} NOT NULL,
    part BIGINT NOT NULL,
    content {bytes} NOT NULL,
    PRIMARY KEY (import_id, kind, part),
    CONSTRAINT fk_import_parts_import FOREIGN KEY (import_id) REFERENCES imports (id) ON DELETE CASCADE
);
ALTER TABLE import_files ADD COLUMN columns {json};
ALTER TABLE imports ADD COLUMN size BIGINT NOT NULL DEFAULT 0;
ALTER TABLE imports ADD COLUMN state {key} NOT NULL DEFAULT 'ready';
ALTER TABLE imports ADD COLUMN heartbeat_at {time};
CREATE INDEX ix_imports_user ON imports (user_id);
",
    down "
DROP INDEX ix_imports_user;
ALTER TABLE imports DROP COLUMN heartbeat_at;
ALTER TABLE imports DROP COLUMN state;
ALTER TABLE imports DROP COLUMN size;
ALTER TABLE import_files DROP COLUMN columns;
DROP TABLE import_parts;
",
}
