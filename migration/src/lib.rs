//! The history of Kontor's schema, one file per step. A step that was released is never edited.
//!
//! Steps are plain SQL with a few words that differ between the databases (see [`dialect`]). Names carry meaning: a
//! unique index is `uq_<table>_<field>` and a check is `ck_<table>_<field>`, and the server turns their violation into
//! an error at that field.

pub use sea_orm_migration::{MigrationTrait, MigratorTrait, SchemaManager};

mod dialect;
mod m20261124_000001_access;
mod m20261124_000002_history;
mod m20261124_000003_customers;
mod m20261124_000004_products;
mod m20261124_000005_orders;
mod m20261124_000006_imports;
mod m20261125_000007_idempotency;
mod m20261125_000008_event_order;
mod m20261125_000009_event_chain;
mod m20261125_000010_access;
mod m20261125_000011_admin_runs;
mod m20261125_000012_settings;
mod m20261125_000015_search;
mod m20261125_000016_tallies;
mod m20261125_000017_order_indexes;
mod m20261125_000018_search_order;
mod m20261128_000019_event_texts;
mod m20261128_000020_search_heads;
mod m20261129_000021_readiness;
mod m20261129_000022_schema_requirement;
mod m20261129_000024_import_parts;
mod m20261129_000025_narrow_ways;
mod m20261129_000026_unsealed_events;
mod m20261129_000027_import_work;
mod m20261129_000028_security_events;

/// Applies and takes back the steps in order.
pub struct Migrator;

#[sea_orm_migration::async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn sea_orm_migration::MigrationTrait>> {
        vec![
            Box::new(m20261124_000001_access::Migration),
            Box::new(m20261124_000002_history::Migration),
            Box::new(m20261124_000003_customers::Migration),
            Box::new(m20261124_000004_products::Migration),
            Box::new(m20261124_000005_orders::Migration),
            Box::new(m20261124_000006_imports::Migration),
            Box::new(m20261125_000007_idempotency::Migration),
            Box::new(m20261125_000008_event_order::Migration),
            Box::new(m20261125_000009_event_chain::Migration),
            Box::new(m20261125_000010_access::Migration),
            Box::new(m20261125_000011_admin_runs::Migration),
            Box::new(m20261125_000012_settings::Migration),
            Box::new(m20261125_000015_search::Migration),
            Box::new(m20261125_000016_tallies::Migration),
            Box::new(m20261125_000017_order_indexes::Migration),
            Box::new(m20261125_000018_search_order::Migration),
            Box::new(m20261128_000019_event_texts::Migration),
            Box::new(m20261128_000020_search_heads::Migration),
            Box::new(m20261129_000021_readiness::Migration),
            Box::new(m20261129_000022_schema_requirement::Migration),
            Box::new(m20261129_000024_import_parts::Migration),
            Box::new(m20261129_000025_narrow_ways::Migration),
            Box::new(m20261129_000026_unsealed_events::Migration),
            Box::new(m20261129_000027_import_work::Migration),
            Box::new(m20261129_000028_security_events::Migration),
        ]
    }
}
