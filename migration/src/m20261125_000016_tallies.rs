//! The numbers of whole tables, so that nobody has to count millions of rows: how many there are by the value of their tabs,
//! and what they come to, in two parts (above and below 10⁶) so that no sum overflows. Triggers keep them true.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

/// Each table with its tabs and its amount.
const TALLIED: [[&str; 3]; 3] = [["customers", "''", "0"], ["products", "''", "0"], ["orders", "status", "total"]];

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let backend = manager.get_database_backend();
        // PostgreSQL's writers add rows, which are added up later, instead of waiting for each other at one.
        let key = if backend == DbBackend::Sqlite { ",\n    PRIMARY KEY (resource, tab)" } else { "" };
        let table = format!(
            "
CREATE TABLE tallies (
    resource {{key}} NOT NULL,
    tab {{key}} NOT NULL,
    counted BIGINT NOT NULL,
    above BIGINT NOT NULL,
    below BIGINT NOT NULL{key}
);
"
        );
        crate::dialect::run(manager, &table).await?;
        for [table, tab, amount] in TALLIED {
            let triggers = match backend {
                DbBackend::Sqlite => on_sqlite(table, tab, amount),
                _ => on_postgres(table, tab, amount),
            };
            let count = format!(
                "INSERT INTO tallies (resource, tab, counted, above, below) SELECT '{table}', {tab}, COUNT(*), \
                 SUM({amount} / 1000000), SUM({amount} % 1000000) FROM {table} GROUP BY {tab};\n"
            );
            // GROUP BY takes a constant for the place of a column on PostgreSQL.
            let count = count.replace("GROUP BY ''", "HAVING COUNT(*) > 0");
            crate::dialect::run(manager, &format!("{triggers}{count}")).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for [table, ..] in TALLIED {
            let drop = match manager.get_database_backend() {
                DbBackend::Sqlite => ["insert", "update", "delete"]
                    .map(|event| format!("DROP TRIGGER IF EXISTS {table}_tally_{event};\n"))
                    .concat(),
                _ => ["insert", "update", "delete"]
                    .map(|event| {
                        format!(
                            "DROP TRIGGER {table}_tally_{event} ON {table};\nDROP FUNCTION {table}_tally_{event}();\n"
                        )
                    })
                    .concat(),
            };
            crate::dialect::run(manager, &drop).await?;
        }
        crate::dialect::run(manager, "DROP TABLE tallies;\n").await
    }
}

/// One row of numbers by tab, changed with every row of the table.
fn on_sqlite(table: &str, tab: &str, amount: &str) -> String {
    let of = |row: &str| {
        let tab = if tab.starts_with('\'') { tab.to_owned() } else { format!("{row}.{tab}") };
        let amount = if amount == "0" { amount.to_owned() } else { format!("{row}.{amount}") };
        (tab, amount)
    };
    let add = |row: &str, sign: &str| {
        let (tab, amount) = of(row);
        format!(
            "INSERT INTO tallies (resource, tab, counted, above, below) VALUES ('{table}', {tab}, {sign}1, \
             {sign}({amount} / 1000000), {sign}({amount} % 1000000)) ON CONFLICT (resource, tab) DO UPDATE SET \
             counted = counted + excluded.counted, above = above + excluded.above, below = below + excluded.below;"
        )
    };
    let (come, gone) = (add("NEW", ""), add("OLD", "-"));
    // A table without tabs and amount has no numbers that an update could change.
    let moved = match amount {
        "0" => String::new(),
        _ => format!(
            "CREATE TRIGGER {table}_tally_update AFTER UPDATE OF {tab}, {amount} ON {table} \
             WHEN OLD.{tab} <> NEW.{tab} OR OLD.{amount} <> NEW.{amount} BEGIN {gone} {come} END;\n"
        ),
    };
    format!(
        "CREATE TRIGGER {table}_tally_insert AFTER INSERT ON {table} BEGIN {come} END;\n\
         CREATE TRIGGER {table}_tally_delete AFTER DELETE ON {table} BEGIN {gone} END;\n{moved}"
    )
}

/// Rows of numbers that are added up by tab, one or two for each statement that changes the table.
fn on_postgres(table: &str, tab: &str, amount: &str) -> String {
    let add = |rows: &str| {
        format!(
            "INSERT INTO tallies (resource, tab, counted, above, below) \
             SELECT '{table}', tab, SUM(counted), SUM(above), SUM(below) FROM ({rows}) AS changed GROUP BY tab \
             HAVING SUM(counted) <> 0 OR SUM(above) <> 0 OR SUM(below) <> 0;"
        )
    };
    let of = |rows: &str, sign: &str| {
        format!(
            "SELECT {tab} AS tab, {sign}1 AS counted, {sign}({amount} / 1000000) AS above, \
             {sign}({amount} % 1000000) AS below FROM {rows}"
        )
    };
    let (come, gone) = (of("come", ""), of("gone", "-"));
    let events = [
        ("insert", "NEW TABLE AS come", add(&come)),
        ("delete", "OLD TABLE AS gone", add(&gone)),
        ("update", "OLD TABLE AS gone NEW TABLE AS come", add(&format!("{gone} UNION ALL {come}"))),
    ];
    let triggers = events.map(|(event, tables, add)| {
        let name = format!("{table}_tally_{event}");
        format!(
            "CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {add} RETURN NULL; END $$;\n\
             CREATE TRIGGER {name} AFTER {event} ON {table} REFERENCING {tables} FOR EACH STATEMENT \
             EXECUTE FUNCTION {name}();\n"
        )
    });
    triggers.concat()
}
