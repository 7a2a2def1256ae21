//! `POST /v3/packages`, also as a copy (`?source_guid=`).

use super::{lookup, request::CreatePackage, view};
use crate::{
    Access, Controller, Result, SpaceRight, answer,
    apps::{self, lookup::event},
    audit_events::record,
    metadata::MetadataPatch,
};
use serde::Deserialize;
use serde_json::json;
use virga_contract::{ApiError, ErrorCode};
use virga_model::{PackageGuid, state::PackageState};
use virga_serve::{
    Base, Json, Query,
    axum::{extract::State, response::Response},
};
use virga_store::{
    Connection,
    apps::AppRow,
    packages::{self, PackageRow},
};

/// The query of a copy.
#[derive(Debug, Clone, Deserialize)]
pub struct Source {
    source_guid: Option<String>,
}

/// Makes a package that awaits its bits, or one with the bits of another.
///
/// # Errors
/// 422 for an app the caller cannot see, a type other than `bits`; 403.
pub async fn create(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Query(source): Query<Source>,
    Json(request): Json<CreatePackage>,
) -> Result<Response> {
    let app = request.relationships.app.data.map(|app| app.guid);
    let detail = "App is invalid. Ensure it exists and you have access to it.";
    let mut tx = controller.store.begin().await?;
    let (app, organization) = apps::lookup::named(&mut tx, &access, SpaceRight::Write, app.as_deref(), detail).await?;
    let now = controller.now();
    let mut package = PackageRow {
        guid: PackageGuid::random(),
        created_at: now,
        updated_at: now,
        app: app.guid,
        package_type: "bits".to_owned(),
        state: PackageState::AwaitingUpload,
        digest: None,
        size_bytes: None,
        error: None,
        metadata: MetadataPatch::create(request.metadata)?,
    };
    match source.source_guid {
        Some(source) => copy(&mut tx, &access, &source, &mut package).await?,
        None => check_type(request.kind.as_deref())?,
    }
    packages::insert(&mut tx, &package).await?;
    let data = json!({ "package_guid": package.guid, "request": { "type": "bits" } });
    record(&controller, &mut tx, &access, event("audit.app.package.create", &app, organization, data)).await?;
    tx.commit().await?;
    Ok(answer::created(view::package(&base, &package)))
}

fn check_type(kind: Option<&str>) -> Result<()> {
    match kind {
        Some("bits") => Ok(()),
        Some("docker") => Err(ApiError::new(ErrorCode::DockerDisabled, "Docker support has not been enabled.").into()),
        _ => Err(ApiError::unprocessable("Type must be 'bits'").into()),
    }
}

/// Blobs are named by their content, so a copy is ready at once.
async fn copy(db: &mut Connection, access: &Access, source: &str, package: &mut PackageRow) -> Result<()> {
    let detail = "Source package is invalid. Ensure it exists, is ready and you have access to it.";
    let unprocessable = || ApiError::unprocessable(detail);
    let guid = source.parse().map_err(|_| unprocessable())?;
    let found = lookup::find(db, access, SpaceRight::Write, guid).await;
    let (source, _, _): (PackageRow, AppRow, _) = match found {
        Err(error) if error.api().status() == http::StatusCode::NOT_FOUND => return Err(unprocessable().into()),
        other => other?,
    };
    if source.state != PackageState::Ready {
        return Err(unprocessable().into());
    }
    package.state = PackageState::Ready;
    package.digest = source.digest;
    package.size_bytes = source.size_bytes;
    Ok(())
}
