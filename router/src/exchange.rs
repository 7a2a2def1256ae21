//! One request with its answer, from the parsed head to the last byte: what the counters and the access log need.
//! It ends when it is dropped, so that a client who goes away, at any moment, is counted and logged too.

use crate::{
    access_log::{AccessLog, Record},
    bodies::RequestWatch,
    connection::ConnectionState,
    counters::Counters,
    failure::{Failure, X_CF_ROUTER_ERROR},
    routes::Pick,
    tunnel::Moved,
};
use http::{HeaderValue, Response, header};
use hyper::upgrade::OnUpgrade;
use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

/// See the module.
pub(crate) struct Exchange {
    connection: Arc<ConnectionState>,
    counters: Arc<Counters>,
    log: AccessLog,
    /// When the head had been read.
    pub(crate) began: Instant,
    /// Same, as a date.
    pub(crate) at: SystemTime,
    /// The request's body, where it has one.
    pub(crate) body: Option<Arc<RequestWatch>>,
    status: Option<u16>,
    sent_bytes: u64,
    /// `Content-Length` of the answer: hyper asks for nothing after its last byte.
    declared_bytes: Option<u64>,
    is_complete: bool,
    /// How the client's end of an upgraded connection will be had.
    pub(crate) upgrade: Option<OnUpgrade>,
    /// Until the head of an answer that upgraded the connection: what follows is no latency.
    headed: Option<Duration>,
    /// Bytes that came by an upgraded connection.
    received_bytes: u64,
    /// Only for requests to an app.
    record: Option<Box<Record>>,
}

impl Exchange {
    /// Counts a request in.
    pub(crate) fn begin(connection: Arc<ConnectionState>, counters: Arc<Counters>, log: AccessLog) -> Box<Self> {
        counters.started();
        connection.begin_request();
        Box::new(Self {
            connection,
            counters,
            log,
            began: Instant::now(),
            at: SystemTime::now(),
            body: None,
            status: None,
            sent_bytes: 0,
            declared_bytes: None,
            is_complete: false,
            upgrade: None,
            headed: None,
            received_bytes: 0,
            record: None,
        })
    }

    /// The connection it came by.
    pub(crate) fn connection(&self) -> &ConnectionState {
        &self.connection
    }

    /// From here on the exchange belongs to an app and will be in its log.
    pub(crate) fn routed(&mut self, record: Box<Record>) {
        self.record = Some(record);
    }

    /// Another instance was tried.
    pub(crate) fn moved(&mut self, pick: &Pick) {
        if let Some(record) = &mut self.record {
            record.pick = pick.clone();
        }
    }

    /// The head of the answer is known.
    pub(crate) fn answered<B>(&mut self, response: &mut Response<B>, is_failure: bool) {
        self.status = Some(response.status().as_u16());
        let served_by = response.extensions_mut().remove();
        let declared = response.headers().get(header::CONTENT_LENGTH);
        self.declared_bytes = declared.and_then(|length| length.to_str().ok()?.parse().ok());
        if let Some(record) = &mut self.record {
            record.served_by = served_by;
            record.router_error = if is_failure { response.headers().get(&X_CF_ROUTER_ERROR).cloned() } else { None };
        }
    }

    /// The connection becomes a tunnel.
    pub(crate) fn upgraded(&mut self) {
        self.headed = Some(self.began.elapsed());
        self.is_complete = true;
    }

    /// The tunnel is over.
    pub(crate) fn tunnelled(&mut self, moved: Moved) {
        self.received_bytes = moved.from_client;
        self.sent_bytes = moved.to_client;
    }

    /// Bytes of the answer's body went out.
    pub(crate) fn sent(&mut self, bytes: usize) {
        self.sent_bytes += bytes as u64;
        if self.declared_bytes.is_some_and(|declared| self.sent_bytes >= declared) {
            self.is_complete = true;
        }
    }

    /// The body is over, or nobody will ask for it (HEAD, 204, 304).
    pub(crate) fn completed(&mut self) {
        self.is_complete = true;
    }

    /// The app broke off the body of its answer; the client sees the connection (or stream) end early.
    pub(crate) fn broke(&mut self) {
        self.is_complete = true;
        let failure = Failure::Endpoint("the app broke off its answer");
        self.counters.failed(failure.kind());
        if let Some(record) = &mut self.record {
            record.router_error = HeaderValue::from_str(&failure.name()).ok();
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.connection.end_request();
        let took = self.began.elapsed();
        let gone = Failure::ClientGone;
        let status = self.status.unwrap_or_else(|| gone.status().as_u16());
        self.counters.finished(status, self.headed.unwrap_or(took));
        if !self.is_complete {
            self.counters.failed(gone.kind());
        }
        let Some(mut record) = self.record.take() else { return };
        record.status = Some(status);
        record.response = took;
        record.request_bytes = self.body.as_ref().map_or(self.received_bytes, |body| body.bytes());
        record.sent_bytes = self.sent_bytes;
        if !self.is_complete && record.router_error.is_none() {
            record.router_error = HeaderValue::from_str(&gone.name()).ok();
        }
        if !self.log.push(record) {
            self.counters.dropped();
        }
    }
}
