//! Tasks: one-off commands of an app. They cannot be run yet; their lists are empty, and who wants one is told.

use crate::{
    Access, Controller, Result, SpaceRight, answer, apps,
    list::{ListRequest, ListSpec},
};
use virga_contract::{ApiError, ErrorCode};
use virga_model::AppGuid;
use virga_serve::{
    Path,
    axum::{extract::State, response::Response},
};

const SPEC: ListSpec = ListSpec::new(&["names", "states", "app_guids", "space_guids", "organization_guids"]);
const SPEC_OF_APP: ListSpec = ListSpec::new(&["names", "states", "sequence_ids"]);

/// `GET /v3/tasks`.
///
/// # Errors
/// 400 `BadQueryParameter`.
pub async fn list(_access: Access, request: ListRequest) -> Result<Response> {
    Ok(answer::ok(request.parse(&SPEC)?.slice(Vec::new())))
}

/// `GET /v3/apps/:guid/tasks`.
///
/// # Errors
/// 404 `App not found`, 400 `BadQueryParameter`.
pub async fn list_of_app(
    State(controller): State<Controller>,
    access: Access,
    request: ListRequest,
    Path(guid): Path<AppGuid>,
) -> Result<Response> {
    let query = request.parse(&SPEC_OF_APP)?;
    apps::lookup::app(&mut *controller.store.read().await?, &access, SpaceRight::See, guid).await?;
    Ok(answer::ok(query.slice(Vec::new())))
}

/// `GET /v3/tasks/:guid`.
///
/// # Errors
/// Always 404 `Task not found`.
pub async fn show(_access: Access) -> Result<Response> {
    Err(ApiError::not_found("Task").into())
}

/// `POST /v3/apps/:guid/tasks`.
///
/// # Errors
/// 404 `App not found`; 403; else 403 `FeatureDisabled`.
pub async fn create(State(controller): State<Controller>, access: Access, Path(guid): Path<AppGuid>) -> Result<Response> {
    apps::lookup::app(&mut *controller.store.read().await?, &access, SpaceRight::Write, guid).await?;
    let detail = "Feature Disabled: task_creation. Tasks are not available on this platform.";
    Err(ApiError::new(ErrorCode::FeatureDisabled, detail).into())
}
