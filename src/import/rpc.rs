//! What the page asks the server: one expression each.

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;

use super::Desk;
#[cfg(feature = "ssr")]
use super::{door, upload};
use crate::base::form::Typed;
use crate::base::wire::JsonText;
use crate::base::{Error, Result};
#[cfg(feature = "ssr")]
use crate::server::web::{access, go};

/// The upload called `id`, or what the page is without one.
#[server(prefix = "/-", endpoint = "import/read", input = GetUrl, output = JsonText)]
pub async fn read_import(id: String) -> Result<Desk, Error> {
    door::desk(&access().await?, &expect_context(), &id, use_context()).await
}

/// Maps an upload as the form says, has it checked, and leads to where that is shown.
#[server(prefix = "/-", endpoint = "import/check", output = JsonText)]
pub async fn check_import(id: String, form: Typed) -> Result<(), Error> {
    upload::check(&expect_context(), &access().await?, &id, &form).await.map(|()| go(&format!("/import?upload={id}")))
}

/// Has an upload imported as it was last mapped, and leads to where that is shown.
#[server(prefix = "/-", endpoint = "import/run", output = JsonText)]
pub async fn run_import(id: String) -> Result<(), Error> {
    upload::carry_out(&expect_context(), &access().await?, &id).await.map(|()| go(&format!("/import?upload={id}")))
}

/// Removes an upload, and leads back to the others.
#[server(prefix = "/-", endpoint = "import/remove", output = JsonText)]
pub async fn remove_import(id: String) -> Result<(), Error> {
    upload::remove(&access().await?, &id).await.map(|()| go("/import"))
}
