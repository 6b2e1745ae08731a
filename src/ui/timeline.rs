//! The history of a record as people read it: who did what, old and new value, when, why and through which door.

use leptos::prelude::*;
use serde_json::{Map, Value};

use super::facts::readable;
use super::when::{When, use_zone};
use crate::base::form::{Field, Kind};
use crate::base::time::Moment;
use crate::base::time::zone::Zone;
use crate::history::{Event, SHOWN};

/// The events of a record, the latest first, each leading to the record as it was.
#[component]
pub fn Timeline(
    events: Vec<Event>,
    fields: &'static [Field],
    /// The page of the record; absent for one whose past is not shown.
    #[prop(into, optional)]
    record: String,
) -> impl IntoView {
    let older = older(&events, &record).filter(|_| !record.is_empty());
    let latest = events.first().map(|event| event.id);
    let entries =
        events.into_iter().map(|event| view! { <Entry event fields record=record.clone() latest /> }).collect_view();
    view! {
        <section class="card">
            <h2>"History"</h2>
            <ol class="timeline">{entries}</ol>
            {older}
        </section>
    }
}

/// The way to older events, when there may be some.
pub fn older(events: &[Event], record: &str) -> Option<impl IntoView + use<>> {
    let last = events.last().filter(|_| events.len() >= SHOWN)?;
    let href = format!("{record}/history?before={}", last.id);
    Some(view! {
        <p>
            <a class="btn quiet" href=href>
                "Older"
            </a>
        </p>
    })
}

#[component]
fn Entry(event: Event, fields: &'static [Field], record: String, latest: Option<i64>) -> impl IntoView {
    let past = event.version_after.filter(|_| !record.is_empty()).map(|_| {
        let (id, page) = (event.id, format!("{record}/history"));
        let compare = latest.filter(|latest| *latest != id);
        view! {
            " · "
            <a href=format!("{page}?at={id}")>"As it was"</a>
            {compare
                .map(|latest| {
                    view! {
                        " · "
                        <a href=format!("{page}?at={id}&with={latest}")>"Compare with now"</a>
                    }
                })}
        }
    });
    let did = did(&event);
    let created = event.version_before.is_none();
    let reason = event.reason.clone().map(|reason| view! { <p class="reason"><bdi>{reason}</bdi></p> });
    let version = event.version_after.map_or(String::new(), |version| format!(" · version {version}"));
    view! {
        <li>
            <span class="dot" aria-hidden="true"></span>
            <div>
                <b>
                    <bdi>{event.actor.clone()}</bdi>
                </b>
                " "
                {did}
                {reason}
                <Changes changes=event.changes fields folded=created />
                <p class="faint">
                    <When at=event.at.clone() />
                    {format!(" · {}{version}", event.door)}
                    {past}
                </p>
            </div>
        </li>
    }
}

/// What was done, in words that follow a name.
pub fn did(event: &Event) -> String {
    let what = match event.command.as_str() {
        "create" => "created this",
        "change" => "changed this",
        "delete" => "deleted this",
        "place" => "placed this",
        "ship" => "shipped this",
        "reopen" => "reopened this",
        "cancel" => "cancelled this",
        "set_password" => "set a password",
        "change_password" => "changed their password",
        "invite" => "made a link to choose a password",
        "accept_invitation" => "chose a password",
        "sign_out" => "ended all sessions",
        "end_session" => "ended a session",
        "second_factor_on" => "turned the second factor on",
        "second_factor_off" => "turned the second factor off",
        "choose_zone" => "chose a time zone",
        "recovery_codes" => "made new recovery codes",
        "restore" if event.version_before.is_none() => "brought this back",
        "restore" => "restored this",
        "undo" => match (event.version_before, event.version_after) {
            (None, _) => "undid the deletion of this",
            (_, None) => "undid the creation of this",
            _ => "undid a change of this",
        },
        other => return other.replace('_', " "),
    };
    what.to_owned()
}

/// Values that changed, field by field: old → new.
#[component]
pub fn Changes(
    changes: Map<String, Value>,
    fields: &'static [Field],
    /// Behind a heading that opens them.
    folded: bool,
) -> impl IntoView {
    let (zone, named) = (use_zone(), changes.contains_key("customer_name"));
    let rows: Vec<_> = changes
        .iter()
        .filter(|(name, _)| !(named && *name == "customer"))
        .filter_map(|(name, change)| {
            let side = |index: usize| told(&zone, fields, name, change.get(index).unwrap_or(&Value::Null));
            change.as_array()?;
            Some(view! {
                <li>
                    {label(fields, name)}
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
    if rows.is_empty() {
        return ().into_any();
    }
    let count = rows.len();
    let list = view! { <ul class="changes">{rows}</ul> };
    if folded {
        let said = if count == 1 { "1 value".to_owned() } else { format!("{count} values") };
        view! {
            <details class="values">
                <summary>{said}</summary>
                {list}
            </details>
        }
        .into_any()
    } else {
        list.into_any()
    }
}

/// What a field is called.
pub fn label(fields: &[Field], name: &str) -> String {
    let field = fields.iter().find(|field| field.name == name);
    field.map_or_else(|| words(name), |field| field.label.to_owned())
}

/// A value as people read it; one that is not there is said to be blank.
pub fn told(zone: &Zone, fields: &[Field], name: &str, value: &Value) -> String {
    let field = fields.iter().find(|field| field.name == name && field.kind != Kind::Moment);
    let text = field.map_or_else(|| plain(zone, value), |field| readable(field.kind, value));
    if text.is_empty() { "(blank)".to_owned() } else { text }
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

/// What a line says beside what follows from the rest.
const TOLD: [&str; 5] = ["description", "quantity", "unit", "unit_price", "discount_percent"];

/// A value without a rule, as people read it; what belongs together is listed.
fn plain(zone: &Zone, value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => Moment::written(text).map_or_else(|| text.clone(), |at| zone.said(&at)),
        Value::Bool(flag) => if *flag { "yes" } else { "no" }.into(),
        Value::Array(values) => values.iter().map(|value| plain(zone, value)).collect::<Vec<_>>().join(", "),
        Value::Object(values) => {
            let shown = values.iter().filter(|(name, _)| TOLD.contains(&name.as_str()));
            let shown: Vec<_> =
                shown.map(|(name, value)| format!("{} {}", words(name).to_lowercase(), plain(zone, value))).collect();
            if shown.is_empty() { "moved".to_owned() } else { shown.join(", ") }
        }
        other => other.to_string(),
    }
}
