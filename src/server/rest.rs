//! A REST resource out of a [`Resource`]: the calls of API.md, each one expression over the entity.

use std::marker::PhantomData;
use std::sync::Arc;

use axum::Extension;
use axum::Json;
use axum::Router;
use axum::extract::{FromRequest, FromRequestParts, MatchedPath, OriginalUri, Path, RawQuery, Request, State};
use axum::http::header::{ACCEPT, ALLOW, CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH, LINK, LOCATION};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::AppState;
use super::batch;
use super::export::{export, sparse};
use super::feed;
use super::hosts::origin;
use super::kinds::Kind;
use super::managed::Managed;
use super::offload;
use super::openapi;
use super::record::{Add, Change, Delete, Expected, Renamed, Resource, Stored, View};
use crate::access::gate::{Access, Actor};
use crate::access::permission::{ACTIONS, Row};
use crate::base::error::{Code, FieldErrors};
use crate::base::form::{Given, Input, unknown};
use crate::base::listing::{Format, ListQuery};
use crate::base::{Error, Result, json as written};

/// What happened, over REST: records as they were, restored, and changes undone.
pub mod past;

/// The resources that are served, and their description.
#[derive(Debug, Default)]
pub struct Api {
    router: Router<AppState>,
    granted: Vec<Row>,
    managed: Vec<Managed>,
    kinds: Vec<Kind>,
    document: openapi::Document,
}

impl Api {
    /// Serves one more resource.
    pub fn resource<R: Resource>(mut self) -> Self {
        let (list, one) = (format!("/{}", R::NAME), format!("/{}/{{id}}", R::NAME));
        self.router = answering(self.router, &list, || collection::<R>());
        self.router = answering(self.router, &one, || single::<R>());
        self.router = answering(self.router, &format!("{list}/bulk"), || {
            axum::routing::post(batch::bulk::<R>).options(|_: Access<View<R>>| allow("POST, OPTIONS"))
        });
        if R::REMEMBERED {
            self.router = answering(self.router, &format!("{one}/restore"), || {
                axum::routing::post(past::restore::<R>).options(|_: Access<View<R>>| allow("POST, OPTIONS"))
            });
        }
        self.kinds.push(Kind::of::<R>());
        self.managed.push(Managed::of::<R>());
        self.document.describe::<R>();
        let codes = ACTIONS.map(|(action, _)| R::permission(action));
        if codes.iter().all(|code| code.split('.').next() == Some(R::NAME)) {
            self.granted.push(Row { label: openapi::capitalised(R::NAME), codes: codes.map(Some) });
        }
        self
    }

    /// The permissions of everything that is served.
    pub fn granted(&self) -> &[Row] {
        &self.granted
    }

    /// Serves more than a resource: these routes under the API, and their descriptions by path.
    pub fn operations(mut self, router: Router<AppState>, paths: impl IntoIterator<Item = (String, Value)>) -> Self {
        self.router = self.router.merge(router);
        self.document.add(paths);
        self
    }

    /// The resources without their types, in the order they were added.
    pub fn managed(&self) -> Arc<[Managed]> {
        self.managed.as_slice().into()
    }

    /// What can be done with records of any kind.
    pub fn kinds(&self) -> Vec<Kind> {
        self.kinds.clone()
    }

    /// The permissions to read what anybody may read when the API is open to reading.
    pub fn readable(&self) -> Vec<String> {
        self.kinds.iter().filter(|kind| !kind.is_confidential).map(|kind| (kind.view)()).collect()
    }

    /// The OpenAPI document.
    pub fn document(&self) -> Value {
        self.document.finished(&self.kinds)
    }

    /// Everything under `/api`, once more under `/api/v1`.
    pub fn router(self, state: &AppState) -> Router<AppState> {
        let names: Vec<&'static str> = self.kinds.iter().map(|kind| kind.name).collect();
        let followed = Arc::<[Kind]>::from(self.kinds);
        let index = move || {
            get(move |OriginalUri(uri): OriginalUri| async move {
                let base = uri.path().trim_end_matches('/').to_owned();
                let resources: Map<String, Value> = names
                    .iter()
                    .chain(&["events"])
                    .map(|name| ((*name).to_owned(), json!(format!("{base}/{name}/"))))
                    .collect();
                Json(resources)
            })
            .options(|| allow("GET, HEAD, OPTIONS"))
        };
        let document = get(|State(state): State<AppState>| async move { Json((*state.document).clone()) })
            .options(|| allow("GET, HEAD, OPTIONS"));
        let routes = |base: &'static str| {
            let events =
                || get(feed::events).options(|| allow("GET, HEAD, OPTIONS")).layer(Extension(Arc::clone(&followed)));
            let own = answering(self.router.clone(), "/events", events);
            let own = answering(own, "/changes/{request_id}/undo", || {
                axum::routing::post(past::undo).options(|| allow("POST, OPTIONS"))
            });
            let router = Router::new().route(base, index.clone()()).nest(base, own);
            let router = router.route(&format!("{base}/"), index.clone()());
            answering(router, &format!("{base}/openapi.json"), || document.clone())
        };
        routes("/api")
            .merge(routes("/api/v1"))
            .route(
                "/api/{*unknown}",
                axum::routing::any(|| async { Error::new(Code::NotFound, "There is nothing at this address.") }),
            )
            .merge(openapi::pages())
            .layer(
                tower::ServiceBuilder::new()
                    .layer(axum::middleware::from_fn(super::web::known_only))
                    .layer(axum::middleware::from_fn_with_state(state.clone(), super::idempotency::once))
                    .layer(axum::middleware::from_fn(understood))
                    .layer(axum::middleware::from_fn_with_state(state.clone(), acceptable)),
            )
            .method_not_allowed_fallback(|| async { StatusCode::METHOD_NOT_ALLOWED })
            .with_state(state.clone())
    }
}

/// Mounts the same answers with and without the slash at the end.
pub fn answering(
    router: Router<AppState>,
    path: &str,
    methods: impl Fn() -> MethodRouter<AppState>,
) -> Router<AppState> {
    router.route(path, methods()).route(&format!("{path}/"), methods())
}

fn collection<R: Resource>() -> MethodRouter<AppState> {
    get(list::<R>).post(create::<R>).options(|_: Access<View<R>>| allow("GET, HEAD, POST, OPTIONS"))
}

fn single<R: Resource>() -> MethodRouter<AppState> {
    get(read::<R>)
        .put(replace::<R>)
        .patch(patch::<R>)
        .delete(delete::<R>)
        .options(|_: Access<View<R>>| allow("GET, HEAD, PUT, PATCH, DELETE, OPTIONS"))
}

/// Says which methods an address answers.
pub async fn allow(methods: &'static str) -> Response {
    (StatusCode::NO_CONTENT, [(ALLOW, methods)]).into_response()
}

/// Refuses parameters where none are known; lists and records look at their own. DRF's `format=json` says nothing new.
async fn understood(path: Option<MatchedPath>, request: Request, next: Next) -> Response {
    let path = path.as_ref().map_or("", MatchedPath::as_str);
    let below = path.strip_prefix("/api/v1").or_else(|| path.strip_prefix("/api")).unwrap_or_default();
    let below = below.trim_matches('/');
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let own = below.strip_suffix("/{id}").unwrap_or(below);
    let listed = reads && !own.is_empty() && !own.contains(['/', '.']);
    let unknown = path.contains("{*") || below.starts_with("docs") || *request.method() == Method::OPTIONS;
    if !listed && !unknown {
        let query = request.uri().query().unwrap_or_default();
        let mut given = form_urlencoded::parse(query.as_bytes());
        if let Some((name, _)) = given.find(|(name, value)| !(reads && name == "format" && value == "json")) {
            let name: String = name.chars().filter(|c| !c.is_control()).take(40).collect();
            return Error::field(name, "This address takes no parameters.").into_response();
        }
    }
    next.run(request).await
}

/// Refuses callers who cannot read what we write.
async fn acceptable(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let known = ["*/*", "application/*", "application/json", "application/problem+json", "text/html"];
    // Only lists are written as files.
    let path = request.uri().path();
    let below = path.strip_prefix("/api/v1/").or_else(|| path.strip_prefix("/api/")).unwrap_or_default();
    let listed =
        [Method::GET, Method::HEAD].contains(request.method()) && !below.trim_end_matches('/').contains(['/', '.']);
    let files = if listed { &[Format::Csv.media(), Format::Ndjson.media()] } else { [].as_slice() };
    let accepted = request.headers().get(ACCEPT).is_none_or(|accept| {
        let ranges = accept.to_str().unwrap_or("*/*").split(',');
        ranges
            .map(|range| range.split(';').next().unwrap_or_default().trim())
            .any(|range| known.contains(&range) || files.contains(&range))
    });
    let docs = request.uri().path().starts_with("/api/docs");
    if accepted || docs {
        return offload::run(request, next, state.settings.body_limit).await;
    }
    Error::new(Code::NotAcceptable, "Answers are application/json.").into_response()
}

async fn list<R: Resource>(
    access: Access<View<R>>,
    base: Base,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response> {
    let query = ListQuery::parse(&R::LISTING, query.as_deref().unwrap_or_default())?;
    let query = ListQuery { bare: true, ..query };
    match query.format.unwrap_or_else(|| accepted(&headers)) {
        Format::Json => {}
        format => return export::<R>(&access, &query, format).await,
    }
    let at = |query: &ListQuery| base.absolute(&query.href(&base.path));
    let listed = if query.walk.is_some() {
        let (results, last) = R::walk(&access, &query).await?;
        Listed { count: None, count_is_exact: true, next: last.map(|id| at(&query.after(id))), previous: None, results }
    } else {
        let page = R::list(&access, &query).await?;
        Listed {
            count: Some(page.count),
            count_is_exact: page.exact,
            next: page.has_next(&query).then(|| at(&query.at_page(query.page.saturating_add(1)))),
            previous: (query.page > 1).then(|| at(&query.at_page(query.page - 1))),
            results: page.results,
        }
    };
    let links: Vec<_> = [("next", &listed.next), ("prev", &listed.previous)]
        .into_iter()
        .filter_map(|(rel, address)| Some(format!("<{}>; rel=\"{rel}\"", address.as_ref()?)))
        .collect();
    let mut response = if query.fields.is_empty() {
        Json(listed).into_response()
    } else {
        let rows = listed.results.iter().map(|record| sparse(record, &query.fields)).collect::<Result<Vec<_>>>()?;
        let Listed { count, count_is_exact, next, previous, .. } = listed;
        Json(Listed { count, count_is_exact, next, previous, results: rows }).into_response()
    };
    if let Ok(links) = HeaderValue::try_from(links.join(", "))
        && !links.is_empty()
    {
        response.headers_mut().insert(LINK, links);
    }
    Ok(response)
}

/// The form of a list that the caller asks for first by `Accept`.
fn accepted(headers: &HeaderMap) -> Format {
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let first = accept.split(',').map(|range| range.split(';').next().unwrap_or_default().trim());
    let known = |range: &str| match range {
        "*/*" | "application/*" => Some(Format::Json),
        range => Format::ALL.into_iter().find(|format| format.media() == range),
    };
    first.filter_map(known).next().unwrap_or(Format::Json)
}

async fn read<R: Resource>(
    access: Access<View<R>>,
    id: RecordId<R>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response> {
    let record = match past::as_of(query.as_deref().unwrap_or_default())? {
        // What was deleted or changed since is nothing for strangers.
        Some(_) if access.caller().actor == Actor::Anonymous => return Err(Error::unauthenticated()),
        Some(at) => super::record::past::as_of::<R>(&access, id.get()?, at).await?,
        None => R::get(&access, id.get()?).await?,
    };
    let seen = headers.get(IF_NONE_MATCH).and_then(|tags| tags.to_str().ok()).unwrap_or_default();
    let tag = tag(&record);
    if seen.split(',').map(|known| known.trim().trim_start_matches("W/")).any(|known| known == tag || known == "*") {
        return Ok((StatusCode::NOT_MODIFIED, [(ETAG, tag)]).into_response());
    }
    Ok(shown(StatusCode::OK, &record))
}

async fn create<R: Resource>(access: Access<Add<R>>, base: Base, body: JsonBody) -> Result<Response> {
    let record = R::create(&access, R::Input::given(&body.0)?, None).await?;
    Ok(([(LOCATION, base.below(&record.id()))], shown(StatusCode::CREATED, &record)).into_response())
}

async fn replace<R: Resource>(
    access: Access<Change<R>>,
    id: RecordId<R>,
    expected: IfMatch,
    body: JsonBody,
) -> Result<Response> {
    let mut renamed = Renamed::new();
    let record = R::change(&access, id.get()?, expected.0, |stored| replaced::<R>(stored, body.0, &mut renamed)).await;
    Ok(shown(StatusCode::OK, &record.map_err(|error| as_sent(error, &renamed))?))
}

async fn patch<R: Resource>(
    access: Access<Change<R>>,
    id: RecordId<R>,
    expected: IfMatch,
    body: JsonBody,
) -> Result<Response> {
    let mut renamed = Renamed::new();
    let record = R::change(&access, id.get()?, expected.0, |stored| patched::<R>(stored, body.0, &mut renamed)).await;
    Ok(shown(StatusCode::OK, &record.map_err(|error| as_sent(error, &renamed))?))
}

fn nested<R: Resource>(name: &str) -> bool {
    R::NESTED == Some(name)
}

/// The input that a whole body makes of a record.
fn replaced<R: Resource>(stored: &R::Record, body: Vec<(String, Given)>, renamed: &mut Renamed) -> Result<R::Input> {
    if let Some((nested, _)) = body.iter().find(|(name, value)| nested::<R>(name) && matches!(value, Given::Object(_)))
    {
        return Err(Error::field(nested, "Enter the whole list; operations on it are for PATCH."));
    }
    R::Input::given(&writable::<R>(stored, body, renamed)?)
}

/// The input that the values in a body make of a record, which keeps its other values.
pub(super) fn patched<R: Resource>(
    stored: &R::Record,
    body: Vec<(String, Given)>,
    renamed: &mut Renamed,
) -> Result<R::Input> {
    let mut fields = writable::<R>(stored, body, renamed)?;
    R::filled(stored, &mut fields);
    for (name, value) in stored.values() {
        if !fields.iter().any(|(given, _)| *given == name) {
            fields.push((name, value.into()));
        }
    }
    R::Input::given(&fields)
}

/// An error that calls nested values what the client called them.
pub(super) fn as_sent(error: Error, renamed: &Renamed) -> Error {
    let errors = error.errors.into_iter().map(|(name, messages)| {
        let split = name.find("].").map_or(name.len(), |at| at + 1);
        let (place, rest) = name.split_at(split);
        (renamed.get(place).map_or(name.clone(), |sent| format!("{sent}{rest}")), messages)
    });
    Error { errors: errors.collect(), ..error }
}

async fn delete<R: Resource>(access: Access<Delete<R>>, id: RecordId<R>, expected: IfMatch) -> Result<StatusCode> {
    R::remove(&access, id.get()?, expected.0).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The entity tag of a record: its version.
fn tag(record: &impl Stored) -> String {
    format!("\"v{}\"", record.version())
}

/// A record with its entity tag.
pub fn shown(status: StatusCode, record: &impl Stored) -> Response {
    tagged(status, record, record)
}

/// Something about a record, with the record's entity tag.
pub fn tagged(status: StatusCode, record: &impl Stored, body: &impl Serialize) -> Response {
    (status, [(ETAG, tag(record))], Json(body)).into_response()
}

/// What was done with a record, or would be. Only what was done makes a version, and so an entity tag.
pub fn outcome(dry_run: bool, record: &impl Stored, body: &impl Serialize) -> Response {
    if dry_run { Json(body).into_response() } else { tagged(StatusCode::OK, record, body) }
}

/// Takes the read-only fields out of a body, if they are sent back as they were read.
fn writable<R: Resource>(
    record: &R::Record,
    given: Vec<(String, Given)>,
    renamed: &mut Renamed,
) -> Result<Vec<(String, Given)>> {
    let stored = serde_json::to_value(record).map_err(|e| Error::internal(e.to_string()))?;
    let mut errors = FieldErrors::new();
    let mut fields = Vec::new();
    for (name, value) in given {
        let own = R::Input::FIELDS.iter().any(|field| field.name == name) || nested::<R>(&name);
        match stored.get(&name) {
            _ if own => fields.push((name, value)),
            Some(current) if Given::from(current.clone()) == value => {}
            Some(_) => {
                errors.insert(name, vec!["This field is read-only.".into()]);
            }
            None => {
                let message = unknown(&name, R::Input::FIELDS.iter().map(|field| field.name).chain(R::NESTED));
                errors.insert(name, vec![message]);
            }
        }
    }
    if !errors.is_empty() {
        return Err(Error::fields(errors));
    }
    renamed.extend(R::returned(record, &mut fields)?);
    Ok(fields)
}

/// A page of a list as it is answered.
#[derive(Serialize)]
struct Listed<T> {
    /// A walk counts nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    /// Said where it is not.
    #[serde(skip_serializing_if = "is_true")]
    count_is_exact: bool,
    next: Option<String>,
    previous: Option<String>,
    results: Vec<T>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes what it asks about by reference")]
fn is_true(flag: &bool) -> bool {
    *flag
}

/// Where the API is, as this caller sees it.
pub struct Base {
    /// The scheme and host, without a slash.
    origin: String,
    path: String,
}

impl Base {
    /// The whole address of a page or a call.
    pub fn absolute(&self, href: &str) -> String {
        format!("{}{href}", self.origin)
    }

    /// This address without what it asks.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What stands one step below this address.
    pub fn below(&self, id: &impl std::fmt::Display) -> String {
        format!("{}/{id}/", self.path.trim_end_matches('/'))
    }
}

impl FromRequestParts<AppState> for Base {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self> {
        let path = parts.extensions.get::<OriginalUri>().map_or(parts.uri.path(), |uri| uri.0.path()).to_owned();
        let origin = origin(&parts.headers, &state.settings);
        Ok(Self { origin, path })
    }
}

/// The id in a path; anything that is none leads to nothing.
pub struct RecordId<R>(Option<i64>, PhantomData<fn() -> R>);

impl<R: Resource> RecordId<R> {
    /// # Errors
    /// `NotFound`.
    pub fn get(&self) -> Result<i64> {
        self.0.ok_or_else(|| Error::not_found(R::SINGULAR))
    }
}

impl<R: Resource> FromRequestParts<AppState> for RecordId<R> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self> {
        let text = Path::<String>::from_request_parts(parts, state).await.map(|path| path.0).unwrap_or_default();
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        Ok(Self(if digits { text.parse().ok() } else { None }, PhantomData))
    }
}

/// The version named by `If-Match`.
pub struct IfMatch(pub Expected);

impl FromRequestParts<AppState> for IfMatch {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self> {
        let Some(header) = parts.headers.get(IF_MATCH) else { return Ok(Self(Expected::Any)) };
        let digits = |text: &&str| text.bytes().all(|byte| byte.is_ascii_digit());
        let version = |tag: &str| tag.strip_prefix("\"v")?.strip_suffix('"').filter(digits)?.parse().ok();
        match header.to_str().map(str::trim) {
            Ok("*") => Ok(Self(Expected::Any)),
            Ok(tag) => version(tag).map(|version| Self(Expected::Version(version))).ok_or_else(wrong_tag),
            Err(_) => Err(wrong_tag()),
        }
    }
}

fn wrong_tag() -> Error {
    Error::invalid("If-Match takes the ETag of one version, such as \"v17\".")
}

/// A body that is one JSON object.
pub struct JsonBody(pub Vec<(String, Given)>);

impl FromRequest<AppState> for JsonBody {
    type Rejection = Error;

    async fn from_request(request: Request, state: &AppState) -> Result<Self> {
        if !request.headers().get(CONTENT_TYPE).is_some_and(is_json) {
            return Err(Error::new(Code::UnsupportedMediaType, "Send application/json."));
        }
        let body = offload::read(request.into_body(), state.settings.body_limit).await?;
        written::object(&body, state.settings.json_depth).map(Self)
    }
}

fn is_json(kind: &HeaderValue) -> bool {
    let kind = kind.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}
