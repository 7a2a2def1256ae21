//! `POST /v3/packages/:guid/upload`.

use super::{
    lookup,
    multipart::{invalid, receive},
    resource_cache,
    store_bits::{self, Bits},
    view,
};
use crate::{Access, Controller, Result, SpaceRight, answer, apps::lookup::event, audit_events::record, request::require_feature};
use serde_json::json;
use virga_contract::{ApiError, ErrorCode};
use virga_model::{PackageGuid, state::PackageState};
use virga_serve::{
    Base, Path,
    axum::{
        extract::{Request, State},
        response::Response,
    },
};
use virga_store::packages::{self, PackageRow};

/// Takes the bits of a package: what the client sent, together with what it left out because it was matched. The answer
/// comes when they are checked and stored.
///
/// # Errors
/// 404 `Package not found`, 403; 400 `PackageBitsAlreadyUploaded`; 400 `AppBitsUploadInvalid` that names limit and entry,
/// with the package FAILED.
pub async fn upload(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<PackageGuid>,
    request: Request,
) -> Result<Response> {
    // Before the first byte is taken: nobody sends us a gigabyte that has no right to.
    check(&controller, &access, guid).await?;
    let sent = receive(request, controller.config.limits.maximum_package_bytes).await?;
    let resources = match &sent.resources {
        Some(text) => serde_json::from_slice(text).map_err(|error| invalid(format_args!("resources: {error}")))?,
        None => Vec::new(),
    };
    if sent.bits.is_none() && resources.is_empty() {
        return Err(invalid("missing a file to upload").into());
    }
    let mut package = begin(&controller, &access, guid).await?;
    match store_bits::check_and_store(&controller, sent.bits, &resources).await {
        Ok(bits) => {
            finish(&controller, &mut package, &bits).await?;
            resource_cache::fill_in_background(&controller, bits);
            Ok(answer::ok(view::package(&base, &package)))
        }
        Err(error) => {
            store_bits::fail(&controller, &mut package, error.api()).await?;
            Err(error)
        }
    }
}

async fn check(controller: &Controller, access: &Access, guid: PackageGuid) -> Result<()> {
    let mut db = controller.store.read().await?;
    let (package, _, _) = lookup::find(&mut db, access, SpaceRight::Write, guid).await?;
    require_feature(&mut db, access, "app_bits_upload").await?;
    refuse_second(&package)
}

fn refuse_second(package: &PackageRow) -> Result<()> {
    if package.state == PackageState::AwaitingUpload {
        return Ok(());
    }
    let detail = "Bits may be uploaded only once. Create a new package to upload different bits.";
    Err(ApiError::new(ErrorCode::PackageBitsAlreadyUploaded, detail).into())
}

async fn begin(controller: &Controller, access: &Access, guid: PackageGuid) -> Result<PackageRow> {
    let mut tx = controller.store.begin().await?;
    let (mut package, app, organization) = lookup::find(&mut tx, access, SpaceRight::Write, guid).await?;
    refuse_second(&package)?;
    package.state = PackageState::ProcessingUpload;
    packages::update(&mut tx, &mut package, controller.now()).await?;
    let data = json!({ "package_guid": guid });
    record(controller, &mut tx, access, event("audit.app.package.upload", &app, organization, data)).await?;
    tx.commit().await?;
    Ok(package)
}

async fn finish(controller: &Controller, package: &mut PackageRow, bits: &Bits) -> Result<()> {
    let mut tx = controller.store.begin().await?;
    store_bits::ensure_stored(controller, bits).await?;
    package.state = PackageState::Ready;
    package.digest = Some(bits.digest);
    package.size_bytes = Some(bits.size_bytes);
    packages::update(&mut tx, package, controller.now()).await?;
    tx.commit().await?;
    Ok(())
}
