//! What the server functions of the history do, over any kind of record.

use std::sync::Arc;

use leptos::prelude::{expect_context, use_context};
use serde_json::{Map, Value};

use super::AppState;
use super::kinds::{self, Asking, Kind, named};
use super::record::Expected;
use super::record::past::{At, Wish};
use super::web::{done, go};
use crate::access::gate::{Caller, Enter, Permission};
use crate::base::error::Code;
use crate::base::form::{Field, Given, Kind as Rule};
use crate::base::time::zones;
use crate::base::{Error, Result};
use crate::history::entity::{self as history, Model, difference};
use crate::history::past::Past;
use crate::history::{Look, Was};

/// Who asks, of what.
fn asking() -> Result<(AppState, Asking)> {
    let state = expect_context::<AppState>();
    let caller = use_context::<Arc<Caller>>().ok_or_else(Error::unauthenticated)?;
    let asking = Asking { caller, database: state.database.clone() };
    Ok((state, asking))
}

/// Whether the caller may see records of this kind.
fn may_see(caller: &Caller, kind: &Kind) -> Result<()> {
    caller.must_hold(&(kind.view)())?;
    if kind.is_confidential { caller.must_hold(&Enter::code()) } else { Ok(()) }
}

/// The history of a record.
///
/// # Errors
/// `NotFound` when nothing ever happened to such a record, or the event named was not one of its own; `Invalid` for a query
/// that makes no sense.
pub async fn look(resource: &str, id: i64, query: &str) -> Result<Look> {
    let (state, asking) = asking()?;
    let kind = named(&state.kinds, resource)?;
    may_see(&asking.caller, kind)?;
    let number = |wanted: &str| {
        let found = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == wanted);
        let Some((_, value)) = found.filter(|(_, value)| !value.is_empty()) else { return Ok(None) };
        value.parse::<i64>().map(Some).map_err(|_| Error::field(wanted, "Choose one of the events."))
    };
    let (mut at, with, before) = (number("at")?, number("with")?, number("before")?);
    let as_of = form_urlencoded::parse(query.as_bytes()).find(|(name, value)| name == "as_of" && !value.is_empty());
    let reader = state.database.reader();
    let events = history::before(reader, kind.name, id, before.unwrap_or(i64::MAX)).await?;
    if events.is_empty() && before.is_none() {
        return Err(Error::not_found(kind.singular));
    }
    let wanted = as_of.is_some() || at.is_some() || with.is_some();
    let all = if wanted { history::all(reader, kind.name, id).await? } else { Vec::new() };
    if let Some((name, moment)) = as_of {
        let meant = zones::within(asking.caller.time_zone.as_deref().unwrap_or_default(), &moment);
        let (_, end) = meant.ok_or_else(|| Error::field(&*name, "Enter a moment such as 2026-11-24T14:02."))?;
        let before = || Error::new(Code::NotFound, format!("There was no such {} then.", kind.singular));
        let last = all.iter().rfind(|event| event.at < end).filter(|event| event.version_after.is_some());
        at = Some(last.ok_or_else(before)?.id);
    }
    let (at, with) = (was(kind, &all, at)?, was(kind, &all, with)?);
    let told = |side: &Option<(Was, Past)>| side.as_ref().map(|(_, past)| past.values.clone());
    let (from, to) = (told(&at), told(&with));
    let changes = match (&from, &to) {
        (Some(_), Some(_)) => difference(from.as_ref(), to.as_ref()),
        _ => Value::Null,
    };
    let changes = if let Value::Object(changes) = changes { changes } else { Map::new() };
    let now = kind.now(&asking, id).await?;
    let title =
        now.as_ref().map_or_else(|| format!("{} {id}, deleted", capitalised(kind.singular)), |now| now.title.clone());
    let version = now.map(|now| now.version);
    Ok(Look { title, version, events, at: at.map(|(was, _)| was), with: with.map(|(was, _)| was), changes })
}

fn was(kind: &Kind, all: &[Model], event: Option<i64>) -> Result<Option<(Was, Past)>> {
    let Some(id) = event else { return Ok(None) };
    let index = all.iter().position(|event| event.id == id).ok_or_else(|| Error::not_found("event of this record"))?;
    let past = Past::of(all.iter().take(index + 1)).ok_or_else(|| Error::not_found(kind.singular))?;
    let values = match kind.shown(&past)? {
        Value::Object(values) => values,
        _ => Map::new(),
    };
    let event = all.get(index).cloned().ok_or_else(|| Error::not_found("event of this record"))?;
    Ok(Some((Was { event: event.into(), values }, past)))
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

const REASON: Field = Field::new("reason", "Reason", Rule::Line { max: 500 });

/// Makes a record what it was, and leads to it.
///
/// # Errors
/// Those of [`super::record::past::restore`].
pub async fn restore(resource: &str, id: i64, event: i64, version: Option<i64>, reason: Option<String>) -> Result<()> {
    let (state, asking) = asking()?;
    let kind = named(&state.kinds, resource)?;
    may_see(&asking.caller, kind)?;
    let given = reason.map_or(Given::Null, Given::Text);
    let reason = REASON.check(&given).map_err(|message| Error::field(REASON.name, message))?;
    let reason = reason.as_str().filter(|reason| !reason.is_empty()).map(str::to_owned);
    let wish = Wish { at: At::Event(event), reason, dry_run: false };
    // What is gone has no version that another could have changed.
    let expected = version.map_or(Expected::Version(0), Expected::Version);
    kind.restore(asking, id, expected, wish).await?;
    done("Restored");
    go(&format!("{}/{id}", kind.path));
    Ok(())
}

/// Undoes a change, and leads to what it was about.
///
/// # Errors
/// Those of [`kinds::undo`].
pub async fn undo(request: &str) -> Result<()> {
    let (state, asking) = asking()?;
    if !state.kinds.iter().any(|kind| may_see(&asking.caller, kind).is_ok()) {
        return state.kinds.first().map_or_else(|| Err(Error::unauthenticated()), |kind| may_see(&asking.caller, kind));
    }
    let undone = kinds::undo(&state, &asking, request, None, false).await?;
    done("Undone");
    go(&undone.page);
    Ok(())
}
