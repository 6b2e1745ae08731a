//! The grid as a table. It listens once for all its cells, so that an order of a thousand lines costs no more than one of ten.

use leptos::ev::{ClipboardEvent, Event, FocusEvent, KeyboardEvent, MouseEvent};
use leptos::prelude::*;
use leptos::wasm_bindgen::JsCast;
use leptos::web_sys::{Element, HtmlInputElement};

use super::super::pages::amount;
use super::grid::Grid;
use super::row::GridRow;
use crate::ui::chunk::is_alive;
use crate::ui::form::{focus, focus_drawn};

pub(super) fn cell_id(key: u32, column: usize) -> String {
    format!("c-{key}-{column}")
}

pub(super) fn cell_focus(key: u32, column: usize) {
    focus(cell_id(key, column));
}

/// The cell an event happened in.
fn cell_of(event: &Event) -> Option<(u32, usize, HtmlInputElement)> {
    let input: HtmlInputElement = event.target()?.dyn_into().ok()?;
    let (key, column) = cell_of_id(&input.id())?;
    Some((key, column, input))
}

/// The row and the column of a cell.
pub(super) fn cell_of_id(id: &str) -> Option<(u32, usize)> {
    let (key, column) = id.strip_prefix("c-")?.split_once('-')?;
    Some((key.parse().ok()?, column.parse().ok()?))
}

/// Rows that are drawn in one go where the browser draws the page: all of a thousand would hold it up for half a second.
/// More of them than fit on a screen, so that nothing in sight moves.
const AT_ONCE: usize = 60;

/// The grid, with one listener of each kind for all its cells.
#[component]
pub(super) fn GridTable(
    grid: Grid,
    currency: String,
    /// How many rows are drawn at once at least.
    first_rows: usize,
) -> impl IntoView {
    let hydrated = RwSignal::new(false);
    Effect::new(move || hydrated.set(true));
    let drawn = RwSignal::new(if is_alive() { first_rows + AT_ONCE } else { usize::MAX });
    Effect::new(move || {
        let count = drawn.get();
        if count < usize::MAX {
            let is_all = count >= grid.lines.with_untracked(Vec::len);
            request_animation_frame(move || {
                // The page may be gone by now.
                drawn.try_set(if is_all { usize::MAX } else { count + AT_ONCE });
            });
        }
    });
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
        if grid.is_sent.get_value() {
            return event.prevent_default();
        }
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
        if grid.is_sent.get_value() {
            return;
        }
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
        if grid.is_sent.get_value() {
            return;
        }
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
                            <For
                                each=move || grid.lines.with(|lines| lines.iter().copied().take(drawn.get()).collect::<Vec<_>>())
                                key=|line| line.key
                                let:line
                            >
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
    let moves = event.key() != "Tab" && (event.key() != "Enter" || !(event.ctrl_key() || event.meta_key()));
    if moves && grid.is_sent.get_value() {
        return;
    }
    let open = grid.open.get_untracked() == Some(key);
    let control = event.ctrl_key() || event.meta_key();
    let caret = |at: fn(&HtmlInputElement) -> Option<u32>| at(&input).unwrap_or_default();
    let start = |input: &HtmlInputElement| input.selection_start().ok().flatten();
    let end = |input: &HtmlInputElement| input.selection_end().ok().flatten();
    let length = input.value().encode_utf16().count();
    // Nobody set a caret yet: the cell is entered, not edited.
    let is_whole = caret(start) == 0 && caret(end) as usize == length;
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
        "ArrowLeft" if column > 0 && (caret(end) == 0 || is_whole) => cell_focus(key, column - 1),
        "ArrowRight" if column < 3 && (caret(start) as usize >= length || is_whole) => cell_focus(key, column + 1),
        "d" if control => grid.duplicate(key),
        "Backspace" | "Delete" if control => grid.remove(key),
        _ => return,
    }
    event.prevent_default();
    event.stop_propagation();
}

#[component]
pub(super) fn LiveTotals(grid: Grid, currency: String) -> impl IntoView {
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
