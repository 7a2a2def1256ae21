//! What a process is told to be: health checks, reuse of instances.

use crate::words;
use serde::{Deserialize, Serialize};

words! {
    /// How liveness (or readiness) is found out.
    HealthCheckType { Port = "port", Process = "process", Http = "http", }
    /// How long a wasm instance lives: `request`, one request; `pool`, many requests one after the other;
    /// `concurrent`, many at a time (WASI 0.3 only). Set by `virga.dev/instance-reuse` in the app's metadata.
    ReusePolicy { Request = "request", Pool = "pool", Concurrent = "concurrent", }
}

/// A liveness check, as `processes.health_check` in the v3 API.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct HealthCheck {
    /// What is asked.
    pub kind: HealthCheckType,
    /// Path for `http`.
    pub endpoint: Option<String>,
    /// Seconds the start-up phase may take (default 60).
    pub timeout_seconds: Option<u32>,
    /// Seconds one probe may take (default 1).
    pub invocation_timeout_seconds: Option<u32>,
    /// Seconds between probes once up (default 30).
    pub interval_seconds: Option<u32>,
}

impl HealthCheck {
    /// The check of this type with every number at its default.
    #[must_use]
    pub fn of(kind: HealthCheckType) -> Self {
        Self { kind, endpoint: None, timeout_seconds: None, invocation_timeout_seconds: None, interval_seconds: None }
    }
}

/// The annotation or label that sets an app's [`ReusePolicy`].
pub const REUSE_KEY: &str = "virga.dev/instance-reuse";
