//! Requests with large bodies are worked on off the async threads, so that however long it takes to check and store what
//! they hold, others are answered in between. Large answers are compressed a piece at a time for the same reason.

use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes, HttpBody, to_bytes};
use axum::extract::Request;
use axum::http::header::CONTENT_LENGTH;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body::{Frame, SizeHint};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::base::error::Code;
use crate::base::{Error, Result};

/// The largest body that is worked on like any request, in bytes. What costs most for its size takes some tens of milliseconds.
const LARGE: usize = 16 * 1024;

/// Each takes a thread while it is worked on, so only so many run at once; others wait their turn.
static TURNS: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(available_parallelism().map_or(2, usize::from).max(2)));

/// Reads a body of up to `limit` bytes.
///
/// # Errors
/// `TooLarge`.
pub async fn read(body: Body, limit: usize) -> Result<Bytes> {
    let too_large = |_| Error::new(Code::TooLarge, format!("A body may have up to {limit} bytes."));
    to_bytes(body, limit).await.map_err(too_large)
}

/// Carries a request on; with a large body, off the async threads.
pub async fn run(request: Request, next: Next, limit: usize) -> Response {
    let length = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if request.body().is_end_stream() || length.is_some_and(|length: usize| length <= LARGE) {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    match read(body, limit).await {
        Ok(body) => {
            let size = body.len();
            work(size, next.run(Request::from_parts(parts, Body::from(body)))).await
        }
        Err(error) => error.into_response(),
    }
}

/// Does the work that a body of this size makes; it ends when nobody waits for it any more.
pub async fn work(size: usize, work: impl Future<Output = Response> + Send + 'static) -> Response {
    if size <= LARGE {
        return work.await;
    }
    let Ok(_turn) = TURNS.acquire().await else { return Error::internal("no turns").into_response() };
    let is_given_up = CancellationToken::new();
    let _guard = is_given_up.clone().drop_guard();
    let runtime = Handle::current();
    let work = is_given_up.run_until_cancelled_owned(work).in_current_span();
    match spawn_blocking(move || runtime.block_on(work)).await {
        Ok(Some(response)) => response,
        Ok(None) => Error::internal("given up").into_response(),
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(error) => Error::internal(format!("a large request: {error}")).into_response(),
    }
}

/// The largest piece of an answer that is compressed at once, in bytes.
const PIECE: usize = 16 * 1024;
/// How long pieces are compressed before others have a turn.
const TURN: Duration = Duration::from_millis(2);

/// An answer that the layer around this one may compress without keeping others waiting.
pub fn in_pieces(body: Body) -> Body {
    let is_large = body.size_hint().upper().is_none_or(|size| size > PIECE as u64);
    if is_large { Body::new(Pieces { body, rest: Bytes::new(), turn: None }) } else { body }
}

/// A body in small pieces, with pauses.
struct Pieces {
    body: Body,
    /// What of a frame is not sent yet.
    rest: Bytes,
    /// Since when there was no pause.
    turn: Option<Instant>,
}

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let begun = *self.turn.get_or_insert_with(Instant::now);
        if begun.elapsed() > TURN {
            self.turn = None;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.rest.is_empty() {
            match Pin::new(&mut self.body).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                Poll::Pending => {
                    self.turn = None;
                    return Poll::Pending;
                }
                ended => return ended,
            }
        }
        let size = self.rest.len().min(PIECE);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(size)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (hint, rest) = (self.body.size_hint(), self.rest.len() as u64);
        let mut whole = SizeHint::new();
        whole.set_lower(hint.lower() + rest);
        if let Some(upper) = hint.upper() {
            whole.set_upper(upper + rest);
        }
        whole
    }
}
