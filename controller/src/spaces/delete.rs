//! Deleting a space with everything in it.

use crate::{
    Access, Controller, OrgRight, Result, SpaceRight, answer, apps,
    jobs::{self, Outcome},
    service_brokers, service_credential_bindings as bindings, service_instances,
    service_operations::{Going, Order, resource_of},
};
use serde_json::json;
use virga_contract::ApiError;
use virga_model::{SpaceGuid, Timestamp};
use virga_serve::{
    Base, Path,
    axum::{extract::State, response::Response},
};
use virga_store::{
    jobs::JobRow,
    roles::{self, RoleScope},
    routes, service_credential_bindings, service_instance_shares, spaces,
};

/// `DELETE /v3/spaces/:guid`: a job that deletes every app, service instance, route and role with it.
///
/// # Errors
/// 404, 403 for all but the organization's managers.
pub async fn delete(State(controller): State<Controller>, access: Access, base: Base, Path(guid): Path<SpaceGuid>) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let standing = access.in_space(&mut tx, SpaceRight::See, guid, "Space").await?;
    access.in_organization(&mut tx, OrgRight::Write, standing.organization, "Space").await?;
    let space = spaces::find(&mut tx, guid).await?.ok_or_else(|| ApiError::not_found("Space"))?;
    super::change::record(&controller, &mut tx, &access, "audit.space.delete-request", &space, json!({ "request": { "recursive": true } }))
        .await?;
    let job = jobs::start(&mut tx, controller.now(), "space.delete", guid, Order::plain(&access).payload()?).await?;
    tx.commit().await?;
    controller.nudge_jobs();
    Ok(answer::job(&base, job))
}

/// The job.
///
/// # Errors
/// Those of the database.
pub(crate) async fn work(controller: &Controller, job: &JobRow) -> Result<Outcome> {
    let order = Order::read(job)?;
    match everything(controller, &order, resource_of(job)?, job.created_at).await? {
        Going::Gone => Ok(Outcome::Done(Vec::new())),
        Going::Going => order.wait(controller),
    }
}

/// Deletes the space and all that is in it: first what is at brokers, then app by app. Once more does nothing more. `since` is when
/// that was asked for.
///
/// # Errors
/// 400 naming a service instance or binding that could not be deleted; those of the database.
pub(crate) async fn everything(controller: &Controller, order: &Order, guid: SpaceGuid, since: Timestamp) -> Result<Going> {
    if service_instances::take_along(controller, order, guid, since).await? == Going::Going {
        return Ok(Going::Going);
    }
    // To instances that other spaces share.
    let bound = service_credential_bindings::list_of_space(&mut *controller.store.read().await?, guid).await?;
    if bindings::take_along(controller, order, bound, since).await? == Going::Going {
        return Ok(Going::Going);
    }
    let mut tx = loop {
        for app in virga_store::apps::list_of_space(&mut *controller.store.read().await?, guid).await? {
            let mut tx = controller.store.begin().await?;
            apps::delete_everything(controller, &mut tx, app.guid).await?;
            tx.commit().await?;
        }
        let mut tx = controller.store.begin().await?;
        // Somebody may have made one meanwhile.
        if virga_store::apps::list_of_space(&mut tx, guid).await?.is_empty() {
            break tx;
        }
    };
    service_instances::delete_everything(controller, &mut tx, guid).await?;
    service_brokers::delete_of_space(controller, &mut tx, guid).await?;
    for route in routes::list_of_space(&mut tx, guid, false).await? {
        routes::delete(&mut tx, route.guid).await?;
    }
    service_instance_shares::delete_of_space(&mut tx, guid).await?;
    roles::delete_in(&mut tx, RoleScope::Space(guid)).await?;
    spaces::delete(&mut tx, guid).await?;
    tx.commit().await?;
    controller.scheduler.nudge();
    Ok(Going::Gone)
}
