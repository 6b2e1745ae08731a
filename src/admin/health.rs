//! How the house is: version, database, connections, what waits, disk and memory.

use std::path::Path;

use sea_orm::{ConnectionTrait, DbBackend, Statement};

use super::table::entered;
use super::{Fact, Part};
use crate::base::Result;
use crate::server::AppState;
use crate::server::database::Database;
use crate::server::schema::StepState;

/// Free disk below which something should be done, in bytes.
const LITTLE_DISK: u64 = 1 << 30;

/// The parts of the house. A constant number of statements.
///
/// # Errors
/// `Forbidden`, or when the database does not answer.
pub async fn health() -> Result<Vec<Part>> {
    let (_, state) = entered().await?;
    Ok(vec![program(&state), stored(&state.database).await?, waiting(&state).await?, disk(&state)])
}

fn fact(name: &str, value: impl Into<String>) -> Fact {
    Fact { name: name.to_owned(), value: value.into(), is_well: true }
}

fn program(state: &AppState) -> Part {
    let up = state.started.elapsed().as_secs();
    let time = format!("{} d {} h {} min", up / 86_400, up / 3_600 % 24, up / 60 % 60);
    let mut facts = vec![fact("Version", env!("CARGO_PKG_VERSION")), fact("Running for", time)];
    if let Some(bytes) = resident() {
        facts.push(fact("Memory", size(bytes)));
    }
    Part { title: "Program".to_owned(), facts }
}

/// The memory the process holds, in bytes; nothing where the system does not say.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1_024)
}

async fn number(database: &Database, sql: &str) -> Result<u64> {
    let backend = database.reader().get_database_backend();
    let row = database.reader().query_one_raw(Statement::from_string(backend, sql)).await?;
    let value: Option<i64> = row.map(|row| row.try_get_by_index(0)).transpose()?;
    Ok(value.and_then(|value| u64::try_from(value).ok()).unwrap_or_default())
}

async fn stored(database: &Database) -> Result<Part> {
    let backend = database.reader().get_database_backend();
    let (kind, version, bytes) = match backend {
        DbBackend::Postgres => {
            ("PostgreSQL", "SELECT current_setting('server_version')", "SELECT pg_database_size(current_database())")
        }
        _ => (
            "SQLite",
            "SELECT sqlite_version()",
            "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
        ),
    };
    let row = database.reader().query_one_raw(Statement::from_string(backend, version)).await?;
    let version: Option<String> = row.map(|row| row.try_get_by_index(0)).transpose()?;
    let schema = database.schema().await?;
    let (missing, unknown) = (schema.count(StepState::Missing), schema.count(StepState::Unknown));
    let pool = database.connections();
    Ok(Part {
        title: "Database".to_owned(),
        facts: vec![
            fact("Kind", format!("{kind} {}", version.unwrap_or_default())),
            fact("Size", size(number(database, bytes).await?)),
            Fact {
                name: "Schema".to_owned(),
                value: match (missing, unknown) {
                    (0, 0) => format!("up to date, {} steps", schema.steps.len()),
                    (0, unknown) => format!("ahead of this release by {unknown} steps"),
                    (missing, _) => format!("{missing} of {} steps are missing", schema.steps.len()),
                },
                is_well: missing == 0 && schema.accept().is_ok(),
            },
            fact("Connections", format!("{} open, {} of them idle", pool.open, pool.idle)),
        ],
    })
}

async fn waiting(state: &AppState) -> Result<Part> {
    let database = &state.database;
    let count = async |sql: &str| number(database, sql).await.map(|count| count.to_string());
    Ok(Part {
        title: "Waiting and kept".to_owned(),
        facts: vec![
            fact("Open sessions", count("SELECT COUNT(*) FROM sessions WHERE user_id IS NOT NULL").await?),
            fact("Uploads that wait to be imported", count("SELECT COUNT(*) FROM imports WHERE NOT is_done").await?),
            fact("Idempotency keys", count("SELECT COUNT(*) FROM idempotency_keys").await?),
            fact("Statements since the start", database.statements().to_string()),
        ],
    })
}

fn disk(state: &AppState) -> Part {
    let place = state.settings.database_url.strip_prefix("sqlite:").map(|file| {
        let file = file.split('?').next().unwrap_or_default();
        Path::new(file).parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
    });
    let place = place.unwrap_or_else(std::env::temp_dir);
    let facts = match rustix::fs::statvfs(&place) {
        Ok(about) => {
            let (free, all) = (about.f_bavail * about.f_frsize, about.f_blocks * about.f_frsize);
            vec![Fact {
                name: "Free".to_owned(),
                value: format!("{} of {}", size(free), size(all)),
                is_well: free > LITTLE_DISK,
            }]
        }
        Err(_) => vec![Fact { name: "Free".to_owned(), value: "not known".to_owned(), is_well: false }],
    };
    Part { title: "Disk".to_owned(), facts }
}

/// Bytes as people read them.
fn size(bytes: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut value, mut unit) = (bytes, 0);
    while value >= 10 * 1_024 && unit + 1 < units.len() {
        value /= 1_024;
        unit += 1;
    }
    format!("{value} {}", units.get(unit).copied().unwrap_or_default())
}
