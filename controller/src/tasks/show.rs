//! `GET` and `PATCH /v3/tasks/:guid`.

use super::{lookup, view};
use crate::{Access, Controller, Result, SpaceRight, answer, packages::request::UpdateMetadata};
use virga_model::TaskGuid;
use virga_serve::{
    Base, Json, Path,
    axum::{extract::State, response::Response},
};
use virga_store::tasks;

/// One task.
///
/// # Errors
/// 404 `Task not found`.
pub async fn show(State(controller): State<Controller>, access: Access, base: Base, Path(guid): Path<TaskGuid>) -> Result<Response> {
    let mut db = controller.store.read().await?;
    let (task, app, _) = lookup::find(&mut db, &access, SpaceRight::See, guid).await?;
    let secrets = access.has_in_space(&mut db, SpaceRight::ReadSecrets, app.space).await?;
    Ok(answer::ok(view::task(&base, &task, secrets)))
}

/// Changes labels and annotations.
///
/// # Errors
/// 404 `Task not found`, 403, 422.
pub async fn update(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<TaskGuid>,
    Json(request): Json<UpdateMetadata>,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let (mut task, _, _) = lookup::find(&mut tx, &access, SpaceRight::Write, guid).await?;
    request.metadata.unwrap_or_default().apply(&mut task.metadata)?;
    tasks::update(&mut tx, &mut task, controller.now()).await?;
    tx.commit().await?;
    Ok(answer::ok(view::task(&base, &task, true)))
}
