//! Plain forms: each leads to a whole new document, with JavaScript as without. What is refused comes back on its page.

use leptos::context::Provider;
use leptos::prelude::*;

use super::context::{FailedForm, Revealed};
use super::page::use_here;
use super::problem::Blockers;

/// What became of the form around a field.
#[derive(Clone, Default)]
struct Outcome(Option<FailedForm>);

impl Outcome {
    fn message(&self, name: &str) -> Option<String> {
        Some(self.0.as_ref()?.error.errors.get(name)?.join(" "))
    }
}

/// A form of the server function at `action`, with what was wrong with it.
#[component]
pub fn PlainForm(
    action: &'static str,
    /// What goes along unseen; of several forms with one action, it tells which was refused.
    #[prop(optional)]
    hidden: Vec<(&'static str, String)>,
    #[prop(optional)] class: &'static str,
    children: Children,
) -> impl IntoView {
    let same = |failed: &FailedForm| hidden.iter().all(|(name, value)| failed.typed.get(*name) == Some(value));
    let failed = use_context::<FailedForm>().filter(|failed| failed.action == action && same(failed));
    let notice = failed.as_ref().map(|failed| {
        view! {
            <div class="notice bad" role="alert" id="error-summary">
                <p>{failed.error.detail.clone()}</p>
                <ul>
                    <Blockers of=failed.error.blockers.to_vec() />
                </ul>
            </div>
        }
    });
    let page = use_here();
    view! {
        <form action=action method="post" class=class>
            {notice}
            <input type="hidden" name="page" value=untrack(page) />
            {hidden.iter().map(|(name, value)| view! { <input type="hidden" name=*name value=value.clone() /> }).collect_view()}
            <Provider value=Outcome(failed)>{children()}</Provider>
        </form>
    }
}

/// A field of a [`PlainForm`]: label, control, help, and what is wrong with it. Passwords never come back.
#[component]
pub fn PlainField(
    name: &'static str,
    label: &'static str,
    /// `text`, `password`, `email` …
    #[prop(default = "text")]
    kind: &'static str,
    #[prop(default = "off")] autocomplete: &'static str,
    #[prop(optional, into)] value: String,
    #[prop(optional)] help: &'static str,
    #[prop(default = true)] required: bool,
    #[prop(optional)] autofocus: bool,
    /// Tells the fields of several forms on one page apart.
    #[prop(optional)]
    prefix: &'static str,
) -> impl IntoView {
    let outcome = use_context::<Outcome>().unwrap_or_default();
    let message = outcome.message(name);
    let typed = outcome.0.and_then(|failed| failed.typed.get(name).cloned());
    let value = if kind == "password" { String::new() } else { typed.unwrap_or(value) };
    let id = format!("{prefix}{name}");
    let (help_id, error_id) = (format!("{id}-help"), format!("{id}-error"));
    let described: Vec<_> = (!help.is_empty())
        .then(|| help_id.clone())
        .into_iter()
        .chain(message.as_ref().map(|_| error_id.clone()))
        .collect();
    let code = autocomplete == "one-time-code";
    view! {
        <div class="field">
            <label for=id.clone()>{label}</label>
            <input
                id=id.clone()
                name=name
                type=kind
                value=value
                autocomplete=autocomplete
                inputmode=code.then_some("text")
                autocapitalize=code.then_some("none")
                spellcheck=code.then_some("false")
                required=required
                autofocus=autofocus
                aria-invalid=message.is_some().then_some("true")
                aria-describedby=(!described.is_empty()).then(|| described.join(" "))
            />
            {(!help.is_empty()).then(|| view! { <p class="help" id=help_id>{help}</p> })}
            {message.map(|message| view! { <p class="error" id=error_id>{message}</p> })}
        </div>
    }
}

/// Asks for the person's password once more, within a form.
#[component]
pub fn PasswordAgain() -> impl IntoView {
    view! { <PlainField name="password" label="Your password" kind="password" autocomplete="current-password" /> }
}

/// What the answer to a form tells this once.
#[component]
pub fn Told() -> impl IntoView {
    use_context::<Revealed>().map(|revealed| {
        let secrets = revealed.secrets.into_iter().map(|secret| {
            view! {
                <li>
                    <code>{secret}</code>
                </li>
            }
        });
        view! {
            <section class="notice good told" role="status" aria-labelledby="told">
                <h2 id="told">{revealed.title}</h2>
                <p>{revealed.note}</p>
                <ul>{secrets.collect_view()}</ul>
            </section>
        }
    })
}
