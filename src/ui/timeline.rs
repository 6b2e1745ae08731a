//! The history of a record as people read it: who did what, old and new value, when and through which door.

use leptos::prelude::*;
use serde_json::Value;

use super::facts::readable;
use super::when::When;
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
    let changes: Vec<_> = event
        .changes
        .iter()
        .filter(|_| !created)
        .filter(|(name, _)| *name != "customer" || !event.changes.contains_key("customer_name"))
        .filter_map(|(name, change)| {
            let field = fields.iter().find(|field| field.name == name);
            let change = change.as_array()?;
            let side = |index: usize| {
                let value = change.get(index).unwrap_or(&Value::Null);
                let text = field.map_or_else(|| plain(value), |field| readable(field.kind, value));
                if text.is_empty() { "(blank)".to_owned() } else { text }
            };
            Some(view! {
                <li>
                    {field.map_or_else(|| words(name), |field| field.label.to_owned())}
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
        "place" => "placed this".to_owned(),
        "ship" => "shipped this".to_owned(),
        "reopen" => "reopened this".to_owned(),
        "cancel" => "cancelled this".to_owned(),
        "set_password" => "set a password".to_owned(),
        "change_password" => "changed their password".to_owned(),
        "invite" => "made a link to choose a password".to_owned(),
        "accept_invitation" => "chose a password".to_owned(),
        "sign_out" => "ended all sessions".to_owned(),
        "end_session" => "ended a session".to_owned(),
        "second_factor_on" => "turned the second factor on".to_owned(),
        "second_factor_off" => "turned the second factor off".to_owned(),
        "recovery_codes" => "made new recovery codes".to_owned(),
        other => other.replace('_', " "),
    };
    let reason = event.reason.map(|reason| view! { <p class="reason"><bdi>{reason}</bdi></p> });
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
                {reason}
                {(!changes.is_empty()).then(|| view! { <ul class="changes">{changes}</ul> })}
                <p class="faint">
                    <When at=event.at />
                    {format!(" · {}{version}", event.door)}
                </p>
            </div>
        </li>
    }
}

/// A name as people read it: `items[BEV-001]` is the line of BEV-001.
fn words(name: &str) -> String {
    if let Some(sku) = name.strip_prefix("items[").and_then(|name| name.strip_suffix(']')) {
        return format!("Line {sku}");
    }
    let mut letters = name.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).collect::<String>().replace('_', " ")
}

/// A value without a rule, as people read it; what belongs together is listed.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Object(values) => {
            let shown = values.iter().filter(|(name, _)| !matches!(name.as_str(), "net" | "position"));
            let shown: Vec<_> =
                shown.map(|(name, value)| format!("{} {}", words(name).to_lowercase(), plain(value))).collect();
            if shown.is_empty() { "moved".to_owned() } else { shown.join(", ") }
        }
        other => other.to_string(),
    }
}
