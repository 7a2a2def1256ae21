//! The two streams of an accepted connection, as the guest reads and writes them.

use super::listener::GuestEnd;
use bytes::Bytes;
use std::{
    sync::Arc,
    task::{Context, Poll, Waker},
};
use wasmtime_wasi::p2::{InputStream, OutputStream, Pollable, StreamError, StreamResult};

/// Bytes given to a guest in one read.
const READ_BYTES: usize = 64 << 10;

/// What comes in.
pub struct Reader(pub Arc<GuestEnd>);

#[async_trait::async_trait]
impl Pollable for Reader {
    async fn ready(&mut self) {
        std::future::poll_fn(|cx| self.0.input.poll_ready(cx)).await;
    }
}

#[async_trait::async_trait]
impl InputStream for Reader {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        match self.0.input.take(size.min(READ_BYTES)) {
            Ok(Some(bytes)) => Ok(bytes),
            Ok(None) => Err(StreamError::Closed),
            Err(error) => Err(StreamError::LastOperationFailed(error.into())),
        }
    }
}

/// What goes out.
pub struct Writer(pub Arc<GuestEnd>);

#[async_trait::async_trait]
impl Pollable for Writer {
    async fn ready(&mut self) {
        // A pipe that nobody reads any more is ready, too: the next write says so.
        let _room = std::future::poll_fn(|cx| self.0.output.poll_room(cx)).await;
    }
}

#[async_trait::async_trait]
impl OutputStream for Writer {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if self.check_write()? < bytes.len() {
            return Err(StreamError::Trap(wasmtime::Error::msg("the guest wrote more than it was permitted to")));
        }
        let written = self.0.output.put(&bytes);
        debug_assert_eq!(written, bytes.len(), "only the guest fills this pipe");
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        match self.0.output.poll_room(&Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(room)) => Ok(room),
            Poll::Ready(Err(_)) => Err(StreamError::Closed),
            Poll::Pending => Ok(0),
        }
    }
}
