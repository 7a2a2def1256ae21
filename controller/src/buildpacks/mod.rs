//! Buildpacks: those of this platform, in the order of detection. They come with the program and cannot be changed.

use crate::{
    Access, Controller, Result,
    answer::{self, link},
    apps::change::STACK,
    list::{ListRequest, ListSpec},
};
use serde_json::{Value, json};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use virga_contract::{ApiError, staging::BuildpackInfo};
use virga_model::{BuildpackGuid, Timestamp};
use virga_serve::{
    Base, Path,
    axum::{extract::State, response::Response},
};

const SPEC: ListSpec = ListSpec::new(&["names", "stacks", "lifecycle"]).order_by(&["position", "lifecycle"]).default_order("position");

/// Every buildpack.
///
/// # Errors
/// 400 `BadQueryParameter`.
pub async fn list(State(controller): State<Controller>, _access: Access, request: ListRequest) -> Result<Response> {
    let query = request.parse(&SPEC)?;
    let passes = |filter: &str, value: &str| query.values(filter).is_none_or(|values| values.iter().any(|asked| asked == value));
    let known = controller.stager.buildpacks();
    let mut shown: Vec<Value> = known
        .iter()
        .enumerate()
        .filter(|(_, buildpack)| passes("names", buildpack.name) && passes("stacks", STACK) && passes("lifecycle", "buildpack"))
        .filter(|(_, buildpack)| query.listing.guids.as_ref().is_none_or(|guids| guids.contains(&guid(buildpack).to_string())))
        .map(|(index, buildpack)| view(&query.base, index, buildpack))
        .collect();
    if query.listing.descending {
        shown.reverse();
    }
    Ok(answer::ok(query.slice(shown)))
}

/// One buildpack.
///
/// # Errors
/// 404 `Buildpack not found`.
pub async fn show(State(controller): State<Controller>, _access: Access, base: Base, Path(asked): Path<BuildpackGuid>) -> Result<Response> {
    let known = controller.stager.buildpacks();
    let found = known.iter().enumerate().find(|(_, buildpack)| guid(buildpack) == asked);
    let (index, buildpack) = found.ok_or_else(|| ApiError::not_found("Buildpack"))?;
    Ok(answer::ok(view(&base, index, buildpack)))
}

/// A guid that stays the same as long as the name does.
fn guid(buildpack: &BuildpackInfo) -> BuildpackGuid {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (salt, buildpack.name).hash(&mut hasher);
        u128::from(hasher.finish())
    };
    BuildpackGuid::from_u128((half(0) << 64) | half(1))
}

fn view(base: &Base, index: usize, buildpack: &BuildpackInfo) -> Value {
    let guid = guid(buildpack);
    json!({
        "guid": guid,
        "created_at": answer::time(Timestamp::UNIX_EPOCH),
        "updated_at": answer::time(Timestamp::UNIX_EPOCH),
        "name": buildpack.name,
        "stack": STACK,
        "state": "READY",
        "lifecycle": "buildpack",
        "filename": format!("{}-{}", buildpack.name, buildpack.version),
        "position": index + 1,
        "enabled": true,
        "locked": true,
        "metadata": { "labels": {}, "annotations": {} },
        "links": { "self": link(base, format_args!("/v3/buildpacks/{guid}")) },
    })
}
