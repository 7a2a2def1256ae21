//! Requests to a server: HTTP over connections to the port it listens on. HTTP/1.1 connections are kept for the next request;
//! HTTP/2 has one connection for all. The guest may live in another worker of the box; the way there is the same.

use crate::{
    guest::http_p3::with_authority,
    host::CellCore,
    instance::{AppInstance, Slot},
    limits::LimitHit,
    neighbours::{self, Link},
};
use http::{Uri, Version, header};
use http_body_util::BodyExt as _;
use hyper::{client::conn::http2, rt::Executor};
use hyper_util::{
    client::legacy::{Client, connect::Connected},
    rt::{TokioIo, TokioTimer},
};
use std::{
    error::Error as _,
    io,
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll},
    time::Duration,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use virga_contract::{
    Body,
    cell::{CellError, InFlight},
};
use virga_model::route::RouteProtocol;

/// How long a connection is kept for the next request.
const IDLE_TIME: Duration = Duration::from_secs(30);
/// Bytes that wait on one HTTP/2 stream.
const STREAM_BYTES: u32 = 256 << 10;

/// The ways to one server from this worker.
pub struct Clients {
    http1: Client<Connector, Body>,
    http2: tokio::sync::Mutex<Option<http2::SendRequest<Body>>>,
    tasks: Owned,
}

/// Tasks of connections: they belong to the cell and end with it.
#[derive(Clone)]
pub(super) struct Owned(TaskTracker, CancellationToken);

impl Owned {
    pub(super) fn of(cell: &CellCore) -> Self {
        Self(cell.lives.clone(), cell.stopping.clone())
    }
}

impl<F> Executor<F> for Owned
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, future: F) {
        let stopping = self.1.clone();
        self.0.spawn(async move {
            stopping.run_until_cancelled(future).await;
        });
    }
}

impl Clients {
    /// Connects only when first used.
    pub fn new(instance: &Arc<AppInstance>) -> Self {
        let tasks = Owned::of(&instance.cell);
        let http1 = Client::builder(tasks.clone())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIME)
            .pool_max_idle_per_host(instance.cell.kept_connections)
            .set_host(false)
            .build(Connector(Arc::downgrade(instance)));
        Self { http1, http2: tokio::sync::Mutex::default(), tasks }
    }

    async fn http1(&self, mut request: http::Request<Body>) -> Result<http::Response<hyper::body::Incoming>, CellError> {
        let target = request.uri().path_and_query().cloned().unwrap_or_else(|| http::uri::PathAndQuery::from_static("/"));
        if !request.headers().contains_key(header::HOST) {
            request.headers_mut().insert(header::HOST, http::HeaderValue::from_static("localhost"));
        }
        // One pool for all hosts of the app; which one was asked for stands in the header.
        let uri = Uri::builder().scheme("http").authority("guest").path_and_query(target).build();
        *request.uri_mut() = uri.map_err(|error| CellError::Guest(error.to_string()))?;
        *request.version_mut() = Version::HTTP_11;
        self.http1.request(request).await.map_err(|error| match error.source().and_then(find) {
            Some(known) => known,
            None => CellError::Guest(chain(&error)),
        })
    }

    async fn http2(
        &self,
        instance: &Arc<AppInstance>,
        request: http::Request<Body>,
    ) -> Result<http::Response<hyper::body::Incoming>, CellError> {
        let mut request = with_authority(request);
        request.headers_mut().remove(header::HOST);
        *request.version_mut() = Version::HTTP_2;
        let mut sender = self.sender(instance).await?;
        sender.send_request(request).await.map_err(|error| CellError::Guest(chain(&error)))
    }

    async fn sender(&self, instance: &Arc<AppInstance>) -> Result<http2::SendRequest<Body>, CellError> {
        let mut held = self.http2.lock().await;
        if let Some(sender) = held.as_ref().filter(|sender| !sender.is_closed()) {
            return Ok(sender.clone());
        }
        let link = instance.link().await?;
        let mut builder = http2::Builder::new(self.tasks.clone());
        builder.timer(TokioTimer::new()).initial_stream_window_size(STREAM_BYTES).initial_connection_window_size(STREAM_BYTES * 4);
        let (sender, connection) = builder.handshake(TokioIo::new(link)).await.map_err(|error| CellError::Guest(chain(&error)))?;
        self.tasks.execute(async move {
            if let Err(error) = connection.await {
                tracing::debug!(error = &error as &dyn std::error::Error, "a connection to a server ended with an error");
            }
        });
        *held = Some(sender.clone());
        Ok(sender)
    }
}

/// The cell's own error among the causes.
fn find(error: &(dyn std::error::Error + 'static)) -> Option<CellError> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(known) = error.downcast_ref::<CellError>() {
            return Some(known.clone());
        }
        cause = error.source();
    }
    None
}

fn chain(error: &dyn std::error::Error) -> String {
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// Serves one request. The wall-time limit is on the head of the answer: what streams after it may take as long as it moves.
pub async fn serve(slot: Slot, request: http::Request<Body>) -> Result<http::Response<Body>, CellError> {
    let instance = slot.instance.clone();
    let clients = instance.clients();
    let is_http2 = request.extensions().get() == Some(&RouteProtocol::Http2) && !request.headers().contains_key(header::UPGRADE);
    let asking = async { if is_http2 { clients.http2(&instance, request).await } else { clients.http1(request).await } };
    let answered = match tokio::time::timeout(instance.cell.limits.request_wall(), asking).await {
        Ok(answered) => answered,
        Err(_) => return Err(instance.limit_hit(LimitHit::Wall)),
    };
    let mut answer = answered.inspect_err(|error| {
        if let CellError::Guest(reason) = error {
            instance.log.cell(format!("a request failed: {reason}"));
        }
    })?;
    if answer.status() == http::StatusCode::SWITCHING_PROTOCOLS {
        answer.extensions_mut().insert(InFlight(Arc::new(slot)));
        return Ok(answer.map(|_| virga_contract::body::empty()));
    }
    Ok(answer.map(|body| Held { body, _slot: slot }.boxed_unsync()))
}

/// The answer's body, which keeps the request in flight until its end.
struct Held {
    body: hyper::body::Incoming,
    _slot: Slot,
}

impl http_body::Body for Held {
    type Data = bytes::Bytes;
    type Error = virga_contract::BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<http_body::Frame<bytes::Bytes>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx).map(|frame| frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}

/// Connects to the one server, whatever the URI. Weak: what it leads to holds it.
#[derive(Clone)]
struct Connector(Weak<AppInstance>);

impl tower::Service<Uri> for Connector {
    type Response = TokioIo<Link>;
    type Error = CellError;
    type Future = Pin<Box<dyn Future<Output = Result<TokioIo<Link>, CellError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), CellError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let instance = self.0.clone();
        Box::pin(async move {
            let instance = instance.upgrade().ok_or(CellError::Gone)?;
            instance.link().await.map(TokioIo::new)
        })
    }
}

impl hyper_util::client::legacy::connect::Connection for Link {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Link {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Here(end) => Pin::new(end).poll_read(cx, buffer),
            Self::There(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Link {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Here(end) => Pin::new(end).poll_write(cx, bytes),
            Self::There(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Here(end) => Pin::new(end).poll_flush(cx),
            Self::There(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Here(end) => Pin::new(end).poll_shutdown(cx),
            Self::There(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

impl AppInstance {
    /// A connection to it, wherever on this box it lives.
    pub(crate) async fn link(&self) -> Result<Link, CellError> {
        if self.instance.probe_worker == self.cell.worker {
            self.local_link().await.map(Link::Here).map_err(|problem| self.no_connection(problem))
        } else {
            neighbours::connect(&self.cell.guest_sockets, self.instance.probe_worker, self.instance.guid).await.map(Link::There).map_err(
                |problem| match problem {
                    Some(problem) => self.no_connection(problem),
                    None => CellError::Gone,
                },
            )
        }
    }
}
