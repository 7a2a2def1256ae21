//! `GET` and `PATCH /v3/builds/:guid`.

use super::{lookup, view};
use crate::{Access, Controller, Result, SpaceRight, answer, packages::request::UpdateMetadata};
use virga_model::BuildGuid;
use virga_serve::{
    Base, Json, Path,
    axum::{extract::State, response::Response},
};
use virga_store::builds;

/// One build.
///
/// # Errors
/// 404 `Build not found`.
pub async fn show(State(controller): State<Controller>, access: Access, base: Base, Path(guid): Path<BuildGuid>) -> Result<Response> {
    let build = lookup::find(&mut *controller.store.read().await?, &access, SpaceRight::See, guid).await?;
    Ok(answer::ok(view::build(&base, &build)))
}

/// Changes labels and annotations.
///
/// # Errors
/// 404 `Build not found`, 403, 422.
pub async fn update(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<BuildGuid>,
    Json(request): Json<UpdateMetadata>,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let mut build = lookup::find(&mut tx, &access, SpaceRight::Manage, guid).await?;
    request.metadata.unwrap_or_default().apply(&mut build.metadata)?;
    builds::update(&mut tx, &mut build, controller.now()).await?;
    tx.commit().await?;
    Ok(answer::ok(view::build(&base, &build)))
}
