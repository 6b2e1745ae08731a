//! What the server leaves in the context of a page for components to find. In the browser none of it is there.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::base::Error;
use crate::base::form::Typed;

/// Light, dark, or what the system says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Theme {
    #[default]
    System,
    Light,
    Dark,
}

impl Theme {
    /// The theme of this name; the system's for any other.
    pub fn parse(name: &str) -> Self {
        match name {
            "light" => Theme::Light,
            "dark" => Theme::Dark,
            _ => Theme::System,
        }
    }

    pub const fn name(self) -> &'static str {
        match self {
            Theme::System => "system",
            Theme::Light => "light",
            Theme::Dark => "dark",
        }
    }
}

/// A form that was sent without JavaScript and refused: shown again with its errors and what was typed.
#[derive(Debug, Clone)]
pub struct FailedForm {
    /// The address the form was sent to.
    pub action: String,
    pub error: Error,
    pub typed: Typed,
}

/// What the answer to a form tells this once, and nothing ever tells again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revealed {
    pub title: String,
    /// What to do with it.
    pub note: String,
    pub secrets: Vec<String>,
}

/// What was done by the form that led to a page, and the request that did it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Done {
    /// In one word, such as `Saved`.
    pub what: String,
    pub request: String,
}

impl Done {
    /// The cookie that carries it to the next page.
    pub const COOKIE: &'static str = "kontor_done";

    /// As the cookie carries it.
    pub fn written(&self) -> String {
        format!("{}.{}", self.what, self.request)
    }

    /// Whether a cookie can carry it.
    pub fn is_plain(&self) -> bool {
        !self.request.is_empty()
            && self.request.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    }

    /// What a cookie carries.
    pub fn parse(cookie: &str) -> Option<Self> {
        let (what, request) = cookie.split_once('.')?;
        let done = Self { what: what.into(), request: request.into() };
        (done.is_plain() && what.bytes().all(|byte| byte.is_ascii_alphabetic())).then_some(done)
    }
}

/// What went wrong instead of a page.
#[derive(Debug, Clone)]
pub struct PageProblem {
    pub error: Error,
    pub request_id: String,
}

/// The address people use, without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origin(pub String);

/// The chunks of code that the page which is being drawn needs.
#[derive(Debug, Clone, Default)]
pub struct Chunks(Arc<Mutex<BTreeSet<&'static str>>>);

impl Chunks {
    pub fn need(&self, name: &'static str) {
        self.named().insert(name);
    }

    /// Those that are needed as far as the page is drawn.
    pub fn named(&self) -> MutexGuard<'_, BTreeSet<&'static str>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells the server what went wrong on the page that is being drawn: its status, and what the log should know.
#[derive(Clone)]
pub struct Report(Arc<dyn Fn(&Error) + Send + Sync>);

impl Report {
    pub fn new(report: impl Fn(&Error) + Send + Sync + 'static) -> Self {
        Self(Arc::new(report))
    }

    pub fn failed(&self, error: &Error) {
        (self.0)(error);
    }
}

impl std::fmt::Debug for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Report").finish_non_exhaustive()
    }
}
