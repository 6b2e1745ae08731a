//! What the page of sessions asks the server.

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;

use crate::access::part::Lines;
#[cfg(feature = "ssr")]
use crate::access::part::Part;
use crate::access::people::SessionLine;
#[cfg(feature = "ssr")]
use crate::access::session::Entity;
use crate::base::wire::JsonText;
use crate::base::{Error, Result};
#[cfg(feature = "ssr")]
use crate::server::web::{access, current_session, led_back};

/// Who is signed in, the latest used first.
#[server(prefix = "/-", endpoint = "sessions/list", input = GetUrl, output = JsonText)]
pub async fn list_sessions(query: String) -> Result<Lines<SessionLine>, Error> {
    Entity::list(&access().await?, Part::parse(&query)?, current_session().as_deref()).await
}

/// Ends all sessions but the one that asks and those of people who may more, and leads back.
#[server(prefix = "/-", endpoint = "sessions/end-others", output = JsonText)]
pub async fn end_other_sessions() -> Result<u64, Error> {
    let ended = Entity::end_others(&access().await?, current_session().as_deref()).await?;
    led_back("/admin/sessions");
    Ok(ended)
}

/// Ends a session and leads back to `back`.
#[server(prefix = "/-", endpoint = "sessions/end", output = JsonText)]
pub async fn end_session(id: String, back: String) -> Result<(), Error> {
    Entity::end(&access().await?, &id).await.map(|()| led_back(&back))
}
