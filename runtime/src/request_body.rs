//! The body of a guest's request that nobody reads to its end: an answer that comes first does not break the guest's writing.

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use std::{
    pin::Pin,
    task::{Context, Poll},
};
use tokio::sync::oneshot;
use wasmtime_wasi_http::{Error, WasiBody};

/// A request's body that is handed on, where it is dropped unfinished, to [`Unread`].
struct Kept {
    body: Option<WasiBody>,
    unread: Option<oneshot::Sender<WasiBody>>,
}

/// What is left of a request's body once it was dropped.
pub(crate) struct Unread(oneshot::Receiver<WasiBody>);

/// The body to send, and what will be left of it.
///
/// A body is dropped as soon as no more of it is needed: hyper sends no body with a `GET` of unstated length, and none after an answer. A guest that
/// is about to end its body then finds it closed, and wasi clients take that for a broken connection, though the answer is there.
pub(crate) fn kept(body: WasiBody) -> (WasiBody, Unread) {
    let (unread, left) = oneshot::channel();
    (Kept { body: Some(body), unread: Some(unread) }.boxed_unsync(), Unread(left))
}

impl Unread {
    /// Takes what the guest still writes, for nobody.
    pub(crate) async fn discard(self) {
        let Ok(mut body) = self.0.await else { return };
        while let Some(Ok(_)) = body.frame().await {}
    }
}

impl Body for Kept {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = Pin::new(body).poll_frame(cx);
        if let Poll::Ready(None | Some(Err(_))) = frame {
            self.body = None;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let (Some(body), Some(unread)) = (self.body.take(), self.unread.take()) {
            // Nobody waits for it where the request itself has failed.
            let _ = unread.send(body);
        }
    }
}
