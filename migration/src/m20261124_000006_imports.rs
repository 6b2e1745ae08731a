//! Files that were uploaded to be imported, kept for a day while a person maps and checks them.

crate::step! {
    up "
CREATE TABLE imports (
    id {key} NOT NULL PRIMARY KEY,
    user_id BIGINT NOT NULL,
    choices {json} NOT NULL,
    report {json},
    is_done BOOLEAN NOT NULL,
    created_at {time} NOT NULL,
    CONSTRAINT fk_imports_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE INDEX ix_imports_created ON imports (created_at);
CREATE TABLE import_files (
    import_id {key} NOT NULL,
    kind {key} NOT NULL,
    name TEXT NOT NULL,
    content {bytes} NOT NULL,
    PRIMARY KEY (import_id, kind),
    CONSTRAINT fk_import_files_import FOREIGN KEY (import_id) REFERENCES imports (id) ON DELETE CASCADE
);
",
    down "
DROP TABLE import_files;
DROP TABLE imports;
",
}
