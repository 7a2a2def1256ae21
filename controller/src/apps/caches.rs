//! `POST /v3/apps/:guid/actions/clear_buildpack_cache` and `POST /v3/admin/actions/clear_buildpack_cache`.

use super::lookup;
use crate::{Access, Controller, Result, SpaceRight, answer, jobs};
use serde_json::json;
use virga_contract::ApiError;
use virga_model::AppGuid;
use virga_serve::{
    Base, Path,
    axum::{extract::State, response::Response},
};
use virga_store::jobs::JobRow;

/// Throws away what earlier stagings of the app left; the next one begins anew.
///
/// # Errors
/// 404 `App not found`, 403.
pub async fn clear_buildpack_cache(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<AppGuid>,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    lookup::app(&mut tx, &access, SpaceRight::Write, guid).await?;
    let job = jobs::start(&mut tx, controller.now(), "app.clear_buildpack_cache", guid, json!({})).await?;
    tx.commit().await?;
    controller.nudge_jobs();
    Ok(answer::job(&base, job))
}

/// The same for every app.
///
/// # Errors
/// 403.
pub async fn clear_all_buildpack_caches(State(controller): State<Controller>, base: Base) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let job = jobs::start(&mut tx, controller.now(), "admin.clear_buildpack_cache", "", json!({})).await?;
    tx.commit().await?;
    controller.nudge_jobs();
    Ok(answer::job(&base, job))
}

/// The jobs `app.clear_buildpack_cache` and `admin.clear_buildpack_cache`.
///
/// # Errors
/// 500 where the files cannot be removed.
pub(crate) async fn run(controller: &Controller, job: &JobRow) -> Result<Vec<String>> {
    let app = job.resource.as_deref().and_then(|guid| guid.parse().ok());
    controller.stager.forget(app).await.map_err(ApiError::internal)?;
    Ok(Vec::new())
}
