//! The access log: gorouter's line, as an `RTR` envelope in the app's own log. A request only leaves a record in a
//! bounded queue; one task turns records into lines, after the answers have gone out.

use crate::routes::Pick;
use http::{HeaderValue, Method, Version, uri::PathAndQuery};
use std::{
    collections::HashMap,
    fmt::Write as _,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};
use tokio::sync::mpsc;
use virga_contract::{
    cell::{ServedBy, WorkerIndex},
    logs::{Envelope, LogSink, LogStream},
};
use virga_model::AppGuid;

/// Records waiting to become lines.
const QUEUE: usize = 16 * 1024;
/// Records made into lines at a time, and the pause after them: together they bound how long the worker's requests
/// wait for the log (about 0.3 ms), and lines per second (256,000, more than one worker can answer).
const BATCH: usize = 256;
const PAUSE: Duration = Duration::from_millis(1);
/// Bytes of any one field taken from the client, in the line.
const FIELD_BYTES: usize = 1024;

/// What the line is made of. Values are shared with the request, not copied.
pub(crate) struct Record {
    pub(crate) pick: Pick,
    pub(crate) host: HeaderValue,
    pub(crate) at: SystemTime,
    pub(crate) method: Method,
    pub(crate) target: Option<PathAndQuery>,
    pub(crate) version: Version,
    pub(crate) referer: Option<HeaderValue>,
    pub(crate) user_agent: Option<HeaderValue>,
    /// Address and port.
    pub(crate) client: Arc<str>,
    pub(crate) forwarded_for: HeaderValue,
    pub(crate) forwarded_proto: HeaderValue,
    pub(crate) request_id: HeaderValue,
    /// Time the router took before it called the cell.
    pub(crate) routing: Duration,
    /// Time from the head of the request to the last byte of the answer.
    pub(crate) response: Duration,
    /// What the cell says about how it was served.
    pub(crate) served_by: Option<ServedBy>,
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
    second: Second,
}

/// Both ends.
pub(crate) fn new(sink: Arc<dyn LogSink>, worker: WorkerIndex) -> (AccessLog, AccessLogWriter) {
    let (sender, queue) = mpsc::channel(QUEUE);
    let dropped = Arc::default();
    (
        AccessLog { queue: sender, dropped: Arc::clone(&dropped) },
        AccessLogWriter { queue, dropped, sink, worker, second: Second::default() },
    )
}

impl AccessLog {
    /// Leaves a record; false, and counted for its app, where the queue is full.
    pub(crate) fn push(&self, record: Box<Record>) -> bool {
        let Err(refused) = self.queue.try_send(record) else { return true };
        let record = refused.into_inner();
        *self.dropped.lock().unwrap_or_else(PoisonError::into_inner).entry(record.pick.process().app).or_default() += 1;
        false
    }
}

impl AccessLogWriter {
    /// Writes until the future is dropped. The pause gathers records: a task woken for each of them would cost more
    /// than the line itself.
    pub(crate) async fn run(&mut self) {
        let mut batch = Vec::with_capacity(BATCH);
        while self.queue.recv_many(&mut batch, BATCH).await > 0 {
            for record in batch.drain(..) {
                self.write(&record);
            }
            self.write_gaps();
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Writes what is waiting now.
    pub(crate) fn flush(&mut self) {
        while let Ok(record) = self.queue.try_recv() {
            self.write(&record);
        }
        self.write_gaps();
    }

    fn write(&mut self, record: &Record) {
        let at_ns = nanoseconds(record.at + record.response);
        let line = line(record, self.second.of(record.at));
        self.emit(record.pick.process().app, at_ns, line);
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

/// The text of the last second that was written; most lines share it with the line before.
#[derive(Default)]
struct Second {
    seconds: u64,
    text: String,
}

impl Second {
    /// `2026-01-02T15:04:05`.
    fn of(&mut self, at: SystemTime) -> &str {
        let seconds = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        if self.seconds != seconds || self.text.is_empty() {
            let time = jiff::Timestamp::from_second(i64::try_from(seconds).unwrap_or_default()).unwrap_or_default();
            self.seconds = seconds;
            self.text = time.strftime("%Y-%m-%dT%H:%M:%S").to_string();
        }
        &self.text
    }
}

fn nanoseconds(time: SystemTime) -> i64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// gorouter's line. Instances have no address of their own, so the backend is always `"-"`.
fn line(record: &Record, second: &str) -> String {
    let mut out = String::with_capacity(640);
    push_field(&mut out, record.host.as_bytes());
    let nanoseconds = record.at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().subsec_nanos();
    // Writing into a String cannot fail.
    let _ = write!(out, " - [{second}.{nanoseconds:09}Z] \"");
    out.push_str(record.method.as_str());
    out.push(' ');
    push_field(&mut out, record.target.as_ref().map_or("/", |target| target.as_str()).as_bytes());
    let _ = write!(out, " {:?}\" ", record.version);
    match record.status {
        Some(status) => _ = write!(out, "{status}"),
        None => out.push_str("\"-\""),
    }
    let _ = write!(out, " {} {} ", record.request_bytes, record.sent_bytes);
    push_quoted(&mut out, record.referer.as_ref());
    out.push(' ');
    push_quoted(&mut out, record.user_agent.as_ref());
    out.push_str(" \"");
    out.push_str(&record.client);
    out.push_str("\" \"-\" x_forwarded_for:");
    push_quoted(&mut out, Some(&record.forwarded_for));
    out.push_str(" x_forwarded_proto:");
    push_quoted(&mut out, Some(&record.forwarded_proto));
    out.push_str(" vcap_request_id:");
    push_quoted(&mut out, Some(&record.request_id));
    for (name, time) in [(" response_time:", record.response), (" gorouter_time:", record.routing)] {
        let _ = write!(out, "{name}{}.{:06}", time.as_secs(), time.subsec_micros());
    }
    out.push_str(" app_id:");
    push_quoted(&mut out, Some(&record.pick.process().app_header));
    let instance = record.pick.instance();
    out.push_str(" app_index:");
    push_quoted(&mut out, instance.map(|instance| &instance.index_header));
    out.push_str(" instance_id:");
    push_quoted(&mut out, instance.map(|instance| &instance.guid_header));
    // Where gorouter puts its optional fields; only where there was a wait to explain.
    if let Some(served_by) = record.served_by.filter(|served_by| served_by.cold || served_by.queue_ns > 0) {
        let queue = Duration::from_nanos(served_by.queue_ns);
        let _ = write!(out, " queue_time:{}.{:06} cold_start:\"{}\"", queue.as_secs(), queue.subsec_micros(), served_by.cold);
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
    let bytes = bytes.get(..FIELD_BYTES).unwrap_or(bytes);
    let is_plain = bytes.iter().all(|byte| matches!(byte, b' '..=b'~') && *byte != b'"' && *byte != b'\\');
    if let (true, Ok(text)) = (is_plain, std::str::from_utf8(bytes)) {
        out.push_str(text);
        return;
    }
    for byte in bytes {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::Balancing,
        routes::{Wanted, pick::tests::Busy, table::tests::table},
    };

    fn record() -> Record {
        let table = table(&[(1, &[false, false, false, true])], &[("a.b", "", &[(1, None)])]);
        let pick = table.find("a.b", "/").unwrap().pick(Wanted::Any, None, Balancing::RoundRobin.into(), &Busy, &[]).unwrap();
        Record {
            pick,
            host: HeaderValue::from_static("app.example.com"),
            at: SystemTime::UNIX_EPOCH + Duration::new(1_767_366_245, 123_456_789),
            method: Method::GET,
            target: Some(PathAndQuery::from_static("/p?q=1")),
            version: Version::HTTP_11,
            referer: None,
            user_agent: Some(HeaderValue::from_str("a\"b\\").unwrap()),
            client: "203.0.113.9:4000".into(),
            forwarded_for: HeaderValue::from_static("10.0.0.1, 203.0.113.9"),
            forwarded_proto: HeaderValue::from_static("http"),
            request_id: HeaderValue::from_static("rid"),
            routing: Duration::from_micros(100),
            response: Duration::from_micros(2_000_300),
            served_by: None,
            status: Some(200),
            request_bytes: 5,
            sent_bytes: 12,
            router_error: None,
        }
    }

    fn text(record: &Record) -> String {
        line(record, Second::default().of(record.at))
    }

    #[test]
    fn the_line_is_gorouters() {
        let expected = concat!(
            "app.example.com - [2026-01-02T15:04:05.123456789Z] \"GET /p?q=1 HTTP/1.1\" 200 5 12 \"-\" \"a\\\"b\\\\\" \"203.0.113.9:4000\" \"-\" ",
            "x_forwarded_for:\"10.0.0.1, 203.0.113.9\" x_forwarded_proto:\"http\" vcap_request_id:\"rid\" response_time:2.000300 ",
            "gorouter_time:0.000100 app_id:\"00000000-0000-0000-0000-000000000001\" app_index:\"3\" ",
            "instance_id:\"00000000-0000-0000-0000-000000000067\" x_cf_routererror:\"-\""
        );
        assert_eq!(text(&record()), expected);
    }

    #[test]
    fn a_cold_start_is_told() {
        let cold = Record { served_by: Some(ServedBy { cold: true, queue_ns: 1_500_000 }), ..record() };
        assert!(text(&cold).ends_with("000067\" queue_time:0.001500 cold_start:\"true\" x_cf_routererror:\"-\""), "{}", text(&cold));
    }

    #[test]
    fn a_client_cannot_write_lines_of_its_own() {
        let hostile = Record { user_agent: Some(HeaderValue::from_bytes(b"x\xff\t").unwrap()), ..record() };
        assert!(text(&hostile).contains(r#""x\xff\x09""#));
        let long = Record { referer: Some(HeaderValue::from_str(&"r".repeat(60_000)).unwrap()), ..record() };
        assert!(text(&long).len() < 2_000);
    }
}
