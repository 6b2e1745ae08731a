//! Deleting asks first and names what will go: in a dialog when the bundle is there, on a page of its own without it.

use leptos::ev::SubmitEvent;
use leptos::html::Dialog;
use leptos::prelude::*;

use super::form::{Sender, Sending, Sent};
use super::icon::{Icon, Shape};
use super::problem::Blockers;
use crate::base::record::TakenAlong;

/// A button that opens a question. `href` leads to the page that asks the same without JavaScript.
#[component]
pub fn AskButton(
    href: String,
    /// What the button says.
    label: &'static str,
    shape: Shape,
    /// The question.
    #[prop(into)]
    title: String,
    children: ChildrenFn,
) -> impl IntoView {
    let dialog = NodeRef::<Dialog>::new();
    let asked = RwSignal::new(false);
    let open = move |event: leptos::ev::MouseEvent| {
        if let Some(dialog) = dialog.get_untracked()
            && !event.ctrl_key()
            && !event.meta_key()
            && dialog.show_modal().is_ok()
        {
            asked.set(true);
            event.prevent_default();
        }
    };
    let close = move |_| {
        if let Some(dialog) = dialog.get_untracked() {
            dialog.close();
        }
    };
    let id = format!("ask-{}", href.rsplit('/').next().unwrap_or_default());
    view! {
        <a class="btn danger" href=href on:click=open>
            <Icon shape />
            {label}
        </a>
        <dialog node_ref=dialog class="dialog" aria-labelledby=id.clone()>
            <h2 id=id.clone()>
                <bdi>{title}</bdi>
            </h2>
            // Drawn when it is asked: what the question needs to know is not fetched with every page.
            {move || asked.get().then(|| children())}
            <button type="button" class="btn quiet close" on:click=close>
                "Keep it"
            </button>
        </dialog>
    }
}

/// The button that deletes, with what it means and what stood in the way when it was tried.
#[component]
pub fn DeleteForm(
    /// The address of the server function.
    action: String,
    /// The same by script.
    send: Sender,
    hidden: Vec<(&'static str, String)>,
    /// The page that asks without JavaScript.
    page: String,
    warning: String,
) -> impl IntoView {
    let sending = Sending::of(&action, send);
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        sending.send(Sent::default());
    };
    view! {
        <p>{warning}</p>
        {move || {
            sending
                .found
                .get()
                .map(|error| {
                    view! {
                        <div class="notice bad" role="alert">
                            <p>{error.detail}</p>
                            <ul>
                                <Blockers of=error.blockers.into_vec() />
                            </ul>
                        </div>
                    }
                })
        }}
        <form action=action method="post" on:submit=submit>
            {hidden.into_iter().map(|(name, value)| view! { <input type="hidden" name=name value=value /> }).collect_view()}
            <input type="hidden" name="page" value=page />
            <button class="btn danger solid" disabled=move || sending.pending.get()>
                "Delete for good"
            </button>
        </form>
    }
}

/// What goes along with a delete, and what stands in its way.
#[component]
pub fn Taken(taken: TakenAlong) -> impl IntoView {
    let goes = (!taken.goes.is_empty()).then(|| {
        view! {
            <div class="notice warn">
                <p>"These go along:"</p>
                <ul>
                    <Blockers of=taken.goes />
                </ul>
            </div>
        }
    });
    let stays = (!taken.blockers.is_empty()).then(|| {
        view! {
            <div class="notice bad">
                <p>"In use, so that it cannot be deleted, by:"</p>
                <ul>
                    <Blockers of=taken.blockers />
                </ul>
            </div>
        }
    });
    view! {
        {stays}
        {goes}
    }
}
