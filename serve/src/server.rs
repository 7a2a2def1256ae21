//! Serves a route table on a socket: request ids, limits, panics and hang-ups handled once for every API, and a drain that
//! lets requests in flight finish.

use crate::{
    auth::Verifier,
    base::Endpoints,
    cors::{Origins, cross_origin},
    errors::{Failure, unknown_request},
    listener::{Listener, Stream},
    tasks::{Tasks, panic_text},
};
use axum::{
    Extension, Router,
    body::Body,
    extract::{DefaultBodyLimit, Request, State},
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::conn::auto,
};
use serde::{Deserialize, Serialize};
use std::{
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use tower_http::{catch_panic::CatchPanicLayer, timeout::TimeoutBody};
use tracing::Instrument as _;
use virga_contract::{ApiError, ErrorCode};

/// Limits of an API server on its clients.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerLimits {
    /// Bytes of a request's header block, at least 8,192; more is 431.
    pub header_bytes: usize,
    /// Header fields of a request; more is 431.
    pub headers: usize,
    /// Bytes of a request body where the route sets no limit of its own; more is 413.
    pub body_bytes: usize,
    /// Time for a header block, and the idle time of a kept-alive connection, milliseconds; then the connection closes.
    pub header_read_ms: u64,
    /// Time between two pieces of a request body, milliseconds; then the request fails.
    pub body_idle_ms: u64,
    /// Connections at once; more wait in the accept queue.
    pub connections: usize,
    /// Origins (`https://dashboard.example.com`, `*` for any text) whose pages may call from a browser; none by default.
    pub allowed_origins: Vec<String>,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            header_bytes: 64 * 1024,
            headers: 128,
            body_bytes: 1 << 20,
            header_read_ms: 60_000,
            body_idle_ms: 30_000,
            connections: 4_096,
            allowed_origins: Vec::new(),
        }
    }
}

/// The id of a request, also its answer's `X-Vcap-Request-Id`; an extension of every request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(pub String);

/// What [`api`] puts around a route table.
#[derive(Clone)]
pub struct ApiContext {
    /// Owner of requests whose client went away.
    pub tasks: Tasks,
    /// Limits on bodies.
    pub limits: ServerLimits,
    /// What this installation is called; read by [`crate::Base`].
    pub endpoints: Arc<Endpoints>,
    /// Who checks tokens; read by [`crate::Caller`].
    pub verifier: Arc<Verifier>,
}

/// Completes a route table to what [`serve`] takes, and what tests call: request id, log line, panics as 500, unknown
/// paths and methods as 404 `Unknown request`, a trailing slash ignored. A request that changes something is finished
/// even when its client hangs up.
pub fn api(routes: Router, context: ApiContext) -> Router {
    let routes = routes.fallback(unknown_request).method_not_allowed_fallback(unknown_request);
    let body_idle = Duration::from_millis(context.limits.body_idle_ms);
    // From the inside out. The path must be settled before the routes see it, hence a router around the router.
    Router::new()
        .fallback_service(routes)
        .layer(CatchPanicLayer::custom(answer_panic))
        .layer(from_fn_with_state(context.tasks, finish_what_was_begun))
        .layer(DefaultBodyLimit::max(context.limits.body_bytes))
        .layer(Extension(context.endpoints))
        .layer(Extension(context.verifier))
        .layer(from_fn(move |request: Request, next: Next| next.run(request.map(|body| Body::new(TimeoutBody::new(body_idle, body))))))
        .layer(from_fn_with_state(Origins::new(&context.limits.allowed_origins), cross_origin))
        .layer(from_fn(identify))
}

#[expect(clippy::needless_pass_by_value, reason = "the signature tower-http asks for")]
fn answer_panic(panic: Box<dyn std::any::Any + Send>) -> Response {
    Failure::from(ApiError::internal(format_args!("panic: {}", panic_text(&*panic)))).into_response()
}

async fn finish_what_was_begun(State(tasks): State<Tasks>, request: Request, next: Next) -> Response {
    if request.method().is_safe() {
        return next.run(request).await;
    }
    let work = next.run(request).instrument(tracing::Span::current());
    match tasks.spawn_guarded("request", work).await {
        Ok(Some(response)) => response,
        _ => Failure::from(ApiError::new(ErrorCode::ServiceUnavailable, "The server is shutting down")).into_response(),
    }
}

async fn identify(mut request: Request, next: Next) -> Response {
    const ANSWER_ID: HeaderName = HeaderName::from_static("x-vcap-request-id");
    /// Seconds, as Rails writes it.
    const RUNTIME: HeaderName = HeaderName::from_static("x-runtime");
    let id = request_id(request.headers());
    drop_trailing_slash(request.uri_mut());
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let span = tracing::info_span!("request", request.id = id, http.method = %method, http.path = path);
    request.extensions_mut().insert(RequestId(id.clone()));
    let started = Instant::now();
    let mut response = next.run(request).instrument(span.clone()).await;
    let took = started.elapsed();
    let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    span.in_scope(|| tracing::info!(http.status = response.status().as_u16(), duration_ms, "answered {method} {path}"));
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(ANSWER_ID, id);
    }
    if let Ok(seconds) = HeaderValue::from_str(&format!("{:.6}", took.as_secs_f64())) {
        headers.insert(RUNTIME, seconds);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// `<the client's id>::<uuid>`, or a bare uuid (cloud_controller_ng, `vcap_request_id` middleware). A client's id that is
/// long or strange is not taken.
fn request_id(headers: &HeaderMap) -> String {
    let own = uuid::Uuid::new_v4();
    let theirs = headers.get("x-vcap-request-id").or_else(|| headers.get("x-request-id")).and_then(|value| value.to_str().ok());
    match theirs {
        Some(id) if !id.is_empty() && id.len() <= 255 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_:.".contains(&b)) => {
            format!("{id}::{own}")
        }
        _ => own.to_string(),
    }
}

/// The `cf` CLI sends some paths with a trailing slash (`PATCH /v3/organizations/:guid/`).
fn drop_trailing_slash(uri: &mut Uri) {
    let path = uri.path();
    let Some(shorter) = path.strip_suffix('/').filter(|shorter| !shorter.is_empty() && !shorter.ends_with('/')) else {
        return;
    };
    let target = uri.query().map_or_else(|| shorter.to_owned(), |query| format!("{shorter}?{query}"));
    let mut parts = uri.clone().into_parts();
    if let Ok(target) = target.parse() {
        parts.path_and_query = Some(target);
        if let Ok(shorter) = Uri::from_parts(parts) {
            *uri = shorter;
        }
    }
}

/// Serves `app` on `listener` as tasks of `tasks`, HTTP/1.1 and h2c. At the first signal it stops accepting, closes idle
/// connections and finishes requests in flight.
pub fn serve(tasks: &Tasks, name: &'static str, listener: Listener, app: Router, limits: ServerLimits) {
    tasks.spawn(name, accept(tasks.clone(), name, listener, app, limits));
}

async fn accept(tasks: Tasks, name: &'static str, listener: Listener, app: Router, limits: ServerLimits) {
    let permits = Arc::new(tokio::sync::Semaphore::new(limits.connections));
    let server = Arc::new(builder(&tasks, &limits));
    let first_request = Duration::from_millis(limits.header_read_ms);
    let draining = tasks.draining();
    loop {
        let next = async {
            // The semaphore is never closed, so this waits for a free place and no more.
            let permit = Arc::clone(&permits).acquire_owned().await;
            (permit, listener.accept().await)
        };
        match draining.run_until_cancelled(next).await {
            None => return,
            Some((permit, Ok(stream))) => {
                let (server, app, draining) = (Arc::clone(&server), app.clone(), draining.clone());
                drop(tasks.spawn_guarded(name, async move {
                    let _permit = permit;
                    match stream {
                        Stream::Unix(stream) => connection(&server, stream, app, draining, first_request).await,
                        Stream::Tcp(stream) => connection(&server, stream, app, draining, first_request).await,
                    }
                }));
            }
            Some((_, Err(error))) => {
                // Out of file descriptors, most likely: accepting again at once would spin.
                tracing::warn!(server.name = name, %error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

type Builder = auto::Builder<OwnedExecutor>;

/// Runs HTTP/2 streams as tasks that are joined at the end.
#[derive(Clone)]
struct OwnedExecutor(Tasks);

impl<F> hyper::rt::Executor<F> for OwnedExecutor
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        drop(self.0.spawn_guarded("http2 stream", future));
    }
}

fn builder(tasks: &Tasks, limits: &ServerLimits) -> Builder {
    let mut builder = Builder::new(OwnedExecutor(tasks.clone()));
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(limits.header_read_ms))
        .max_buf_size(limits.header_bytes.max(8_192))
        .max_headers(limits.headers);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
        .max_concurrent_streams(128)
        .keep_alive_interval(Duration::from_millis(limits.header_read_ms));
    builder
}

async fn connection(
    server: &Builder,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    app: Router,
    draining: CancellationToken,
    first_request: Duration,
) {
    let heard = CancellationToken::new();
    let hear = heard.clone();
    let service = hyper::service::service_fn(move |request| {
        hear.cancel();
        app.clone().oneshot(request)
    });
    let mut connection = pin!(server.serve_connection_with_upgrades(TokioIo::new(stream), service));
    // hyper's own timer starts only once it knows the protocol; a client that says nothing must not stay for ever.
    let mut silence = pin!(tokio::time::timeout(first_request, heard.cancelled()));
    let (mut waiting, mut open) = (true, true);
    loop {
        tokio::select! {
            result = connection.as_mut() => {
                if let Err(error) = result {
                    tracing::debug!(error = &*error, "connection ended with an error");
                }
                return;
            }
            () = draining.cancelled(), if open => {
                open = false;
                connection.as_mut().graceful_shutdown();
            }
            heard = silence.as_mut(), if waiting => {
                waiting = false;
                if heard.is_err() {
                    return;
                }
            }
        }
    }
}
