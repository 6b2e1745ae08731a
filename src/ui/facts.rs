//! The values of a record, drawn from its table of rules.

use leptos::prelude::*;
use serde_json::{Map, Value};

use crate::base::country;
use crate::base::date::Date;
use crate::base::form::{Field, Kind};
use crate::base::money::grouped;

/// A value as people read it.
pub fn readable(kind: Kind, value: &Value) -> String {
    match (kind, value) {
        (_, Value::Null) => String::new(),
        (Kind::Flag { .. }, value) => if *value == Value::Bool(true) { "yes" } else { "no" }.into(),
        (Kind::Money | Kind::UnitPrice, Value::String(text)) => grouped(text),
        (Kind::Date, Value::String(text)) => {
            text.parse::<Date>().map_or_else(|_| text.clone(), |date| date.to_string())
        }
        (Kind::Choice(choices), Value::String(text)) => {
            let known = choices.iter().find(|(value, _)| value == text);
            known.map_or_else(|| text.clone(), |(_, label)| (*label).to_owned())
        }
        (Kind::Percent, Value::String(text)) => format!("{text} %"),
        (Kind::Country, Value::String(code)) => country::name(code).map_or_else(|| code.clone(), str::to_owned),
        (_, Value::String(text)) => text.clone(),
        (_, value) => value.to_string(),
    }
}

/// The sections of a record, each with the values that are there.
#[component]
pub fn Facts(
    fields: &'static [Field],
    values: Map<String, Value>,
    /// The heading over fields without a section.
    #[prop(default = "Details")]
    first: &'static str,
) -> impl IntoView {
    let mut sections: Vec<&'static str> = Vec::new();
    for field in fields {
        if !sections.contains(&field.section) {
            sections.push(field.section);
        }
    }
    sections
        .into_iter()
        .filter_map(|section| {
            let facts: Vec<_> = fields
                .iter()
                .filter(|field| field.section == section)
                .filter_map(|field| {
                    let value = readable(field.kind, values.get(field.name)?);
                    (!value.is_empty()).then(|| {
                        view! {
                            <dt>{field.label}</dt>
                            <dd class:long=matches!(field.kind, Kind::Text { .. })>
                                <bdi>{value}</bdi>
                            </dd>
                        }
                    })
                })
                .collect();
            (!facts.is_empty()).then(|| {
                view! {
                    <section class="card">
                        <h2>{if section.is_empty() { first } else { section }}</h2>
                        <dl class="facts">{facts}</dl>
                    </section>
                }
            })
        })
        .collect_view()
}
