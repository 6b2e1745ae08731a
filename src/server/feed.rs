//! `GET /api/events/`: every change, in the order in which it was committed, so that a script can follow along and miss none.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Extension;
use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::request::Parts;
use sea_orm::{ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};

use super::AppState;
use super::database::Database;
use super::kinds::Kind;
use super::limits::Who;
use super::web;
use crate::access::gate::{Actor, Caller};
use crate::access::holds;
use crate::base::error::Code;
use crate::base::form::nearest;
use crate::base::time::Moment;
use crate::base::time::stored::Timestamp;
use crate::base::{Error, Result};
use crate::history::chain;
use crate::history::entity::{Changes, Column, Entity};

/// The longest a request waits for an event, in seconds.
const MAX_WAIT: u64 = 30;
/// How often it is looked for new events while anybody waits for one.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// The most events that are read for all who wait.
const SHARED: u64 = 200;
/// How long who waits too often is told to stay away, in seconds.
const RETRY_AFTER: u32 = 5;
/// Events of one answer when nothing is said, and at most.
const PAGE: u64 = 100;
const MAX_PAGE: u64 = 1_000;

#[derive(Debug, Clone, FromQueryResult)]
struct Row {
    place: i64,
    at: Timestamp,
    actor_kind: String,
    actor_name: String,
    door: String,
    request_id: String,
    resource: String,
    record_id: i64,
    command: String,
    reason: Option<String>,
    version_before: Option<i64>,
    version_after: Option<i64>,
    changes: Changes,
}

/// An event as it is answered.
#[derive(Debug, Serialize)]
struct Told {
    id: i64,
    at: Moment,
    resource: String,
    record: i64,
    command: String,
    reason: Option<String>,
    version_before: Option<i64>,
    version_after: Option<i64>,
    changes: Value,
    actor: Value,
    door: String,
    request_id: String,
}

impl From<Row> for Told {
    fn from(row: Row) -> Self {
        Self {
            id: row.place,
            at: row.at.into(),
            resource: row.resource,
            record: row.record_id,
            command: row.command,
            reason: row.reason,
            version_before: row.version_before,
            version_after: row.version_after,
            changes: row.changes.0,
            actor: json!({ "kind": row.actor_kind, "name": row.actor_name }),
            door: row.door,
            request_id: row.request_id,
        }
    }
}

impl Told {
    /// What is told to somebody who did not sign in: that something was done, but neither by whom nor what it was before, as
    /// that may have been deleted on purpose.
    fn for_strangers(self) -> Self {
        Self { reason: None, changes: json!({}), actor: json!({}), request_id: String::new(), ..self }
    }
}

/// What a follower asks for.
#[derive(Debug, Default)]
struct Asked {
    after: i64,
    resource: Option<String>,
    wait: u64,
    page_size: u64,
}

impl Asked {
    fn parse(query: &str) -> Result<Self> {
        let mut asked = Self { page_size: PAGE, ..Self::default() };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let number = |least: u64, most: u64| match value.parse::<u64>() {
                Ok(number) if (least..=most).contains(&number) => Ok(number),
                _ => Err(Error::field(&*name, format!("Enter a whole number from {least} to {most}."))),
            };
            match &*name {
                "after" => asked.after = number(0, i64::MAX.unsigned_abs())?.try_into().unwrap_or(i64::MAX),
                "wait" => asked.wait = number(0, MAX_WAIT)?,
                "page_size" => asked.page_size = number(1, MAX_PAGE)?,
                "resource" => asked.resource = Some(value.into_owned()),
                other => {
                    let hint = nearest(other, ["after", "wait", "page_size", "resource"].into_iter())
                        .map_or(String::new(), |near| format!(" Did you mean {near}?"));
                    let other: String = other.chars().filter(|c| !c.is_control()).take(40).collect();
                    return Err(Error::field(other, format!("There is no such parameter.{hint}")));
                }
            }
        }
        Ok(asked)
    }
}

/// The resources of the question that the caller may see.
fn visible(followed: &[Kind], caller: &Caller, resource: Option<&str>) -> Result<Vec<&'static str>> {
    if let Some(resource) = resource {
        let known = followed.iter().find(|known| known.name == resource || known.singular == resource);
        let known = known.ok_or_else(|| {
            let names = followed.iter().map(|known| known.name).collect::<Vec<_>>().join(", ");
            let hint = nearest(resource, followed.iter().map(|known| known.name));
            let hint = hint.map_or(String::new(), |near| format!(" Did you mean {near}?"));
            Error::field("resource", format!("Choose one of {names}.{hint}"))
        })?;
        caller.must_hold(&(known.view)())?;
        return Ok(vec![known.name]);
    }
    let seen = followed.iter().filter(|known| holds(&caller.permissions, &(known.view)()));
    let seen: Vec<_> = seen.map(|known| known.name).collect();
    match (seen.is_empty(), &caller.actor) {
        (false, _) => Ok(seen),
        (true, Actor::Anonymous) => Err(Error::unauthenticated()),
        (true, _) => Err(Error::forbidden(&followed.first().map_or_else(String::new, |known| (known.view)()))),
    }
}

/// Answers with the events after one, or waits for the next.
pub async fn events(
    State(state): State<AppState>,
    Extension(followed): Extension<Arc<[Kind]>>,
    Extension(caller): Extension<Arc<Caller>>,
    parts: Parts,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>> {
    let asked = Asked::parse(query.as_deref().unwrap_or_default())?;
    let resources = visible(&followed, &caller, asked.resource.as_deref())?;
    // Left with time to answer before the request is given up.
    let patience = state.settings.request_timeout.saturating_sub(Duration::from_secs(1));
    let until = Instant::now() + patience.min(Duration::from_secs(asked.wait));
    seal(&state.database).await;
    let (mut told, mut after) = read(&state.database, &asked, asked.after, &resources).await?;
    if told.is_empty() && asked.wait > 0 {
        let _waiting = state.followers.enter(&caller)?;
        let mut batches = state.followers.subscribe(&state.database);
        loop {
            let batch = Arc::clone(&batches.borrow_and_update());
            if batch.last > after {
                (told, after) = match batch.after <= after {
                    true => batch.told(&asked, after, &resources),
                    false => read(&state.database, &asked, after, &resources).await?,
                };
            }
            if !told.is_empty() {
                break;
            }
            tokio::select! {
                changed = timeout_at(until, batches.changed()) => if !matches!(changed, Ok(Ok(()))) { break },
                () = state.draining.cancelled() => break,
            }
        }
    }
    if asked.wait > 0 && !told.is_empty() {
        // Who waited may have lost the right to what came.
        let caller = web::identified_again(&state, &parts).await?;
        let resources = visible(&followed, &caller, asked.resource.as_deref())?;
        told.retain(|event| resources.contains(&event.resource.as_str()));
    }
    if caller.actor == Actor::Anonymous {
        told = told.into_iter().map(Told::for_strangers).collect();
    }
    Ok(Json(json!({ "last": after, "results": told })))
}

/// Those who wait for events. One task looks for all of them, as long as there are any.
#[derive(Debug)]
pub struct Followers {
    latest: watch::Sender<Arc<Batch>>,
    is_looking: AtomicBool,
    waiting: Mutex<HashMap<Who, usize>>,
    most: usize,
    most_per_caller: usize,
}

/// The events that were found last.
#[derive(Debug, Default)]
struct Batch {
    /// The event they come after.
    after: i64,
    last: i64,
    rows: Vec<Row>,
}

/// Somebody who waits, until it is dropped.
struct Waiting {
    followers: Arc<Followers>,
    who: Who,
}

impl Followers {
    /// So many may wait at once, in all and of one token or person; people nobody knows count as one.
    pub fn new(most: usize, most_per_caller: usize) -> Self {
        let (latest, is_looking) = (watch::Sender::default(), AtomicBool::default());
        Self { latest, is_looking, waiting: Mutex::default(), most, most_per_caller }
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<Who, usize>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(self: &Arc<Self>, caller: &Caller) -> Result<Waiting> {
        let who = Who::of(&caller.actor, IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let mut waiting = self.waiting();
        let own = waiting.get(&who).copied().unwrap_or_default();
        let refused =
            |detail: String| Error { retry_after: Some(RETRY_AFTER), ..Error::new(Code::TooManyRequests, detail) };
        if own >= self.most_per_caller {
            return Err(refused(format!(
                "You already have {own} requests that wait for events, and that is the most."
            )));
        }
        if waiting.values().sum::<usize>() >= self.most {
            return Err(refused("Too many requests wait for events already. Ask again without `wait`.".into()));
        }
        waiting.insert(who.clone(), own + 1);
        Ok(Waiting { followers: Arc::clone(self), who })
    }

    fn subscribe(self: &Arc<Self>, database: &Database) -> watch::Receiver<Arc<Batch>> {
        let batches = self.latest.subscribe();
        if !self.is_looking.swap(true, Ordering::SeqCst) {
            tokio::spawn(Arc::clone(self).look(database.clone()));
        }
        batches
    }

    /// Looks for new events until nobody waits any more.
    async fn look(self: Arc<Self>, database: Database) {
        let mut last = None;
        loop {
            if self.latest.receiver_count() == 0 {
                self.is_looking.store(false, Ordering::SeqCst);
                // Somebody may have come in between, and found this task at work.
                if self.latest.receiver_count() == 0 || self.is_looking.swap(true, Ordering::SeqCst) {
                    return;
                }
            }
            seal(&database).await;
            match Batch::after(&database, last).await {
                Ok(batch) => {
                    if last != Some(batch.last) {
                        last = Some(batch.last);
                        self.latest.send_replace(Arc::new(batch));
                    }
                }
                Err(error) => tracing::warn!(error = error.internal.as_deref(), "could not look for events"),
            }
            sleep(LOOK_EVERY).await;
        }
    }
}

impl Batch {
    /// The events after one; without one, nothing but where the log ends.
    async fn after(database: &Database, last: Option<i64>) -> Result<Self> {
        let Some(after) = last else {
            let latest = latest(database).await?;
            return Ok(Self { after: latest, last: latest, rows: Vec::new() });
        };
        let select = Entity::find().filter(Column::Place.gt(after)).order_by_asc(Column::Place).limit(SHARED);
        let rows: Vec<Row> = select.into_model().all(database.reader()).await?;
        Ok(Self { after, last: rows.last().map_or(after, |row| row.place), rows })
    }

    /// As [`read`].
    fn told(&self, asked: &Asked, after: i64, resources: &[&'static str]) -> (Vec<Told>, i64) {
        let wanted = |row: &&Row| row.place > after && resources.contains(&row.resource.as_str());
        let page = usize::try_from(asked.page_size).unwrap_or(usize::MAX);
        let told: Vec<Told> = self.rows.iter().filter(wanted).take(page).cloned().map(Told::from).collect();
        let seen = seen(&told, asked, self.last);
        (told, seen)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut waiting = self.followers.waiting();
        if let Some(own) = waiting.get_mut(&self.who) {
            *own -= 1;
            if *own == 0 {
                waiting.remove(&self.who);
            }
        }
    }
}

async fn seal(database: &Database) {
    if let Err(error) = chain::seal(database).await {
        tracing::error!(
            error = error.internal.as_deref(),
            "events could not be sealed; those that are sealed are told"
        );
    }
}

/// The last event that is sealed. One look into an index.
async fn latest(database: &Database) -> Result<i64> {
    let latest = Entity::find().select_only().expr_as(Column::Place.max(), "place");
    let latest: Option<Option<i64>> = latest.into_tuple().one(database.reader()).await?;
    Ok(latest.flatten().unwrap_or_default())
}

/// Up to where nothing more is to be found: the last event that is told, or `latest` where that were all.
fn seen(told: &[Told], asked: &Asked, latest: i64) -> i64 {
    match told.last() {
        Some(last) if told.len() as u64 == asked.page_size => last.id,
        last => last.map_or(latest, |last| Ord::max(last.id, latest)),
    }
}

/// The events after one, and up to where nothing more is to be found. Looking again from there costs nothing while nothing
/// happens, whatever happened to other resources before.
async fn read(database: &Database, asked: &Asked, after: i64, resources: &[&'static str]) -> Result<(Vec<Told>, i64)> {
    let reader = database.reader();
    // Read before the events: what is committed in between is found next time.
    let latest = latest(database).await?;
    if latest <= after {
        return Ok((Vec::new(), after));
    }
    let select = Entity::find()
        .filter(Column::Place.gt(after))
        .filter(Column::Resource.is_in(resources.iter().copied()))
        .order_by_asc(Column::Place)
        .limit(asked.page_size);
    let told: Vec<Told> = select.into_model::<Row>().all(reader).await?.into_iter().map(Told::from).collect();
    let seen = seen(&told, asked, latest);
    Ok((told, seen))
}

/// The description of the operation, and of what it answers with.
pub fn description(followed: &[Kind]) -> Value {
    let names: Vec<_> = followed.iter().map(|known| known.name).collect();
    let parameter = |name: &str, meaning: &str, schema: Value| json!({ "name": name, "in": "query", "description": meaning, "schema": schema });
    let text = json!({ "type": "string" });
    let number = json!({ "type": "integer", "format": "int64" });
    let version = json!({ "type": ["integer", "null"], "format": "int64" });
    let event = json!({
        "type": "object",
        "required": ["id", "at", "resource", "record", "command", "changes", "actor", "door", "request_id"],
        "properties": {
            "id": { "type": "integer", "format": "int64", "description": "The place in the log; later events have larger ones." },
            "at": { "type": "string", "format": "date-time" },
            "resource": { "type": "string", "enum": names }, "record": number,
            "command": { "type": "string", "description": "`create`, `change`, `delete`, or a command of the resource." },
            "reason": { "type": ["string", "null"] }, "version_before": version, "version_after": version,
            "changes": { "type": "object", "description": "Field to [before, after]." },
            "actor": { "type": "object", "properties": { "kind": text, "name": text } },
            "door": text, "request_id": text,
        },
    });
    json!({ "get": {
        "tags": ["events"], "operationId": "events.list", "summary": "Follow every change",
        "description": "Events in the order in which they were committed, none left out: ask again with `after` set to the `last` of the answer \
                        before. With `wait` the answer comes as soon as there is an event. Only of resources the caller may view. Without signing in (`anonymous_api_read`) \
                        `changes` and `actor` are empty, and there is neither `reason` nor `request_id`.",
        "parameters": [
            parameter("after", "The last event that is known.", json!({ "type": "integer", "format": "int64", "minimum": 0, "default": 0 })),
            parameter("resource", "Only events of these records.", json!({ "type": "string", "enum": names })),
            parameter("wait", "Seconds to wait for an event when there is none.", json!({ "type": "integer", "minimum": 0, "maximum": MAX_WAIT, "default": 0 })),
            parameter("page_size", "The most events of an answer.", json!({ "type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": PAGE })),
        ],
        "responses": { "200": { "description": "The next events.", "content": { "application/json": { "schema": {
            "type": "object", "required": ["last", "results"],
            "properties": { "last": { "type": "integer", "format": "int64", "description": "Ask for what comes `after` this next." }, "results": { "type": "array", "items": event } },
        } } } } },
    } })
}
