//! Builds as the API shows them.

use crate::{
    answer::{link, metadata, time, to_one},
    apps::view::lifecycle,
};
use serde_json::{Value, json};
use virga_serve::Base;
use virga_store::builds::BuildRow;

/// One build. `virga.steps` is ours: `[{"name", "duration_ms"}]` of what staging did, in order.
#[must_use]
pub fn build(base: &Base, build: &BuildRow) -> Value {
    let mut links = json!({
        "self": link(base, format_args!("/v3/builds/{}", build.guid)),
        "app": link(base, format_args!("/v3/apps/{}", build.app)),
    });
    if let (Some(droplet), Some(links)) = (build.droplet, links.as_object_mut()) {
        links.insert("droplet".to_owned(), link(base, format_args!("/v3/droplets/{droplet}")));
    }
    let steps: Vec<Value> = build.steps.iter().map(|(name, duration_ms)| json!({ "name": name, "duration_ms": duration_ms })).collect();
    let (by_guid, by_name, by_email) = &build.created_by;
    json!({
        "guid": build.guid,
        "created_at": time(build.created_at),
        "updated_at": time(build.updated_at),
        "state": build.state,
        "staging_memory_in_mb": build.staging_memory_in_mb,
        "staging_disk_in_mb": build.staging_disk_in_mb,
        "staging_log_rate_limit_bytes_per_second": -1,
        "error": build.error,
        "lifecycle": lifecycle(&build.buildpacks, &build.stack),
        "package": { "guid": build.package },
        "droplet": build.droplet.map(|guid| json!({ "guid": guid })),
        "created_by": { "guid": by_guid, "name": by_name, "email": by_email },
        "relationships": { "app": to_one(Some(build.app)) },
        "metadata": metadata(&build.metadata),
        "links": links,
        "virga": { "steps": steps },
    })
}
