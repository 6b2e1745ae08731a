//! Who the order is for.

use leptos::ev::{KeyboardEvent, MouseEvent};
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos::wasm_bindgen::JsCast;
use leptos::web_sys::{Element, HtmlElement, HtmlInputElement};

use super::super::rpc::find_customers;
use super::typeahead::{Hits, Offered};
use crate::base::Error;
use crate::base::form::Typed;
use crate::base::record::Row;

/// The customer of the form: what is typed, and who is meant.
#[derive(Debug, Clone, Copy)]
pub(super) struct Customer {
    pub(super) text: RwSignal<String>,
    /// The id and the name that was chosen.
    pub(super) chosen: RwSignal<Option<(String, String)>>,
    pub(super) hits: RwSignal<Hits>,
    pub(super) open: RwSignal<bool>,
    pub(super) search: StoredValue<u32>,
    pub(super) was: StoredValue<String>,
}

impl Customer {
    pub(super) fn new(first: &Typed) -> Self {
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

    /// Puts the id of who was chosen into what is sent, and offers nobody until somebody types again.
    pub(super) fn settle(self, typed: &mut Typed) {
        self.open.set(false);
        self.search.update_value(|search| *search += 1);
        typed.remove("customer_was");
        let text = self.text.get_untracked();
        let id = self.chosen.with_untracked(|chosen| {
            chosen.as_ref().filter(|(_, name)| *name == text.trim()).map(|(id, _)| id.clone())
        });
        typed.insert("customer".into(), id.unwrap_or(text));
    }

    pub(super) fn offer(self, text: String) {
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
    pub(super) fn take(self) {
        let row = self.hits.with_untracked(|hits| {
            let current = self.open.get_untracked() && hits.text == self.text.get_untracked();
            hits.rows.get(hits.chosen).filter(|_| current).cloned()
        });
        if let Some(row) = row {
            self.set(&row);
        }
    }

    pub(super) fn set(self, row: &Row) {
        self.search.update_value(|search| *search += 1);
        self.open.set(false);
        self.chosen.set(Some((row.id.to_string(), row.text("name"))));
        self.text.set(row.text("name"));
    }

    /// Puts a text that was typed to its end.
    pub(super) fn put_whole(self, text: String) {
        self.text.set(text);
        self.left();
    }

    /// Finds who is meant by a text that was left before anybody was taken.
    pub(super) fn left(self) {
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
pub(super) fn CustomerField(customer: Customer, found: RwSignal<Option<Error>>) -> impl IntoView {
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
