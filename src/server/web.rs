//! Everything that is about leptos_axum: who is asking, the guard before pages, server functions, and forms of people
//! without JavaScript.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts, OriginalUri, Request, State};
use axum::http::header::{
    ALLOW, AUTHORIZATION, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, LOCATION,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{MethodFilter, on};
use axum::{Extension, Router};
use leptos::nonce::use_nonce;
use leptos::prelude::*;
use leptos::server_fn::axum::server_fn_paths;
use leptos_axum::{AxumRouteListing, LeptosRoutes, ResponseOptions};
use tokio_util::task::LocalPoolHandle;
use tower::ServiceExt;
use tower_sessions::Session;

use super::AppState;
use super::answer::{RequestId, SERVER_FN_ERROR, brief, wants_page};
use super::client_address::client_address;
use super::database::Database;
use super::hosts::LinkOrigin;
use super::limits::Who;
use super::offload;
use crate::access::gate::{Access, Actor, Caller, Door, Oneself, Permission};
use crate::access::security::{Happened, Kind};
use crate::access::{Me, session, token};
use crate::base::error::Code;
use crate::base::form::Typed;
use crate::base::listing::encoded;
use crate::base::time::zone::Zone;
use crate::base::time::zones;
use crate::base::{Error, Result};
use crate::ui::context::{Chunks, Done, FailedForm, Origin, PageProblem, Report, Revealed, Theme};

/// The pages that people reach before they signed in.
const OPEN_PAGES: [&str; 3] = [SIGN_IN, "/sign-in/code", "/invite"];
/// Where people set up their second factor.
const ENROLLING: &str = "/account/second-factor";
/// What they can call there; besides, signing out.
const ENROLLING_CALLS: [&str; 2] = ["/-/account/second-factor/", "/-/sign-out"];

/// Where people sign in.
pub const SIGN_IN: &str = "/sign-in";
/// The hidden field that says which page a form stands on.
const PAGE_FIELD: &str = "page";
/// The cookie that remembers light or dark.
pub const THEME_COOKIE: &str = "kontor_theme";

/// The component that draws a whole document.
pub type Shell<V> = fn() -> V;

/// Finds out who is asking: by bearer token, else by session. Their requests are counted, over the API and for pages.
pub async fn identify(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let api = is_api(parts.uri.path());
    let caller = caller(&state, &parts).await.map(Arc::new);
    let asked = Asked::of(&parts, caller.as_ref().ok());
    let actor = caller.as_ref().map_or(&Actor::Anonymous, |caller| &caller.actor);
    let who = Who::of(actor, client_address(&parts.extensions));
    let standing = if api { state.limits.count(&who) } else { state.page_limits.count(&who).map(|_| None) };
    let (mut response, standing) = match (standing, caller) {
        (Err(error), _) if api => (error.into_response(), state.limits.empty()),
        (Err(error), _) => (brief(StatusCode::TOO_MANY_REQUESTS, error), None),
        (Ok(standing), Err(error)) => (error.into_response(), standing),
        (Ok(standing), Ok(caller)) => {
            parts.extensions.insert(caller);
            (next.run(Request::from_parts(parts, body)).await, standing)
        }
    };
    asked.answered(&state, &response);
    if let Some(standing) = standing {
        standing.tell(response.headers_mut());
    }
    response
}

/// A request, as far as its answer may be a security event.
struct Asked {
    /// Whoever sent it; for a token that is not valid, what is known all the same.
    by: Result<Arc<Caller>, Box<Happened>>,
    brought_token: bool,
    method: Method,
    uri: Uri,
}

impl Asked {
    fn of(parts: &Parts, caller: Option<&Arc<Caller>>) -> Self {
        let nobody = || {
            let address = Some(client_address(&parts.extensions));
            let request_id = parts.extensions.get::<RequestId>().map_or_else(String::new, |id| id.0.clone());
            let (actor, account, detail) = (String::new(), String::new(), String::new());
            Box::new(Happened { kind: Kind::TokenRefused, account, actor, address, request_id, detail })
        };
        Self {
            by: caller.cloned().ok_or_else(nobody),
            brought_token: parts.headers.contains_key(AUTHORIZATION),
            method: parts.method.clone(),
            uri: parts.uri.clone(),
        }
    }

    /// Notes a refusal, or a file that was taken along.
    fn answered(self, state: &AppState, response: &Response) {
        let is_file = response.headers().get(CONTENT_DISPOSITION);
        let is_file = is_file.is_some_and(|kind| kind.as_bytes().starts_with(b"attachment"));
        let is_known = self.by.as_ref().is_ok_and(|caller| caller.actor != Actor::Anonymous);
        let kind = match response.status() {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN if self.brought_token && !is_known => Kind::TokenRefused,
            StatusCode::FORBIDDEN if is_known => Kind::Refused,
            StatusCode::OK if is_file => Kind::Exported,
            _ => return,
        };
        let detail = match kind {
            Kind::Exported => format!("{} {}", self.method, self.uri),
            // Anything may stand in the query of what is refused.
            _ => format!("{} {}", self.method, self.uri.path()),
        };
        state.security.note(match self.by {
            Ok(caller) => Happened::by(&caller, kind, detail),
            Err(happened) => Happened { kind, detail, ..*happened },
        });
    }
}

/// Notes a security event of the request that a server function answers; `account` is the one it is about, unless that is the
/// caller's own.
pub fn note(kind: Kind, account: Option<&str>, detail: &str) {
    let (Some(state), Some(caller)) = (use_context::<AppState>(), use_context::<Arc<Caller>>()) else { return };
    let happened = Happened::by(&caller, kind, detail);
    state.security.note(match account {
        Some(account) => happened.about(account),
        None => happened,
    });
}

/// Whether a path leads to the API.
pub(super) fn is_api(path: &str) -> bool {
    path == "/api" || path.starts_with("/api/")
}

async fn caller(state: &AppState, request: &Parts) -> Result<Caller> {
    let request_id = request.extensions.get::<RequestId>().map_or_else(String::new, |id| id.0.clone());
    let door = if is_api(request.uri.path()) { Door::Api } else { Door::Web };
    let nobody = Caller {
        actor: Actor::Anonymous,
        door,
        request_id,
        account: None,
        address: Some(client_address(&request.extensions)),
        permissions: Vec::new(),
        time_zone: None,
        must_enrol: false,
        is_by_link: false,
        is_recent: false,
        requires_version: false,
        claim: None,
        purpose: None,
    };
    if let Some(header) = request.headers.get(AUTHORIZATION) {
        let bearer = match secret(header) {
            Some(secret) => token::Entity::bearer(&state.database, secret, &nobody).await?,
            None => None,
        };
        let bearer = bearer
            .ok_or_else(|| Error::new(Code::Unauthenticated, "This token is not known, has run out or was revoked."))?;
        if bearer.must_enrol {
            let detail = "The person of this token must set up a second factor first.";
            return Err(Error::new(Code::Forbidden, detail));
        }
        let actor = Actor::Token { id: bearer.id, name: bearer.name, user_id: bearer.user_id };
        let (permissions, requires_version) = (bearer.permissions, bearer.requires_version);
        let account = Some(bearer.account);
        return Ok(Caller { actor, account, permissions, requires_version, ..nobody });
    }
    let person = match request.extensions.get::<Session>() {
        Some(session) => session::person(&state.database, session).await?,
        None => None,
    };
    if let Some(person) = person {
        let account = Some(person.email.clone());
        let actor = Actor::User { id: person.id, name: person.name, email: person.email };
        let (must_enrol, time_zone) = (person.must_enrol, person.time_zone);
        let (is_by_link, is_recent) = (person.is_by_link, person.is_recent);
        let permissions = if must_enrol { Vec::new() } else { person.permissions };
        return Ok(Caller { actor, account, permissions, time_zone, must_enrol, is_by_link, is_recent, ..nobody });
    }
    let reads = matches!(request.method, Method::GET | Method::HEAD | Method::OPTIONS);
    if door == Door::Api && reads && state.live.settings().anonymous_api_read {
        return Ok(Caller { permissions: state.readable.to_vec(), ..nobody });
    }
    Ok(nobody)
}

/// Finds out anew who sent a request that waited: its token or session may have ended meanwhile, and its rights may have shrunk.
///
/// # Errors
/// `Unauthenticated` or `Forbidden` when the token does not work any more.
pub async fn identified_again(state: &AppState, request: &Parts) -> Result<Caller> {
    let mut request = request.clone();
    if let Some(OriginalUri(whole)) = request.extensions.get::<OriginalUri>().cloned() {
        request.uri = whole;
    }
    if let Some(session) = request.extensions.get::<Session>() {
        let store = session::Store::new(state.database.clone(), &state.settings);
        let again = store.read_again(session).await?;
        request.extensions.insert(again);
    }
    caller(state, &request).await
}

/// The secret in `Bearer …` or `Token …`.
fn secret(header: &HeaderValue) -> Option<&str> {
    let (scheme, secret) = header.to_str().ok()?.split_once(' ')?;
    let known = scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("token");
    known.then(|| secret.trim())
}

/// Lets nobody unknown past, over the API.
pub async fn known_only(Extension(caller): Extension<Arc<Caller>>, request: Request, next: Next) -> Response {
    if caller.actor == Actor::Anonymous && caller.permissions.is_empty() {
        return Error::unauthenticated().into_response();
    }
    next.run(request).await
}

/// Leads whoever is not signed in to the sign-in page, and back afterwards.
pub async fn signed_in_only(Extension(caller): Extension<Arc<Caller>>, request: Request, next: Next) -> Response {
    if OPEN_PAGES.contains(&request.uri().path()) {
        return next.run(request).await;
    }
    if caller.must_enrol {
        return enrolling_only(request, next).await;
    }
    if caller.actor != Actor::Anonymous {
        return next.run(request).await;
    }
    if !wants_page(request.headers()) && request.uri().path().starts_with("/-/") {
        return Error::unauthenticated().into_response();
    }
    let back = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let to = match (request.method(), back) {
        (&Method::GET | &Method::HEAD, "/") => SIGN_IN.to_owned(),
        (&Method::GET | &Method::HEAD, back) => format!("{SIGN_IN}?next={}", encoded(back)),
        _ => SIGN_IN.to_owned(),
    };
    Redirect::to(&to).into_response()
}

/// Leads whoever must set up a second factor there, and nowhere else.
async fn enrolling_only(request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if path == ENROLLING || ENROLLING_CALLS.iter().any(|open| path.starts_with(open)) {
        return next.run(request).await;
    }
    match wants_page(request.headers()) && !path.starts_with("/-/") {
        true => Redirect::to(ENROLLING).into_response(),
        false => Error::new(Code::Forbidden, "Set up your second factor first.").into_response(),
    }
}

impl<P: Permission> FromRequestParts<AppState> for Access<P> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self> {
        let caller = parts.extensions.get::<Arc<Caller>>().cloned().ok_or_else(Error::unauthenticated)?;
        Access::of(caller, state.database.clone())
    }
}

/// The proof for a server function.
///
/// # Errors
/// `Unauthenticated` or `Forbidden`.
pub async fn access<P: Permission>() -> Result<Access<P>> {
    let (caller, database) = own_context()?;
    Access::of(caller, database)
}

/// The proof for a server function about the person's own account.
///
/// # Errors
/// `Unauthenticated`; `Forbidden` for who must set up a second factor first.
pub async fn oneself() -> Result<Access<Oneself>> {
    let (caller, database) = own_context()?;
    Access::of_oneself(caller, database)
}

/// The same for who sets up their second factor.
///
/// # Errors
/// `Unauthenticated`.
pub async fn enrolling() -> Result<Access<Oneself>> {
    let (caller, database) = own_context()?;
    Access::of_enrolling(caller, database)
}

fn own_context() -> Result<(Arc<Caller>, Database)> {
    let caller = use_context::<Arc<Caller>>().ok_or_else(Error::unauthenticated)?;
    let database = use_context::<Database>().ok_or_else(|| Error::internal("no database in this context"))?;
    Ok((caller, database))
}

/// Something of the request that a server function works with.
///
/// # Errors
/// `Internal` when it is missing.
pub fn part<T: Clone + Send + Sync + 'static>() -> Result<T> {
    use_context::<Parts>()
        .and_then(|parts| parts.extensions.get::<T>().cloned())
        .ok_or_else(|| Error::internal("a part of the request is missing"))
}

/// The id by which lists name the session that asks.
pub fn current_session() -> Option<String> {
    part::<Session>().ok().as_ref().and_then(session::listed_id)
}

/// The address of whoever sent the request a server function answers.
pub fn address() -> IpAddr {
    use_context::<Parts>().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |parts| client_address(&parts.extensions))
}

/// Sends the person to another page after a server function: 303 without JavaScript, client navigation with it.
pub fn go(to: &str) {
    leptos_axum::redirect(to);
}

/// Sends the person to the page of a record. Who came from there, or from a page under it, keeps their place in the list it was
/// opened from.
pub fn go_to_record(path: &str) {
    let came = use_context::<Parts>().and_then(|parts| {
        let from = parts.headers.get(axum::http::header::REFERER)?.to_str().ok()?.parse::<Uri>().ok()?;
        let of_record = from.path() == path || from.path().strip_prefix(path)?.starts_with('/');
        from.query().filter(|query| of_record && query.contains("at=")).map(str::to_owned)
    });
    match came {
        Some(query) => go(&format!("{path}?{query}")),
        None => go(path),
    }
}

/// Sends the person back to a page of ours.
pub fn led_back(page: &str) {
    go(&super::signing::local(page));
}

/// What links that a server function makes for others start with.
///
/// # Errors
/// Those of [`LinkOrigin::of`].
pub fn link_origin() -> Result<LinkOrigin> {
    let state = use_context::<AppState>().ok_or_else(|| Error::internal("no state in this context"))?;
    let parts = use_context::<Parts>().ok_or_else(|| Error::internal("no request in this context"))?;
    LinkOrigin::of(&parts, &state.settings)
}

/// What a server function wants told as the answer to its form, and the page to tell it on.
#[derive(Debug, Clone, Default)]
struct Telling(Arc<Mutex<Option<(String, Revealed)>>>);

/// Answers the form with `page`, which tells something this once. A script gets it as the function's own answer.
pub fn reveal(page: String, revealed: Revealed) {
    if let Ok(Telling(telling)) = part::<Telling>() {
        *telling.lock().unwrap_or_else(PoisonError::into_inner) = Some((page, revealed));
    }
}

/// Sets a cookie that scripts cannot read, for a year.
pub fn set_cookie(name: &str, value: &str) {
    let cookie = format!("{name}={value}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax");
    if let (Some(options), Ok(cookie)) = (use_context::<ResponseOptions>(), HeaderValue::from_str(&cookie)) {
        options.append_header(axum::http::header::SET_COOKIE, cookie);
    }
}

fn cookie<'a>(headers: &'a HeaderMap, wanted: &str) -> Option<&'a str> {
    let cookies = headers.get(COOKIE).and_then(|cookies| cookies.to_str().ok()).unwrap_or_default();
    let mut pairs = cookies.split(';').filter_map(|cookie| cookie.trim().split_once('='));
    pairs.find(|(name, _)| *name == wanted).map(|(_, value)| value)
}

fn theme(headers: &HeaderMap) -> Theme {
    cookie(headers, THEME_COOKIE).map(Theme::parse).unwrap_or_default()
}

/// Lets the page that comes next say what was done, and offer to undo it. Its script reads this too.
pub fn done(what: &str) {
    let (Some(options), Some(caller)) = (use_context::<ResponseOptions>(), use_context::<Arc<Caller>>()) else {
        return;
    };
    let done = Done { what: what.into(), request: caller.request_id.clone() };
    let cookie = format!("{}={}; Path=/; Max-Age=60; SameSite=Lax", Done::COOKIE, done.written());
    if let (true, Ok(cookie)) = (done.is_plain(), HeaderValue::from_str(&cookie)) {
        options.append_header(axum::http::header::SET_COOKIE, cookie);
    }
}

/// What components and server functions find in their context.
fn provide(state: &AppState) {
    provide_context(state.clone());
    provide_context(state.database.clone());
    let Some(parts) = use_context::<Parts>() else { return };
    provide_context(theme(&parts.headers));
    provide_context(Origin(super::hosts::origin(&parts.headers, &state.settings)));
    if let Some(caller) = parts.extensions.get::<Arc<Caller>>() {
        provide_context(Arc::clone(caller));
        provide_context(caller.time_zone.as_deref().map(|name| Zone::clone(&zones::zone(name))).unwrap_or_default());
        if let Actor::User { name, email, .. } = &caller.actor {
            let (name, email) = (name.clone(), email.clone());
            provide_context(Me { name, email, permissions: caller.permissions.clone() });
        }
    }
    if let Some(failed) = parts.extensions.get::<FailedForm>() {
        provide_context(failed.clone());
    }
    if let Some(revealed) = parts.extensions.get::<Revealed>() {
        provide_context(revealed.clone());
    }
    if let Some(problem) = parts.extensions.get::<PageProblem>() {
        provide_context(problem.clone());
    }
}

/// What a page also finds: a way to set its status. Sets the policy that lets nothing run but our scripts.
fn provide_page(state: &AppState) {
    provide(state);
    let Some(options) = use_context::<ResponseOptions>() else { return };
    let nonce = use_nonce().map_or_else(String::new, |nonce| format!(" 'nonce-{nonce}'"));
    let policy = format!(
        "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'{nonce}; style-src 'self'; img-src 'self' data:; \
         object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    );
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        options.insert_header(CONTENT_SECURITY_POLICY, policy);
    }
    let told = use_context::<Parts>().and_then(|parts| Done::parse(cookie(&parts.headers, Done::COOKIE)?));
    if let (Some(done), Ok(over)) = (told, HeaderValue::from_str(&format!("{}=; Path=/; Max-Age=0", Done::COOKIE))) {
        provide_context(done);
        options.append_header(axum::http::header::SET_COOKIE, over);
    }
    provide_context(Chunks::default());
    provide_context(Report::new(move |error| {
        if let Some(internal) = &error.internal {
            tracing::error!(error = internal, "a page could not be drawn");
        }
        if let Ok(status) = StatusCode::from_u16(error.status()) {
            options.set_status(status);
        }
    }));
}

/// The pages at `routes`, the server functions and the forms, for signed-in people.
pub fn pages<V: IntoView + 'static>(
    state: &AppState,
    shell: Shell<V>,
    routes: &[AxumRouteListing],
) -> Router<AppState> {
    let context = {
        let state = state.clone();
        move || provide_page(&state)
    };
    let (draw, renderers) = (leptos_axum::render_app_async_with_context(context, shell), state.renderers.clone());
    let draw = move |request: Request| pinned(renderers.clone(), draw.clone(), request);
    let documents = Router::new().leptos_routes_with_handler(routes.to_vec(), draw);
    let alone: Router = documents.clone().with_state(state.clone());
    documents
        .merge(server_functions(state).layer(axum::middleware::from_fn_with_state((state.clone(), alone), form)))
        .layer(axum::middleware::from_fn(signed_in_only_or_signing_in))
}

/// The server functions that people reach before they signed in.
const OPEN: [&str; 5] = ["/-/sign-in", "/-/sign-in/code", "/-/invite/read", "/-/invite/accept", "/-/theme"];

async fn signed_in_only_or_signing_in(caller: Extension<Arc<Caller>>, request: Request, next: Next) -> Response {
    if OPEN.contains(&request.uri().path()) {
        return next.run(request).await;
    }
    signed_in_only(caller, request, next).await
}

fn server_functions(state: &AppState) -> Router<AppState> {
    server_fn_paths().fold(Router::new(), |router, (path, method)| {
        let state = state.clone();
        let filter = MethodFilter::try_from(method).unwrap_or(MethodFilter::POST);
        let run = move |request: Request| {
            let state = state.clone();
            leptos_axum::handle_server_fns_with_context(move || provide(&state), request)
        };
        router.route(path, on(filter, run))
    })
}

/// Carries a server function's call. A form that was sent without JavaScript and failed comes back as its page, with the
/// errors and everything that was typed; a form that worked leads on with 303.
async fn form(State((state, pages)): State<(AppState, Router)>, request: Request, next: Next) -> Response {
    if request.method() != Method::POST {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, state.settings.form_limit).await else {
        let limit = state.settings.form_limit / 1024;
        return Error::new(Code::TooLarge, format!("A form may have up to {limit} KiB.")).into_response();
    };
    let is_form = parts
        .headers
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
    if !is_form && !body.is_empty() {
        return Error::new(Code::UnsupportedMediaType, "Send application/x-www-form-urlencoded.").into_response();
    }
    let by_page = wants_page(&parts.headers);
    let kept = Kept { action: parts.uri.path().to_owned(), headers: parts.headers.clone(), body: body.clone() };
    let telling = Telling::default();
    parts.extensions.insert(telling.clone());
    let extensions = parts.extensions.clone();
    let (size, request) = (body.len(), Request::from_parts(parts, Body::from(body)));
    let mut response = offload::work(size, next.run(request)).await;
    if !by_page {
        return response;
    }
    if !response.headers().contains_key(SERVER_FN_ERROR) {
        let told = telling.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((mut page, revealed)) = told.and_then(|(page, told)| Some((kept.request(&page)?, told))) {
            *page.extensions_mut() = extensions;
            page.extensions_mut().insert(revealed);
            let Ok(shown) = pages.oneshot(page).await;
            return shown;
        }
        if response.status() == StatusCode::FOUND {
            *response.status_mut() = StatusCode::SEE_OTHER;
        }
        return response;
    }
    response.headers_mut().remove(LOCATION);
    let Some(mut page) = kept.page() else { return response };
    let (answered, body) = response.into_parts();
    let Ok(body) = to_bytes(body, usize::MAX).await else { return Error::internal("a lost error").into_response() };
    let error = serde_json::from_slice::<Error>(&body).unwrap_or_else(|_| Error::internal("an unreadable error"));
    let error = super::outcome::worded(error);
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let retry_after = error.retry_after;
    *page.extensions_mut() = extensions;
    page.extensions_mut().insert(FailedForm { action: kept.action.clone(), error, typed: kept.typed() });
    let Ok(mut shown) = pages.oneshot(page).await;
    *shown.status_mut() = status;
    if let Some(seconds) = retry_after {
        shown.headers_mut().insert(axum::http::header::RETRY_AFTER, seconds.into());
    }
    for cookie in answered.headers.get_all(axum::http::header::SET_COOKIE) {
        shown.headers_mut().append(axum::http::header::SET_COOKIE, cookie.clone());
    }
    shown
}

/// A form as it was sent.
struct Kept {
    action: String,
    headers: HeaderMap,
    body: axum::body::Bytes,
}

impl Kept {
    fn pairs(&self) -> impl Iterator<Item = (String, String)> {
        form_urlencoded::parse(&self.body).map(|(name, value)| (name.into_owned(), value.into_owned()))
    }

    /// What was typed: `form[name]=…`, and what stands beside it.
    fn typed(&self) -> Typed {
        let bare = |name: String| match name.strip_prefix("form[").and_then(|name| name.strip_suffix(']')) {
            Some(field) => field.to_owned(),
            None => name,
        };
        self.pairs().filter(|(name, _)| !name.ends_with("password")).map(|(name, value)| (bare(name), value)).collect()
    }

    /// A request for the page the form stands on.
    fn page(&self) -> Option<Request> {
        let (_, page) = self.pairs().find(|(name, _)| name == PAGE_FIELD)?;
        self.request(&page)
    }

    /// A request for a page of ours by whoever sent the form.
    fn request(&self, page: &str) -> Option<Request> {
        let uri: Uri = page.parse().ok()?;
        if uri.scheme().is_some() || uri.authority().is_some() || !page.starts_with('/') {
            return None;
        }
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = uri;
        *request.headers_mut() = self.headers.clone();
        for name in [CONTENT_LENGTH, CONTENT_TYPE, ALLOW] {
            request.headers_mut().remove(name);
        }
        Some(request)
    }
}

/// Draws a page on one thread, with everything it waits for.
///
/// A resource that finishes on another thread just while the page starts to wait for it wakes nobody (reactive_graph 0.2
/// looks at the flag and leaves its waker in two steps), and the page would hang until the request times out.
async fn pinned<F, A>(renderers: LocalPoolHandle, draw: F, request: Request) -> Response
where
    F: FnOnce(Request) -> A + Send + 'static,
    A: Future<Output = Response> + 'static,
{
    let drawn = renderers.spawn_pinned(move || draw(request)).await;
    drawn.unwrap_or_else(|error| Error::internal(format!("a page was not drawn: {error}")).into_response())
}

/// Draws one document outside of the pages' routes.
pub async fn document<V: IntoView + 'static>(state: AppState, shell: Shell<V>, request: Request) -> Response {
    let renderers = state.renderers.clone();
    let draw = leptos_axum::render_app_async_with_context(move || provide_page(&state), shell);
    pinned(renderers, draw, request).await
}

/// A page that says what went wrong, for anybody.
pub async fn problem_page(state: &AppState, error: Error, id: &RequestId) -> Response {
    let mut request = Request::new(Body::empty());
    request.extensions_mut().insert(PageProblem { error, request_id: id.0.clone() });
    (state.render)(state.clone(), request).await
}
