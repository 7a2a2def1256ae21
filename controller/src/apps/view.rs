//! Apps as the API shows them.

use crate::answer::{link, link_with, metadata, time, to_one};
use serde_json::{Value, json};
use virga_serve::Base;
use virga_store::apps::AppRow;

/// One app.
#[must_use]
pub fn app(base: &Base, app: &AppRow) -> Value {
    let own = format!("/v3/apps/{}", app.guid);
    let below = |path: &str| link(base, format_args!("{own}/{path}"));
    let action = |name: &str| link_with(base, format_args!("{own}/actions/{name}"), "POST");
    json!({
        "guid": app.guid,
        "created_at": time(app.created_at),
        "updated_at": time(app.updated_at),
        "name": app.name,
        "state": app.state,
        "lifecycle": lifecycle(&app.buildpacks, &app.stack),
        "relationships": { "space": to_one(Some(app.space)), "current_droplet": to_one(app.droplet) },
        "metadata": metadata(&app.metadata),
        "links": {
            "self": link(base, &own),
            "environment_variables": below("environment_variables"),
            "space": link(base, format_args!("/v3/spaces/{}", app.space)),
            "processes": below("processes"),
            "packages": below("packages"),
            "current_droplet": below("droplets/current"),
            "droplets": below("droplets"),
            "tasks": below("tasks"),
            "start": action("start"),
            "stop": action("stop"),
            "clear_buildpack_cache": action("clear_buildpack_cache"),
            "revisions": below("revisions"),
            "deployed_revisions": below("revisions/deployed"),
            "features": below("features"),
        },
    })
}

/// `lifecycle` of apps and builds.
#[must_use]
pub fn lifecycle(buildpacks: &[String], stack: &str) -> Value {
    json!({ "type": "buildpack", "data": { "buildpacks": buildpacks, "stack": stack } })
}

/// `{"var": {…}}` with links.
#[must_use]
pub fn environment_variables(base: &Base, app: &AppRow) -> Value {
    json!({
        "var": app.environment,
        "links": {
            "self": link(base, format_args!("/v3/apps/{}/environment_variables", app.guid)),
            "app": link(base, format_args!("/v3/apps/{}", app.guid)),
        },
    })
}

/// The current droplet as a relationship.
#[must_use]
pub fn current_droplet(base: &Base, app: &AppRow) -> Value {
    let mut relationship = to_one(app.droplet);
    if let Some(members) = relationship.as_object_mut() {
        members.insert(
            "links".to_owned(),
            json!({
                "self": link(base, format_args!("/v3/apps/{}/relationships/current_droplet", app.guid)),
                "related": link(base, format_args!("/v3/apps/{}/droplets/current", app.guid)),
            }),
        );
    }
    relationship
}
