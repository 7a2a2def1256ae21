//! Counters of the workers' routers, added up over workers and over their restarts.

use super::{Family, Value};
use std::collections::BTreeMap;
use virga_contract::cell::{CellReport, LATENCY_BOUNDS_SECONDS, RouterCounters, WorkerIndex};

#[derive(Debug, Default)]
pub(super) struct Workers {
    /// What workers counted that are no more.
    past: RouterCounters,
    now: BTreeMap<WorkerIndex, (u32, RouterCounters)>,
}

impl Workers {
    pub(super) fn observe(&mut self, report: &CellReport) {
        match self.now.insert(report.worker, (report.pid, report.router.clone())) {
            Some((pid, last)) if pid != report.pid => add(&mut self.past, &last),
            _ => {}
        }
    }

    pub(super) fn families(&self) -> Vec<Family> {
        let mut sum = self.past.clone();
        self.now.values().for_each(|(_, counters)| add(&mut sum, counters));
        let now = || self.now.values().map(|(_, counters)| counters);
        let in_flight = now().map(|counters| counters.in_flight).sum();
        let tunnels = now().map(|counters| counters.tunnels).sum();
        // Every worker listens on the same ports.
        let open = now().map(|counters| counters.tcp_ports).max().unwrap_or(0);
        let failed = now().map(|counters| counters.tcp_ports_failed).max().unwrap_or(0);
        let classes = sum.responses_by_class.iter().zip(1..).map(|(count, class)| (format!("{class}xx"), *count)).collect();
        let errors = sum.router_errors.iter().map(|(error, count)| (error.clone(), *count)).collect();
        vec![
            Family {
                name: "virga_router_responses",
                help: "Answers of the router by status class",
                value: Value::Counter { label: Some("class"), points: classes },
            },
            Family {
                name: "virga_router_errors",
                help: "Answers the router made itself, by X-Cf-RouterError",
                value: Value::Counter { label: Some("error"), points: errors },
            },
            Family {
                name: "virga_router_request_seconds",
                help: "Time from the first byte of a request to the last byte of its answer",
                value: Value::Histogram { buckets: buckets(&sum.latency_buckets), sum: sum.latency_sum_seconds },
            },
            Family::gauge("virga_router_requests_in_flight", "Requests in flight", in_flight),
            Family::gauge("virga_router_tunnels", "Upgraded connections and connections over TCP routes", tunnels),
            Family::gauge("virga_router_tcp_ports", "Ports of TCP routes that are open", open),
            Family::gauge("virga_router_tcp_ports_failed", "Ports of TCP routes that cannot be bound", failed),
            Family::gauge("virga_workers_seen", "Workers that have reported", u64::try_from(self.now.len()).unwrap_or(u64::MAX)),
            Family::counter("virga_dropped_envelopes", "Log envelopes that workers had to drop", sum.dropped_envelopes),
        ]
    }
}

fn add(sum: &mut RouterCounters, counters: &RouterCounters) {
    sum.responses_by_class.iter_mut().zip(counters.responses_by_class).for_each(|(sum, count)| *sum += count);
    for (error, count) in &counters.router_errors {
        *sum.router_errors.entry(error.clone()).or_default() += count;
    }
    let buckets = LATENCY_BOUNDS_SECONDS.len() + 1;
    sum.latency_buckets.resize(buckets, 0);
    sum.latency_buckets.iter_mut().zip(&counters.latency_buckets).for_each(|(sum, count)| *sum += count);
    sum.latency_sum_seconds += counters.latency_sum_seconds;
    sum.dropped_envelopes += counters.dropped_envelopes;
}

/// Cumulative counts turned into one count per bucket.
fn buckets(cumulative: &[u64]) -> Vec<(f64, u64)> {
    let bounds = LATENCY_BOUNDS_SECONDS.iter().copied().chain([f64::INFINITY]);
    let counts = cumulative.iter().copied().chain(std::iter::repeat(cumulative.last().copied().unwrap_or(0)));
    let mut below = 0;
    let each = bounds.zip(counts).map(|(bound, count)| (bound, count.saturating_sub(std::mem::replace(&mut below, count))));
    each.collect()
}
