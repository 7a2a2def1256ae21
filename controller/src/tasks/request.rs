//! Requests about tasks.

use crate::{metadata::MetadataPatch, request::GuidRef};
use serde::Deserialize;

/// `POST /v3/apps/:guid/tasks`; null is as good as absent.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CreateTask {
    /// Its name; one is made up where there is none.
    pub name: Option<String>,
    /// What is run: a process type of the droplet, or arguments for its program.
    pub command: Option<String>,
    /// Whose rights it has; there is one user, `vcap`.
    pub user: Option<String>,
    /// A process whose command and sizes are taken where the request has none.
    pub template: Option<Template>,
    /// Megabytes.
    pub memory_in_mb: Option<i64>,
    /// Megabytes.
    pub disk_in_mb: Option<i64>,
    /// Bytes per second; -1 is unlimited.
    pub log_rate_limit_in_bytes_per_second: Option<i64>,
    /// The app's own droplet, over its current one.
    pub droplet_guid: Option<String>,
    /// Labels and annotations.
    pub metadata: Option<MetadataPatch>,
}

/// `template`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// A process of the app.
    pub process: GuidRef,
}
