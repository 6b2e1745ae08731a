//! People and service accounts, as administrators look after them.

use serde::{Deserialize, Serialize};

use crate::access::part::Lines;
use crate::access::people::{SessionLine, TokenLine};
use crate::base::record::Row;
use crate::base::time::Moment;
use crate::history::Detail;

/// The server's side of the pages.
#[cfg(feature = "ssr")]
pub mod desk;
pub mod pages;
pub mod rpc;

/// A role as somebody may give it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    pub code: String,
    pub name: String,
    pub description: Option<String>,
    /// Whether who asks holds all it permits, and so may give it.
    pub may_give: bool,
}

/// What the form of a new person starts with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserStart {
    pub once: String,
    pub choices: Vec<Choice>,
}

/// A person with everything an administrator looks at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UserDesk {
    pub detail: Detail<Row>,
    pub choices: Vec<Choice>,
    pub has_second_factor: bool,
    /// Until when a link to choose a password can be used.
    pub invited_until: Option<Moment>,
    /// Absent for who may not see them.
    pub sessions: Option<Lines<SessionLine>>,
    /// Absent for who may not see them.
    pub tokens: Option<Lines<TokenLine>>,
}
