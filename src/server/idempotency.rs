//! `Idempotency-Key`: a POST that is sent again, because its answer was lost or by mistake, is carried out once.
//!
//! The key is written in the transaction of the request it came with, so that what was done and that it was done are stored
//! together, whatever happens to the server; the answer follows. A repetition gets that answer for a day. Keys belong to the
//! person, whichever token they use.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Extension;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, ETAG, LOCATION};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use chrono::TimeDelta;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{ExprTrait, OnConflict};
use sea_orm::{ActiveValue::Set, Iterable};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::AppState;
use super::database::Database;
use crate::access::gate::Caller;
use crate::base::error::Code;
use crate::base::time::stored::{Timestamp, now};
use crate::base::{Error, Result};
use crate::server::transaction::DatabaseTransaction;

/// The header of the request.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The header of an answer that was given before.
pub const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// How long an answer is kept.
const KEPT: TimeDelta = TimeDelta::hours(24);
/// What a key may be, as a pattern: printable ASCII, in quotes or without.
pub const KEY: &str = "^(\"[ -!#-~]{1,255}\"|[!#-~]([ -!#-~]{0,253}[!#-~])?)$";
/// The longest key.
const MAX_KEY: usize = 255;
/// The largest answer that is kept.
const MAX_ANSWER: usize = 16 << 20;
/// The headers of an answer that are kept.
const HEADERS: [HeaderName; 3] = [CONTENT_TYPE, ETAG, LOCATION];

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "idempotency_keys")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: String,
    /// What was asked, as a digest.
    pub fingerprint: String,
    /// The request that holds the key.
    pub claim: String,
    /// The answer; absent while it is not known.
    pub status: Option<i32>,
    pub headers: Option<Json>,
    pub body: Option<Vec<u8>>,
    pub created_at: Timestamp,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// A request's hold on its key.
#[derive(Debug)]
pub struct Claim {
    key: String,
    fingerprint: String,
    id: String,
    /// Whether another request turned out to hold the key.
    lost: AtomicBool,
}

impl Claim {
    /// Writes the key into the transaction of what the request does. Another server's request with the same key is waited
    /// for.
    ///
    /// # Errors
    /// `Conflict` when another request holds the key; then nothing may be done.
    pub async fn take(&self, transaction: &DatabaseTransaction) -> Result<()> {
        let taken = self.put(transaction, self.row()).await?;
        if taken == 0 {
            self.lost.store(true, Ordering::Relaxed);
            return Err(in_flight());
        }
        Ok(())
    }

    /// Writes the row of the key, unless another request holds the key; how many rows were written. A second write of one
    /// request finds the row of the first, and a row older than a day is nobody's.
    async fn put(&self, transaction: &DatabaseTransaction, row: ActiveModel) -> Result<u64> {
        let free = Column::Claim.eq(self.id.as_str()).or(Column::CreatedAt.lt(now() - KEPT));
        let columns = Column::iter().filter(|column| !matches!(column, Column::Key));
        let keep = OnConflict::column(Column::Key).update_columns(columns).action_and_where(free).to_owned();
        Ok(Entity::insert(row).on_conflict(keep).exec_without_returning(transaction).await?)
    }

    fn row(&self) -> ActiveModel {
        ActiveModel {
            key: Set(self.key.clone()),
            fingerprint: Set(self.fingerprint.clone()),
            claim: Set(self.id.clone()),
            status: Set(None),
            headers: Set(None),
            body: Set(None),
            created_at: Set(now()),
        }
    }

    async fn answered(&self, database: &Database, answer: &Answer) -> Result<()> {
        let transaction = database.write().await?;
        let row = ActiveModel {
            status: Set(Some(i32::from(answer.status))),
            headers: Set(Some(Value::Object(answer.headers.clone()))),
            body: Set(Some(answer.body.clone())),
            ..self.row()
        };
        self.put(&transaction, row).await?;
        transaction.commit().await
    }
}

/// The keys of the requests that this server is working on, with their fingerprints.
#[derive(Debug, Default)]
pub struct InFlight(Mutex<HashMap<String, String>>);

impl InFlight {
    /// Enters a key, until what is returned is dropped; gives the fingerprint of the request that is there already.
    fn enter(self: &Arc<Self>, key: &str, fingerprint: &str) -> Result<Entered, String> {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(other) = keys.get(key) {
            return Err(other.clone());
        }
        keys.insert(key.to_owned(), fingerprint.to_owned());
        Ok(Entered { keys: Arc::clone(self), key: key.to_owned() })
    }
}

struct Entered {
    keys: Arc<InFlight>,
    key: String,
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.keys.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

/// Marks an answer that holds a secret: it is not kept, and told to nobody again.
#[derive(Debug, Clone, Copy)]
pub struct ShownOnce;

impl ShownOnce {
    pub fn mark(mut response: Response) -> Response {
        response.extensions_mut().insert(Self);
        response
    }
}

/// An answer as it is kept. A refusal is kept as what it says; it is worded anew for every request.
struct Answer {
    status: u16,
    headers: Map<String, Value>,
    body: Vec<u8>,
}

impl Answer {
    /// The answer, and what of it is kept: nothing of failures, which may go better next time, nor of refusals for what is no
    /// part of the request's path and body, such as a permission or a version, which are mended without changing those.
    async fn of(response: Response) -> (Response, Option<Self>) {
        let status = response.status().as_u16();
        let passing = matches!(status, 401 | 403 | 408 | 412 | 415 | 428 | 429 | 500..);
        if passing || response.extensions().get::<ShownOnce>().is_some() {
            return (response, None);
        }
        if let Some(error) = response.extensions().get::<Error>() {
            let body = serde_json::to_vec(error).unwrap_or_default();
            let headers = Map::from_iter([("refusal".to_owned(), json!(true))]);
            return (response, Some(Self { status, headers, body }));
        }
        let (parts, body) = response.into_parts();
        let Ok(body) = to_bytes(body, MAX_ANSWER).await else {
            return (Error::internal("an answer could not be read").into_response(), None);
        };
        let text = |name: &HeaderName| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let headers = HEADERS.iter().filter_map(|name| Some((name.to_string(), json!(text(name)?)))).collect();
        let kept = Self { status, headers, body: body.to_vec() };
        (Response::from_parts(parts, Body::from(body)), Some(kept))
    }

    fn stored(row: Model) -> Option<Self> {
        let headers = match row.headers? {
            Value::Object(headers) => headers,
            _ => Map::new(),
        };
        Some(Self { status: u16::try_from(row.status?).ok()?, headers, body: row.body? })
    }

    fn again(self) -> Response {
        let mut response = if self.headers.contains_key("refusal") {
            match serde_json::from_slice::<Error>(&self.body) {
                Ok(error) => error.into_response(),
                Err(error) => Error::internal(format!("a kept refusal: {error}")).into_response(),
            }
        } else {
            let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK);
            let mut response = (status, self.body).into_response();
            for name in HEADERS {
                let value = self.headers.get(name.as_str()).and_then(Value::as_str);
                if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
                    response.headers_mut().insert(name, value);
                }
            }
            response
        };
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
        response
    }
}

/// Carries out a POST once for its key.
pub async fn once(
    State(state): State<AppState>,
    Extension(caller): Extension<Arc<Caller>>,
    request: Request,
    next: Next,
) -> Response {
    if request.method() != Method::POST || !request.headers().contains_key(IDEMPOTENCY_KEY) {
        return next.run(request).await;
    }
    match keyed(&state, &caller, request, next).await {
        Ok(response) => response,
        Err(error) => error.into_response(),
    }
}

async fn keyed(state: &AppState, caller: &Caller, request: Request, next: Next) -> Result<Response> {
    let key = key(&request, caller)?;
    let (mut parts, body) = request.into_parts();
    let body = super::offload::read(body, state.settings.body_limit).await?;
    let mut digest = Sha256::new();
    let path = parts.uri.path_and_query().map_or("", |path| path.as_str());
    for part in [path.as_bytes(), b"\n", &body] {
        digest.update(part);
    }
    let fingerprint: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    // Held until the answer is stored, or this request is given up.
    let _entered = match state.in_flight.enter(&key, &fingerprint) {
        Ok(entered) => entered,
        Err(other) if other == fingerprint => return Err(in_flight()),
        Err(_) => return Err(reused()),
    };
    let stored = Entity::find_by_id(key.clone()).one(state.database.reader()).await?;
    if let Some(stored) = stored.filter(|stored| stored.created_at > now() - KEPT) {
        if stored.fingerprint != fingerprint {
            return Err(reused());
        }
        return Answer::stored(stored).map(Answer::again).ok_or_else(|| {
            Error::new(
                Code::Conflict,
                "The first request with this key was carried out, but its answer was lost. Read what is stored before you \
                 send another key.",
            )
        });
    }
    let claim = Arc::new(Claim { key, fingerprint, id: Uuid::now_v7().to_string(), lost: AtomicBool::new(false) });
    parts.extensions.insert(Arc::new(Caller { claim: Some(Arc::clone(&claim)), ..caller.clone() }));
    let (response, answer) = Answer::of(next.run(Request::from_parts(parts, Body::from(body))).await).await;
    if let Some(answer) = answer.filter(|_| !claim.lost.load(Ordering::Relaxed))
        && let Err(error) = claim.answered(&state.database, &answer).await
    {
        // What was done is done; only a repetition learns that its answer was lost.
        tracing::error!(error = error.internal.as_deref(), "could not keep the answer of a keyed request");
    }
    Ok(response)
}

/// The key in the header, as that of this person.
fn key(request: &Request, caller: &Caller) -> Result<String> {
    let mut given = request.headers().get_all(IDEMPOTENCY_KEY).iter();
    let key = given.next().and_then(|key| key.to_str().ok()).map(str::trim);
    let key = key.map(|key| key.strip_prefix('"').and_then(|key| key.strip_suffix('"')).unwrap_or(key));
    let sound = |key: &&str| {
        (1..=MAX_KEY).contains(&key.len()) && key.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b'"')
    };
    match key.filter(sound) {
        Some(key) if given.next().is_none() => Ok(format!("{}:{key}", caller.user_id().unwrap_or_default())),
        _ => Err(Error::invalid(format!(
            "Idempotency-Key takes one text of 1 to {MAX_KEY} printable ASCII characters without quotes."
        ))),
    }
}

fn in_flight() -> Error {
    Error {
        retry_after: Some(1),
        ..Error::new(Code::Conflict, "Another request with this Idempotency-Key is being carried out.")
    }
}

fn reused() -> Error {
    Error::new(Code::KeyReused, "This Idempotency-Key was used for another request. Use a new key for a new request.")
}

/// Forgets answers older than a day.
///
/// # Errors
/// When the database does not answer.
pub async fn sweep(database: &Database) -> Result<u64> {
    let transaction = database.write().await?;
    let swept = Entity::delete_many().filter(Column::CreatedAt.lt(now() - KEPT)).exec(&transaction).await?;
    transaction.commit().await?;
    Ok(swept.rows_affected)
}
