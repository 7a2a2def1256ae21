//! `POST …/actions/scale`. Instances change at once, sizes when the app is next started.

use super::{
    change,
    lookup::{self, Named},
    request::ScaleProcess,
};
use crate::{
    Access, Controller, Result, SpaceRight, answer,
    apps::lookup::event,
    audit_events::{record, say},
    quotas,
    request::require_feature,
};
use serde_json::json;
use virga_contract::{ApiError, ErrorCode};
use virga_model::{AppGuid, ProcessGuid, state::AppState};
use virga_serve::{
    Base, Json, Path,
    axum::{extract::State, response::Response},
};
use virga_store::{app_usage_events, deployments, processes};

/// Scales a process.
///
/// # Errors
/// 404 `Process not found`, 403 also while the flag `app_scaling` is off, 422.
pub async fn scale(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<ProcessGuid>,
    Json(request): Json<ScaleProcess>,
) -> Result<Response> {
    perform(&controller, &access, &base, &Named::Guid(guid), &request).await
}

/// Scales the app's process of a type.
///
/// # Errors
/// As [`scale`], 404 `App not found`.
pub async fn scale_of_app(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path((app, process_type)): Path<(AppGuid, String)>,
    Json(request): Json<ScaleProcess>,
) -> Result<Response> {
    perform(&controller, &access, &base, &Named::Type(app, process_type), &request).await
}

async fn perform(controller: &Controller, access: &Access, base: &Base, named: &Named, request: &ScaleProcess) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let mut found = lookup::find(&mut tx, access, SpaceRight::Manage, named).await?;
    require_feature(&mut tx, access, "app_scaling").await?;
    if found.process.process_type == "web" && deployments::find_active(&mut tx, found.app.guid).await?.is_some() {
        let detail = "Cannot scale this process while a deployment is in flight.";
        return Err(ApiError::new(ErrorCode::ScaleDisabledDuringDeployment, detail).into());
    }
    change::scale(controller, &mut found.process, request)?;
    processes::update(&mut tx, &mut found.process, controller.now()).await?;
    if found.app.state == AppState::Started {
        quotas::check_app(&mut tx, found.app.guid, found.app.space).await?;
    }
    app_usage_events::note(&mut tx, found.app.guid, controller.now()).await?;
    let process = &found.process;
    let data = json!({
        "process_guid": process.guid,
        "process_type": process.process_type,
        "request": {
            "instances": request.instances,
            "memory_in_mb": request.memory_in_mb,
            "disk_in_mb": request.disk_in_mb,
            "log_rate_limit_in_bytes_per_second": request.log_rate_limit_in_bytes_per_second,
        },
    });
    record(controller, &mut tx, access, event("audit.app.process.scale", &found.app, found.organization, data)).await?;
    let body = lookup::view(&mut tx, access, base, &found).await?;
    tx.commit().await?;
    controller.scheduler.nudge();
    say(controller, found.app.guid, format!("Scaled process of app with guid {} (type {})", found.app.guid, process.process_type));
    Ok(answer::accepted(body))
}
