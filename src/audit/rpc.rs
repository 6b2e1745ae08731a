//! What the page asks the server: one expression.

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;

use super::Log;
#[cfg(feature = "ssr")]
use super::log;
use crate::base::wire::JsonText;
use crate::base::{Error, Result};
#[cfg(feature = "ssr")]
use crate::server::web::access;

/// The part of the log that `query` describes.
#[server(prefix = "/-", endpoint = "audit/log", input = GetUrl, output = JsonText)]
pub async fn read_log(query: String) -> Result<Log, Error> {
    log::read(&access().await?, &expect_context(), &query).await
}
