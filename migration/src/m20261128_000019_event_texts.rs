//! What an event changed is kept as the text it was sealed with, on PostgreSQL too: `JSONB` has an order of its own, and
//! making text of it again cost more than all the rest of verifying the chain. Nothing looks into it by SQL.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        kept_as(manager, "TEXT").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        kept_as(manager, "JSONB").await
    }
}

async fn kept_as(manager: &SchemaManager<'_>, kind: &str) -> Result<(), DbErr> {
    if manager.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    let anew = format!("ALTER TABLE events ALTER COLUMN changes TYPE {kind} USING changes::{kind};\n");
    crate::dialect::run(manager, &anew).await
}
