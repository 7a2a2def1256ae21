//! The processes of a manifest.

use super::document::{HealthCheckChanges, ManifestProcess};
use crate::{
    Access, Controller, Result, apps,
    processes::{
        change, defaults,
        request::{HealthCheckData, HealthCheckPatch, ScaleProcess},
    },
};
use virga_contract::{ApiError, ErrorCode};
use virga_model::OrgGuid;
use virga_store::{Connection, apps::AppRow, deployments, processes};

/// Changes or makes each process.
///
/// # Errors
/// 422 for values out of bounds, and for a change of `web` during a deployment.
pub(super) async fn apply(
    controller: &Controller,
    db: &mut Connection,
    access: &Access,
    organization: OrgGuid,
    app: &AppRow,
    wanted: &[ManifestProcess],
) -> Result<()> {
    for manifest in wanted {
        let found = processes::find_of_type(db, app.guid, &manifest.process_type).await?;
        let is_new = found.is_none();
        let mut process = found.unwrap_or_else(|| defaults::process(controller, app, &manifest.process_type, None));
        let before = process.clone();
        change::scale(controller, &mut process, &scale(manifest))?;
        if let Some(command) = &manifest.command {
            change::command(&mut process, command.clone())?;
        }
        change::health_check(&mut process.health_check, patch(&manifest.health_check, false), false)?;
        change::health_check(&mut process.readiness_health_check, patch(&manifest.readiness_health_check, true), true)?;
        if is_new {
            apps::insert_process(controller, db, access, organization, app, &process).await?;
        } else if process != before {
            if process.process_type == "web" && deployments::find_active(db, app.guid).await?.is_some() {
                let detail = "Cannot update this process while a deployment is in flight.";
                return Err(ApiError::new(ErrorCode::ProcessUpdateDisabledDuringDeployment, detail).into());
            }
            processes::update(db, &mut process, controller.now()).await?;
        }
    }
    Ok(())
}

fn scale(manifest: &ManifestProcess) -> ScaleProcess {
    let number = |value: Option<u64>| value.map(|value| i64::try_from(value).unwrap_or(i64::MAX));
    ScaleProcess {
        instances: manifest.instances.map(i64::from),
        memory_in_mb: number(manifest.memory_in_mb),
        disk_in_mb: number(manifest.disk_in_mb),
        log_rate_limit_in_bytes_per_second: manifest.log_rate_limit_in_bytes_per_second,
    }
}

fn patch(changes: &HealthCheckChanges, readiness: bool) -> HealthCheckPatch {
    let number = |value: Option<u32>| value.map(|value| Some(i64::from(value)));
    HealthCheckPatch {
        kind: changes.kind.map(|kind| kind.to_string()),
        data: Some(HealthCheckData {
            timeout: if readiness { None } else { number(changes.timeout_seconds) },
            invocation_timeout: number(changes.invocation_timeout_seconds),
            interval: number(changes.interval_seconds),
            endpoint: changes.endpoint.clone().map(Some),
        }),
    }
}
