//! Making, changing and deleting quotas.

use super::read::{one, writable};
use crate::{
    Access, Controller, Error, OrgRight, Result, answer,
    audit_events::{self, Event},
    jobs,
    quotas::{self, AppLimits, RouteLimits, ServiceLimits},
    request::{ToMany, ToOne},
};
use serde::Deserialize;
use serde_json::{Value, json};
use virga_contract::{ApiError, ErrorCode};
use virga_model::{OrgGuid, QuotaGuid, SpaceGuid};
use virga_serve::{
    Base, Json, Path,
    axum::{extract::State, response::Response},
};
use virga_store::{
    Connection, StoreError,
    quotas::{QuotaKind, QuotaLimits},
    select::Visible,
    space_quotas::{self, SpaceQuotaRow},
};

/// Body of `POST /v3/space_quotas`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateSpaceQuota {
    name: String,
    #[serde(default)]
    apps: AppLimits,
    #[serde(default)]
    services: ServiceLimits,
    #[serde(default)]
    routes: RouteLimits,
    relationships: SpaceQuotaRelationships,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SpaceQuotaRelationships {
    organization: ToOne,
    spaces: Option<ToMany>,
}

/// `POST /v3/space_quotas`.
///
/// # Errors
/// 422 for an organization or space that is not there, `Space Quota 'x' already exists.`; 403 for who does not manage the
/// organization.
pub async fn create(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Json(body): Json<CreateSpaceQuota>,
) -> Result<Response> {
    quotas::check_name(&body.name)?;
    let mut limits = QuotaLimits::default();
    let wrong = quotas::put_limits(&mut limits, &body.apps, &body.services, &body.routes);
    if !wrong.is_empty() {
        return Err(ApiError::unprocessable_all(wrong).into());
    }
    let mut tx = controller.store.begin().await?;
    let organization = organization(&mut tx, &access, &body.relationships.organization).await?;
    let now = controller.now();
    let quota = SpaceQuotaRow { guid: QuotaGuid::random(), created_at: now, updated_at: now, name: body.name, organization, limits };
    space_quotas::insert(&mut tx, &quota).await.map_err(|error| taken(error, &quota.name))?;
    let data = json!({ "request": { "name": quota.name } });
    record(&controller, &mut tx, &access, "audit.space_quota.create", &quota, None, data).await?;
    if let Some(spaces) = &body.relationships.spaces {
        super::spaces::apply_to(&controller, &mut tx, &access, &quota, spaces).await?;
    }
    let view = one(&mut tx, &access, &base, &quota).await?;
    tx.commit().await?;
    Ok(answer::created(view))
}

async fn organization(db: &mut Connection, access: &Access, named: &ToOne) -> Result<OrgGuid> {
    let written = named.data.as_ref().map(|organization| organization.guid.clone()).unwrap_or_default();
    let unknown =
        || ApiError::unprocessable(format!("Organization with guid '{written}' does not exist, or you do not have access to it."));
    let guid: OrgGuid = named.parsed().ok_or_else(unknown)?;
    match access.in_organization(db, OrgRight::Write, guid, "Organization").await {
        Err(error) if error.api().status() == ErrorCode::ResourceNotFound.status() => Err(unknown().into()),
        Err(error) => Err(error),
        Ok(_) => Ok(guid),
    }
}

/// Body of `PATCH /v3/space_quotas/:guid`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpdateSpaceQuota {
    name: Option<String>,
    #[serde(default)]
    apps: AppLimits,
    #[serde(default)]
    services: ServiceLimits,
    #[serde(default)]
    routes: RouteLimits,
}

/// `PATCH /v3/space_quotas/:guid`.
///
/// # Errors
/// 404, 403, 422.
pub async fn update(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<QuotaGuid>,
    Json(body): Json<UpdateSpaceQuota>,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let mut quota = writable(&mut tx, &access, guid).await?;
    if let Some(name) = body.name {
        quotas::check_name(&name)?;
        quota.name = name;
    }
    let wrong = quotas::put_limits(&mut quota.limits, &body.apps, &body.services, &body.routes);
    if !wrong.is_empty() {
        return Err(ApiError::unprocessable_all(wrong).into());
    }
    quotas::unlimited_logs(&mut tx, QuotaKind::Space, guid, &quota.limits).await?;
    space_quotas::update(&mut tx, &mut quota, controller.now()).await.map_err(|error| taken(error, &quota.name))?;
    let data = json!({ "request": { "name": quota.name } });
    record(&controller, &mut tx, &access, "audit.space_quota.update", &quota, None, data).await?;
    let view = one(&mut tx, &access, &base, &quota).await?;
    tx.commit().await?;
    Ok(answer::ok(view))
}

/// `DELETE /v3/space_quotas/:guid`.
///
/// # Errors
/// 404, 403, 422 while a space has it.
pub async fn delete(State(controller): State<Controller>, access: Access, base: Base, Path(guid): Path<QuotaGuid>) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let quota = writable(&mut tx, &access, guid).await?;
    if !space_quotas::spaces(&mut tx, &[guid], Visible::All).await?.is_empty() {
        let detail = "This quota is applied to one or more spaces. Remove this quota from all spaces before deleting.";
        return Err(ApiError::unprocessable(detail).into());
    }
    space_quotas::delete(&mut tx, guid).await?;
    record(&controller, &mut tx, &access, "audit.space_quota.delete", &quota, None, json!({})).await?;
    let job = jobs::done(&mut tx, controller.now(), "space_quota.delete", guid).await?;
    tx.commit().await?;
    Ok(answer::job(&base, job))
}

fn taken(error: StoreError, name: &str) -> Error {
    if error.is_unique("space_quotas_organization_guid_name") {
        return ApiError::unprocessable(format!("Space Quota '{name}' already exists.")).into();
    }
    error.into()
}

pub(super) async fn record(
    controller: &Controller,
    db: &mut Connection,
    access: &Access,
    kind: &str,
    quota: &SpaceQuotaRow,
    space: Option<SpaceGuid>,
    data: Value,
) -> Result<()> {
    let (target, target_name, organization) = (quota.guid.to_string(), quota.name.as_str(), Some(quota.organization));
    let event = Event { kind, target_kind: "space_quota", target, target_name, data, space, organization };
    audit_events::record(controller, db, access, event).await
}
