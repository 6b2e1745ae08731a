//! The import itself: everything is read and checked against a snapshot first, and written in one transaction only when there
//! is no problem.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use serde_json::{Map, Value as Json, json};

use super::mapping::Mapping;
use super::merge::{self, key_of};
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
use crate::server::transaction::DatabaseTransaction;
use crate::server::transaction::Transaction;

pub use super::sheet::File;

/// How often an import is prepared when others keep changing what it refers to.
const ATTEMPTS: usize = 3;

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
    /// Only the report: nothing is written, and nobody who writes waits.
    DryRun,
    Write,
}

/// Is told how far an import got: steps done, of all steps. A row that is checked is one step, one that is written another.
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

    /// Begins, or begins again, with so many steps.
    fn begin(&self, steps: usize) {
        self.done.store(0, Ordering::Relaxed);
        self.all.store(steps, Ordering::Relaxed);
        (self.tell)(0, steps);
    }

    /// Says how far it got, whether or not it is time to.
    fn look(&self) {
        (self.tell)(self.done.load(Ordering::Relaxed), self.all.load(Ordering::Relaxed));
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

/// Why a plan was not written.
#[derive(Debug)]
pub enum Stop {
    /// Something is not as it was when the plan was made; with what the database refused, if it did.
    Moved(Option<Error>),
    Failed(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        if error.code == Code::Conflict { Stop::Moved(Some(error)) } else { Stop::Failed(error) }
    }
}

/// Imports files. What it answers is the same for a dry run and for the real one.
///
/// Everything is read and checked against a snapshot, beside whoever writes. Only what is new or changed is then written, in one
/// transaction that finds out under its lock whether all of it is still as the snapshot had it; if not, the import is prepared
/// again. It is one change set: its events share the request id of the caller, and one of them says what was imported. With any
/// problem nothing is written; without any difference neither.
///
/// # Errors
/// `Forbidden`; `Invalid` when there is no file, or two of a kind; `Conflict` when others change the same records all the time;
/// whatever the database refuses.
pub async fn run(
    access: &Access<Import>,
    files: &[File],
    mapping: &Mapping,
    mode: Mode,
    watch: &Watch<'_>,
) -> Result<Report> {
    run_and(access, files, mapping, mode, watch, usize::MAX, async |_, _| Ok(())).await
}

/// The same for files of up to `most_rows` rows. `finish` takes part in the transaction that writes.
///
/// # Errors
/// Those of [`run`] and of `finish`.
pub async fn run_and(
    access: &Access<Import>,
    files: &[File],
    mapping: &Mapping,
    mode: Mode,
    watch: &Watch<'_>,
    most_rows: usize,
    finish: impl AsyncFn(&Transaction, &Report) -> Result<()>,
) -> Result<Report> {
    let access = access.through(Door::Import);
    demand_one_each(files)?;
    let mut refused = None;
    for _ in 0..ATTEMPTS {
        let mut work = Work::open(&access, files, mapping, most_rows)?;
        let rows = work.rows();
        watch.begin(if mode == Mode::Write { 2 * rows } else { rows });
        let snapshot = access.database().snapshot().await?;
        let planned = work.plan(&snapshot, watch).await;
        snapshot.rollback().await?;
        let plans = planned?;
        watch.look();
        let report = work.report(&plans);
        if report.is_clean() {
            merge::demand::<Customers>(&access, plans.customers.as_ref())?;
            merge::demand::<Products>(&access, plans.products.as_ref())?;
        }
        let differs = report.counts.iter().any(|(_, counts)| counts.created + counts.changed > 0);
        if mode == Mode::DryRun || !report.is_clean() || !differs {
            return Ok(report);
        }
        let _writing = access.database().begin_bulk_write().await;
        let transaction = access.write().await?;
        let begin = Instant::now();
        match work.write(&transaction, &access, &plans, watch).await {
            Ok(()) => {
                let subject =
                    Subject { resource: "imports", id: 0, command: "import", versions: (None, None), reason: None };
                history::record(&transaction, access.caller(), subject, told(files, &report.counts)).await?;
                finish(&transaction, &report).await?;
                transaction.commit().await?;
                tracing::info!(rows, milliseconds = begin.elapsed().as_millis(), "an import was written");
                return Ok(report);
            }
            Err(Stop::Moved(error)) => {
                transaction.rollback().await?;
                refused = error;
            }
            Err(Stop::Failed(error)) => return Err(error),
        }
    }
    match refused {
        Some(error) if !error.errors.is_empty() => Ok(taken(error)),
        _ => Err(Error::new(
            Code::Conflict,
            "Others changed the same records while they were imported. Nothing was written; import again.",
        )),
    }
}

/// Values that somebody else takes again and again after they were found free.
fn taken(error: Error) -> Report {
    let problems = error.errors.into_iter().map(|(field, messages)| Problem {
        file: String::new(),
        row: None,
        column: field,
        message: messages.join(" "),
    });
    Report { problems: problems.collect(), ..Report::default() }
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

/// The files with their columns mapped.
struct Work<'a> {
    customers: Option<Sheet<'a>>,
    products: Option<Sheet<'a>>,
    orders: Sheets<'a>,
}

/// What becomes of their rows.
struct Plans {
    customers: Option<merge::Plan>,
    products: Option<merge::Plan>,
    orders: orders::Plan,
}

impl<'a> Work<'a> {
    /// Reads the files.
    fn open(access: &Access<Import>, files: &'a [File], mapping: &Mapping, most_rows: usize) -> Result<Self> {
        let mut sheets = [None, None, None, None];
        for (kind, sheet) in Kind::ALL.into_iter().zip(&mut sheets) {
            let Some(file) = files.iter().find(|file| file.kind == kind) else { continue };
            match kind {
                Kind::Customers => drop(access.also::<Add<Customers>>()?),
                Kind::Products => drop(access.also::<Add<Products>>()?),
                Kind::Orders | Kind::Lines => drop(access.also::<Add<Orders>>()?),
            }
            *sheet = Some(Sheet::open(file, mapping, most_rows));
        }
        let [customers, products, orders, lines] = sheets;
        Ok(Self { customers, products, orders: Sheets { orders, lines } })
    }

    fn sheets(&mut self) -> impl Iterator<Item = &mut Sheet<'a>> {
        let Sheets { orders, lines } = &mut self.orders;
        [&mut self.customers, &mut self.products, orders, lines].into_iter().flatten()
    }

    fn rows(&mut self) -> usize {
        self.sheets().map(|sheet| sheet.rows().len()).sum()
    }

    /// Finds out what becomes of every row, and notes the problems of the sheets.
    async fn plan(&mut self, snapshot: &DatabaseTransaction, watch: &Watch<'_>) -> Result<Plans> {
        let customers = match &mut self.customers {
            Some(sheet) => Some(merge::plan::<Customers>(snapshot, sheet, key_of(Kind::Customers), watch).await?),
            None => None,
        };
        let products = match &mut self.products {
            Some(sheet) => Some(merge::plan::<Products>(snapshot, sheet, key_of(Kind::Products), watch).await?),
            None => None,
        };
        let orders = if self.orders.orders.is_some() || self.orders.lines.is_some() {
            let brings = Brings {
                customers: self.customers.as_ref().zip(customers.as_ref()),
                products: self.products.as_ref().zip(products.as_ref()),
            };
            orders::plan(snapshot, &mut self.orders, brings, watch).await?
        } else {
            orders::Plan::default()
        };
        Ok(Plans { customers, products, orders })
    }

    /// The problems and notes of the sheets, and what becomes of their rows.
    fn report(&mut self, plans: &Plans) -> Report {
        let mut report = Report::default();
        let [orders, lines] = plans.orders.counts;
        let merged = |plan: &Option<merge::Plan>| plan.as_ref().map(|plan| plan.counts).unwrap_or_default();
        for sheet in self.sheets() {
            let counts = match sheet.kind {
                Kind::Customers => merged(&plans.customers),
                Kind::Products => merged(&plans.products),
                Kind::Orders => orders,
                Kind::Lines => lines,
            };
            report.counts.push((sheet.kind, counts));
            std::mem::take(&mut sheet.problems).report(&mut report);
            report.notes.append(&mut sheet.notes);
        }
        report
    }

    /// Writes what was planned.
    async fn write(
        &mut self,
        transaction: &DatabaseTransaction,
        access: &Access<Import>,
        plans: &Plans,
        watch: &Watch<'_>,
    ) -> Result<(), Stop> {
        if let (Some(sheet), Some(plan)) = (&self.customers, &plans.customers) {
            merge::write::<Customers>(transaction, access, sheet, plan, watch).await?;
        }
        if let (Some(sheet), Some(plan)) = (&self.products, &plans.products) {
            merge::write::<Products>(transaction, access, sheet, plan, watch).await?;
        }
        if plans.orders.counts.iter().any(|counts| counts.created > 0) {
            orders::write(transaction, access, &mut self.orders, &plans.orders, watch).await?;
        }
        Ok(())
    }
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
