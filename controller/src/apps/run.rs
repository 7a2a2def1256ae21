//! `POST /v3/apps/:guid/actions/{start,stop,restart}`.

use super::{lookup, view};
use crate::{
    Access, Controller, Result, SpaceRight, answer,
    audit_events::{record, say},
    quotas,
    revisions::{self, Revised},
};
use serde_json::json;
use virga_contract::{ApiError, ErrorCode};
use virga_model::{AppGuid, RevisionGuid, Timestamp, state::AppState};
use virga_serve::{
    Base, Path,
    axum::{extract::State, response::Response},
};
use virga_store::{
    Connection, app_usage_events,
    apps::{self, AppRow},
    deployments, processes,
};

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Run {
    Start,
    Stop,
    Restart,
}

/// Wants the app to run.
///
/// # Errors
/// 404 `App not found`, 403; 422 without a droplet, over a quota.
pub async fn start(state: State<Controller>, access: Access, base: Base, guid: Path<AppGuid>) -> Result<Response> {
    run(Run::Start, state, access, base, guid).await
}

/// Wants the app not to run.
///
/// # Errors
/// 404 `App not found`, 403; 422 `StopDisabledDuringDeployment`.
pub async fn stop(state: State<Controller>, access: Access, base: Base, guid: Path<AppGuid>) -> Result<Response> {
    run(Run::Stop, state, access, base, guid).await
}

/// Wants every instance replaced by a new one.
///
/// # Errors
/// As [`start`] and [`stop`].
pub async fn restart(state: State<Controller>, access: Access, base: Base, guid: Path<AppGuid>) -> Result<Response> {
    run(Run::Restart, state, access, base, guid).await
}

async fn run(what: Run, State(controller): State<Controller>, access: Access, base: Base, Path(guid): Path<AppGuid>) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let (mut app, organization) = lookup::app(&mut tx, &access, SpaceRight::Manage, guid).await?;
    if what != Run::Start && deployments::find_active(&mut tx, guid).await?.is_some() {
        let detail = "Cannot stop the app while it is deploying, please cancel the deployment before stopping the app.";
        return Err(ApiError::new(ErrorCode::StopDisabledDuringDeployment, detail).into());
    }
    let now = controller.now();
    match what {
        Run::Stop => {
            app.state = AppState::Stopped;
            apps::update(&mut tx, &mut app, now).await?;
        }
        // An app that runs is left alone, as in Cloud Foundry.
        Run::Start if app.state == AppState::Started => {}
        Run::Start | Run::Restart => {
            let revision = revisions::update_of_app(&controller, &mut tx, &access, Revised { app: &app, organization }).await?;
            want_new_instances(&mut tx, &mut app, revision.map(|revision| revision.guid), now).await?;
        }
    }
    if app.state == AppState::Started {
        quotas::check_app(&mut tx, guid, app.space).await?;
    }
    app_usage_events::note(&mut tx, guid, now).await?;
    let (kind, line) = match what {
        Run::Start => ("audit.app.start", "Starting"),
        Run::Stop => ("audit.app.stop", "Stopping"),
        Run::Restart => ("audit.app.restart", "Restarted"),
    };
    record(&controller, &mut tx, &access, lookup::event(kind, &app, organization, json!({}))).await?;
    tx.commit().await?;
    controller.scheduler.nudge();
    say(&controller, guid, format!("{line} app with guid {guid}"));
    Ok(answer::ok(view::app(&base, &app)))
}

/// Starts an app, or starts it anew: every process gets a new version, follows the app's current droplet, and belongs to
/// the revision where there is one.
///
/// # Errors
/// 422 without a droplet; those of the database.
pub(crate) async fn want_new_instances(
    db: &mut Connection,
    app: &mut AppRow,
    revision: Option<RevisionGuid>,
    now: Timestamp,
) -> Result<()> {
    if app.droplet.is_none() {
        return Err(ApiError::unprocessable("Assign a droplet before starting this app.").into());
    }
    app.state = AppState::Started;
    apps::update(db, app, now).await?;
    for mut process in processes::list_of_app(db, app.guid).await? {
        process.version = crate::processes::defaults::version();
        process.droplet = None;
        process.revision = revision.or(process.revision);
        processes::update(db, &mut process, now).await?;
    }
    Ok(())
}
