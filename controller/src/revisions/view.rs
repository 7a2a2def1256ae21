//! Revisions as the API shows them.

use crate::answer::{link, metadata, time, to_one};
use serde_json::{Map, Value, json};
use virga_serve::Base;
use virga_store::revisions::RevisionRow;

/// One revision; `deployable` says whether its droplet can still be run.
#[must_use]
pub fn revision(base: &Base, revision: &RevisionRow, deployable: bool) -> Value {
    let own = format!("/v3/revisions/{}", revision.guid);
    let process = |(process_type, command): (&String, &Option<String>)| (process_type.clone(), json!({ "command": command }));
    let processes: Map<String, Value> = revision.commands.iter().map(process).collect();
    json!({
        "guid": revision.guid,
        "created_at": time(revision.created_at),
        "updated_at": time(revision.updated_at),
        "version": revision.version,
        "droplet": { "guid": revision.droplet },
        "processes": processes,
        "sidecars": [],
        "description": revision.description,
        "deployable": deployable,
        "relationships": { "app": to_one(Some(revision.app)) },
        "metadata": metadata(&revision.metadata),
        "links": {
            "self": link(base, &own),
            "app": link(base, format_args!("/v3/apps/{}", revision.app)),
            "environment_variables": link(base, format_args!("{own}/environment_variables")),
        },
    })
}

/// The app's own variables as they were.
#[must_use]
pub fn environment_variables(base: &Base, revision: &RevisionRow) -> Value {
    let own = format!("/v3/revisions/{}", revision.guid);
    json!({
        "var": revision.environment,
        "links": {
            "self": link(base, format_args!("{own}/environment_variables")),
            "revision": link(base, &own),
            "app": link(base, format_args!("/v3/apps/{}", revision.app)),
        },
    })
}
