//! `DELETE /v3/apps/:guid` and the job that does it.

use super::lookup;
use crate::{
    Access, Controller, Result, SpaceRight, answer,
    audit_events::record,
    blobs,
    jobs::{self, Outcome},
    service_credential_bindings as bindings,
    service_operations::{Going, Order},
};
use serde_json::json;
use virga_model::{AppGuid, service::ServiceInstanceKind, state::AppState};
use virga_serve::{
    Base, Path,
    axum::{extract::State, response::Response},
};
use virga_store::{
    Connection, StoreError, app_usage_events, apps, builds, deployments, droplets, jobs::JobRow, packages, processes, revisions,
    route_destinations, service_credential_bindings, service_instances, tasks,
};

/// Stops the app at once and starts the job that deletes it.
///
/// # Errors
/// 404 `App not found`, 403.
pub async fn delete(State(controller): State<Controller>, access: Access, base: Base, Path(guid): Path<AppGuid>) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let (mut app, organization) = lookup::app(&mut tx, &access, SpaceRight::Write, guid).await?;
    app.state = AppState::Stopped;
    apps::update(&mut tx, &mut app, controller.now()).await?;
    app_usage_events::note(&mut tx, guid, controller.now()).await?;
    let job = jobs::start(&mut tx, controller.now(), "app.delete", guid, Order::plain(&access).payload()?).await?;
    record(&controller, &mut tx, &access, lookup::event("audit.app.delete-request", &app, organization, json!({}))).await?;
    tx.commit().await?;
    controller.nudge_jobs();
    controller.scheduler.nudge();
    Ok(answer::job(&base, job))
}

/// The job `app.delete`: its bindings at brokers first.
///
/// # Errors
/// 400 naming a binding that could not be deleted; those of the database.
pub(crate) async fn run(controller: &Controller, job: &JobRow) -> Result<Outcome> {
    if let Some(app) = job.resource.as_deref().and_then(|guid| guid.parse().ok()) {
        let order = Order::read(job)?;
        let bound = service_credential_bindings::list_of_app(&mut *controller.store.read().await?, app).await?;
        if bindings::take_along(controller, &order, bound, job.created_at).await? == Going::Going {
            return order.wait(controller);
        }
        let mut tx = controller.store.begin().await?;
        delete_everything(controller, &mut tx, app).await?;
        tx.commit().await?;
        controller.nudge_jobs();
        controller.scheduler.nudge();
    }
    Ok(Outcome::Done(Vec::new()))
}

/// Deletes an app and everything that belongs to it, and starts the job that frees its blobs. One that is gone is fine. Its bindings at
/// brokers are gone by then.
///
/// # Errors
/// That another was quicker, where there is such a binding; those of the database.
pub(crate) async fn delete_everything(controller: &Controller, db: &mut Connection, app: AppGuid) -> Result<()> {
    let mut freed = vec![blobs::Freed::App(app)];
    app_usage_events::end(db, app, controller.now()).await?;
    route_destinations::delete_of_app(db, app).await?;
    for binding in service_credential_bindings::list_of_app(db, app).await? {
        let instance = service_instances::find(db, binding.instance).await?;
        if instance.is_some_and(|instance| instance.kind == ServiceInstanceKind::Managed) {
            return Err(StoreError::Conflict.into());
        }
        service_credential_bindings::delete(db, binding.guid).await?;
    }
    for deployment in deployments::list_of_app(db, app).await? {
        deployments::delete(db, deployment.guid).await?;
    }
    for task in tasks::list_of_app(db, app).await? {
        tasks::delete(db, task.guid).await?;
    }
    for revision in revisions::list_of_app(db, app).await? {
        revisions::delete(db, revision.guid).await?;
    }
    for build in builds::list_of_app(db, app).await? {
        builds::delete(db, build.guid).await?;
    }
    for droplet in droplets::list_of_app(db, app).await? {
        freed.extend(blobs::Freed::of_droplet(droplet.digest, droplet.component));
        droplets::delete(db, droplet.guid).await?;
    }
    for package in packages::list_of_app(db, app).await? {
        freed.extend(package.digest.map(blobs::Freed::Package));
        packages::delete(db, package.guid).await?;
    }
    for process in processes::list_of_app(db, app).await? {
        processes::delete(db, process.guid).await?;
    }
    apps::delete(db, app).await?;
    blobs::free_later(controller, db, freed).await
}
