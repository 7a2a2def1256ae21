//! A request's body on its way to the app: counted, limited in size, and in the time between two of its pieces.

use bytes::Bytes;
use futures::task::AtomicWaker;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::Sleep;
use virga_contract::BoxError;

use crate::failure::Failure;

/// What the request's handler learns from a body that it has given away.
#[derive(Default)]
pub(crate) struct RequestWatch {
    bytes: AtomicU64,
    fault: AtomicU8,
    is_touched: AtomicBool,
    waker: AtomicWaker,
    /// The body again, where nobody has read from it.
    returned: Mutex<Option<Incoming>>,
}

const TOO_LARGE: u8 = 1;
const SLOW: u8 = 2;
const BROKEN: u8 = 3;
const MALFORMED: u8 = 4;

impl RequestWatch {
    /// Bytes read so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    /// What is wrong with the body, by the client's fault; wakes `cx` when something comes to be.
    pub(crate) fn poll_fault(&self, cx: &Context<'_>) -> Option<Failure> {
        self.waker.register(cx.waker());
        match self.fault.load(Relaxed) {
            TOO_LARGE => Some(Failure::BodyTooLarge),
            SLOW => Some(Failure::SlowBody),
            BROKEN => Some(Failure::ClientGone),
            MALFORMED => Some(Failure::BadRequest("malformed body")),
            _ => None,
        }
    }

    /// The body, if it came back unread; a second instance may have it then.
    pub(crate) fn take_back(&self) -> Option<Incoming> {
        if self.is_touched.load(Relaxed) {
            return None;
        }
        self.returned.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn set_fault(&self, fault: u8) {
        self.fault.store(fault, Relaxed);
        self.waker.wake();
    }
}

/// See the module.
pub(crate) struct RequestBody {
    inner: Option<Incoming>,
    watch: Arc<RequestWatch>,
    /// Bytes that may still come.
    left: u64,
    idle: Duration,
    /// Runs only while the app waits for the client.
    timer: Option<Pin<Box<Sleep>>>,
}

impl RequestBody {
    /// `limit` in bytes, 0 is none; `idle` is the longest wait for a piece.
    pub(crate) fn new(inner: Incoming, watch: Arc<RequestWatch>, limit: u64, idle: Duration) -> Self {
        Self { inner: Some(inner), watch, left: if limit == 0 { u64::MAX } else { limit }, idle, timer: None }
    }

    fn fail<T>(&mut self, fault: u8, text: &'static str) -> Poll<Option<Result<T, BoxError>>> {
        self.inner = None;
        self.watch.set_fault(fault);
        Poll::Ready(Some(Err(text.into())))
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        this.watch.is_touched.store(true, Relaxed);
        let Some(inner) = &mut this.inner else { return Poll::Ready(None) };
        match Pin::new(inner).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                this.timer = None;
                let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
                this.watch.bytes.fetch_add(bytes, Relaxed);
                match this.left.checked_sub(bytes) {
                    Some(left) => this.left = left,
                    None => return this.fail(TOO_LARGE, "the request body is larger than allowed"),
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) if is_malformed(&error) => this.fail(MALFORMED, "the request body is malformed"),
            Poll::Ready(Some(Err(_))) => this.fail(BROKEN, "the client broke off the request body"),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => {
                let idle = this.idle;
                let timer = this.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(idle)));
                ready!(timer.as_mut().poll(cx));
                this.fail(SLOW, "the request body did not arrive in time")
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

/// Whether the client sent something that is no body (a bad chunk), rather than nothing more.
fn is_malformed(error: &hyper::Error) -> bool {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<std::io::Error>());
    source.is_some_and(|source| matches!(source.kind(), std::io::ErrorKind::InvalidInput | std::io::ErrorKind::InvalidData))
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        if !self.watch.is_touched.load(Relaxed) {
            *self.watch.returned.lock().unwrap_or_else(PoisonError::into_inner) = self.inner.take();
        }
    }
}
