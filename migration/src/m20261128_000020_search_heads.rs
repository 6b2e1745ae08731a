//! The usual order of customers and products holds the beginning of what is searched on PostgreSQL too, so that the first matches
//! are found along it without reading a row. A whole search text may be longer than an entry of an index; 250 letters beside
//! the longest name are not.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

const TABLES: [&str; 2] = ["customers", "products"];

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        each(manager, |table| {
            format!(
                "ALTER TABLE {table} ADD COLUMN search_head TEXT GENERATED ALWAYS AS (left(search_text, 250)) STORED;\n\
                 DROP INDEX ix_{table}_name;\n\
                 CREATE INDEX ix_{table}_name ON {table} (name_key, id) INCLUDE (search_head);\n"
            )
        })
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        each(manager, |table| {
            format!(
                "DROP INDEX ix_{table}_name;\nALTER TABLE {table} DROP COLUMN search_head;\n\
                 CREATE INDEX ix_{table}_name ON {table} (name_key, id);\n"
            )
        })
        .await
    }
}

async fn each(manager: &SchemaManager<'_>, anew: fn(&str) -> String) -> Result<(), DbErr> {
    if manager.get_database_backend() == DbBackend::Postgres {
        for table in TABLES {
            crate::dialect::run(manager, &anew(table)).await?;
        }
    }
    Ok(())
}
