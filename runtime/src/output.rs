//! What a guest writes to stdout and stderr: framed into lines, capped, rate-limited, handed to the log sink. Never blocks
//! the guest: what is over the app's log rate is dropped and said so in the app's own stream.

use bytes::Bytes;
use std::{
    collections::BTreeMap,
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};
use tokio::io::AsyncWrite;
use virga_contract::logs::{Envelope, LogSink, LogStream, Message};
use virga_model::{AppGuid, Timestamp};
use wasmtime_wasi::{
    cli::{IsTerminal, StdoutStream},
    p2::{OutputStream, Pollable, StreamResult},
};

/// Bytes a guest may write in one call.
const WRITE_PERMIT: usize = 64 << 10;
const SECOND_NS: i64 = 1_000_000_000;

/// The log of one app instance.
pub struct InstanceLog {
    sink: Arc<dyn LogSink>,
    app: AppGuid,
    index: u32,
    source_type: String,
    tags: BTreeMap<String, String>,
    line_bytes: usize,
    /// Bytes per second; `None` is unlimited.
    rate: Option<u64>,
    window: Mutex<Window>,
}

/// Use of the log in the second that began at `start_ns`, and in the one before it.
#[derive(Debug, Default)]
struct Window {
    start_ns: i64,
    bytes: u64,
    last_bytes: u64,
    has_complained: bool,
}

/// Now, in nanoseconds since the Unix epoch.
pub(crate) fn now_ns() -> i64 {
    i64::try_from(Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX)
}

impl InstanceLog {
    /// A log whose lines carry these tags.
    pub(crate) fn new(
        sink: Arc<dyn LogSink>,
        app: AppGuid,
        index: u32,
        source_type: String,
        tags: BTreeMap<String, String>,
        line_bytes: usize,
        rate: i64,
    ) -> Self {
        Self {
            sink,
            app,
            index,
            source_type,
            tags,
            line_bytes: line_bytes.max(1),
            rate: u64::try_from(rate).ok(),
            window: Mutex::default(),
        }
    }

    /// Bytes written in the last whole second.
    pub(crate) fn bytes_per_second(&self) -> u64 {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        window.roll(now_ns());
        window.last_bytes
    }

    /// What its lines say they come from: `APP/PROC/WEB`, `APP/TASK/<name>`.
    pub(crate) fn source_type(&self) -> &str {
        &self.source_type
    }

    /// A line of the platform among the app's own.
    pub(crate) fn own(&self, line: impl Into<Bytes>) {
        self.emit(self.source_type.clone().into(), now_ns(), LogStream::Out, line.into());
    }

    /// A line of the cell about this instance (source `CELL`).
    pub(crate) fn cell(&self, line: impl Into<Bytes>) {
        self.emit("CELL".into(), now_ns(), LogStream::Err, line.into());
    }

    fn emit(&self, source_type: std::borrow::Cow<'static, str>, timestamp_ns: i64, stream: LogStream, payload: Bytes) {
        self.sink.emit(Envelope {
            timestamp_ns,
            app: self.app,
            instance_index: self.index,
            source_type,
            tags: self.tags.clone(),
            message: Message::Log { payload, stream },
        });
    }

    fn line(&self, stream: LogStream, payload: Bytes) {
        let now = now_ns();
        match self.admit(now, payload.len() as u64) {
            Admitted::Yes => self.emit(self.source_type.clone().into(), now, stream, payload),
            Admitted::No => {}
            Admitted::NoAndSaySo(rate) => {
                let complaint = format!("app instance exceeded log rate limit ({rate} bytes/sec)");
                self.emit(self.source_type.clone().into(), now, LogStream::Err, complaint.into());
            }
        }
    }

    fn admit(&self, now: i64, bytes: u64) -> Admitted {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        window.roll(now);
        match self.rate {
            Some(rate) if window.bytes.saturating_add(bytes) > rate => {
                if std::mem::replace(&mut window.has_complained, true) {
                    Admitted::No
                } else {
                    Admitted::NoAndSaySo(rate)
                }
            }
            _ => {
                window.bytes = window.bytes.saturating_add(bytes);
                Admitted::Yes
            }
        }
    }
}

enum Admitted {
    Yes,
    No,
    NoAndSaySo(u64),
}

impl Window {
    fn roll(&mut self, now: i64) {
        let age = now.saturating_sub(self.start_ns);
        if age >= SECOND_NS {
            let last_bytes = if age < 2 * SECOND_NS { self.bytes } else { 0 };
            *self = Self { start_ns: now, bytes: 0, last_bytes, has_complained: false };
        }
    }
}

/// stdout or stderr of one wasm instance. Clones share the line in progress.
#[derive(Clone)]
pub struct Output(Arc<Framer>);

struct Framer {
    log: Arc<InstanceLog>,
    stream: LogStream,
    partial: Mutex<Vec<u8>>,
}

impl Output {
    /// A stream into this log.
    pub(crate) fn new(log: Arc<InstanceLog>, stream: LogStream) -> Self {
        Self(Arc::new(Framer { log, stream, partial: Mutex::default() }))
    }

    fn push(&self, bytes: &[u8]) {
        let mut partial = self.0.partial.lock().unwrap_or_else(PoisonError::into_inner);
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            let (text, is_end) = match piece.split_last() {
                Some((b'\n', text)) => (text, true),
                _ => (piece, false),
            };
            self.append(&mut partial, text);
            if is_end {
                self.0.end_line(&mut partial);
            }
        }
    }

    /// Adds to the line in progress, cutting where it gets too long.
    fn append(&self, partial: &mut Vec<u8>, mut text: &[u8]) {
        let cap = self.0.log.line_bytes;
        while partial.len() + text.len() > cap {
            let (now, later) = text.split_at(cap.saturating_sub(partial.len()).min(text.len()));
            partial.extend_from_slice(now);
            self.0.end_line(partial);
            text = later;
        }
        partial.extend_from_slice(text);
    }
}

impl Framer {
    fn end_line(&self, partial: &mut Vec<u8>) {
        if partial.last() == Some(&b'\r') {
            partial.pop();
        }
        if !partial.is_empty() {
            self.log.line(self.stream, Bytes::copy_from_slice(partial));
            partial.clear();
        }
    }
}

impl Drop for Framer {
    fn drop(&mut self) {
        let mut partial = std::mem::take(&mut *self.partial.lock().unwrap_or_else(PoisonError::into_inner));
        self.end_line(&mut partial);
    }
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Output {
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }

    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }
}

#[async_trait::async_trait]
impl Pollable for Output {
    async fn ready(&mut self) {}
}

#[async_trait::async_trait]
impl OutputStream for Output {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.push(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_PERMIT)
    }
}

impl AsyncWrite for Output {
    fn poll_write(self: Pin<&mut Self>, _cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.push(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Kept(Mutex<Vec<String>>);

    impl LogSink for Kept {
        fn emit(&self, envelope: Envelope) {
            if let Message::Log { payload, .. } = envelope.message {
                self.0.lock().unwrap().push(String::from_utf8_lossy(&payload).into_owned());
            }
        }
    }

    fn log(kept: &Arc<Kept>, line_bytes: usize, rate: i64) -> Arc<InstanceLog> {
        Arc::new(InstanceLog::new(kept.clone(), AppGuid::random(), 0, "APP/PROC/WEB".into(), BTreeMap::new(), line_bytes, rate))
    }

    #[test]
    fn bytes_become_lines_however_they_arrive() {
        let kept = Arc::new(Kept::default());
        let output = Output::new(log(&kept, 8, -1), LogStream::Out);
        for piece in ["a", "b\r\n\nc", "d\n0123456789", "!\nend"] {
            output.push(piece.as_bytes());
        }
        drop(output);
        assert_eq!(*kept.0.lock().unwrap(), ["ab", "cd", "01234567", "89!", "end"]);
    }

    #[test]
    fn over_the_log_rate_lines_are_dropped_and_it_is_said_once_a_second() {
        let kept = Arc::new(Kept::default());
        let log = log(&kept, 100, 10);
        let output = Output::new(log.clone(), LogStream::Out);
        log.window.lock().unwrap().start_ns = now_ns();
        output.push(b"12345678\n12345678\n12345678\n");
        assert_eq!(*kept.0.lock().unwrap(), ["12345678", "app instance exceeded log rate limit (10 bytes/sec)"]);
    }
}
