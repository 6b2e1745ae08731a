//! What orders can do over REST beyond what every resource can: commands, and which of them are allowed.

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequest, Request};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::entity::{Act, Cancel, Entity, Place, Reopen, Ship, Wish};
use super::{Action, Command, ItemInput, PRODUCT, SKU, Status};
use crate::access::gate::{Access, Permission};
use crate::base::error::Code;
use crate::base::form::{Field, Input, Kind, checked};
use crate::base::{Error, Result};
use crate::server::AppState;
use crate::server::openapi::{etag_of_command, idempotency_key, if_match, input_schema, links, need_any, operation};
use crate::server::record::{Described, View};
use crate::server::rest::{IfMatch, JsonBody, RecordId, allow, answering, outcome};

/// The commands and the list of them, under every order.
pub fn routes() -> Router<AppState> {
    let router = answering(Router::new(), "/orders/{id}/actions", || {
        get(actions).options(|_: Access<View<Entity>>| allow("GET, HEAD, OPTIONS"))
    });
    let router = command::<Place>(router);
    let router = command::<Ship>(router);
    let router = command::<Reopen>(router);
    command::<Cancel>(router)
}

fn command<A: Act>(router: Router<AppState>) -> Router<AppState> {
    answering(router, &format!("/orders/{{id}}/{}", A::COMMAND.name()), || {
        post(act::<A>).options(|_: Access<A>| allow("POST, OPTIONS"))
    })
}

async fn act<A: Act>(access: Access<A>, id: RecordId<Entity>, expected: IfMatch, wish: Wish) -> Result<Response> {
    // A command shows what it wrote. What it would write is shown to those alone who may see the order.
    if wish.dry_run {
        access.also::<View<Entity>>()?;
    }
    let done = Entity::act(&access, id.get()?, expected.0, wish).await?;
    Ok(outcome(done.dry_run, &done.order, &done))
}

/// Where an order stands and what can be done with it.
#[derive(Serialize)]
struct Actions {
    status: Status,
    version: i64,
    actions: Vec<Action>,
}

async fn actions(access: Access<View<Entity>>, id: RecordId<Entity>) -> Result<Json<Actions>> {
    let sheet = Entity::sheet(&access, id.get()?).await?;
    Ok(Json(Actions { status: sheet.order.status, version: sheet.order.version, actions: sheet.actions }))
}

const WISH: &[Field] = &[
    Field::new("reason", "Reason", Kind::Line { max: 500 }).help("Kept with the event; a cancellation needs one."),
    Field::new("dry_run", "Dry run", Kind::Flag { default: false }).help(
        "Do the same work, write nothing, and answer with what would change. Needs the permission `orders.view` too.",
    ),
];

impl FromRequest<AppState> for Wish {
    type Rejection = Error;

    /// A body is optional.
    async fn from_request(request: Request, state: &AppState) -> Result<Self> {
        let (parts, body) = request.into_parts();
        let body = to_bytes(body, state.settings.body_limit)
            .await
            .map_err(|_| Error::new(Code::TooLarge, "The body of a command is a few words."))?;
        if body.is_empty() {
            return Ok(Self::default());
        }
        let given = JsonBody::from_request(Request::from_parts(parts, Body::from(body)), state).await?;
        let values = checked(WISH, &given.0)?;
        Ok(Self {
            reason: values.get("reason").and_then(Value::as_str).map(str::to_owned),
            dry_run: values.get("dry_run").and_then(Value::as_bool).unwrap_or_default(),
        })
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

fn amount(description: &str) -> Value {
    json!({ "type": "string", "readOnly": true, "description": description, "examples": ["1284.50"] })
}

/// What can be asked of an order beyond what every resource can.
fn on_order() -> Vec<String> {
    let commands = [Command::Place, Command::Ship, Command::Reopen, Command::Cancel].map(Command::name);
    std::iter::once("actions").chain(commands).map(|name| format!("orders.{name}")).collect()
}

/// What names the product of a new line.
const NAMING: &[Field] = &[PRODUCT, SKU];

/// What the description of an order says beyond its table of rules.
pub(super) fn described() -> Described {
    let text = |description: &str| json!({ "type": "string", "readOnly": true, "description": description });
    let time = json!({ "type": ["string", "null"], "format": "date-time", "readOnly": true });
    let reason = json!({ "type": ["string", "null"], "readOnly": true });
    let read = json!({
        "number": { "type": ["string", "null"], "readOnly": true, "description": "Given when the order is placed." },
        "status": { "type": "string", "readOnly": true, "enum": Status::ALL.map(Status::name),
                    "description": "Changes by commands only." },
        "customer_name": text("The customer's name when the order was last saved; fixed once it is placed."),
        "currency": text("ISO 4217."),
        "subtotal": amount("Quantity × price of all lines, before discount."),
        "discount_total": amount("What discounts take off."),
        "tax_total": amount("Rounded once for every tax rate."),
        "total": amount("subtotal - discount_total + tax_total."),
        "placed_at": time, "shipped_at": time, "cancelled_at": time, "cancel_reason": reason,
        "items": { "type": "array", "readOnly": true, "items": { "$ref": "#/components/schemas/OrderItem" },
                   "description": "In a list only with `expand=items`." },
    });
    let mut item = input_schema(ItemInput::FIELDS, true, Map::new());
    need_any(&mut item, NAMING);
    let mut changed = input_schema(ItemInput::FIELDS, false, Map::new());
    changed["required"] = json!(["id"]);
    let all = json!({ "type": ["array", "null"], "maxItems": super::MAX_LINES, "items": item });
    let meaning = "All lines: a stored one is known by its `id`, product or SKU, any other is new, and one that is missing is removed. Absent \
                   leaves them as they are.";
    let mut whole = all.clone();
    whole["description"] = json!(meaning);
    let patched = json!({
        "description": format!("{meaning} What a row leaves unsaid of a stored line stays. Or operations on them."),
        "anyOf": [all, { "type": "object", "additionalProperties": false, "properties": {
            "add": { "type": "array", "items": item },
            "update": { "type": "array", "items": changed },
            "remove": { "type": "array", "items": { "type": "integer", "format": "int64", "minimum": 1 } },
        } }],
    });
    let (written, patched) = (json!({ "items": whole }), json!({ "items": patched }));
    Described {
        read: object(read),
        single: vec!["items"],
        written: object(written),
        patched: object(patched),
        linked: on_order(),
        ..Described::default()
    }
}

/// What the description of an order item says beyond its table of rules.
pub(super) fn described_item() -> Described {
    let read = json!({
        "position": { "type": "integer", "readOnly": true, "description": "From 1." },
        "unit": { "type": "string", "readOnly": true },
        "price_is_manual": { "type": "boolean", "readOnly": true,
                             "description": "Whether the price was typed instead of taken from the product." },
        "tax_rate": amount("Percent; the product's when the line was added."),
        "net": amount("Quantity × price less discount, rounded once."),
        "tax": amount("The line's share of the tax of its rate."),
        "total": amount("net + tax."),
    });
    Described { read: object(read), any_of: NAMING, without_times: true, ..Described::default() }
}

/// The descriptions of the commands, by path.
pub fn paths() -> Vec<(String, Value)> {
    let id =
        json!([{ "name": "id", "in": "path", "required": true, "schema": { "type": "integer", "format": "int64" } }]);
    let refused = [400, 401, 403, 404, 409, 412, 413, 415, 422, 428];
    let described = |command: Command, permission: String| {
        let outcome = json!({
            "description": "What was done, or with `dry_run` would be.",
            "headers": { "ETag": etag_of_command() }, "links": links(on_order().iter(), "$response.body#/order/id"),
            "content": { "application/json": { "schema": { "type": "object", "properties": {
                "dry_run": { "type": "boolean" },
                "changes": { "type": "object", "description": "Field to [before, after], as in the history." },
                "order": { "$ref": "#/components/schemas/Order" },
            } } } },
        });
        let name = command.name();
        let summary = format!("{}{} an order", name[..1].to_uppercase(), &name[1..]);
        let mut post = operation("orders", &format!("orders.{name}"), &summary, &permission, &refused, outcome);
        // Only a cancellation must say why.
        let needed = command == Command::Cancel;
        let wish = WISH.iter().map(|field| Field { required: needed && field.name == "reason", ..*field });
        let schema = input_schema(&wish.collect::<Vec<_>>(), needed, Map::new());
        post["requestBody"] = json!({ "required": needed, "content": { "application/json": { "schema": schema } } });
        post["parameters"] =
            json!([idempotency_key(), if_match("The `ETag` of the version the command was decided on.")]);
        (format!("/api/orders/{{id}}/{name}/"), json!({ "parameters": id, "post": post }))
    };
    let action = json!({ "type": "object", "properties": {
        "command": { "type": "string", "enum": Command::ALL.map(Command::name) },
        "allowed": { "type": "boolean" },
        "reason": { "type": "string", "description": "Why not, when it is blocked." },
    } });
    let listed = json!({ "description": "Every command, allowed or blocked.", "content": { "application/json": { "schema": {
        "type": "object", "properties": {
            "status": { "type": "string" }, "version": { "type": "integer" },
            "actions": { "type": "array", "items": action },
        } } } } });
    let get = operation(
        "orders",
        "orders.actions",
        "What can be done with an order",
        "orders.view",
        &[400, 401, 403, 404],
        listed,
    );
    vec![
        ("/api/orders/{id}/actions/".to_owned(), json!({ "parameters": id, "get": get })),
        described(Command::Place, Place::code()),
        described(Command::Ship, Ship::code()),
        described(Command::Reopen, Reopen::code()),
        described(Command::Cancel, Cancel::code()),
    ]
}
