//! What was done by the form that led here, with the way back: an undo that works without JavaScript.

use leptos::prelude::*;
use leptos::wasm_bindgen::JsCast;
use leptos::web_sys::HtmlDocument;
use leptos::web_sys::js_sys::Date;
use leptos_router::hooks::use_location;

use super::context::{Done, FailedForm};
use super::icon::{Icon, Shape};
use super::page::use_here;

const ACTION: &str = "/-/changes/undo";

/// How long a notice stays when the address changes because of what it tells, in milliseconds.
const SETTLING: f64 = 3_000.0;

/// Lets a form that was sent by script have its notice, where it leads to no other address.
#[derive(Debug, Clone, Copy)]
pub struct Told(RwSignal<u32>);

impl Told {
    /// For the page and everything on it.
    pub fn new() -> Self {
        Self(RwSignal::new(0))
    }

    /// Looks for what was done.
    pub fn look(self) {
        self.0.try_update(|times| *times += 1);
    }
}

impl Default for Told {
    fn default() -> Self {
        Self::new()
    }
}

/// Takes what was done out of the cookie.
fn taken() -> Option<Done> {
    let document: HtmlDocument = document().unchecked_into();
    let cookies = document.cookie().unwrap_or_default();
    let value = cookies.split("; ").filter_map(|cookie| cookie.split_once('=')).find(|(name, _)| *name == Done::COOKIE);
    let done = Done::parse(value?.1)?;
    // A cookie that stays tells the same once more.
    let _ = document.set_cookie(&format!("{}=; Path=/; Max-Age=0", Done::COOKIE));
    Some(done)
}

/// The notice over a page.
#[component]
pub fn Notice(told: Told) -> impl IntoView {
    let first = SharedValue::new(use_context::<Done>).into_inner();
    let failed = use_context::<FailedForm>().filter(|failed| failed.action == ACTION);
    let shown = RwSignal::new(first);
    let location = use_location();
    let here = use_here();
    Effect::new(move |before: Option<f64>| {
        told.0.track();
        location.pathname.track();
        location.search.track();
        let now = Date::now();
        match (taken(), before) {
            (Some(done), _) => {
                shown.set(Some(done));
                now
            }
            (None, Some(since)) if now - since > SETTLING => {
                shown.set(None);
                since
            }
            (None, since) => since.unwrap_or(now),
        }
    });
    view! {
        {failed
            .map(|failed| {
                view! {
                    <div class="notice bad over-page" role="alert">
                        <span>"This cannot be undone. " {failed.error.detail}</span>
                    </div>
                }
            })}
        {move || {
            shown
                .get()
                .map(|done| {
                    let back = if done.what == "Undone" { "Redo" } else { "Undo" };
                    view! {
                        <div class="notice good over-page" aria-live="polite">
                            <span>{format!("{}.", done.what)}</span>
                            <form action=ACTION method="post">
                                <input type="hidden" name="request" value=done.request />
                                <input type="hidden" name="page" value=here />
                                <button class="btn small">
                                    <Icon shape=Shape::Undo />
                                    {back}
                                </button>
                            </form>
                        </div>
                    }
                })
        }}
    }
}
