//! A space as JSON.

use crate::answer;
use serde_json::{Value, json};
use virga_serve::Base;
use virga_store::spaces::SpaceRow;

/// The space as the v3 API shows it.
#[must_use]
pub fn view(base: &Base, space: &SpaceRow) -> Value {
    let guid = space.guid;
    json!({
        "guid": guid,
        "created_at": answer::time(space.created_at),
        "updated_at": answer::time(space.updated_at),
        "name": space.name,
        "relationships": { "organization": answer::to_one(Some(space.organization)), "quota": { "data": null } },
        "metadata": answer::metadata(&space.metadata),
        "links": {
            "self": answer::link(base, format_args!("/v3/spaces/{guid}")),
            "organization": answer::link(base, format_args!("/v3/organizations/{}", space.organization)),
            "features": answer::link(base, format_args!("/v3/spaces/{guid}/features")),
            "apply_manifest": answer::link_with(base, format_args!("/v3/spaces/{guid}/actions/apply_manifest"), "POST"),
        },
    })
}
