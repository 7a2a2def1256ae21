//! `POST /v3/deployments/:guid/actions/{cancel,continue}`.

use super::{lookup, view};
use crate::{Access, Controller, Result, SpaceRight, apps::lookup::event, audit_events::record};
use http::StatusCode;
use serde_json::json;
use virga_contract::ApiError;
use virga_model::{
    DeploymentGuid,
    state::{DeploymentState, DeploymentStrategy},
};
use virga_serve::{
    Path,
    axum::{
        extract::State,
        response::{IntoResponse as _, Response},
    },
};
use virga_store::{apps, deployments};

/// Goes back to what ran before.
///
/// # Errors
/// 404 `Deployment not found`; 403; 422 for one that has ended.
pub async fn cancel(State(controller): State<Controller>, access: Access, Path(guid): Path<DeploymentGuid>) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let (mut deployment, mut app, organization) = lookup::find(&mut tx, &access, SpaceRight::Manage, guid).await?;
    match deployment.state {
        DeploymentState::Deploying | DeploymentState::Prepaused | DeploymentState::Paused => {}
        DeploymentState::Canceling => return Ok(StatusCode::OK.into_response()),
        state => {
            let (value, reason) = view::status(state);
            return Err(ApiError::unprocessable(format!("Cannot cancel a {value} deployment (reason: {reason})")).into());
        }
    }
    let now = controller.now();
    deployment.state = DeploymentState::Canceling;
    deployment.status_changed_at = now;
    deployments::update(&mut tx, &mut deployment, now).await?;
    if let Some(previous) = deployment.previous_droplet {
        app.droplet = Some(previous);
        apps::update(&mut tx, &mut app, now).await?;
    }
    let data = json!({ "deployment_guid": guid, "droplet_guid": deployment.previous_droplet });
    record(&controller, &mut tx, &access, event("audit.app.deployment.cancel", &app, organization, data)).await?;
    tx.commit().await?;
    controller.scheduler.nudge();
    Ok(StatusCode::OK.into_response())
}

/// Lets a paused deployment go on: to its next step, or after the last to its end.
///
/// # Errors
/// 404 `Deployment not found`; 403; 422 for one that is not paused.
pub async fn continue_deployment(
    State(controller): State<Controller>,
    access: Access,
    Path(guid): Path<DeploymentGuid>,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let (mut deployment, app, organization) = lookup::find(&mut tx, &access, SpaceRight::Manage, guid).await?;
    if deployment.state != DeploymentState::Paused {
        let (value, reason) = view::status(deployment.state);
        return Err(ApiError::unprocessable(format!("Cannot continue a deployment with status: {value} and reason: {reason}")).into());
    }
    let now = controller.now();
    let next = deployment.canary_step.unwrap_or(1).saturating_add(1);
    if deployment.strategy == DeploymentStrategy::Canary && next <= deployment.total_steps() {
        deployment.canary_step = Some(next);
        deployment.state = DeploymentState::Prepaused;
    } else {
        deployment.state = DeploymentState::Deploying;
    }
    deployment.status_changed_at = now;
    deployments::update(&mut tx, &mut deployment, now).await?;
    let data = json!({ "deployment_guid": guid });
    record(&controller, &mut tx, &access, event("audit.app.deployment.continue", &app, organization, data)).await?;
    tx.commit().await?;
    controller.scheduler.nudge();
    Ok(StatusCode::OK.into_response())
}
