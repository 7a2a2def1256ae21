//! A quota as JSON.

use crate::{answer, quotas};
use serde_json::{Value, json};
use virga_model::SpaceGuid;
use virga_serve::Base;
use virga_store::space_quotas::SpaceQuotaRow;

/// The quota as the v3 API shows it, with the spaces that have it and that the caller may see.
#[must_use]
pub fn view(base: &Base, quota: &SpaceQuotaRow, spaces: &[SpaceGuid]) -> Value {
    let mut view = quotas::head(quota.guid, quota.created_at, quota.updated_at, &quota.name, &quota.limits);
    let relationships = json!({ "organization": answer::to_one(Some(quota.organization)), "spaces": answer::to_many(spaces) });
    view.insert("relationships".to_owned(), relationships);
    let links = json!({
        "self": answer::link(base, format_args!("/v3/space_quotas/{}", quota.guid)),
        "organization": answer::link(base, format_args!("/v3/organizations/{}", quota.organization)),
    });
    view.insert("links".to_owned(), links);
    Value::Object(view)
}
