//! Connections: how many there may be, how long each may keep the server waiting, and how they end.
//!
//! A connection costs a descriptor and some memory even when nothing comes over it. So the head of a request, the next
//! request and the taking of an answer each have a time limit, and there is a largest number of connections, in all and of
//! one address. What is beyond gets 503 and is closed at once.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, Request};
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, Sleep, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;

use super::AppState;
use super::client_address::{TrustedProxies, network};
use super::settings::Settings;

/// The largest head of a request, in bytes; a larger one gets 431, as one with more than 100 headers does (hyper's default).
const MAX_HEAD: usize = 64 * 1024;
/// How long the server waits when it cannot accept, such as for want of descriptors.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(100);
/// The descriptors that are asked for where the system sets no limit.
const DESCRIPTORS: u64 = 1 << 20;
/// How long an idle connection is kept when the listener closes, for a request that is on its way already.
const LAST_LOOK: Duration = Duration::from_millis(100);
/// Descriptors that are kept for files, the database and the log.
const DESCRIPTORS_FOR_OTHERS: u64 = 256;

/// What a connection beyond the limits is answered.
const REFUSAL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 2\r\nconnection: close\r\n\
    content-type: text/plain\r\ncontent-length: 42\r\n\r\nToo many connections. Try again in a bit.\n";

/// The address of the server that a request was sent to, in the extensions of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalAddress(pub SocketAddr);

/// Allows this process as many descriptors as the system lets it have; gives their number where it is known.
pub fn raise_descriptor_limit() -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let limit = getrlimit(Resource::Nofile);
    let wanted = Some(limit.maximum.unwrap_or(DESCRIPTORS));
    // A system that refuses leaves what there was.
    match setrlimit(Resource::Nofile, Rlimit { current: wanted, maximum: limit.maximum }) {
        Ok(()) => wanted,
        Err(_) => limit.current,
    }
}

/// What one connection may keep the server waiting for.
#[derive(Debug, Clone, Copy)]
struct Patience {
    /// From the first byte of a request, or from the start of the connection, to the end of the head.
    head: Duration,
    /// From one answer to the next request.
    idle: Duration,
    /// From one step of the client's taking an answer to the next, and in all beyond what [`Patience::rate`] gives.
    write: Duration,
    /// The bytes of an answer that a client must take in a second, over time.
    rate: u64,
}

/// The connections there are.
#[derive(Debug)]
struct Connections {
    most: usize,
    most_of_an_address: usize,
    proxies: TrustedProxies,
    open: AtomicUsize,
    by_address: Mutex<HashMap<IpAddr, usize>>,
}

/// One connection among all; gives its place back when it is dropped.
#[derive(Debug)]
struct Place {
    connections: Arc<Connections>,
    /// Absent for those whose address says nothing about who they are: proxies and this machine.
    address: Option<IpAddr>,
}

impl Connections {
    fn new(settings: &Settings) -> Self {
        let most = settings.max_connections;
        let available = raise_descriptor_limit().map(|limit| limit.saturating_sub(DESCRIPTORS_FOR_OTHERS).max(16));
        let available = available.map_or(most, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        if available < most {
            tracing::warn!(max_connections = available, "the system allows too few descriptors for max_connections");
        }
        Self {
            most: most.min(available),
            most_of_an_address: settings.max_connections_per_address,
            proxies: settings.trusted_proxies.clone(),
            open: AtomicUsize::new(0),
            by_address: Mutex::default(),
        }
    }

    /// A place for one more connection, if there is one.
    fn enter(self: &Arc<Self>, peer: IpAddr) -> Option<Place> {
        let peer = peer.to_canonical();
        let is_counted = !peer.is_loopback() && !self.proxies.trusts_peer(peer);
        let mut place = Place { connections: Arc::clone(self), address: None };
        if self.open.fetch_add(1, Ordering::Relaxed) >= self.most {
            return None;
        }
        if is_counted {
            let address = network(peer);
            let mut by_address = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
            let open = by_address.entry(address).or_default();
            if *open >= self.most_of_an_address {
                // The lock goes before the place does, which takes it.
                drop(by_address);
                return None;
            }
            *open += 1;
            place.address = Some(address);
        }
        Some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.open.fetch_sub(1, Ordering::Relaxed);
        let Some(address) = self.address else { return };
        let mut by_address = self.connections.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = by_address.get_mut(&address) {
            *open -= 1;
            if *open == 0 {
                by_address.remove(&address);
            }
        }
    }
}

/// Serves until `stop` comes, then drains: readiness falls and answers ask for new connections; after `drain_delay` the
/// listener closes and idle connections with it; open requests get `shutdown_timeout`.
pub async fn serve(app: Router, state: &AppState, listener: TcpListener, stop: impl Future<Output = ()> + Send) {
    let (closing, giving_up, tasks) = (CancellationToken::new(), CancellationToken::new(), TaskTracker::new());
    let settings = &state.settings;
    let acceptor = Acceptor {
        app,
        connections: Arc::new(Connections::new(settings)),
        patience: Patience {
            head: settings.head_timeout,
            idle: settings.keep_alive_timeout,
            write: settings.write_timeout,
            rate: settings.min_rate,
        },
        draining: state.draining.clone(),
        closing: closing.clone(),
        giving_up: giving_up.clone(),
        tasks: tasks.clone(),
    };
    let draining = async {
        stop.await;
        tracing::info!("stopping");
        state.draining.cancel();
        sleep(settings.drain_delay).await;
        closing.cancel();
    };
    tokio::join!(acceptor.run(listener), draining);
    tasks.close();
    if tokio::time::timeout(settings.shutdown_timeout, tasks.wait()).await.is_err() {
        tracing::warn!("open requests were given up");
        giving_up.cancel();
        tasks.wait().await;
    }
}

struct Acceptor {
    app: Router,
    connections: Arc<Connections>,
    patience: Patience,
    draining: CancellationToken,
    closing: CancellationToken,
    giving_up: CancellationToken,
    tasks: TaskTracker,
}

impl Acceptor {
    async fn run(self, listener: TcpListener) {
        loop {
            let accepted = tokio::select! {
                biased;
                () = self.closing.cancelled() => break,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => self.take(stream, peer),
                Err(error) if is_of_the_client(&error) => {}
                Err(error) => {
                    tracing::error!(%error, "could not accept a connection");
                    sleep(ACCEPT_AGAIN_AFTER).await;
                }
            }
        }
        // Whoever is connected already is answered. The system is asked itself, as the runtime may not know of them yet.
        let Ok(listener) = listener.into_std() else { return };
        while let Ok((stream, peer)) = listener.accept() {
            if let Ok(stream) = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream)) {
                self.take(stream, peer);
            }
        }
    }

    fn take(&self, stream: TcpStream, peer: SocketAddr) {
        let Some(place) = self.connections.enter(peer.ip()) else {
            // Whether it gets there or not: the connection is closed.
            let _ = stream.into_std().and_then(|mut stream| stream.write(REFUSAL));
            return;
        };
        // Answers must not wait for what comes after them; a system that refuses only answers later.
        let _ = stream.set_nodelay(true);
        let local = stream.local_addr().ok();
        let exchanges = Arc::new(Exchanges::new());
        let stream = Limited::new(stream, self.patience, Arc::clone(&exchanges));
        let (app, draining, of_service) = (self.app.clone(), self.draining.clone(), Arc::clone(&exchanges));
        let service = service_fn(move |request: Request<Incoming>| {
            let exchange = Exchange::begin(&of_service);
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(peer));
            if let Some(local) = local {
                request.extensions_mut().insert(LocalAddress(local));
            }
            let answered = app.clone().call(request);
            let draining = draining.clone();
            async move {
                let Ok(mut response) = answered.await;
                if draining.is_cancelled() {
                    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
                Ok::<_, Infallible>(response.map(|body| Answer { body, _exchange: exchange }))
            }
        });
        let connection = http1::Builder::new()
            .header_read_timeout(None)
            .max_header_size(MAX_HEAD)
            .serve_connection(TokioIo::new(stream), service);
        let (closing, giving_up) = (self.closing.clone(), self.giving_up.clone());
        self.tasks.spawn(async move {
            let _place = place;
            let mut connection = pin!(connection);
            let closed = async {
                closing.cancelled().await;
                sleep(LAST_LOOK).await;
            };
            let served = tokio::select! {
                biased;
                served = connection.as_mut() => served,
                () = closed => {
                    if exchanges.is_idle() {
                        return;
                    }
                    connection.as_mut().graceful_shutdown();
                    tokio::select! {
                        served = connection => served,
                        () = giving_up.cancelled() => return,
                    }
                }
            };
            if let Err(error) = served {
                tracing::debug!(%error, %peer, "a connection ended early");
            }
        });
    }
}

/// True if accepting failed for what the client did, so that the next connection can be accepted at once.
fn is_of_the_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// How many exchanges of request and answer a connection has begun, and whether one is going on.
#[derive(Debug)]
struct Exchanges {
    /// Since when the connection is there.
    since: Instant,
    begun: AtomicU32,
    /// 1 when bytes of a head came since the last exchange.
    heads: AtomicU32,
    open: AtomicU32,
    /// When the last exchange ended, in milliseconds from the start of the connection.
    ended: AtomicU64,
}

impl Exchanges {
    fn new() -> Self {
        let none = || AtomicU32::new(0);
        Self { since: Instant::now(), begun: none(), heads: none(), open: none(), ended: AtomicU64::new(0) }
    }

    /// True if nothing of a request came, or all of it is answered.
    fn is_idle(&self) -> bool {
        self.open.load(Ordering::Relaxed) == 0 && self.heads.load(Ordering::Relaxed) == 0
    }
}

/// One exchange, until the answer is written or given up.
struct Exchange(Arc<Exchanges>);

impl Exchange {
    fn begin(exchanges: &Arc<Exchanges>) -> Self {
        exchanges.begun.fetch_add(1, Ordering::Relaxed);
        exchanges.open.fetch_add(1, Ordering::Relaxed);
        exchanges.heads.store(0, Ordering::Relaxed);
        Self(Arc::clone(exchanges))
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let ended = u64::try_from(self.0.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.ended.store(ended, Ordering::Relaxed);
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The body of an answer, which ends its exchange.
struct Answer {
    body: Body,
    _exchange: Exchange,
}

impl HttpBody for Answer {
    type Data = axum::body::Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A stream that fails when its client keeps it waiting for too long.
///
/// Timers are set only where the stream has to wait, and a timer that is set for an earlier moment is left to ring first:
/// a busy connection sets one a minute or so.
struct Limited {
    stream: TcpStream,
    patience: Patience,
    exchanges: Arc<Exchanges>,
    reading: Option<Pin<Box<Sleep>>>,
    /// Since when a head comes in, after the first.
    head_since: Instant,
    writing: Option<Pin<Box<Sleep>>>,
    /// Since when a write waits.
    stuck_since: Option<Instant>,
    /// The exchange that the next two tell about.
    written_in: u32,
    written: u64,
    waited: Duration,
}

impl Limited {
    fn new(stream: TcpStream, patience: Patience, exchanges: Arc<Exchanges>) -> Self {
        Self {
            stream,
            patience,
            exchanges,
            reading: None,
            head_since: Instant::now(),
            writing: None,
            stuck_since: None,
            written_in: 0,
            written: 0,
            waited: Duration::ZERO,
        }
    }

    /// When the client has to have sent what is waited for. During an exchange, which its body may make long, this is only
    /// when to look again: hyper does not always read again when an answer ends.
    fn due(&self) -> Instant {
        let exchanges = &self.exchanges;
        if exchanges.open.load(Ordering::Relaxed) > 0 {
            Instant::now() + self.patience.idle
        } else if exchanges.begun.load(Ordering::Relaxed) == 0 {
            exchanges.since + self.patience.head
        } else if exchanges.heads.load(Ordering::Relaxed) > 0 {
            self.head_since + self.patience.head
        } else {
            exchanges.since + Duration::from_millis(exchanges.ended.load(Ordering::Relaxed)) + self.patience.idle
        }
    }

    /// Fails when nothing comes in time.
    fn poll_late_reading(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let due = self.due();
        let mut timer = self.reading.take().unwrap_or_else(|| Box::pin(sleep_until(due)));
        let late = loop {
            let due = self.due();
            if timer.deadline() > due {
                timer.as_mut().reset(due);
            }
            if timer.as_mut().poll(context).is_pending() {
                break Poll::Pending;
            }
            if Instant::now() >= due {
                break Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            timer.as_mut().reset(due);
        };
        self.reading = Some(timer);
        late
    }

    /// What came begins a head, or goes on with it.
    fn note_read(&mut self) {
        let exchanges = &self.exchanges;
        if exchanges.open.load(Ordering::Relaxed) == 0 && exchanges.heads.swap(1, Ordering::Relaxed) == 0 {
            self.head_since = Instant::now();
        }
    }

    /// Fails when the client takes nothing for too long, or too little over time.
    fn poll_late_writing(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let begun = self.exchanges.begun.load(Ordering::Relaxed);
        if self.written_in != begun {
            (self.written_in, self.written, self.waited) = (begun, 0, Duration::ZERO);
        }
        let since = *self.stuck_since.get_or_insert_with(Instant::now);
        let earned = Duration::from_secs(self.written.checked_div(self.patience.rate).unwrap_or_default());
        let left = (self.patience.write + earned).saturating_sub(self.waited);
        let left = if self.patience.rate == 0 { self.patience.write } else { left.min(self.patience.write) };
        let due = since + left;
        let timer = self.writing.get_or_insert_with(|| Box::pin(sleep_until(due)));
        if timer.deadline() != due {
            timer.as_mut().reset(due);
        }
        ready!(timer.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    fn note_written(&mut self, written: usize) {
        self.written += written as u64;
        if let Some(since) = self.stuck_since.take() {
            self.waited += since.elapsed();
        }
    }

    fn poll_written(
        &mut self,
        context: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut TcpStream>, &mut Context<'_>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match write(Pin::new(&mut self.stream), context) {
            Poll::Pending => {
                ready!(self.poll_late_writing(context))?;
                Poll::Pending
            }
            Poll::Ready(Ok(written)) => {
                self.note_written(written);
                Poll::Ready(Ok(written))
            }
            failed => failed,
        }
    }
}

impl AsyncRead for Limited {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        match Pin::new(&mut self.stream).poll_read(context, buf) {
            Poll::Pending => {
                ready!(self.poll_late_reading(context))?;
                Poll::Pending
            }
            read => {
                if buf.filled().len() > before {
                    self.note_read();
                }
                read
            }
        }
    }
}

impl AsyncWrite for Limited {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_written(context, |stream, context| stream.poll_write(context, buf))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_written(context, |stream, context| stream.poll_write_vectored(context, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_so_many_connections_and_proxies_and_this_machine_as_many_as_all() {
        let connections = Arc::new(Connections {
            most: 7,
            most_of_an_address: 2,
            proxies: TrustedProxies::parse("10.0.0.0/8", false, axum::http::header::FORWARDED).unwrap(),
            open: AtomicUsize::new(0),
            by_address: Mutex::default(),
        });
        let enter = |peer: &str| connections.enter(peer.parse().unwrap());
        let (first, second) = (enter("203.0.113.7").unwrap(), enter("::ffff:203.0.113.7").unwrap());
        assert!(enter("203.0.113.7").is_none());
        drop(first);
        let third = enter("203.0.113.7").unwrap();
        let network = [enter("2001:db8::1").unwrap(), enter("2001:db8::2").unwrap()];
        assert!(enter("2001:db8::3").is_none() && enter("203.0.113.7").is_none());
        let others = ["10.1.1.1", "10.1.1.1", "127.0.0.1"].map(|peer| enter(peer).unwrap());
        assert!(enter("127.0.0.1").is_none() && enter("198.51.100.1").is_none(), "there are seven");
        drop((second, third, network, others));
        assert_eq!(connections.open.load(Ordering::Relaxed), 0);
        assert!(connections.by_address.lock().unwrap().is_empty());
    }
}
