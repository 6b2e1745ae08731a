//! What the page of security events asks the server.

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;

use super::SecurityEvents;
#[cfg(feature = "ssr")]
use super::query;
use crate::base::wire::JsonText;
use crate::base::{Error, Result};
#[cfg(feature = "ssr")]
use crate::server::web::access;

/// The security events that `query` describes, the latest first.
#[server(prefix = "/-", endpoint = "security/list", input = GetUrl, output = JsonText)]
pub async fn list_security_events(query: String) -> Result<SecurityEvents, Error> {
    query::read(&access().await?, &query).await
}
