//! Security events, as administrators look through them.

use serde::{Deserialize, Serialize};

use crate::base::listing::encoded;
use crate::base::time::Moment;

pub mod pages;
#[cfg(feature = "ssr")]
pub mod query;
pub mod rpc;

/// The page.
pub const PATH: &str = "/admin/security";

/// Which events are shown, as the address says it. A blank filters nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventFilter {
    pub kind: String,
    /// The e-mail of an account, whole.
    pub account: String,
    pub address: String,
    /// A day or a moment, in the zone of who asks.
    pub from: String,
    pub to: String,
    /// The cursor: only events before this one.
    pub before: String,
}

impl EventFilter {
    /// Every parameter with its value, in the order of the form; the cursor comes last.
    pub fn pairs(&self) -> [(&'static str, &str); 6] {
        [
            ("kind", &self.kind),
            ("account", &self.account),
            ("address", &self.address),
            ("from", &self.from),
            ("to", &self.to),
            ("before", &self.before),
        ]
    }

    /// The address of the page with this filter, from `before` on.
    pub fn href(&self, before: &str) -> String {
        let at = Self { before: before.to_owned(), ..self.clone() };
        let said = at.pairs().into_iter().filter(|(_, value)| !value.is_empty());
        let query = said.map(|(name, value)| format!("{name}={}", encoded(value))).collect::<Vec<_>>().join("&");
        if query.is_empty() { PATH.to_owned() } else { format!("{PATH}?{query}") }
    }
}

/// A security event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecurityEvent {
    pub at: Moment,
    /// What happened, as people call it.
    pub label: String,
    /// How often, and when the last time, when it is one row for many.
    pub repeated: Option<(i64, Moment)>,
    pub account: String,
    pub actor: String,
    pub address: String,
    pub request_id: String,
    pub detail: String,
}

/// A page of them, the latest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecurityEvents {
    pub filter: EventFilter,
    /// The kinds to choose from: name and label.
    pub kinds: Vec<(String, String)>,
    pub events: Vec<SecurityEvent>,
    /// The cursor of the next page, if there is one.
    pub next: Option<String>,
}
