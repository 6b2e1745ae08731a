//! The server's side of the pages of roles.

use super::{RoleDesk, RoleStart};
use crate::access::gate::Access;
use crate::access::role::Entity;
use crate::base::Result;
use crate::server::calls;
use crate::server::record::{Add, OnceKey, View};
use crate::server::web::access;

/// What the form of a new role starts with.
///
/// # Errors
/// `Forbidden`.
pub async fn new() -> Result<RoleStart> {
    let access: Access<Add<Entity>> = access().await?;
    Ok(RoleStart { once: OnceKey::fresh().to_string(), catalogue: access.catalogue().clone() })
}

/// A role beside everything that can be permitted.
///
/// # Errors
/// `NotFound`.
pub async fn read(id: i64, within: &str) -> Result<RoleDesk> {
    let access: Access<View<Entity>> = access().await?;
    Ok(RoleDesk { detail: calls::read::<Entity>(id, within).await?, catalogue: access.catalogue().clone() })
}
