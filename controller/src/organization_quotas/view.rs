//! A quota as JSON.

use crate::answer;
use serde_json::{Value, json};
use virga_model::OrgGuid;
use virga_serve::Base;
use virga_store::organization_quotas::OrganizationQuotaRow;

/// The quota as the v3 API shows it, with the organizations it applies to that the caller may see.
#[must_use]
pub fn view(base: &Base, quota: &OrganizationQuotaRow, organizations: &[OrgGuid]) -> Value {
    json!({
        "guid": quota.guid,
        "created_at": answer::time(quota.created_at),
        "updated_at": answer::time(quota.updated_at),
        "name": quota.name,
        "apps": {
            "total_memory_in_mb": quota.total_memory_in_mb,
            "per_process_memory_in_mb": quota.per_process_memory_in_mb,
            "total_instances": quota.total_instances,
            "per_app_tasks": quota.per_app_tasks,
            "log_rate_limit_in_bytes_per_second": quota.log_rate_limit_in_bytes_per_second,
        },
        "services": {
            "paid_services_allowed": quota.paid_services_allowed,
            "total_service_instances": quota.total_service_instances,
            "total_service_keys": quota.total_service_keys,
        },
        "routes": { "total_routes": quota.total_routes, "total_reserved_ports": quota.total_reserved_ports },
        "domains": { "total_domains": quota.total_domains },
        "relationships": { "organizations": answer::to_many(organizations) },
        "links": { "self": answer::link(base, format_args!("/v3/organization_quotas/{}", quota.guid)) },
    })
}
