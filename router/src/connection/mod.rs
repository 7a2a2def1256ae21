//! One connection of a client: HTTP/1.1 or HTTP/2 with prior knowledge on the same port, watched for slow clients
//! without a timer of its own.

mod registry;
mod socket;
mod state;

pub(crate) use registry::Registry;
pub(crate) use state::ConnectionState;

use crate::{Router, executor::Tracked, filters};
use hyper::{
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::TokioTimer;
use socket::Socket;
use state::Command;
use std::{
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::net::TcpStream;
use tokio_util::task::TaskTracker;

/// Header bytes that hyper reads beyond the configured limit, so that the router itself can refuse in its own words.
const HEADER_GRACE_BYTES: usize = 16 * 1024;
/// hyper keeps this many header fields without an allocation.
const HYPER_HEADERS: usize = 100;
/// Tracked reset by the client before they were served, after which the connection is closed (CVE-2023-44487).
const RESET_STREAMS: usize = 20;
/// Bytes buffered for one HTTP/2 stream in either direction.
const STREAM_BUFFER_BYTES: u32 = 256 * 1024;
/// Bytes buffered for one HTTP/1 connection in either direction, at most.
const CONNECTION_BUFFER_BYTES: usize = 128 * 1024;
/// Pings that find out whether an HTTP/2 client is still there.
const PING_INTERVAL: Duration = Duration::from_secs(30);

/// Serves one connection to its end.
pub(crate) async fn serve(router: Arc<Router>, stream: TcpStream, state: Arc<ConnectionState>, tasks: TaskTracker) {
    // Answers are written whole: waiting to fill packets only adds latency.
    if stream.set_nodelay(true).is_err() || !wait_for_first_bytes(&stream, &state).await {
        return;
    }
    let limits = &router.config.limits;
    let socket = Socket::new(stream, state.clone(), router.counters.clone());
    let service = {
        let (router, state) = (router.clone(), state.clone());
        service_fn(move |request| filters::handle(router.clone(), state.clone(), request))
    };
    let result = if state.is_http2() {
        let mut builder = http2::Builder::new(Tracked(tasks));
        builder
            .timer(TokioTimer::new())
            .max_concurrent_streams(limits.http2_streams)
            .max_header_list_size(u32::try_from(limits.header_bytes + HEADER_GRACE_BYTES).unwrap_or(u32::MAX))
            .max_pending_accept_reset_streams(RESET_STREAMS)
            .max_local_error_reset_streams(RESET_STREAMS)
            .initial_stream_window_size(STREAM_BUFFER_BYTES)
            .initial_connection_window_size(STREAM_BUFFER_BYTES * 4)
            .max_send_buf_size(STREAM_BUFFER_BYTES as usize)
            .keep_alive_interval(PING_INTERVAL)
            .keep_alive_timeout(Duration::from_millis(limits.write_stall_ms));
        let connection = pin!(builder.serve_connection(socket, service));
        Watched { connection, state: &state, is_draining: false }.await
    } else {
        let mut builder = http1::Builder::new();
        let header_bytes = limits.header_bytes + HEADER_GRACE_BYTES;
        builder.header_read_timeout(None).max_header_size(header_bytes).max_buf_size(header_bytes.max(CONNECTION_BUFFER_BYTES));
        if limits.headers > HYPER_HEADERS {
            builder.max_headers(limits.headers);
        }
        let connection = pin!(builder.serve_connection(socket, service).with_upgrades());
        Watched { connection, state: &state, is_draining: false }.await
    };
    if let Some(tunnel) = state.take_tunnel() {
        tunnel.run(Duration::from_millis(limits.stream_idle_ms), &state).await;
    }
    if let Err(error) = result {
        tracing::debug!(client = %state.peer(), error = &error as &dyn std::error::Error, "connection ended with an error");
    }
}

/// Finds out the protocol from the first bytes; false where none came.
async fn wait_for_first_bytes(stream: &TcpStream, state: &ConnectionState) -> bool {
    let mut first = [0; 3];
    let peeked = {
        let mut peek = pin!(stream.peek(&mut first));
        std::future::poll_fn(|cx| {
            state.register(cx);
            if state.command() == Command::Kill { Poll::Ready(None) } else { peek.as_mut().poll(cx).map(Result::ok) }
        })
        .await
    };
    match peeked {
        None | Some(0) => false,
        Some(bytes) => {
            // No method of HTTP/1 begins like HTTP/2's preface (RFC 9113, section 3.4).
            state.set_http2(first.get(..bytes) == Some(b"PRI".as_slice()));
            true
        }
    }
}

/// What both protocols can do.
trait Graceful: Future<Output = hyper::Result<()>> {
    fn shut_down(self: Pin<&mut Self>);
}

impl<S> Graceful for http1::UpgradeableConnection<Socket, S>
where
    http1::UpgradeableConnection<Socket, S>: Future<Output = hyper::Result<()>>,
    S: hyper::service::HttpService<hyper::body::Incoming, ResBody = crate::bodies::ResponseBody>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    fn shut_down(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<S> Graceful for http2::Connection<Socket, S, Tracked>
where
    http2::Connection<Socket, S, Tracked>: Future<Output = hyper::Result<()>>,
    S: hyper::service::HttpService<hyper::body::Incoming, ResBody = crate::bodies::ResponseBody>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    Tracked: hyper::rt::bounds::Http2ServerConnExec<S::Future, crate::bodies::ResponseBody>,
{
    fn shut_down(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

/// A connection that obeys its watchdog.
struct Watched<'a, C> {
    connection: Pin<&'a mut C>,
    state: &'a ConnectionState,
    is_draining: bool,
}

impl<C: Graceful> Future for Watched<'_, C> {
    type Output = hyper::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        this.state.register(cx);
        let command = this.state.command();
        if command == Command::Drain && !std::mem::replace(&mut this.is_draining, true) {
            this.connection.as_mut().shut_down();
        }
        let polled = this.connection.as_mut().poll(cx);
        // The socket has had its chance to say 408.
        if command == Command::Kill && polled.is_pending() { Poll::Ready(Ok(())) } else { polled }
    }
}
