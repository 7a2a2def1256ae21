//! `DELETE /v3/droplets/:guid`.

use super::lookup;
use crate::{Access, Controller, Result, SpaceRight, answer, apps::lookup::event, audit_events::record, blobs, jobs};
use serde_json::json;
use virga_contract::ApiError;
use virga_model::DropletGuid;
use virga_serve::{
    Base, Path,
    axum::{extract::State, response::Response},
};
use virga_store::{droplets, processes, tasks};

/// Deletes a droplet that does not run; its archive goes in the background.
///
/// # Errors
/// 404 `Droplet not found`; 403; 422 for one that runs.
pub async fn delete(State(controller): State<Controller>, access: Access, base: Base, Path(guid): Path<DropletGuid>) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let (droplet, app, organization) = lookup::find(&mut tx, &access, SpaceRight::Write, guid).await?;
    let runs = processes::list_of_app(&mut tx, app.guid).await?.iter().any(|process| process.droplet == Some(guid));
    let runs = runs || tasks::list_active_of_app(&mut tx, app.guid).await?.iter().any(|task| task.droplet == guid);
    if runs || app.droplet == Some(guid) {
        return Err(ApiError::unprocessable("The droplet is the current droplet of its app. Assign another one first.").into());
    }
    droplets::delete(&mut tx, guid).await?;
    blobs::free_later(&controller, &mut tx, blobs::Freed::of_droplet(droplet.digest, droplet.component)).await?;
    let job = jobs::done(&mut tx, controller.now(), "droplet.delete", guid).await?;
    let data = json!({ "droplet_guid": guid });
    record(&controller, &mut tx, &access, event("audit.app.droplet.delete", &app, organization, data)).await?;
    tx.commit().await?;
    controller.nudge_jobs();
    Ok(answer::job(&base, job))
}
