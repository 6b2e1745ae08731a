//! All modules under one roof: the router, the API and what keeps running beside them.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, RETRY_AFTER, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use leptos::config::LeptosOptions;
use leptos_axum::{AxumRouteListing, generate_route_list};
use tokio_util::sync::CancellationToken;
use tokio_util::task::LocalPoolHandle;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;

use crate::access::permission::{Catalogue, Extra, Row};
use crate::access::security::{self, Recorder};
use crate::access::throttle::Throttle;
use crate::access::{invitation, role, session, user};
use crate::app::shell;
use crate::base::error::Code;
use crate::base::{Error, Result};
use crate::history::chain;
use crate::server::admission::{self, Admission};
use crate::server::background::Background;
use crate::server::database::{Database, Reference};
use crate::server::feed::Followers;
use crate::server::idempotency;
use crate::server::limits::Limits;
use crate::server::live::{self, Live};
use crate::server::record::{once, tally};
use crate::server::repeat;
use crate::server::rest::Api;
use crate::server::settings::Settings;
use crate::server::site::{self, Site};
use crate::server::{AppState, Shared, answer, listener, same_site, web};
use crate::{accounts, admin, audit, customers, demo, import, orders, products};

/// How often expired sessions, spent keys, old uploads and old attempts are forgotten.
const SWEEP_EVERY: Duration = Duration::from_secs(600);
/// How often it is seen whether the numbers of whole tables are to be added up, and with every which time how large they are.
const TALLY_EVERY: Duration = Duration::from_secs(1);
const LOOKED_AT: u64 = 60;

/// How often events are sealed.
const SEAL_EVERY: Duration = Duration::from_secs(1);

/// What refers to what: it goes with it, or stands in the way of deleting it.
pub const REFERENCES: [Reference; 5] = [
    Reference {
        to: "customers",
        table: "orders",
        column: "customer_id",
        counted: "id",
        resource: "orders",
        href: "/orders?customer=",
        cascades: false,
    },
    Reference {
        to: "products",
        table: "order_items",
        column: "product_id",
        counted: "order_id",
        resource: "orders",
        href: "/orders?product=",
        cascades: false,
    },
    Reference {
        to: "orders",
        table: "order_items",
        column: "order_id",
        counted: "id",
        resource: "lines",
        href: "",
        cascades: true,
    },
    Reference {
        to: "roles",
        table: "user_roles",
        column: "role_id",
        counted: "user_id",
        resource: "users",
        href: "/admin/users?role_id=",
        cascades: false,
    },
    Reference {
        to: "users",
        table: "api_tokens",
        column: "user_id",
        counted: "id",
        resource: "tokens",
        href: "/admin/tokens?user=",
        cascades: false,
    },
];

/// What can be permitted beyond viewing, adding, changing and deleting records.
const EXTRAS: [(&str, &str); 10] = [
    ("orders.place", "Place orders"),
    ("orders.ship", "Ship orders"),
    ("orders.reopen", "Reopen placed orders"),
    ("orders.cancel", "Cancel orders"),
    (orders::status::OVERRIDE_CREDIT, "Place orders beyond a customer's credit limit"),
    ("records.import", "Import files"),
    ("history.view", "See the log of the whole house"),
    ("security.view", "See who signed in and what was done about ways in"),
    ("admin.view", "Open the admin area"),
    ("settings.change", "Change settings while the server runs"),
];

/// What of the access to the house can be permitted, beside users and roles.
const GUARDED: [(&str, [Option<&str>; 4]); 2] = [
    ("API tokens", [Some("tokens.view"), Some("tokens.add"), None, Some("tokens.delete")]),
    ("Sessions", [Some("sessions.view"), None, None, Some("sessions.delete")]),
];

/// Everything that a role can permit: the actions on every resource, and the extra permissions.
pub fn catalogue() -> &'static Catalogue {
    static CATALOGUE: OnceLock<Catalogue> = OnceLock::new();
    CATALOGUE.get_or_init(|| {
        let guarded =
            GUARDED.map(|(label, codes)| Row { label: label.into(), codes: codes.map(|code| code.map(Into::into)) });
        Catalogue {
            rows: api().granted().iter().cloned().chain(guarded).collect(),
            extras: EXTRAS.map(|(code, label)| Extra { code: code.into(), label: label.into() }).into(),
        }
    })
}

/// The REST resources, one line per module.
pub fn api() -> Api {
    Api::default()
        .resource::<customers::entity::Entity>()
        .resource::<products::entity::Entity>()
        .resource::<orders::entity::Entity>()
        .operations(orders::api::routes(), orders::api::paths())
        .resource::<orders::item::Entity>()
        .resource::<user::Entity>()
        .resource::<role::Entity>()
        .operations(accounts::api::routes(), accounts::api::paths())
}

/// The addresses of the pages. They are listed once in the life of a process, as leptos loads nothing for any page while it
/// lists them: a page that is drawn just then would wait for ever.
pub fn page_routes() -> &'static [AxumRouteListing] {
    static ROUTES: OnceLock<Vec<AxumRouteListing>> = OnceLock::new();
    ROUTES.get_or_init(|| generate_route_list(shell))
}

/// What every request can reach.
pub fn state(settings: Settings, database: Database) -> AppState {
    let api = api();
    let database = database
        .knowing(&REFERENCES, &settings.currency)
        .granting(catalogue())
        .answering_within(settings.request_timeout);
    AppState::from(Shared {
        started: Instant::now(),
        security: Arc::new(Recorder::new(database.clone())),
        database,
        background: Background::default(),
        limits: Arc::new(Limits::new(settings.rate_limit, settings.rate_burst)),
        page_limits: Arc::new(Limits::new(settings.page_rate_limit, settings.page_rate_burst)),
        admission: Admission::new(settings.max_requests),
        draining: CancellationToken::new(),
        followers: Arc::new(Followers::new(settings.max_followers, settings.max_followers_per_caller)),
        in_flight: Arc::default(),
        throttle: Arc::new(Throttle::new(settings.sign_in_attempts)),
        site: Arc::new(Site::find(&settings.site_dir)),
        document: Arc::new(api.document()),
        managed: api.managed(),
        kinds: api.kinds().into(),
        readable: api.readable().into(),
        leptos: LeptosOptions::builder().output_name("kontor").build(),
        renderers: LocalPoolHandle::new(std::thread::available_parallelism().map_or(2, usize::from)),
        demo: |database| Box::pin(async move { demo::load(&database).await.map(drop) }),
        render: |state, request| Box::pin(web::document(state, shell, request)),
        live: Arc::new(Live::new(settings.clone())),
        settings: Arc::new(settings),
    })
}

/// Everything the server answers. Layers are put around it in stacks, each running from its first layer to its last: a route is
/// cloned for every request, and once more in every layer that was put around it by itself.
///
/// # Errors
/// `Internal` when `public_url` is no origin.
pub fn router(state: &AppState) -> Result<Router> {
    let settings = &state.settings;
    let asking = Router::new()
        .merge(web::pages(state, shell, page_routes()))
        .merge(import::door::routes(state))
        .merge(audit::door::routes())
        .merge(api().router(state))
        .layer(
            ServiceBuilder::new()
                .layer(same_site::layer(settings)?)
                .layer(from_fn_with_state(state.clone(), same_site::said_only))
                .layer(session::layer(state.database.clone(), settings))
                .layer(from_fn_with_state(state.clone(), web::identify))
                .layer(from_fn(repeat::repeat)),
        );
    let router = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .merge(asking)
        .merge(site::files(&settings.site_dir))
        .with_state(state.clone())
        .layer(
            ServiceBuilder::new()
                .layer(map_response(guarded))
                .layer(CompressionLayer::new())
                .layer(from_fn_with_state(state.clone(), answer::answer))
                .layer(CatchPanicLayer::custom(panicked))
                .layer(from_fn_with_state(state.clone(), admission::admit)),
        );
    Ok(if settings.secure_cookies { router.layer(map_response(over_tls)) } else { router })
}

async fn ready(State(state): State<AppState>) -> Result<String> {
    if state.draining.is_cancelled() {
        return Err(Error::new(Code::Unavailable, "This server is stopping."));
    }
    Ok(match state.database.check_ready().await?.unknown_steps {
        0 => "ready\n".to_owned(),
        unknown => format!("ready\nsteps of the schema that this release does not know: {unknown}\n"),
    })
}

fn panicked(panic: Box<dyn std::any::Any + Send>) -> Response {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("without a message");
    Error::internal(format!("panicked: {text}")).into_response()
}

/// The headers that every answer carries unless it brought its own.
async fn guarded<B>(mut response: Response<B>) -> Response<B> {
    let defaults: [(HeaderName, &'static str); 7] = [
        (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'; base-uri 'none'"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
        (CACHE_CONTROL, "no-store"),
    ];
    for (name, value) in defaults {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    if response.status() == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().entry(RETRY_AFTER).or_insert(HeaderValue::from_static("2"));
    }
    response
}

async fn over_tls(mut response: Response) -> Response {
    response.headers_mut().insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    response
}

/// Serves until `stop` comes, then drains (see [`listener::serve`]).
///
/// # Errors
/// When the database does not answer at the start.
pub async fn serve(
    state: AppState,
    listener: tokio::net::TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<()> {
    serve_beside(Router::new(), state, listener, stop).await
}

/// The same, beside other routes, which go through nothing of the house.
///
/// # Errors
/// Those of [`serve`].
pub async fn serve_beside(
    others: Router,
    state: AppState,
    listener: tokio::net::TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<()> {
    live::refresh(&state).await?;
    let sweeping = tokio::spawn(sweep(state.clone()));
    let following = tokio::spawn(live::follow(state.clone()));
    let sealing = tokio::spawn(seal(state.database.clone()));
    let tallying = tokio::spawn(add_up(state.database.clone()));
    let stopping = state.clone();
    let stop = async move {
        stop.await;
        stopping.background.stop();
    };
    listener::serve(others.merge(router(&state)?), &state, listener, stop).await;
    sweeping.abort();
    following.abort();
    sealing.abort();
    tallying.abort();
    state.background.stop();
    if !state.background.stopped(state.settings.shutdown_timeout).await {
        tracing::warn!("work beside the requests was given up");
    }
    state.security.flush().await;
    state.database.close().await;
    Ok(())
}

/// Seals events soon after they were committed.
async fn seal(database: Database) {
    let mut every = tokio::time::interval(SEAL_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        if let Err(error) = chain::seal(&database).await {
            tracing::warn!(error = error.internal.as_deref(), "could not seal events");
        }
    }
}

/// Keeps the numbers of whole tables short to read.
async fn add_up(database: Database) {
    let mut every = tokio::time::interval(TALLY_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for times in 0_u64.. {
        every.tick().await;
        let added = async {
            if tally::is_long(&database).await? {
                tally::compact(&database).await?;
            }
            if times.is_multiple_of(LOOKED_AT) { tally::look(&database).await } else { Ok(()) }
        };
        if let Err(error) = added.await {
            tracing::warn!(error = error.internal.as_deref(), "could not add up the numbers of the tables");
        }
    }
}

async fn sweep(state: AppState) {
    let mut every = tokio::time::interval(SWEEP_EVERY);
    loop {
        every.tick().await;
        state.throttle.sweep();
        state.limits.sweep();
        state.page_limits.sweep();
        let database = &state.database;
        let swept = [
            session::sweep(database).await,
            invitation::sweep(database).await,
            once::sweep(database).await,
            idempotency::sweep(database).await,
            import::upload::sweep(database).await,
            admin::run::sweep(database).await,
            security::sweep(database, state.settings.security_event_days).await,
        ];
        for swept in swept {
            if let Err(error) = swept {
                tracing::warn!(error = error.internal.as_deref(), "could not sweep");
            }
        }
    }
}
