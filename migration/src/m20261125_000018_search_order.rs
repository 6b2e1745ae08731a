//! The usual order of customers and products also holds what is searched, on SQLite, so that the first matches are found along
//! it without reading a row. An entry of an index has no room for every search text on PostgreSQL.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

const TABLES: [&str; 2] = ["customers", "products"];

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ordered_by(manager, "name_key, id, search_text").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ordered_by(manager, "name_key, id").await
    }
}

async fn ordered_by(manager: &SchemaManager<'_>, columns: &str) -> Result<(), DbErr> {
    if manager.get_database_backend() != DbBackend::Sqlite {
        return Ok(());
    }
    for table in TABLES {
        let index = format!("ix_{table}_name");
        let anew = format!("DROP INDEX {index};\nCREATE INDEX {index} ON {table} ({columns});\n");
        crate::dialect::run(manager, &anew).await?;
    }
    Ok(())
}
