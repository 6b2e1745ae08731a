//! What was typed and not saved is not left without a question.

use std::cell::RefCell;
use std::rc::Rc;

use leptos::ev::{self, MouseEvent};
use leptos::prelude::*;
use leptos::wasm_bindgen::JsCast;
use leptos::web_sys::Element;

const QUESTION: &str = "Leave without saving? What you typed here will be lost.";

/// Whether the form of a page holds something that was not saved.
type Unsaved = Rc<dyn Fn() -> bool>;

thread_local! {
    /// The form of this page, and which of all forms so far it is.
    static FORM: RefCell<(u32, Option<Unsaved>)> = const { RefCell::new((0, None)) };
}

/// Asks before the page is left while what `held` says differs from what it says now. Saving leads on without a question.
pub(crate) fn guard<T: PartialEq + 'static>(held: impl Fn() -> Option<T> + 'static) {
    let held = Rc::new(held);
    Effect::new(move || {
        let Some(first) = held() else { return };
        let held = Rc::clone(&held);
        let unsaved: Unsaved = Rc::new(move || held().is_some_and(|now| now != first));
        let number = FORM.with_borrow_mut(|(number, form)| {
            *number += 1;
            *form = Some(unsaved);
            *number
        });
        on_cleanup(move || {
            FORM.with_borrow_mut(|(latest, form)| {
                if *latest == number {
                    *form = None;
                }
            });
        });
    });
}

fn is_unsaved() -> bool {
    let form = FORM.with_borrow(|(_, form)| form.clone());
    form.is_some_and(|unsaved| unsaved())
}

/// Asks before the window is closed or leads elsewhere.
pub(super) fn use_question() {
    Effect::new(move || {
        let listener = window_event_listener(ev::beforeunload, |event| {
            if is_unsaved() {
                event.prevent_default();
            }
        });
        on_cleanup(move || listener.remove());
    });
}

/// Asks before a link is followed; before the router, which listens at the window, and after the link itself, which may open a
/// question of its own.
pub(super) fn followed(event: &MouseEvent) {
    if leaves(event) && is_unsaved() && !window().confirm_with_message(QUESTION).unwrap_or(true) {
        event.prevent_default();
    }
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
