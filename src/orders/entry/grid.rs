//! The lines of the grid: what is typed, what the server says about it, what it comes to.

use std::collections::BTreeMap;

use leptos::prelude::*;

use super::super::pricing::{self, Line as Priced, Totals};
use super::cells::{COLUMNS, Cells, LABELS, plain_number};
use super::table::{cell_focus, cell_id, cell_of_id};
use super::typeahead::Hits;
use crate::base::Error;
use crate::base::form::Typed;
use crate::ui::context::FailedForm;
use crate::ui::form::Wrong;

/// The id of the button that saves the order.
pub(super) const SAVE: &str = "save";

/// Empty rows below the last line: what somebody without JavaScript can fill before saving.
const SPARE: usize = 5;

/// One row; its place in the list is its place in the order.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    pub(super) key: u32,
    pub(super) cells: RwSignal<Cells>,
}

/// The grid of lines.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grid {
    pub(super) lines: RwSignal<Vec<Line>>,
    pub(super) next_key: StoredValue<u32>,
    /// The row somebody types a product into.
    pub(super) open: RwSignal<Option<u32>>,
    pub(super) hits: RwSignal<Hits>,
    /// Whether the order is being saved: what is typed before it is drawn anew would be gone.
    pub(super) is_sent: StoredValue<bool>,
    /// Grows with every search, so that a late answer is not taken for the latest.
    pub(super) search: StoredValue<u32>,
}

impl Grid {
    pub(super) fn new(rows: Vec<Cells>) -> Self {
        let grid = Self {
            lines: RwSignal::new(Vec::new()),
            next_key: StoredValue::new(0),
            open: RwSignal::new(None),
            hits: RwSignal::new(Hits::default()),
            is_sent: StoredValue::new(false),
            search: StoredValue::new(0),
        };
        let spare = std::iter::repeat_with(Cells::default).take(SPARE);
        let lines = rows.into_iter().chain(spare).map(|cells| grid.line(cells)).collect();
        grid.lines.set(lines);
        grid
    }

    pub(super) fn line(self, cells: Cells) -> Line {
        let key = self.next_key.get_value();
        self.next_key.set_value(key + 1);
        Line { key, cells: RwSignal::new(cells) }
    }

    pub(super) fn find(self, key: u32) -> Option<(usize, Line)> {
        self.lines.with_untracked(|lines| lines.iter().copied().enumerate().find(|(_, line)| line.key == key))
    }

    /// The id that the control which has the focus will have when the order is drawn anew.
    pub(super) fn resumes(self) -> Option<String> {
        document().active_element().and_then(|control| self.drawn_anew(&control.id()))
    }

    /// The id of a control when the order is drawn anew after it was saved: blank lines are gone then. Absent for what is no
    /// field of the order, nor the button that saves it.
    fn drawn_anew(self, id: &str) -> Option<String> {
        let Some((key, column)) = cell_of_id(id) else {
            return (id.starts_with("f-") || id == SAVE).then(|| id.to_owned());
        };
        let (index, _) = self.find(key)?;
        let is_kept = |line: &&Line| line.cells.with_untracked(|cells| !cells.is_blank());
        let row = self.lines.with_untracked(|lines| lines.iter().take(index).filter(is_kept).count());
        Some(cell_id(u32::try_from(row).ok()?, column))
    }

    /// What is typed, as the form of the server function names it. Rows keep their place, so errors find them again.
    pub(super) fn typed(self, typed: &mut Typed) {
        self.lines.with_untracked(|lines| {
            for (row, line) in lines.iter().enumerate() {
                line.cells.with_untracked(|cells| {
                    if cells.is_blank() {
                        return;
                    }
                    for (column, name) in COLUMNS.iter().enumerate() {
                        let text =
                            if column == 0 { cells.text(0).to_owned() } else { plain_number(cells.text(column)) };
                        typed.insert(format!("items.{row}.{name}"), text);
                    }
                });
            }
        });
    }

    /// Puts what the server said to the lines it is about.
    pub(super) fn explain(self, error: Option<&Error>) {
        let by_row = error.map(errors_by_row).unwrap_or_default();
        self.lines.with_untracked(|lines| {
            for (row, line) in lines.iter().enumerate() {
                let errors = by_row.get(&row).cloned().unwrap_or_default();
                if line.cells.with_untracked(|cells| cells.errors != errors) {
                    line.cells.update(|cells| cells.errors = errors);
                }
            }
        });
    }

    /// What the server said of the lines, in their order, each at the cell it is about.
    pub(super) fn wrong(self) -> Vec<Wrong> {
        self.lines.with(|lines| {
            let wrong = lines.iter().enumerate().flat_map(|(row, line)| {
                line.cells.with(|cells| {
                    let at = |name: &str| COLUMNS.iter().position(|column| *column == name);
                    let place = |name: &str| {
                        let column = at(name).and_then(|column| LABELS.get(column));
                        column.map_or_else(String::new, |label| format!(", {label}"))
                    };
                    let nested = cells.errors.iter().map(|(name, message)| Wrong {
                        label: format!("Line {}{}", row + 1, place(name)),
                        control: cell_id(line.key, at(name).unwrap_or_default()),
                        message: message.clone(),
                    });
                    nested.collect::<Vec<_>>()
                })
            });
            wrong.collect()
        })
    }

    /// Changes the text of a cell.
    pub(super) fn put(self, key: u32, column: usize, text: String) {
        let Some((_, line)) = self.find(key) else { return };
        line.cells.update(|cells| {
            if let Some(cell) = cells.texts.get_mut(column) {
                *cell = text;
            }
            if let Some(name) = COLUMNS.get(column) {
                cells.errors.remove(*name);
            }
            if column == 0 {
                cells.errors.remove("product");
                cells.forget_product();
            }
        });
        if column == 2 && line.cells.with_untracked(|cells| cells.text(2).is_empty() && cells.product.is_some()) {
            self.resolve(vec![line]);
        }
    }

    pub(super) fn remove(self, key: u32) {
        let Some((index, _)) = self.find(key) else { return };
        self.lines.update(|lines| {
            lines.remove(index);
        });
        self.keep_spare();
        for line in self.lines.get_untracked() {
            if line.cells.with_untracked(|cells| cells.twin.is_some()) {
                self.look_for_twin(line);
            }
        }
        if let Some(line) = self.lines.with_untracked(|lines| lines.get(index).or(lines.last()).copied()) {
            cell_focus(line.key, 0);
        }
    }

    /// Copies quantity and discount into a new line below, which wants a product of its own.
    pub(super) fn duplicate(self, key: u32) {
        let Some((index, line)) = self.find(key) else { return };
        let [_, quantity, _, discount] = line.cells.with_untracked(|cells| cells.texts.clone());
        let copy = self.line(Cells { texts: [String::new(), quantity, String::new(), discount], ..Cells::default() });
        self.lines.update(|lines| lines.insert(index + 1, copy));
        cell_focus(copy.key, 0);
    }

    pub(super) fn shift(self, key: u32, step: isize) {
        let Some((index, _)) = self.find(key) else { return };
        let last = self.lines.with_untracked(Vec::len).saturating_sub(1);
        let to = index.saturating_add_signed(step).min(last);
        if to != index {
            self.lines.update(|lines| lines.swap(index, to));
        }
    }

    /// There is always a row to type into.
    pub(super) fn keep_spare(self) {
        let needs = self.lines.with_untracked(|lines| {
            lines.last().is_none_or(|line| line.cells.with_untracked(|cells| !cells.is_blank()))
        });
        if needs {
            let line = self.line(Cells::default());
            self.lines.update(|lines| lines.push(line));
        }
    }

    /// The same column in the row above or below.
    pub(super) fn step(self, key: u32, column: usize, step: isize) {
        let Some((index, _)) = self.find(key) else { return };
        if step > 0 {
            self.keep_spare();
        }
        let to = index.saturating_add_signed(step);
        if let Some(line) = self.lines.with_untracked(|lines| lines.get(to).copied()) {
            cell_focus(line.key, column);
        }
    }

    /// What all lines come to, as far as they are there.
    pub(super) fn totals(self) -> Option<Totals> {
        let lines: Vec<Priced> =
            self.lines.with(|lines| lines.iter().filter_map(|line| line.cells.with(Cells::priced)).collect());
        pricing::price(&lines).ok().map(|(_, totals)| totals)
    }
}

/// The messages of `items[2].quantity`, by row and column.
fn errors_by_row(error: &Error) -> BTreeMap<usize, BTreeMap<String, String>> {
    let mut rows: BTreeMap<usize, BTreeMap<String, String>> = BTreeMap::new();
    for (name, messages) in &error.errors {
        let Some((row, column)) = name.strip_prefix("items[").and_then(|name| name.split_once(']')) else { continue };
        let column = match column.trim_start_matches('.') {
            "product" => "sku",
            column => column,
        };
        if let Ok(row) = row.parse() {
            rows.entry(row).or_default().insert(column.to_owned(), messages.join(" "));
        }
    }
    rows
}

/// The rows of a form that was sent without JavaScript and refused.
pub(super) fn rows_of(failed: &FailedForm) -> Vec<Cells> {
    let errors = errors_by_row(&failed.error);
    let mut rows: BTreeMap<usize, Cells> = BTreeMap::new();
    for (name, text) in &failed.typed {
        let Some((row, name)) = name.strip_prefix("items.").and_then(|name| name.split_once('.')) else { continue };
        let (Ok(row), Some(column)) = (row.parse::<usize>(), COLUMNS.iter().position(|known| *known == name)) else {
            continue;
        };
        let cells = rows.entry(row).or_default();
        if let Some(cell) = cells.texts.get_mut(column) {
            cell.clone_from(text);
        }
        cells.errors = errors.get(&row).cloned().unwrap_or_default();
    }
    rows.into_values().filter(|cells| !cells.is_blank()).collect()
}
