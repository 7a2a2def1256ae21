//! `GET /v3/droplets/:guid/download`.

use super::lookup;
use crate::{Access, Controller, Result, SpaceRight, apps::lookup::event, audit_events::record, packages::stream};
use serde_json::json;
use virga_blobstore::Kind;
use virga_contract::ApiError;
use virga_model::{DropletGuid, state::DropletState};
use virga_serve::{
    Path,
    axum::{extract::State, response::Response},
};

/// The archive of a droplet.
///
/// # Errors
/// 404 `Droplet not found`; 403; 422 before it is staged.
pub async fn download(State(controller): State<Controller>, access: Access, Path(guid): Path<DropletGuid>) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let (droplet, app, organization) = lookup::find(&mut tx, &access, SpaceRight::Download, guid).await?;
    let digest = droplet.digest.filter(|_| droplet.state == DropletState::Staged);
    let digest = digest.ok_or_else(|| ApiError::unprocessable("Only staged droplets can be downloaded."))?;
    let data = json!({ "droplet_guid": guid });
    record(&controller, &mut tx, &access, event("audit.app.droplet.download", &app, organization, data)).await?;
    tx.commit().await?;
    stream(&controller.blobs, Kind::Droplets, digest, "application/vnd.virga.droplet").await
}
