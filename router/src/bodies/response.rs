//! An answer's body on its way to the client. The exchange ends with it, whether it was read to its end or dropped.

use crate::exchange::Exchange;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};
use virga_contract::{Body, BoxError};

/// See the module.
pub(crate) struct ResponseBody {
    inner: Body,
    /// None where it goes on after this answer, as a tunnel.
    exchange: Option<Box<Exchange>>,
    /// A piece was given out and the connection has not asked for the next: the client is behind.
    is_outstanding: bool,
}

impl ResponseBody {
    /// Ties a body to its exchange.
    pub(crate) fn new(inner: Body, exchange: Option<Box<Exchange>>) -> Self {
        Self { inner, exchange, is_outstanding: false }
    }
}

impl http_body::Body for ResponseBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        let Some(exchange) = &mut this.exchange else {
            return Pin::new(&mut this.inner).poll_frame(cx);
        };
        if std::mem::take(&mut this.is_outstanding) {
            exchange.connection().taken();
        }
        let next = ready!(Pin::new(&mut this.inner).poll_frame(cx));
        match &next {
            Some(Ok(frame)) => {
                exchange.sent(frame.data_ref().map_or(0, Bytes::len));
                this.is_outstanding = true;
                exchange.connection().given();
            }
            Some(Err(_)) => exchange.broke(),
            None => {}
        }
        if next.is_none() || this.inner.is_end_stream() {
            exchange.completed();
        }
        Poll::Ready(next)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        if let Some(exchange) = self.exchange.as_ref().filter(|_| self.is_outstanding) {
            exchange.connection().taken();
        }
    }
}
