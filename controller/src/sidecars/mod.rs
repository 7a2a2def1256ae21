//! Sidecars. A WebAssembly instance has no process beside it: there are none, and none can be made. Something that is stored
//! and never runs would be worse than a clear refusal.

use crate::{
    Access, Controller, Result, SpaceRight, answer, apps,
    list::{ListRequest, ListSpec},
    processes::lookup::{self, Named},
};
use virga_contract::{ApiError, ErrorCode};
use virga_model::{AppGuid, ProcessGuid, SidecarGuid};
use virga_serve::{
    Path,
    axum::{extract::State, response::Response},
};

const SPEC: ListSpec = ListSpec::new(&[]);

/// `GET /v3/processes/:guid/sidecars`.
///
/// # Errors
/// 404 `Process not found`, 400 `BadQueryParameter`.
pub async fn list_of_process(
    State(controller): State<Controller>,
    access: Access,
    request: ListRequest,
    Path(guid): Path<ProcessGuid>,
) -> Result<Response> {
    let query = request.parse(&SPEC)?;
    lookup::find(&mut *controller.store.read().await?, &access, SpaceRight::See, &Named::Guid(guid)).await?;
    Ok(answer::ok(query.slice(Vec::new())))
}

/// `GET /v3/apps/:guid/sidecars`.
///
/// # Errors
/// 404 `App not found`, 400 `BadQueryParameter`.
pub async fn list_of_app(
    State(controller): State<Controller>,
    access: Access,
    request: ListRequest,
    Path(guid): Path<AppGuid>,
) -> Result<Response> {
    let query = request.parse(&SPEC)?;
    apps::lookup::app(&mut *controller.store.read().await?, &access, SpaceRight::See, guid).await?;
    Ok(answer::ok(query.slice(Vec::new())))
}

/// `POST /v3/apps/:guid/sidecars`.
///
/// # Errors
/// 404 `App not found`; 403; else 403 `FeatureDisabled`.
pub async fn create(State(controller): State<Controller>, access: Access, Path(guid): Path<AppGuid>) -> Result<Response> {
    apps::lookup::app(&mut *controller.store.read().await?, &access, SpaceRight::Write, guid).await?;
    let detail = "Feature Disabled: sidecars. A WebAssembly instance has no process beside it; make the command a process type of its own.";
    Err(ApiError::new(ErrorCode::FeatureDisabled, detail).into())
}

/// `GET`, `PATCH` and `DELETE /v3/sidecars/:guid`.
///
/// # Errors
/// Always 404 `Sidecar not found`.
pub async fn absent(_access: Access, Path(_guid): Path<SidecarGuid>) -> Result<Response> {
    Err(ApiError::not_found("Sidecar").into())
}
