//! `POST /v3/buildpacks/:guid/upload`.

use super::{
    PROGRAMS,
    change::record,
    definition::{self, Uploaded},
    read::find,
    view::view,
};
use crate::{
    Access, Controller, Result, answer,
    blobs::{self, Freed},
    jobs,
    packages::{Upload, receive},
};
use http::StatusCode;
use serde_json::json;
use virga_blobstore::Kind;
use virga_contract::ApiError;
use virga_model::BuildpackGuid;
use virga_serve::{
    Base, Path,
    axum::{
        Json,
        extract::{Request, State},
        response::{IntoResponse as _, Response},
    },
};
use virga_store::buildpacks;

/// Takes programs or a definition; see [`definition`] for what they must be. They are used from then on.
///
/// # Errors
/// 403, 404, 422 for a locked buildpack, and for an upload that breaks a rule, naming it.
pub async fn upload(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<BuildpackGuid>,
    request: Request,
) -> Result<Response> {
    let before = find(&mut *controller.store.read().await?, guid).await?;
    let locked = || ApiError::unprocessable("Buildpack is locked");
    if before.locked {
        return Err(locked().into());
    }
    let Upload { bits, filename, .. } = receive(request, controller.config.limits.maximum_package_bytes).await?;
    let bits = bits.ok_or_else(|| invalid("A buildpack zip file must be uploaded as 'bits'"))?;
    let builders: Vec<&'static str> = controller.stager.buildpacks().iter().map(|builder| builder.name).collect();
    let zip = bits.reopen().map_err(|error| ApiError::internal(format_args!("an uploaded buildpack: {error}")))?;
    let read = tokio::task::spawn_blocking(move || definition::read(zip, &builders));
    let read = read.await.map_err(|error| ApiError::internal(format_args!("an uploaded buildpack: {error}")))?;
    let uploaded = read.map_err(|rule| invalid(&rule))?;
    let digest = match &uploaded {
        Uploaded::Programs(_) => Some(controller.blobs.put_file(Kind::Buildpacks, bits.path()).await?.0),
        Uploaded::Definition(_) => None,
    };
    let mut tx = controller.store.begin().await?;
    let mut buildpack = find(&mut tx, guid).await?;
    if buildpack.locked {
        return Err(locked().into());
    }
    buildpack.filename = Some(filename.unwrap_or_else(|| format!("{}.zip", buildpack.name)));
    (buildpack.builder, buildpack.version, buildpack.detect) = match uploaded {
        Uploaded::Definition(definition) => (Some(definition.builder), definition.version, definition.detect),
        Uploaded::Programs(version) => (Some(PROGRAMS.to_owned()), version, None),
    };
    // The same bits may have been freed since they were written, by whoever deleted another buildpack with them.
    if let Some(digest) = digest
        && !controller.blobs.exists(Kind::Buildpacks, &digest).await?
    {
        controller.blobs.put_file(Kind::Buildpacks, bits.path()).await?;
    }
    let old = std::mem::replace(&mut buildpack.bits, digest).filter(|old| Some(*old) != digest);
    blobs::free_later(&controller, &mut tx, old.map(Freed::Buildpack).into_iter().collect()).await?;
    buildpacks::update(&mut tx, &mut buildpack, controller.now()).await?;
    let data = json!({ "request": { "filename": buildpack.filename } });
    record(&controller, &mut tx, &access, "audit.buildpack.upload", &buildpack, data).await?;
    let job = jobs::done(&mut tx, controller.now(), "buildpack.upload", guid).await?;
    tx.commit().await?;
    let body = (StatusCode::ACCEPTED, Json(view(&controller, &base, &buildpack))).into_response();
    Ok(answer::with_job(body, &base, job))
}

fn invalid(rule: &str) -> ApiError {
    ApiError::unprocessable(format!("Uploaded buildpack file is invalid: {rule}"))
}
