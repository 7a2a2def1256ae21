//! The router's own numbers, kept in atomics that one thread writes and a report reads.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use virga_contract::cell::{LATENCY_BOUNDS_SECONDS, RouterCounters};
use virga_model::words;

words! {
    /// The kinds of `X-Cf-RouterError`.
    ErrorKind {
        UnknownRoute = "unknown_route",
        NoEndpoints = "no_endpoints",
        InvalidAppInstance = "invalid_cf_app_instance_header",
        InvalidProcessInstance = "invalid_cf_process_instance_header",
        EmptyHost = "empty_host",
        BadRequest = "bad_request",
        MethodNotAllowed = "method_not_allowed",
        ConnectionLimit = "Connection Limit Reached",
        EndpointFailure = "endpoint_failure",
        RequestTooLarge = "max-request-size-exceeded",
        RequestTimeout = "request_timeout",
        RouteServiceUnsupported = "route_service_unsupported",
        InvalidRouteServiceSignature = "invalid_route_service_signature",
        ExpiredRouteServiceSignature = "expired_route_service_signature",
        ApiAway = "api_unavailable",
    }
}

impl ErrorKind {
    /// The word in the header.
    pub(crate) fn name(self) -> &'static str {
        self.as_str()
    }
}

/// Number of [`ErrorKind`]s.
const KINDS: usize = ErrorKind::ALL.len();

/// See [`RouterCounters`].
#[derive(Default)]
pub(crate) struct Counters {
    classes: [AtomicU64; 5],
    errors: [AtomicU64; KINDS],
    in_flight: AtomicU64,
    /// Not cumulative here: one addition per request.
    latencies: [AtomicU64; LATENCY_BOUNDS_SECONDS.len() + 1],
    latency_ns: AtomicU64,
    dropped_envelopes: AtomicU64,
    tcp_ports: AtomicU64,
    tcp_ports_failed: AtomicU64,
    tunnels: AtomicU64,
}

impl Counters {
    pub(crate) fn started(&self) {
        self.in_flight.fetch_add(1, Relaxed);
    }

    /// A request is over.
    pub(crate) fn finished(&self, status: u16, took: Duration) {
        self.in_flight.fetch_sub(1, Relaxed);
        if let Some(class) = usize::from(status / 100).checked_sub(1).and_then(|class| self.classes.get(class)) {
            class.fetch_add(1, Relaxed);
        }
        let seconds = took.as_secs_f64();
        let bucket = LATENCY_BOUNDS_SECONDS.iter().position(|bound| seconds <= *bound).unwrap_or(LATENCY_BOUNDS_SECONDS.len());
        if let Some(bucket) = self.latencies.get(bucket) {
            bucket.fetch_add(1, Relaxed);
        }
        self.latency_ns.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Relaxed);
    }

    /// The router answered by itself.
    pub(crate) fn failed(&self, kind: ErrorKind) {
        if let Some(counter) = self.errors.get(kind as usize) {
            counter.fetch_add(1, Relaxed);
        }
    }

    /// Access-log lines that found the queue full.
    pub(crate) fn dropped(&self) {
        self.dropped_envelopes.fetch_add(1, Relaxed);
    }

    /// Ports of TCP routes that are open, and those that cannot be.
    pub(crate) fn set_tcp_ports(&self, open: usize, failed: usize) {
        self.tcp_ports.store(open as u64, Relaxed);
        self.tcp_ports_failed.store(failed as u64, Relaxed);
    }

    /// A tunnel opens; it closes when the value goes.
    pub(crate) fn tunnel(self: &Arc<Self>) -> Tunnelled {
        self.tunnels.fetch_add(1, Relaxed);
        Tunnelled(self.clone())
    }

    /// The sums since the start.
    pub(crate) fn read(&self) -> RouterCounters {
        let mut sum = 0;
        let cumulative = |bucket: &AtomicU64| {
            sum += bucket.load(Relaxed);
            sum
        };
        RouterCounters {
            latency_buckets: self.latencies.iter().map(cumulative).collect(),
            responses_by_class: std::array::from_fn(|class| self.classes.get(class).map_or(0, |count| count.load(Relaxed))),
            router_errors: ErrorKind::ALL
                .iter()
                .zip(&self.errors)
                .map(|(kind, count)| (kind.name().to_owned(), count.load(Relaxed)))
                .filter(|(_, count)| *count > 0)
                .collect(),
            in_flight: self.in_flight.load(Relaxed),
            latency_sum_seconds: Duration::from_nanos(self.latency_ns.load(Relaxed)).as_secs_f64(),
            dropped_envelopes: self.dropped_envelopes.load(Relaxed),
            tcp_ports: self.tcp_ports.load(Relaxed),
            tcp_ports_failed: self.tcp_ports_failed.load(Relaxed),
            tunnels: self.tunnels.load(Relaxed),
        }
    }
}

/// See [`Counters::tunnel`].
pub(crate) struct Tunnelled(Arc<Counters>);

impl Drop for Tunnelled {
    fn drop(&mut self) {
        self.0.tunnels.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_histogram_is_cumulative_and_ends_with_all() {
        let counters = Counters::default();
        for millis in [1, 3, 70, 9_000] {
            counters.started();
            counters.finished(200, Duration::from_millis(millis));
        }
        counters.failed(ErrorKind::UnknownRoute);
        let read = counters.read();
        assert_eq!(read.latency_buckets, [0, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4]);
        assert_eq!(read.responses_by_class, [0, 4, 0, 0, 0]);
        assert_eq!(read.in_flight, 0);
        assert_eq!(read.router_errors.into_iter().collect::<Vec<_>>(), [("unknown_route".to_owned(), 1)]);
    }
}
