//! A role as JSON.

use crate::answer;
use serde_json::{Map, Value, json};
use virga_serve::Base;
use virga_store::roles::RoleRow;

/// The role as the v3 API shows it.
#[must_use]
pub fn view(base: &Base, role: &RoleRow) -> Value {
    let mut links = Map::new();
    links.insert("self".to_owned(), answer::link(base, format_args!("/v3/roles/{}", role.guid)));
    links.insert("user".to_owned(), answer::link(base, format_args!("/v3/users/{}", role.user)));
    if let Some(organization) = role.scope.organization() {
        links.insert("organization".to_owned(), answer::link(base, format_args!("/v3/organizations/{organization}")));
    }
    if let Some(space) = role.scope.space() {
        links.insert("space".to_owned(), answer::link(base, format_args!("/v3/spaces/{space}")));
    }
    json!({
        "guid": role.guid,
        "created_at": answer::time(role.created_at),
        "updated_at": answer::time(role.updated_at),
        "type": role.kind,
        "relationships": {
            "user": answer::to_one(Some(role.user)),
            "organization": answer::to_one(role.scope.organization()),
            "space": answer::to_one(role.scope.space()),
        },
        "links": links,
    })
}
