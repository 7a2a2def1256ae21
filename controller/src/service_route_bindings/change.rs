//! Changing and deleting route bindings.

use super::{
    read::permitted,
    view::{record, view},
};
use crate::{Access, Controller, Result, SpaceRight, answer, audit_events::actor, metadata::MetadataPatch};
use serde::Deserialize;
use serde_json::json;
use virga_model::ServiceRouteBindingGuid;
use virga_serve::{
    Base, Json, Path,
    axum::{extract::State, response::Response},
};
use virga_store::{
    Connection, route_destinations,
    service_instances::ServiceInstanceRow,
    service_route_bindings::{self as rows, ServiceRouteBindingRow},
};

/// Body of `PATCH /v3/service_route_bindings/:guid`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpdateRouteBinding {
    metadata: Option<MetadataPatch>,
}

/// `PATCH /v3/service_route_bindings/:guid`: labels and annotations.
///
/// # Errors
/// 404, 403, 422.
pub async fn update(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<ServiceRouteBindingGuid>,
    Json(body): Json<UpdateRouteBinding>,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let mut binding = permitted(&mut tx, &access, SpaceRight::Write, guid).await?;
    body.metadata.unwrap_or_default().apply(&mut binding.metadata)?;
    rows::update(&mut tx, &mut binding, controller.now()).await?;
    let data = json!({ "request": { "metadata": answer::metadata(&binding.metadata) } });
    record(&controller, &mut tx, actor(&access), "update", &binding, data).await?;
    tx.commit().await?;
    Ok(answer::ok(view(&base, &binding)))
}

/// `DELETE /v3/service_route_bindings/:guid`: requests go to the app alone from the next snapshot on.
///
/// # Errors
/// 404, 403.
pub async fn delete(State(controller): State<Controller>, access: Access, Path(guid): Path<ServiceRouteBindingGuid>) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let binding = permitted(&mut tx, &access, SpaceRight::Manage, guid).await?;
    remove(&controller, &mut tx, &access, &binding).await?;
    tx.commit().await?;
    controller.scheduler.nudge();
    Ok(answer::no_content())
}

/// Deletes a binding and records it.
///
/// # Errors
/// Those of the database.
pub(crate) async fn remove(controller: &Controller, db: &mut Connection, access: &Access, binding: &ServiceRouteBindingRow) -> Result<()> {
    let data = json!({ "request": { "route_guid": binding.route, "service_instance_guid": binding.instance } });
    record(controller, db, actor(access), "delete", binding, data).await?;
    rows::delete(db, binding.guid).await?;
    route_destinations::touch(db, binding.route, controller.now()).await?;
    Ok(())
}

/// Gives every route binding of a user-provided instance the URL that the instance has now; without one, they go.
///
/// # Errors
/// Those of the database.
pub(crate) async fn hand_on(controller: &Controller, db: &mut Connection, access: &Access, instance: &ServiceInstanceRow) -> Result<()> {
    let url = instance.route_service_url.as_ref().filter(|url| !url.is_empty());
    for mut binding in rows::list_of_instance(db, instance.guid).await? {
        if url.is_none() {
            remove(controller, db, access, &binding).await?;
            continue;
        }
        binding.route_service_url = url.cloned();
        rows::update(db, &mut binding, controller.now()).await?;
        route_destinations::touch(db, binding.route, controller.now()).await?;
    }
    Ok(())
}
