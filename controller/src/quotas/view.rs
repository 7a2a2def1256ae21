//! What quotas of both kinds show.

use crate::answer;
use serde_json::{Map, Value, json};
use virga_model::{QuotaGuid, Timestamp};
use virga_store::quotas::QuotaLimits;

/// A quota up to `routes`.
#[must_use]
pub(crate) fn head(guid: QuotaGuid, created_at: Timestamp, updated_at: Timestamp, name: &str, limits: &QuotaLimits) -> Map<String, Value> {
    let view = json!({
        "guid": guid,
        "created_at": answer::time(created_at),
        "updated_at": answer::time(updated_at),
        "name": name,
        "apps": {
            "total_memory_in_mb": limits.total_memory_in_mb,
            "per_process_memory_in_mb": limits.per_process_memory_in_mb,
            "total_instances": limits.total_instances,
            "per_app_tasks": limits.per_app_tasks,
            "log_rate_limit_in_bytes_per_second": limits.log_rate_limit_in_bytes_per_second,
        },
        "services": {
            "paid_services_allowed": limits.paid_services_allowed,
            "total_service_instances": limits.total_service_instances,
            "total_service_keys": limits.total_service_keys,
        },
        "routes": { "total_routes": limits.total_routes, "total_reserved_ports": limits.total_reserved_ports },
    });
    match view {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}
