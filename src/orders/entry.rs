//! The order entry: customer, lines in a grid, totals that follow every keystroke. One form, which works without JavaScript
//! with spare rows.
//!
//! The grid listens once for all its cells, so that an order of a thousand lines costs no more than one of ten.

use std::collections::BTreeMap;
use std::sync::Arc;

use leptos::ev::{ClipboardEvent, Event, FocusEvent, KeyboardEvent, MouseEvent, SubmitEvent};
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos::wasm_bindgen::JsCast;
use leptos::web_sys::{Element, HtmlElement, HtmlFormElement, HtmlInputElement};

use super::pages::{Blocked, CancelButton, DeleteButton, PAGES, Reload, StatusBadge, allowed, amount, page};
use super::pricing::{self, Line as Priced, Totals};
use super::rpc::{create_order, find_customers, find_products, resolve_products, update_order};
use super::{Command, Item, OrderId, OrderInput, Sheet, Status};
use crate::base::Error;
use crate::base::form::{Field, Input, Typed, shown};
use crate::base::money::{Percent, Quantity, UnitPrice};
use crate::base::record::Row;
use crate::history::Detail;
use crate::ui::context::FailedForm;
use crate::ui::form::{Conflict, FieldRow, Sender, Sending, Sent, Summary, focus, focus_drawn, sent_by};
use crate::ui::icon::{Icon, Shape};
use crate::ui::page::Heading;
use crate::ui::timeline::Timeline;

/// Empty rows below the last line: what somebody without JavaScript can fill before saving.
const SPARE: usize = 5;

/// The columns somebody types into, by the names of their values.
const COLUMNS: [&str; 4] = ["sku", "quantity", "unit_price", "discount_percent"];
const LABELS: [&str; 4] = ["SKU", "Quantity", "Unit price", "Discount, %"];
/// What a column of quantities, prices and discounts asks a phone's keyboard for.
const DECIMAL: &str = "decimal";

/// The product on a line, as far as the grid needs to know it.
#[derive(Debug, Clone, PartialEq)]
struct Known {
    name: String,
    unit: String,
    /// What a blank price stands for; unknown for stored lines until somebody asks.
    list_price: Option<UnitPrice>,
    tax_rate: Percent,
}

impl Known {
    fn of(row: &Row) -> Self {
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
struct Cells {
    /// In the order of [`COLUMNS`].
    texts: [String; 4],
    product: Option<Known>,
    /// The price that was taken from the product and stored; any other is typed.
    taken_price: Option<String>,
    /// What the server said, by column or about the line.
    errors: BTreeMap<String, String>,
    /// The line that has the same product.
    twin: Option<u32>,
}

impl Cells {
    fn of(item: &Item) -> Self {
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
            ..Self::default()
        }
    }

    fn text(&self, column: usize) -> &str {
        self.texts.get(column).map(|text| text.trim()).unwrap_or_default()
    }

    fn is_blank(&self) -> bool {
        self.texts.iter().all(|text| text.trim().is_empty())
    }

    /// Whether the price is a typed one.
    fn is_manual(&self) -> bool {
        let price = self.text(2);
        !price.is_empty() && self.taken_price.as_deref() != Some(price)
    }

    /// What its amounts are computed from, once product, quantity and price are there.
    fn priced(&self) -> Option<Priced> {
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
    fn wrong(&self, column: usize) -> Option<String> {
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
    fn said(&self) -> String {
        let mut said: Vec<String> = (0..COLUMNS.len()).filter_map(|column| self.wrong(column)).collect();
        let others = self.errors.iter().filter(|(name, _)| !COLUMNS.contains(&name.as_str()));
        said.extend(others.map(|(_, message)| message.clone()));
        said.dedup();
        said.join(" ")
    }
}

/// A number as people type it: `12,5` is 12.5 and `5 %` is 5.
fn plain_number(text: &str) -> String {
    let text = text.trim().trim_end_matches('%').trim();
    if text.contains('.') { text.to_owned() } else { text.replacen(',', ".", 1) }
}

/// One row; its place in the list is its place in the order.
#[derive(Debug, Clone, Copy)]
struct Line {
    key: u32,
    cells: RwSignal<Cells>,
}

/// What is offered while somebody types.
#[derive(Debug, Clone, Default, PartialEq)]
struct Hits {
    /// What they are the answer to.
    text: String,
    rows: Vec<Row>,
    chosen: usize,
}

impl Hits {
    /// The record that is meant by what somebody typed and left: the one whose code it is, or the only one that matches.
    fn meant(self, code: &str) -> Option<Row> {
        let text = self.text.trim().to_lowercase();
        let only = self.rows.len() == 1;
        self.rows
            .into_iter()
            .find(|row| only || [code, "name"].iter().any(|name| row.text(name).to_lowercase() == text))
    }

    fn move_by(&mut self, step: isize) {
        let last = self.rows.len().saturating_sub(1);
        self.chosen = self.chosen.saturating_add_signed(step).min(last);
    }
}

/// The grid of lines.
#[derive(Debug, Clone, Copy)]
struct Grid {
    lines: RwSignal<Vec<Line>>,
    next_key: StoredValue<u32>,
    /// The row somebody types a product into.
    open: RwSignal<Option<u32>>,
    hits: RwSignal<Hits>,
    /// Grows with every search, so that a late answer is not taken for the latest.
    search: StoredValue<u32>,
}

impl Grid {
    fn new(rows: Vec<Cells>) -> Self {
        let grid = Self {
            lines: RwSignal::new(Vec::new()),
            next_key: StoredValue::new(0),
            open: RwSignal::new(None),
            hits: RwSignal::new(Hits::default()),
            search: StoredValue::new(0),
        };
        let spare = std::iter::repeat_with(Cells::default).take(SPARE);
        let lines = rows.into_iter().chain(spare).map(|cells| grid.line(cells)).collect();
        grid.lines.set(lines);
        grid
    }

    fn line(self, cells: Cells) -> Line {
        let key = self.next_key.get_value();
        self.next_key.set_value(key + 1);
        Line { key, cells: RwSignal::new(cells) }
    }

    fn find(self, key: u32) -> Option<(usize, Line)> {
        self.lines.with_untracked(|lines| lines.iter().copied().enumerate().find(|(_, line)| line.key == key))
    }

    /// What is typed, as the form of the server function names it. Rows keep their place, so errors find them again.
    fn typed(self, typed: &mut Typed) {
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
    fn explain(self, error: Option<&Error>) {
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

    /// Changes the text of a cell.
    fn put(self, key: u32, column: usize, text: String) {
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
                (cells.product, cells.twin, cells.taken_price) = (None, None, None);
            }
        });
        if column == 2 && line.cells.with_untracked(|cells| cells.text(2).is_empty() && cells.product.is_some()) {
            self.resolve(vec![line]);
        }
    }

    /// Offers products for what somebody types.
    fn offer(self, key: u32, text: String) {
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

    fn close(self) {
        if self.open.get_untracked().is_some() {
            self.open.set(None);
        }
    }

    /// Takes a product for a line.
    fn take(self, key: u32, row: &Row) {
        self.search.update_value(|search| *search += 1);
        self.close();
        let Some((_, line)) = self.find(key) else { return };
        let (sku, known) = (row.text("sku"), Known::of(row));
        line.cells.update(|cells| {
            cells.texts[0] = sku;
            cells.product = Some(known);
            cells.errors.clear();
        });
        self.look_for_twin(line);
    }

    /// Takes what is offered, if it is the answer to what stands in the cell by now.
    fn take_chosen(self, key: u32) {
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

    /// Finds the product of a line whose cell was left before anything was taken: typing never waits for an answer.
    fn pick(self, line: Line) {
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
                    cells.errors.insert("sku".into(), message.into());
                }),
            }
        });
    }

    /// Finds the products of lines whose SKU was typed or pasted whole, and the list price of those without one.
    fn resolve(self, lines: Vec<Line>) {
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
                        let stored = cells.product.take();
                        let known = Known::of(row);
                        // A stored line keeps its name and its tax rate.
                        cells.product = Some(match stored {
                            Some(stored) => Known { list_price: known.list_price, ..stored },
                            None => known,
                        });
                        cells.texts[0] = row.text("sku");
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

    /// Marks a line whose product stands on another line already.
    fn look_for_twin(self, line: Line) {
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
    fn merge(self, key: u32) {
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

    fn remove(self, key: u32) {
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
    fn duplicate(self, key: u32) {
        let Some((index, line)) = self.find(key) else { return };
        let [_, quantity, _, discount] = line.cells.with_untracked(|cells| cells.texts.clone());
        let copy = self.line(Cells { texts: [String::new(), quantity, String::new(), discount], ..Cells::default() });
        self.lines.update(|lines| lines.insert(index + 1, copy));
        cell_focus(copy.key, 0);
    }

    fn shift(self, key: u32, step: isize) {
        let Some((index, _)) = self.find(key) else { return };
        let last = self.lines.with_untracked(Vec::len).saturating_sub(1);
        let to = index.saturating_add_signed(step).min(last);
        if to != index {
            self.lines.update(|lines| lines.swap(index, to));
        }
    }

    /// There is always a row to type into.
    fn keep_spare(self) {
        let needs = self.lines.with_untracked(|lines| {
            lines.last().is_none_or(|line| line.cells.with_untracked(|cells| !cells.is_blank()))
        });
        if needs {
            let line = self.line(Cells::default());
            self.lines.update(|lines| lines.push(line));
        }
    }

    /// The same column in the row above or below.
    fn step(self, key: u32, column: usize, step: isize) {
        let Some((index, _)) = self.find(key) else { return };
        if step > 0 {
            self.keep_spare();
        }
        let to = index.saturating_add_signed(step);
        if let Some(line) = self.lines.with_untracked(|lines| lines.get(to).copied()) {
            cell_focus(line.key, column);
        }
    }

    /// Puts the rows of a spreadsheet in, from this row on: SKU, quantity, price, discount. What cannot be read stays, marked.
    fn paste(self, key: u32, column: usize, text: &str) {
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
                        (cells.product, cells.taken_price) = (None, None);
                    }
                }
                cells.errors.clear();
            });
        }
        self.keep_spare();
        self.resolve(targets);
    }

    /// What all lines come to, as far as they are there.
    fn totals(self) -> Option<Totals> {
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
fn rows_of(failed: &FailedForm) -> Vec<Cells> {
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

fn cell_id(key: u32, column: usize) -> String {
    format!("c-{key}-{column}")
}

fn cell_focus(key: u32, column: usize) {
    focus(cell_id(key, column));
}

/// The cell an event happened in.
fn cell_of(event: &Event) -> Option<(u32, usize, HtmlInputElement)> {
    let input: HtmlInputElement = event.target()?.dyn_into().ok()?;
    let id = input.id();
    let (key, column) = id.strip_prefix("c-")?.split_once('-')?;
    Some((key.parse().ok()?, column.parse().ok()?, input))
}

/// The order entry: for a new order, or for a draft.
#[component]
pub fn Entry(
    /// The draft; absent for a new order.
    #[prop(optional)]
    detail: Option<Detail<Sheet>>,
    /// The one-time key of a new order.
    #[prop(optional)]
    once: String,
    /// What the fields of a new order start with.
    #[prop(optional)]
    start: Typed,
) -> impl IntoView {
    let sheet = detail.as_ref().map(|detail| detail.record.clone());
    let order = sheet.as_ref().map(|sheet| sheet.order.clone());
    let action = if order.is_some() { "/-/orders/update" } else { "/-/orders/create" };
    let failed = use_context::<FailedForm>().filter(|failed| failed.action == action);

    let stored = order.as_ref().map(|order| {
        let mut typed = shown(OrderInput::FIELDS, &OrderInput { header: order.header.clone(), items: None }.values());
        typed.insert("customer".into(), order.customer_name.clone());
        typed.insert("customer_was".into(), format!("{} {}", order.header.customer, order.customer_name));
        typed
    });
    let first = failed.as_ref().map(|failed| failed.typed.clone()).or(stored).unwrap_or(start);
    let rows = match (&failed, &order) {
        (Some(failed), _) => rows_of(failed),
        (None, Some(order)) => order.items.iter().flatten().map(Cells::of).collect(),
        (None, None) => Vec::new(),
    };
    let grid = Grid::new(rows);
    let typed = RwSignal::new(first.clone());
    let then = StoredValue::new(String::new());
    let (id, version) = order.as_ref().map_or((OrderId(0), 0), |order| (order.id, order.version));
    let sending = Sending::of(action, sender(id, order.is_some(), then));
    Effect::new(move || sending.found.with(|error| grid.explain(error.as_ref())));
    let customer = Customer::new(&first);

    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        let Some(mut sent) = sent_by(&event) else { return };
        sent.typed.retain(|name, _| !name.starts_with("items."));
        customer.settle(&mut sent.typed);
        grid.typed(&mut sent.typed);
        typed.set(sent.typed.clone());
        // Whom a name means, the server knows.
        let mut checked = sent.typed.clone();
        checked.remove("customer_was");
        if checked.get("customer").is_some_and(|text| !text.trim().is_empty()) {
            checked.insert("customer".into(), "1".into());
        }
        match OrderInput::typed(&checked) {
            Ok(_) => sending.send(sent),
            Err(error) => {
                sending.found.set(Some(error));
                focus_drawn("error-summary");
            }
        }
    };
    let shortcuts = move |event: KeyboardEvent| {
        let place = event.key() == "Enter";
        if !(event.ctrl_key() || event.meta_key()) || !(place || event.key() == "s") {
            return;
        }
        event.prevent_default();
        then.set_value(if place { "place".into() } else { String::new() });
        let form = document().get_element_by_id("order-form");
        if let Some(form) = form.and_then(|form| form.dyn_into::<HtmlFormElement>().ok()) {
            // A form that cannot be sent stays as it is.
            let _ = form.request_submit();
        }
    };
    let current = move || {
        let stale = sending.found.with(|error| error.as_ref().and_then(|error| Some(error.stale.as_ref()?.version)));
        stale.unwrap_or(version)
    };
    let title = order.as_ref().map_or_else(|| "New order".to_owned(), |order| order.title());
    let actions = {
        let (sheet, title) = (sheet.clone(), title.clone());
        move || {
            let (sheet, title) = (sheet.clone(), title.clone());
            view! {
                {sheet
                    .map(|sheet| {
                        let id = sheet.order.id;
                        let version = sheet.order.version;
                        view! {
                            <a class="btn quiet" href=format!("/orders/{id}/print")>
                                <Icon shape=Shape::Print />
                                "Print"
                            </a>
                            {allowed(&sheet.actions, Command::Cancel)
                                .then(|| view! { <CancelButton id version title=title.clone() /> })}
                            {allowed(&sheet.actions, Command::Delete)
                                .then(|| view! { <DeleteButton id version title=title.clone() /> })}
                        }
                    })}
                <button
                    class="btn"
                    form="order-form"
                    disabled=move || sending.pending.get()
                    on:click=move |_| then.set_value(String::new())
                >
                    "Save draft"
                    <kbd>"Ctrl S"</kbd>
                </button>
                <button
                    class="btn primary"
                    form="order-form"
                    name="then"
                    value="place"
                    disabled=move || sending.pending.get()
                    on:click=move |_| then.set_value("place".into())
                >
                    "Save and place"
                    <kbd>"Ctrl ↵"</kbd>
                </button>
            }
        }
    };
    let called = order.as_ref().map(|order| order.customer_name.clone());
    let badge = move || {
        view! {
            <StatusBadge status=Status::Draft />
            {called.clone().map(|name| view! { <bdi class="muted">{name}</bdi> })}
        }
    };
    let beside = detail.as_ref().map(|detail| detail.beside.clone()).unwrap_or_default();
    let events = detail.map(|detail| detail.events);
    let currency = order.as_ref().map_or_else(String::new, |order| format!(", {}", order.currency));
    let blocked = sheet.map(|sheet| {
        // What a draft cannot do because it is one goes without saying.
        let own = [Command::Place, Command::Cancel, Command::Delete];
        let mut actions = sheet.actions;
        actions.retain(|action| own.contains(&action.command));
        view! { <Blocked actions /> }
    });
    view! {
        <Heading title crumb=PAGES.crumb() beside badge actions />
        <form id="order-form" class="form entry" action=action method="post" novalidate=true on:submit=submit on:keydown=shortcuts>
            <Summary fields=OrderInput::FIELDS found=sending.found />
            <Conflict fields=HEADER typed found=sending.found>
                <LinesThen grid found=sending.found />
            </Conflict>
            <input type="hidden" name="page" value=page() />
            {order
                .as_ref()
                .map(|_| {
                    view! {
                        <input type="hidden" name="id" value=id.to_string() />
                        <input type="hidden" name="version" prop:value=current value=current />
                    }
                })}
            {order
                .is_none()
                .then(|| {
                    let once = first.get("once").cloned().unwrap_or(once);
                    view! { <input type="hidden" name="once" value=once /> }
                })}
            <div class="cols">
                <div class="stack">
                    <section class="card lines-card">
                        <h2>"Lines" <span class="faint hint">
                            <kbd>"Enter"</kbd>" next · "<kbd>"Alt ↑↓"</kbd>" move · "<kbd>"Ctrl D"</kbd>" copy · "
                            <kbd>"Ctrl ⌫"</kbd>" remove · paste rows from a spreadsheet"
                        </span></h2>
                        <GridTable grid currency=currency.clone() />
                        <LiveTotals grid currency />
                    </section>
                    {blocked}
                </div>
                <aside class="stack">
                    <section class="card section">
                        <h2>"Customer"</h2>
                        <div class="fields one">
                            <CustomerField customer found=sending.found />
                            {fields(&HEADER[1..4], &first, sending.found)}
                        </div>
                    </section>
                    <details class="card section">
                        <summary>"Ship to"</summary>
                        <div class="fields one">{fields(&HEADER[4..11], &first, sending.found)}</div>
                    </details>
                    <details class="card section">
                        <summary>"Freight and notes"</summary>
                        <div class="fields one">{fields(&HEADER[11..], &first, sending.found)}</div>
                    </details>
                    {events.map(|events| view! { <Timeline events fields=OrderInput::FIELDS /> })}
                </aside>
            </div>
        </form>
    }
}

/// The fields of the header; the customer first, then dates and reference, the address, the rest.
const HEADER: &[Field] = OrderInput::FIELDS;

fn fields(fields: &'static [Field], first: &Typed, found: RwSignal<Option<Error>>) -> impl IntoView {
    fields
        .iter()
        .map(|field| {
            let value = first.get(field.name).cloned().unwrap_or_default();
            view! { <FieldRow field value found /> }
        })
        .collect_view()
}

fn sender(id: OrderId, is_stored: bool, then: StoredValue<String>) -> Sender {
    let reload = use_context::<Reload>();
    Arc::new(move |sent: Sent| {
        let then = Some(then.try_get_value().unwrap_or_default()).filter(|then| !then.is_empty());
        let version = sent.version();
        let once = sent.hidden("once");
        Box::pin(async move {
            if is_stored {
                update_order(id, version, then, sent.typed).await?;
                if let Some(reload) = reload {
                    reload.now();
                }
                focus_drawn("content");
                return Ok(());
            }
            create_order(once, then, sent.typed).await.map(drop)
        })
    })
}

/// The lines in which the form and the stored order differ, when somebody saved meanwhile.
#[component]
fn LinesThen(grid: Grid, found: RwSignal<Option<Error>>) -> impl IntoView {
    move || {
        let stale = found.get()?.stale?;
        let theirs: BTreeMap<String, String> = stale
            .values
            .get("items")?
            .as_array()?
            .iter()
            .map(|item| {
                let text = |name: &str| item.get(name).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
                (text("sku"), line_text(&text("quantity"), &text("unit_price"), &text("discount_percent")))
            })
            .collect();
        let mine: BTreeMap<String, String> = grid.lines.with_untracked(|lines| {
            let cells = lines.iter().map(|line| line.cells.get_untracked()).filter(|cells| !cells.is_blank());
            cells
                .map(|cells| (cells.text(0).to_owned(), line_text(cells.text(1), cells.text(2), cells.text(3))))
                .collect()
        });
        let skus: std::collections::BTreeSet<_> = theirs.keys().chain(mine.keys()).cloned().collect();
        let rows: Vec<_> = skus
            .into_iter()
            .filter(|sku| theirs.get(sku) != mine.get(sku))
            .map(|sku| {
                let side =
                    |lines: &BTreeMap<String, String>| lines.get(&sku).cloned().unwrap_or_else(|| "(no line)".into());
                view! {
                    <tr>
                        <th scope="row">{format!("Line {sku}")}</th>
                        <td>{side(&mine)}</td>
                        <td>{side(&theirs)}</td>
                    </tr>
                }
            })
            .collect();
        (!rows.is_empty()).then(|| {
            view! {
                <table class="conflict">
                    <thead>
                        <tr>
                            <th scope="col">"Line"</th>
                            <th scope="col">"You typed"</th>
                            <th scope="col">"Stored now"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            }
        })
    }
}

fn line_text(quantity: &str, price: &str, discount: &str) -> String {
    let discount = match discount {
        "" | "0.00" => String::new(),
        discount => format!(", {discount} % off"),
    };
    format!("{quantity} × {price}{discount}")
}

/// The grid, with one listener of each kind for all its cells.
#[component]
fn GridTable(grid: Grid, currency: String) -> impl IntoView {
    let hydrated = RwSignal::new(false);
    Effect::new(move || hydrated.set(true));
    let typed = move |event: Event| {
        let Some((key, column, input)) = cell_of(&event) else { return };
        let text = input.value();
        grid.put(key, column, text.clone());
        if column == 0 {
            grid.offer(key, text);
        }
        grid.keep_spare();
    };
    let left = move |event: FocusEvent| {
        let Some((key, 0, _)) = cell_of(&event) else { return };
        grid.close();
        if let Some((_, line)) = grid.find(key)
            && line.cells.with_untracked(|cells| cells.product.is_none() && !cells.text(0).is_empty())
        {
            grid.pick(line);
        }
    };
    let pasted = move |event: ClipboardEvent| {
        let Some((key, column, _)) = cell_of(&event) else { return };
        let text = event.clipboard_data().and_then(|data| data.get_data("text/plain").ok()).unwrap_or_default();
        if text.contains('\t') || text.trim().contains('\n') {
            event.prevent_default();
            grid.paste(key, column, &text);
        }
    };
    // A click takes the focus away from the cell before it arrives, so what is offered listens to the button going down.
    let pointed = move |event: MouseEvent| {
        let Some(hit) = event.target().and_then(|target| target.dyn_into::<Element>().ok()) else { return };
        let Some(hit) = hit.closest("[data-hit]").ok().flatten() else { return };
        event.prevent_default();
        let index = hit.get_attribute("data-hit").and_then(|index| index.parse().ok()).unwrap_or_default();
        grid.hits.update(|hits| hits.chosen = index);
        if let Some(key) = grid.open.get_untracked() {
            grid.take_chosen(key);
            cell_focus(key, 1);
        }
    };
    let clicked = move |event: MouseEvent| {
        let Some(button) = event.target().and_then(|target| target.dyn_into::<Element>().ok()) else { return };
        let Some(button) = button.closest("[data-act]").ok().flatten() else { return };
        let Some(row) = button.closest("tr").ok().flatten() else { return };
        let Some(key) = row.get_attribute("data-key").and_then(|key| key.parse().ok()) else { return };
        match button.get_attribute("data-act").as_deref() {
            Some("up") => grid.shift(key, -1),
            Some("down") => grid.shift(key, 1),
            Some("copy") => grid.duplicate(key),
            Some("merge") => grid.merge(key),
            _ => grid.remove(key),
        }
    };
    view! {
        <div class="grid-scroll">
            <table class="grid">
                <caption class="hidden">"Lines"</caption>
                <thead>
                    <tr>
                        <th scope="col" class="num at">"#"</th>
                        <th scope="col" class="sku">"SKU"</th>
                        <th scope="col">"Product"</th>
                        <th scope="col" class="num q">"Quantity"</th>
                        <th scope="col" class="num p">"Unit price"</th>
                        <th scope="col" class="num d">"Disc. %"</th>
                        <th scope="col" class="num n">{format!("Net{currency}")}</th>
                        <th scope="col" class="tools">
                            <span class="hidden">"Line"</span>
                        </th>
                    </tr>
                </thead>
                <tbody
                    on:input=typed
                    on:keydown=move |event| pressed(grid, &event)
                    on:focusout=left
                    on:paste=pasted
                    on:mousedown=pointed
                    on:click=clicked
                >
                    {
                        // A row knows where it stood when it was drawn: without JavaScript that is where it stays.
                        let at = StoredValue::new(0_usize);
                        view! {
                            <For each=move || grid.lines.get() key=|line| line.key let:line>
                                {
                                    let index = at.get_value();
                                    at.set_value(index + 1);
                                    view! { <GridRow grid line index hydrated /> }
                                }
                            </For>
                        }
                    }
                </tbody>
            </table>
        </div>
    }
}

/// What keys do in a cell.
fn pressed(grid: Grid, event: &KeyboardEvent) {
    let Some((key, column, input)) = cell_of(event) else { return };
    let open = grid.open.get_untracked() == Some(key);
    let control = event.ctrl_key() || event.meta_key();
    let caret = |at: fn(&HtmlInputElement) -> Option<u32>| at(&input).unwrap_or_default();
    let start = |input: &HtmlInputElement| input.selection_start().ok().flatten();
    let end = |input: &HtmlInputElement| input.selection_end().ok().flatten();
    match event.key().as_str() {
        "Enter" if control => return,
        "Enter" if column == 0 => {
            grid.take_chosen(key);
            cell_focus(key, 1);
        }
        "Enter" => grid.step(key, 0, 1),
        "Tab" if open && !event.shift_key() => {
            grid.take_chosen(key);
            cell_focus(key, 1);
        }
        "Escape" if open => grid.close(),
        "ArrowDown" if event.alt_key() => {
            grid.shift(key, 1);
            focus_drawn(cell_id(key, column));
        }
        "ArrowUp" if event.alt_key() => {
            grid.shift(key, -1);
            focus_drawn(cell_id(key, column));
        }
        "ArrowDown" if open => grid.hits.update(|hits| hits.move_by(1)),
        "ArrowUp" if open => grid.hits.update(|hits| hits.move_by(-1)),
        "ArrowDown" => grid.step(key, column, 1),
        "ArrowUp" => grid.step(key, column, -1),
        "ArrowLeft" if column > 0 && caret(end) == 0 => cell_focus(key, column - 1),
        "ArrowRight" if column < 3 && caret(start) as usize >= input.value().encode_utf16().count() => {
            cell_focus(key, column + 1);
        }
        "d" if control => grid.duplicate(key),
        "Backspace" | "Delete" if control => grid.remove(key),
        _ => return,
    }
    event.prevent_default();
    event.stop_propagation();
}

#[component]
fn GridRow(grid: Grid, line: Line, index: usize, hydrated: RwSignal<bool>) -> impl IntoView {
    let Line { key, cells } = line;
    let said = Memo::new(move |_| cells.with(Cells::said));
    let open = Memo::new(move |_| grid.open.get() == Some(key));
    let error_id = format!("c-{key}-error");
    let cell = |column: usize| {
        let name = COLUMNS.get(column).copied().unwrap_or_default();
        let text = move || cells.with(|cells| cells.texts.get(column).cloned().unwrap_or_default());
        let hint = move || {
            let price = cells.with(|cells| cells.product.as_ref().and_then(|known| known.list_price));
            price.filter(|_| column == 2).map(|price| price.to_string())
        };
        let (first, is_number) = (untrack(text), column > 0);
        let invalid = move || cells.with(|cells| cells.wrong(column).is_some()).then_some("true");
        view! {
            <input
                id=cell_id(key, column)
                name=format!("form[items.{index}.{name}]")
                value=first
                prop:value=text
                class:num=is_number
                inputmode=is_number.then_some(DECIMAL)
                role=(!is_number).then_some("combobox")
                aria-expanded=(!is_number).then_some(move || if open.get() { "true" } else { "false" })
                aria-controls=(!is_number).then_some("hits")
                aria-autocomplete=(!is_number).then_some("list")
                placeholder=hint
                autocomplete="off"
                aria-label=LABELS.get(column).copied().unwrap_or_default()
                aria-invalid=invalid
                aria-describedby=error_id.clone()
            />
        }
    };
    let net = move || cells.with(|cells| cells.priced().and_then(|line| pricing::net(&line)).map(amount));
    view! {
        <tr data-key=key.to_string()>
            <td class="calc num at faint"></td>
            <td class="sku">{cell(0)} {move || open.get().then(|| view! { <Offered hits=grid.hits /> })}</td>
            <td class="calc name">
                <bdi>{move || cells.with(|cells| cells.product.as_ref().map(|known| known.name.clone()))}</bdi>
                <span class="error" id=error_id.clone()>
                    {said}
                    {move || {
                        cells
                            .with(|cells| cells.twin.is_some())
                            .then(|| {
                                view! {
                                    "Another line has this product already. "
                                    <button type="button" class="link" data-act="merge">
                                        "Add the quantity there"
                                    </button>
                                }
                            })
                    }}
                </span>
            </td>
            <td class="q">{cell(1)}</td>
            <td class="p" class:manual=move || cells.with(Cells::is_manual)>
                {cell(2)}
            </td>
            <td class="d">{cell(3)}</td>
            <td class="calc num n">{net}</td>
            <td class="tools">
                {move || {
                    hydrated
                        .get()
                        .then(|| {
                            view! {
                                <button type="button" tabindex="-1" data-act="copy" aria-label="Copy this line" title="Copy (Ctrl D)">
                                    <Icon shape=Shape::Copy />
                                </button>
                                <button type="button" tabindex="-1" data-act="remove" aria-label="Remove this line" title="Remove (Ctrl ⌫)">
                                    <Icon shape=Shape::Close />
                                </button>
                            }
                        })
                }}
            </td>
        </tr>
    }
}

/// What is offered for what somebody types.
#[component]
fn Offered(hits: RwSignal<Hits>) -> impl IntoView {
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

#[component]
fn LiveTotals(grid: Grid, currency: String) -> impl IntoView {
    let totals = Memo::new(move |_| grid.totals());
    view! {
        <dl class="totals" aria-live="off">
            {move || {
                let totals = totals.get().unwrap_or_default();
                let discount = totals.discount_total;
                view! {
                    <dt>"Subtotal"</dt>
                    <dd>{amount(totals.subtotal)}</dd>
                    {discount
                        .is_positive()
                        .then(|| view! { <dt>"Discount"</dt><dd>{format!("−{}", amount(discount))}</dd> })}
                    {totals
                        .taxes
                        .iter()
                        .map(|group| view! { <dt>{format!("Tax {} %", group.rate)}</dt><dd>{amount(group.tax)}</dd> })
                        .collect_view()}
                    <dt class="grand">{format!("Total{currency}")}</dt>
                    <dd class="grand">{amount(totals.total)}</dd>
                }
            }}
        </dl>
    }
}

/// The customer of the form: what is typed, and who is meant.
#[derive(Debug, Clone, Copy)]
struct Customer {
    text: RwSignal<String>,
    /// The id and the name that was chosen.
    chosen: RwSignal<Option<(String, String)>>,
    hits: RwSignal<Hits>,
    open: RwSignal<bool>,
    search: StoredValue<u32>,
    was: StoredValue<String>,
}

impl Customer {
    fn new(first: &Typed) -> Self {
        let was = first.get("customer_was").cloned().unwrap_or_default();
        let chosen = was.split_once(' ').map(|(id, name)| (id.to_owned(), name.to_owned()));
        Self {
            text: RwSignal::new(first.get("customer").cloned().unwrap_or_default()),
            chosen: RwSignal::new(chosen),
            hits: RwSignal::new(Hits::default()),
            open: RwSignal::new(false),
            search: StoredValue::new(0),
            was: StoredValue::new(was),
        }
    }

    /// Puts the id of who was chosen into what is sent.
    fn settle(self, typed: &mut Typed) {
        typed.remove("customer_was");
        let text = self.text.get_untracked();
        let id = self.chosen.with_untracked(|chosen| {
            chosen.as_ref().filter(|(_, name)| *name == text.trim()).map(|(id, _)| id.clone())
        });
        typed.insert("customer".into(), id.unwrap_or(text));
    }

    fn offer(self, text: String) {
        let search = self.search.get_value() + 1;
        self.search.set_value(search);
        self.text.set(text.clone());
        if text.trim().is_empty() {
            self.open.set(false);
            return;
        }
        spawn_local(async move {
            let rows = find_customers(text.clone()).await.unwrap_or_default();
            if self.search.try_get_value() == Some(search) {
                self.open.try_set(!rows.is_empty());
                self.hits.try_set(Hits { text, rows, chosen: 0 });
            }
        });
    }

    /// Takes who is offered, if that is the answer to what stands in the field by now.
    fn take(self) {
        let row = self.hits.with_untracked(|hits| {
            let current = self.open.get_untracked() && hits.text == self.text.get_untracked();
            hits.rows.get(hits.chosen).filter(|_| current).cloned()
        });
        if let Some(row) = row {
            self.set(&row);
        }
    }

    fn set(self, row: &Row) {
        self.search.update_value(|search| *search += 1);
        self.open.set(false);
        self.chosen.set(Some((row.id.to_string(), row.text("name"))));
        self.text.set(row.text("name"));
    }

    /// Finds who is meant by a text that was left before anybody was taken.
    fn left(self) {
        self.open.set(false);
        self.search.update_value(|search| *search += 1);
        let text = self.text.get_untracked();
        let settled = self.chosen.with_untracked(|chosen| chosen.as_ref().is_some_and(|(_, name)| *name == text));
        if settled || text.trim().is_empty() {
            return;
        }
        spawn_local(async move {
            let rows = find_customers(text.clone()).await.unwrap_or_default();
            if self.text.try_get_untracked().as_ref() == Some(&text)
                && let Some(row) = (Hits { text, rows, chosen: 0 }).meant("code")
            {
                self.set(&row);
            }
        });
    }
}

#[component]
fn CustomerField(customer: Customer, found: RwSignal<Option<Error>>) -> impl IntoView {
    let message = Memo::new(move |_| found.with(|error| Some(error.as_ref()?.errors.get("customer")?.join(" "))));
    let pressed = move |event: KeyboardEvent| {
        let open = customer.open.get_untracked();
        match event.key().as_str() {
            "Enter" if event.ctrl_key() || event.meta_key() => return,
            "Enter" => {
                customer.take();
                first_cell();
            }
            "Tab" if open && !event.shift_key() => {
                customer.take();
                return;
            }
            "Escape" if open => customer.open.set(false),
            "ArrowDown" if open => customer.hits.update(|hits| hits.move_by(1)),
            "ArrowUp" if open => customer.hits.update(|hits| hits.move_by(-1)),
            _ => return,
        }
        event.prevent_default();
    };
    let pointed = move |event: MouseEvent| {
        let Some(hit) = event.target().and_then(|target| target.dyn_into::<Element>().ok()) else { return };
        let Some(hit) = hit.closest("[data-hit]").ok().flatten() else { return };
        event.prevent_default();
        let index = hit.get_attribute("data-hit").and_then(|index| index.parse().ok()).unwrap_or_default();
        customer.hits.update(|hits| hits.chosen = index);
        customer.take();
    };
    let first = customer.text.get_untracked();
    let fresh = customer.was.with_value(String::is_empty) && first.is_empty();
    view! {
        <div class="field customer" on:mousedown=pointed>
            <label for="f-customer">"Customer"<span class="required" aria-hidden="true">" *"</span></label>
            <input
                id="f-customer"
                name="form[customer]"
                value=first
                prop:value=move || customer.text.get()
                role="combobox"
                aria-expanded=move || if customer.open.get() { "true" } else { "false" }
                aria-controls="hits"
                aria-autocomplete="list"
                autocomplete="off"
                required=true
                autofocus=fresh
                aria-invalid=move || message.with(Option::is_some).then_some("true")
                aria-describedby="f-customer-help f-customer-error"
                on:input=move |event| customer.offer(event_target_value(&event))
                on:keydown=pressed
                on:focusout=move |_| customer.left()
            />
            <input type="hidden" name="form[customer_was]" value=customer.was.get_value() />
            {move || customer.open.get().then(|| view! { <Offered hits=customer.hits /> })}
            <p class="help" id="f-customer-help">
                "Name or code."
            </p>
            <p class="error" id="f-customer-error">
                {message}
            </p>
        </div>
    }
}

/// Leads from the customer into the first row that is blank.
fn first_cell() {
    let cells = document().query_selector_all(".grid .sku input").ok();
    let count = cells.as_ref().map_or(0, |cells| cells.length());
    for index in 0..count {
        let cell = cells
            .as_ref()
            .and_then(|cells| cells.item(index))
            .and_then(|cell| cell.dyn_into::<HtmlInputElement>().ok());
        if let Some(cell) = cell.filter(|cell| cell.value().is_empty()) {
            // Without focus the row can still be clicked.
            let _ = cell.dyn_into::<HtmlElement>().map(|cell| cell.focus());
            return;
        }
    }
}
