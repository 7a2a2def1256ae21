//! Packages as the API shows them.

use crate::answer::{link, link_with, metadata, time, to_one};
use serde_json::{Value, json};
use virga_serve::Base;
use virga_store::packages::PackageRow;

/// One package.
#[must_use]
pub fn package(base: &Base, package: &PackageRow) -> Value {
    let own = format!("/v3/packages/{}", package.guid);
    json!({
        "guid": package.guid,
        "created_at": time(package.created_at),
        "updated_at": time(package.updated_at),
        "type": package.package_type,
        "data": { "error": package.error, "checksum": { "type": "sha256", "value": package.digest } },
        "state": package.state,
        "relationships": { "app": to_one(Some(package.app)) },
        "metadata": metadata(&package.metadata),
        "links": {
            "self": link(base, &own),
            "upload": link_with(base, format_args!("{own}/upload"), "POST"),
            "download": link(base, format_args!("{own}/download")),
            "app": link(base, format_args!("/v3/apps/{}", package.app)),
        },
    })
}
