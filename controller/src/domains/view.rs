//! A domain as JSON.

use crate::{Access, Result, answer};
use serde_json::{Map, Value, json};
use virga_model::{DomainGuid, OrgGuid};
use virga_serve::Base;
use virga_store::{Connection, domain_shares, domains::DomainRow};

/// With which organizations that the caller sees these domains are shared.
pub(crate) async fn shares(db: &mut Connection, access: &Access, rows: &[DomainRow]) -> Result<Vec<(DomainGuid, OrgGuid)>> {
    let private: Vec<_> = rows.iter().filter(|domain| domain.organization.is_some()).map(|domain| domain.guid).collect();
    Ok(domain_shares::list_of_domains(db, &private, access.visible()).await?)
}

/// The domain as the v3 API shows it; of `shares`, those that are its own.
#[must_use]
pub fn view(base: &Base, domain: &DomainRow, shares: &[(DomainGuid, OrgGuid)]) -> Value {
    let guid = domain.guid;
    let mut links = Map::new();
    links.insert("self".to_owned(), answer::link(base, format_args!("/v3/domains/{guid}")));
    links.insert("route_reservations".to_owned(), answer::link(base, format_args!("/v3/domains/{guid}/route_reservations")));
    if let Some(organization) = domain.organization {
        links.insert("organization".to_owned(), answer::link(base, format_args!("/v3/organizations/{organization}")));
        let shared = answer::link(base, format_args!("/v3/domains/{guid}/relationships/shared_organizations"));
        links.insert("shared_organizations".to_owned(), shared);
    }
    if let Some(group) = domain.router_group {
        links.insert("router_group".to_owned(), answer::link(base, format_args!("/routing/v1/router_groups/{group}")));
    }
    let shared = shares.iter().filter(|(domain, _)| *domain == guid).map(|(_, organization)| organization);
    json!({
        "guid": guid,
        "created_at": answer::time(domain.created_at),
        "updated_at": answer::time(domain.updated_at),
        "name": domain.name,
        "internal": domain.internal,
        "router_group": domain.router_group.map(|group| json!({ "guid": group })),
        "supported_protocols": [if domain.router_group.is_some() { "tcp" } else { "http" }],
        "relationships": {
            "organization": answer::to_one(domain.organization),
            "shared_organizations": answer::to_many(shared),
        },
        "metadata": answer::metadata(&domain.metadata),
        "links": links,
    })
}
