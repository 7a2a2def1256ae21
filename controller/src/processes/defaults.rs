//! What a process is before anybody says otherwise.

use crate::Controller;
use virga_model::{
    ProcessGuid,
    process::{HealthCheck, HealthCheckType},
};
use virga_store::{apps::AppRow, metadata::Metadata, processes::ProcessRow};

/// A new process of an app: `web` with one instance and a port check, others with none and a process check.
pub(crate) fn process(controller: &Controller, app: &AppRow, process_type: &str, guid: Option<ProcessGuid>) -> ProcessRow {
    let now = controller.now();
    let (instances, check) = if process_type == "web" { (1, HealthCheckType::Port) } else { (0, HealthCheckType::Process) };
    ProcessRow {
        guid: guid.unwrap_or_else(ProcessGuid::random),
        created_at: now,
        updated_at: now,
        app: app.guid,
        process_type: process_type.to_owned(),
        version: version(),
        command: None,
        instances,
        memory_in_mb: controller.config.limits.default_app_memory_mb,
        disk_in_mb: controller.config.limits.default_app_disk_mb,
        log_rate_limit_in_bytes_per_second: -1,
        health_check: HealthCheck::of(check),
        readiness_health_check: HealthCheck::of(HealthCheckType::Process),
        droplet: None,
        revision: None,
        metadata: Metadata::default(),
    }
}

/// A version no process had before; `VCAP_APPLICATION` shows it.
pub(crate) fn version() -> String {
    // Any fresh guid will do; a process's is at hand.
    ProcessGuid::random().to_string()
}
