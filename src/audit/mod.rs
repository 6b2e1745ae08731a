//! The log of the house: everything that everybody did, for whoever may see the history.

use serde::{Deserialize, Serialize};

use crate::base::listing::encoded;
use crate::base::time::Moment;
use crate::history::Event;

/// The door for files.
#[cfg(feature = "ssr")]
pub mod door;
/// The log as it is read.
#[cfg(feature = "ssr")]
pub mod log;
pub mod pages;
pub mod rpc;

/// The page of the log.
pub const PATH: &str = "/admin/log";

/// What is asked of the log, as the address says it. A blank asks for nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// The name of who did it.
    pub person: String,
    pub resource: String,
    pub command: String,
    pub door: String,
    /// A day, or a moment; in the zone of who asks, unless it says its own.
    pub from: String,
    pub to: String,
    /// Only what was done in one request.
    pub request: String,
    /// Where a walk goes on.
    pub after: String,
}

impl Asked {
    /// Every parameter with its value, in the order of the form.
    pub fn pairs(&self) -> [(&'static str, &str); 8] {
        [
            ("person", &self.person),
            ("resource", &self.resource),
            ("command", &self.command),
            ("door", &self.door),
            ("from", &self.from),
            ("to", &self.to),
            ("request", &self.request),
            ("after", &self.after),
        ]
    }

    /// The text form, without what is blank.
    pub fn query_string(&self) -> String {
        let said = self.pairs().into_iter().filter(|(_, value)| !value.is_empty());
        said.map(|(name, value)| format!("{name}={}", encoded(value))).collect::<Vec<_>>().join("&")
    }

    /// The page that shows it.
    pub fn href(&self) -> String {
        match self.query_string() {
            query if query.is_empty() => PATH.to_owned(),
            query => format!("{PATH}?{query}"),
        }
    }

    /// The same from its beginning.
    pub fn from_start(&self) -> Self {
        Self { after: String::new(), ..self.clone() }
    }

    /// Whether anything narrows the log.
    pub fn is_narrowed(&self) -> bool {
        self.pairs().iter().any(|(name, value)| *name != "after" && !value.is_empty())
    }
}

/// An event with the record it happened to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    pub resource: String,
    pub record: i64,
    /// Its page, where it has one.
    pub href: Option<String>,
    pub event: Event,
}

/// What was done in one request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Group {
    pub request: String,
    pub at: Moment,
    pub actor: String,
    pub door: String,
    /// Some of its events, the latest first.
    pub entries: Vec<Entry>,
    /// How many there are, up to [`MANY`]; what is over that is not counted.
    pub count: usize,
}

/// How far the events of one request are counted.
pub const MANY: usize = 1_000;

/// A part of the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Log {
    /// What was asked for.
    pub asked: Asked,
    pub groups: Vec<Group>,
    /// What the next part is asked by, when there is one.
    pub next: Option<String>,
    /// How far back it was looked, where that is not the beginning: the next part looks further.
    pub looked_to: Option<Moment>,
    /// Who may have done something.
    pub people: Vec<String>,
    /// What there is.
    pub resources: Vec<String>,
}

/// Commands that are offered; others can be typed.
pub const COMMANDS: [&str; 11] =
    ["create", "change", "delete", "place", "ship", "reopen", "cancel", "restore", "undo", "import", "set_password"];

/// The doors.
pub const DOORS: [(&str, &str); 4] =
    [("web", "Web app"), ("api", "API"), ("cli", "Command line"), ("import", "Import")];
