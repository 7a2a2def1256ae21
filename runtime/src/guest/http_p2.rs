//! wasi:http 0.2: a request is a call of the exported handler; the answer's head arrives while the call runs, its body
//! may go on after that.
//!
//! The call is polled in place, inside the router's own task: most guests answer within one poll, and no task needs to be
//! made or woken. Only a guest that goes on after its answer's head becomes a task of its own.

use crate::{
    guest::{
        line::{First, StartFailed},
        meter::{Metered, Outcome},
    },
    instance::{AppInstance, Slot},
    limits::CpuMeter,
    program::{Kind, Program},
    store::{GuestState, new_store},
};
use futures::{FutureExt as _, StreamExt as _};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use std::{
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::timeout;
use virga_contract::{Body, body, cell::CellError};
use virga_model::process::ReusePolicy;
use wasmtime::Store;
use wasmtime_wasi_http::{
    Error, WasiBody, WasiHttpView as _,
    p2::bindings::{
        Proxy,
        http::types::{ErrorCode, Scheme},
    },
};

/// How long a pooled request waits for a wasm instance at work, at most, before it makes another.
const PATIENCE: Duration = Duration::from_millis(100);
/// How often it looks whether those are at work at all.
const PATIENCE_STEP: Duration = Duration::from_millis(10);

/// A wasm instance between two requests.
pub struct Warm {
    store: Store<GuestState>,
    proxy: Proxy,
    program: Arc<Program>,
    served: u64,
    /// Bytes it held when it was new.
    born_bytes: usize,
}

/// Where the running call leaves its answer.
#[derive(Default)]
struct Exchange {
    answer: Mutex<Option<Result<http::Response<WasiBody>, ErrorCode>>>,
    outcome: Outcome,
    /// A wasm instance had to be made that a pool would have had.
    was_made: AtomicBool,
}

impl Exchange {
    fn take(&self) -> Option<Result<http::Response<WasiBody>, ErrorCode>> {
        self.answer.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Serves one request; also tells whether a wasm instance had to be made that a pool would have had.
pub async fn serve(slot: Slot, program: Arc<Program>, request: http::Request<Body>) -> Result<(http::Response<Body>, bool), CellError> {
    let instance = slot.instance.clone();
    let exchange = Arc::new(Exchange::default());
    let is_head = request.method() == http::Method::HEAD;
    let limits = &instance.cell.limits;
    let meter = Arc::new(CpuMeter::new(limits.request_cpu()));
    let call = call(slot, program, request, meter.clone(), exchange.clone());
    let mut call = Metered::new(call, meter, instance.clone(), limits.request_wall());

    let (answer, is_running) = poll_fn(|cx| {
        let end = call.poll_unpin(cx);
        match (exchange.take(), end) {
            (Some(answer), end) => Poll::Ready((Ok(answer), end.is_pending())),
            (None, Poll::Ready(Ok(()))) => Poll::Ready((Err(CellError::Guest("the guest never answered".into())), false)),
            (None, Poll::Ready(Err(error))) => Poll::Ready((Err(error), false)),
            (None, Poll::Pending) => Poll::Pending,
        }
    })
    .await;
    if is_running {
        let exchange = exchange.clone();
        instance.cell.tails.spawn(async move {
            // Already in the app's log. The body learns it before the store goes, whose end would look like its own.
            if (&mut call).await.is_err() {
                exchange.outcome.fail();
            }
            drop(call);
        });
    }
    match answer? {
        Ok(answer) => {
            let was_made = exchange.was_made.load(Relaxed);
            let is_whole = !is_running && !is_head && !exchange.outcome.has_failed();
            let answer = answer.map(|body| if is_whole { gathered(body, exchange) } else { GuestBody { body, exchange }.boxed_unsync() });
            Ok((answer, was_made))
        }
        Err(code) => {
            let reason = format!("the guest answered with the error {code:?}");
            instance.log.cell(format!("the app failed: {reason}"));
            Err(CellError::Guest(reason))
        }
    }
}

/// The whole life of one call: instantiate or reuse, call, keep or retire.
async fn call(
    slot: Slot,
    program: Arc<Program>,
    request: http::Request<Body>,
    meter: Arc<CpuMeter>,
    exchange: Arc<Exchange>,
) -> Result<(), CellError> {
    let instance = &slot.instance;
    let mut warm = take_or_start(instance, program, meter, &exchange).await?;
    let prepared = prepare(warm.store.data_mut(), request, exchange.clone());
    let result = match prepared {
        Ok((incoming, out)) => {
            let is_leaking = incoming.rep() as usize > instance.cell.limits.cell.handles / 2;
            warm.store.set_epoch_deadline(1);
            warm.proxy.wasi_http_incoming_handler().call_handle(&mut warm.store, incoming, out).await.map(|()| is_leaking)
        }
        Err(error) => Err(error),
    };
    match result {
        Ok(is_leaking) => {
            warm.served += 1;
            if instance.reuse(&warm.program) == ReusePolicy::Pool && !is_leaking && is_fit(instance, &mut warm) {
                instance.keep(warm);
            }
            Ok(())
        }
        Err(error) => {
            // Before the store goes: its end is what ends the answer's body.
            exchange.outcome.fail();
            Err(instance.guest_failed(&error, warm.store.data_mut().limiter.take_refused()))
        }
    }
}

type Prepared = (
    wasmtime::component::Resource<wasmtime_wasi_http::p2::types::HostIncomingRequest>,
    wasmtime::component::Resource<wasmtime_wasi_http::p2::types::HostResponseOutparam>,
);

fn prepare(state: &mut GuestState, mut request: http::Request<Body>, exchange: Arc<Exchange>) -> wasmtime::Result<Prepared> {
    let scheme = match request.headers().get("x-forwarded-proto").map(http::HeaderValue::as_bytes) {
        Some(b"https") => Scheme::Https,
        _ => Scheme::Http,
    };
    if request.uri().authority().is_none() && !request.headers().contains_key(http::header::HOST) {
        // HTTP/1.0 knows no Host; the interface wants an authority.
        request.headers_mut().insert(http::header::HOST, http::HeaderValue::from_static("localhost"));
    }
    let request = request.map(|body| body.map_err(|error| Error::InternalError(Some(error.to_string()))));
    let incoming = state.http().new_incoming_request(scheme, request)?;
    let out = state.http().new_response_outparam_from_callback(move |answer| {
        *exchange.answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
    })?;
    Ok((incoming, out))
}

/// A warm wasm instance, or a new one.
///
/// Where others of the app instance are at work, a pooled request first waits a moment for one of them: on one thread a
/// second one would not be faster, only bigger, unless the first does nothing but wait itself. And where there is no memory for
/// one more, a request waits until one of them is done. Who came first is served first.
async fn take_or_start(
    instance: &Arc<AppInstance>,
    program: Arc<Program>,
    meter: Arc<CpuMeter>,
    exchange: &Exchange,
) -> Result<Warm, CellError> {
    let is_pooled = instance.reuse(&program) == ReusePolicy::Pool;
    let mut is_patient = is_pooled;
    let first = First::of(instance).await?;
    loop {
        if is_pooled && let Some(mut warm) = instance.pool.take() {
            warm.store.data_mut().begin_request(meter);
            return Ok(warm);
        }
        if is_patient && instance.has_wasm_instances() && first.waited() < PATIENCE {
            is_patient = is_busy_until_room(instance).await;
            continue;
        }
        if instance.memory.has_room_for_another() {
            let there_were_others = instance.has_wasm_instances();
            match start(instance, program.clone(), meter.clone()).await {
                Ok(warm) => {
                    exchange.was_made.store(is_pooled, Relaxed);
                    return Ok(warm);
                }
                Err(failed) => first.after(&failed, there_were_others)?,
            }
        }
        first.until_room().await?;
    }
}

/// Waits for room. `false` when none came although the wasm instances at work left the thread mostly idle.
async fn is_busy_until_room(instance: &AppInstance) -> bool {
    let before = instance.cpu_ns.load(Relaxed);
    let came = timeout(PATIENCE_STEP, instance.memory.room.notified()).await.is_ok();
    let used = Duration::from_nanos(instance.cpu_ns.load(Relaxed).saturating_sub(before));
    came || used * 2 >= PATIENCE_STEP
}

/// A new wasm instance. Whoever polls this keeps the epoch beating and counts the polls.
pub(crate) async fn start(instance: &Arc<AppInstance>, program: Arc<Program>, meter: Arc<CpuMeter>) -> Result<Warm, StartFailed> {
    let Kind::HttpP2(pre) = &program.kind else {
        return Err(wasmtime::Error::msg("the droplet is of another kind").into());
    };
    let mut store = new_store(instance, &program, meter, None)?;
    match pre.instantiate_async(&mut store).await {
        Ok(proxy) => {
            store.data_mut().was_made();
            let born_bytes = store.data().limiter.held();
            Ok(Warm { store, proxy, program, served: 0, born_bytes })
        }
        Err(error) => Err(StartFailed { error, memory_was_refused: store.data_mut().limiter.take_refused() }),
    }
}

/// Whether a wasm instance may serve another request.
fn is_fit(instance: &AppInstance, warm: &mut Warm) -> bool {
    let limits = &instance.cell.limits.cell;
    let held = warm.store.data().limiter.held();
    let memory = &instance.memory;
    // One that was refused memory is close to failing; of several that outgrew the app instance together, one must make room before
    // they wait for one another. One that grew while it is nearly full leaks: it goes while there is room for what its next request needs.
    let is_too_big = warm.store.data_mut().limiter.take_refused()
        || memory.is_crowded()
        || (memory.used() > memory.limit() / 4 * 3 && held > warm.born_bytes.saturating_mul(2));
    warm.served < limits.pooled_requests && !is_too_big && !instance.gone.is_cancelled()
}

/// The body of a guest that is done: all of it lies in the engine's channel, at most `host_buffer_bytes`. In one piece it
/// goes out with its length and in one write, rather than in chunks.
fn gathered(mut body: WasiBody, exchange: Arc<Exchange>) -> Body {
    let mut whole = bytes::Bytes::new();
    let mut cx = Context::from_waker(std::task::Waker::noop());
    loop {
        match Pin::new(&mut body).poll_frame(&mut cx) {
            Poll::Ready(None) => return body::full(whole),
            Poll::Ready(Some(Ok(frame))) if frame.is_data() => {
                let data = frame.into_data().unwrap_or_default();
                // Mostly there is one only, which is handed on without a copy.
                whole = if whole.is_empty() { data } else { [whole, data].concat().into() };
            }
            // Trailers, an error, or a guest that gave its body away half-done: as a stream again.
            Poll::Ready(Some(frame)) => {
                let frames = [Ok(http_body::Frame::data(whole)), frame.map_err(virga_contract::BoxError::from)];
                return http_body_util::StreamBody::new(futures::stream::iter(frames)).boxed_unsync();
            }
            Poll::Pending => {
                let first = futures::stream::once(std::future::ready(Ok(http_body::Frame::data(whole))));
                let rest = http_body_util::BodyStream::new(GuestBody { body, exchange });
                return http_body_util::StreamBody::new(first.chain(rest)).boxed_unsync();
            }
        }
    }
}

/// The answer's body; breaks off with an error when the guest did, which the engine's own body does not tell.
struct GuestBody {
    body: WasiBody,
    exchange: Arc<Exchange>,
}

impl http_body::Body for GuestBody {
    type Data = bytes::Bytes;
    type Error = virga_contract::BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<http_body::Frame<bytes::Bytes>, Self::Error>>> {
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(None) if self.exchange.outcome.has_failed() => Poll::Ready(Some(Err("the app broke off its answer".into()))),
            Poll::Ready(frame) => Poll::Ready(frame.map(|frame| frame.map_err(Into::into))),
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}
