//! `POST /v3/deployments`.

use super::{
    request::{CreateDeployment, DeploymentOptions},
    view,
};
use crate::{
    Access, Controller, Result, SpaceRight, answer,
    apps::{self, lookup::event},
    audit_events::{record, say},
    metadata::MetadataPatch,
    processes::{change, defaults, quota, request::ScaleProcess},
};
use serde_json::json;
use virga_contract::ApiError;
use virga_model::{
    DeploymentGuid, ProcessGuid, Timestamp,
    state::{AppState, DeploymentState, DeploymentStrategy},
};
use virga_serve::{
    Base, Json,
    axum::{extract::State, response::Response},
};
use virga_store::{
    Connection,
    apps::{self as app_rows, AppRow},
    deployments::{self, DeploymentRow},
    droplets::DropletRow,
    processes::{self, ProcessRow},
};

/// Most instances started at a time.
const MAX_IN_FLIGHT: i64 = 1_000;

/// Starts to replace the app's web process by one that runs the droplet. An app that is stopped is started at once.
///
/// # Errors
/// 422 for an app or droplet that cannot be deployed, for options out of bounds, and for what is not there (canary,
/// revisions); 403.
pub async fn create(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Json(request): Json<CreateDeployment>,
) -> Result<Response> {
    let guid = request.relationships.app.data.as_ref().map(|app| app.guid.clone());
    let detail = "Unable to use app. Ensure that the app exists and you have access to it.";
    let mut tx = controller.store.begin().await?;
    let (mut app, organization) = apps::lookup::named(&mut tx, &access, SpaceRight::Manage, guid.as_deref(), detail).await?;
    let options = request.options.clone().unwrap_or_default();
    check(&request, &options)?;
    let droplet = droplet_of(&mut tx, &app, &request).await?;
    let deployment = deploy(&controller, &mut tx, &mut app, &droplet, &options, MetadataPatch::create(request.metadata)?).await?;
    quota::check(&mut tx, organization).await?;
    let data = json!({ "deployment_guid": deployment.guid, "droplet_guid": droplet.guid, "type": "rolling" });
    record(&controller, &mut tx, &access, event("audit.app.deployment.create", &app, organization, data)).await?;
    tx.commit().await?;
    controller.scheduler.nudge();
    say(&controller, app.guid, format!("Deploying app with guid {}", app.guid));
    Ok(answer::created(view::deployment(&base, &deployment)))
}

fn check(request: &CreateDeployment, options: &DeploymentOptions) -> Result<()> {
    let refuse = |detail: &str| Err(ApiError::unprocessable(detail).into());
    match request.strategy.as_deref() {
        None | Some("rolling") => {}
        Some("canary") => return refuse("Strategy 'canary' is not supported on this platform; use 'rolling'"),
        Some(other) => return refuse(&format!("Strategy '{other}' is not a supported deployment strategy")),
    }
    if request.revision.is_some() && request.droplet.is_some() {
        return refuse("Cannot set both fields 'droplet' and 'revision'");
    }
    if request.revision.is_some() {
        return refuse("The revision does not exist: revisions are not supported on this platform; name a droplet instead");
    }
    if options.canary.is_some() {
        return refuse("Canary options are only valid for Canary deployments");
    }
    if options.max_in_flight.is_some_and(|count| !(1..=MAX_IN_FLIGHT).contains(&count)) {
        return refuse(&format!("Max in flight must be an integer between 1 and {MAX_IN_FLIGHT}"));
    }
    if options.web_instances.is_some_and(|count| count < 1) {
        return refuse("Web instances must be greater than 0");
    }
    Ok(())
}

async fn droplet_of(db: &mut Connection, app: &AppRow, request: &CreateDeployment) -> Result<DropletRow> {
    let guid = match (&request.droplet, app.droplet) {
        (Some(droplet), _) => droplet.guid.clone(),
        (None, Some(current)) => current.to_string(),
        (None, None) => {
            return Err(ApiError::unprocessable(
                "Invalid droplet. Please specify a droplet in the request or set a current droplet for the app.",
            )
            .into());
        }
    };
    let found = apps::find_staged(db, app, &guid).await?;
    Ok(found.ok_or_else(|| {
        ApiError::unprocessable("Unable to deploy this droplet. Ensure the droplet exists, is staged and belongs to this app.")
    })?)
}

async fn deploy(
    controller: &Controller,
    db: &mut Connection,
    app: &mut AppRow,
    droplet: &DropletRow,
    options: &DeploymentOptions,
    metadata: virga_store::metadata::Metadata,
) -> Result<DeploymentRow> {
    let now = controller.now();
    let superseded = supersede(db, app, now).await?;
    let mut old =
        processes::find_of_type(db, app.guid, "web").await?.ok_or_else(|| ApiError::unprocessable("The app has no web process"))?;
    let wanted = superseded.as_ref().map_or(old.instances, |deployment| deployment.original_instances);
    let scale = ScaleProcess {
        instances: options.web_instances.or(Some(i64::from(wanted))),
        memory_in_mb: options.memory_in_mb,
        disk_in_mb: options.disk_in_mb,
        log_rate_limit_in_bytes_per_second: options.log_rate_limit_in_bytes_per_second,
    };
    let previous = app.droplet;
    app.droplet = Some(droplet.guid);
    app_rows::update(db, app, now).await?;
    apps::create_processes(controller, db, app, droplet).await?;
    let mut deployment = DeploymentRow {
        guid: DeploymentGuid::random(),
        created_at: now,
        updated_at: now,
        app: app.guid,
        state: DeploymentState::Deploying,
        strategy: DeploymentStrategy::Rolling,
        max_in_flight: options.max_in_flight.and_then(|count| u32::try_from(count).ok()).unwrap_or(1),
        droplet: droplet.guid,
        previous_droplet: superseded.as_ref().map_or(previous, |deployment| deployment.previous_droplet),
        // What was stable last: the half-grown process of a superseded deployment is nothing to go back to.
        old_web_process: superseded.as_ref().map_or(old.guid, |deployment| deployment.old_web_process),
        new_web_process: old.guid,
        original_instances: wanted,
        asked: Default::default(),
        canary_steps: None,
        canary_step: None,
        revision: None,
        last_healthy_at: None,
        status_changed_at: now,
        error: None,
        metadata,
    };
    if app.state == AppState::Stopped {
        // Nothing runs that could be replaced: the app is started with the droplet, and that is all.
        change::scale(controller, &mut old, &scale)?;
        processes::update(db, &mut old, now).await?;
        apps::run::want_new_instances(db, app, now).await?;
        deployment.state = DeploymentState::Deployed;
    } else {
        deployment.new_web_process = replace(controller, db, &mut old, droplet, &scale, &mut deployment, previous).await?;
    }
    deployments::insert(db, &deployment).await?;
    Ok(deployment)
}

/// Writes the new web process, with its first instances, and pins the old one to what it runs.
async fn replace(
    controller: &Controller,
    db: &mut Connection,
    old: &mut ProcessRow,
    droplet: &DropletRow,
    scale: &ScaleProcess,
    deployment: &mut DeploymentRow,
    previous: Option<virga_model::DropletGuid>,
) -> Result<ProcessGuid> {
    let now = controller.now();
    let mut new = ProcessRow {
        guid: ProcessGuid::random(),
        created_at: now,
        updated_at: now,
        version: defaults::version(),
        droplet: Some(droplet.guid),
        ..old.clone()
    };
    change::scale(controller, &mut new, scale)?;
    deployment.original_instances = new.instances;
    new.instances = new.instances.min(deployment.max_in_flight);
    processes::insert(db, &new).await?;
    old.droplet = old.droplet.or(previous);
    processes::update(db, old, now).await?;
    Ok(new.guid)
}

/// Ends a deployment that is on its way; the next one takes over where it stands.
async fn supersede(db: &mut Connection, app: &AppRow, now: Timestamp) -> Result<Option<DeploymentRow>> {
    let Some(mut active) = deployments::find_active(db, app.guid).await? else { return Ok(None) };
    active.state = DeploymentState::Superseded;
    active.status_changed_at = now;
    deployments::update(db, &mut active, now).await?;
    Ok(Some(active))
}
