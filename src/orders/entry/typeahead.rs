//! What is offered while somebody types, and what is taken of it.

use leptos::prelude::*;
use leptos::task::spawn_local;

use super::super::pages::amount;
use super::super::rpc::find_products;
use super::cells::Known;
use super::grid::{Grid, Line};
use crate::base::record::Row;

/// What is offered while somebody types.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Hits {
    /// What they are the answer to.
    pub(super) text: String,
    pub(super) rows: Vec<Row>,
    pub(super) chosen: usize,
}

impl Hits {
    /// The record that is meant by what somebody typed and left: the one whose code it is, or the only one that matches.
    pub(super) fn meant(self, code: &str) -> Option<Row> {
        let text = self.text.trim().to_lowercase();
        let only = self.rows.len() == 1;
        self.rows
            .into_iter()
            .find(|row| only || [code, "name"].iter().any(|name| row.text(name).to_lowercase() == text))
    }

    pub(super) fn move_by(&mut self, step: isize) {
        let last = self.rows.len().saturating_sub(1);
        self.chosen = self.chosen.saturating_add_signed(step).min(last);
    }
}

impl Grid {
    /// Offers products for what somebody types.
    pub(super) fn offer(self, key: u32, text: String) {
        let search = self.search.get_value() + 1;
        self.search.set_value(search);
        if text.trim().is_empty() {
            self.close();
            return;
        }
        spawn_local(async move {
            let rows = find_products(text.clone()).await.unwrap_or_default();
            if self.search.try_get_value() == Some(search) {
                self.open.try_set((!rows.is_empty()).then_some(key));
                self.hits.try_set(Hits { text, rows, chosen: 0 });
            }
        });
    }

    pub(super) fn close(self) {
        if self.open.get_untracked().is_some() {
            self.open.set(None);
        }
    }

    /// Takes a product for a line.
    pub(super) fn take(self, key: u32, row: &Row) {
        self.search.update_value(|search| *search += 1);
        self.close();
        let Some((_, line)) = self.find(key) else { return };
        let (sku, known) = (row.text("sku"), Known::of(row));
        line.cells.update(|cells| {
            cells.meet(sku, known);
            cells.errors.clear();
        });
        self.look_for_twin(line);
    }

    /// Takes what is offered, if it is the answer to what stands in the cell by now.
    pub(super) fn take_chosen(self, key: u32) {
        let Some((_, line)) = self.find(key) else { return };
        let current = line.cells.with_untracked(|cells| cells.texts.first().cloned().unwrap_or_default());
        let row = self.hits.with_untracked(|hits| {
            hits.rows
                .get(hits.chosen)
                .filter(|_| hits.text == current && self.open.get_untracked() == Some(key))
                .cloned()
        });
        if let Some(row) = row {
            self.take(key, &row);
        }
    }

    /// Puts a text that was typed to its end.
    pub(super) fn put_whole(self, key: u32, column: usize, text: String) {
        self.put(key, column, text);
        self.keep_spare();
        if let Some((_, line)) = self.find(key).filter(|_| column == 0) {
            self.pick(line);
        }
    }

    /// Finds the product of a line whose cell was left before anything was taken: typing never waits for an answer.
    pub(super) fn pick(self, line: Line) {
        self.search.update_value(|search| *search += 1);
        let text = line.cells.with_untracked(|cells| cells.text(0).to_owned());
        spawn_local(async move {
            let Ok(rows) = find_products(text.clone()).await else { return };
            let same = line.cells.try_with_untracked(|cells| cells.text(0) == text && cells.product.is_none());
            if same != Some(true) {
                return;
            }
            let none = rows.is_empty();
            match (Hits { text, rows, chosen: 0 }).meant("sku") {
                Some(row) => self.take(line.key, &row),
                None => line.cells.update(|cells| {
                    let message = if none {
                        "There is no active product like this."
                    } else {
                        "Several products match; choose one."
                    };
                    // What saving found out says more, and this may come after it.
                    cells.errors.entry("sku".into()).or_insert_with(|| message.into());
                }),
            }
        });
    }
}

/// What is offered for what somebody types.
#[component]
pub(super) fn Offered(hits: RwSignal<Hits>) -> impl IntoView {
    view! {
        <ul class="hits-pop" id="hits" role="listbox" aria-label="Matches">
            {move || {
                let Hits { rows, chosen, .. } = hits.get();
                rows.into_iter()
                    .enumerate()
                    .map(|(index, row)| {
                        let (code, aside) = match row.text("sku") {
                            sku if sku.is_empty() => (row.text("code"), row.text("billing_city")),
                            sku => (sku, amount(row.text("price"))),
                        };
                        let selected = if index == chosen { "true" } else { "false" };
                        view! {
                            <li role="option" data-hit=index.to_string() aria-selected=selected>
                                <span class="muted">{code}</span>
                                <bdi>{row.text("name")}</bdi>
                                <span class="num">{aside}</span>
                            </li>
                        }
                    })
                    .collect_view()
            }}
        </ul>
    }
}
