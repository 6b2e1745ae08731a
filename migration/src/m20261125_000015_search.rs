//! Search texts as searches compare them since then (two spaces before each word), and an index of every three letters in a
//! row, so that no search reads a whole table.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend, Statement};

/// The tables with a search text.
const TABLES: [&str; 5] = ["customers", "products", "orders", "users", "roles"];
/// Those of them that grow without end.
const LARGE: [&str; 3] = ["customers", "products", "orders"];

/// Rows that are read at once.
const CHUNK: i64 = 1_000;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in TABLES {
            respace(manager, table, spaced).await?;
        }
        for table in LARGE {
            crate::dialect::run(manager, &index(manager.get_database_backend(), table)).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in LARGE {
            let drop = match manager.get_database_backend() {
                DbBackend::Sqlite => format!(
                    "DROP TRIGGER {table}_search_insert;\nDROP TRIGGER {table}_search_update;\n\
                     DROP TRIGGER {table}_search_delete;\nDROP TABLE {table}_search;\n"
                ),
                _ => format!("DROP INDEX IF EXISTS ix_{table}_search;\n"),
            };
            crate::dialect::run(manager, &drop).await?;
        }
        for table in TABLES {
            respace(manager, table, |text| text.replace("  ", " ").trim_start().to_owned()).await?;
        }
        Ok(())
    }
}

/// The index of a table's search text and what keeps it true. PostgreSQL allows its extension to whoever may create
/// something in the database; where it was not installed, searches find the same, by reading.
fn index(backend: DbBackend, table: &str) -> String {
    let search = format!("{table}_search");
    match backend {
        DbBackend::Sqlite => format!(
            "
CREATE VIRTUAL TABLE {search} USING fts5(search_text, content='{table}', content_rowid='id', \
                tokenize='trigram case_sensitive 1', columnsize=0);
CREATE TRIGGER {search}_insert AFTER INSERT ON {table} BEGIN \
                INSERT INTO {search} (rowid, search_text) VALUES (NEW.id, NEW.search_text); END;
CREATE TRIGGER {search}_delete AFTER DELETE ON {table} BEGIN \
                INSERT INTO {search} ({search}, rowid, search_text) VALUES ('delete', OLD.id, OLD.search_text); END;
CREATE TRIGGER {search}_update AFTER UPDATE OF search_text ON {table} WHEN OLD.search_text <> NEW.search_text BEGIN \
                INSERT INTO {search} ({search}, rowid, search_text) VALUES ('delete', OLD.id, OLD.search_text); \
                INSERT INTO {search} (rowid, search_text) VALUES (NEW.id, NEW.search_text); END;
INSERT INTO {search} ({search}) VALUES ('rebuild');
"
        ),
        _ => format!(
            "
DO $$ BEGIN CREATE EXTENSION IF NOT EXISTS pg_trgm; \
                EXCEPTION WHEN OTHERS THEN RAISE WARNING 'no index for searches: %', SQLERRM; END $$;
DO $$ BEGIN IF EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm') THEN \
                CREATE INDEX ix_{search} ON {table} USING gin (search_text gin_trgm_ops); END IF; END $$;
"
        ),
    }
}

async fn respace(manager: &SchemaManager<'_>, table: &str, to: impl Fn(&str) -> String) -> Result<(), DbErr> {
    let (db, backend) = (manager.get_connection(), manager.get_database_backend());
    let [first, second] = if backend == DbBackend::Sqlite { ["?", "?"] } else { ["$1", "$2"] };
    let read = format!("SELECT id, search_text FROM {table} WHERE id > {first} ORDER BY id LIMIT {second}");
    let write = format!("UPDATE {table} SET search_text = {first} WHERE id = {second}");
    let mut last = 0_i64;
    loop {
        let rows =
            db.query_all_raw(Statement::from_sql_and_values(backend, &read, [last.into(), CHUNK.into()])).await?;
        if rows.is_empty() {
            return Ok(());
        }
        for row in rows {
            let (id, text): (i64, String) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
            last = id;
            db.execute_raw(Statement::from_sql_and_values(backend, &write, [to(&text).into(), id.into()])).await?;
        }
    }
}

/// Two spaces before each word and none elsewhere.
fn spaced(folded: &str) -> String {
    let (mut text, mut within) = (String::with_capacity(folded.len() * 2), false);
    for c in folded.chars() {
        let belongs = c.is_alphanumeric();
        if belongs && !within {
            text.push_str("  ");
        }
        if !c.is_whitespace() {
            text.push(c);
        }
        within = belongs;
    }
    text
}
