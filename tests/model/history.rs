//! What clients asked and what they were told, in the order in which it happened.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use kontor::orders::Command;
use serde_json::Value;

use crate::support::Answer;

/// A record, by the name of its resource and its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    pub resource: &'static str,
    pub id: i64,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.resource, self.id)
    }
}

/// From when a request was sent until it was answered, in ticks of the history's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub sent: u64,
    pub answered: u64,
}

impl Span {
    /// The span from the first of these requests to the last.
    pub fn over(self, other: Self) -> Self {
        Self { sent: self.sent.min(other.sent), answered: self.answered.max(other.answered) }
    }

    /// Whether both were under way at one moment.
    pub fn overlaps(self, other: Self) -> bool {
        self.sent < other.answered && other.sent < self.answered
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}–{}", self.sent, self.answered)
    }
}

/// What a request is meant to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Intent {
    Read,
    /// Reads a page of a list; the pages of one walk by cursor share a number.
    List {
        walk: Option<u64>,
    },
    Create,
    Change,
    Delete,
    Command(Command),
    Restore,
    /// Undoes everything that was done in the request with this id.
    Undo(String),
    /// Carries out several rows in one transaction.
    Bulk(Vec<Row>),
    /// A step of an import: the upload, the dry run, or the import itself.
    Import,
    Settings,
}

impl Intent {
    pub const ALL: [&'static str; 11] =
        ["read", "list", "create", "change", "delete", "command", "restore", "undo", "bulk", "import", "settings"];

    pub fn name(&self) -> &'static str {
        match self {
            Intent::Read => "read",
            Intent::List { .. } => "list",
            Intent::Create => "create",
            Intent::Change => "change",
            Intent::Delete => "delete",
            Intent::Command(_) => "command",
            Intent::Restore => "restore",
            Intent::Undo(_) => "undo",
            Intent::Bulk(_) => "bulk",
            Intent::Import => "import",
            Intent::Settings => "settings",
        }
    }
}

/// One row of a bulk request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Absent for a new record.
    pub record: Option<Key>,
    /// The version the row was decided on.
    pub named: Option<i64>,
}

/// A request, and what the checks must know of it.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: &'static str,
    /// A form where it begins with `/-/`, else a call over the API.
    pub path: String,
    pub intent: Intent,
    /// The record it is about, where that is a single one; of a line, its order.
    pub record: Option<Key>,
    /// The line of the order it is about.
    pub line: Option<i64>,
    /// The version it was decided on.
    pub named: Option<i64>,
    /// The key under which the request may be sent again: its `Idempotency-Key`, or the one-time key of a form.
    pub repetition: Option<String>,
    pub dry_run: bool,
    /// The JSON body, or the fields of the form.
    pub body: Value,
}

impl Request {
    pub fn new(method: &'static str, path: impl Into<String>, intent: Intent) -> Self {
        Self {
            method,
            path: path.into(),
            intent,
            record: None,
            line: None,
            named: None,
            repetition: None,
            dry_run: false,
            body: Value::Null,
        }
    }

    pub fn about(self, record: Key) -> Self {
        Self { record: Some(record), ..self }
    }

    pub fn at_line(self, line: i64) -> Self {
        Self { line: Some(line), ..self }
    }

    pub fn at_version(self, version: Option<i64>) -> Self {
        Self { named: version, ..self }
    }

    pub fn under(self, repetition: Option<String>) -> Self {
        Self { repetition, ..self }
    }

    pub fn dry(self, dry_run: bool) -> Self {
        Self { dry_run, ..self }
    }

    pub fn with(self, body: Value) -> Self {
        Self { body, ..self }
    }

    pub fn is_form(&self) -> bool {
        self.path.starts_with("/-/")
    }

    /// Whether it could have changed something.
    pub fn writes(&self) -> bool {
        !self.dry_run && !matches!(self.intent, Intent::Read | Intent::List { .. })
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)?;
        if let Some(version) = self.named {
            write!(f, " at v{version}")?;
        }
        if let Some(key) = &self.repetition {
            write!(f, " key {key}")?;
        }
        if self.body == Value::Null { Ok(()) } else { write!(f, " {}", self.body) }
    }
}

/// A request and its answer.
#[derive(Debug, Clone)]
pub struct Step {
    pub client: usize,
    pub server: usize,
    pub span: Span,
    pub request: Request,
    pub status: u16,
    pub request_id: String,
    /// The version in the `ETag`.
    pub version: Option<i64>,
    /// Whether it is the stored answer of an earlier request with the same `Idempotency-Key`.
    pub is_replayed: bool,
    /// The body as JSON; as text where it is none.
    pub body: Value,
}

impl Step {
    pub fn succeeded(&self) -> bool {
        (200..400).contains(&self.status)
    }

    /// The record in the answer, where there is one.
    pub fn shown(&self) -> Option<&Value> {
        if !self.succeeded() || self.request.is_form() {
            return None;
        }
        let shown = match self.request.intent {
            Intent::Read | Intent::Create | Intent::Change => &self.body,
            Intent::Command(_) => &self.body["order"],
            Intent::Restore => &self.body["record"],
            _ => return None,
        };
        shown.is_object().then_some(shown)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { span, client, server, request, status, .. } = self;
        write!(f, "{span}: client {client} to server {server}: {request} → {status}")?;
        match (self.version, &self.body) {
            _ if self.is_replayed => write!(f, " replayed"),
            (Some(version), _) => write!(f, " v{version}"),
            (None, Value::Number(id)) => write!(f, " id {id}"),
            (None, body) if !self.succeeded() => {
                write!(f, " {}", body["detail"].as_str().map_or_else(|| body.to_string(), str::to_owned))?;
                if body["errors"].is_object() { write!(f, " {}", body["errors"]) } else { Ok(()) }
            }
            (None, body) if matches!(self.request.intent, Intent::Bulk(_)) => {
                let rows = body["results"].as_array().into_iter().flatten();
                let statuses: Vec<_> = rows.map(|row| row["status"].to_string()).collect();
                write!(f, " rows {}", statuses.join(" "))
            }
            _ => Ok(()),
        }
    }
}

/// Everything that was asked so far, and what clients can find out from each other.
#[derive(Debug, Default)]
pub struct History {
    clock: AtomicU64,
    steps: Mutex<Vec<Step>>,
    records: Mutex<BTreeSet<Key>>,
}

impl History {
    /// The next tick of the clock.
    pub fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    /// Enters an answer that just came.
    pub fn enter(&self, client: usize, server: usize, sent: u64, request: Request, answer: &Answer) -> Step {
        let body = serde_json::from_str(&answer.body).unwrap_or_else(|_| Value::String(answer.body.clone()));
        let version = answer.header("etag").trim_matches('"').strip_prefix('v').and_then(|text| text.parse().ok());
        let step = Step {
            client,
            server,
            span: Span { sent, answered: self.tick() },
            request,
            status: answer.status.as_u16(),
            request_id: answer.header("x-request-id").to_owned(),
            version,
            is_replayed: answer.header("idempotency-replayed") == "true",
            body,
        };
        self.steps.lock().unwrap().push(step.clone());
        step
    }

    pub fn discover(&self, record: Key) {
        self.records.lock().unwrap().insert(record);
    }

    /// The ids that anybody came across, of records that may be gone by now.
    pub fn known(&self, resource: &str) -> Vec<i64> {
        self.records.lock().unwrap().iter().filter(|key| key.resource == resource).map(|key| key.id).collect()
    }

    /// The ids of the latest requests that changed something.
    pub fn latest_changes(&self, most: usize) -> Vec<String> {
        let steps = self.steps.lock().unwrap();
        let changes = steps.iter().rev().filter(|step| step.succeeded() && step.request.writes());
        changes.take(most).map(|step| step.request_id.clone()).collect()
    }

    /// All steps, in the order in which they were sent.
    pub fn steps(&self) -> Vec<Step> {
        let mut steps = self.steps.lock().unwrap().clone();
        steps.sort_by_key(|step| step.span.sent);
        steps
    }
}
