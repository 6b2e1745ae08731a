//! Moments as the person reads them, in their own zone.

use leptos::prelude::*;

use crate::base::time::Moment;
use crate::base::time::zone::Zone;

/// The person's zone; UTC where they chose none.
pub fn use_zone() -> Zone {
    use_context().unwrap_or_default()
}

/// A moment.
#[component]
pub fn When(at: Moment) -> impl IntoView {
    let zone = use_zone();
    view! {
        <time datetime=at.rfc3339().to_owned() title=zone.name.clone()>
            {zone.said(&at)}
        </time>
    }
}

/// A moment that may not have come, with what to say then.
#[component]
pub fn Maybe(at: Option<Moment>, otherwise: &'static str) -> impl IntoView {
    match at {
        Some(at) => view! { <When at /> }.into_any(),
        None => view! { <span class="faint">{otherwise}</span> }.into_any(),
    }
}
