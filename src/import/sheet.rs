//! A file whose columns are mapped: its rows as values by field, and its problems as people find them in the file.

use std::collections::{BTreeSet, HashMap};

use super::mapping::{Mapping, Piece, Reading, Target, targets};
use super::problems::Problems;
use super::table::{Cells, Row, Table};
use super::{Kind, Problem};
use crate::base::Error;
use crate::base::error::FieldErrors;
use crate::base::form::{Field, Given, Kind as Value, nearest};

/// A file to import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    pub kind: Kind,
    /// What it is called, without its folder.
    pub name: String,
    pub content: Vec<u8>,
}

/// A target with where its text comes from.
#[derive(Debug)]
struct Bound {
    target: Target,
    from: Vec<From>,
    /// The columns as the header calls them; empty when no column takes part.
    label: String,
}

#[derive(Debug)]
enum From {
    Cell(usize),
    Text(String),
}

/// The values of a row by field, each as it was given.
pub type Values = Vec<(String, Given)>;

/// A file with its columns mapped, and the problems found in it so far.
#[derive(Debug)]
pub struct Sheet<'a> {
    pub kind: Kind,
    pub name: String,
    pub problems: Problems,
    pub notes: Vec<String>,
    /// Whether rows could not be read, so that what stands in them is not known.
    pub has_lost_rows: bool,
    table: Table<'a>,
    bound: Vec<Bound>,
    /// Fields that no column goes to and that were asked for already.
    asked: BTreeSet<String>,
}

/// A header or target in which case, blanks and hyphens do not count.
pub fn plain(name: &str) -> String {
    name.trim().to_lowercase().replace([' ', '-'], "_")
}

/// Where columns stand, by their names in plain form; of those with one name the first.
pub fn places(headers: &[String]) -> HashMap<String, usize> {
    let mut places = HashMap::with_capacity(headers.len());
    for (index, header) in headers.iter().enumerate().filter(|(_, header)| !header.is_empty()) {
        places.entry(plain(header)).or_insert(index);
    }
    places
}

impl<'a> Sheet<'a> {
    /// Reads a file of up to `most` rows and binds its columns: as the mapping says, else those that are called like a target.
    pub fn open(file: &'a File, mapping: &Mapping, most: usize) -> Self {
        let (mut table, problems) = Table::read(&file.name, &file.content, most);
        let headers = std::mem::take(&mut table.headers);
        let mut sheet = Self {
            kind: file.kind,
            name: file.name.clone(),
            has_lost_rows: !problems.is_empty(),
            problems,
            notes: Vec::new(),
            bound: Vec::new(),
            asked: BTreeSet::new(),
            table,
        };
        if !headers.is_empty() {
            sheet.bind(&headers, mapping);
        }
        sheet.table.headers = headers;
        sheet
    }

    /// Its rows.
    pub fn rows(&self) -> &[Row] {
        &self.table.rows
    }

    /// One of its rows, counted from zero.
    pub fn row(&self, index: usize) -> Option<Row> {
        self.table.rows.get(index).copied()
    }

    /// The values of a row.
    pub fn cells(&self, row: Row) -> Cells<'a> {
        self.table.cells(row)
    }

    fn bind(&mut self, headers: &[String], mapping: &Mapping) {
        let said: HashMap<_, _> = mapping.of(self.kind).collect();
        let places = places(headers);
        let position = |name: &str| places.get(&plain(name)).copied();
        let mut used = BTreeSet::new();
        for target in targets(self.kind) {
            let own = [Piece::Column(target.name.to_owned())];
            let rule = said.get(target.name).copied();
            let mut from = Vec::new();
            let mut labels = Vec::new();
            let unsaid: &[Piece] = if mapping.is_complete { &[] } else { &own };
            for piece in rule.unwrap_or(unsaid) {
                match piece {
                    Piece::Text(text) => from.push(From::Text(text.clone())),
                    Piece::Column(name) => match position(name) {
                        Some(index) => {
                            used.insert(index);
                            labels.extend(headers.get(index).map(String::as_str));
                            from.push(From::Cell(index));
                        }
                        None if rule.is_some() => {
                            let hint = nearest(name, headers.iter().map(String::as_str))
                                .map_or_else(String::new, |near| format!(" Did you mean {near}?"));
                            self.problem(
                                Some(1),
                                name,
                                format!("There is no such column, and {} is to come from it.{hint}", target.name),
                            );
                        }
                        None => {}
                    },
                }
            }
            if !from.is_empty() {
                self.bound.push(Bound { target, from, label: labels.join(", ") });
            }
        }
        let ignored: Vec<_> = (headers.iter().enumerate())
            .filter(|(index, header)| !header.is_empty() && !used.contains(index))
            .map(|(_, header)| header.as_str())
            .collect();
        if !ignored.is_empty() {
            self.notes.push(format!("{}: these columns go nowhere: {}.", self.name, ignored.join(", ")));
        }
    }

    /// The text of a field in a row, trimmed; blank where nothing goes to it.
    pub fn text(&self, cells: &Cells<'_>, field: &str) -> String {
        let bound = self.bound.iter().find(|bound| bound.target.field.name == field);
        bound.map(|bound| bound.text(cells)).unwrap_or_default().trim().to_owned()
    }

    /// The values of a row for these fields, and what of it is no value at all.
    pub fn values(&self, cells: &Cells<'_>, fields: &[Field]) -> (Values, FieldErrors) {
        let (mut values, mut errors) = (Values::with_capacity(self.bound.len()), FieldErrors::new());
        for bound in self.bound.iter().filter(|bound| fields.iter().any(|field| field.name == bound.target.field.name))
        {
            match bound.target.given(&bound.text(cells)) {
                Ok(Some(given)) => values.push((bound.target.field.name.into(), given)),
                Ok(None) => {}
                Err(message) => errors.entry(bound.target.field.name.into()).or_default().push(message),
            }
        }
        (values, errors)
    }

    /// Notes a problem at a field of a row. What a column is missing for is said once, at the header.
    pub fn at(&mut self, row: u64, field: &str, message: impl Into<String>) {
        let label = self.bound.iter().filter(|bound| bound.target.field.name == field).map(|bound| bound.label.clone());
        match label.reduce(|labels, label| format!("{labels}, {label}")) {
            Some(label) if label.is_empty() => self.problem(Some(row), field, message.into()),
            Some(label) => self.problem(Some(row), &label, message.into()),
            None if self.asked.insert(field.to_owned()) => {
                let message = message.into();
                self.problem(Some(1), field, format!("{message} No column goes to {field}."));
            }
            None => {}
        }
    }

    /// Notes everything an error says about the fields of a row.
    pub fn refused(&mut self, row: u64, error: Error) {
        if error.errors.is_empty() {
            self.problem(Some(row), "", error.detail);
            return;
        }
        self.wrong(row, error.errors);
    }

    /// Notes messages at fields of a row.
    pub fn wrong(&mut self, row: u64, errors: FieldErrors) {
        for (field, messages) in errors {
            self.at(row, &field, messages.join(" "));
        }
    }

    /// Notes a problem where nothing is mapped.
    pub fn problem(&mut self, row: Option<u64>, column: &str, message: String) {
        self.problems.add(Problem { file: self.name.clone(), row, column: column.into(), message });
    }
}

/// Takes off the apostrophe that an export puts in front of what a spreadsheet would take for a formula.
fn unguarded(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(text) if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\'']) => text,
        _ => cell,
    }
}

impl Bound {
    fn text(&self, cells: &Cells<'_>) -> String {
        let cell = |index: &usize| unguarded(cells.get(*index));
        if let [From::Cell(index)] = self.from.as_slice() {
            return cell(index).to_owned();
        }
        // Texts alone say nothing about a row whose cells are blank, unless they are all there is.
        let cells = self.from.iter().filter_map(|from| match from {
            From::Cell(index) => Some(cell(index).trim()),
            From::Text(_) => None,
        });
        let mut cells = cells.peekable();
        if cells.peek().is_some() && cells.all(str::is_empty) {
            return String::new();
        }
        let parts = self.from.iter().map(|from| match from {
            From::Cell(index) => cell(index).trim(),
            From::Text(text) => text.as_str(),
        });
        parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
    }
}

impl Target {
    /// The value that the text of a cell says; nothing where a blank leaves the field to its default.
    fn given(&self, text: &str) -> Result<Option<Given>, String> {
        let trimmed = text.trim();
        if matches!(self.field.kind, Value::Flag { .. }) {
            return match trimmed.to_lowercase().as_str() {
                "" => Ok(None),
                "1" | "true" | "yes" | "y" => Ok(Some(Given::Flag(self.reading != Reading::Negated))),
                "0" | "false" | "no" | "n" => Ok(Some(Given::Flag(self.reading == Reading::Negated))),
                _ => Err("Enter 1 or 0, true or false, yes or no.".into()),
            };
        }
        let with_default = self.field.kind == Value::Percent && self.field.required && !self.field.suggested.is_empty();
        if trimmed.is_empty() && with_default {
            return Ok(None);
        }
        if trimmed.is_empty() {
            return Ok(Some(Given::Null));
        }
        Ok(Some(match (self.reading, self.field.kind) {
            (Reading::Fraction, _) => Given::Text(percent(trimmed)?),
            (_, Value::Choice(_)) => Given::Text(trimmed.to_lowercase()),
            (_, kind) => Given::typed(kind, text),
        }))
    }
}

/// A part of one as a percentage, exactly: the point moves two places.
fn percent(fraction: &str) -> Result<String, String> {
    let (whole, decimals) = fraction.split_once('.').unwrap_or((fraction, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(decimals) {
        return Err("Enter a part of one such as 0.15.".into());
    }
    let decimals = format!("{decimals:0<2}");
    let (moved, rest) = decimals.split_at(2);
    Ok(if rest.is_empty() { format!("{whole}{moved}") } else { format!("{whole}{moved}.{rest}") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::money::Percent;

    #[test]
    fn a_fraction_becomes_a_percentage_exactly() {
        let of = |text: &str| percent(text).unwrap().parse::<Percent>().unwrap().to_string();
        for (fraction, percentage) in [
            ("0", "0.00"),
            ("0.1", "10.00"),
            ("0.15", "15.00"),
            ("0.07", "7.00"),
            ("0.1234", "12.34"),
            ("1", "100.00"),
            ("0.150000", "15.00"),
        ] {
            assert_eq!(of(fraction), percentage, "{fraction}");
        }
        for text in ["", "-0.1", "1e-1", "0,1", ".5", "15 %"] {
            assert!(percent(text).is_err(), "{text}");
        }
        assert!(percent("1.5").unwrap().parse::<Percent>().is_err());
    }
}
