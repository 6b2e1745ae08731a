//! Many changes in one request, in one transaction: `POST /api/{resource}/bulk/`.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::database::settle;
use super::openapi::idempotency_key;
use super::record::{Add, Change, Delete, Expected, Renamed, Resource, View, demand_version};
use super::rest::{JsonBody, as_sent, patched};
use crate::access::gate::Access;
use crate::base::error::FieldErrors;
use crate::base::form::{Field, Given, Input, Kind, checked, unknown};
use crate::base::{Error, Result};
use crate::server::transaction::DatabaseTransaction;

/// The most rows of one request.
const MAX_ROWS: usize = 1_000;

/// What happens to the other rows when one is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OnError {
    /// Nothing is written.
    RejectAll,
    /// The others are written.
    RejectRow,
}

/// One row of the request.
#[derive(Debug)]
enum Act {
    Create(Vec<(String, Given)>),
    Change(i64, Expected, Vec<(String, Given)>),
    Delete(i64, Expected),
}

impl Act {
    /// The record that is there already.
    fn id(&self) -> Option<i64> {
        match self {
            Act::Create(_) => None,
            Act::Change(id, ..) | Act::Delete(id, _) => Some(*id),
        }
    }
}

const ACTIONS: [&str; 3] = ["create", "change", "delete"];

/// What a row says beside its values.
const ROW: &[Field] = &[
    Field::new("action", "Action", Kind::Choice(&[("create", ""), ("change", ""), ("delete", "")])).required(),
    Field::new("id", "Id", Kind::Whole { min: 1, max: i64::MAX }),
    Field::new("version", "Version", Kind::Whole { min: 1, max: i64::MAX }),
];

/// Carries out the rows in their order, having locked their records in the order of ids.
pub async fn bulk<R: Resource>(access: Access<View<R>>, body: JsonBody) -> Result<Response> {
    let (on_error, rows) = request(body.0)?;
    let ids: Vec<_> = rows.iter().flatten().filter_map(Act::id).collect();
    let transaction = access.write().await?;
    R::lock_in(&transaction, &ids).await?;
    let (mut results, mut errors, mut first) = (Vec::with_capacity(rows.len()), FieldErrors::new(), None);
    for (index, row) in rows.into_iter().enumerate() {
        let savepoint = transaction.savepoint().await?;
        let done = match row {
            Ok(act) => carried_out::<R>(&savepoint, &access, act).await,
            Err(error) => Err(error),
        };
        match settle(savepoint, done).await? {
            Ok((status, record)) => {
                results.push(json!({ "index": index, "status": status, "record": record }));
            }
            Err(error) => {
                if error.errors.is_empty() {
                    errors.insert(format!("rows[{index}]"), vec![error.detail.clone()]);
                }
                let named = error.errors.iter().map(|(name, said)| (format!("rows[{index}].{name}"), said.clone()));
                errors.extend(named);
                results.push(refused(index, &error));
                first.get_or_insert(error.code);
            }
        }
    }
    match (on_error, first) {
        (OnError::RejectAll, Some(code)) => {
            transaction.rollback().await?;
            Err(Error { errors, ..Error::new(code, "Nothing was written, as some rows were refused.") })
        }
        _ => {
            transaction.commit().await?;
            Ok((StatusCode::OK, Json(json!({ "results": results }))).into_response())
        }
    }
}

fn refused(index: usize, error: &Error) -> Value {
    let mut problem = json!({ "code": error.code, "detail": error.detail });
    if !error.errors.is_empty() {
        problem["errors"] = json!(error.errors);
    }
    if !error.blockers.is_empty() {
        problem["blockers"] = json!(error.blockers);
    }
    if let Some(stale) = &error.stale {
        problem["version"] = json!(stale.version);
    }
    json!({ "index": index, "status": error.status(), "error": problem })
}

async fn carried_out<R: Resource>(
    transaction: &DatabaseTransaction,
    access: &Access<View<R>>,
    act: Act,
) -> Result<(u16, Option<R::Record>)> {
    match act {
        Act::Create(values) => {
            let access = access.also::<Add<R>>()?;
            let record = R::create_in(transaction, &access, R::Input::given(&values)?, None).await?;
            Ok((201, Some(record)))
        }
        Act::Change(id, expected, values) => {
            let (access, mut renamed) = (access.also::<Change<R>>()?, Renamed::new());
            demand_version(&access, expected)?;
            let change = |stored: &R::Record| patched::<R>(stored, values, &mut renamed);
            let record = R::change_in(transaction, &access, id, expected, change).await;
            Ok((200, Some(record.map_err(|error| as_sent(error, &renamed))?)))
        }
        Act::Delete(id, expected) => {
            let access = access.also::<Delete<R>>()?;
            demand_version(&access, expected)?;
            R::remove_in(transaction, &access, id, expected).await?;
            Ok((204, None))
        }
    }
}

/// Reads the body; what is wrong with a row is that row's.
fn request(body: Vec<(String, Given)>) -> Result<(OnError, Vec<Result<Act>>)> {
    let (mut on_error, mut rows, mut errors) = (OnError::RejectAll, None, FieldErrors::new());
    for (name, value) in body {
        let message = match (&*name, value) {
            ("on_error", Given::Text(text)) if text == "reject_all" => continue,
            ("on_error", Given::Text(text)) if text == "reject_row" => {
                on_error = OnError::RejectRow;
                continue;
            }
            ("on_error", _) => "Choose reject_all or reject_row.".into(),
            ("rows", Given::List(given)) if given.len() <= MAX_ROWS => {
                rows = Some(given);
                continue;
            }
            ("rows", Given::List(_)) => format!("Send at most {MAX_ROWS} rows."),
            ("rows", _) => "Enter a list of rows.".into(),
            (other, _) => unknown(other, ["on_error", "rows"].into_iter()),
        };
        errors.insert(name, vec![message]);
    }
    if rows.is_none() && !errors.contains_key("rows") {
        errors.insert("rows".into(), vec!["Rows are required.".into()]);
    }
    match rows {
        Some(rows) if errors.is_empty() => Ok((on_error, rows.into_iter().map(row).collect())),
        _ => Err(Error::fields(errors)),
    }
}

fn row(given: Given) -> Result<Act> {
    let Given::Object(mut fields) = given else {
        return Err(Error::invalid("Enter a row, such as {\"action\": \"create\", \"values\": {…}}."));
    };
    let at = fields.iter().position(|(name, _)| name == "values");
    let values = match at.map(|at| fields.remove(at).1) {
        Some(Given::Object(values)) => Some(values),
        Some(_) => return Err(Error::field("values", "Enter an object.")),
        None => None,
    };
    let said = checked(ROW, &fields)?;
    let number = |name: &str| said.get(name).and_then(Value::as_i64);
    let expected = number("version").map_or(Expected::Any, Expected::Version);
    let needed =
        |name: &str, action: &str| Error::field(name, format!("A row that is to {action} something needs it."));
    match (said.get("action").and_then(Value::as_str).unwrap_or_default(), number("id")) {
        ("create", None) => Ok(Act::Create(values.ok_or_else(|| needed("values", "create"))?)),
        ("create", Some(_)) => Err(Error::field("id", "What is new gets its id from us.")),
        ("change", Some(id)) => Ok(Act::Change(id, expected, values.ok_or_else(|| needed("values", "change"))?)),
        ("delete", Some(_)) if values.is_some() => Err(Error::field("values", "What is deleted has no values.")),
        ("delete", Some(id)) => Ok(Act::Delete(id, expected)),
        (action, None) => Err(needed("id", action)),
        (action, _) => Err(Error::field("action", unknown(action, ACTIONS.into_iter()))),
    }
}

/// The description of the operation.
pub fn description<R: Resource>(schema: &str) -> Value {
    let values = |kind: &str| json!({ "$ref": format!("#/components/schemas/{schema}{kind}") });
    let id = json!({ "type": "integer", "format": "int64", "minimum": 1 });
    let version = json!({ "type": ["integer", "null"], "format": "int64", "minimum": 1, "description": "The version the change was decided on." });
    let row = |action: &str, properties: Value, required: &[&str]| {
        let mut properties = properties;
        properties["action"] = json!({ "const": action });
        json!({ "type": "object", "additionalProperties": false, "properties": properties, "required": required })
    };
    let rows = json!([
        row("create", json!({ "values": values("Input") }), &["action", "values"]),
        row("change", json!({ "id": id, "version": version, "values": values("Patch") }), &["action", "id", "values"]),
        row("delete", json!({ "id": id, "version": version }), &["action", "id"]),
    ]);
    let body = json!({
        "type": "object", "additionalProperties": false, "required": ["rows"],
        "properties": {
            "on_error": { "type": "string", "enum": ["reject_all", "reject_row"], "default": "reject_all" },
            "rows": { "type": "array", "maxItems": MAX_ROWS, "items": { "oneOf": rows } },
        },
    });
    let result = json!({ "type": "object", "required": ["index", "status"], "properties": {
        "index": { "type": "integer" }, "status": { "type": "integer" },
        "record": { "anyOf": [{ "$ref": format!("#/components/schemas/{schema}") }, { "type": "null" }] },
        "error": { "type": "object" },
    } });
    let mut post = Map::new();
    post.insert("tags".into(), json!([R::NAME]));
    post.insert("operationId".into(), json!(format!("{}.bulk", R::NAME)));
    post.insert("summary".into(), json!(format!("Create, change and delete many {}", R::NAME.replace('-', " "))));
    post.insert(
        "description".into(),
        json!(format!(
            "In one transaction. `reject_all` writes nothing when a row is refused and names every such row; `reject_row` writes the \
             others. Needs the permission `{}` and for each row that of its action.",
            R::permission("view")
        )),
    );
    post.insert("parameters".into(), json!([idempotency_key()]));
    post.insert(
        "requestBody".into(),
        json!({ "required": true, "content": { "application/json": { "schema": body } } }),
    );
    post.insert(
        "responses".into(),
        json!({ "200": { "description": "What became of each row.", "content": { "application/json": { "schema": {
            "type": "object", "required": ["results"], "properties": { "results": { "type": "array", "items": result } },
        } } } } }),
    );
    Value::Object(post)
}
