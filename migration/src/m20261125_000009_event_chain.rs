//! The chain of events: each gets its place in the order of commits and a hash over the one before, on both databases by the
//! same hand; the head is kept apart, so that a tail that was cut is missed. And what the log of the house is read by.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub struct Migration;

/// PostgreSQL's events have places since the step before; SQLite's were in the order of their ids, and that stays.
const SQLITE: &str = "
ALTER TABLE events ADD COLUMN place BIGINT;
CREATE UNIQUE INDEX uq_events_place ON events (place);
CREATE INDEX ix_events_unplaced ON events (id) WHERE place IS NULL;
";

const BOTH: &str = "
ALTER TABLE events ADD COLUMN hash {key};
CREATE TABLE event_head (
    id BIGINT NOT NULL PRIMARY KEY,
    count BIGINT NOT NULL,
    hash {key} NOT NULL,
    CONSTRAINT ck_event_head_id CHECK (id = 1)
);
INSERT INTO event_head (id, count, hash)
    VALUES (1, 0, '0000000000000000000000000000000000000000000000000000000000000000');
CREATE INDEX ix_events_at ON events (at, id);
CREATE INDEX ix_events_resource ON events (resource, at, id);
CREATE INDEX ix_events_command ON events (command, at, id);
CREATE INDEX ix_events_actor ON events (actor_name, at, id);
CREATE INDEX ix_events_door ON events (door, at, id);
CREATE INDEX ix_events_request ON events (request_id, id);
";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() == DbBackend::Sqlite {
            crate::dialect::run(manager, SQLITE).await?;
        }
        crate::dialect::run(manager, BOTH).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let indexes = ["at", "resource", "command", "actor", "door", "request"];
        for index in indexes {
            crate::dialect::run(manager, &format!("DROP INDEX ix_events_{index};\n")).await?;
        }
        if manager.get_database_backend() == DbBackend::Sqlite {
            let places =
                "DROP INDEX uq_events_place;\nDROP INDEX ix_events_unplaced;\nALTER TABLE events DROP COLUMN place;\n";
            crate::dialect::run(manager, places).await?;
        }
        crate::dialect::run(manager, "ALTER TABLE events DROP COLUMN hash;\nDROP TABLE event_head;\n").await
    }
}
