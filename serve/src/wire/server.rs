//! Serves a control plane to the cell workers of this box.

use super::{
    CodeRequest, WireLimits, codec,
    delta::{Delta, History},
    paths,
};
use axum::{
    Router,
    body::Body,
    extract::{DefaultBodyLimit, Path, Query, State},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use bytes::Bytes;
use http::{StatusCode, header};
use serde::Deserialize;
use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::net::UnixListener;
use tokio_util::sync::CancellationToken;
use virga_contract::{
    ByteStream,
    cell::{CellReport, CellSnapshot, ControlPlane, LinkError, WorkerConfig, WorkerIndex},
    logs::Envelope,
};
use virga_model::Sha256Digest;

/// Serves `plane` on `listener` until `stop`; then long polls end at once and calls in flight are finished.
///
/// # Errors
/// If the socket can no longer accept.
pub async fn serve(listener: UnixListener, plane: Arc<dyn ControlPlane>, limits: WireLimits, stop: CancellationToken) -> io::Result<()> {
    let app = router(plane, limits, stop.clone());
    axum::serve(listener, app).with_graceful_shutdown(stop.cancelled_owned()).await
}

fn router(plane: Arc<dyn ControlPlane>, limits: WireLimits, stop: CancellationToken) -> Router {
    let upload_bytes = limits.upload_bytes;
    Router::new()
        .route(paths::CONFIG, get(config))
        .route(paths::SNAPSHOT, get(snapshot))
        .route(paths::REPORTS, post(report))
        .route(paths::LOGS, post(logs))
        .route(paths::DROPLET, get(droplet))
        .route(paths::CODE, post(code))
        .layer(DefaultBodyLimit::max(upload_bytes))
        .with_state(Arc::new(Wire { plane, limits, stop, history: Mutex::default(), encoded: Mutex::new(None) }))
}

struct Wire {
    plane: Arc<dyn ControlPlane>,
    limits: WireLimits,
    stop: CancellationToken,
    history: Mutex<History>,
    /// The last delta's bytes with its base and revision: workers mostly hold the same, and it is encoded once for all.
    encoded: Mutex<Option<(Option<u64>, u64, Bytes)>>,
}

type Shared = State<Arc<Wire>>;

/// An error as it crosses the wire: the class as a status, the text as the body.
struct Refusal(StatusCode, String);

impl From<LinkError> for Refusal {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Away(text) => Self(StatusCode::SERVICE_UNAVAILABLE, text),
            LinkError::Missing(text) => Self(StatusCode::NOT_FOUND, text),
            LinkError::Failed(text) => Self(StatusCode::INTERNAL_SERVER_ERROR, text),
        }
    }
}

impl axum::response::IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, self.1).into_response()
    }
}

fn message_pack(bytes: impl Into<Body>) -> Response {
    ([(header::CONTENT_TYPE, codec::MESSAGE_PACK)], bytes.into()).into_response()
}

fn read<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    codec::decode(bytes).map_err(|error| Refusal(StatusCode::BAD_REQUEST, error.to_string()))
}

async fn config(State(wire): Shared, Path(worker): Path<WorkerIndex>) -> Result<Response, Refusal> {
    let config: WorkerConfig = wire.plane.config(worker).await?;
    Ok(message_pack(codec::encode(&config)?))
}

#[derive(Deserialize)]
struct Poll {
    have: Option<u64>,
    /// Whether the worker holds what it has, so that an answer may add to it.
    #[serde(default)]
    add: bool,
    wait_ms: u64,
}

async fn snapshot(State(wire): Shared, Path(worker): Path<WorkerIndex>, Query(poll): Query<Poll>) -> Result<Response, Refusal> {
    let wait = Duration::from_millis(poll.wait_ms).min(wire.limits.longest_poll);
    let newest = tokio::select! {
        newest = wire.plane.snapshot(worker, poll.have, wait) => newest?,
        () = wire.stop.cancelled() => return Err(LinkError::Away("it is stopping".into()).into()),
    };
    match newest {
        Some(snapshot) => Ok(message_pack(wire.encode(snapshot, poll.have.filter(|_| poll.add)).await?)),
        None => Ok(StatusCode::NO_CONTENT.into_response()),
    }
}

impl Wire {
    async fn encode(&self, newest: Arc<CellSnapshot>, have: Option<u64>) -> Result<Bytes, LinkError> {
        let revision = newest.revision;
        let base = {
            let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
            history.remember(&newest);
            have.and_then(|have| history.find(have))
        };
        let from = base.as_ref().map(|base| base.revision);
        if let Some((known_from, known, bytes)) = &*self.encoded.lock().unwrap_or_else(PoisonError::into_inner)
            && (*known_from, *known) == (from, revision)
        {
            return Ok(bytes.clone());
        }
        let bytes = tokio::task::spawn_blocking(move || codec::encode(&Delta::between(base.as_deref(), &newest)).map(Bytes::from));
        let bytes = bytes.await.map_err(|error| LinkError::Failed(error.to_string()))??;
        *self.encoded.lock().unwrap_or_else(PoisonError::into_inner) = Some((from, revision, bytes.clone()));
        Ok(bytes)
    }
}

async fn report(State(wire): Shared, body: Bytes) -> Result<StatusCode, Refusal> {
    wire.plane.report(read::<CellReport>(&body)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn logs(State(wire): Shared, body: Bytes) -> Result<StatusCode, Refusal> {
    let batch: Vec<Envelope> = read(&body)?;
    let most = wire.limits.batch_envelopes;
    if batch.len() > most {
        let text = format!("a batch holds at most {most} envelopes, this one has {}", batch.len());
        return Err(Refusal(StatusCode::PAYLOAD_TOO_LARGE, text));
    }
    wire.plane.logs(batch).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn droplet(State(wire): Shared, Path(digest): Path<Sha256Digest>) -> Result<Response, Refusal> {
    Ok(stream(wire.plane.droplet(digest).await?))
}

async fn code(State(wire): Shared, body: Bytes) -> Result<Response, Refusal> {
    let CodeRequest { droplet, component, engine_key } = read(&body)?;
    Ok(stream(wire.plane.code(droplet, component, &engine_key).await?))
}

fn stream(bytes: ByteStream) -> Response {
    ([(header::CONTENT_TYPE, "application/octet-stream")], Body::from_stream(bytes)).into_response()
}
