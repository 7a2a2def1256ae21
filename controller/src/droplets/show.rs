//! `GET` and `PATCH /v3/droplets/:guid`.

use super::{lookup, view};
use crate::{Access, Controller, Result, SpaceRight, answer, packages::request::UpdateMetadata};
use virga_model::DropletGuid;
use virga_serve::{
    Base, Json, Path,
    axum::{extract::State, response::Response},
};
use virga_store::droplets;

/// One droplet.
///
/// # Errors
/// 404 `Droplet not found`.
pub async fn show(State(controller): State<Controller>, access: Access, base: Base, Path(guid): Path<DropletGuid>) -> Result<Response> {
    let mut db = controller.store.read().await?;
    let (droplet, app, _) = lookup::find(&mut db, &access, SpaceRight::See, guid).await?;
    let secrets = access.has_in_space(&mut db, SpaceRight::ReadSecrets, app.space).await?;
    Ok(answer::ok(view::droplet(&base, &droplet, false, secrets)))
}

/// Changes labels and annotations.
///
/// # Errors
/// 404 `Droplet not found`, 403, 422.
pub async fn update(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<DropletGuid>,
    Json(request): Json<UpdateMetadata>,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let (mut droplet, _, _) = lookup::find(&mut tx, &access, SpaceRight::Write, guid).await?;
    request.metadata.unwrap_or_default().apply(&mut droplet.metadata)?;
    droplets::update(&mut tx, &mut droplet, controller.now()).await?;
    tx.commit().await?;
    Ok(answer::ok(view::droplet(&base, &droplet, false, true)))
}
