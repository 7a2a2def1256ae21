//! Deployments as the API shows them.

use crate::answer::{link, link_with, metadata, time, to_one};
use serde_json::{Value, json};
use virga_model::state::DeploymentState;
use virga_serve::Base;
use virga_store::deployments::DeploymentRow;

/// `status.value` and `status.reason` of a state.
#[must_use]
pub fn status(state: DeploymentState) -> (&'static str, &'static str) {
    match state {
        DeploymentState::Deploying | DeploymentState::Prepaused => ("ACTIVE", "DEPLOYING"),
        DeploymentState::Paused => ("ACTIVE", "PAUSED"),
        DeploymentState::Canceling => ("ACTIVE", "CANCELING"),
        DeploymentState::Deployed => ("FINALIZED", "DEPLOYED"),
        DeploymentState::Canceled => ("FINALIZED", "CANCELED"),
        DeploymentState::Superseded => ("FINALIZED", "SUPERSEDED"),
    }
}

/// One deployment.
#[must_use]
pub fn deployment(base: &Base, deployment: &DeploymentRow) -> Value {
    let own = format!("/v3/deployments/{}", deployment.guid);
    let (value, reason) = status(deployment.state);
    let mut details = json!({
        "last_successful_healthcheck": deployment.last_healthy_at.map(time),
        "last_status_change": time(deployment.status_changed_at),
    });
    if let (Some(error), Some(details)) = (&deployment.error, details.as_object_mut()) {
        details.insert("error".to_owned(), json!(error));
    }
    let mut links = json!({
        "self": link(base, &own),
        "app": link(base, format_args!("/v3/apps/{}", deployment.app)),
    });
    if let (true, Some(links)) = (value == "ACTIVE", links.as_object_mut()) {
        links.insert("cancel".to_owned(), link_with(base, format_args!("{own}/actions/cancel"), "POST"));
    }
    json!({
        "guid": deployment.guid,
        "created_at": time(deployment.created_at),
        "updated_at": time(deployment.updated_at),
        "status": { "value": value, "reason": reason, "details": details },
        "strategy": deployment.strategy,
        "options": { "max_in_flight": deployment.max_in_flight },
        "droplet": { "guid": deployment.droplet },
        "previous_droplet": { "guid": deployment.previous_droplet },
        "new_processes": [{ "guid": deployment.new_web_process, "type": "web" }],
        "revision": Value::Null,
        "relationships": { "app": to_one(Some(deployment.app)) },
        "metadata": metadata(&deployment.metadata),
        "links": links,
    })
}
