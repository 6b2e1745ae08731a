//! What somebody else saved meanwhile, line by line.

use std::collections::BTreeMap;

use leptos::prelude::*;

use super::grid::Grid;
use crate::base::Error;

/// The lines in which the form and the stored order differ, when somebody saved meanwhile.
#[component]
pub(super) fn LinesThen(grid: Grid, found: RwSignal<Option<Error>>) -> impl IntoView {
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
