//! The history of a record as people read it: who did what, old and new value, when and through which door.

use leptos::prelude::*;
use serde_json::Value;

use super::facts::readable;
use crate::base::form::Field;
use crate::history::Event;

/// The events of a record, the latest first.
#[component]
pub fn Timeline(events: Vec<Event>, fields: &'static [Field]) -> impl IntoView {
    view! {
        <section class="card">
            <h2>"History"</h2>
            <ol class="timeline">
                {events.into_iter().map(|event| view! { <Entry event fields /> }).collect_view()}
            </ol>
        </section>
    }
}

#[component]
fn Entry(event: Event, fields: &'static [Field]) -> impl IntoView {
    let created = event.version_before.is_none();
    let changes: Vec<_> = fields
        .iter()
        .filter(|_| !created)
        .filter_map(|field| {
            let change = event.changes.get(field.name)?.as_array()?;
            let side = |index: usize| match readable(field.kind, change.get(index).unwrap_or(&Value::Null)) {
                text if text.is_empty() => "(blank)".to_owned(),
                text => text,
            };
            Some(view! {
                <li>
                    {field.label}
                    " "
                    <del>
                        <bdi>{side(0)}</bdi>
                    </del>
                    " → "
                    <ins>
                        <bdi>{side(1)}</bdi>
                    </ins>
                </li>
            })
        })
        .collect();
    let did = match event.command.as_str() {
        "create" => "created this".to_owned(),
        "change" => "changed this".to_owned(),
        "delete" => "deleted this".to_owned(),
        other => other.replace('_', " "),
    };
    let version = event.version_after.map_or(String::new(), |version| format!(" · version {version}"));
    view! {
        <li>
            <span class="dot" aria-hidden="true"></span>
            <div>
                <b>
                    <bdi>{event.actor}</bdi>
                </b>
                " "
                {did}
                {(!changes.is_empty()).then(|| view! { <ul class="changes">{changes}</ul> })}
                <p class="faint">
                    <time datetime=event.at.rfc3339().to_owned()>{event.at.to_string()} " UTC"</time>
                    {format!(" · {}{version}", event.door)}
                </p>
            </div>
        </li>
    }
}
