//! What went wrong, what was kept, and what to do.

use leptos::prelude::*;

use super::context::{PageProblem, Report};
use super::page::DocumentTitle;
use crate::base::Error;

/// A refusal in the place of what was asked for. Gives the page its status.
#[component]
pub fn Problem(error: Error) -> impl IntoView {
    if let Some(report) = use_context::<Report>() {
        report.failed(&error);
    }
    view! {
        <DocumentTitle text=error.code.title() />
        <section class="card problem" role="alert">
            <h1>{error.code.title()}</h1>
            <p>{error.detail.clone()}</p>
            <Messages error=error />
            <p>
                <a class="btn" href="/">
                    "Go to the start page"
                </a>
            </p>
        </section>
    }
}

/// The details of a refusal: messages by field, and what stands in the way.
#[component]
fn Messages(error: Error) -> impl IntoView {
    let messages: Vec<_> =
        error.errors.into_iter().map(|(name, messages)| format!("{name}: {}", messages.join(" "))).collect();
    view! {
        <ul>
            {messages.into_iter().map(|message| view! { <li>{message}</li> }).collect_view()}
            {error
                .blockers
                .into_iter()
                .map(|blocker| {
                    view! {
                        <li>
                            <a href=blocker.href>{format!("{} {}", blocker.count, blocker.resource)}</a>
                        </li>
                    }
                })
                .collect_view()}
        </ul>
    }
}

/// A whole page that says what went wrong, outside of the layout.
#[component]
pub fn ProblemPage(problem: PageProblem) -> impl IntoView {
    view! {
        <main class="alone">
            <Problem error=problem.error />
            <p class="faint">"Request " <code>{problem.request_id}</code></p>
        </main>
    }
}
