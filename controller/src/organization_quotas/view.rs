//! A quota as JSON.

use crate::{answer, quotas};
use serde_json::{Value, json};
use virga_model::OrgGuid;
use virga_serve::Base;
use virga_store::organization_quotas::OrganizationQuotaRow;

/// The quota as the v3 API shows it, with the organizations it applies to that the caller may see.
#[must_use]
pub fn view(base: &Base, quota: &OrganizationQuotaRow, organizations: &[OrgGuid]) -> Value {
    let mut view = quotas::head(quota.guid, quota.created_at, quota.updated_at, &quota.name, &quota.limits);
    view.insert("domains".to_owned(), json!({ "total_domains": quota.total_domains }));
    view.insert("relationships".to_owned(), json!({ "organizations": answer::to_many(organizations) }));
    let links = json!({ "self": answer::link(base, format_args!("/v3/organization_quotas/{}", quota.guid)) });
    view.insert("links".to_owned(), links);
    Value::Object(view)
}
