//! A buildpack as JSON.

use crate::{Controller, answer};
use serde_json::{Value, json};
use virga_serve::Base;
use virga_store::buildpacks::BuildpackRow;

/// The buildpack as the v3 API shows it.
#[must_use]
pub(super) fn view(controller: &Controller, base: &Base, buildpack: &BuildpackRow) -> Value {
    let guid = buildpack.guid;
    json!({
        "guid": guid,
        "created_at": answer::time(buildpack.created_at),
        "updated_at": answer::time(buildpack.updated_at),
        "name": buildpack.name,
        "stack": buildpack.stack,
        "state": if buildpack.builder.is_some() { "READY" } else { "AWAITING_UPLOAD" },
        "lifecycle": buildpack.lifecycle,
        "filename": filename(controller, buildpack),
        "position": buildpack.position,
        "enabled": buildpack.enabled,
        "locked": buildpack.locked,
        "metadata": answer::metadata(&buildpack.metadata),
        "links": {
            "self": answer::link(base, format_args!("/v3/buildpacks/{guid}")),
            "upload": answer::link_with(base, format_args!("/v3/buildpacks/{guid}/upload"), "POST"),
        },
    })
}

/// The file that was uploaded; for those of this program, name and version of the builder.
fn filename(controller: &Controller, buildpack: &BuildpackRow) -> Option<String> {
    if buildpack.filename.is_some() {
        return buildpack.filename.clone();
    }
    let builder = buildpack.builder.as_deref()?;
    let known = controller.stager.buildpacks();
    Some(match known.iter().find(|known| known.name == builder) {
        Some(known) => format!("{builder}-{}", known.version),
        None => builder.to_owned(),
    })
}
