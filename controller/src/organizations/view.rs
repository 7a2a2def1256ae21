//! An organization as JSON.

use crate::answer;
use serde_json::{Value, json};
use virga_serve::Base;
use virga_store::organizations::OrganizationRow;

/// The organization as the v3 API shows it.
#[must_use]
pub fn view(base: &Base, organization: &OrganizationRow) -> Value {
    let guid = organization.guid;
    json!({
        "guid": guid,
        "created_at": answer::time(organization.created_at),
        "updated_at": answer::time(organization.updated_at),
        "name": organization.name,
        "suspended": organization.suspended,
        "relationships": { "quota": answer::to_one(Some(organization.quota)) },
        "metadata": answer::metadata(&organization.metadata),
        "links": {
            "self": answer::link(base, format_args!("/v3/organizations/{guid}")),
            "domains": answer::link(base, format_args!("/v3/organizations/{guid}/domains")),
            "default_domain": answer::link(base, format_args!("/v3/organizations/{guid}/domains/default")),
            "quota": answer::link(base, format_args!("/v3/organization_quotas/{}", organization.quota)),
        },
    })
}
