//! Reading organizations.

use super::view;
use crate::{
    Access, Controller, OrgRight, Result, answer,
    list::{ListRequest, ListSpec},
    request::ToOne,
};
use serde_json::json;
use virga_contract::ApiError;
use virga_model::OrgGuid;
use virga_serve::{
    Base, Json, Path,
    axum::{extract::State, response::Response},
};
use virga_store::{domains, organizations, processes, routes};

const LIST: ListSpec = ListSpec::new(&["names"]).order_by(&["name"]);

/// `GET /v3/organizations`.
///
/// # Errors
/// 400 for parameters that are not right.
pub async fn list(State(controller): State<Controller>, access: Access, request: ListRequest) -> Result<Response> {
    let query = request.parse(&LIST)?;
    let mut db = controller.store.read().await?;
    let page = organizations::list(&mut db, query.values("names").as_deref(), access.visible(), &query.listing).await?;
    Ok(answer::ok(query.render(&page, |organization| view(&query.base, organization))))
}

/// `GET /v3/organizations/:guid`.
///
/// # Errors
/// 404.
pub async fn show(State(controller): State<Controller>, access: Access, base: Base, Path(guid): Path<OrgGuid>) -> Result<Response> {
    let mut db = controller.store.read().await?;
    access.in_organization(&mut db, OrgRight::See, guid, "Organization").await?;
    let organization = organizations::find(&mut db, guid).await?.ok_or_else(|| ApiError::not_found("Organization"))?;
    Ok(answer::ok(view(&base, &organization)))
}

/// `GET /v3/organizations/:guid/domains/default`.
///
/// # Errors
/// 404.
pub async fn default_domain(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<OrgGuid>,
) -> Result<Response> {
    let mut db = controller.store.read().await?;
    access.in_organization(&mut db, OrgRight::See, guid, "Organization").await?;
    let domain = domains::default_of(&mut db, guid).await?.ok_or_else(|| ApiError::not_found("Domain"))?;
    Ok(answer::ok(crate::domains::view(&base, &domain)))
}

/// `GET /v3/organizations/:guid/relationships/default_isolation_segment`: this platform has none.
///
/// # Errors
/// 404.
pub async fn default_isolation_segment(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<OrgGuid>,
) -> Result<Response> {
    let mut db = controller.store.read().await?;
    access.in_organization(&mut db, OrgRight::See, guid, "Organization").await?;
    Ok(answer::ok(no_segment(&base, format_args!("/v3/organizations/{guid}/relationships/default_isolation_segment"))))
}

/// `PATCH /v3/organizations/:guid/relationships/default_isolation_segment`: only `null` can be set.
///
/// # Errors
/// 404, 403, 422 for any segment.
pub async fn set_default_isolation_segment(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<OrgGuid>,
    Json(segment): Json<ToOne>,
) -> Result<Response> {
    let mut db = controller.store.read().await?;
    access.in_organization(&mut db, OrgRight::Write, guid, "Organization").await?;
    refuse_segment(&segment)?;
    Ok(answer::ok(no_segment(&base, format_args!("/v3/organizations/{guid}/relationships/default_isolation_segment"))))
}

pub(crate) fn no_segment(base: &Base, path: impl std::fmt::Display) -> serde_json::Value {
    json!({ "data": null, "links": { "self": answer::link(base, path) } })
}

pub(crate) fn refuse_segment(segment: &ToOne) -> Result<()> {
    match &segment.data {
        None => Ok(()),
        Some(segment) => Err(ApiError::unprocessable(format!(
            "Unable to assign isolation segment with guid '{}'. Ensure it has been entitled to the organization.",
            segment.guid
        ))
        .into()),
    }
}

/// `GET /v3/organizations/:guid/usage_summary`.
///
/// # Errors
/// 404.
pub async fn usage_summary(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<OrgGuid>,
) -> Result<Response> {
    let mut db = controller.store.read().await?;
    access.in_organization(&mut db, OrgRight::See, guid, "Organization").await?;
    let reserved = processes::reserved_in_organization(&mut db, guid).await?;
    let usage = json!({
        "started_instances": reserved.instances,
        "memory_in_mb": reserved.memory_in_mb,
        "routes": routes::count_in_organization(&mut db, guid).await?,
        "service_instances": 0,
        "reserved_ports": 0,
        "domains": domains::private_of(&mut db, guid).await?.len(),
        "per_app_tasks": 0,
        "service_keys": 0,
    });
    let links = json!({
        "self": answer::link(&base, format_args!("/v3/organizations/{guid}/usage_summary")),
        "organization": answer::link(&base, format_args!("/v3/organizations/{guid}")),
    });
    Ok(answer::ok(json!({ "usage_summary": usage, "links": links })))
}
