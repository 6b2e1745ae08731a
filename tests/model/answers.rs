//! Whether what clients were told is true: every value that was acknowledged or shown, and every reason for which something was
//! refused.

use std::collections::{BTreeMap, BTreeSet};

use kontor::base::fold;
use serde_json::Value;

use crate::client::{CUSTOMERS, ORDERS, PRODUCTS};
use crate::history::{Intent, Key, Row, Span, Step};
use crate::timeline::{State, Timeline, key_of};

/// Faults that were found, each in a sentence that begins with the span of its request.
pub type Faults = Vec<String>;

/// Holds every answer against the log.
pub fn check(steps: &[Step], timeline: &Timeline) -> Faults {
    let mut faults = Faults::new();
    for step in steps {
        let mut told = Vec::new();
        match step.status {
            200..400 => acknowledged(step, timeline, &mut told),
            _ => refused(step, steps, timeline, &mut told),
        }
        faults.extend(told.into_iter().map(|fault| format!("{}: {fault}", step.span)));
    }
    walks(steps, timeline, &mut faults);
    repetitions(steps, timeline, &mut faults);
    faults
}

/// Whether a request was told to come again, and nothing else happened.
pub fn is_busy(step: &Step) -> bool {
    let detail = step.body["detail"].as_str().unwrap_or_default();
    let reasons =
        ["The database is busy.", "Another change of the same record is under way.", "An import is writing just now."];
    step.status == 503
        && reasons.iter().any(|reason| detail.starts_with(reason))
        && detail.ends_with("Nothing was saved.")
}

/// What was acknowledged is what the log says, and follows the version it was decided on; what was shown was so just then.
fn acknowledged(step: &Step, timeline: &Timeline, faults: &mut Faults) {
    if step.is_replayed {
        return;
    }
    let request = &step.request;
    let events = timeline.written_by(&step.request_id);
    match &request.intent {
        Intent::List { .. } => return listed(step, timeline, faults),
        Intent::Read | Intent::Import if request.record.is_none() => return,
        Intent::Bulk(rows) => return rows_acknowledged(step, rows, timeline, faults),
        _ => {}
    }
    if request.dry_run {
        if !events.is_empty() {
            faults.push("a dry run left an event".into());
        }
        return;
    }
    let record = request.record.or_else(|| made(step).map(|(key, _)| key));
    let of_record: Vec<_> = events.iter().filter(|event| key_of(event) == record).collect();
    match &request.intent {
        Intent::Read => {}
        Intent::Create if step.request.is_form() && of_record.is_empty() => {
            // The form was sent before; `repetitions` looks at that.
        }
        Intent::Create | Intent::Delete | Intent::Command(_) | Intent::Undo(_) | Intent::Settings
            if events.is_empty() =>
        {
            // A setting that has the value already is left alone.
            if request.intent != Intent::Settings {
                faults.push("it was acknowledged and left no event".into());
            }
        }
        _ => {
            let decided_on = of_record.first().map(|event| event.version_before);
            match (request.named, decided_on) {
                (Some(named), Some(before)) if before != Some(named) => {
                    faults.push(format!("it was decided on v{named} and changed {}", version_word(before)));
                }
                _ => {}
            }
            if let (Some(record), Some(named), true) = (record, request.named, of_record.is_empty())
                && !timeline.may_have_been(record, step.span, |state| state.version == Some(named))
            {
                faults.push(format!("it changed nothing of v{named}, which {record} was not at then"));
            }
        }
    }
    if let (Some(record), Some(shown)) = (record, step.shown()) {
        let is_shown = |state: &State| match request.line {
            None if step.request.path.contains("order-items") => has_line(state, shown),
            None => state.shown == *shown,
            Some(_) => has_line(state, shown),
        };
        let written = of_record.last().and_then(|event| event.version_after);
        let found = match written {
            Some(version) => timeline.states(record).iter().find(|state| state.version == Some(version)),
            None => None,
        };
        let is_true = found.map_or_else(|| timeline.may_have_been(record, step.span, is_shown), is_shown);
        if !is_true {
            faults.push(untrue(record, step.span, shown, found, timeline));
        }
    }
}

fn version_word(version: Option<i64>) -> String {
    version.map_or("what was not there".into(), |version| format!("v{version}"))
}

fn has_line(state: &State, line: &Value) -> bool {
    state.shown["items"].as_array().into_iter().flatten().any(|known| known == line)
}

/// Says in what an answer differs from what was there.
fn untrue(record: Key, span: Span, shown: &Value, written: Option<&State>, timeline: &Timeline) -> String {
    let version = shown["version"].as_i64();
    let same_version = timeline.states(record).iter().find(|state| state.version == version);
    let Some(state) = written.or(same_version) else {
        return format!("{record} was shown at {}, which it never was at", version_word(version));
    };
    let differ: Vec<_> = shown
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, value)| state.shown.get(*name) != Some(*value))
        .map(|(name, value)| format!("{name} is {value} in the answer, and {} in the log", state.shown[name.as_str()]))
        .collect();
    let possible: Vec<_> = timeline.during(record, span).map(|state| version_word(state.version)).collect();
    let then = format!("{record} was shown at {}; it was at {} then", version_word(version), possible.join(", "));
    if differ.is_empty() { then } else { format!("{then}; {}", differ.join("; ")) }
}

/// The record that a request made.
fn made(step: &Step) -> Option<(Key, bool)> {
    if step.request.intent != Intent::Create {
        return None;
    }
    let resource = step.request.path.split('/').nth(2)?;
    let resource = [CUSTOMERS, PRODUCTS, ORDERS].into_iter().find(|known| *known == resource)?;
    let id = step.body.as_i64().or(step.body["id"].as_i64())?;
    Some((Key { resource, id }, step.request.is_form()))
}

/// Every row of a list was so at some moment while it was read.
fn listed(step: &Step, timeline: &Timeline, faults: &mut Faults) {
    let Some(resource) = step.request.path.split('/').nth(2) else { return };
    let Some(resource) = [CUSTOMERS, PRODUCTS, ORDERS].into_iter().find(|known| *known == resource) else { return };
    for row in step.body["results"].as_array().into_iter().flatten() {
        let key = Key { resource, id: row["id"].as_i64().unwrap_or_default() };
        let is_shown = |state: &State| {
            let row = row.as_object().into_iter().flatten();
            state.is_there() && row.into_iter().all(|(name, value)| state.shown.get(name) == Some(value))
        };
        if !timeline.may_have_been(key, step.span, is_shown) {
            faults.push(format!("in a list, {}", untrue(key, step.span, row, None, timeline)));
        }
    }
}

/// Every row of a bulk request did what it was told to have done, on the version it named.
fn rows_acknowledged(step: &Step, rows: &[Row], timeline: &Timeline, faults: &mut Faults) {
    let mut events = timeline.written_by(&step.request_id).into_iter().peekable();
    let results = step.body["results"].as_array().cloned().unwrap_or_default();
    for (index, (row, result)) in rows.iter().zip(results).enumerate() {
        let record = row.record.or_else(|| {
            let resource = [CUSTOMERS, PRODUCTS, ORDERS].into_iter().find(|known| step.request.path.contains(known))?;
            Some(Key { resource, id: result["record"]["id"].as_i64()? })
        });
        let status = result["status"].as_u64().unwrap_or_default();
        let problem = match status {
            200 | 201 => {
                let version = result["record"]["version"].as_i64();
                let event = events.next_if(|event| key_of(event) == record && event.version_after == version);
                let before = event.map_or(version, |event| event.version_before);
                let state = record.map(|record| timeline.states(record)).unwrap_or_default();
                let state = state.iter().find(|state| state.version == version);
                if status == 201 && event.is_none() {
                    Some("it was made and left no event".to_owned())
                } else if row.named.is_some() && row.named != before {
                    Some(format!("it was decided on {} and changed {}", version_word(row.named), version_word(before)))
                } else if state.is_none_or(|state| state.shown != result["record"]) {
                    record.map(|record| untrue(record, step.span, &result["record"], state, timeline))
                } else {
                    None
                }
            }
            204 => match events.next_if(|event| key_of(event) == record && event.version_after.is_none()) {
                None => Some("it was deleted and left no event".to_owned()),
                Some(event) if row.named.is_some() && row.named != event.version_before => {
                    Some(format!("{} was to be deleted, and v{:?} was", version_word(row.named), event.version_before))
                }
                Some(_) => None,
            },
            _ => {
                let refusal = Refusal {
                    span: step.span,
                    status: u16::try_from(status).unwrap_or_default(),
                    error: &result["error"],
                    sent: &step.request.body["rows"][index],
                    record,
                    line: None,
                    named: row.named,
                    claimed: result["error"]["version"].as_i64(),
                    request: step,
                };
                refusal.fault(timeline)
            }
        };
        faults.extend(problem.map(|problem| format!("row {index}: {problem}")));
    }
    if let Some(event) = events.next() {
        faults.push(format!("the event {} belongs to no row", event.id));
    }
}

/// A refusal, of a request or of a row of it.
struct Refusal<'a> {
    span: Span,
    status: u16,
    /// The problem: `detail`, `errors`, `blockers`.
    error: &'a Value,
    sent: &'a Value,
    record: Option<Key>,
    line: Option<i64>,
    named: Option<i64>,
    /// The version that the refusal says the record is at.
    claimed: Option<i64>,
    request: &'a Step,
}

fn refused(step: &Step, steps: &[Step], timeline: &Timeline, faults: &mut Faults) {
    if (is_busy(step) || step.status < 500) && !timeline.written_by(&step.request_id).is_empty() {
        faults.push("it was refused and left an event".into());
    }
    if is_busy(step) || step.is_replayed {
        return;
    }
    let detail = step.body["detail"].as_str().unwrap_or_default();
    let same_key = || {
        let key = step.request.repetition.as_ref();
        steps.iter().filter(move |other| {
            key.is_some() && other.request.repetition.as_ref() == key && other.span.sent != step.span.sent
        })
    };
    if detail.contains("Another request with this Idempotency-Key is being carried out")
        || detail.contains("its answer was lost")
    {
        // The answer is stored just after the commit, so another server may find the key without it.
        if !same_key().any(|other| other.span.overlaps(step.span)) {
            faults.push(format!("no other request had its key then: {detail}"));
        }
        return;
    }
    if let (Intent::Bulk(rows), "Nothing was written, as some rows were refused.") = (&step.request.intent, detail) {
        return rows_refused(step, rows, faults);
    }
    let refusal = Refusal {
        span: step.span,
        status: step.status,
        error: &step.body,
        sent: &step.request.body,
        record: step.request.record,
        line: step.request.line,
        named: step.request.named,
        claimed: step.body["version"].as_i64().or(step.body["stale"]["version"].as_i64()),
        request: step,
    };
    faults.extend(refusal.fault(timeline));
}

/// Of a bulk request that was rejected as a whole, only what does not depend on its own rows can be told.
fn rows_refused(step: &Step, rows: &[Row], faults: &mut Faults) {
    for (name, messages) in step.body["errors"].as_object().into_iter().flatten() {
        let row = name.strip_prefix("rows[").and_then(|name| name.split(']').next()?.parse::<usize>().ok());
        let row = row.and_then(|row| rows.get(row));
        if messages.to_string().contains("Somebody saved this record meanwhile")
            && row.is_none_or(|row| row.named.is_none())
        {
            faults.push(format!("{name} named no version and is told that it is stale: {messages}"));
        }
    }
}

impl Refusal<'_> {
    /// What is wrong with the refusal; nothing where there was a reason for it.
    fn fault(&self, timeline: &Timeline) -> Option<String> {
        let told = || format!("{} {}", self.status, self.error);
        match self.status {
            412 => self.stale(timeline),
            403 if self.is_beyond_permission(timeline) => None,
            400 | 404 | 409 => {
                let messages = self.messages();
                let unfounded = messages.iter().find_map(|message| match self.is_founded(message, timeline) {
                    Some(true) => None,
                    Some(false) => Some(format!("it was not so: {message}")),
                    None => Some(format!("nobody can explain: {message}")),
                });
                unfounded.map(|fault| format!("{fault} ({})", told()))
            }
            _ => Some(format!("it must not happen: {}", told())),
        }
    }

    /// Whether the staff tries to undo what only an administrator may do.
    fn is_beyond_permission(&self, timeline: &Timeline) -> bool {
        let Intent::Undo(change) = &self.request.request.intent else { return false };
        timeline.written_by(change).iter().any(|event| event.resource == "settings")
    }

    fn stale(&self, timeline: &Timeline) -> Option<String> {
        let Some(named) = self.named else {
            return Some(format!("it named no version and is told that it is stale: {}", self.error));
        };
        let was_gone = |record| timeline.may_have_been(record, self.span, |state| !state.is_there());
        let (Some(record), Some(claimed)) = (self.record, self.claimed) else {
            // What was deleted since has no version.
            if self.record.is_some_and(was_gone) {
                return None;
            }
            return Some(format!("it is not told which version is stored: {}", self.error));
        };
        if claimed == named {
            return Some(format!("it named v{named}, which is said to be stored"));
        }
        let was_so = timeline.may_have_been(record, self.span, |state| state.version == Some(claimed));
        (!was_so).then(|| format!("{record} was not at v{claimed} then"))
    }

    /// What is said about fields, else about all.
    fn messages(&self) -> Vec<String> {
        let of_fields = self.error["errors"].as_object().into_iter().flatten().flat_map(|(name, messages)| {
            let messages = messages.as_array().into_iter().flatten().filter_map(Value::as_str);
            messages.map(move |message| format!("{name}: {message}"))
        });
        let mut messages: Vec<_> = of_fields.collect();
        if messages.is_empty() || self.is_undo() {
            messages.extend(self.error["detail"].as_str().map(str::to_owned));
        }
        messages
    }

    fn is_undo(&self) -> bool {
        matches!(self.request.request.intent, Intent::Undo(_))
    }

    /// Whether a reason was true at some moment of the request; nothing for a reason that nobody knows.
    fn is_founded(&self, message: &str, timeline: &Timeline) -> Option<bool> {
        let span = self.span;
        let says = |text: &str| message.contains(text);
        let was = |is: &dyn Fn(&State) -> bool| match self.record {
            Some(record) => timeline.may_have_been(record, span, is) || timeline.states(record).is_empty(),
            // Undoing is about any number of records.
            None => timeline.any_may_have_been(ORDERS, span, is),
        };
        let any = |resource: &str, is: &dyn Fn(&State) -> bool| timeline.any_may_have_been(resource, span, is);
        let is = |name: &'static str, value: Value| move |state: &State| state.shown[name] == value;
        if let Some(status) = ["draft", "placed", "shipped", "cancelled"]
            .into_iter()
            .find(|status| says(&format!("This order is {status}.")) || says(&format!("This order is a {status}.")))
        {
            return Some(was(&is("status", status.into())));
        }
        if says("no command leads back from there") {
            return Some(
                any(ORDERS, &|state| state.shown["status"] == "shipped" || state.shown["status"] == "cancelled")
                    || any(ORDERS, &|state| state.shown["status"] == "draft"),
            );
        }
        if says("needs at least one line") {
            return Some(
                was(&|state| state.shown["items"].as_array().is_some_and(Vec::is_empty))
                    || self.sent.to_string().contains("then"),
            );
        }
        if says("customer is inactive") {
            return Some(any(CUSTOMERS, &is("is_active", false.into())));
        }
        if let Some((_, skus)) = message.split_once("These products are inactive and cannot be ordered: ") {
            // Lines keep the SKU that their product had.
            return Some(!skus.is_empty() && any(PRODUCTS, &is("is_active", false.into())));
        }
        if says("product is inactive") || says("is inactive and cannot be ordered") {
            return Some(any(PRODUCTS, &is("is_active", false.into())));
        }
        if let Some((_, amounts)) = message.split_once("credit limit: ") {
            return Some(self.is_beyond_credit(amounts, timeline));
        }
        if says("has had a number is cancelled") {
            return Some(was(&|state| state.shown["status"] == "draft" && state.shown["number"].is_string()));
        }
        if says("is in use and cannot be deleted") {
            return Some(match (self.record, self.error["blockers"].as_array()) {
                (Some(record), Some(blockers)) if !blockers.is_empty() => refers(record, span, timeline),
                (None, Some(blockers)) => !blockers.is_empty(),
                _ => false,
            });
        }
        if says("refer to this one, or it refers to one that is gone") {
            let gone = [CUSTOMERS, PRODUCTS].into_iter().any(|resource| is_any_gone(resource, span, timeline));
            return Some(gone || self.record.is_some_and(|record| refers(record, span, timeline)));
        }
        if says("already has") && says("change its quantity instead") {
            return Some(self.is_second_line(message, timeline));
        }
        if says("Another record already has this value") {
            let field = message.split(':').next().unwrap_or_default();
            let field = field.rsplit(['.', ']']).next().unwrap_or_default().trim_start_matches('.');
            return Some(self.is_taken(field, timeline));
        }
        if says("A value that must be unique is taken") {
            return Some(matches!(self.request.request.intent, Intent::Undo(_) | Intent::Restore));
        }
        if says("read-only") {
            // A copy that was sent back whole, and was not of the version that is stored.
            let sent = self.sent["version"].as_i64();
            return Some(was(&|state| state.version != sent));
        }
        if says("no such line") {
            return Some(was(&|state| self.lacks_a_line(state)));
        }
        if says("order item") && says("There is no such") {
            return Some(was(&|state| !self.line.is_some_and(|line| has_line_id(state, line))));
        }
        for (resource, singular) in [(CUSTOMERS, "customer"), (PRODUCTS, "product"), (ORDERS, "order")] {
            if says(&format!("There is no such {singular}.")) || says(&format!("There was no such {singular} then.")) {
                return Some(match self.record.filter(|record| record.resource == resource && self.status == 404) {
                    // It may be a moment of the past that is asked for.
                    Some(record) => timeline.states(record).iter().any(|state| !state.is_there()),
                    None => is_any_gone(resource, span, timeline),
                });
            }
        }
        if self.is_undo() {
            return self.is_not_undone(message, timeline);
        }
        if says("Somebody else set") {
            return Some(self.request.request.intent == Intent::Settings);
        }
        if says("upload") {
            return Some(self.request.request.intent == Intent::Import);
        }
        None
    }

    fn is_not_undone(&self, message: &str, timeline: &Timeline) -> Option<bool> {
        let number =
            |after: &str| message.split(after).nth(1)?.split(|c: char| !c.is_ascii_digit()).next()?.parse::<i64>().ok();
        let record = || {
            let kinds = [("The customer ", CUSTOMERS), ("The product ", PRODUCTS), ("The order ", ORDERS)];
            kinds.into_iter().find_map(|(word, resource)| Some(Key { resource, id: number(word)? }))
        };
        let was =
            |is: &dyn Fn(&State) -> bool| record().is_some_and(|record| timeline.may_have_been(record, self.span, is));
        if message.contains("was changed since") {
            let stored = number("it is at version ");
            return Some(was(&|state| state.version == stored));
        }
        if message.contains("is gone by now") {
            return Some(was(&|state| !state.is_there()));
        }
        if message.contains("is gone.") {
            return Some(is_any_gone(PRODUCTS, self.span, timeline));
        }
        if message.contains("It is there again") {
            return Some(was(&State::is_there));
        }
        if message.contains("Somebody saved this record meanwhile") || message.contains("Somebody else set") {
            return Some(true);
        }
        if message.contains("Nothing was changed") || message.contains("cannot be undone") {
            let Intent::Undo(change) = &self.request.request.intent else { return Some(false) };
            let events = timeline.written_by(change);
            return Some(
                events.iter().all(|event| key_of(event).is_none())
                    || !events.iter().any(|event| event.version_after.is_some()),
            );
        }
        None
    }

    fn is_beyond_credit(&self, amounts: &str, timeline: &Timeline) -> bool {
        let cents = amounts
            .split(|c: char| !(c.is_ascii_digit() || c == ',' || c == '.'))
            .filter(|text| text.chars().any(|c| c.is_ascii_digit()))
            .filter_map(|text| text.trim_end_matches('.').replace([',', '.'], "").parse::<i64>().ok());
        let [open, own, both, limit] = cents.collect::<Vec<_>>()[..] else { return false };
        let is_limit = |state: &State| {
            state.shown["credit_limit"].as_str().is_some_and(|text| text.replace('.', "").parse() == Ok(limit))
        };
        open + own == both && both > limit && timeline.any_may_have_been(CUSTOMERS, self.span, is_limit)
    }

    /// Whether the order had a line of the product, or is sent two.
    fn is_second_line(&self, message: &str, timeline: &Timeline) -> bool {
        let sku = message.split("already has ").nth(1).and_then(|rest| rest.split(';').next()).unwrap_or_default();
        let has = |state: &State| state.shown["items"].as_array().into_iter().flatten().any(|line| line["sku"] == sku);
        let sent = self.sent.to_string();
        let products = timeline.of(PRODUCTS).filter(|product| {
            let named = format!("\"product\":{}", product.id);
            sent.match_indices(&named)
                .filter(|(at, _)| !sent[at + named.len()..].starts_with(|c: char| c.is_ascii_digit()))
                .count()
                > 1
        });
        self.record.is_some_and(|record| timeline.may_have_been(record, self.span, has)) || products.count() > 0
    }

    /// Whether another record may have had the value that was sent.
    fn is_taken(&self, field: &str, timeline: &Timeline) -> bool {
        let form = format!("form[{field}]");
        let sent = [&self.sent[field], &self.sent["values"][field], &self.sent[form.as_str()]];
        let Some(value) = sent.into_iter().find_map(Value::as_str) else {
            // What is restored or undone is in no request.
            return matches!(self.request.request.intent, Intent::Undo(_) | Intent::Restore);
        };
        let resource = if field == "sku" { PRODUCTS } else { CUSTOMERS };
        let has = |state: &State| state.shown[field].as_str().is_some_and(|known| fold::key(known) == fold::key(value));
        timeline.of(resource).any(|key| Some(key) != self.record && timeline.may_have_been(key, self.span, has))
    }

    /// Whether a state of the order has not all the lines that are named.
    fn lacks_a_line(&self, state: &State) -> bool {
        let items = &self.sent["items"];
        let named = [items, &items["update"], &items["remove"], &self.sent["values"]["items"]];
        let named = named.into_iter().filter_map(Value::as_array).flatten();
        let named: Vec<_> = named.filter_map(|line| line.as_i64().or(line["id"].as_i64())).collect();
        let in_form = self
            .sent
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(name, _)| name.starts_with("form[items.") && name.ends_with(".id]"));
        let in_form = in_form.filter_map(|(_, id)| id.as_str()?.parse().ok());
        named.into_iter().chain(in_form).any(|line| !has_line_id(state, line))
    }
}

fn has_line_id(state: &State, id: i64) -> bool {
    state.shown["items"].as_array().into_iter().flatten().any(|line| line["id"] == id)
}

/// Whether some order may have referred to a record.
fn refers(record: Key, span: Span, timeline: &Timeline) -> bool {
    timeline.any_may_have_been(ORDERS, span, |state| match record.resource {
        CUSTOMERS => state.shown["customer"] == record.id,
        _ => state.shown["items"].as_array().into_iter().flatten().any(|line| line["product"] == record.id),
    })
}

/// Whether some record of a resource may have been gone that there was before.
fn is_any_gone(resource: &str, span: Span, timeline: &Timeline) -> bool {
    let gone = |key: Key| {
        timeline.states(key).iter().skip(1).any(|state| !state.is_there())
            || timeline.may_have_been(key, span, |state| !state.is_there())
    };
    timeline.of(resource).any(gone)
}

/// A walk by cursor meets every record once that is there all the time, and none that is not there at all.
fn walks(steps: &[Step], timeline: &Timeline, faults: &mut Faults) {
    let mut walks: BTreeMap<u64, Vec<&Step>> = BTreeMap::new();
    for step in steps {
        if let Intent::List { walk: Some(walk) } = step.request.intent {
            walks.entry(walk).or_default().push(step);
        }
    }
    for pages in walks.into_values() {
        let Some(first) = pages.first() else { continue };
        if pages.iter().any(|page| !page.succeeded()) {
            continue;
        }
        let span = pages.iter().fold(first.span, |span, page| span.over(page.span));
        let rows = pages.iter().flat_map(|page| page.body["results"].as_array().into_iter().flatten());
        let ids: Vec<_> = rows.filter_map(|row| row["id"].as_i64()).collect();
        if !ids.is_sorted_by(|one, next| one < next) {
            faults.push(format!("{span}: a walk met records twice or out of order: {ids:?}"));
        }
        let resource = first.request.path.split('/').nth(2).unwrap_or_default();
        for key in timeline.of(resource) {
            let is_always_there = timeline.during(key, span).all(State::is_there);
            if is_always_there && !ids.contains(&key.id) {
                faults.push(format!("{span}: a walk passed over {key}"));
            }
        }
    }
}

/// What carries one key happened once, and everybody who sent it was told the same.
fn repetitions(steps: &[Step], timeline: &Timeline, faults: &mut Faults) {
    let mut keys: BTreeMap<&str, Vec<&Step>> = BTreeMap::new();
    for step in steps {
        if let Some(key) = &step.request.repetition {
            keys.entry(key).or_default().push(step);
        }
    }
    for (key, steps) in keys {
        let acknowledged: Vec<_> = steps.iter().filter(|step| step.succeeded()).collect();
        let bodies: BTreeSet<_> = acknowledged.iter().map(|step| step.body.to_string()).collect();
        // A dry run takes its key back with everything else, so several servers may try the same at once.
        if bodies.len() > 1 && !steps[0].request.dry_run {
            faults.push(format!("{}: the key {key} has several answers: {bodies:?}", steps[0].span));
        }
        let effects = steps.iter().filter(|step| !timeline.written_by(&step.request_id).is_empty()).count();
        let wanted = usize::from(!acknowledged.is_empty() && !steps[0].request.dry_run);
        if effects != wanted {
            faults.push(format!(
                "{}: the key {key} had {effects} effects, and {wanted} were acknowledged",
                steps[0].span
            ));
        }
    }
}
