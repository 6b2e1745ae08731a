//! What the access to the house answers over REST beyond users and roles: tokens, sessions, invitations.

use axum::extract::{Path, RawQuery};
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::access::gate::Access;
use crate::access::part::{Lines, Part};
use crate::access::people::{SessionLine, TokenInput, TokenLine};
use crate::access::token::{NewToken, Owner};
use crate::access::{invitation, session, token, user};
use crate::base::form::Input;
use crate::base::listing::MAX_PAGE_SIZE;
use crate::base::{Error, Result};
use crate::server::AppState;
use crate::server::hosts::LinkOrigin;
use crate::server::idempotency::ShownOnce;
use crate::server::openapi::{idempotency_key, input_schema, operation};
use crate::server::record::{Change, View};
use crate::server::rest::{Base, JsonBody, RecordId, allow, answering};

/// Everything this module serves.
pub fn routes() -> Router<AppState> {
    let router = answering(Router::new(), "/tokens", || {
        get(tokens).post(issue).options(|_: Access<token::View>| allow("GET, HEAD, POST, OPTIONS"))
    });
    let router =
        answering(router, "/tokens/{id}", || delete(revoke).options(|_: Access<token::View>| allow("DELETE, OPTIONS")));
    let router = answering(router, "/sessions", || {
        get(sessions).options(|_: Access<session::View>| allow("GET, HEAD, OPTIONS"))
    });
    let router = answering(router, "/sessions/{id}", || {
        delete(end).options(|_: Access<session::View>| allow("DELETE, OPTIONS"))
    });
    let router = answering(router, "/users/{id}/invite", || {
        post(invite).options(|_: Access<View<user::Entity>>| allow("POST, OPTIONS"))
    });
    answering(router, "/users/{id}/sign-out", || {
        post(sign_out).options(|_: Access<View<user::Entity>>| allow("POST, OPTIONS"))
    })
}

/// A page of a list, with the addresses of those beside it.
#[derive(Serialize)]
struct Listed<T> {
    count: u64,
    next: Option<String>,
    previous: Option<String>,
    results: Vec<T>,
}

impl<T: Serialize> Listed<T> {
    fn of(Lines { part, count, lines }: Lines<T>, base: &Base) -> Json<Self> {
        let at = |part: Part| base.absolute(&part.href(base.path()));
        Json(Self { count, next: part.next(count).map(at), previous: part.previous().map(at), results: lines })
    }
}

async fn tokens(access: Access<token::View>, base: Base, RawQuery(query): RawQuery) -> Result<Json<Listed<TokenLine>>> {
    let part = Part::parse(query.as_deref().unwrap_or_default())?;
    Ok(Listed::of(token::Entity::list(&access, part).await?, &base))
}

/// A new token, the one time its secret is told.
#[derive(Serialize)]
struct Issued {
    #[serde(flatten)]
    token: TokenLine,
    secret: String,
}

async fn issue(access: Access<token::Issue>, base: Base, body: JsonBody) -> Result<Response> {
    let input = TokenInput::given(&body.0)?;
    let (token, secret) = token::Entity::issue(&access, Owner::Id(input.user), NewToken::of(input)?).await?;
    let location = base.below(&token.id);
    let issued = (StatusCode::CREATED, [(LOCATION, location)], Json(Issued { token, secret }));
    Ok(ShownOnce::mark(issued.into_response()))
}

async fn revoke(access: Access<token::Revoke>, Path(id): Path<String>) -> Result<StatusCode> {
    let id = id.parse().map_err(|_| Error::not_found("token"))?;
    token::Entity::revoke(&access, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn sessions(
    access: Access<session::View>,
    base: Base,
    RawQuery(query): RawQuery,
) -> Result<Json<Listed<SessionLine>>> {
    let part = Part::parse(query.as_deref().unwrap_or_default())?;
    Ok(Listed::of(session::Entity::list(&access, part, None).await?, &base))
}

async fn end(access: Access<session::End>, Path(id): Path<String>) -> Result<StatusCode> {
    session::Entity::end(&access, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn invite(
    access: Access<Change<user::Entity>>,
    LinkOrigin(origin): LinkOrigin,
    id: RecordId<user::Entity>,
) -> Result<Response> {
    let secret = invitation::invite(&access, id.get()?).await?;
    let link = format!("{origin}{}", super::invitation_href(&secret));
    let days = invitation::LIFETIME.num_days();
    Ok(ShownOnce::mark(Json(json!({ "link": link, "days": days })).into_response()))
}

async fn sign_out(access: Access<Change<user::Entity>>, id: RecordId<user::Entity>) -> Result<Json<Value>> {
    Ok(Json(json!({ "ended": user::Entity::sign_out_everywhere(&access, id.get()?).await? })))
}

fn content(schema: Value, said: &str) -> Value {
    json!({ "description": said, "content": { "application/json": { "schema": schema } } })
}

fn listed(row: Value) -> Value {
    let address = json!({ "type": ["string", "null"], "format": "uri" });
    json!({ "type": "object", "required": ["count", "next", "previous", "results"], "properties": {
        "count": { "type": "integer" }, "next": address, "previous": address,
        "results": { "type": "array", "items": row },
    } })
}

fn properties(names: &[(&str, Value)]) -> Value {
    let properties: Map<String, Value> =
        names.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone())).collect();
    let required: Vec<_> = names.iter().map(|(name, _)| *name).filter(|name| *name != "secret").collect();
    json!({ "type": "object", "properties": properties, "required": required })
}

/// The descriptions of it all, by path.
pub fn paths() -> Vec<(String, Value)> {
    let (whole, text) = (json!({ "type": "integer", "format": "int64" }), json!({ "type": "string" }));
    let moment = json!({ "type": "string", "format": "date-time" });
    let maybe = |schema: &Value| json!({ "anyOf": [schema, { "type": "null" }] });
    let token = properties(&[
        ("id", whole.clone()),
        ("name", text.clone()),
        ("user", whole.clone()),
        ("user_name", text.clone()),
        ("email", text.clone()),
        ("permissions", maybe(&json!({ "type": "array", "items": text }))),
        ("requires_version", json!({ "type": "boolean" })),
        ("created_at", moment.clone()),
        ("expires_at", maybe(&moment)),
        ("last_used_at", maybe(&moment)),
        ("revoked_at", maybe(&moment)),
        ("is_valid", json!({ "type": "boolean" })),
        ("secret", json!({ "type": "string", "description": "Only in the answer that made it." })),
    ]);
    let session = properties(&[
        ("id", text.clone()),
        ("user", whole.clone()),
        ("name", text.clone()),
        ("email", text.clone()),
        ("created_at", moment.clone()),
        ("seen_at", maybe(&moment)),
        ("expires_at", moment.clone()),
        ("address", maybe(&text)),
        ("browser", maybe(&text)),
        ("is_current", json!({ "type": "boolean" })),
    ]);
    let narrowing = |name: &str, most: i64, said: &str| json!({ "name": name, "in": "query", "schema": { "type": "integer", "minimum": 1, "maximum": most }, "description": said });
    let of_user = json!([
        narrowing("user", i64::MAX, "Only those of this person."),
        narrowing("page", u32::MAX.into(), "The page, from 1."),
        narrowing("page_size", MAX_PAGE_SIZE.into(), "Rows of a page; 25 when nothing is said."),
    ]);
    let id = |schema: &Value| json!([{ "name": "id", "in": "path", "required": true, "schema": schema }]);
    let gone = || json!({ "204": { "description": "Ended." } });
    let made = |mut operation: Value, status: &str| {
        if let Some(responses) = operation["responses"].as_object_mut()
            && let Some(ok) = responses.remove("200")
        {
            responses.insert(status.into(), ok);
        }
        operation
    };
    let ending = |tag: &str, permission: &str| {
        let mut ended =
            operation(tag, &format!("{tag}.delete"), "End it at once", permission, &[401, 403, 404], Value::Null);
        if let Some(responses) = ended["responses"].as_object_mut() {
            responses.remove("200");
            responses.extend(gone().as_object().cloned().unwrap_or_default());
        }
        ended
    };
    let mut tokens = operation(
        "tokens",
        "tokens.list",
        "List tokens",
        "tokens.view",
        &[400, 401, 403],
        content(listed(token.clone()), "Without their secrets, the newest first."),
    );
    tokens["parameters"] = of_user.clone();
    let refused = [400, 401, 403, 404, 409, 413, 415, 422];
    let mut issue = made(
        operation(
            "tokens",
            "tokens.create",
            "Make a token for somebody",
            "tokens.add",
            &refused,
            content(token, "With its secret, this once."),
        ),
        "201",
    );
    let words = crate::access::role::words(
        "Scope",
        "What it may; empty for all that its person may now, and later too if they make it themselves in a session.",
    );
    let more = Map::from_iter([("permissions".to_owned(), words)]);
    issue["requestBody"] = json!({ "required": true, "content": { "application/json": { "schema": input_schema(TokenInput::FIELDS, true, more) } } });
    issue["parameters"] = json!([idempotency_key()]);
    let mut sessions = operation(
        "sessions",
        "sessions.list",
        "List who is signed in",
        "sessions.view",
        &[400, 401, 403],
        content(listed(session), "The latest used first."),
    );
    sessions["parameters"] = of_user;
    let command = |name: &str, summary: &str, schema: Value, said: &str| {
        let refused = [400, 401, 403, 404, 409, 422];
        let mut post =
            operation("users", &format!("users.{name}"), summary, "users.change", &refused, content(schema, said));
        post["parameters"] = json!([idempotency_key()]);
        (format!("/api/users/{{id}}/{name}/"), json!({ "parameters": id(&whole), "post": post }))
    };
    let link = json!({ "type": "object", "properties": { "link": text, "days": { "type": "integer" } } });
    let ended = json!({ "type": "object", "properties": { "ended": { "type": "integer" } } });
    vec![
        ("/api/tokens/".into(), json!({ "get": tokens, "post": issue })),
        ("/api/tokens/{id}/".into(), json!({ "parameters": id(&whole), "delete": ending("tokens", "tokens.delete") })),
        ("/api/sessions/".into(), json!({ "get": sessions })),
        (
            "/api/sessions/{id}/".into(),
            json!({ "parameters": id(&text), "delete": ending("sessions", "sessions.delete") }),
        ),
        command(
            "invite",
            "Make a link by which a person chooses a password",
            link,
            "The link works once, for so many days.",
        ),
        command("sign-out", "End all sessions of a person", ended, "How many there were."),
    ]
}
