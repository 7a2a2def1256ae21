//! `usage_summary`: what counts against the quotas of an organization, of a space, and on the whole platform.

use crate::{Access, Controller, OrgRight, Result, SpaceRight, answer};
use serde_json::{Value, json};
use virga_contract::ApiError;
use virga_model::{OrgGuid, SpaceGuid};
use virga_serve::{
    Base, Path,
    axum::{extract::State, response::Response},
};
use virga_store::{
    Connection,
    quotas::{self, QuotaScope},
    spaces,
};

async fn summary(db: &mut Connection, scope: QuotaScope, organization: Option<OrgGuid>) -> Result<Value> {
    let processes = quotas::processes(db, scope).await?;
    let tasks = quotas::tasks(db, scope).await?;
    let routes = quotas::routes(db, scope).await?;
    Ok(json!({
        "started_instances": processes.count,
        "memory_in_mb": processes.memory_in_mb.saturating_add(tasks.memory_in_mb),
        "routes": routes.routes,
        "service_instances": quotas::service_instances(db, scope).await?,
        "reserved_ports": routes.reserved_ports,
        "domains": quotas::private_domains(db, organization).await?,
        "per_app_tasks": tasks.count,
        "service_keys": quotas::service_keys(db, scope).await?,
    }))
}

/// `GET /v3/organizations/:guid/usage_summary`.
///
/// # Errors
/// 404.
pub async fn of_organization(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<OrgGuid>,
) -> Result<Response> {
    let mut db = controller.store.read().await?;
    access.in_organization(&mut db, OrgRight::See, guid, "Organization").await?;
    let usage = summary(&mut db, QuotaScope::Organization(guid), Some(guid)).await?;
    let links = json!({
        "self": answer::link(&base, format_args!("/v3/organizations/{guid}/usage_summary")),
        "organization": answer::link(&base, format_args!("/v3/organizations/{guid}")),
    });
    Ok(answer::ok(json!({ "usage_summary": usage, "links": links })))
}

/// `GET /v3/spaces/:guid/usage_summary`.
///
/// # Errors
/// 404.
pub async fn of_space(State(controller): State<Controller>, access: Access, base: Base, Path(guid): Path<SpaceGuid>) -> Result<Response> {
    let mut db = controller.store.read().await?;
    access.in_space(&mut db, SpaceRight::See, guid, "Space").await?;
    let space = spaces::find(&mut db, guid).await?.ok_or_else(|| ApiError::not_found("Space"))?;
    let usage = summary(&mut db, QuotaScope::Space(guid), Some(space.organization)).await?;
    let links = json!({
        "self": answer::link(&base, format_args!("/v3/spaces/{guid}/usage_summary")),
        "space": answer::link(&base, format_args!("/v3/spaces/{guid}")),
    });
    Ok(answer::ok(json!({ "usage_summary": usage, "links": links })))
}

/// `GET /v3/info/usage_summary`.
///
/// # Errors
/// 403 for who may not read everything.
pub async fn of_platform(State(controller): State<Controller>, access: Access, base: Base) -> Result<Response> {
    if !access.reads_all() {
        return Err(ApiError::not_authorized().into());
    }
    let usage = summary(&mut *controller.store.read().await?, QuotaScope::Everything, None).await?;
    let links = json!({ "self": answer::link(&base, "/v3/info/usage_summary") });
    Ok(answer::ok(json!({ "usage_summary": usage, "links": links })))
}
