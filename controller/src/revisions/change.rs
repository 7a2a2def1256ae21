//! `PATCH /v3/revisions/:guid`.

use super::{lookup, view};
use crate::{Access, Controller, Result, SpaceRight, answer, packages::request::UpdateMetadata};
use virga_model::RevisionGuid;
use virga_serve::{
    Base, Json, Path,
    axum::{extract::State, response::Response},
};
use virga_store::revisions;

/// Changes labels and annotations.
///
/// # Errors
/// 404 `Revision not found`, 403, 422.
pub async fn update(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<RevisionGuid>,
    Json(request): Json<UpdateMetadata>,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let (mut revision, _, _) = lookup::find(&mut tx, &access, SpaceRight::Write, guid).await?;
    request.metadata.unwrap_or_default().apply(&mut revision.metadata)?;
    revisions::update(&mut tx, &mut revision, controller.now()).await?;
    let deployable = lookup::is_deployable(&mut tx, &revision).await?;
    tx.commit().await?;
    Ok(answer::ok(view::revision(&base, &revision, deployable)))
}
