//! What went wrong, what was kept, and what to do.

use leptos::prelude::*;

use super::context::{PageProblem, Report};
use super::page::DocumentTitle;
use crate::base::Error;
use crate::base::error::Blocker;

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
            <Blockers of=error.blockers.into_vec() />
        </ul>
    }
}

/// What stands in the way, as entries of a list; each leads to the page that lists it.
#[component]
pub fn Blockers(of: Vec<Blocker>) -> impl IntoView {
    of.into_iter()
        .map(|blocker| {
            let text = blocker.said();
            match blocker.href.is_empty() {
                true => view! { <li>{text}</li> }.into_any(),
                false => view! { <li><a href=blocker.href>{text}</a></li> }.into_any(),
            }
        })
        .collect_view()
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
