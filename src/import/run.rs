//! The import itself: read, check, write, in one transaction that stays only when there is no problem.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Map, Value as Json, json};

use super::mapping::Mapping;
use super::merge::{key_of, merge};
use super::orders::{self, Brings, Sheets};
use super::sheet::Sheet;
use super::{Counts, Kind, Problem, Report};
use crate::access::gate::{Access, Door, Permission};
use crate::base::error::Code;
use crate::base::{Error, Result};
use crate::customers::entity::Entity as Customers;
use crate::history::entity::{self as history, Subject};
use crate::orders::entity::Entity as Orders;
use crate::products::entity::Entity as Products;
use crate::server::record::Add;

pub use super::sheet::File;

/// The permission to import; the permissions to add and change what is imported are asked for as well.
#[derive(Debug)]
pub struct Import;

impl Permission for Import {
    fn code() -> String {
        "records.import".into()
    }
}

/// What to do with what was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The same work, taken back: nothing is written.
    DryRun,
    Write,
}

/// Is told how far an import got: steps done, of all steps. A row is one step, a new order another.
pub struct Watch<'a> {
    done: AtomicUsize,
    all: AtomicUsize,
    tell: &'a (dyn Fn(usize, usize) + Send + Sync),
}

impl std::fmt::Debug for Watch<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").field("done", &self.done).field("all", &self.all).finish_non_exhaustive()
    }
}

impl<'a> Watch<'a> {
    /// Calls `tell` now and then.
    pub fn new(tell: &'a (dyn Fn(usize, usize) + Send + Sync)) -> Self {
        Self { done: AtomicUsize::new(0), all: AtomicUsize::new(0), tell }
    }

    fn expect(&self, steps: usize) {
        self.all.fetch_add(steps, Ordering::Relaxed);
    }

    pub(super) fn step(&self) {
        self.steps(1);
    }

    pub(super) fn steps(&self, steps: usize) {
        let done = self.done.fetch_add(steps, Ordering::Relaxed) + steps;
        if steps > 1 || done.is_multiple_of(500) {
            (self.tell)(done, self.all.load(Ordering::Relaxed));
        }
    }
}

/// Imports files. What it answers is the same for a dry run and for the real one.
///
/// Everything happens in one transaction and is one change set: its events share the request id of the caller, and one of
/// them says what was imported. With any problem nothing is written; without any difference neither.
///
/// # Errors
/// `Forbidden`; `Invalid` when there is no file, or two of a kind; whatever the database refuses.
pub async fn run(
    access: &Access<Import>,
    files: &[File],
    mapping: &Mapping,
    mode: Mode,
    watch: &Watch<'_>,
) -> Result<Report> {
    let access = access.through(Door::Import);
    let mut sheets = open(&access, files, mapping)?;
    for sheet in sheets.iter().flatten() {
        let orders = sheet.kind == Kind::Orders;
        watch.expect(sheet.rows.len() * if orders { 2 } else { 1 });
    }
    let transaction = access.write().await?;
    let written = write(&transaction, &access, &mut sheets, watch).await;
    let mut report = match written {
        Ok(counts) => Report { counts, ..Report::default() },
        // Somebody took a value after it was found free, or two rows exchange one.
        Err(error) if error.code == Code::Conflict => {
            let problems = error.errors.into_iter().map(|(field, messages)| Problem {
                file: String::new(),
                row: None,
                column: field,
                message: messages.join(" "),
            });
            Report { problems: problems.collect(), ..Report::default() }
        }
        Err(error) => return Err(error),
    };
    for sheet in sheets.into_iter().flatten() {
        let mut problems = sheet.problems;
        problems.sort_by(|one, other| (one.row, &one.column).cmp(&(other.row, &other.column)));
        report.problems.extend(problems);
        report.notes.extend(sheet.notes);
    }
    let differs = report.counts.iter().any(|(_, counts)| counts.created + counts.changed > 0);
    if mode == Mode::Write && report.is_clean() && differs {
        let subject = Subject { resource: "imports", id: 0, command: "import", versions: (None, None), reason: None };
        history::record(&transaction, access.caller(), subject, told(files, &report.counts)).await?;
        transaction.commit().await?;
    } else {
        transaction.rollback().await?;
    }
    Ok(report)
}

/// Whether there is something to import, and no more than one file of a kind.
///
/// # Errors
/// `Invalid` when not.
pub fn demand_one_each(files: &[File]) -> Result<()> {
    if files.is_empty() {
        return Err(Error::invalid("Choose at least one file."));
    }
    match Kind::ALL.into_iter().find(|kind| files.iter().filter(|file| file.kind == *kind).count() > 1) {
        Some(kind) => Err(Error::invalid(format!("There can be one file of {}.", kind.name()))),
        None => Ok(()),
    }
}

/// The sheets by kind, in the order they are imported in.
fn open(access: &Access<Import>, files: &[File], mapping: &Mapping) -> Result<[Option<Sheet>; 4]> {
    demand_one_each(files)?;
    let mut sheets = [None, None, None, None];
    for (kind, sheet) in Kind::ALL.into_iter().zip(&mut sheets) {
        let Some(file) = files.iter().find(|file| file.kind == kind) else { continue };
        match kind {
            Kind::Customers => drop(access.also::<Add<Customers>>()?),
            Kind::Products => drop(access.also::<Add<Products>>()?),
            Kind::Orders | Kind::Lines => drop(access.also::<Add<Orders>>()?),
        }
        *sheet = Some(Sheet::open(file, mapping));
    }
    Ok(sheets)
}

async fn write(
    transaction: &crate::server::transaction::DatabaseTransaction,
    access: &Access<Import>,
    sheets: &mut [Option<Sheet>; 4],
    watch: &Watch<'_>,
) -> Result<Vec<(Kind, Counts)>> {
    let [customers, products, orders, lines] = sheets;
    let (mut counts, mut brought) = (Vec::new(), Brings::default());
    if let Some(sheet) = customers {
        let (count, keys) = merge::<Customers>(transaction, access, sheet, key_of(Kind::Customers), watch).await?;
        counts.push((Kind::Customers, count));
        brought.customers = keys;
    }
    if let Some(sheet) = products {
        let (count, keys) = merge::<Products>(transaction, access, sheet, key_of(Kind::Products), watch).await?;
        counts.push((Kind::Products, count));
        brought.products = keys;
    }
    if orders.is_some() || lines.is_some() {
        let mut both = Sheets { orders: orders.take(), lines: lines.take() };
        let counted = orders::import(transaction, access, &mut both, &brought, watch).await;
        (*orders, *lines) = (both.orders, both.lines);
        counts.extend(counted?);
    }
    Ok(counts)
}

/// What the event of the import says.
fn told(files: &[File], counts: &[(Kind, Counts)]) -> Json {
    let names: Vec<_> = files.iter().map(|file| file.name.as_str()).collect();
    let mut changes = Map::from_iter([("files".to_owned(), json!([null, names.join(", ")]))]);
    for (kind, counts) in counts {
        for (what, count) in [("created", counts.created), ("changed", counts.changed)] {
            if count > 0 {
                changes.insert(format!("{}_{what}", kind.name()), json!([null, count]));
            }
        }
    }
    Json::Object(changes)
}
