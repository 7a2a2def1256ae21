//! The current droplet of an app.

use super::{lookup, view};
use crate::{Access, Controller, Result, SpaceRight, answer, audit_events::record, droplets, processes::defaults, request::ToOne};
use serde_json::json;
use virga_contract::ApiError;
use virga_model::{AppGuid, OrgGuid, state::DropletState};
use virga_serve::{
    Base, Json, Path,
    axum::{extract::State, response::Response},
};
use virga_store::{
    Connection,
    apps::{self, AppRow},
    deployments,
    droplets::{self as rows, DropletRow},
    processes::{self, ProcessRow},
};

/// `PATCH /v3/apps/:guid/relationships/current_droplet`. Takes effect when the app is next started.
///
/// # Errors
/// 404 `App not found`, 403; 422 for a droplet that is not this app's or not staged, and during a deployment.
pub async fn assign_current_droplet(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<AppGuid>,
    Json(request): Json<ToOne>,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let (mut app, organization) = lookup::app(&mut tx, &access, SpaceRight::Manage, guid).await?;
    if deployments::find_active(&mut tx, guid).await?.is_some() {
        let detail = "Unable to assign current droplet while the app has a deployment in progress. \
                      Wait for the deployment to complete or cancel it.";
        return Err(ApiError::unprocessable(detail).into());
    }
    let droplet =
        request.data.ok_or_else(|| ApiError::unprocessable("Current droplet cannot be removed. Replace it with a preferred droplet."))?;
    let droplet = find_staged(&mut tx, &app, &droplet.guid)
        .await?
        .ok_or_else(|| ApiError::unprocessable("Unable to assign current droplet. Ensure the droplet exists and belongs to this app."))?;
    app.droplet = Some(droplet.guid);
    apps::update(&mut tx, &mut app, controller.now()).await?;
    create_processes(&controller, &mut tx, &access, organization, &app, &droplet).await?;
    let data = json!({ "request": { "droplet_guid": droplet.guid } });
    record(&controller, &mut tx, &access, lookup::event("audit.app.droplet.mapped", &app, organization, data)).await?;
    tx.commit().await?;
    Ok(answer::ok(view::current_droplet(&base, &app)))
}

/// The staged droplet of this app with this guid.
///
/// # Errors
/// Those of the database.
pub(crate) async fn find_staged(db: &mut Connection, app: &AppRow, guid: &str) -> Result<Option<DropletRow>> {
    let Ok(guid) = guid.parse() else { return Ok(None) };
    let droplet = rows::find(db, guid).await?;
    Ok(droplet.filter(|droplet| droplet.app == app.guid && droplet.state == DropletState::Staged))
}

/// Makes a process for each type of the droplet that the app has none of: `web` with one instance, others with none.
///
/// # Errors
/// Those of the database.
pub(crate) async fn create_processes(
    controller: &Controller,
    db: &mut Connection,
    access: &Access,
    organization: OrgGuid,
    app: &AppRow,
    droplet: &DropletRow,
) -> Result<()> {
    let there = processes::list_of_app(db, app.guid).await?;
    for process_type in droplet.process_types.keys() {
        if !there.iter().any(|process| process.process_type == *process_type) {
            let process = defaults::process(controller, app, process_type, None);
            insert_process(controller, db, access, organization, app, &process).await?;
        }
    }
    Ok(())
}

/// Writes a new process of an app, and its event.
///
/// # Errors
/// Those of the database.
pub(crate) async fn insert_process(
    controller: &Controller,
    db: &mut Connection,
    access: &Access,
    organization: OrgGuid,
    app: &AppRow,
    process: &ProcessRow,
) -> Result<()> {
    processes::insert(db, process).await?;
    let data = json!({ "process_guid": process.guid, "process_type": process.process_type });
    record(controller, db, access, lookup::event("audit.app.process.create", app, organization, data)).await
}

/// `GET /v3/apps/:guid/relationships/current_droplet`.
///
/// # Errors
/// 404 `App not found`, `Droplet not found`.
pub async fn current_droplet(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<AppGuid>,
) -> Result<Response> {
    let mut db = controller.store.read().await?;
    let (app, _) = lookup::app(&mut db, &access, SpaceRight::See, guid).await?;
    app.droplet.ok_or_else(|| ApiError::not_found("Droplet"))?;
    Ok(answer::ok(view::current_droplet(&base, &app)))
}

/// `GET /v3/apps/:guid/droplets/current`.
///
/// # Errors
/// 404 `App not found`, `Droplet not found`.
pub async fn show_current_droplet(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<AppGuid>,
) -> Result<Response> {
    let mut db = controller.store.read().await?;
    let (app, _) = lookup::app(&mut db, &access, SpaceRight::See, guid).await?;
    let guid = app.droplet.ok_or_else(|| ApiError::not_found("Droplet"))?;
    let droplet = rows::find(&mut db, guid).await?.ok_or_else(|| ApiError::not_found("Droplet"))?;
    let secrets = access.has_in_space(&mut db, SpaceRight::ReadSecrets, app.space).await?;
    Ok(answer::ok(droplets::view::droplet(&base, &droplet, false, secrets)))
}
