//! Actual instances of a process, as the scheduler knows them.

use super::{
    lookup::{self, Named},
    view,
};
use crate::{Access, Controller, Result, SpaceRight, answer, apps::lookup::event, audit_events::record};
use serde_json::json;
use virga_contract::ApiError;
use virga_model::{AppGuid, ProcessGuid};
use virga_serve::{
    Base, Path,
    axum::{extract::State, response::Response},
};

/// `GET /v3/processes/:guid/stats`.
///
/// # Errors
/// 404 `Process not found`.
pub async fn stats(State(controller): State<Controller>, access: Access, Path(guid): Path<ProcessGuid>) -> Result<Response> {
    show_stats(&controller, &access, &Named::Guid(guid)).await
}

/// `GET /v3/apps/:guid/processes/:type/stats`.
///
/// # Errors
/// 404 `App not found`, `Process not found`.
pub async fn stats_of_app(
    State(controller): State<Controller>,
    access: Access,
    Path((app, process_type)): Path<(AppGuid, String)>,
) -> Result<Response> {
    show_stats(&controller, &access, &Named::Type(app, process_type)).await
}

async fn show_stats(controller: &Controller, access: &Access, named: &Named) -> Result<Response> {
    let process = lookup::find(&mut *controller.store.read().await?, access, SpaceRight::See, named).await?.process;
    let stats = controller.scheduler.stats(process.guid, process.instances).await?;
    Ok(answer::ok(view::stats(&process, &stats, controller.now())))
}

/// `GET /v3/processes/:guid/process_instances`.
///
/// # Errors
/// 404 `Process not found`.
pub async fn process_instances(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<ProcessGuid>,
) -> Result<Response> {
    show_instances(&controller, &access, &base, &Named::Guid(guid)).await
}

/// `GET /v3/apps/:guid/processes/:type/process_instances`.
///
/// # Errors
/// 404 `App not found`, `Process not found`.
pub async fn process_instances_of_app(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path((app, process_type)): Path<(AppGuid, String)>,
) -> Result<Response> {
    show_instances(&controller, &access, &base, &Named::Type(app, process_type)).await
}

async fn show_instances(controller: &Controller, access: &Access, base: &Base, named: &Named) -> Result<Response> {
    let process = lookup::find(&mut *controller.store.read().await?, access, SpaceRight::See, named).await?.process;
    let stats = controller.scheduler.stats(process.guid, process.instances).await?;
    let own = format!("/v3/processes/{}", process.guid);
    Ok(answer::ok(json!({
        "resources": view::instances(&stats, controller.now()),
        "links": { "self": answer::link(base, format_args!("{own}/process_instances")), "process": answer::link(base, &own) },
    })))
}

/// `DELETE /v3/processes/:guid/instances/:index`: stops one instance; another takes its place.
///
/// # Errors
/// 404 `Process not found`, `Instance not found`; 403.
pub async fn terminate_instance(
    State(controller): State<Controller>,
    access: Access,
    Path((guid, index)): Path<(ProcessGuid, String)>,
) -> Result<Response> {
    terminate(&controller, &access, &Named::Guid(guid), &index).await
}

/// `DELETE /v3/apps/:guid/processes/:type/instances/:index`.
///
/// # Errors
/// 404 `App not found`, `Process not found`, `Instance not found`; 403.
pub async fn terminate_instance_of_app(
    State(controller): State<Controller>,
    access: Access,
    Path((app, process_type, index)): Path<(AppGuid, String, String)>,
) -> Result<Response> {
    terminate(&controller, &access, &Named::Type(app, process_type), &index).await
}

async fn terminate(controller: &Controller, access: &Access, named: &Named, index: &str) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let found = lookup::find(&mut tx, access, SpaceRight::Manage, named).await?;
    let not_found = || ApiError::not_found("Instance");
    let index: u32 = index.parse().map_err(|_| not_found())?;
    if index >= found.process.instances {
        return Err(not_found().into());
    }
    let data = json!({
        "process_guid": found.process.guid,
        "process_type": found.process.process_type,
        "process_index": index,
    });
    record(controller, &mut tx, access, event("audit.app.process.terminate_instance", &found.app, found.organization, data)).await?;
    tx.commit().await?;
    if !controller.scheduler.restart_instance(found.process.guid, index).await? {
        return Err(not_found().into());
    }
    Ok(answer::no_content())
}
