//! What happened, over REST: `?as_of=`, `POST /api/{resource}/{id}/restore/` and `POST /api/changes/{request_id}/undo/`.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequest, Path, Request, State};
use axum::response::Response;
use axum::{Extension, Json};
use serde_json::{Map, Value, json};

use super::{IfMatch, JsonBody, RecordId, outcome};
use crate::access::gate::{Access, Actor, Caller};
use crate::access::holds;
use crate::base::error::Code;
use crate::base::form::{Field, Kind, checked, nearest};
use crate::base::time::stored::moment;
use crate::base::{Error, Result};
use crate::server::AppState;
use crate::server::kinds::{self, Asking, Undone};
use crate::server::openapi::{etag_of_command, field_schema, idempotency_key, if_match, responses_with};
use crate::server::record::past::{self as records, At, Wish};
use crate::server::record::{Resource, View};

const MOMENT: &str = "Enter a moment such as 2026-11-24T14:02:01Z.";

/// The moment that a query asks for.
///
/// # Errors
/// `Invalid` for a text that is none, or another parameter.
pub(super) fn as_of(query: &str) -> Result<Option<At>> {
    let mut at = None;
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        // DRF's way to ask for what is answered anyway.
        if name == "format" && value == "json" {
            continue;
        }
        if name != "as_of" {
            let hint = nearest(&name, ["as_of"].into_iter()).map_or("", |_| " Did you mean as_of?");
            let name: String = name.chars().filter(|c| !c.is_control()).take(40).collect();
            return Err(Error::field(name, format!("There is no such parameter.{hint}")));
        }
        let moment = moment(&value).ok_or_else(|| Error::field("as_of", MOMENT))?;
        at = Some(At::Moment(moment));
    }
    Ok(at)
}

const WHEN: &[Field] = &[
    Field::new("as_of", "As of", Kind::Moment).help("Make it what it was at this moment."),
    Field::new("event", "Event", Kind::Whole { min: 1, max: i64::MAX })
        .help("Or just after this event, by its id in `/api/events/`."),
    REASON,
    DRY_RUN,
];
const REASON: Field = Field::new("reason", "Reason", Kind::Line { max: 500 }).help("Kept with the event.");
const DRY_RUN: Field = Field::new("dry_run", "Dry run", Kind::Flag { default: false })
    .help("Do the same work, write nothing, and answer with what would change.");

fn text(values: &Map<String, Value>, name: &str) -> Option<String> {
    values.get(name).and_then(Value::as_str).map(str::to_owned)
}

fn flag(values: &Map<String, Value>, name: &str) -> bool {
    values.get(name).and_then(Value::as_bool).unwrap_or_default()
}

/// Makes a record what it was.
pub(super) async fn restore<R: Resource>(
    access: Access<View<R>>,
    id: RecordId<R>,
    expected: IfMatch,
    body: JsonBody,
) -> Result<Response> {
    let id = id.get()?;
    let values = checked(WHEN, &body.0)?;
    let at = match (text(&values, "as_of"), values.get("event").and_then(Value::as_i64)) {
        (Some(at), None) => At::Moment(moment(&at).ok_or_else(|| Error::field("as_of", MOMENT))?),
        (None, Some(event)) => At::Place(event),
        (None, None) => return Err(Error::field("as_of", "Say when: a moment, or an event.")),
        (Some(_), Some(_)) => return Err(Error::field("event", "Give a moment or an event, not both.")),
    };
    let wish = Wish { at, reason: text(&values, "reason"), dry_run: flag(&values, "dry_run") };
    let restored = records::restore::<R>(&access, id, expected.0, wish).await?;
    Ok(outcome(restored.dry_run, &restored.record, &restored))
}

/// Undoes what was done in a request.
pub(super) async fn undo(
    State(state): State<AppState>,
    Extension(caller): Extension<Arc<Caller>>,
    Path(request_id): Path<String>,
    request: Request,
) -> Result<Json<Undone>> {
    if !state.kinds.iter().any(|kind| holds(&caller.permissions, &(kind.view)())) {
        return Err(match caller.actor {
            Actor::Anonymous => Error::unauthenticated(),
            _ => Error::forbidden(&state.kinds.first().map_or_else(String::new, |kind| (kind.view)())),
        });
    }
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, state.settings.body_limit)
        .await
        .map_err(|_| Error::new(Code::TooLarge, "The body of a command is a few words."))?;
    let given = if body.is_empty() {
        Vec::new()
    } else {
        JsonBody::from_request(Request::from_parts(parts, Body::from(body)), &state).await?.0
    };
    let values = checked(&[REASON, DRY_RUN], &given)?;
    let asking = Asking { caller, database: state.database.clone() };
    let dry_run = flag(&values, "dry_run");
    Ok(Json(kinds::undo(&state, &asking, &request_id, text(&values, "reason"), dry_run).await?))
}

/// The description of `?as_of=`.
pub(in crate::server) fn as_of_parameter() -> Value {
    json!({ "name": "as_of", "in": "query", "schema": { "type": "string", "format": "date-time" },
            "description": "Answers with what it was at this moment; 404 before it existed and while it was deleted." })
}

fn body(fields: &[Field]) -> Value {
    let properties: Map<String, Value> =
        fields.iter().map(|field| (field.name.to_owned(), field_schema(field))).collect();
    json!({ "application/json": { "schema": { "type": "object", "additionalProperties": false, "properties": properties } } })
}

/// The description of restoring a record, by its path.
pub(in crate::server) fn restoring<R: Resource>(schema: &str) -> (String, Value) {
    let id =
        json!([{ "name": "id", "in": "path", "required": true, "schema": { "type": "integer", "format": "int64" } }]);
    let answer = json!({ "200": {
        "description": "What was done, or with `dry_run` would be.",
        "headers": { "ETag": etag_of_command() },
        "content": { "application/json": { "schema": { "type": "object", "required": ["dry_run", "changes", "record"], "properties": {
            "dry_run": { "type": "boolean" },
            "changes": { "type": "object", "description": "Field to [before, after], as in the history." },
            "record": { "$ref": format!("#/components/schemas/{schema}") },
        } } } },
    } });
    let mut content = body(WHEN);
    content["application/json"]["schema"]["oneOf"] = json!([
        { "required": ["as_of"], "properties": { "as_of": { "type": "string" }, "event": { "type": "null" } } },
        { "required": ["event"], "properties": { "event": { "type": "integer" }, "as_of": { "type": "null" } } },
    ]);
    let post = json!({
        "tags": [R::NAME], "operationId": format!("{}.restore", R::NAME),
        "summary": format!("Make the {} what it was", R::SINGULAR),
        "description": format!(
            "By the same rules as a change; one that was deleted comes back under its id. Give a moment or an event. Needs the permission \
             `{}`, and `{}` or, for one that was deleted, `{}`.",
            R::permission("view"), R::permission("change"), R::permission("add")
        ),
        "parameters": [idempotency_key(), if_match("The `ETag` of the version it was decided on.")],
        "requestBody": { "required": true, "content": content },
        "responses": responses_with(answer, &[400, 401, 403, 404, 409, 412, 413, 415, 422, 428]),
    });
    (format!("/api/{}/{{id}}/restore/", R::NAME), json!({ "parameters": id, "post": post }))
}

/// The description of undoing, by its path.
pub(in crate::server) fn undoing() -> (String, Value) {
    let id = json!([{ "name": "request_id", "in": "path", "required": true, "schema": { "type": "string" },
                      "description": "The `X-Request-Id` of the request; stands in its events." }]);
    let answer = json!({ "200": {
        "description": "What was done, or with `dry_run` would be.",
        "content": { "application/json": { "schema": { "type": "object", "required": ["dry_run", "undone", "request_id"], "properties": {
            "dry_run": { "type": "boolean" },
            "undone": { "type": "integer", "description": "How many events were taken back." },
            "request_id": { "type": "string", "description": "Undo this one to have everything back." },
        } } } },
    } });
    let post = json!({
        "tags": ["events"], "operationId": "changes.undo", "summary": "Undo what was done in one request",
        "description": "All of it or nothing, by commands that lead back: as long as every record is as the request left it, nothing refers \
                        to what it created, and a command leads back (what was shipped or cancelled stays so). Needs the permissions for \
                        those commands.",
        "parameters": [idempotency_key()],
        "requestBody": { "content": body(&[REASON, DRY_RUN]) },
        "responses": responses_with(answer, &[400, 401, 403, 404, 409, 413, 415, 422]),
    });
    ("/api/changes/{request_id}/undo/".into(), json!({ "parameters": id, "post": post }))
}
