//! The OpenAPI 3.1 document, drawn from the same tables of rules that check the input, and the page that shows it.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{MethodRouter, get};
use serde_json::{Map, Value, json};
use utoipa_swagger_ui::Config;

use super::AppState;
use super::kinds::Kind;
use super::record::{Described, Resource};
use crate::base::Error;
use crate::base::form::{Field, Input};

/// The parameters of a list.
mod list;
/// The schemas of single values.
mod value;

pub use value::{field_schema, input_schema, need_any, written_schema};

/// Swagger UI draws icons from data addresses, and hides its sheet of icons by a style attribute: allowed by its hash,
/// and no other is.
const DOCS_POLICY: &str = "default-src 'none'; script-src 'self'; \
    style-src 'self' 'unsafe-hashes' 'sha256-RL3ie0nH+Lzz2YNqQN83mnU0J1ot4QL7b99vMdIX99w='; img-src 'self' data:; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The description of the resources that are served.
#[derive(Debug, Default)]
pub struct Document {
    paths: Map<String, Value>,
    schemas: Map<String, Value>,
    tags: Vec<Value>,
}

impl Document {
    /// Adds the calls and shapes of one resource.
    pub fn describe<R: Resource>(&mut self) {
        let (name, singular) = (R::NAME, R::SINGULAR);
        let one = format!("{} {singular}", if singular.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" });
        let schema: String = singular.split(' ').map(capitalised).collect();
        self.tags.push(json!({ "name": name }));
        let described = R::described();
        let linked = described.linked.clone();
        self.schemas.insert(schema.clone(), read_schema(R::Input::FIELDS, &described));
        for (kind, whole) in [("Input", true), ("Patch", false)] {
            let mut more = described.written.clone();
            if !whole {
                more.extend(described.patched.clone());
            }
            let mut schema_of_kind = input_schema(R::Input::FIELDS, whole, more);
            if whole {
                need_any(&mut schema_of_kind, described.any_of);
            }
            self.schemas.insert(format!("{schema}{kind}"), schema_of_kind);
        }
        self.schemas.insert(format!("{schema}Page"), page_schema(&schema));
        let answered = |status: &str, said: &str| json!({ status: record_response(&schema, said) });
        let body = |kind: &str| json!({ "required": true, "content": json_content(&format!("{schema}{kind}")) });
        let operation = |verb: &str, action: &str, summary: String| {
            json!({ "tags": [name], "operationId": format!("{name}.{verb}"), "summary": summary,
                    "description": format!("Needs the permission `{}`.", R::permission(action)) })
        };
        let write = |mut operation: Value, kind: &str, responses: Value, refused: &[u16]| {
            if !kind.is_empty() {
                operation["requestBody"] = body(kind);
            }
            operation["responses"] = responses_with(responses, refused);
            operation
        };
        let mut list = operation("list", "view", format!("List {name}"));
        list["parameters"] = list::list_parameters::<R>();
        list["responses"] = responses_with(
            json!({ "200": {
                "description": "One page, the next rows of a walk, or a file with all rows.",
                "headers": { "Link": { "description": "The pages around this one (RFC 8288).", "schema": { "type": "string" } } },
                "content": {
                    "application/json": { "schema": { "$ref": format!("#/components/schemas/{schema}Page") } },
                    "text/csv": { "schema": { "type": "string" } },
                    "application/x-ndjson": { "schema": { "type": "string" } },
                },
            } }),
            &[400, 401, 403, 404],
        );
        let mut read = operation("read", "view", format!("Read {one}"));
        read["parameters"] = json!([header("If-None-Match", "Answers 304 when this is the current `ETag`.")]);
        if let (true, Some(parameters)) = (R::REMEMBERED, read["parameters"].as_array_mut()) {
            parameters.push(super::rest::past::as_of_parameter());
            let (path, restore) = super::rest::past::restoring::<R>(&schema);
            self.paths.insert(path, restore);
        }
        read["responses"] = responses_with(answered("200", "As it is stored."), &[400, 401, 403, 404, 409]);
        read["responses"]["304"] = json!({ "description": "Not changed since." });
        let mut create = write(
            operation("create", "add", format!("Create {one}")),
            "Input",
            answered("201", "Created; `Location` says where."),
            &[400, 401, 403, 409, 413, 415, 422],
        );
        create["parameters"] = json!([idempotency_key()]);
        let on = ["read", "replace", "patch", "delete"].map(|verb| format!("{name}.{verb}"));
        create["responses"]["201"]["links"] = links(on.iter().chain(&linked), "$response.body#/id");
        create["responses"]["201"]["headers"]["Location"] = json!({ "description": "The address of what was created.", "required": true, "schema": { "type": "string" } });
        let changing = &[400, 401, 403, 404, 409, 412, 413, 415, 428];
        let mut replace = write(
            operation("replace", "change", format!("Replace {one}")),
            "Input",
            answered("200", "As it is stored now."),
            changing,
        );
        let mut patch = write(
            operation("patch", "change", format!("Change some values of {one}")),
            "Patch",
            answered("200", "As it is stored now."),
            changing,
        );
        let mut delete = write(
            operation("delete", "delete", format!("Delete {one}")),
            "",
            json!({ "204": { "description": "Gone." } }),
            &[400, 401, 403, 404, 409, 412, 428],
        );
        for changed in [&mut replace, &mut patch, &mut delete] {
            changed["parameters"] = json!([if_match("The `ETag` of the version the change was decided on.")]);
        }
        let mut bulk = super::batch::description::<R>(&schema);
        let described = std::mem::take(&mut bulk["responses"]);
        bulk["responses"] = responses_with(described, &[400, 401, 403, 404, 409, 412, 413, 415, 422, 428]);
        self.paths.insert(format!("/api/{name}/bulk/"), json!({ "post": bulk }));
        let id = json!([{ "name": "id", "in": "path", "required": true, "schema": { "type": "integer", "format": "int64" } }]);
        self.paths.insert(format!("/api/{name}/"), json!({ "get": list, "post": create }));
        self.paths.insert(
            format!("/api/{name}/{{id}}/"),
            json!({ "parameters": id, "get": read, "put": replace, "patch": patch, "delete": delete }),
        );
    }

    /// Adds descriptions of single operations, by path.
    pub fn add(&mut self, paths: impl IntoIterator<Item = (String, Value)>) {
        self.paths.extend(paths);
    }

    /// The whole document.
    pub fn finished(&self, followed: &[Kind]) -> Value {
        let mut events = super::feed::description(followed);
        let described = std::mem::take(&mut events["get"]["responses"]);
        events["get"]["responses"] = responses_with(described, &[400, 401, 403]);
        let mut paths = self.paths.clone();
        paths.insert("/api/events/".into(), events);
        let (path, undo) = super::rest::past::undoing();
        paths.insert(path, undo);
        let mut schemas = self.schemas.clone();
        schemas.insert("Problem".into(), problem_schema());
        schemas.insert(value::COUNTRY.into(), value::country());
        json!({
            "openapi": "3.1.0",
            "info": {
                "title": "Kontor",
                "version": env!("CARGO_PKG_VERSION"),
                "license": { "name": "MIT", "identifier": "MIT" },
                "description": "Customers, products and orders of an order desk. Every path answers with and without the slash at its end, \
                    and under `/api/v1/` as well. Decimals are strings, times are RFC 3339 in UTC. Unknown fields and \
                    parameters are refused.",
            },
            "servers": [{ "url": "/" }],
            "security": [{ "token": [] }, { "session": [] }],
            "tags": self.tags,
            "paths": paths,
            "components": {
                "schemas": schemas,
                "securitySchemes": {
                    "token": { "type": "http", "scheme": "bearer", "description": "An API token, made with `kontor token create`." },
                    "session": { "type": "apiKey", "in": "cookie", "name": crate::access::session::COOKIE },
                },
                "responses": { "Problem": {
                    "description": "Refused.",
                    "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
                } },
            },
        })
    }
}

/// The description of one operation outside the uniform ones of a resource.
pub fn operation(tag: &str, id: &str, summary: &str, permission: &str, refused: &[u16], ok: Value) -> Value {
    json!({ "tags": [tag], "operationId": id, "summary": summary,
            "description": format!("Needs the permission `{permission}`."),
            "responses": responses_with(json!({ "200": ok }), refused) })
}

/// A word with a large first letter.
pub fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn json_content(schema: &str) -> Value {
    json!({ "application/json": { "schema": { "$ref": format!("#/components/schemas/{schema}") } } })
}

fn record_response(schema: &str, said: &str) -> Value {
    json!({ "description": said, "headers": { "ETag": etag() }, "content": json_content(schema) })
}

/// The header that tells the version.
pub fn etag() -> Value {
    json!({ "description": "The version, such as `\"v17\"`.", "required": true,
            "schema": { "type": "string", "pattern": "^\"v[0-9]+\"$" } })
}

/// The same of a command, which makes no version where it is only tried.
pub fn etag_of_command() -> Value {
    json!({ "description": "The version, such as `\"v17\"`; absent with `dry_run`.",
            "schema": { "type": "string", "pattern": "^\"v[0-9]+\"$" } })
}

/// Links to operations on the record whose id stands `at` this place; changes name the version that was answered.
pub fn links<'a>(operations: impl Iterator<Item = &'a String>, at: &str) -> Value {
    let link = |operation: &String| {
        let verb = operation.rsplit('.').next().unwrap_or_default();
        let mut parameters = json!({ "id": at });
        if !["read", "actions"].contains(&verb) {
            parameters["header.If-Match"] = json!("$response.header.ETag");
        }
        (verb.to_owned(), json!({ "operationId": operation, "parameters": parameters }))
    };
    operations.map(link).collect()
}

/// What any operation may be refused with: a form of answer that is not written, too many requests, no free writer.
const ALWAYS: [u16; 3] = [406, 429, 503];

pub(super) fn responses_with(mut responses: Value, refused: &[u16]) -> Value {
    for status in refused.iter().chain(&ALWAYS) {
        responses[status.to_string()] = json!({ "$ref": "#/components/responses/Problem" });
    }
    responses
}

fn header(name: &str, meaning: &str) -> Value {
    json!({ "name": name, "in": "header", "description": meaning, "schema": { "type": "string" } })
}

/// The header of every change.
pub fn if_match(meaning: &str) -> Value {
    let mut tag = header("If-Match", meaning);
    tag["schema"] = json!({ "anyOf": [
        { "const": "*", "description": "Whatever is stored." },
        { "type": "string", "pattern": "^\"v[0-9]{1,18}\"$" },
    ], "examples": ["\"v17\""] });
    tag
}

/// The header of every POST.
pub fn idempotency_key() -> Value {
    let mut key = header(
        "Idempotency-Key",
        "A text of your choice: the same request with the same key is carried out once, and gets the first answer again for 24 hours.",
    );
    key["schema"] = json!({ "type": "string", "pattern": super::idempotency::KEY });
    key
}

fn query(name: &str, meaning: &str, schema: Value) -> Value {
    json!({ "name": name, "in": "query", "description": meaning, "allowEmptyValue": true, "schema": schema })
}

fn read_schema(fields: &[Field], described: &Described) -> Value {
    let time = json!({ "type": "string", "format": "date-time", "readOnly": true });
    let number = json!({ "type": "integer", "format": "int64", "readOnly": true });
    let mut properties = Map::from_iter([("id".to_owned(), number.clone()), ("version".to_owned(), number)]);
    properties.extend(fields.iter().map(|field| (field.name.to_owned(), field_schema(field))));
    properties.extend(described.read.clone());
    if !described.without_times {
        properties.extend([("created_at".to_owned(), time.clone()), ("updated_at".to_owned(), time)]);
    }
    let single = |name: &String| described.single.contains(&name.as_str());
    let required: Vec<_> = properties.keys().filter(|name| !single(name)).cloned().collect();
    json!({ "type": "object", "properties": properties, "required": required })
}

fn page_schema(schema: &str) -> Value {
    let address = json!({ "type": ["string", "null"], "format": "uri" });
    json!({
        "type": "object",
        "required": ["next", "previous", "results"],
        "properties": {
            "count": { "type": "integer", "description": "Rows on all pages; absent in a walk." },
            "count_is_exact": { "type": "boolean", "description":
                "Said where it is false: there are more rows than `count`, and nobody counted them. `count=exact` does." },
            "next": address, "previous": address,
            "results": { "type": "array", "items": { "anyOf": [
                { "$ref": format!("#/components/schemas/{schema}") },
                { "type": "object", "description": "With `fields`: those of them that were asked for." },
            ] } },
        },
    })
}

fn problem_schema() -> Value {
    let text = json!({ "type": "string" });
    json!({
        "type": "object",
        "description": "A problem of RFC 9457.",
        "required": ["type", "title", "status", "detail", "instance", "code"],
        "properties": {
            "type": text, "title": text, "status": { "type": "integer" }, "detail": text,
            "instance": { "type": "string", "description": "The request id; stands in the log." },
            "code": { "type": "string", "description": "The stable name of this kind of problem." },
            "errors": { "type": "object", "description": "Messages by field.",
                        "additionalProperties": { "type": "array", "items": text } },
            "version": { "type": "integer", "description": "With 412: the version stored now." },
            "allowed": { "type": "array", "items": text, "description": "With 409: the commands that could be given." },
            "blockers": { "type": "array", "description": "With 409: what stands in the way.", "items": {
                "type": "object",
                "properties": { "resource": text, "count": { "type": "integer" }, "href": text },
            } },
        },
    })
}

/// The guide, and the explorer with assets of our own.
pub fn pages() -> Router<AppState> {
    let config = Arc::new(Config::from("/api/openapi.json"));
    let asset =
        move |path: Option<Path<String>>| async move { docs(path.map_or_else(String::new, |path| path.0), config) };
    Router::new()
        .route("/api/docs", answered(get(|| async { Redirect::to("/api/docs/") })))
        .route("/api/docs/", answered(get(guide)))
        .route("/api/docs/explorer", answered(get(|| async { Redirect::to("/api/docs/explorer/") })))
        .route("/api/docs/explorer/", answered(get(asset.clone())))
        .route("/api/docs/explorer/{*file}", answered(get(asset)))
}

/// The same, and which methods there are.
fn answered(methods: MethodRouter<AppState>) -> MethodRouter<AppState> {
    methods.options(|| super::rest::allow("GET, HEAD, OPTIONS"))
}

/// The page a newcomer works from.
async fn guide(State(state): State<AppState>, headers: HeaderMap) -> Response {
    let page = super::docs::page(&state.document, &super::hosts::origin(&headers, &state.settings), &state.site.css);
    let policy = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    ([(CONTENT_TYPE, "text/html; charset=utf-8"), (CONTENT_SECURITY_POLICY, policy)], page).into_response()
}

fn docs(file: String, config: Arc<Config<'static>>) -> Response {
    match utoipa_swagger_ui::serve(&file, config) {
        Ok(Some(asset)) => {
            ([(CONTENT_TYPE, asset.content_type), (CONTENT_SECURITY_POLICY, DOCS_POLICY.into())], asset.bytes.to_vec())
                .into_response()
        }
        Ok(None) => Error::not_found("page").into_response(),
        Err(error) => Error::internal(format!("api docs: {error}")).into_response(),
    }
}
