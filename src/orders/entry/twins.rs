//! Two lines with one product: told, and made one if somebody wants it.

use leptos::prelude::*;

use super::cells::plain_number;
use super::grid::{Grid, Line};
use super::table::cell_focus;
use crate::base::money::Quantity;

impl Grid {
    /// Marks a line whose product stands on another line already.
    pub(super) fn look_for_twin(self, line: Line) {
        let sku = line.cells.with_untracked(|cells| cells.text(0).to_lowercase());
        let twin = self.lines.with_untracked(|lines| {
            let same = |other: &&Line| {
                other.key != line.key && other.cells.with_untracked(|cells| cells.text(0).to_lowercase() == sku)
            };
            lines.iter().find(same).map(|other| other.key)
        });
        if line.cells.with_untracked(|cells| cells.twin != twin) {
            line.cells.update(|cells| cells.twin = twin);
        }
    }

    /// Adds the quantity of a line to the line that has its product already.
    pub(super) fn merge(self, key: u32) {
        let Some((_, line)) = self.find(key) else { return };
        let Some((_, twin)) = line.cells.with_untracked(|cells| cells.twin).and_then(|twin| self.find(twin)) else {
            return;
        };
        let quantity = |line: Line| {
            let text = line.cells.with_untracked(|cells| plain_number(cells.text(1)));
            text.parse::<Quantity>().map_or(0, Quantity::units)
        };
        if let Some(sum) = Quantity::from_units(quantity(line) + quantity(twin)) {
            twin.cells.update(|cells| cells.texts[1] = sum.to_string());
            self.remove(key);
            cell_focus(twin.key, 1);
        }
    }
}
