//! What the server leaves in the context of a page for components to find. In the browser none of it is there.

use std::sync::Arc;

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

/// What went wrong instead of a page.
#[derive(Debug, Clone)]
pub struct PageProblem {
    pub error: Error,
    pub request_id: String,
}

/// The address people use, without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origin(pub String);

/// Tells the browser which chunk of code the page that is being drawn needs.
#[derive(Clone)]
pub struct Announce(Arc<dyn Fn(&str) + Send + Sync>);

impl Announce {
    pub fn new(announce: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Arc::new(announce))
    }

    pub fn chunk(&self, name: &str) {
        (self.0)(name);
    }
}

impl std::fmt::Debug for Announce {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Announce").finish_non_exhaustive()
    }
}

/// Sets the status of the page that is being drawn.
#[derive(Clone)]
pub struct SetStatus(Arc<dyn Fn(u16) + Send + Sync>);

impl SetStatus {
    pub fn new(set: impl Fn(u16) + Send + Sync + 'static) -> Self {
        Self(Arc::new(set))
    }

    pub fn set(&self, status: u16) {
        (self.0)(status);
    }
}
