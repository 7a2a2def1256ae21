//! `GET` and `PATCH /v3/deployments/:guid`.

use super::{lookup, view};
use crate::{Access, Controller, Result, SpaceRight, answer, packages::request::UpdateMetadata};
use virga_model::DeploymentGuid;
use virga_serve::{
    Base, Json, Path,
    axum::{extract::State, response::Response},
};
use virga_store::deployments;

/// One deployment.
///
/// # Errors
/// 404 `Deployment not found`.
pub async fn show(State(controller): State<Controller>, access: Access, base: Base, Path(guid): Path<DeploymentGuid>) -> Result<Response> {
    let (deployment, _, _) = lookup::find(&mut *controller.store.read().await?, &access, SpaceRight::See, guid).await?;
    Ok(answer::ok(view::deployment(&base, &deployment)))
}

/// Changes labels and annotations.
///
/// # Errors
/// 404 `Deployment not found`, 403, 422.
pub async fn update(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<DeploymentGuid>,
    Json(request): Json<UpdateMetadata>,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let (mut deployment, _, _) = lookup::find(&mut tx, &access, SpaceRight::Manage, guid).await?;
    request.metadata.unwrap_or_default().apply(&mut deployment.metadata)?;
    deployments::update(&mut tx, &mut deployment, controller.now()).await?;
    tx.commit().await?;
    Ok(answer::ok(view::deployment(&base, &deployment)))
}
