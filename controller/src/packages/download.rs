//! `GET /v3/packages/:guid/download`.

use super::lookup;
use crate::{Access, Controller, Result, SpaceRight, apps::lookup::event, audit_events::record};
use http::{HeaderValue, header};
use serde_json::json;
use virga_blobstore::{Blobstore, Kind};
use virga_contract::ApiError;
use virga_model::{PackageGuid, Sha256Digest, state::PackageState};
use virga_serve::{
    Path,
    axum::{
        body::Body,
        extract::State,
        response::{IntoResponse as _, Response},
    },
};

/// The bits of a package.
///
/// # Errors
/// 404 `Package not found`; 403; 422 before they are there.
pub async fn download(State(controller): State<Controller>, access: Access, Path(guid): Path<PackageGuid>) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let (package, app, organization) = lookup::find(&mut tx, &access, SpaceRight::ReadSecrets, guid).await?;
    let digest = package.digest.filter(|_| package.state == PackageState::Ready);
    let digest = digest.ok_or_else(|| ApiError::unprocessable("Package has no bits to download."))?;
    let data = json!({ "package_guid": guid });
    record(&controller, &mut tx, &access, event("audit.app.package.download", &app, organization, data)).await?;
    tx.commit().await?;
    stream(&controller.blobs, Kind::Packages, digest, "application/zip").await
}

/// A blob as an answer. Wrong bytes break the connection off, so that no client takes them for the whole.
///
/// # Errors
/// Those of the blobstore.
pub(crate) async fn stream(blobs: &Blobstore, kind: Kind, digest: Sha256Digest, content_type: &'static str) -> Result<Response> {
    let size = blobs.size(kind, &digest).await?;
    let mut response = Body::from_stream(blobs.open(kind, &digest).await?).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    if let Some(size) = size {
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(size));
    }
    Ok(response)
}
