//! The scheduler's settings.

use serde::{Deserialize, Serialize};

/// Settings of the scheduler; the defaults are those of Cloud Foundry where it has them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SchedulerConfig {
    /// Name of this cell, as events and `actual_instances` show it.
    pub cell: String,
    /// `https://api.…` or the bare address, for `VCAP_APPLICATION.cf_api`.
    pub api_url: String,
    /// Workers of this cell that are expected to report.
    pub workers: u32,
    /// Time between two looks at the whole desired state; a nudge looks for what changed. Milliseconds.
    pub reconcile_ms: u64,
    /// Silence after which a worker no longer counts and its probes move to others, milliseconds.
    pub worker_away_ms: u64,
    /// How long an instance that is to stop waits for every router to have let go of it, milliseconds.
    pub unroute_ms: u64,
    /// A crash after this much time in RUNNING counts as the first again, seconds.
    pub crash_reset_seconds: u32,
    /// Crashes in a row after which an instance is left down.
    pub crash_limit: u32,
    /// Time after which unchanged measurements of an instance that is awake are said again, seconds.
    pub measure_seconds: u32,
}

impl Default for SchedulerConfig {
    fn default() -> Self {
        Self {
            cell: "cell-0".into(),
            api_url: String::new(),
            workers: 1,
            reconcile_ms: 30_000,
            worker_away_ms: 5_000,
            unroute_ms: 5_000,
            crash_reset_seconds: 300,
            crash_limit: 200,
            measure_seconds: 15,
        }
    }
}
