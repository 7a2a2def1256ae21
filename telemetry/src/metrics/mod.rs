//! What the platform counts: one registry, read as a Prometheus (OpenMetrics) page and, where configured, over OTLP.
//!
//! Workers count for themselves and report sums since their start; here the sums are added up so that they never fall
//! when a worker starts anew.

mod page;
#[cfg(test)]
mod tests;
mod workers;

use crate::log_cache::LogCacheStore;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use virga_contract::cell::CellReport;
use workers::Workers;

/// The media type of [`Registry::render`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What this program is, for `virga_build_info`.
#[derive(Debug, Clone, Copy)]
pub struct BuildInfo {
    /// Version of the program.
    pub version: &'static str,
    /// Commit it was built from, or `unknown`.
    pub revision: &'static str,
}

/// Everything that is counted in this installation.
#[derive(Debug)]
pub struct Registry {
    build: BuildInfo,
    workers: Mutex<Workers>,
    gauges: Mutex<BTreeMap<&'static str, (&'static str, f64)>>,
    cache: Option<Arc<LogCacheStore>>,
}

/// One metric with all its values, on its way out.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Family {
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
    pub(crate) value: Value,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// Sums that only grow, each with one label and its value.
    Counter { label: Option<&'static str>, points: Vec<(String, u64)> },
    /// A value of this moment.
    Gauge(f64),
    /// Counts per bucket (upper bound, not cumulative) and the sum of all values.
    Histogram { buckets: Vec<(f64, u64)>, sum: f64 },
}

impl Registry {
    /// An empty registry; `cache` is read whenever the page is.
    #[must_use]
    pub fn new(build: BuildInfo, cache: Option<Arc<LogCacheStore>>) -> Self {
        Self { build, workers: Mutex::default(), gauges: Mutex::default(), cache }
    }

    /// Takes the router's counters out of a worker's report.
    pub fn observe(&self, report: &CellReport) {
        lock(&self.workers).observe(report);
    }

    /// Sets gauges (name, help, value); names begin with `virga_` and are written out once in the room that knows the value.
    pub fn set(&self, gauges: impl IntoIterator<Item = (&'static str, &'static str, f64)>) {
        lock(&self.gauges).extend(gauges.into_iter().map(|(name, help, value)| (name, (help, value))));
    }

    /// The page in OpenMetrics text.
    ///
    /// # Errors
    /// Never in practice: only where a name or label cannot be written as text.
    pub fn render(&self) -> Result<String, std::fmt::Error> {
        page::render(self.build, self.families())
    }

    pub(crate) fn families(&self) -> Vec<Family> {
        let mut families = lock(&self.workers).families();
        families.extend(self.cache.iter().flat_map(|cache| cache_families(cache)));
        let gauges = lock(&self.gauges);
        families.extend(gauges.iter().map(|(name, (help, value))| Family { name, help, value: Value::Gauge(*value) }));
        families
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn cache_families(cache: &LogCacheStore) -> [Family; 4] {
    let counters = cache.counters();
    [
        Family::counter("virga_log_cache_envelopes_ingested", "Envelopes taken into the log cache", counters.ingested),
        Family::counter("virga_log_cache_envelopes_expired", "Envelopes that had to leave the log cache", counters.expired),
        Family::gauge("virga_log_cache_bytes", "Bytes held by the log cache", counters.bytes),
        Family::gauge("virga_log_cache_apps", "Apps with envelopes in the log cache", counters.apps),
    ]
}

impl Family {
    fn counter(name: &'static str, help: &'static str, value: u64) -> Self {
        Self { name, help, value: Value::Counter { label: None, points: vec![(String::new(), value)] } }
    }

    #[expect(clippy::cast_precision_loss, reason = "a gauge of the page is a float; 2^53 is enough")]
    fn gauge(name: &'static str, help: &'static str, value: u64) -> Self {
        Self { name, help, value: Value::Gauge(value as f64) }
    }
}
