//! `PATCH /v3/processes/:guid`.

use super::{
    change,
    lookup::{self, Named},
    request::UpdateProcess,
};
use crate::{
    Access, Controller, Result, SpaceRight, answer,
    apps::lookup::event,
    audit_events::{record, say},
};
use serde_json::json;
use virga_contract::{ApiError, ErrorCode};
use virga_model::ProcessGuid;
use virga_serve::{
    Base, Json, Path,
    axum::{extract::State, response::Response},
};
use virga_store::{deployments, processes};

/// Changes command, health checks and metadata. Instances see it when the app is next started.
///
/// # Errors
/// 404 `Process not found`, 403, 422.
pub async fn update(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<ProcessGuid>,
    Json(request): Json<UpdateProcess>,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let mut found = lookup::find(&mut tx, &access, SpaceRight::Manage, &Named::Guid(guid)).await?;
    let changes = request.command.is_some() || request.health_check.is_some() || request.readiness_health_check.is_some();
    if changes && found.process.process_type == "web" && deployments::find_active(&mut tx, found.app.guid).await?.is_some() {
        let detail = "Cannot update this process while a deployment is in flight.";
        return Err(ApiError::new(ErrorCode::ProcessUpdateDisabledDuringDeployment, detail).into());
    }
    change::check_user(request.user.as_deref())?;
    let process = &mut found.process;
    if let Some(command) = request.command {
        change::command(process, command)?;
    }
    if let Some(patch) = request.health_check {
        change::health_check(&mut process.health_check, patch, false)?;
    }
    if let Some(patch) = request.readiness_health_check {
        change::health_check(&mut process.readiness_health_check, patch, true)?;
    }
    if let Some(metadata) = request.metadata {
        metadata.apply(&mut process.metadata)?;
    }
    processes::update(&mut tx, process, controller.now()).await?;
    let data = json!({ "process_guid": guid, "process_type": found.process.process_type });
    record(&controller, &mut tx, &access, event("audit.app.process.update", &found.app, found.organization, data)).await?;
    let body = lookup::view(&mut tx, &access, &base, &found).await?;
    tx.commit().await?;
    controller.scheduler.nudge();
    say(&controller, found.app.guid, format!("Updated process of app with guid {} (type {})", found.app.guid, found.process.process_type));
    Ok(answer::ok(body))
}
