//! The page of security events: filters, and rows that open.

use leptos::prelude::*;

use super::rpc::list_security_events;
use super::{EventFilter, PATH, SecurityEvent, SecurityEvents};
use crate::accounts::AccessNav;
use crate::ui::found::Found;
use crate::ui::page::Heading;
use crate::ui::table::use_query_text;
use crate::ui::when::When;

/// `/admin/security`.
pub fn list() -> AnyView {
    let events = Resource::new(use_query_text(), list_security_events);
    view! {
        <AccessNav />
        <Heading title="Security events" />
        <section class="card log">
            <Found found=events draw=drawn />
        </section>
    }
    .into_any()
}

fn drawn(found: SecurityEvents) -> AnyView {
    let SecurityEvents { filter, kinds, events, next } = found;
    let nothing = events.is_empty().then(|| {
        let said = if next.is_some() { "Nothing so far." } else { "Nothing matches." };
        view! {
            <div class="empty">
                <p>
                    <b>{said}</b>
                </p>
                <a class="btn" href=PATH>
                    "Show everything"
                </a>
            </div>
        }
    });
    let link = |href: String, text: &'static str| view! { <a class="btn quiet" href=href>{text}</a> };
    let latest = (!filter.before.is_empty()).then(|| link(filter.href(""), "Latest"));
    let older = next.map(|next| link(filter.href(&next), "Older"));
    view! {
        <Filters filter kinds />
        {nothing}
        <ol class="log-rows">{events.into_iter().map(row).collect_view()}</ol>
        {(latest.is_some() || older.is_some())
            .then(|| view! { <div class="pager"><nav aria-label="Pages">{latest} {older}</nav></div> })}
    }
    .into_any()
}

#[component]
fn Filters(filter: EventFilter, kinds: Vec<(String, String)>) -> impl IntoView {
    let options = kinds.into_iter().map(|(name, label)| {
        let selected = name == filter.kind;
        view! { <option value=name selected=selected>{label}</option> }
    });
    let typed = [("account", "Account"), ("address", "Address"), ("from", "From"), ("to", "To")];
    let pairs = filter.pairs();
    let typed = typed.map(|(name, label)| {
        let value = pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        view! { <input type="text" class="exact" name=name value=value placeholder=label aria-label=label /> }
    });
    view! {
        <form method="get" action=PATH class="filters" role="search" aria-label="Security events">
            <select name="kind" aria-label="Kind">
                <option value="">"Kind: all"</option>
                {options.collect_view()}
            </select>
            {typed}
            <button class="btn small">"Apply"</button>
        </form>
    }
}

fn row(event: SecurityEvent) -> AnyView {
    let SecurityEvent { at, label, repeated, account, actor, address, request_id, detail } = event;
    let log = format!("/admin/log?request={request_id}");
    view! {
        <li>
            <details>
                <summary>
                    <When at />
                    <b>
                        <bdi>{account}</bdi>
                    </b>
                    <span class="what">
                        {label} {repeated.as_ref().map(|(count, _)| view! { <span class="faint">{format!(" ×{count}")}</span> })}
                    </span>
                    <span class="faint door">{address}</span>
                </summary>
                <div class="opened">
                    <p>
                        <bdi>{detail}</bdi>
                    </p>
                    {repeated.map(|(_, last)| view! { <p class="faint">"The last of them " <When at=last /></p> })}
                    {(!actor.is_empty()).then(|| view! { <p class="faint">"By " <bdi>{actor}</bdi></p> })}
                    <p class="faint">
                        <a class="over" href=log>
                            {format!("Request {request_id}")}
                        </a>
                    </p>
                </div>
            </details>
        </li>
    }
    .into_any()
}
