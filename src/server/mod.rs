//! The machinery: it knows traits, never a module.

pub mod admission;
pub mod answer;
pub mod background;
pub mod batch;
pub mod calls;
pub mod client_address;
mod complete;
pub mod database;
pub mod docs;
pub mod export;
pub mod feed;
pub mod floor;
pub mod hosts;
pub mod idempotency;
pub mod kinds;
pub mod limits;
pub mod listener;
pub mod live;
pub mod managed;
pub mod offload;
pub mod openapi;
mod outcome;
pub mod pasts;
pub mod postgres;
pub mod progress;
pub mod reader;
pub mod readiness;
pub mod record;
pub mod repeat;
pub mod rest;
pub mod same_site;
pub mod schema;
pub mod settings;
pub mod signing;
pub mod site;
pub mod transaction;
pub mod web;
pub mod writer;

use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{FromRef, Request};
use axum::response::Response;
use leptos::config::LeptosOptions;
use serde_json::Value;

use crate::access::security::Recorder;
use crate::access::throttle::Throttle;
use admission::Admission;
use background::Background;
use database::Database;
use feed::Followers;
use idempotency::InFlight;
use kinds::Kind;
use limits::Limits;
use live::Live;
use managed::Managed;
use settings::Settings;
use site::Site;
use tokio_util::sync::CancellationToken;
use tokio_util::task::LocalPoolHandle;

/// What every request can reach; cheap to clone, as every layer does.
#[derive(Debug, Clone)]
pub struct AppState(Arc<Shared>);

/// What requests share.
#[derive(Debug)]
pub struct Shared {
    pub database: Database,
    /// Work beside the requests.
    pub background: Background,
    /// When the server was set up.
    pub started: Instant,
    /// As they were when the server started.
    pub settings: Arc<Settings>,
    /// As they are now.
    pub live: Arc<Live>,
    pub throttle: Arc<Throttle>,
    /// Where security events are noted.
    pub security: Arc<Recorder>,
    pub limits: Arc<Limits>,
    /// The same for pages and their server functions.
    pub page_limits: Arc<Limits>,
    pub admission: Admission,
    /// Cancelled when the server begins to stop: it is not ready any more, and nobody waits for news.
    pub draining: CancellationToken,
    /// Requests that wait for events.
    pub followers: Arc<Followers>,
    /// Requests that carry an `Idempotency-Key`.
    pub in_flight: Arc<InFlight>,
    pub site: Arc<Site>,
    /// The OpenAPI document.
    pub document: Arc<Value>,
    /// Every kind of record.
    pub kinds: Arc<[Kind]>,
    /// What anybody may do over the API when `anonymous_api_read` is on.
    pub readable: Arc<[String]>,
    /// The resources, for what serves every kind of record alike.
    pub managed: Arc<[Managed]>,
    pub leptos: LeptosOptions,
    /// The threads that draw pages, each page on one.
    pub renderers: LocalPoolHandle,
    /// Draws a document outside of the pages' routes.
    pub render: Render,
    /// Fills an empty database with a company to try things on.
    pub demo: Demo,
}

impl Deref for AppState {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl From<Shared> for AppState {
    fn from(shared: Shared) -> Self {
        Self(Arc::new(shared))
    }
}

/// Fills a database.
pub type Demo = fn(Database) -> Pin<Box<dyn Future<Output = crate::base::Result<()>> + Send>>;

/// Answers a request with a whole document.
pub type Render = fn(AppState, Request) -> Pin<Box<dyn Future<Output = Response> + Send>>;

impl FromRef<AppState> for LeptosOptions {
    fn from_ref(state: &AppState) -> Self {
        state.leptos.clone()
    }
}
