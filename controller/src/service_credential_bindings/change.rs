//! Changing and deleting bindings.

use super::{
    bind::record,
    managed::{begin_deletion, may_be_deleted},
    read::permitted,
    view::view,
};
use crate::{
    Access, Controller, Result, SpaceRight, answer,
    audit_events::actor,
    metadata::MetadataPatch,
    service_instances::busy,
    service_operations::{Order, is_under_way},
};
use serde::Deserialize;
use serde_json::json;
use virga_contract::{ApiError, ErrorCode};
use virga_model::{ServiceCredentialBindingGuid, service::ServiceInstanceKind};
use virga_serve::{
    Base, Json, Path,
    axum::{extract::State, response::Response},
};
use virga_store::{
    Connection,
    service_credential_bindings::{self as rows, ServiceCredentialBindingRow},
    service_instances,
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
    let (mut binding, _) = permitted(&mut tx, &access, SpaceRight::Write, guid).await?;
    if let Some(patch) = body.metadata {
        patch.apply(&mut binding.metadata)?;
    }
    rows::update(&mut tx, &mut binding, controller.now()).await?;
    let data = json!({ "request": { "metadata": answer::metadata(&binding.metadata) } });
    record(&controller, &mut tx, actor(&access), "update", &binding, data).await?;
    tx.commit().await?;
    Ok(answer::ok(view(&base, &binding)))
}

/// `DELETE /v3/service_credential_bindings/:guid`; where a broker made it, a job. The app keeps what it was started with until it is
/// restarted.
///
/// # Errors
/// 404, 403, 409 while something else is done to the binding or its instance.
pub async fn delete(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<ServiceCredentialBindingGuid>,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let (binding, _) = permitted(&mut tx, &access, SpaceRight::Manage, guid).await?;
    let instance = service_instances::find(&mut tx, binding.instance).await?;
    let Some(instance) = instance.filter(|instance| instance.kind == ServiceInstanceKind::Managed) else {
        remove(&controller, &mut tx, &access, &binding).await?;
        tx.commit().await?;
        controller.scheduler.nudge();
        return Ok(answer::no_content());
    };
    if is_under_way(&instance.last_operation) {
        return Err(busy(&instance));
    }
    if !may_be_deleted(&binding) {
        let whose = binding.app.map_or_else(|| "key".to_owned(), |app| format!("app {app}"));
        let detail = format!("An operation for the service binding between {whose} and service instance {} is in progress.", instance.name);
        return Err(ApiError::new(ErrorCode::AsyncServiceBindingOperationInProgress, detail).into());
    }
    // Nothing else begins to be done to the instance meanwhile.
    service_instances::hold(&mut tx, &instance).await?;
    let job = begin_deletion(&controller, &mut tx, &Order::plain(&access), binding).await?;
    tx.commit().await?;
    controller.nudge_jobs();
    Ok(answer::job(&base, job))
}

/// Deletes a binding that no broker made and records it.
///
/// # Errors
/// Those of the database.
pub(crate) async fn remove(
    controller: &Controller,
    db: &mut Connection,
    access: &Access,
    binding: &ServiceCredentialBindingRow,
) -> Result<()> {
    let data = json!({ "request": { "app_guid": binding.app, "service_instance_guid": binding.instance } });
    record(controller, db, actor(access), "delete", binding, data).await?;
    rows::delete(db, binding.guid).await?;
    Ok(())
}
