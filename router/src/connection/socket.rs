//! The socket as hyper reads and writes it. It notes when the client makes hyper wait, says 408 where a head came too
//! slowly, and gives hyper's own bare refusals (400, 414, 431) the form of the router's.

use super::state::{Command, ConnectionState};
use crate::counters::{Counters, ErrorKind};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tokio::net::TcpStream;

/// See the module.
pub(super) struct Socket {
    stream: TokioIo<TcpStream>,
    state: Arc<ConnectionState>,
    counters: Arc<Counters>,
    /// Bytes that are still read and thrown away after a refusal.
    to_discard: usize,
    is_shut: bool,
}

/// What a refused client may still send while it has not read the refusal. Closing at once would make the kernel reset
/// the connection, and the client never see why.
const DISCARDED_BYTES: usize = 1 << 20;

impl Socket {
    pub(super) fn new(stream: TcpStream, state: Arc<ConnectionState>, counters: Arc<Counters>) -> Self {
        Self { stream: TokioIo::new(stream), state, counters, to_discard: DISCARDED_BYTES, is_shut: false }
    }

    /// Writes an answer to a request that has no handler. It is small and the connection's first bytes since the last
    /// answer, so the socket's buffer takes it; where it does not, the client reads nothing anyway.
    fn refuse(&self, kind: ErrorKind, status: &str, text: &str) {
        self.counters.failed(kind);
        self.state.linger();
        let body = format!("{status}: {text}\n");
        let answer = format!(
            "HTTP/1.1 {status}\r\nX-Cf-RouterError: {}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            kind.name(),
            body.len()
        );
        if let Err(error) = self.stream.inner().try_write(answer.as_bytes()) {
            tracing::debug!(%error, "a refusal could not be written");
        }
    }

    /// Whether `bytes` are hyper's refusal of a request it could not parse; then the router's has been written instead.
    fn has_replaced(&self, bytes: &[u8]) -> bool {
        let (kind, status, text) = match bytes.get(..13) {
            Some(b"HTTP/1.1 400 ") => (ErrorKind::BadRequest, "400 Bad Request", "The request could not be understood."),
            Some(b"HTTP/1.1 414 ") => (ErrorKind::RequestTooLarge, "414 URI Too Long", "The request target is larger than allowed."),
            Some(b"HTTP/1.1 431 ") => {
                (ErrorKind::RequestTooLarge, "431 Request Header Fields Too Large", "The request header is larger than allowed.")
            }
            _ => return false,
        };
        // Every answer that was handled carries a request id, also one whose last bytes are only now written.
        let is_hypers = self.state.is_between_requests() && !bytes.windows(17).any(|part| part == b"x-vcap-request-id");
        if is_hypers {
            self.refuse(kind, status, text);
        }
        is_hypers
    }
}

impl Read for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.state.command() == Command::Kill && this.state.is_in_head() && !this.state.is_http2() {
            this.refuse(ErrorKind::RequestTimeout, "408 Request Timeout", "The request header did not arrive in time.");
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let read = Pin::new(&mut this.stream).poll_read(cx, buf);
        if matches!(read, Poll::Ready(Ok(()))) {
            this.state.received();
        }
        read
    }
}

impl Write for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if this.has_replaced(buf) {
            return Poll::Ready(Ok(buf.len()));
        }
        let written = Pin::new(&mut this.stream).poll_write(cx, buf);
        this.state.wrote(written.is_pending());
        written
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if let [only] = bufs
            && this.has_replaced(only)
        {
            return Poll::Ready(Ok(only.len()));
        }
        let written = Pin::new(&mut this.stream).poll_write_vectored(cx, bufs);
        this.state.wrote(written.is_pending());
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if !this.is_shut {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
            this.is_shut = true;
        }
        if !this.state.lingers() {
            return Poll::Ready(Ok(()));
        }
        // Ends with the client's end, or with the watchdog's patience for a head.
        let mut discarded = [0; 8 * 1024];
        while this.to_discard > 0 {
            let mut buffer = tokio::io::ReadBuf::new(&mut discarded);
            ready!(tokio::io::AsyncRead::poll_read(Pin::new(this.stream.inner_mut()), cx, &mut buffer))?;
            match buffer.filled().len() {
                0 => break,
                bytes => this.to_discard = this.to_discard.saturating_sub(bytes),
            }
        }
        Poll::Ready(Ok(()))
    }
}
