//! The admin area: every resource by the same pages, what was done to many records, and how the house is.
//!
//! What a resource can do is read from its declarations ([`crate::server::managed`]), so that a module appears here without
//! code of its own. The server says what is shown, addresses included; the browser draws it.

use serde::{Deserialize, Serialize};

use crate::base::listing::Count;
use crate::base::record::TakenAlong;
use crate::base::time::Moment;

pub mod pages;
pub mod rpc;

/// Whole files, and the company to try things on.
#[cfg(feature = "ssr")]
pub mod data;
/// How the house is.
#[cfg(feature = "ssr")]
pub mod health;
/// What is asked before something is done to many records, and the doing.
#[cfg(feature = "ssr")]
pub mod question;
/// What was done to many records, with a result for each.
#[cfg(feature = "ssr")]
pub mod run;
/// Settings that may change while the server runs.
#[cfg(feature = "ssr")]
pub mod settings;
/// One list.
#[cfg(feature = "ssr")]
pub mod table;

/// A resource on the first page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kind {
    pub title: String,
    pub href: String,
    pub count: Count,
    pub last: Option<LastChange>,
}

/// The latest change of a resource.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LastChange {
    pub command: String,
    pub actor: String,
    pub at: Moment,
}

/// A link that is one of several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    pub label: String,
    pub href: String,
    /// How many rows it leaves, where that was counted.
    pub count: Option<u64>,
    pub is_on: bool,
}

/// The rows by the values of one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facet {
    pub label: String,
    pub choices: Vec<Choice>,
}

/// A column that is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heading {
    pub label: String,
    pub is_number: bool,
    /// Orders by it; absent where nothing can.
    pub href: Option<String>,
    /// Whether it orders the rows, and if so whether downwards.
    pub down: Option<bool>,
}

/// A value as people read it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Cell {
    pub text: String,
    pub href: Option<String>,
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pub id: i64,
    pub name: Cell,
    pub cells: Vec<Cell>,
}

/// Something that can be done to the records that are chosen: the value of the form, and what it says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    pub value: String,
    pub label: String,
}

/// A column that can be shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnChoice {
    pub name: String,
    pub label: String,
    pub is_on: bool,
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    pub title: String,
    /// One of them, in a sentence.
    pub one: String,
    pub path: String,
    /// The state of the list, as the pairs of a form.
    pub state: Vec<(String, String)>,
    /// What is searched, and what a search looks at; absent for a list without a search.
    pub search: Option<(String, String)>,
    pub headings: Vec<Heading>,
    pub lines: Vec<Line>,
    pub count: Count,
    /// The places of the first and the last line, from 1.
    pub shown: (u64, u64),
    pub previous: Option<String>,
    pub next: Option<String>,
    pub sizes: Vec<Choice>,
    pub columns: Vec<ColumnChoice>,
    /// What narrows the list, each with the address without it.
    pub chips: Vec<Choice>,
    pub facets: Vec<Facet>,
    /// The way back from a day, a month, a year; and the steps on.
    pub dates: Dates,
    pub actions: Vec<Action>,
    /// All rows as files: form and address.
    pub files: Vec<(String, String)>,
    /// The page for a new record, where there is one.
    pub new: Option<String>,
    /// Whether anything narrows the list.
    pub is_narrowed: bool,
}

/// The rows over time.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Dates {
    pub label: String,
    pub back: Vec<Choice>,
    pub steps: Vec<Choice>,
}

/// What the value of a field is typed into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Control {
    /// Nothing is asked.
    None,
    /// An `<input>` of this type.
    Input(String),
    /// A choice of these: value, and what it says.
    Select(Vec<(String, String)>),
}

/// What is asked before something is done to many records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    pub title: String,
    /// The list it came from.
    pub back: (String, String),
    pub resource: String,
    pub action: String,
    /// As the button says it.
    pub label: String,
    pub ids: Vec<i64>,
    /// The first of the records: id and name.
    pub names: Vec<(i64, String)>,
    /// The label of what is asked for, if anything is, and what it is typed into.
    pub asked: (String, Control),
    pub is_required: bool,
    /// What goes along, and what stands in the way.
    pub taken_along: Option<TakenAlong>,
    pub is_dangerous: bool,
    /// The file that holds them, where that is all that is wanted.
    pub file: Option<String>,
}

/// What became of one record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    pub id: i64,
    pub name: String,
    /// Why it was refused.
    pub error: Option<String>,
}

/// What was done to many records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    pub title: String,
    /// The list it came from.
    pub back: (String, String),
    /// Whether anything was kept.
    pub written: bool,
    pub done: usize,
    pub refused: usize,
    /// Those that were refused first, up to a number that a page holds.
    pub outcomes: Vec<Outcome>,
    /// The page of a record, up to its id; blank where there is none.
    pub record: String,
    pub at: Moment,
    /// What the history calls all of it.
    pub request_id: String,
}

/// Something about the house, and whether it is as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    pub name: String,
    pub value: String,
    pub is_well: bool,
}

/// Facts that belong together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    pub title: String,
    pub facts: Vec<Fact>,
}

/// A setting of the house.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    pub name: String,
    pub meaning: String,
    /// What it is now.
    pub value: String,
    pub default: String,
    /// What was set here; blank for nothing.
    pub set: String,
    /// Why it cannot be changed here.
    pub fixed: Option<String>,
}

/// What reads and writes whole files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Files {
    /// Every resource with its files: form and address.
    pub exports: Vec<(String, Vec<(String, String)>)>,
    pub may_import: bool,
    /// Whether the house is empty, so that the demo company may move in.
    pub may_demo: bool,
}
