//! What was typed and not saved is not left without a question.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use leptos::ev::MouseEvent;
use leptos::prelude::*;
use leptos::wasm_bindgen::JsCast;
use leptos::wasm_bindgen::closure::Closure;
use leptos::web_sys::{Element, Event};

use super::chunk::is_alive;

const QUESTION: &str = "Leave without saving? What you typed here will be lost.";

/// Asks before the page is left by a link, or closed, while what `held` says differs from what it says now. Saving leads on
/// without a question.
pub(crate) fn guard<T: PartialEq + 'static>(held: impl Fn() -> Option<T> + 'static) {
    let held = Rc::new(held);
    Effect::new(move || {
        let (first, is_gone) = (Rc::new(RefCell::new(None)), Rc::new(Cell::new(false)));
        let settled = {
            let (held, first, is_gone) = (Rc::clone(&held), Rc::clone(&first), Rc::clone(&is_gone));
            move || {
                if !is_gone.get() {
                    first.replace(held());
                }
            }
        };
        // Where one form takes the place of another, its values come a moment after it.
        if is_alive() {
            set_timeout(settled, Duration::ZERO)
        } else {
            settled()
        }
        let held = Rc::clone(&held);
        let is_unsaved = Rc::new(move || {
            let first = first.borrow();
            first.as_ref().is_some_and(|first| held().is_some_and(|now| now != *first))
        });
        let closing = Rc::clone(&is_unsaved);
        let closing = window_event_listener_untyped("beforeunload", move |event| {
            if closing() {
                event.prevent_default();
            }
        });
        // Of the type that leptos listens with: what calls a closure of a type of its own would be in this page's code, where
        // the browser does not find it.
        let clicked: Box<dyn FnMut(Event)> = Box::new(move |event: Event| {
            let leaves = event.dyn_ref::<MouseEvent>().is_some_and(leaves);
            if leaves && is_unsaved() && !window().confirm_with_message(QUESTION).unwrap_or(true) {
                event.prevent_default();
            }
        });
        let clicked = Closure::wrap(clicked);
        // Before the router, which listens at the window, and after the link itself, which may open a question of its own.
        // Without a listener nobody asks, as without JavaScript.
        let _ = document().add_event_listener_with_callback("click", clicked.as_ref().unchecked_ref());
        let clicked = StoredValue::new_local(clicked);
        let is_gone = StoredValue::new_local(is_gone);
        on_cleanup(move || {
            is_gone.try_with_value(|is_gone| is_gone.set(true));
            closing.remove();
            clicked.try_with_value(|clicked| {
                let listener = clicked.as_ref().unchecked_ref();
                // One that is not there needs no removal.
                let _ = document().remove_event_listener_with_callback("click", listener);
            });
        });
    });
}

/// Whether a click leads to another page in the place of this one.
fn leaves(event: &MouseEvent) -> bool {
    let target = event.target().and_then(|target| target.dyn_into::<Element>().ok());
    let Some(link) = target.and_then(|target| target.closest("a[href]").ok().flatten()) else { return false };
    let within = link.get_attribute("href").is_some_and(|href| href.starts_with('#'));
    let beside = link.has_attribute("download") || link.has_attribute("target");
    let modified = event.ctrl_key() || event.meta_key() || event.shift_key() || event.alt_key();
    !(event.default_prevented() || event.button() != 0 || within || beside || modified)
}
