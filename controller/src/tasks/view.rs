//! Tasks as the API shows them.

use crate::answer::{link, link_with, metadata, time, to_one};
use serde_json::{Value, json};
use virga_serve::Base;
use virga_store::tasks::TaskRow;

/// One task; its command only to who may read secrets.
#[must_use]
pub fn task(base: &Base, task: &TaskRow, secrets: bool) -> Value {
    let own = format!("/v3/tasks/{}", task.guid);
    json!({
        "guid": task.guid,
        "created_at": time(task.created_at),
        "updated_at": time(task.updated_at),
        "sequence_id": task.sequence_id,
        "name": task.name,
        "command": if secrets { task.command.as_str() } else { "[PRIVATE DATA HIDDEN]" },
        "user": Value::Null,
        "state": task.state,
        "memory_in_mb": task.memory_in_mb,
        "disk_in_mb": task.disk_in_mb,
        "log_rate_limit_in_bytes_per_second": task.log_rate_limit_in_bytes_per_second,
        "result": { "failure_reason": task.failure_reason },
        "droplet_guid": task.droplet,
        "relationships": { "app": to_one(Some(task.app)) },
        "metadata": metadata(&task.metadata),
        "links": {
            "self": link(base, &own),
            "app": link(base, format_args!("/v3/apps/{}", task.app)),
            "cancel": link_with(base, format_args!("{own}/actions/cancel"), "POST"),
            "droplet": link(base, format_args!("/v3/droplets/{}", task.droplet)),
        },
    })
}
