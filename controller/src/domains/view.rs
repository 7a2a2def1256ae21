//! A domain as JSON.

use crate::answer;
use serde_json::{Map, Value, json};
use virga_serve::Base;
use virga_store::domains::DomainRow;

/// The domain as the v3 API shows it.
#[must_use]
pub fn view(base: &Base, domain: &DomainRow) -> Value {
    let guid = domain.guid;
    let mut links = Map::new();
    links.insert("self".to_owned(), answer::link(base, format_args!("/v3/domains/{guid}")));
    links.insert("route_reservations".to_owned(), answer::link(base, format_args!("/v3/domains/{guid}/route_reservations")));
    if let Some(organization) = domain.organization {
        links.insert("organization".to_owned(), answer::link(base, format_args!("/v3/organizations/{organization}")));
    }
    json!({
        "guid": guid,
        "created_at": answer::time(domain.created_at),
        "updated_at": answer::time(domain.updated_at),
        "name": domain.name,
        "internal": domain.internal,
        "router_group": null,
        "supported_protocols": ["http"],
        "relationships": {
            "organization": answer::to_one(domain.organization),
            "shared_organizations": { "data": [] },
        },
        "metadata": answer::metadata(&domain.metadata),
        "links": links,
    })
}
