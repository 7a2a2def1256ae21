//! Stacks. There is one here, WebAssembly; `cflinuxfs4` is taken as another name of it, since manifests ask for it.

use crate::{
    Result, answer,
    list::{ListRequest, ListSpec},
};
use serde_json::{Value, json};
use virga_contract::ApiError;
use virga_model::StackGuid;
use virga_serve::{Base, Path, axum::response::Response};

/// Name of the stack of every app that asks for none. Cloud Foundry's, so that clients and manifests stay as they are.
pub const DEFAULT_STACK: &str = "cflinuxfs4";

/// The one stack is the same on every installation and so is its guid.
const GUID: u128 = 0x7669_7267_6100_4000_8000_0000_0000_0001;

/// A stack of that name, if there is one.
#[must_use]
pub fn is_stack(name: &str) -> bool {
    name == DEFAULT_STACK
}

fn view(base: &Base) -> Value {
    let guid = StackGuid::from_u128(GUID);
    json!({
        "guid": guid,
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
        "name": DEFAULT_STACK,
        "description": "WebAssembly components (WASI)",
        "state": "ACTIVE",
        "state_reason": null,
        "run_rootfs_image": DEFAULT_STACK,
        "build_rootfs_image": DEFAULT_STACK,
        "default": true,
        "metadata": { "labels": {}, "annotations": {} },
        "links": { "self": answer::link(base, format_args!("/v3/stacks/{guid}")) },
    })
}

const LIST: ListSpec = ListSpec::new(&["names", "default"]).order_by(&["name"]).default_order("name");

/// `GET /v3/stacks`.
///
/// # Errors
/// 400 for parameters that are not right.
pub async fn list(request: ListRequest) -> Result<Response> {
    let query = request.parse(&LIST)?;
    let one_of = |filter: &str, value: &str| query.values(filter).is_none_or(|values| values.iter().any(|wanted| wanted == value));
    let guid = StackGuid::from_u128(GUID).to_string();
    let wanted = query.listing.guids.as_ref().is_none_or(|guids| guids.contains(&guid))
        && query.listing.labels.is_empty()
        && one_of("names", DEFAULT_STACK)
        && one_of("default", "true");
    Ok(answer::ok(query.slice(if wanted { vec![view(&query.base)] } else { Vec::new() })))
}

/// `GET /v3/stacks/:guid`.
///
/// # Errors
/// 404.
pub async fn show(base: Base, Path(guid): Path<StackGuid>) -> Result<Response> {
    if guid == StackGuid::from_u128(GUID) { Ok(answer::ok(view(&base))) } else { Err(ApiError::not_found("Stack").into()) }
}
