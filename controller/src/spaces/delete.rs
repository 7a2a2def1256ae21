//! Deleting a space with everything in it.

use crate::{Access, Controller, OrgRight, Result, SpaceRight, answer, apps, jobs, service_brokers, service_instances};
use serde_json::{Value, json};
use virga_contract::ApiError;
use virga_model::SpaceGuid;
use virga_serve::{
    Base, Path,
    axum::{extract::State, response::Response},
};
use virga_store::{
    jobs::JobRow,
    roles::{self, RoleScope},
    routes, spaces,
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
    let job = jobs::start(&mut tx, controller.now(), "space.delete", guid, Value::Null).await?;
    tx.commit().await?;
    controller.nudge_jobs();
    Ok(answer::job(&base, job))
}

/// The job.
///
/// # Errors
/// Those of the database.
pub async fn work(controller: &Controller, job: &JobRow) -> Result<Vec<String>> {
    let guid = job.resource.as_deref().and_then(|guid| guid.parse().ok()).ok_or_else(|| ApiError::internal("a job without its space"))?;
    everything(controller, guid).await?;
    Ok(Vec::new())
}

/// Deletes the space and all that is in it, app by app. Once more does nothing more.
///
/// # Errors
/// Those of the database.
pub async fn everything(controller: &Controller, guid: SpaceGuid) -> Result<()> {
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
    roles::delete_in(&mut tx, RoleScope::Space(guid)).await?;
    spaces::delete(&mut tx, guid).await?;
    tx.commit().await?;
    controller.scheduler.nudge();
    Ok(())
}
