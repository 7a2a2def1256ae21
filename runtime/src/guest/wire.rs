//! A guest that only answers requests, at the end of a raw connection (a TCP route): HTTP is spoken to the caller here, as a server
//! of its own would.

use crate::{guest::server::Owned, instance::AppInstance};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::{body::Incoming, rt::Executor as _, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::conn::auto,
};
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio::io::DuplexStream;
use virga_contract::{Body, body, cell::CellError};

/// Bytes that lie in one direction.
const PIPE_BYTES: usize = 64 << 10;
/// Time a caller has for the head of a request.
const HEAD_WAIT: Duration = Duration::from_secs(10);

/// The caller's end of a connection whose requests go to this instance.
pub fn connect(instance: &Arc<AppInstance>) -> DuplexStream {
    let (caller, own) = tokio::io::duplex(PIPE_BYTES);
    let tasks = Owned::of(&instance.cell);
    let instance = instance.clone();
    tasks.clone().execute(async move {
        let service = service_fn(move |request| answer(instance.clone(), request));
        let mut builder = auto::Builder::new(tasks);
        builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_WAIT);
        builder.http2().timer(TokioTimer::new());
        if let Err(error) = builder.serve_connection(TokioIo::new(own), service).await {
            tracing::debug!(error, "a caller over a TCP route broke off");
        }
    });
    caller
}

async fn answer(instance: Arc<AppInstance>, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let request = request.map(|body| body.map_err(Into::into).boxed_unsync());
    Ok(instance.serve(request).await.unwrap_or_else(|error| {
        let status = match error {
            CellError::Gone | CellError::Overloaded { .. } => StatusCode::SERVICE_UNAVAILABLE,
            CellError::Limit { is_time: true, .. } => StatusCode::GATEWAY_TIMEOUT,
            CellError::NoConnections => StatusCode::NOT_IMPLEMENTED,
            CellError::Guest(_) | CellError::Limit { .. } | CellError::Load(_) => StatusCode::BAD_GATEWAY,
        };
        // The error's own text is for the app's log, where it stands already.
        let text = format!("{} {}\n", status.as_u16(), status.canonical_reason().unwrap_or_default());
        let mut answer = Response::new(body::full(text));
        *answer.status_mut() = status;
        answer
    }))
}
