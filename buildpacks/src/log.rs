//! Lines of staging in the app's own log, as `STG`.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};
use virga_contract::logs::{Envelope, LogSink, LogStream};
use virga_model::AppGuid;

/// Writes `STG` lines for one app.
#[derive(Clone)]
pub(crate) struct StagingLog {
    app: AppGuid,
    sink: Arc<dyn LogSink>,
}

impl StagingLog {
    pub(crate) fn new(app: AppGuid, sink: Arc<dyn LogSink>) -> Self {
        Self { app, sink }
    }

    /// One line, without its newline.
    pub(crate) fn line(&self, stream: LogStream, line: impl Into<bytes::Bytes>) {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let timestamp = i64::try_from(since_epoch.as_nanos()).unwrap_or(i64::MAX);
        self.sink.emit(Envelope::line(timestamp, self.app, "STG", 0, stream, line));
    }

    /// One line to stdout.
    pub(crate) fn say(&self, line: impl Into<String>) {
        self.line(LogStream::Out, line.into());
    }
}
