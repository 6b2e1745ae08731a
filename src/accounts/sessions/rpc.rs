//! What the page of sessions asks the server.

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
#[cfg(feature = "ssr")]
use tower_sessions::Session;

use crate::access::people::SessionLine;
#[cfg(feature = "ssr")]
use crate::access::session::{Entity, listed_id};
use crate::base::wire::JsonText;
use crate::base::{Error, Result};
#[cfg(feature = "ssr")]
use crate::server::web::{access, led_back, part};

/// Who is signed in, the latest used first.
#[server(prefix = "/-", endpoint = "sessions/list", input = GetUrl, output = JsonText)]
pub async fn list_sessions() -> Result<Vec<SessionLine>, Error> {
    let access = access().await?;
    Entity::list(&access, None, part::<Session>().ok().as_ref().and_then(listed_id).as_deref()).await
}

/// Ends a session and leads back to `back`.
#[server(prefix = "/-", endpoint = "sessions/end", output = JsonText)]
pub async fn end_session(id: String, back: String) -> Result<(), Error> {
    Entity::end(&access().await?, &id).await.map(|()| led_back(&back))
}
