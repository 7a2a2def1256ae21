//! Revisions of apps. This platform keeps none (droplets can be deployed again instead); its lists say so.

use crate::{
    Access, Controller, Result, SpaceRight, answer, apps,
    list::{ListRequest, ListSpec},
};
use virga_contract::ApiError;
use virga_model::{AppGuid, RevisionGuid};
use virga_serve::{
    Path,
    axum::{extract::State, response::Response},
};

const SPEC: ListSpec = ListSpec::new(&["versions", "deployable"]);

/// `GET /v3/apps/:guid/revisions` and `…/revisions/deployed`.
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

/// `GET /v3/revisions/:guid` and what is below it.
///
/// # Errors
/// Always 404 `Revision not found`.
pub async fn show(_access: Access, Path(_guid): Path<RevisionGuid>) -> Result<Response> {
    Err(ApiError::not_found("Revision").into())
}
