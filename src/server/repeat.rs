//! Repeats a request whose command the database ended because others worked on the same rows at the same time.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, ready};
use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes};
use axum::extract::Request;
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;
use futures::stream::Fuse;
use futures::{StreamExt, stream};

use super::answer::SERVER_FN_ERROR;
use crate::base::Result;
use crate::base::error::retry;

/// How often a command is attempted at most.
const MAX_ATTEMPTS: u32 = 6;

/// The longest pause before the second attempt; it doubles with every further one.
const FIRST_PAUSE: Duration = Duration::from_millis(20);

/// The largest body that is kept to be sent once more, in bytes. A request with a larger one is attempted once.
const MAX_BODY: usize = 4 << 20;

/// Runs the request again when its transaction met a deadlock or a serialization failure and nothing of it was committed. What
/// runs outside of this layer, such as the rate limit and the session, happens once.
///
/// The body is kept while it is read, so that nothing is read earlier than the handler would.
pub async fn repeat(request: Request, next: Next) -> Response {
    if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let body = KeptBody::new(body);
    let mut attempt = 1;
    loop {
        let request = Request::from_parts(parts.clone(), body.read());
        let (response, is_transient) = retry::attempt(next.clone().run(request)).await;
        let failed = response.status().is_server_error() || response.headers().contains_key(SERVER_FN_ERROR);
        if !failed || !is_transient || attempt >= MAX_ATTEMPTS || !body.is_whole() {
            return response;
        }
        drop(response);
        pause(attempt).await;
        attempt += 1;
    }
}

/// Runs a command of the command line, and runs it again as [`repeat`] does a request.
///
/// # Errors
/// Those of the last attempt.
pub async fn repeated<T, F: Future<Output = Result<T>>>(command: impl Fn() -> F) -> Result<T> {
    let mut attempt = 1;
    loop {
        let (made, is_transient) = retry::attempt(command()).await;
        if made.is_ok() || !is_transient || attempt >= MAX_ATTEMPTS {
            return made;
        }
        pause(attempt).await;
        attempt += 1;
    }
}

/// Waits a random time, so that those who met do not meet again.
async fn pause(attempt: u32) {
    let longest = FIRST_PAUSE * 2_u32.saturating_pow(attempt - 1);
    tokio::time::sleep(longest.mul_f64(rand::random::<f64>())).await;
}

/// A body that can be read more than once.
#[derive(Debug, Clone)]
struct KeptBody(Arc<Mutex<Kept>>);

#[derive(Debug)]
struct Kept {
    source: Fuse<BodyDataStream>,
    /// What was read so far.
    chunks: Vec<Bytes>,
    size: usize,
    /// Whether something was read that is not kept.
    is_lost: bool,
}

impl KeptBody {
    fn new(body: Body) -> Self {
        let source = body.into_data_stream().fuse();
        Self(Arc::new(Mutex::new(Kept { source, chunks: Vec::new(), size: 0, is_lost: false })))
    }

    /// The body from its beginning.
    fn read(&self) -> Body {
        let kept = Arc::clone(&self.0);
        let mut at = 0;
        Body::from_stream(stream::poll_fn(move |context| {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(chunk) = kept.chunks.get(at) {
                at += 1;
                return Poll::Ready(Some(Ok(chunk.clone())));
            }
            let chunk = ready!(kept.source.poll_next_unpin(context));
            if let Some(chunk) = &chunk {
                kept.keep(chunk.as_ref().ok());
                at = kept.chunks.len();
            }
            Poll::Ready(chunk)
        }))
    }

    /// Whether it can be read from its beginning.
    fn is_whole(&self) -> bool {
        !self.0.lock().unwrap_or_else(PoisonError::into_inner).is_lost
    }
}

impl Kept {
    fn keep(&mut self, chunk: Option<&Bytes>) {
        self.size += chunk.map_or(0, Bytes::len);
        self.is_lost |= chunk.is_none() || self.size > MAX_BODY;
        if self.is_lost {
            self.chunks = Vec::new();
        } else {
            self.chunks.extend(chunk.cloned());
        }
    }
}
