//! One row of the grid.

use leptos::prelude::*;

use super::super::pages::amount;
use super::super::pricing;
use super::cells::{COLUMNS, Cells, LABELS};
use super::grid::{Grid, Line};
use super::table::cell_id;
use super::typeahead::Offered;
use crate::ui::icon::{Icon, Shape};

/// What a column of quantities, prices and discounts asks a phone's keyboard for.
const DECIMAL: &str = "decimal";

#[component]
pub(super) fn GridRow(grid: Grid, line: Line, index: usize, hydrated: RwSignal<bool>) -> impl IntoView {
    let Line { key, cells } = line;
    let said = Memo::new(move |_| cells.with(Cells::said));
    let open = Memo::new(move |_| grid.open.get() == Some(key));
    let error_id = format!("c-{key}-error");
    let cell = |column: usize| {
        let name = COLUMNS.get(column).copied().unwrap_or_default();
        let text = move || cells.with(|cells| cells.texts.get(column).cloned().unwrap_or_default());
        let hint = move || {
            let price = cells.with(|cells| cells.product.as_ref().and_then(|known| known.list_price));
            price.map(|price| price.to_string())
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
                placeholder=(column == 2).then_some(hint)
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
