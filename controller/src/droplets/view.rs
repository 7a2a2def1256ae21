//! Droplets as the API shows them.

use crate::answer::{link, link_with, metadata, time, to_one};
use serde_json::{Map, Value, json};
use virga_serve::Base;
use virga_store::droplets::DropletRow;

/// One droplet. `secrets` shows its commands; lists never do.
#[must_use]
pub fn droplet(base: &Base, droplet: &DropletRow, in_list: bool, secrets: bool) -> Value {
    let own = format!("/v3/droplets/{}", droplet.guid);
    let hidden = if in_list { "[PRIVATE DATA HIDDEN IN LISTS]" } else { "[PRIVATE DATA HIDDEN]" };
    let shown = secrets && !in_list;
    let process_types: Map<String, Value> =
        droplet.process_types.iter().map(|(kind, command)| (kind.clone(), json!(if shown { command.as_str() } else { hidden }))).collect();
    let mut links = json!({
        "self": link(base, &own),
        "app": link(base, format_args!("/v3/apps/{}", droplet.app)),
        "assign_current_droplet": link_with(base, format_args!("/v3/apps/{}/relationships/current_droplet", droplet.app), "PATCH"),
        "download": link(base, format_args!("{own}/download")),
    });
    if let (Some(package), Some(links)) = (droplet.package, links.as_object_mut()) {
        links.insert("package".to_owned(), link(base, format_args!("/v3/packages/{package}")));
    }
    json!({
        "guid": droplet.guid,
        "created_at": time(droplet.created_at),
        "updated_at": time(droplet.updated_at),
        "state": droplet.state,
        "error": droplet.error,
        "lifecycle": { "type": "buildpack", "data": {} },
        "checksum": droplet.digest.map(|digest| json!({ "type": "sha256", "value": digest })),
        "buildpacks": droplet.buildpacks,
        "stack": droplet.stack,
        "image": Value::Null,
        "execution_metadata": if shown { "" } else { hidden },
        "process_types": process_types,
        "relationships": { "app": to_one(Some(droplet.app)) },
        "metadata": metadata(&droplet.metadata),
        "links": links,
    })
}
