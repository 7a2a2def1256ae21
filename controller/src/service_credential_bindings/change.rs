//! Changing and deleting bindings.

use super::{bind::record, read::permitted, view::view};
use crate::{Access, Controller, Result, SpaceRight, answer, metadata::MetadataPatch};
use serde::Deserialize;
use serde_json::json;
use virga_model::{OrgGuid, ServiceCredentialBindingGuid, SpaceGuid};
use virga_serve::{
    Base, Json, Path,
    axum::{extract::State, response::Response},
};
use virga_store::{
    Connection,
    service_credential_bindings::{self as rows, ServiceCredentialBindingRow},
};

/// Body of `PATCH /v3/service_credential_bindings/:guid`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpdateBinding {
    metadata: Option<MetadataPatch>,
}

/// `PATCH /v3/service_credential_bindings/:guid`: labels and annotations.
///
/// # Errors
/// 404, 403, 422.
pub async fn update(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<ServiceCredentialBindingGuid>,
    Json(body): Json<UpdateBinding>,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let (mut binding, space, organization) = permitted(&mut tx, &access, SpaceRight::Write, guid).await?;
    if let Some(patch) = body.metadata {
        patch.apply(&mut binding.metadata)?;
    }
    rows::update(&mut tx, &mut binding, controller.now()).await?;
    let data = json!({ "request": { "metadata": answer::metadata(&binding.metadata) } });
    record(&controller, &mut tx, &access, "update", &binding, (space, organization), data).await?;
    tx.commit().await?;
    Ok(answer::ok(view(&base, &binding)))
}

/// `DELETE /v3/service_credential_bindings/:guid`. The app keeps what it was started with until it is restarted.
///
/// # Errors
/// 404, 403.
pub async fn delete(
    State(controller): State<Controller>,
    access: Access,
    Path(guid): Path<ServiceCredentialBindingGuid>,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let (binding, space, organization) = permitted(&mut tx, &access, SpaceRight::Manage, guid).await?;
    remove(&controller, &mut tx, &access, &binding, space, organization).await?;
    tx.commit().await?;
    Ok(answer::no_content())
}

/// Deletes a binding and records it.
///
/// # Errors
/// Those of the database.
pub(crate) async fn remove(
    controller: &Controller,
    db: &mut Connection,
    access: &Access,
    binding: &ServiceCredentialBindingRow,
    space: SpaceGuid,
    organization: OrgGuid,
) -> Result<()> {
    rows::delete(db, binding.guid).await?;
    let data = json!({ "request": { "app_guid": binding.app, "service_instance_guid": binding.instance } });
    record(controller, db, access, "delete", binding, (space, organization), data).await
}
