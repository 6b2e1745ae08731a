//! What stands in one row of the grid, and what is wrong with it.

use std::collections::BTreeMap;

use super::super::Item;
use super::super::pricing::Line as Priced;
use crate::base::money::{Percent, Quantity, UnitPrice};
use crate::base::record::Row;

/// The columns somebody types into, by the names of their values.
pub(super) const COLUMNS: [&str; 4] = ["sku", "quantity", "unit_price", "discount_percent"];

/// What people call them.
pub(super) const LABELS: [&str; 4] = ["SKU", "Quantity", "Unit price", "Discount, %"];

/// The product on a line, as far as the grid needs to know it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Known {
    pub(super) name: String,
    pub(super) unit: String,
    /// What a blank price stands for; unknown for stored lines until somebody asks.
    pub(super) list_price: Option<UnitPrice>,
    pub(super) tax_rate: Percent,
}

impl Known {
    pub(super) fn of(row: &Row) -> Self {
        Self {
            name: row.text("name"),
            unit: row.text("unit"),
            list_price: row.text("price").parse().ok(),
            tax_rate: row.text("tax_rate").parse().unwrap_or_default(),
        }
    }
}

/// What stands in one row of the grid.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Cells {
    /// In the order of [`COLUMNS`].
    pub(super) texts: [String; 4],
    pub(super) product: Option<Known>,
    /// The price that was taken from the product and stored; any other is typed.
    pub(super) taken_price: Option<String>,
    /// SKU and price of a line that is stored with its product's price.
    pub(super) stored: Option<[String; 2]>,
    /// What the server said, by column or about the line.
    pub(super) errors: BTreeMap<String, String>,
    /// The line that has the same product.
    pub(super) twin: Option<u32>,
}

impl Cells {
    pub(super) fn of(item: &Item) -> Self {
        let discount = if item.discount_percent.is_zero() { String::new() } else { item.discount_percent.to_string() };
        Self {
            texts: [item.sku.clone(), item.quantity.to_string(), item.unit_price.to_string(), discount],
            product: Some(Known {
                name: item.description.clone(),
                unit: item.unit.clone(),
                list_price: None,
                tax_rate: item.tax_rate,
            }),
            taken_price: (!item.price_is_manual).then(|| item.unit_price.to_string()),
            stored: (!item.price_is_manual).then(|| [item.sku.clone(), item.unit_price.to_string()]),
            ..Self::default()
        }
    }

    pub(super) fn text(&self, column: usize) -> &str {
        self.texts.get(column).map(|text| text.trim()).unwrap_or_default()
    }

    pub(super) fn is_blank(&self) -> bool {
        self.texts.iter().all(|text| text.trim().is_empty())
    }

    /// Whether the price is a typed one.
    pub(super) fn is_manual(&self) -> bool {
        let price = self.text(2);
        !price.is_empty() && self.taken_price.as_deref() != Some(price)
    }

    /// Takes the product away, and with it the price that was taken from it.
    pub(super) fn forget_product(&mut self) {
        if !self.is_manual() {
            self.texts[2].clear();
        }
        (self.product, self.twin, self.taken_price) = (None, None, None);
    }

    /// Puts a product in. A stored line that gets its own back keeps the price it was stored with.
    pub(super) fn meet(&mut self, sku: String, known: Known) {
        if let Some([stored, price]) =
            self.stored.as_ref().filter(|_| self.product.is_none() && self.text(2).is_empty())
            && *stored == sku
        {
            (self.texts[2], self.taken_price) = (price.clone(), Some(price.clone()));
        }
        self.texts[0] = sku;
        self.product = Some(known);
    }

    /// What its amounts are computed from, once product, quantity and price are there.
    pub(super) fn priced(&self) -> Option<Priced> {
        let product = self.product.as_ref()?;
        let unit_price = match plain_number(self.text(2)).as_str() {
            "" => product.list_price?,
            text => text.parse().ok()?,
        };
        let discount_percent = match plain_number(self.text(3)).as_str() {
            "" => Percent::ZERO,
            text => text.parse().ok()?,
        };
        let quantity = plain_number(self.text(1)).parse::<Quantity>().ok()?;
        Some(Priced { quantity, unit_price, discount_percent, tax_rate: product.tax_rate })
    }

    /// What is wrong with a cell.
    pub(super) fn wrong(&self, column: usize) -> Option<String> {
        let said = COLUMNS.get(column).and_then(|name| self.errors.get(*name));
        if said.is_some() {
            return said.cloned();
        }
        let text = plain_number(self.text(column));
        if self.is_blank() || (text.is_empty() && column > 0) {
            return None;
        }
        let error = match column {
            1 => text.parse::<Quantity>().err(),
            2 => text.parse::<UnitPrice>().err(),
            3 => text.parse::<Percent>().err(),
            _ => None,
        };
        error.map(|error| error.to_string())
    }

    /// Everything that is wrong, once each.
    pub(super) fn said(&self) -> String {
        let mut said: Vec<String> = (0..COLUMNS.len()).filter_map(|column| self.wrong(column)).collect();
        let others = self.errors.iter().filter(|(name, _)| !COLUMNS.contains(&name.as_str()));
        said.extend(others.map(|(_, message)| message.clone()));
        said.dedup();
        said.join(" ")
    }
}

/// A number as people type it: `12,5` is 12.5 and `5 %` is 5.
pub(super) fn plain_number(text: &str) -> String {
    let text = text.trim().trim_end_matches('%').trim();
    if text.contains('.') { text.to_owned() } else { text.replacen(',', ".", 1) }
}
