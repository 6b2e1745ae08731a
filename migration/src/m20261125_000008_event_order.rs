//! The order in which events are read one after the other. SQLite writes events in the order of their ids; PostgreSQL hands
//! out ids before transactions commit, so there each event gets its place when it is first read.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() == DbBackend::Postgres {
            for statement in [
                "ALTER TABLE events ADD COLUMN place BIGINT",
                "CREATE UNIQUE INDEX uq_events_place ON events (place)",
                "CREATE INDEX ix_events_unplaced ON events (id) WHERE place IS NULL",
            ] {
                manager.get_connection().execute_unprepared(statement).await?;
            }
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() == DbBackend::Postgres {
            manager.get_connection().execute_unprepared("ALTER TABLE events DROP COLUMN place").await?;
        }
        Ok(())
    }
}
