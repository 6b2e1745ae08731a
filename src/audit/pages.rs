//! The page of the log: who did what, when and through which door; every row opens.

use leptos::prelude::*;
use wasm_split_helpers::wasm_split;

use super::rpc::read_log;
use super::{Asked, COMMANDS, DOORS, Entry, Group, Log, MANY, PATH};
use crate::access::Me;
use crate::base::Result;
use crate::ui::chunk::Chunk;
use crate::ui::found::Found;
use crate::ui::icon::{Icon, Shape};
use crate::ui::page::{Heading, use_here};
use crate::ui::table::use_query_text;
use crate::ui::timeline::Changes;
use crate::ui::when::{When, use_zone};

/// `/admin/log`.
pub fn chunk() -> Chunk<()> {
    Chunk { name: "admin", fetch: || Box::pin(fetch_log_page()), page: (), draw: |()| Box::pin(log_page()) }
}

#[wasm_split(admin, preload(fetch_log_page), fallible)]
fn log_page() -> Result<AnyView> {
    Ok(view! { <LogPage /> }.into_any())
}

#[component]
fn LogPage() -> impl IntoView {
    let log = Resource::new(use_query_text(), read_log);
    view! {
        <Found found=log draw=|log| view! { <Shown log /> }.into_any() />
    }
}

#[component]
fn Shown(log: Log) -> impl IntoView {
    let Log { asked, groups, next, looked_to, people, resources } = log;
    let files = {
        let query = asked.from_start().query_string();
        move || {
            let file =
                |format: &str| format!("/-/audit/export?format={format}&{query}").trim_end_matches('&').to_owned();
            view! {
                <a class="btn quiet" href=file("csv") download="" rel="external">
                    "Export CSV"
                </a>
                <a class="btn quiet" href=file("ndjson") download="" rel="external">
                    "Export NDJSON"
                </a>
            }
        }
    };
    let single = !asked.request.is_empty();
    let is_later = !asked.after.is_empty();
    let first = asked.from_start().href();
    let (narrowed, further) = (asked.is_narrowed(), looked_to.is_some());
    let nothing = groups.is_empty().then(|| {
        view! {
            <div class="empty">
                <p>
                    <b>{if !narrowed { "Nothing more." } else if further { "Nothing so far." } else { "Nothing matches." }}</b>
                </p>
                {narrowed.then(|| view! { <a class="btn" href=PATH>"Show everything"</a> })}
            </div>
        }
    });
    let rows = groups.into_iter().map(|group| view! { <Row group single /> }).collect_view();
    view! {
        <Heading title="Log" actions=files />
        <section class="card log">
            <Filters asked people resources />
            {nothing}
            <ol class="log-rows">{rows}</ol>
            {(is_later || next.is_some())
                .then(|| {
                    view! {
                        <div class="pager">
                            <span class="muted">
                                {looked_to.map(|at| view! { "Looked back to " <When at /> "." })}
                            </span>
                            <nav aria-label="Pages">
                                {is_later.then(|| view! { <a class="btn quiet" href=first>"Latest"</a> })}
                                {next
                                    .map(|next| {
                                        view! {
                                            <a class="btn quiet" rel="next" href=format!("{PATH}?{next}")>
                                                {if further { "Look further back" } else { "Older" }}
                                                <Icon shape=Shape::Right />
                                            </a>
                                        }
                                    })}
                            </nav>
                        </div>
                    }
                })}
        </section>
    }
}

#[component]
fn Filters(asked: Asked, people: Vec<String>, resources: Vec<String>) -> impl IntoView {
    let chosen = |name: &'static str, label: &'static str, value: String, options: Vec<(String, String)>| {
        let options = options
            .into_iter()
            .map(|(known, text)| view! { <option value=known.clone() selected=known == value>{text}</option> })
            .collect_view();
        view! {
            <select name=name aria-label=label>
                <option value="">{format!("{label}: all")}</option>
                {options}
            </select>
        }
    };
    let typed = |name: &'static str, label: &'static str, value: String, known: Vec<String>| {
        let list = format!("{name}-known");
        view! {
            <input type="text" class="exact" name=name value=value placeholder=label aria-label=label list=list.clone() autocomplete="off" />
            <datalist id=list>
                {known.into_iter().map(|known| view! { <option value=known></option> }).collect_view()}
            </datalist>
        }
    };
    let zone = use_zone().name;
    let hint = format!("A day such as 2026-11-24, or 2026-11-24T14:02, in {zone}");
    let time = |name: &'static str, label: &'static str, value: String| {
        let label = format!("{label}, {zone}");
        view! { <input type="text" class="exact" name=name value=value placeholder=label.clone() aria-label=label title=hint.clone() /> }
    };
    let same = |names: Vec<String>| names.into_iter().map(|name| (name.clone(), name)).collect::<Vec<_>>();
    let doors = DOORS.iter().map(|(value, text)| ((*value).to_owned(), (*text).to_owned())).collect();
    let commands = COMMANDS.iter().map(|command| (*command).to_owned()).collect();
    let request = (!asked.request.is_empty()).then(|| {
        let without = Asked { request: String::new(), ..asked.from_start() }.href();
        view! {
            <input type="hidden" name="request" value=asked.request.clone() />
            <a class="chip on" href=without aria-label="Take the filter of one request away">
                {format!("Request {}", asked.request)}
                <Icon shape=Shape::Close />
            </a>
        }
    });
    view! {
        <form method="get" action=PATH class="filters" role="search" aria-label="Log">
            {typed("person", "Person", asked.person.clone(), people)}
            {chosen("resource", "Resource", asked.resource.clone(), same(resources))}
            {typed("command", "Command", asked.command.clone(), commands)}
            {chosen("door", "Door", asked.door.clone(), doors)}
            <span class="range">
                {time("from", "From", asked.from.clone())} "–" {time("to", "To", asked.to.clone())}
            </span>
            <button class="btn small">"Apply"</button>
            {request}
        </form>
    }
}

/// What was done in one request; opens.
#[component]
fn Row(group: Group, single: bool) -> impl IntoView {
    let said = said(&group);
    let reason = group.entries.iter().find_map(|entry| entry.event.reason.clone());
    let more = (!single && group.count > group.entries.len()).then(|| {
        let asked = Asked { request: group.request.clone(), ..Asked::default() };
        view! {
            <p>
                <a href=asked.href()>{format!("All {} changes", many(group.count))}</a>
            </p>
        }
    });
    let undoable = group.entries.iter().all(|entry| !matches!(entry.event.command.as_str(), "ship" | "cancel"))
        && group.entries.iter().any(|entry| entry.href.is_some() || entry.resource == "settings");
    let may = use_context::<Me>()
        .is_some_and(|me| me.permissions.iter().any(|held| held.ends_with(".change") || held == "*"));
    let undo = (!single && undoable && may).then(|| view! { <Undo request=group.request.clone() count=group.count /> });
    let alone = group.entries.len() == 1;
    let entries = group.entries.into_iter().map(|entry| view! { <Happened entry alone /> }).collect_view();
    view! {
        <li>
            <details>
                <summary>
                    <When at=group.at />
                    <b>
                        <bdi>{group.actor}</bdi>
                    </b>
                    <span class="what">
                        {said}
                        {reason.map(|reason| view! { <span class="faint">" · " <bdi>{reason}</bdi></span> })}
                    </span>
                    <span class="faint door">{group.door}</span>
                </summary>
                <div class="opened">
                    <ul>{entries}</ul>
                    {more}
                    <p class="faint">{format!("Request {}", group.request)}</p>
                    {undo}
                </div>
            </details>
        </li>
    }
}

fn many(count: usize) -> String {
    if count > MANY { format!("more than {MANY}") } else { count.to_string() }
}

/// A request in few words: `change of customers 7`, or `120 changes: create customers, create orders`.
fn said(group: &Group) -> String {
    if let [entry] = group.entries.as_slice()
        && group.count == 1
    {
        let record = if entry.record == 0 { String::new() } else { format!(" {}", entry.record) };
        return format!("{} {}{record}", entry.event.command.replace('_', " "), entry.resource);
    }
    let mut kinds: Vec<String> = Vec::new();
    for entry in &group.entries {
        let kind = format!("{} {}", entry.event.command.replace('_', " "), entry.resource);
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    format!("{} changes: {}", many(group.count), kinds.join(", "))
}

/// One event, field by field.
#[component]
fn Happened(entry: Entry, alone: bool) -> impl IntoView {
    let Entry { resource, record, href, event } = entry;
    let named = format!("{resource} {record}");
    let versions = match (event.version_before, event.version_after) {
        (Some(before), Some(after)) => format!("version {before} → {after}"),
        (None, Some(after)) => format!("new, version {after}"),
        (Some(before), None) => format!("gone, was version {before}"),
        (None, None) => String::new(),
    };
    view! {
        <li>
            <p>
                {event.command.replace('_', " ")} " "
                {match href {
                    Some(href) => view! { <a class="over" href=href>{named}</a> }.into_any(),
                    None => named.into_any(),
                }} " " <span class="faint">{versions}</span>
            </p>
            <Changes changes=event.changes fields=&[] folded=!alone />
        </li>
    }
}

#[component]
fn Undo(request: String, count: usize) -> impl IntoView {
    let here = use_here();
    view! {
        <form action="/-/changes/undo" method="post">
            <input type="hidden" name="request" value=request />
            <input type="hidden" name="page" value=here />
            <button class="btn small">
                <Icon shape=Shape::Undo />
                {if count == 1 { "Undo" } else { "Undo all of it" }}
            </button>
        </form>
    }
}
