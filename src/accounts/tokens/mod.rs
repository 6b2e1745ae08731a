//! API tokens, of everybody and of one person.

use serde::{Deserialize, Serialize};

use crate::access::permission::Catalogue;

/// The server's side of the pages.
#[cfg(feature = "ssr")]
pub mod desk;
pub mod pages;
pub mod rpc;

/// What the form of a new token starts with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenStart {
    /// Whom it can act for: id and name. Empty for one's own.
    pub people: Vec<(i64, String)>,
    /// What its scope can be chosen from.
    pub catalogue: Catalogue,
    /// Whether the form asks for the password of who makes it.
    pub asks_password: bool,
}
