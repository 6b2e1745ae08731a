//! A record as it was: its history as a list of moments, the record at one of them, and what differs from another.

use leptos::prelude::*;
use serde_json::{Map, Value};
use wasm_split_helpers::wasm_split;

use super::chunk::Chunk;
use super::context::FailedForm;
use super::facts::Facts;
use super::found::Found;
use super::page::{Crumb, Heading, use_here};
use super::records::{Answer, Pages, use_id};
use super::table::use_query_text;
use super::timeline::{Timeline, did, label, told};
use super::when::use_zone;
use crate::base::form::Field;
use crate::base::time::zone::Zone;
use crate::base::{Error, Result};
use crate::history::rpc::read_history;
use crate::history::{Event, Look, Was};

const RESTORE: &str = "/-/history/restore";

/// `/customers/7/history`, and the like of every kind of record.
pub fn chunk(pages: &'static Pages) -> Chunk<&'static Pages> {
    Chunk {
        name: "record",
        fetch: || Box::pin(fetch_past_page()),
        page: pages,
        draw: |pages| Box::pin(past_page(pages)),
    }
}

#[wasm_split(record, preload(fetch_past_page), fallible)]
fn past_page(pages: &'static Pages) -> Result<AnyView> {
    Ok(view! { <PastPage pages /> }.into_any())
}

#[component]
fn PastPage(pages: &'static Pages) -> impl IntoView {
    let (id, query) = (use_id(), use_query_text());
    let look = Resource::new(
        move || (id.get(), query()),
        move |(id, query)| -> Answer<Look> {
            match id {
                Some(id) => Box::pin(read_history(pages.resource.to_owned(), id, query)),
                None => Box::pin(async { Err(Error::not_found(pages.one)) }),
            }
        },
    );
    view! {
        <Found
            found=look
            draw=move |look| id.get_untracked().map(|id| view! { <Shown pages id look /> }).into_any()
        />
    }
}

#[component]
fn Shown(pages: &'static Pages, id: i64, look: Look) -> impl IntoView {
    let Look { title, version, events, at, with, changes } = look;
    let href = pages.href(id);
    let back = {
        let href = href.clone();
        move || {
            version.map(|_| {
                view! {
                    <a class="btn" href=href.clone()>
                        {format!("Back to the {}", pages.one)}
                    </a>
                }
            })
        }
    };
    let crumb = Some(Crumb { label: pages.title, href: pages.listing.path });
    let body = match (&at, &with) {
        (Some(at), Some(with)) => {
            view! { <Compared at=at.clone() with=with.clone() changes fields=pages.fields() /> }.into_any()
        }
        (Some(at), None) => view! { <State at=at.clone() fields=pages.fields() /> }.into_any(),
        _ => {
            view! {
                <section class="card">
                    <p class="muted">"Choose a moment to see everything as it was then, and a second one to see what differs."</p>
                </section>
            }
            .into_any()
        }
    };
    let restore = at.clone().filter(|at| at.event.version_after != version).and_then(|at| {
        let may = pages.may(if version.is_some() { "change" } else { "add" });
        may.then(|| view! { <Restore pages id version event=at.event /> })
    });
    view! {
        <Heading title=format!("History of {title}") crumb actions=back />
        <div class="cols">
            <div class="stack">
                <Picker href=href.clone() events=events.clone() at=at.map(|at| at.event) with=with.map(|with| with.event) />
                {body}
                {restore}
            </div>
            <aside class="stack">
                <Timeline events fields=pages.fields() record=href />
            </aside>
        </div>
    }
}

/// A moment as one chooses it.
fn moment(zone: &Zone, event: &Event) -> String {
    let version = event.version_after.map_or_else(String::new, |version| format!(", version {version}"));
    format!("{}: {} {}{version}", zone.said(&event.at), event.actor, did(event))
}

/// Chooses moments among the events that are listed.
#[component]
fn Picker(href: String, events: Vec<Event>, at: Option<Event>, with: Option<Event>) -> impl IntoView {
    let zone = use_zone();
    let named = format!("Or at a moment, {}", zone.name);
    let options = move |chosen: Option<Event>| {
        let mut moments: Vec<Event> = events.iter().filter(|event| event.version_after.is_some()).cloned().collect();
        if let Some(chosen) = chosen.as_ref().filter(|chosen| !moments.iter().any(|event| event.id == chosen.id)) {
            moments.push(chosen.clone());
        }
        let chosen = chosen.map(|event| event.id);
        moments
            .into_iter()
            .map(|event| {
                let selected = chosen == Some(event.id);
                view! {
                    <option value=event.id.to_string() selected=selected>
                        {moment(&zone, &event)}
                    </option>
                }
            })
            .collect_view()
    };
    view! {
        <form class="card picker" action=format!("{href}/history") method="get">
            <div class="field">
                <label for="at">"As it was at"</label>
                <select id="at" name="at">
                    {options(at)}
                </select>
            </div>
            <div class="field">
                <label for="as_of">{named}</label>
                <input id="as_of" name="as_of" type="datetime-local" />
            </div>
            <div class="field">
                <label for="with">"Compared with"</label>
                <select id="with" name="with">
                    <option value="">"nothing"</option>
                    {options(with)}
                </select>
            </div>
            <button class="btn">"Show"</button>
        </form>
    }
}

/// Values beside the fields that say nothing to people.
const UNSAID: [&str; 6] = ["id", "version", "customer", "items", "created_at", "updated_at"];

/// Everything as it was.
#[component]
fn State(at: Was, fields: &'static [Field]) -> impl IntoView {
    let zone = use_zone();
    let heading = format!("As it was at {}", zone.said(&at.event.at));
    let beside: Vec<_> = at
        .values
        .iter()
        .filter(|(name, value)| {
            !UNSAID.contains(&name.as_str()) && !value.is_null() && !fields.iter().any(|field| field.name == *name)
        })
        .map(|(name, value)| view! { <dt>{label(&[], name)}</dt><dd><bdi>{told(&zone, &[], name, value)}</bdi></dd> })
        .collect();
    let lines = at.values.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
    let values: Map<String, Value> = at.values.into_iter().filter(|(name, _)| name != "customer").collect();
    view! {
        <h2 class="moment">{heading}</h2>
        {(!beside.is_empty())
            .then(|| {
                view! {
                    <section class="card">
                        <h3>"Summary"</h3>
                        <dl class="facts">{beside}</dl>
                    </section>
                }
            })}
        {(!lines.is_empty()).then(|| view! { <Lines lines /> })}
        <Facts fields values />
    }
}

/// The lines of an order as they were.
#[component]
fn Lines(lines: Vec<Value>) -> impl IntoView {
    let zone = use_zone();
    let rows = lines
        .into_iter()
        .map(|line| {
            let text =
                |name: &str| line.get(name).filter(|value| !value.is_null()).map(|value| told(&zone, &[], name, value));
            view! {
                <tr>
                    <td class="num faint">{text("position")}</td>
                    <td class="muted">{text("sku")}</td>
                    <td>
                        <bdi>{text("description")}</bdi>
                    </td>
                    <td class="num">{text("quantity")}</td>
                    <td class="num">{text("unit_price")}</td>
                    <td class="num">{text("discount_percent")}</td>
                    <td class="num">{text("net")}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <section class="card">
            <h3>"Lines"</h3>
            <table class="lines">
                <thead>
                    <tr>
                        <th scope="col" class="num">"#"</th>
                        <th scope="col">"SKU"</th>
                        <th scope="col">"Product"</th>
                        <th scope="col" class="num">"Quantity"</th>
                        <th scope="col" class="num">"Unit price"</th>
                        <th scope="col" class="num">"Discount, %"</th>
                        <th scope="col" class="num">"Net"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </section>
    }
}

/// What differs between two moments, field by field.
#[component]
fn Compared(at: Was, with: Was, changes: Map<String, Value>, fields: &'static [Field]) -> impl IntoView {
    let (zone, named) = (use_zone(), changes.contains_key("customer_name"));
    let rows: Vec<_> = changes
        .iter()
        .filter(|(name, _)| !(named && *name == "customer"))
        .map(|(name, change)| {
            let side = |index: usize| told(&zone, fields, name, change.get(index).unwrap_or(&Value::Null));
            view! {
                <tr>
                    <th scope="row">{label(fields, name)}</th>
                    <td>
                        <bdi>{side(0)}</bdi>
                    </td>
                    <td>
                        <bdi>{side(1)}</bdi>
                    </td>
                </tr>
            }
        })
        .collect();
    let head = |was: &Was| {
        let version = was.event.version_after.map_or_else(String::new, |version| format!(", version {version}"));
        format!("{}{version}", zone.said(&was.event.at))
    };
    view! {
        <section class="card">
            <h2>"What differs"</h2>
            {if rows.is_empty() {
                view! { <p class="muted">"Nothing: the two are the same."</p> }.into_any()
            } else {
                view! {
                    <table class="compared">
                        <thead>
                            <tr>
                                <th scope="col">"Field"</th>
                                <th scope="col">{head(&at)}</th>
                                <th scope="col">{head(&with)}</th>
                            </tr>
                        </thead>
                        <tbody>{rows}</tbody>
                    </table>
                }
                    .into_any()
            }}
        </section>
    }
}

/// The form that makes the record what it was.
#[component]
fn Restore(pages: &'static Pages, id: i64, version: Option<i64>, event: Event) -> impl IntoView {
    let failed = use_context::<FailedForm>().filter(|failed| failed.action == RESTORE);
    let here = use_here();
    let (title, text) = match version {
        Some(_) => ("Restore", "The old values are set back by a new change; nothing of the history is lost."),
        None => ("Bring it back", "It comes back under its number, as it was at this moment."),
    };
    view! {
        <section class="card">
            <h2>{title}</h2>
            <p>{text}</p>
            {failed
                .map(|failed| {
                    view! {
                        <p class="notice bad" role="alert">
                            {failed.error.to_string()}
                        </p>
                    }
                })}
            <form action=RESTORE method="post" class="reason-form">
                <input type="hidden" name="resource" value=pages.resource />
                <input type="hidden" name="id" value=id.to_string() />
                <input type="hidden" name="event" value=event.id.to_string() />
                {version.map(|version| view! { <input type="hidden" name="version" value=version.to_string() /> })}
                <input type="hidden" name="page" value=here />
                <div class="field">
                    <label for="reason">"Reason"</label>
                    <input id="reason" name="reason" maxlength="500" autocomplete="off" />
                </div>
                <button class="btn primary">{format!("Make it as it was at {}", use_zone().said(&event.at))}</button>
            </form>
        </section>
    }
}
