//! `GET` and `PATCH /v3/packages/:guid`.

use super::{lookup, request::UpdateMetadata, view};
use crate::{Access, Controller, Result, SpaceRight, answer};
use virga_model::PackageGuid;
use virga_serve::{
    Base, Json, Path,
    axum::{extract::State, response::Response},
};
use virga_store::packages;

/// One package.
///
/// # Errors
/// 404 `Package not found`.
pub async fn show(State(controller): State<Controller>, access: Access, base: Base, Path(guid): Path<PackageGuid>) -> Result<Response> {
    let (package, _, _) = lookup::find(&mut *controller.store.read().await?, &access, SpaceRight::See, guid).await?;
    Ok(answer::ok(view::package(&base, &package)))
}

/// Changes labels and annotations.
///
/// # Errors
/// 404 `Package not found`, 403, 422.
pub async fn update(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<PackageGuid>,
    Json(request): Json<UpdateMetadata>,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let (mut package, _, _) = lookup::find(&mut tx, &access, SpaceRight::Write, guid).await?;
    request.metadata.unwrap_or_default().apply(&mut package.metadata)?;
    packages::update(&mut tx, &mut package, controller.now()).await?;
    tx.commit().await?;
    Ok(answer::ok(view::package(&base, &package)))
}
