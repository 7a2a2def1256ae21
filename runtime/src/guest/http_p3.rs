//! wasi:http 0.3: a wasm instance may serve many requests at a time. The engine's own handler drives it; this file says
//! how many, how long, within which limits.

use crate::{
    instance::{AppInstance, Slot},
    limits::{CpuMeter, LimitHit},
    program::{Kind, Program},
    store::{GuestState, new_store},
    ticker::Running,
};
use http_body_util::BodyExt as _;
use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError, Weak},
    task::{Context, Poll},
    time::{Duration, Instant},
};
use tokio::{sync::OwnedSemaphorePermit, time::Sleep};
use tokio_util::sync::WaitForCancellationFutureOwned;
use virga_contract::{Body, cell::CellError};
use virga_model::process::ReusePolicy;
use wasmtime::{Store, StoreContextMut, component::GuestTaskId};
use wasmtime_wasi_http::{
    Error, WasiHttpView,
    handler::{
        ExpirationError, HandlerState, Instance, InstantiationError, Proxy, ProxyHandler, ShouldAccept, WorkerExpiration, WorkerState,
        WorkerStatus,
    },
};

/// Requests at a time on one wasm instance under the policy `concurrent`.
const CONCURRENT_REQUESTS: usize = 128;

/// The wasm instances of one app instance.
#[derive(Default)]
pub struct Workers(Mutex<Option<(Arc<Program>, ProxyHandler<Handler>)>>);

impl Workers {
    /// The handler for this program; a newer mapping of the code gets a new one, the old ends by itself.
    fn handler(&self, instance: &Arc<AppInstance>, program: &Arc<Program>) -> ProxyHandler<Handler> {
        let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*current {
            Some((of, handler)) if Arc::ptr_eq(of, program) => handler.clone(),
            _ => {
                let failure = Arc::default();
                let handler = ProxyHandler::new(Handler { instance: Arc::downgrade(instance), program: program.clone(), failure });
                *current = Some((program.clone(), handler.clone()));
                handler
            }
        }
    }

    /// Forgets the handler, so that unused code can be unmapped.
    pub(crate) fn clear(&self) {
        let retired = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(retired);
    }
}

/// Serves one request.
pub async fn serve(slot: Slot, program: Arc<Program>, request: http::Request<Body>) -> Result<(http::Response<Body>, bool), CellError> {
    let instance = slot.instance.clone();
    let handler = instance.concurrent.handler(&instance, &program);
    let request = with_authority(request);
    let request = request.map(|body| body.map_err(|error| Error::InternalError(Some(error.to_string()))).boxed_unsync());
    let before = instance.wasm_instances.load(std::sync::atomic::Ordering::Relaxed);
    match handler.handle((), request).await {
        Ok(answer) => {
            let was_made = before == 0;
            Ok((answer.map(|body| Held { body, _slot: slot }.boxed_unsync()), was_made))
        }
        Err(error) => Err(failure(&instance, handler.state(), &error)),
    }
}

/// The interface takes scheme and authority from the URI, where a proxy's request has them in headers.
pub(super) fn with_authority(request: http::Request<Body>) -> http::Request<Body> {
    let (mut parts, body) = request.into_parts();
    let mut uri = std::mem::take(&mut parts.uri).into_parts();
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    if uri.authority.is_none() {
        uri.authority = header("host").and_then(|host| host.parse().ok()).or_else(|| Some(http::uri::Authority::from_static("localhost")));
    }
    uri.scheme = Some(if header("x-forwarded-proto") == Some("https") { http::uri::Scheme::HTTPS } else { http::uri::Scheme::HTTP });
    uri.path_and_query.get_or_insert_with(|| http::uri::PathAndQuery::from_static("/"));
    parts.uri = http::Uri::from_parts(uri).unwrap_or_default();
    http::Request::from_parts(parts, body)
}

/// Names what went wrong. A trap was already written to the log where the worker ended.
fn failure(instance: &Arc<AppInstance>, handler: &Handler, error: &wasmtime::Error) -> CellError {
    if let Some(error) = error.downcast_ref::<InstantiationError<()>>() {
        return match error.error.downcast_ref::<CellError>() {
            Some(error) => error.clone(),
            None => instance.guest_failed(&error.error, false),
        };
    }
    if error.is::<ExpirationError>() {
        return instance.limit_hit(LimitHit::Wall);
    }
    match error.downcast_ref::<wasmtime_wasi_http::p3::bindings::http::types::ErrorCode>() {
        Some(code) => {
            let reason = format!("the guest answered with the error {code:?}");
            instance.log.cell(format!("the app failed: {reason}"));
            CellError::Guest(reason)
        }
        None => handler.last_failure().unwrap_or_else(|| CellError::Guest(error.to_string())),
    }
}

/// Makes wasm instances of one program for one app instance.
pub struct Handler {
    instance: Weak<AppInstance>,
    program: Arc<Program>,
    /// Why the last wasm instance broke; its requests only learn that it did.
    failure: Arc<Mutex<Option<CellError>>>,
}

impl Handler {
    fn last_failure(&self) -> Option<CellError> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl HandlerState for Handler {
    type StoreData = GuestState;
    type WorkerExpiration = Expiration;
    type WorkerState = Worker;

    async fn instantiate(&self) -> wasmtime::Result<Instance<GuestState, Expiration, Worker>> {
        let instance = self.instance.upgrade().ok_or_else(|| wasmtime::Error::new(CellError::Gone))?;
        let Kind::HttpP3(pre) = &self.program.kind else {
            return Err(wasmtime::Error::msg("the droplet is of another kind"));
        };
        let permit = instance.admit().await.map_err(wasmtime::Error::new)?;
        let running = instance.cell.ticker.running();
        let limits = &instance.cell.limits;
        let meter = Arc::new(CpuMeter::sampled(limits.request_cpu(), limits.beat()));
        let mut store = new_store(&instance, &self.program, meter.clone(), None)?;
        let service = match pre.instantiate_async(&mut store).await {
            Ok(service) => service,
            Err(error) => return Err(wasmtime::Error::new(instance.guest_failed(&error, store.data_mut().limiter.take_refused()))),
        };
        store.data_mut().was_made();
        let idle = Duration::from_millis(limits.cell.pooled_idle_ms);
        let expiration =
            Expiration { idle, wall: limits.request_wall(), gone: Box::pin(instance.gone.clone().cancelled_owned()), timer: None };
        let reuse = instance.reuse(&self.program);
        let failure = self.failure.clone();
        let state = Worker { instance, meter, reuse, failure, _permit: permit, _running: running };
        Ok(Instance { store, proxy: Proxy::P3(service), view: |state| state.http(), expiration, state })
    }
}

/// One wasm instance at work.
pub struct Worker {
    instance: Arc<AppInstance>,
    meter: Arc<CpuMeter>,
    reuse: ReusePolicy,
    failure: Arc<Mutex<Option<CellError>>>,
    _permit: OwnedSemaphorePermit,
    /// As long as it lives: it may run also while no request is in flight.
    _running: Running,
}

impl WorkerState for Worker {
    type StoreData = GuestState;
    type RequestData = ();

    fn should_accept_request(&self, concurrent_count: usize, total_count: usize) -> ShouldAccept {
        let most = match self.reuse {
            ReusePolicy::Request => 1,
            ReusePolicy::Pool | ReusePolicy::Concurrent => {
                usize::try_from(self.instance.cell.limits.cell.pooled_requests).unwrap_or(usize::MAX)
            }
        };
        let at_a_time = if self.reuse == ReusePolicy::Concurrent { CONCURRENT_REQUESTS } else { 1 };
        if total_count >= most || self.instance.gone.is_cancelled() {
            ShouldAccept::Never
        } else if concurrent_count >= at_a_time {
            ShouldAccept::No
        } else {
            ShouldAccept::Yes
        }
    }

    fn on_request_start(
        &self,
        _store: StoreContextMut<'_, GuestState>,
        (): (),
        _task: GuestTaskId,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + Sync>> {
        self.meter.reset();
        Box::pin(tokio::time::sleep(self.instance.cell.limits.request_wall()))
    }

    fn drop(&self, mut store: Store<GuestState>, result: Result<(), wasmtime::Error>) {
        if let Err(error) = result {
            let failure = self.instance.guest_failed(&error, store.data_mut().limiter.take_refused());
            *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
        }
    }
}

/// When a wasm instance ends: its app instance went, it was idle for long, or a request took too long.
pub struct Expiration {
    idle: Duration,
    wall: Duration,
    gone: Pin<Box<WaitForCancellationFutureOwned>>,
    timer: Option<(tokio::time::Instant, Pin<Box<Sleep>>)>,
}

impl WorkerExpiration for Expiration {
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>, status: WorkerStatus, start: Instant) -> Poll<()> {
        let is_idle = status == WorkerStatus::Idle;
        if is_idle && self.gone.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let deadline = tokio::time::Instant::from_std(start + if is_idle { self.idle } else { self.wall });
        let timer = match &mut self.timer {
            Some((until, timer)) => {
                if *until != deadline {
                    *until = deadline;
                    timer.as_mut().reset(deadline);
                }
                timer
            }
            None => &mut self.timer.insert((deadline, Box::pin(tokio::time::sleep_until(deadline)))).1,
        };
        timer.as_mut().poll(cx)
    }
}

/// The answer's body, which keeps the request in flight until its end.
struct Held {
    body: wasmtime_wasi_http::WasiBody,
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
