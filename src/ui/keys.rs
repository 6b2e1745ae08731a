//! Keys: `Ctrl K` opens the command palette, `/` searches, `n` makes a new one, `j` and `k` walk a list, `?` explains.

use std::sync::{Arc, Mutex, PoisonError};

use leptos::ev::{self, KeyboardEvent};
use leptos::html::Dialog;
use leptos::prelude::*;
use leptos::reactive::spawn_local_scoped;
use leptos::wasm_bindgen::JsCast;
use leptos::web_sys::{Element, HtmlElement};

use super::chunk::Later;
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
const FINDER: &str = ".finder input";

/// Whether somebody wants the command palette.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// Whether it is open, or will be once its code has come.
    pub open: RwSignal<bool>,
    /// What was typed until then.
    pub typed: StoredValue<String>,
}

/// Listens for keys, explains them in a dialog, and opens the command palette, which is drawn when it is first asked for.
#[component]
pub fn Keys(palette: fn(Asked) -> Later<Result<AnyView>>) -> impl IntoView {
    let dialog = NodeRef::<Dialog>::new();
    let asked = Asked { open: RwSignal::new(false), typed: StoredValue::new(String::new()) };
    let Asked { open, typed } = asked;
    let (drawn, is_drawn) = (Arc::new(Mutex::new(None)), RwSignal::new(false));
    // Its code did not come; what finds everything is on the page too.
    let is_away = StoredValue::new(false);
    let view = Arc::clone(&drawn);
    // It stays once it was drawn.
    let is_wanted = Memo::new(move |wanted| wanted == Some(&true) || open.get());
    Effect::new(move || {
        if !is_wanted.get() {
            return;
        }
        let view = Arc::clone(&view);
        spawn_local_scoped(async move {
            match palette(asked).await {
                Ok(palette) => {
                    *view.lock().unwrap_or_else(PoisonError::into_inner) = Some(palette);
                    is_drawn.set(true);
                }
                Err(_) => {
                    is_away.set_value(true);
                    if open.get_untracked() {
                        open.set(false);
                        focus(found(FINDER));
                    }
                }
            }
        });
    });
    Effect::new(move || {
        let listener = window_event_listener(ev::keydown, move |event| {
            let key = event.key();
            let modified = event.ctrl_key() || event.meta_key();
            if modified && key.eq_ignore_ascii_case("k") {
                event.prevent_default();
                if is_away.get_value() {
                    focus(found(FINDER));
                } else if !event.repeat() {
                    open.set(found("dialog[open]").is_none());
                }
            } else if open.get_untracked() && !is_drawn.get_untracked() && !modified {
                // What is typed by now is meant for the palette.
                event.prevent_default();
                match key.as_str() {
                    "Escape" => open.set(false),
                    key if key.chars().count() == 1 => typed.update_value(|typed| typed.push_str(key)),
                    _ => {}
                }
            } else {
                pressed(&event, dialog);
            }
        });
        on_cleanup(move || listener.remove());
    });
    let close = move |_| {
        if let Some(dialog) = dialog.get_untracked() {
            dialog.close();
        }
    };
    view! {
        {move || is_drawn.get().then(|| drawn.lock().unwrap_or_else(PoisonError::into_inner).take())}
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
