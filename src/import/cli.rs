//! `kontor import`.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;

use super::mapping::Mapping;
use super::run::{self, File, Import, Mode, Watch};
use super::{Kind, Report};
use crate::access::gate::Access;
use crate::base::{Error, Result};
use crate::server::database::Database;
use crate::server::progress;
use crate::server::repeat::repeated;

/// How many problems are printed; the report file has more.
const PRINTED: usize = 1_000;

/// The arguments of `kontor import`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    /// Customers, matched by code
    #[arg(long, value_name = "FILE")]
    customers: Option<PathBuf>,
    /// Products, matched by SKU
    #[arg(long, value_name = "FILE")]
    products: Option<PathBuf>,
    /// Orders, matched by number
    #[arg(long, value_name = "FILE")]
    orders: Option<PathBuf>,
    /// The lines of the orders
    #[arg(long, value_name = "FILE")]
    lines: Option<PathBuf>,
    /// Where a value comes from, such as customer_code=customer_id, orders.number=order_id, or products.unit==pcs for a text
    #[arg(long = "map", value_name = "TARGET=COLUMN")]
    map: Vec<String>,
    /// A file of such rules (TOML)
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
    /// Report what the import would do, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Write the problems to this file, as CSV
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

const AFTER_HELP: &str = "\
All or nothing: with any problem nothing is imported, and the exit code is 1. Importing twice changes nothing.
Columns that are called like a value need no rule. See examples/northwind.toml for a mapping with comments.";

impl Arguments {
    fn files(&self) -> Result<Vec<File>> {
        let paths = [&self.customers, &self.products, &self.orders, &self.lines];
        let given = Kind::ALL.into_iter().zip(paths).filter_map(|(kind, path)| Some((kind, path.as_ref()?)));
        given.map(|(kind, path)| Ok(File { kind, name: called(path), content: read(path)? })).collect()
    }

    fn mapping(&self, given: &[Kind]) -> Result<Mapping> {
        let mut mapping = match &self.mapping {
            Some(path) => {
                let text = String::from_utf8(read(path)?)
                    .map_err(|_| Error::invalid(format!("{} is not UTF-8.", path.display())))?;
                Mapping::parse(&text).map_err(|error| Error::invalid(format!("{}: {error}", path.display())))?
            }
            None => Mapping::default(),
        };
        let mut said = Vec::new();
        for rule in &self.map {
            mapping.rule(rule, given, &mut said)?;
        }
        Ok(mapping)
    }
}

fn called(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| Error::invalid(format!("cannot read {}: {error}", path.display())))
}

/// Imports as the arguments say. Counts and notes go to standard output, problems to standard error.
///
/// # Errors
/// `Invalid` when there are problems; they are printed before. Whatever [`run::run`] refuses.
pub async fn import(database: &Database, arguments: Arguments) -> Result<()> {
    let files = arguments.files()?;
    let kinds: Vec<_> = files.iter().map(|file| file.kind).collect();
    let mapping = arguments.mapping(&kinds)?;
    let mode = if arguments.dry_run { Mode::DryRun } else { Mode::Write };
    let bar = progress::bar(0);
    let tell = |done: usize, all: usize| {
        bar.set_length(u64::try_from(all).unwrap_or(u64::MAX));
        bar.set_position(u64::try_from(done).unwrap_or(u64::MAX));
    };
    let access = Access::<Import>::system(database)?;
    let report = repeated(async || run::run(&access, &files, &mapping, mode, &Watch::new(&tell)).await).await;
    bar.finish_and_clear();
    let report = report?;
    if let Some(path) = &arguments.report {
        std::fs::write(path, report.csv())
            .map_err(|error| Error::invalid(format!("cannot write {}: {error}", path.display())))?;
    }
    say(&report, mode)?;
    match report.found() {
        0 => Ok(()),
        1 => Err(Error::invalid("1 problem; nothing was imported.")),
        found => Err(Error::invalid(format!("{found} problems; nothing was imported."))),
    }
}

fn say(report: &Report, mode: Mode) -> Result<()> {
    let mut error = std::io::stderr().lock();
    for problem in report.problems.iter().take(PRINTED) {
        writeln!(error, "{problem}")?;
    }
    let shown = u64::try_from(report.problems.len().min(PRINTED)).unwrap_or(u64::MAX);
    if report.found() > shown {
        writeln!(error, "… and {} more; --report FILE.csv lists up to 10,000 of each file.", report.found() - shown)?;
    }
    let mut out = std::io::stdout().lock();
    for note in &report.notes {
        writeln!(out, "{note}")?;
    }
    if report.is_clean() {
        for (kind, counts) in &report.counts {
            let (created, changed, unchanged) = (counts.created, counts.changed, counts.unchanged);
            writeln!(out, "{:<12} {created:>8} created {changed:>8} changed {unchanged:>8} unchanged", kind.label())?;
        }
        let differs = report.counts.iter().any(|(_, counts)| counts.created + counts.changed > 0);
        let verdict = match mode {
            Mode::DryRun => "Dry run: nothing was written.",
            Mode::Write if differs => "Imported.",
            Mode::Write => "Everything was there already: nothing was written.",
        };
        writeln!(out, "{verdict}")?;
    }
    Ok(out.flush()?)
}
