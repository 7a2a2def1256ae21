//! A control plane behind a socket.
//!
//! Connections are pooled and made anew when the other side came back; nothing is retried here, because every caller
//! comes again by itself.

use super::{CodeRequest, WireLimits, codec, delta::Delta, paths};
use bytes::Bytes;
use futures::{FutureExt as _, StreamExt as _, future::BoxFuture};
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    body::Incoming,
    rt::{Read, ReadBufCursor, Write},
};
use hyper_util::{
    client::legacy::{
        Client,
        connect::{Connected, Connection},
    },
    rt::{TokioExecutor, TokioIo},
};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    io,
    path::{Path, PathBuf},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};
use tokio::{net::UnixStream, time::timeout};
use virga_contract::{
    ByteStream,
    cell::{CellReport, CellSnapshot, ControlPlane, LinkError, WorkerConfig, WorkerIndex},
    logs::Envelope,
};
use virga_model::Sha256Digest;

/// A [`ControlPlane`] that is reached over the Unix socket of [`super::server::serve`].
#[derive(Debug, Clone)]
pub struct WireClient {
    http: Client<UnixConnector, Full<Bytes>>,
    limits: WireLimits,
    /// The last snapshot it gave out; the next one comes as what differs from it.
    held: Arc<Mutex<Option<Arc<CellSnapshot>>>>,
}

impl WireClient {
    /// A client of the control plane at `socket`. Connects when first used; the socket need not exist yet.
    #[must_use]
    pub fn new(socket: impl AsRef<Path>, limits: WireLimits) -> Self {
        let connector = UnixConnector { path: Arc::new(socket.as_ref().to_owned()) };
        let http = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(8).build(connector);
        Self { http, limits, held: Arc::default() }
    }

    async fn call(&self, request: Call, limit: Duration) -> Result<Response<Incoming>, LinkError> {
        let what = request.path.clone();
        let late = |_| LinkError::Away(format!("no answer to {what} within {limit:?}"));
        let request = request.into_http()?;
        let answer = timeout(limit, self.http.request(request)).await.map_err(late)?;
        let answer = answer.map_err(|error| LinkError::Away(chain(&error)))?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let status = answer.status();
        let text = timeout(limit, Limited::new(answer.into_body(), ERROR_BYTES).collect()).await.map_err(late)?;
        let text = text.map(|body| String::from_utf8_lossy(&body.to_bytes()).into_owned()).unwrap_or_default();
        Err(match status {
            StatusCode::NOT_FOUND => LinkError::Missing(text),
            StatusCode::SERVICE_UNAVAILABLE => LinkError::Away(text),
            status => LinkError::Failed(format!("{status}: {text}")),
        })
    }

    async fn value<T: DeserializeOwned + Send + 'static>(&self, answer: Response<Incoming>) -> Result<T, LinkError> {
        let body = Limited::new(answer.into_body(), self.limits.download_bytes).collect();
        let limit = self.limits.stream_start;
        let body = timeout(limit, body).await.map_err(|_| LinkError::Away(format!("the answer took more than {limit:?}")))?;
        let body = body.map_err(|error| LinkError::Away(chain(&*error)))?;
        codec::decode_aside(body.to_bytes()).await
    }

    fn stream(&self, answer: Response<Incoming>) -> ByteStream {
        let idle = self.limits.stream_idle;
        let body = answer.into_body().into_data_stream();
        let pieces = futures::stream::unfold(Some(body), move |body| async move {
            let mut body = body?;
            match timeout(idle, body.next()).await {
                Ok(Some(Ok(piece))) => Some((Ok(piece), Some(body))),
                Ok(Some(Err(error))) => Some((Err(io::Error::other(error)), None)),
                Ok(None) => None,
                Err(_) => Some((Err(io::ErrorKind::TimedOut.into()), None)),
            }
        });
        pieces.boxed()
    }
}

/// Bytes of an error text that are read.
const ERROR_BYTES: usize = 16 << 10;

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// One request, before it is bytes.
struct Call {
    method: Method,
    path: String,
    body: Vec<u8>,
}

impl Call {
    fn get(path: String) -> Self {
        Self { method: Method::GET, path, body: Vec::new() }
    }

    fn post<T: Serialize + ?Sized>(path: &str, body: &T) -> Result<Self, LinkError> {
        Ok(Self { method: Method::POST, path: path.to_owned(), body: codec::encode(body)? })
    }

    fn into_http(self) -> Result<Request<Full<Bytes>>, LinkError> {
        let request = Request::builder().method(self.method).uri(format!("http://control{}", self.path));
        let request = request.header(http::header::CONTENT_TYPE, codec::MESSAGE_PACK).body(Full::from(self.body));
        request.map_err(|error| LinkError::Failed(error.to_string()))
    }
}

#[async_trait::async_trait]
impl ControlPlane for WireClient {
    async fn config(&self, worker: WorkerIndex) -> Result<WorkerConfig, LinkError> {
        let call = Call::get(paths::CONFIG.replace("{worker}", &worker.to_string()));
        let answer = self.call(call, self.limits.call).await?;
        self.value(answer).await
    }

    async fn snapshot(&self, worker: WorkerIndex, have: Option<u64>, wait: Duration) -> Result<Option<Arc<CellSnapshot>>, LinkError> {
        let wait = wait.min(self.limits.longest_poll);
        let mut path = paths::SNAPSHOT.replace("{worker}", &worker.to_string());
        path.push_str(&format!("?wait_ms={}", wait.as_millis()));
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner).clone().filter(|held| Some(held.revision) == have);
        if let Some(have) = have {
            path.push_str(&format!("&have={have}&add={}", held.is_some()));
        }
        let answer = self.call(Call::get(path), wait + self.limits.call).await?;
        if answer.status() == StatusCode::NO_CONTENT {
            return Ok(None);
        }
        let delta: Delta = self.value(answer).await?;
        let snapshot = Arc::new(delta.onto(held.as_deref())?);
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(snapshot.clone());
        Ok(Some(snapshot))
    }

    async fn report(&self, report: CellReport) -> Result<(), LinkError> {
        self.call(Call::post(paths::REPORTS, &report)?, self.limits.call).await.map(drop)
    }

    async fn logs(&self, batch: Vec<Envelope>) -> Result<(), LinkError> {
        self.call(Call::post(paths::LOGS, &batch)?, self.limits.call).await.map(drop)
    }

    async fn droplet(&self, droplet: Sha256Digest) -> Result<ByteStream, LinkError> {
        let call = Call::get(paths::DROPLET.replace("{digest}", &droplet.to_string()));
        let answer = self.call(call, self.limits.stream_start).await?;
        Ok(self.stream(answer))
    }

    async fn code(&self, droplet: Sha256Digest, component: Sha256Digest, engine_key: &str) -> Result<ByteStream, LinkError> {
        let request = CodeRequest { droplet, component, engine_key: engine_key.to_owned() };
        let answer = self.call(Call::post(paths::CODE, &request)?, self.limits.stream_start).await?;
        Ok(self.stream(answer))
    }
}

/// Connects to one socket, whatever host the URI names.
#[derive(Debug, Clone)]
struct UnixConnector {
    path: Arc<PathBuf>,
}

impl tower::Service<Uri> for UnixConnector {
    type Response = UnixConnection;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<UnixConnection>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let path = self.path.clone();
        async move { UnixStream::connect(&*path).await.map(|stream| UnixConnection(TokioIo::new(stream))) }.boxed()
    }
}

/// A connection as the pool wants it.
struct UnixConnection(TokioIo<UnixStream>);

impl Connection for UnixConnection {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for UnixConnection {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl Write for UnixConnection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
