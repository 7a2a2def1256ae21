//! App envelopes: what travels from a guest, the router or the platform to the log cache (Loggregator v2 envelope).

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use virga_model::{AppGuid, words};

words! {
    /// Which stream of the guest a line came from.
    LogStream { Out = "OUT", Err = "ERR", }
}

/// One envelope. Names of app, space and organization are added where it is read, so that a rename shows at once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Envelope {
    /// Nanoseconds since the Unix epoch.
    pub timestamp_ns: i64,
    /// The app it belongs to; the log cache's `source_id`.
    pub app: AppGuid,
    /// Index of the instance (for `RTR`: of the worker; for `STG`, `API`: 0).
    pub instance_index: u32,
    /// `APP/PROC/WEB`, `STG`, `RTR`, `API`, `CELL`, `HEALTH`, `LGR`.
    pub source_type: std::borrow::Cow<'static, str>,
    /// Further tags: `process_id`, `process_type`, `process_instance_id`, …
    pub tags: BTreeMap<String, String>,
    /// What is said.
    pub message: Message,
}

/// The payload of an envelope.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Message {
    /// One line, without its newline.
    Log {
        /// The bytes as the guest wrote them.
        payload: Bytes,
        /// Where it was written.
        stream: LogStream,
    },
    /// Measurements at one moment.
    Gauge(BTreeMap<String, GaugeValue>),
    /// A sum that only grows.
    Counter {
        /// Name of the metric.
        name: String,
        /// Growth since the last envelope.
        delta: u64,
        /// The sum.
        total: u64,
    },
    /// A span of time; the router's `http` timer.
    Timer {
        /// Name of the metric.
        name: String,
        /// Start, nanoseconds since the epoch.
        start_ns: i64,
        /// Stop, nanoseconds since the epoch.
        stop_ns: i64,
    },
}

/// One value of a gauge.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GaugeValue {
    /// `bytes`, `percentage`, …
    pub unit: String,
    /// The value.
    pub value: f64,
}

impl Envelope {
    /// A line of log of the platform itself about an app (`API`, `CELL`, `STG`, `HEALTH`).
    #[must_use]
    pub fn line(
        timestamp_ns: i64,
        app: AppGuid,
        source_type: &'static str,
        instance_index: u32,
        stream: LogStream,
        line: impl Into<Bytes>,
    ) -> Self {
        Self {
            timestamp_ns,
            app,
            instance_index,
            source_type: source_type.into(),
            tags: BTreeMap::new(),
            message: Message::Log { payload: line.into(), stream },
        }
    }
}

/// Takes envelopes in. Never blocks and never fails: what does not fit in the app's bounded queue is counted, and the
/// count appears as a line in the app's own stream.
pub trait LogSink: Send + Sync + 'static {
    /// Takes one envelope.
    fn emit(&self, envelope: Envelope);
}

/// Which envelopes a reader wants; `/api/v1/read` of the log cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadQuery {
    /// Inclusive, nanoseconds.
    pub start_ns: i64,
    /// Exclusive, nanoseconds; `None` is now.
    pub end_ns: Option<i64>,
    /// `LOG`, `COUNTER`, `GAUGE`, `TIMER`, `EVENT`; empty is any.
    pub envelope_types: Vec<String>,
    /// 1 to 1,000.
    pub limit: usize,
    /// Newest first.
    pub descending: bool,
    /// Only metrics whose name matches this regular expression.
    pub name_filter: Option<String>,
}

/// What the log cache holds of one app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceMeta {
    /// The app.
    pub app: AppGuid,
    /// Envelopes held.
    pub count: u64,
    /// Envelopes that had to go to make room.
    pub expired: u64,
    /// Nanoseconds.
    pub oldest_ns: i64,
    /// Nanoseconds.
    pub newest_ns: i64,
}

/// The log cache as its HTTP API reads it.
pub trait LogCache: Send + Sync + 'static {
    /// Envelopes of one app; a bad `name_filter` is an error text.
    ///
    /// # Errors
    /// The text says what is wrong with the query.
    fn read(&self, app: AppGuid, query: &ReadQuery) -> Result<Vec<Envelope>, String>;

    /// What is held, for every app.
    fn meta(&self) -> Vec<SourceMeta>;

    /// Lets go of an app that was deleted.
    fn forget(&self, app: AppGuid);

    /// Seconds since the cache began.
    fn uptime_seconds(&self) -> u64;
}
