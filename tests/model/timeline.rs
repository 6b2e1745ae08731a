//! What every record was and when, out of the log of events and of the requests that wrote them.

use std::collections::{BTreeMap, HashMap};

use kontor::customers::entity::Entity as Customers;
use kontor::history::entity::Model as Event;
use kontor::history::past::Past;
use kontor::orders::entity::Entity as Orders;
use kontor::products::entity::Entity as Products;
use kontor::server::record::Resource;
use serde_json::Value;

use crate::client::{CUSTOMERS, ORDERS, PRODUCTS};
use crate::history::{Key, Span, Step};

/// Before anything happened.
const BEFORE: Span = Span { sent: 0, answered: 0 };
/// When nothing happens any more.
const NEVER: Span = Span { sent: u64::MAX, answered: u64::MAX };

/// What a record was from one event to the next. Nobody knows when exactly a commit happens, but it is while the request that
/// asked for it is under way.
#[derive(Debug, Clone)]
pub struct State {
    /// Absent where there was no such record.
    pub version: Option<i64>,
    /// As the API writes it; `null` where there was none.
    pub shown: Value,
    since: Span,
    until: Span,
}

impl State {
    pub fn is_there(&self) -> bool {
        self.version.is_some()
    }
}

/// Every event, and every record through time.
pub struct Timeline {
    /// In the order of their places in the log.
    pub events: Vec<Event>,
    pub spans: HashMap<String, Span>,
    records: BTreeMap<Key, Vec<State>>,
}

impl Timeline {
    /// Out of all events in the order of their places, and all steps of the history.
    pub fn new(events: Vec<Event>, steps: &[Step]) -> Self {
        let spans: HashMap<_, _> = steps.iter().map(|step| (step.request_id.clone(), step.span)).collect();
        let mut of_record: BTreeMap<Key, Vec<Event>> = BTreeMap::new();
        for event in &events {
            if let Some(key) = key_of(event) {
                of_record.entry(key).or_default().push(event.clone());
            }
        }
        let records = of_record.into_iter().map(|(key, events)| (key, states(key, &events, &spans))).collect();
        Self { events, spans, records }
    }

    pub fn records(&self) -> impl Iterator<Item = Key> {
        self.records.keys().copied()
    }

    /// What a record was, one after the other; from the time before it was made.
    pub fn states(&self, key: Key) -> &[State] {
        self.records.get(&key).map(Vec::as_slice).unwrap_or_default()
    }

    /// What a record may have been at some moment of a span.
    pub fn during(&self, key: Key, span: Span) -> impl Iterator<Item = &State> {
        self.states(key)
            .iter()
            .filter(move |state| state.since.sent < span.answered && state.until.answered > span.sent)
    }

    /// Whether a record may have been like this at some moment of a span.
    pub fn may_have_been(&self, key: Key, span: Span, is: impl Fn(&State) -> bool) -> bool {
        self.during(key, span).any(is)
    }

    /// Whether any record of a resource may have been like this at some moment of a span.
    pub fn any_may_have_been(&self, resource: &str, span: Span, is: impl Fn(&State) -> bool) -> bool {
        self.of(resource).any(|key| self.during(key, span).any(&is))
    }

    /// The records of a resource that there ever were.
    pub fn of(&self, resource: &str) -> impl Iterator<Item = Key> {
        self.records().filter(move |key| key.resource == resource)
    }

    /// What a record is at the end.
    pub fn last(&self, key: Key) -> Option<&State> {
        self.states(key).last()
    }

    /// The events of one request, in the order in which they were written.
    pub fn written_by(&self, request_id: &str) -> Vec<&Event> {
        let mut events: Vec<_> = self.events.iter().filter(|event| event.request_id == request_id).collect();
        events.sort_by_key(|event| event.id);
        events
    }
}

/// The record an event is about, if it is one of the business.
pub fn key_of(event: &Event) -> Option<Key> {
    let resource = [CUSTOMERS, PRODUCTS, ORDERS].into_iter().find(|resource| *resource == event.resource)?;
    Some(Key { resource, id: event.record_id })
}

fn states(key: Key, events: &[Event], spans: &HashMap<String, Span>) -> Vec<State> {
    let mut states = vec![State { version: None, shown: Value::Null, since: BEFORE, until: NEVER }];
    for (index, event) in events.iter().enumerate() {
        let span = spans.get(&event.request_id).copied().unwrap_or(BEFORE);
        if let Some(last) = states.last_mut() {
            last.until = span;
        }
        let past = Past::of(&events[..=index]).filter(|past| past.is_there);
        let (version, shown) = match past {
            Some(past) => (Some(past.version), shown(key, &past)),
            None => (None, Value::Null),
        };
        states.push(State { version, shown, since: span, until: NEVER });
    }
    states
}

/// A record as the API writes it; a text that says why not where its events do not tell everything.
fn shown(key: Key, past: &Past) -> Value {
    let record = match key.resource {
        CUSTOMERS => Customers::remembered(past).map(serde_json::to_value),
        PRODUCTS => Products::remembered(past).map(serde_json::to_value),
        _ => Orders::remembered(past).map(serde_json::to_value),
    };
    match record {
        Ok(Ok(record)) => record,
        Ok(Err(error)) => error.to_string().into(),
        Err(error) => error.to_string().into(),
    }
}
