//! Requests about processes.

use crate::metadata::MetadataPatch;
use serde::{Deserialize, Deserializer};

/// Tells a member that is null from one that is not there.
///
/// # Errors
/// Those of the value.
pub fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// `PATCH /v3/processes/:guid`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpdateProcess {
    /// The command; null goes back to the droplet's.
    #[serde(default, deserialize_with = "present")]
    pub command: Option<Option<String>>,
    /// Whose rights it has; there is one user, `vcap`.
    #[serde(default)]
    pub user: Option<String>,
    /// Liveness.
    #[serde(default)]
    pub health_check: Option<HealthCheckPatch>,
    /// Readiness.
    #[serde(default)]
    pub readiness_health_check: Option<HealthCheckPatch>,
    /// Labels and annotations.
    #[serde(default)]
    pub metadata: Option<MetadataPatch>,
}

/// Changes of a health check.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HealthCheckPatch {
    /// `port`, `process`, `http`.
    #[serde(default, rename = "type")]
    pub kind: Option<String>,
    /// Its settings.
    #[serde(default)]
    pub data: Option<HealthCheckData>,
}

/// `health_check.data`; null goes back to the default.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HealthCheckData {
    /// Seconds start-up may take.
    #[serde(default, deserialize_with = "present")]
    pub timeout: Option<Option<i64>>,
    /// Seconds a probe may take.
    #[serde(default, deserialize_with = "present")]
    pub invocation_timeout: Option<Option<i64>>,
    /// Seconds between probes.
    #[serde(default, deserialize_with = "present")]
    pub interval: Option<Option<i64>>,
    /// Path for `http`.
    #[serde(default, deserialize_with = "present")]
    pub endpoint: Option<Option<String>>,
}

/// `POST /v3/processes/:guid/actions/scale`; null is as good as absent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScaleProcess {
    /// Instances.
    pub instances: Option<i64>,
    /// Megabytes.
    pub memory_in_mb: Option<i64>,
    /// Megabytes.
    pub disk_in_mb: Option<i64>,
    /// Bytes per second; -1 is unlimited.
    pub log_rate_limit_in_bytes_per_second: Option<i64>,
}
