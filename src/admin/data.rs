//! Whole files, and the company to try things on.

use super::Files;
use super::table::{entered, may, title};
use crate::access::gate::{Access, Enter, Permission};
use crate::access::holds;
use crate::base::Result;
use crate::base::listing::{Format, ListQuery};
use crate::server::AppState;
use crate::server::live::ChangeSettings;
use crate::server::web::go;

/// What there is to take along and to bring in.
///
/// # Errors
/// `Forbidden`.
pub async fn files() -> Result<Files> {
    let (access, state) = entered().await?;
    let seen = state.managed.iter().filter(|managed| may(&access, managed, "view"));
    let exports = seen.map(|managed| {
        let file =
            |format: Format| (format.name().to_uppercase(), format!("/api/{}/?format={}", managed.name, format.name()));
        (title(managed.name), [Format::Csv, Format::Ndjson].map(file).into())
    });
    let held = |code: &str| holds(&access.caller().permissions, code);
    Ok(Files {
        exports: exports.collect(),
        may_import: held("records.import"),
        may_demo: held(&ChangeSettings::code()) && is_empty(&access, &state).await?,
    })
}

/// What is there before any company.
const HOUSE: [&str; 2] = ["users", "roles"];

async fn is_empty(access: &Access<Enter>, state: &AppState) -> Result<bool> {
    for managed in state.managed.iter().filter(|managed| !HOUSE.contains(&managed.name)) {
        if !managed.first(access, &ListQuery::default(), 1).await?.is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Loads the demo company, and leads to the first page.
///
/// # Errors
/// `Forbidden`; `Conflict` where there is a company already.
pub async fn demo() -> Result<()> {
    let (access, state) = entered().await?;
    access.also::<ChangeSettings>()?;
    (state.demo)(state.database.clone()).await?;
    go("/admin");
    Ok(())
}
