//! The access log: gorouter's line, as an `RTR` envelope in the app's own log. A request only leaves a record in a
//! bounded queue; one task turns records into lines, after the answers have gone out.

use http::{HeaderValue, Method, Uri, Version};
use std::{
    collections::HashMap,
    fmt::Write as _,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};
use tokio::sync::mpsc;
use virga_contract::{
    cell::{Endpoint, WorkerIndex},
    logs::{Envelope, LogSink, LogStream},
};
use virga_model::AppGuid;

/// Records waiting to become lines.
const QUEUE: usize = 16 * 1024;
/// Records made into lines before other work of the worker gets its turn.
const BATCH: usize = 64;
/// Bytes of any one field taken from the client, in the line.
const FIELD_BYTES: usize = 1024;

/// What the line is made of. Values are shared with the request, not copied.
pub(crate) struct Record {
    pub(crate) app: AppGuid,
    pub(crate) endpoint: Option<Endpoint>,
    pub(crate) host: HeaderValue,
    pub(crate) at: SystemTime,
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) version: Version,
    pub(crate) referer: Option<HeaderValue>,
    pub(crate) user_agent: Option<HeaderValue>,
    pub(crate) client: SocketAddr,
    pub(crate) forwarded_for: Option<HeaderValue>,
    pub(crate) forwarded_proto: Option<HeaderValue>,
    pub(crate) request_id: HeaderValue,
    /// Time the router took before it called the cell.
    pub(crate) routing: Duration,
    /// Time from the head of the request to the last byte of the answer.
    pub(crate) response: Duration,
    pub(crate) status: Option<u16>,
    pub(crate) request_bytes: u64,
    pub(crate) sent_bytes: u64,
    pub(crate) router_error: Option<HeaderValue>,
}

/// Where requests leave their records.
#[derive(Clone)]
pub(crate) struct AccessLog {
    queue: mpsc::Sender<Box<Record>>,
    /// Lines that did not fit, by app; told in the app's own log.
    dropped: Arc<Mutex<HashMap<AppGuid, u64>>>,
}

/// The other end: turns records into lines.
pub(crate) struct AccessLogWriter {
    queue: mpsc::Receiver<Box<Record>>,
    dropped: Arc<Mutex<HashMap<AppGuid, u64>>>,
    sink: Arc<dyn LogSink>,
    worker: WorkerIndex,
}

/// Both ends.
pub(crate) fn new(sink: Arc<dyn LogSink>, worker: WorkerIndex) -> (AccessLog, AccessLogWriter) {
    let (sender, queue) = mpsc::channel(QUEUE);
    let dropped = Arc::default();
    (AccessLog { queue: sender, dropped: Arc::clone(&dropped) }, AccessLogWriter { queue, dropped, sink, worker })
}

impl AccessLog {
    /// Leaves a record; false, and counted for its app, where the queue is full.
    pub(crate) fn push(&self, record: Box<Record>) -> bool {
        let Err(refused) = self.queue.try_send(record) else { return true };
        let record = refused.into_inner();
        *self.dropped.lock().unwrap_or_else(PoisonError::into_inner).entry(record.app).or_default() += 1;
        false
    }
}

impl AccessLogWriter {
    /// Writes until the future is dropped.
    pub(crate) async fn run(&mut self) {
        let mut batch = Vec::with_capacity(BATCH);
        while self.queue.recv_many(&mut batch, BATCH).await > 0 {
            for record in batch.drain(..) {
                self.write(&record);
            }
            self.write_gaps();
            tokio::task::yield_now().await;
        }
    }

    /// Writes what is waiting now.
    pub(crate) fn flush(&mut self) {
        while let Ok(record) = self.queue.try_recv() {
            self.write(&record);
        }
        self.write_gaps();
    }

    fn write(&self, record: &Record) {
        self.emit(record.app, nanoseconds(SystemTime::now()), line(record));
    }

    fn write_gaps(&self) {
        let dropped = std::mem::take(&mut *self.dropped.lock().unwrap_or_else(PoisonError::into_inner));
        for (app, count) in dropped {
            self.emit(app, nanoseconds(SystemTime::now()), format!("{count} access-log lines were dropped: the queue was full"));
        }
    }

    fn emit(&self, app: AppGuid, at_ns: i64, line: String) {
        self.sink.emit(Envelope::line(at_ns, app, "RTR", self.worker, LogStream::Out, line));
    }
}

fn nanoseconds(time: SystemTime) -> i64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// gorouter's line. Instances have no address of their own, so the backend is always `"-"`.
fn line(record: &Record) -> String {
    let mut out = String::with_capacity(640);
    push_field(&mut out, record.host.as_bytes());
    out.push_str(" - [");
    push_time(&mut out, record.at);
    let _ = write!(out, "] \"{} ", record.method);
    push_field(&mut out, record.uri.path_and_query().map_or("/", |target| target.as_str()).as_bytes());
    let _ = write!(out, " {:?}\" ", record.version);
    match record.status {
        Some(status) => _ = write!(out, "{status}"),
        None => out.push_str("\"-\""),
    }
    let _ = write!(out, " {} {} ", record.request_bytes, record.sent_bytes);
    push_quoted(&mut out, record.referer.as_ref());
    out.push(' ');
    push_quoted(&mut out, record.user_agent.as_ref());
    let _ = write!(out, " \"{}\" \"-\" x_forwarded_for:", record.client);
    push_quoted(&mut out, record.forwarded_for.as_ref());
    out.push_str(" x_forwarded_proto:");
    push_quoted(&mut out, record.forwarded_proto.as_ref());
    out.push_str(" vcap_request_id:");
    push_quoted(&mut out, Some(&record.request_id));
    let seconds = |time: Duration| (time.as_secs(), time.subsec_micros());
    let ((whole, micros), (routing, routing_micros)) = (seconds(record.response), seconds(record.routing));
    let _ = write!(out, " response_time:{whole}.{micros:06} gorouter_time:{routing}.{routing_micros:06} app_id:\"{}\"", record.app);
    match record.endpoint {
        Some(endpoint) => _ = write!(out, " app_index:\"{}\" instance_id:\"{}\"", endpoint.index, endpoint.instance),
        None => out.push_str(" app_index:\"-\" instance_id:\"-\""),
    }
    out.push_str(" x_cf_routererror:");
    push_quoted(&mut out, record.router_error.as_ref());
    out
}

fn push_quoted(out: &mut String, value: Option<&HeaderValue>) {
    out.push('"');
    push_field(out, value.map_or(b"-", HeaderValue::as_bytes));
    out.push('"');
}

/// Text of the client's, unable to end its field or its line: quotes, backslashes and what is not printable ASCII are
/// escaped as Go's `%q` does, and its length is bounded.
fn push_field(out: &mut String, bytes: &[u8]) {
    if bytes.is_empty() {
        out.push('-');
    }
    for byte in bytes.iter().take(FIELD_BYTES) {
        match byte {
            b'"' | b'\\' => {
                out.push('\\');
                out.push(char::from(*byte));
            }
            b' '..=b'~' => out.push(char::from(*byte)),
            _ => _ = write!(out, "\\x{byte:02x}"),
        }
    }
}

/// `2026-01-02T15:04:05.123456789Z`.
fn push_time(out: &mut String, at: SystemTime) {
    let time = jiff::Timestamp::try_from(at).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let _ = write!(out, "{time:.9}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::str::FromStr as _;
    use virga_model::{InstanceGuid, ProcessGuid};

    fn record() -> Record {
        Record {
            app: AppGuid::from_u128(1),
            endpoint: Some(Endpoint { process: ProcessGuid::from_u128(1), instance: InstanceGuid::from_u128(2), index: 3 }),
            host: HeaderValue::from_static("app.example.com"),
            at: SystemTime::UNIX_EPOCH + Duration::new(1_767_366_245, 123_456_789),
            method: Method::GET,
            uri: Uri::from_static("/p?q=1"),
            version: Version::HTTP_11,
            referer: None,
            user_agent: Some(HeaderValue::from_str("a\"b\\").unwrap()),
            client: SocketAddr::from_str("203.0.113.9:4000").unwrap(),
            forwarded_for: Some(HeaderValue::from_static("10.0.0.1, 203.0.113.9")),
            forwarded_proto: Some(HeaderValue::from_static("http")),
            request_id: HeaderValue::from_static("rid"),
            routing: Duration::from_micros(100),
            response: Duration::from_micros(2_000_300),
            status: Some(200),
            request_bytes: 5,
            sent_bytes: 12,
            router_error: None,
        }
    }

    #[test]
    fn the_line_is_gorouters() {
        let expected = concat!(
            "app.example.com - [2026-01-02T15:04:05.123456789Z] \"GET /p?q=1 HTTP/1.1\" 200 5 12 \"-\" \"a\\\"b\\\\\" \"203.0.113.9:4000\" \"-\" ",
            "x_forwarded_for:\"10.0.0.1, 203.0.113.9\" x_forwarded_proto:\"http\" vcap_request_id:\"rid\" response_time:2.000300 ",
            "gorouter_time:0.000100 app_id:\"00000000-0000-0000-0000-000000000001\" app_index:\"3\" ",
            "instance_id:\"00000000-0000-0000-0000-000000000002\" x_cf_routererror:\"-\""
        );
        assert_eq!(line(&record()), expected);
    }

    #[test]
    fn a_client_cannot_write_lines_of_its_own() {
        let hostile = Record { user_agent: Some(HeaderValue::from_bytes(b"x\xff\t").unwrap()), ..record() };
        assert!(line(&hostile).contains(r#""x\xff\x09""#));
        let long = Record { referer: Some(HeaderValue::from_str(&"r".repeat(60_000)).unwrap()), ..record() };
        assert!(line(&long).len() < 2_000);
    }
}
