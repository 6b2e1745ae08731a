//! Roles, as administrators edit them: a matrix of permissions.

use serde::{Deserialize, Serialize};

use crate::access::permission::Catalogue;
use crate::base::record::Row;
use crate::history::Detail;

/// The server's side of the pages.
#[cfg(feature = "ssr")]
pub mod desk;
pub mod pages;
pub mod rpc;

/// What the form of a new role starts with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleStart {
    pub once: String,
    pub catalogue: Catalogue,
}

/// A role beside everything that can be permitted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RoleDesk {
    pub detail: Detail<Row>,
    pub catalogue: Catalogue,
}
