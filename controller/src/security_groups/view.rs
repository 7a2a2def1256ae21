//! A security group as JSON.

use crate::answer;
use serde_json::{Value, json};
use virga_serve::Base;
use virga_store::security_groups::SecurityGroupRow;

/// The group as the v3 API shows it.
#[must_use]
pub fn view(base: &Base, group: &SecurityGroupRow) -> Value {
    json!({
        "guid": group.guid,
        "created_at": answer::time(group.created_at),
        "updated_at": answer::time(group.updated_at),
        "name": group.name,
        "rules": group.rules,
        "globally_enabled": { "running": group.running_default, "staging": group.staging_default },
        "relationships": { "running_spaces": { "data": [] }, "staging_spaces": { "data": [] } },
        "links": { "self": answer::link(base, format_args!("/v3/security_groups/{}", group.guid)) },
    })
}
