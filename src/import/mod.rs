//! Import: customers, products and orders with their lines out of CSV files, all or nothing (DOMAIN.md, Import).
//!
//! Rows match by code, SKU and number, so importing twice changes nothing. Everything is read and checked before anything
//! stays, and every problem comes back with file, row and column.

use serde::{Deserialize, Serialize};

use crate::base::time::Moment;

/// The command line's door.
#[cfg(feature = "ssr")]
pub mod cli;
/// The page's door for files.
#[cfg(feature = "ssr")]
pub mod door;
/// Work on uploads, beside the requests.
#[cfg(feature = "ssr")]
mod job;
/// Which column goes where.
#[cfg(feature = "ssr")]
pub mod mapping;
/// Customers and products.
#[cfg(feature = "ssr")]
mod merge;
/// Orders with their lines.
#[cfg(feature = "ssr")]
mod orders;
pub mod pages;
/// The problems of one file.
#[cfg(feature = "ssr")]
mod problems;
pub mod rpc;
/// The import itself.
#[cfg(feature = "ssr")]
pub mod run;
/// A file whose columns are mapped.
#[cfg(feature = "ssr")]
mod sheet;
/// CSV as it is written.
#[cfg(feature = "ssr")]
pub mod table;

/// Files that wait on the server while a person maps and checks them.
#[cfg(feature = "ssr")]
pub mod upload;

/// The most columns of a file.
pub const MAX_COLUMNS: usize = 300;

/// The most rows of a file that is uploaded.
pub const MAX_ROWS: usize = 500_000;

/// What a file has rows of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Customers,
    Products,
    Orders,
    /// The lines of orders.
    Lines,
}

impl Kind {
    /// Every kind, in the order they are imported in: what others refer to comes first.
    pub const ALL: [Kind; 4] = [Kind::Customers, Kind::Products, Kind::Orders, Kind::Lines];

    /// The name in mappings and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Customers => "customers",
            Kind::Products => "products",
            Kind::Orders => "orders",
            Kind::Lines => "lines",
        }
    }

    /// The name as people read it.
    pub const fn label(self) -> &'static str {
        match self {
            Kind::Customers => "Customers",
            Kind::Products => "Products",
            Kind::Orders => "Orders",
            Kind::Lines => "Order lines",
        }
    }

    /// The kind of this name.
    pub fn named(name: &str) -> Option<Self> {
        Kind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Something that stands in the way of an import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The file's name; empty when it is about the mapping.
    pub file: String,
    /// As a spreadsheet counts: the header is row 1. Absent when it is about the whole file.
    pub row: Option<u64>,
    /// As the header calls it; empty when it is about the whole row.
    pub column: String,
    pub message: String,
}

impl std::fmt::Display for Problem {
    /// `orders.csv, row 17, column order_date: Enter a day such as 2026-11-24.`
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.file.is_empty() { "mapping" } else { &self.file })?;
        if let Some(row) = self.row {
            write!(f, ", row {row}")?;
        }
        if !self.column.is_empty() {
            write!(f, ", column {}", self.column)?;
        }
        write!(f, ": {}", self.message)
    }
}

/// What becomes of the rows of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    pub created: u64,
    pub changed: u64,
    pub unchanged: u64,
}

/// What an import did, would do, or stumbled over.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Report {
    /// Sorted by file and row; when there are any, nothing is written. Of each file the first 10,000 that were found.
    pub problems: Vec<Problem>,
    /// Problems beyond those listed.
    pub more: u64,
    /// What is worth knowing and no problem, such as columns that are ignored.
    pub notes: Vec<String>,
    /// By kind, of the files that were given.
    pub counts: Vec<(Kind, Counts)>,
}

impl Report {
    /// Whether nothing stands in the way.
    pub fn is_clean(&self) -> bool {
        self.problems.is_empty()
    }

    /// How many problems there are, listed or not.
    pub fn found(&self) -> u64 {
        self.more.saturating_add(u64::try_from(self.problems.len()).unwrap_or(u64::MAX))
    }

    /// Lists no more problems than this; the others are only counted.
    pub fn list_at_most(&mut self, most: usize) {
        let listed = self.problems.len().min(most);
        let dropped = self.problems.drain(listed..).count();
        self.more = self.more.saturating_add(u64::try_from(dropped).unwrap_or(u64::MAX));
    }

    /// What becomes of the rows of one kind.
    pub fn count(&self, kind: Kind) -> Counts {
        self.counts.iter().find(|(known, _)| *known == kind).map(|(_, counts)| *counts).unwrap_or_default()
    }

    /// The problems as CSV: `file,row,column,message`. No cell begins a formula when a spreadsheet opens it.
    pub fn csv(&self) -> String {
        let mut text = String::from("file,row,column,message\r\n");
        for problem in &self.problems {
            let row = problem.row.map_or_else(String::new, |row| row.to_string());
            let cells = [&problem.file, &row, &problem.column, &problem.message].map(|cell| quoted(cell));
            text.push_str(&cells.join(","));
            text.push_str("\r\n");
        }
        text
    }
}

/// An import on the page: uploaded, perhaps checked, perhaps done.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Review {
    pub id: String,
    pub files: Vec<Columns>,
    /// Rules beyond the choices, as a mapping file has them.
    pub extra: String,
    /// What the dry run, or the import, said.
    pub report: Option<Report>,
    pub is_done: bool,
    pub activity: Activity,
    /// The request that undoes what was imported is about; blank when nothing was.
    pub undo: String,
}

/// What goes on with an upload beside the requests.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Activity {
    #[default]
    None,
    /// Others come first.
    Queued {
        is_import: bool,
    },
    Running {
        is_import: bool,
        /// Steps that were done.
        done: i64,
        /// Of so many; zero when that is not known yet.
        all: i64,
    },
    /// The server stopped or broke down meanwhile. Nothing was written.
    Interrupted {
        is_import: bool,
    },
    Failed {
        why: String,
    },
}

impl Activity {
    /// Whether somebody works on the upload, or is going to.
    pub fn is_active(&self) -> bool {
        matches!(self, Activity::Queued { .. } | Activity::Running { .. })
    }
}

/// An upload that waits to be imported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    pub id: String,
    /// What its files are called.
    pub names: String,
    /// As people say it.
    pub size: String,
    pub at: Moment,
    /// Whether it is being checked or imported.
    pub is_active: bool,
}

/// The columns of an uploaded file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Columns {
    pub kind: Kind,
    pub name: String,
    pub columns: Vec<Column>,
    /// Where they can go.
    pub targets: Vec<String>,
}

/// A column of an uploaded file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// The name of its choice in the form, such as `orders.3`.
    pub choice: String,
    pub header: String,
    /// The first value in it.
    pub sample: String,
    /// Where it goes; empty for nowhere.
    pub target: String,
}

/// What the page of imports shows.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Desk {
    /// Absent before files are uploaded.
    pub review: Option<Review>,
    /// Why the form that was sent is shown again.
    pub refused: Option<String>,
    /// The largest upload, as people say it.
    pub limit: String,
    /// Uploads of the person; listed where files are uploaded.
    pub waiting: Vec<Waiting>,
}

/// A cell of a CSV file that no spreadsheet takes for a formula.
fn quoted(cell: &str) -> String {
    let guard = if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    if guard.is_empty() && !cell.contains([',', '"', '\n', '\r']) {
        return cell.to_owned();
    }
    format!("\"{guard}{}\"", cell.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_of_the_report_begins_a_formula() {
        let problem = |message: &str| Problem {
            file: "orders.csv".into(),
            row: Some(17),
            column: "=cmd".into(),
            message: message.into(),
        };
        let report = Report { problems: vec![problem("@SUM(A1)"), problem("say \"hi\"")], ..Report::default() };
        assert_eq!(
            report.csv(),
            "file,row,column,message\r\norders.csv,17,\"'=cmd\",\"'@SUM(A1)\"\r\norders.csv,17,\"'=cmd\",\"say \"\"hi\"\"\"\r\n"
        );
    }

    #[test]
    fn a_problem_says_where_it_is() {
        let problem = Problem { file: "a.csv".into(), row: Some(2), column: "name".into(), message: "No.".into() };
        assert_eq!(problem.to_string(), "a.csv, row 2, column name: No.");
        let problem = Problem { row: None, column: String::new(), ..problem };
        assert_eq!(problem.to_string(), "a.csv: No.");
    }
}
