//! What the instances of one version of a process are told at their start. Pinned in the store when the version is first
//! seen: variables, droplet and limits change for running instances only with the next version, as in Cloud Foundry.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use virga_model::{
    AppGuid, OrgGuid, Sha256Digest, SpaceGuid,
    environment::{self, AppDescription, ProcessDescription},
    process::{HealthCheck, REUSE_KEY, ReusePolicy},
    service_files::{self, ServiceFilesError},
};
use virga_store::scheduling::SpecRow;

/// The pinned part of a [`virga_contract::cell::CellProcess`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ProcessSpec {
    pub(crate) version: String,
    pub(crate) process_type: String,
    pub(crate) app: AppGuid,
    pub(crate) app_name: String,
    pub(crate) space: SpaceGuid,
    pub(crate) organization: OrgGuid,
    pub(crate) droplet: Sha256Digest,
    pub(crate) command: Option<String>,
    pub(crate) memory_mb: u64,
    pub(crate) disk_mb: u64,
    pub(crate) log_rate_limit_bytes_per_second: i64,
    pub(crate) environment: BTreeMap<String, String>,
    /// None in what an older platform pinned.
    #[serde(default)]
    pub(crate) files: BTreeMap<String, String>,
    pub(crate) health_check: HealthCheck,
    pub(crate) readiness_check: HealthCheck,
    pub(crate) reuse: Option<ReusePolicy>,
}

impl ProcessSpec {
    /// From the rows as they are now; `uris` are the app's routes, `variables` the running environment group, `services` the
    /// value of `VCAP_SERVICES`.
    ///
    /// # Errors
    /// Where services cannot be the files that the app asks for. Nobody can bring an app there but by an older platform.
    pub(crate) fn build(
        row: SpecRow,
        api_url: &str,
        uris: &[String],
        variables: &BTreeMap<String, String>,
        services: &Value,
    ) -> Result<Self, ServiceFilesError> {
        let app = AppDescription {
            api_url,
            app: row.app,
            name: &row.app_name,
            uris,
            space: row.space,
            space_name: &row.space_name,
            organization: row.organization,
            organization_name: &row.organization_name,
        };
        let process = ProcessDescription {
            process: row.process,
            process_type: &row.process_type,
            version: &row.version,
            memory_mb: row.memory_in_mb,
            disk_mb: row.disk_in_mb,
        };
        let mut environment = environment::running(variables, &row.app_environment, &app, &process, services);
        let files = service_files::move_to_files(&mut environment, &row.app_features, services)?;
        let asked = row.app_metadata.annotations.get(REUSE_KEY).or_else(|| row.app_metadata.labels.get(REUSE_KEY));
        let command = row.command.or_else(|| row.droplet_process_types.get(&row.process_type).cloned());
        Ok(Self {
            reuse: asked.and_then(|policy| policy.parse().ok()),
            version: row.version,
            process_type: row.process_type,
            app: row.app,
            app_name: row.app_name,
            space: row.space,
            organization: row.organization,
            droplet: row.droplet,
            command: command.filter(|command| !command.is_empty()),
            memory_mb: row.memory_in_mb,
            disk_mb: row.disk_in_mb,
            log_rate_limit_bytes_per_second: row.log_rate_limit_in_bytes_per_second,
            environment,
            files,
            health_check: row.health_check,
            readiness_check: row.readiness_health_check,
        })
    }
}
