//! Deleting asks first and names what will go: in a dialog when the bundle is there, on a page of its own without it.

use leptos::form::ActionForm;
use leptos::html::Dialog;
use leptos::prelude::*;
use leptos::server_fn::client::Client;
use leptos::server_fn::codec::{Json, PostUrl};
use leptos::server_fn::request::ClientReq;
use leptos::server_fn::{Http, ServerFn};
use leptos::web_sys::FormData;
use serde::de::DeserializeOwned;

use super::context::FailedForm;
use super::icon::{Icon, Shape};
use crate::base::Error;

/// A button that opens a question. `href` leads to the page that asks the same without JavaScript.
#[component]
pub fn DeleteButton(href: String, #[prop(into)] what: String, children: ChildrenFn) -> impl IntoView {
    let dialog = NodeRef::<Dialog>::new();
    let open = move |event: leptos::ev::MouseEvent| {
        if let Some(dialog) = dialog.get_untracked()
            && !event.ctrl_key()
            && !event.meta_key()
            && dialog.show_modal().is_ok()
        {
            event.prevent_default();
        }
    };
    let close = move |_| {
        if let Some(dialog) = dialog.get_untracked() {
            dialog.close();
        }
    };
    view! {
        <a class="btn danger" href=href on:click=open>
            <Icon shape=Shape::Trash />
            "Delete"
        </a>
        <dialog node_ref=dialog class="dialog" aria-labelledby="delete-title">
            <h2 id="delete-title">"Delete " <bdi>{what}</bdi> "?"</h2>
            {children()}
            <button type="button" class="btn quiet close" on:click=close>
                "Keep it"
            </button>
        </dialog>
    }
}

/// The button that deletes, with what it means and what stood in the way when it was tried.
#[component]
pub fn DeleteForm<F>(
    action: ServerAction<F>,
    id: i64,
    version: i64,
    /// The page that asks without JavaScript.
    page: String,
    warning: &'static str,
) -> impl IntoView
where
    F: DeserializeOwned
        + ServerFn<Protocol = Http<PostUrl, Json>, Error = Error, Client: Client<Error>>
        + Clone
        + Send
        + Sync
        + 'static,
    <<F::Client as Client<Error>>::Request as ClientReq<Error>>::FormData: From<FormData>,
    F::Output: Clone + Send + Sync + 'static,
{
    let failed = use_context::<FailedForm>().filter(|failed| failed.action == F::PATH).map(|failed| failed.error);
    let value = action.value();
    let found = move || value.get().map_or_else(|| failed.clone(), Result::err);
    view! {
        <p>{warning}</p>
        {move || {
            found()
                .map(|error| {
                    let blockers = error
                        .blockers
                        .into_iter()
                        .map(|blocker| {
                            view! {
                                <li>
                                    <a href=blocker.href>{format!("{} {}", blocker.count, blocker.resource)}</a>
                                </li>
                            }
                        })
                        .collect_view();
                    view! {
                        <div class="notice bad" role="alert">
                            <p>{error.detail}</p>
                            <ul>{blockers}</ul>
                        </div>
                    }
                })
        }}
        <ActionForm action>
            <input type="hidden" name="id" value=id />
            <input type="hidden" name="version" value=version />
            <input type="hidden" name="page" value=page />
            <button class="btn danger solid" disabled=move || action.pending().get()>
                "Delete for good"
            </button>
        </ActionForm>
    }
}
