//! `POST /v3/droplets/:guid/upload` and the job that checks what came.

use super::{lookup, view};
use crate::{
    Access, Controller, Result, SpaceRight, answer,
    apps::lookup::event,
    audit_events::record,
    blobs, jobs,
    packages::{Upload, receive},
};
use http::StatusCode;
use serde_json::json;
use virga_blobstore::Kind;
use virga_contract::{ApiError, ErrorCode, staging::StagedDroplet};
use virga_model::{DropletGuid, state::DropletState};
use virga_serve::{
    Base, Path,
    axum::{
        Json,
        extract::{Request, State},
        response::{IntoResponse as _, Response},
    },
};
use virga_store::{
    droplets::{self, DropletRow},
    jobs::JobRow,
};

/// Takes an archive; a job checks it and precompiles its code.
///
/// # Errors
/// 404 `Droplet not found`; 403; 422 for a droplet that has its archive; 400 for none or too much.
pub async fn upload(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<DropletGuid>,
    request: Request,
) -> Result<Response> {
    let (droplet, _, _) = lookup::find(&mut *controller.store.read().await?, &access, SpaceRight::Write, guid).await?;
    refuse_second(&droplet)?;
    let Upload { bits, .. } = receive(request, controller.config.limits.maximum_package_bytes).await?;
    let bits = bits.ok_or_else(|| ApiError::unprocessable("A file must be uploaded as bits"))?;
    let (digest, size_bytes) = controller.blobs.put_file(Kind::Droplets, bits.path()).await?;
    let mut tx = controller.store.begin().await?;
    let (mut droplet, app, organization) = lookup::find(&mut tx, &access, SpaceRight::Write, guid).await?;
    refuse_second(&droplet)?;
    if !controller.blobs.exists(Kind::Droplets, &digest).await? {
        controller.blobs.put_file(Kind::Droplets, bits.path()).await?;
    }
    droplet.state = DropletState::ProcessingUpload;
    droplet.digest = Some(digest);
    droplet.size_bytes = Some(size_bytes);
    droplets::update(&mut tx, &mut droplet, controller.now()).await?;
    let job = jobs::start(&mut tx, controller.now(), "droplet.upload", guid, json!({})).await?;
    let data = json!({ "droplet_guid": guid });
    record(&controller, &mut tx, &access, event("audit.app.droplet.upload", &app, organization, data)).await?;
    tx.commit().await?;
    controller.nudge_jobs();
    let body = (StatusCode::ACCEPTED, Json(view::droplet(&base, &droplet, false, true))).into_response();
    Ok(answer::with_job(body, &base, job))
}

fn refuse_second(droplet: &DropletRow) -> Result<()> {
    if droplet.state == DropletState::AwaitingUpload {
        return Ok(());
    }
    Err(ApiError::unprocessable("Droplet may be uploaded only once. Create a new droplet to upload bits.").into())
}

/// The job `droplet.upload`.
///
/// # Errors
/// 400 `StagingError` for an archive that is no droplet; those of the database.
pub(crate) async fn work(controller: &Controller, job: &JobRow) -> Result<Vec<String>> {
    let Some(guid) = job.resource.as_deref().and_then(|guid| guid.parse().ok()) else { return Ok(Vec::new()) };
    let droplet = droplets::find(&mut *controller.store.read().await?, guid).await?;
    let Some(digest) = droplet.filter(|droplet| droplet.state == DropletState::ProcessingUpload).and_then(|droplet| droplet.digest) else {
        return Ok(Vec::new());
    };
    let adopted = controller.stager.adopt(digest).await;
    let mut tx = controller.store.begin().await?;
    let Some(mut droplet) = droplets::find(&mut tx, guid).await? else { return Ok(Vec::new()) };
    match adopted {
        Ok(staged) => {
            take(&mut droplet, staged);
            droplets::update(&mut tx, &mut droplet, controller.now()).await?;
            tx.commit().await?;
            Ok(Vec::new())
        }
        Err(error) => {
            droplet.state = DropletState::Failed;
            droplet.error = Some(error.to_string());
            droplet.digest = None;
            droplets::update(&mut tx, &mut droplet, controller.now()).await?;
            blobs::free_later(controller, &mut tx, vec![blobs::Freed::Droplet(digest)]).await?;
            tx.commit().await?;
            controller.nudge_jobs();
            Err(ApiError::new(ErrorCode::StagingError, format!("Staging error: {error}")).into())
        }
    }
}

fn take(droplet: &mut DropletRow, staged: StagedDroplet) {
    droplet.state = DropletState::Staged;
    droplet.digest = Some(staged.droplet);
    droplet.size_bytes = Some(staged.size_bytes);
    droplet.guest = Some(staged.guest);
    droplet.component = staged.component;
    droplet.buildpacks = json!(staged.buildpacks);
    if droplet.process_types.is_empty() {
        droplet.process_types = staged.process_types;
    }
}
