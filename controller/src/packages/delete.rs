//! `DELETE /v3/packages/:guid`.

use super::lookup;
use crate::{Access, Controller, Result, SpaceRight, answer, apps::lookup::event, audit_events::record, blobs, jobs};
use serde_json::json;
use virga_model::PackageGuid;
use virga_serve::{
    Base, Path,
    axum::{extract::State, response::Response},
};
use virga_store::packages;

/// Deletes a package; its bits go in the background.
///
/// # Errors
/// 404 `Package not found`, 403.
pub async fn delete(State(controller): State<Controller>, access: Access, base: Base, Path(guid): Path<PackageGuid>) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let (package, app, organization) = lookup::find(&mut tx, &access, SpaceRight::Write, guid).await?;
    packages::delete(&mut tx, guid).await?;
    blobs::free_later(&controller, &mut tx, package.digest.map(blobs::Freed::Package).into_iter().collect()).await?;
    let job = jobs::done(&mut tx, controller.now(), "package.delete", guid).await?;
    let data = json!({ "package_guid": guid });
    record(&controller, &mut tx, &access, event("audit.app.package.delete", &app, organization, data)).await?;
    tx.commit().await?;
    controller.nudge_jobs();
    Ok(answer::job(&base, job))
}
