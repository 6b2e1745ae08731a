//! Rows out of a spreadsheet, and the products of SKUs that came whole.

use std::collections::BTreeMap;

use leptos::prelude::*;
use leptos::task::spawn_local;

use super::super::rpc::resolve_products;
use super::cells::{Cells, Known};
use super::grid::{Grid, Line};

impl Grid {
    /// Puts the rows of a spreadsheet in, from this row on: SKU, quantity, price, discount. What cannot be read stays, marked.
    pub(super) fn paste(self, key: u32, column: usize, text: &str) {
        let Some((first, _)) = self.find(key) else { return };
        let rows: Vec<&str> = text.lines().filter(|row| !row.trim().is_empty()).collect();
        let have = self.lines.with_untracked(Vec::len);
        let missing = (first + rows.len()).saturating_sub(have);
        let more: Vec<_> = std::iter::repeat_with(|| self.line(Cells::default())).take(missing).collect();
        if missing > 0 {
            self.lines.update(|lines| lines.extend(more));
        }
        let targets: Vec<Line> =
            self.lines.with_untracked(|lines| lines.iter().skip(first).take(rows.len()).copied().collect());
        for (line, row) in targets.iter().zip(rows) {
            line.cells.update(|cells| {
                for (at, text) in row.split('\t').enumerate() {
                    let Some(cell) = cells.texts.get_mut(column + at) else { break };
                    text.trim().clone_into(cell);
                    if column + at == 0 {
                        cells.forget_product();
                    }
                }
                cells.errors.clear();
            });
        }
        self.keep_spare();
        self.resolve(targets);
    }

    /// Finds the products of lines whose SKU was typed or pasted whole, and the list price of those without one.
    pub(super) fn resolve(self, lines: Vec<Line>) {
        let skus: Vec<String> = lines
            .iter()
            .map(|line| line.cells.with_untracked(|cells| cells.text(0).to_owned()))
            .filter(|sku| !sku.is_empty())
            .collect();
        if skus.is_empty() {
            return;
        }
        spawn_local(async move {
            let Ok(found) = resolve_products(skus.join("\n")).await else { return };
            let found: BTreeMap<_, _> = found.iter().map(|row| (row.text("sku").to_lowercase(), row)).collect();
            for line in lines {
                let Some(sku) = line.cells.try_with_untracked(|cells| cells.text(0).to_lowercase()) else { return };
                match found.get(&sku) {
                    Some(row) => line.cells.update(|cells| {
                        let known = Known::of(row);
                        // A stored line keeps its name and its tax rate.
                        let known = match cells.product.clone() {
                            Some(stored) => Known { list_price: known.list_price, ..stored },
                            None => known,
                        };
                        cells.meet(row.text("sku"), known);
                    }),
                    None if line.cells.with_untracked(|cells| cells.product.is_none() && !sku.is_empty()) => {
                        line.cells.update(|cells| {
                            let message = "There is no active product with this SKU.";
                            cells.errors.insert("sku".into(), message.into());
                        });
                    }
                    None => {}
                }
                self.look_for_twin(line);
            }
        });
    }
}
