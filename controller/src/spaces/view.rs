//! A space as JSON.

use crate::answer;
use serde_json::{Value, json};
use virga_serve::Base;
use virga_store::spaces::SpaceRow;

/// The space as the v3 API shows it.
#[must_use]
pub fn view(base: &Base, space: &SpaceRow) -> Value {
    let guid = space.guid;
    let mut links = json!({
        "self": answer::link(base, format_args!("/v3/spaces/{guid}")),
        "organization": answer::link(base, format_args!("/v3/organizations/{}", space.organization)),
        "features": answer::link(base, format_args!("/v3/spaces/{guid}/features")),
        "apply_manifest": answer::link_with(base, format_args!("/v3/spaces/{guid}/actions/apply_manifest"), "POST"),
    });
    if let (Some(quota), Value::Object(links)) = (space.quota, &mut links) {
        links.insert("quota".to_owned(), answer::link(base, format_args!("/v3/space_quotas/{quota}")));
    }
    json!({
        "guid": guid,
        "created_at": answer::time(space.created_at),
        "updated_at": answer::time(space.updated_at),
        "name": space.name,
        "suspended": space.suspended,
        "relationships": { "organization": answer::to_one(Some(space.organization)), "quota": answer::to_one(space.quota) },
        "metadata": answer::metadata(&space.metadata),
        "links": links,
    })
}
