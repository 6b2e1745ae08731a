//! Keys: `Ctrl K` opens the command palette, `/` searches, `n` makes a new one, `j` and `k` walk a list, `?` explains.

use leptos::ev::{self, KeyboardEvent};
use leptos::html::Dialog;
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos::wasm_bindgen::JsCast;
use leptos::web_sys::{Element, HtmlElement};

use super::chunk::Later;
use crate::access::Me;
use crate::base::Result;

/// The keys and what they do.
const KEYS: [(&str, &str); 9] = [
    ("Ctrl K", "Go to, create or find"),
    ("/", "Search this list"),
    ("n", "New"),
    ("e", "Edit"),
    ("j, k", "Next and previous row"),
    ("Enter", "Open the row"),
    ("[, ]", "Previous and next record of the list"),
    ("Esc", "Leave the field, for these keys"),
    ("?", "This list of keys"),
];

/// What searches everything.
pub const FINDER: &str = ".finder input";

/// Opens the command palette for somebody, or closes it; its code comes when it is first asked for.
pub type OpenPalette = fn(Me) -> Later<Result<()>>;

/// Listens for keys, and explains them in a dialog.
#[component]
pub fn Keys(me: Me, palette: OpenPalette) -> impl IntoView {
    let dialog = NodeRef::<Dialog>::new();
    Effect::new(move || {
        let me = me.clone();
        let listener = window_event_listener(ev::keydown, move |event| {
            if !(event.ctrl_key() || event.meta_key()) || !event.key().eq_ignore_ascii_case("k") {
                return pressed(&event, dialog);
            }
            event.prevent_default();
            if event.repeat() {
                return;
            }
            // Until the palette is there, and where its code does not come, what finds everything takes what is typed.
            if found("dialog[open], .palette").is_none() {
                focus(found(FINDER));
            }
            let asked = palette(me.clone());
            spawn_local(async move { drop(asked.await) });
        });
        on_cleanup(move || listener.remove());
    });
    let close = move |_| {
        if let Some(dialog) = dialog.get_untracked() {
            dialog.close();
        }
    };
    view! {
        <dialog node_ref=dialog class="dialog" aria-labelledby="keys-title">
            <h2 id="keys-title">"Keys"</h2>
            <dl class="keys">
                {KEYS
                    .map(|(keys, meaning)| {
                        view! {
                            <dt>
                                <kbd>{keys}</kbd>
                            </dt>
                            <dd>{meaning}</dd>
                        }
                    })}
            </dl>
            <button type="button" class="btn" on:click=close>
                "Close"
            </button>
        </dialog>
    }
}

fn pressed(event: &KeyboardEvent, dialog: NodeRef<Dialog>) {
    let target = event.target().and_then(|target| target.dyn_into::<Element>().ok());
    let typing = target.is_some_and(|element| matches!(element.tag_name().as_str(), "INPUT" | "TEXTAREA" | "SELECT"));
    let leaves = event.key() == "Escape" && !event.default_prevented();
    let modified = event.ctrl_key() || event.meta_key() || event.alt_key();
    if typing != leaves || modified || found("dialog[open]").is_some() {
        return;
    }
    let done = match event.key().as_str() {
        // A search would be emptied, though the list stays narrowed.
        "Escape" => focus(found("#content")),
        "/" => focus(found("main input[type=search]").or_else(|| found(FINDER))),
        "n" => click("[data-key=n]"),
        "e" => click("[data-key=e]"),
        "[" => click("[data-key='[']"),
        "]" => click("[data-key=']']"),
        "j" => walk(1),
        "k" => walk(-1),
        "?" => dialog.get_untracked().is_some_and(|dialog| dialog.show_modal().is_ok()),
        _ => false,
    };
    if done {
        event.prevent_default();
    }
}

fn found(selector: &str) -> Option<HtmlElement> {
    document().query_selector(selector).ok()??.dyn_into().ok()
}

fn focus(element: Option<HtmlElement>) -> bool {
    element.is_some_and(|element| element.focus().is_ok())
}

fn click(selector: &str) -> bool {
    let element = found(selector);
    if let Some(element) = &element {
        element.click();
    }
    element.is_some()
}

/// Moves the focus among the rows of the list.
fn walk(step: i32) -> bool {
    let rows = document().get_elements_by_class_name("key");
    let Ok(count) = i32::try_from(rows.length()) else { return false };
    let row = |index: i32| rows.item(u32::try_from(index).unwrap_or_default());
    let focused = document().active_element();
    let at = (0..count).find(|index| row(*index).is_some() && row(*index) == focused);
    let next = at.map_or(if step > 0 { 0 } else { count - 1 }, |at| (at + step).clamp(0, count - 1));
    focus(row(next).and_then(|row| row.dyn_into().ok()))
}
