//! What the admin area asks the server: one expression each.

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;

use super::{Files, Kind, Part, Question, Run, Setting, Table};
#[cfg(feature = "ssr")]
use super::{data, health, question, run, settings, table};
use crate::base::Error;
use crate::base::form::Typed;
use crate::base::wire::JsonText;

/// Every resource the person may see.
#[server(prefix = "/-", endpoint = "admin/overview", input = GetUrl, output = JsonText)]
pub async fn admin_overview() -> Result<Vec<Kind>, Error> {
    table::overview().await
}

/// One page of the list of `resource` that `query` describes.
#[server(prefix = "/-", endpoint = "admin/table", input = GetUrl, output = JsonText)]
pub async fn admin_table(resource: String, query: String) -> Result<Table, Error> {
    table::table(&resource, &query).await
}

/// What is asked before doing what `query` says to the records it names.
#[server(prefix = "/-", endpoint = "admin/question", input = GetUrl, output = JsonText)]
pub async fn admin_question(resource: String, query: String) -> Result<Question, Error> {
    question::question(&resource, &query).await
}

/// Does something to many records, and leads to what became of them.
#[server(prefix = "/-", endpoint = "admin/act", output = JsonText)]
pub async fn admin_act(resource: String, form: Typed) -> Result<(), Error> {
    question::act(&resource, &form).await
}

/// What became of the records of a run.
#[server(prefix = "/-", endpoint = "admin/run", input = GetUrl, output = JsonText)]
pub async fn admin_run(id: String) -> Result<Run, Error> {
    run::read(&id).await
}

/// How the house is.
#[server(prefix = "/-", endpoint = "admin/health", input = GetUrl, output = JsonText)]
pub async fn admin_health() -> Result<Vec<Part>, Error> {
    health::health().await
}

/// All settings of the house.
#[server(prefix = "/-", endpoint = "admin/settings", input = GetUrl, output = JsonText)]
pub async fn admin_settings() -> Result<Vec<Setting>, Error> {
    settings::settings().await
}

/// Changes settings while the server runs.
#[server(prefix = "/-", endpoint = "admin/set", output = JsonText)]
pub async fn admin_set(form: Typed) -> Result<(), Error> {
    settings::save(&form).await
}

/// What reads and writes whole files.
#[server(prefix = "/-", endpoint = "admin/data", input = GetUrl, output = JsonText)]
pub async fn admin_data() -> Result<Files, Error> {
    data::files().await
}

/// Fills an empty house with a small company to try things on.
#[server(prefix = "/-", endpoint = "admin/demo", output = JsonText)]
pub async fn admin_demo() -> Result<(), Error> {
    data::demo().await
}
