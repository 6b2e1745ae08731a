//! The sign-in page. Its form is a plain one: it leads to a whole new document, for another person.

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use crate::ui::context::FailedForm;
use crate::ui::page::DocumentTitle;
use crate::ui::page::use_here;

const ACTION: &str = "/-/sign-in";

/// Where people sign in.
#[component]
pub fn SignInPage() -> impl IntoView {
    let failed = use_context::<FailedForm>().filter(|failed| failed.action == ACTION);
    let email = failed.as_ref().and_then(|failed| failed.typed.get("email").cloned()).unwrap_or_default();
    let asked = use_query_map().with_untracked(|query| query.get("next"));
    let next = failed.as_ref().map_or(asked, |failed| failed.typed.get("next").cloned()).unwrap_or_default();
    let page = untrack(use_here());
    let message = failed.map(|failed| failed.error.detail);
    let invalid = message.is_some().then_some("true");
    let described = message.is_some().then_some("sign-in-error");
    view! {
        <DocumentTitle text="Sign in" />
        <main class="alone">
            <form class="card sign-in" action=ACTION method="post">
                <h1>
                    <span class="mark" aria-hidden="true">
                        "K"
                    </span>
                    "Sign in to Kontor"
                </h1>
                {message
                    .map(|message| {
                        view! {
                            <p class="notice bad" role="alert" id="sign-in-error">
                                {message}
                            </p>
                        }
                    })}
                <input type="hidden" name="page" value=page />
                <input type="hidden" name="next" value=next />
                <div class="field">
                    <label for="email">"E-mail"</label>
                    <input
                        id="email"
                        name="email"
                        type="email"
                        value=email
                        autocomplete="username"
                        required=true
                        autofocus=true
                        aria-invalid=invalid
                        aria-describedby=described
                    />
                </div>
                <div class="field">
                    <label for="password">"Password"</label>
                    <input
                        id="password"
                        name="password"
                        type="password"
                        autocomplete="current-password"
                        required=true
                        aria-invalid=invalid
                        aria-describedby=described
                    />
                </div>
                <button class="btn primary">"Sign in"</button>
            </form>
        </main>
    }
}
