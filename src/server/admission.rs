//! What every request goes through before it is worked on: it must be for one of our hosts, there must be room for it, and
//! the work on it ends in time.
//!
//! The time limit counts the work. While a body comes in, the client has time as long as it sends: [`TimedBody`] watches
//! that, and a request whose body is waited for takes no place of those that are worked on.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{MatchedPath, Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body::{Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

use super::AppState;
use super::answer::brief;
use super::hosts;
use super::settings::Settings;
use crate::base::Error;
use crate::base::error::Code;

/// What answers however busy the server is.
const ALWAYS_ANSWERED: [&str; 2] = ["/healthz", "/readyz"];
/// How soon a request that found no room may come again, in seconds.
const COME_AGAIN_AFTER: u32 = 2;
/// How soon the time of work is looked at again while a body comes in.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// The requests that are worked on.
#[derive(Debug)]
pub struct Admission {
    most: usize,
    open: AtomicUsize,
}

impl Admission {
    /// Admits `most` requests at once.
    pub fn new(most: usize) -> Self {
        Self { most, open: AtomicUsize::new(0) }
    }

    fn begin(&self) {
        self.open.fetch_add(1, Ordering::Relaxed);
    }

    fn end(&self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }

    fn is_full(&self) -> bool {
        self.open.load(Ordering::Relaxed) >= self.most
    }
}

/// A request that is worked on; while its body is waited for, it is not counted.
struct Work {
    state: AppState,
    is_counted: bool,
    started: Instant,
    waits: Mutex<Waits>,
}

#[derive(Debug, Default)]
struct Waits {
    /// Since when the body is waited for.
    since: Option<Instant>,
    /// How long it was waited for before.
    before: Duration,
    /// The body came too slowly.
    is_late: bool,
}

impl Waits {
    fn in_all(&self) -> Duration {
        self.before + self.since.map_or(Duration::ZERO, |since| since.elapsed())
    }
}

impl Work {
    fn begin(state: AppState, is_counted: bool) -> Arc<Self> {
        if is_counted {
            state.admission.begin();
        }
        Arc::new(Self { state, is_counted, started: Instant::now(), waits: Mutex::default() })
    }

    fn waits<T>(&self, look: impl FnOnce(&mut Waits) -> T) -> T {
        look(&mut self.waits.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Begins to wait for the body, or goes on; gives since when.
    fn wait(&self) -> (Instant, Duration) {
        self.waits(|waits| {
            if waits.since.is_none() && self.is_counted {
                self.state.admission.end();
            }
            (*waits.since.get_or_insert_with(Instant::now), waits.before)
        })
    }

    fn go_on(&self) {
        self.waits(|waits| {
            if let Some(since) = waits.since.take() {
                waits.before += since.elapsed();
                if self.is_counted {
                    self.state.admission.begin();
                }
            }
        });
    }

    /// Comes when the work has taken `limit`, without the time in which the body was waited for.
    async fn takes(&self, limit: Duration) {
        loop {
            let (waited, is_waiting) = self.waits(|waits| (waits.in_all(), waits.since.is_some()));
            let due = self.started + limit + waited;
            if Instant::now() >= due {
                return;
            }
            sleep_until(if is_waiting { due.max(Instant::now() + LOOK_AGAIN_AFTER) } else { due }).await;
        }
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        let is_waiting = self.waits(|waits| waits.since.is_some());
        if self.is_counted && !is_waiting {
            self.state.admission.end();
        }
    }
}

/// Refuses what is for another host or finds no room, and gives up what takes too long.
pub async fn admit(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if ALWAYS_ANSWERED.contains(&path) {
        return in_time(&state.settings, next.run(request)).await;
    }
    if !hosts::is_allowed(&state.settings, request.uri(), request.headers()) {
        let error = "This server does not answer for this host. Check the address; see the setting allowed_hosts.";
        return brief(StatusCode::MISDIRECTED_REQUEST, Error::invalid(error));
    }
    let is_counted =
        request.extensions().get::<MatchedPath>().is_some() && !path.starts_with("/pkg/") && !is_wait(&request);
    if is_counted && state.admission.is_full() {
        let error =
            Error::new(Code::Unavailable, "The server has too much to do. Nothing was done; try again in a moment.");
        let error = Error { retry_after: Some(COME_AGAIN_AFTER), ..error };
        return brief(StatusCode::SERVICE_UNAVAILABLE, error);
    }
    let work = Work::begin(state, is_counted);
    let settings = &work.state.settings;
    if request.body().is_end_stream() {
        return in_time(settings, next.run(request)).await;
    }
    let request = request.map(|body| Body::new(TimedBody::new(body, Arc::clone(&work))));
    let answer = tokio::select! {
        biased;
        answer = next.run(request) => answer,
        () = work.takes(settings.request_timeout) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    };
    if work.waits(|waits| waits.is_late) { too_slow() } else { answer }
}

async fn in_time(settings: &Settings, answer: impl Future<Output = Response>) -> Response {
    let answer = tokio::time::timeout(settings.request_timeout, answer).await;
    answer.unwrap_or_else(|_| StatusCode::SERVICE_UNAVAILABLE.into_response())
}

/// True for followers of events, who wait most of the time.
fn is_wait(request: &Request) -> bool {
    request.uri().path().trim_end_matches('/').ends_with("/events")
        && request.uri().query().is_some_and(|query| query.contains("wait="))
}

fn too_slow() -> Response {
    let error = Error::invalid("The body of the request came too slowly or stopped. Send it again.");
    brief(StatusCode::REQUEST_TIMEOUT, error)
}

/// A body that fails when it stops for `body_timeout`, or takes that long beyond what `min_rate` gives.
struct TimedBody {
    body: Body,
    work: Arc<Work>,
    received: u64,
    timer: Option<Pin<Box<Sleep>>>,
}

impl TimedBody {
    fn new(body: Body, work: Arc<Work>) -> Self {
        Self { body, work, received: 0, timer: None }
    }

    /// When the next bytes must have come.
    fn due(&self) -> Instant {
        let settings = &self.work.state.settings;
        let (since, waited) = self.work.wait();
        let idle = settings.body_timeout;
        if settings.min_rate == 0 {
            return since + idle;
        }
        let earned = Duration::from_secs(self.received / settings.min_rate);
        since + (idle + earned).saturating_sub(waited).min(idle)
    }
}

impl HttpBody for TimedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            self.work.go_on();
            self.timer = None;
            if let Some(Ok(frame)) = &frame {
                self.received += frame.data_ref().map_or(0, Bytes::len) as u64;
            }
            return Poll::Ready(frame);
        }
        let due = self.due();
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
        if timer.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        self.work.go_on();
        self.work.waits(|waits| waits.is_late = true);
        let late = std::io::Error::from(std::io::ErrorKind::TimedOut);
        Poll::Ready(Some(Err(axum::Error::new(late))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for TimedBody {
    fn drop(&mut self) {
        self.work.go_on();
    }
}
