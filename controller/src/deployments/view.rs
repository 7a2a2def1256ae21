//! Deployments as the API shows them.

use crate::answer::{link, link_with, metadata, time, to_one};
use serde_json::{Map, Value, json};
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

/// What was asked of it; what was not asked is left out.
#[must_use]
pub fn options(deployment: &DeploymentRow) -> Value {
    let asked = &deployment.asked;
    let mut options = Map::from_iter([("max_in_flight".to_owned(), json!(deployment.max_in_flight))]);
    let sizes = [
        ("web_instances", asked.instances.map(Value::from)),
        ("memory_in_mb", asked.memory_in_mb.map(Value::from)),
        ("disk_in_mb", asked.disk_in_mb.map(Value::from)),
        ("log_rate_limit_in_bytes_per_second", asked.log_rate_limit_in_bytes_per_second.map(Value::from)),
    ];
    options.extend(sizes.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    if let Some(weights) = &deployment.canary_steps {
        let steps: Vec<Value> = weights.iter().map(|weight| json!({ "instance_weight": weight })).collect();
        options.insert("canary".to_owned(), json!({ "steps": steps }));
    }
    Value::Object(options)
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
        if deployment.state == DeploymentState::Paused {
            links.insert("continue".to_owned(), link_with(base, format_args!("{own}/actions/continue"), "POST"));
        }
    }
    let mut status = json!({ "value": value, "reason": reason, "details": details });
    if let (Some(current), Some(status)) = (deployment.canary_step, status.as_object_mut()) {
        status.insert("canary".to_owned(), json!({ "steps": { "current": current, "total": deployment.total_steps() } }));
    }
    json!({
        "guid": deployment.guid,
        "created_at": time(deployment.created_at),
        "updated_at": time(deployment.updated_at),
        "status": status,
        "strategy": deployment.strategy,
        "options": options(deployment),
        "droplet": { "guid": deployment.droplet },
        "previous_droplet": { "guid": deployment.previous_droplet },
        "new_processes": [{ "guid": deployment.new_web_process, "type": "web" }],
        "revision": deployment.revision.map(|(guid, version)| json!({ "guid": guid, "version": version })),
        "relationships": { "app": to_one(Some(deployment.app)) },
        "metadata": metadata(&deployment.metadata),
        "links": links,
    })
}
