//! Making, changing, applying and deleting quotas. Administrators only, which the route table sees to.

use super::read::one;
use crate::{
    Access, Controller, Error, Result, answer,
    audit_events::{self, Event},
    jobs,
    quotas::{self, AppLimits, Limit, RouteLimits, ServiceLimits},
    request::{ToMany, check_name},
};
use serde::Deserialize;
use serde_json::{Value, json};
use virga_contract::ApiError;
use virga_model::{OrgGuid, QuotaGuid};
use virga_serve::{
    Base, Json, Path,
    axum::{extract::State, response::Response},
};
use virga_store::{
    Connection, StoreError,
    organization_quotas::{self, OrganizationQuotaRow},
    organizations,
    quotas::QuotaKind,
    select::Visible,
};

/// Body of `POST` and `PATCH`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuotaBody {
    name: Option<String>,
    #[serde(default)]
    apps: AppLimits,
    #[serde(default)]
    services: ServiceLimits,
    #[serde(default)]
    routes: RouteLimits,
    #[serde(default)]
    domains: DomainLimits,
    #[serde(default)]
    relationships: QuotaRelationships,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct DomainLimits {
    #[serde(deserialize_with = "quotas::named")]
    total_domains: Limit,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct QuotaRelationships {
    organizations: Option<ToMany>,
}

impl QuotaBody {
    fn apply(&self, quota: &mut OrganizationQuotaRow) -> Result<()> {
        if let Some(name) = &self.name {
            quotas::check_name(name)?;
            quota.name.clone_from(name);
        }
        let mut wrong = quotas::put_limits(&mut quota.limits, &self.apps, &self.services, &self.routes);
        wrong.extend(quotas::set("Domains", "total domains", self.domains.total_domains, &mut quota.total_domains, i64::from(i32::MAX)));
        if wrong.is_empty() { Ok(()) } else { Err(ApiError::unprocessable_all(wrong).into()) }
    }
}

/// `POST /v3/organization_quotas`.
///
/// # Errors
/// 403, 422 `Organization Quota 'x' already exists.`.
pub async fn create(State(controller): State<Controller>, access: Access, base: Base, Json(body): Json<QuotaBody>) -> Result<Response> {
    check_name(body.name.as_deref().unwrap_or_default())?;
    let mut quota = OrganizationQuotaRow::unlimited("", controller.now());
    body.apply(&mut quota)?;
    let mut tx = controller.store.begin().await?;
    organization_quotas::insert(&mut tx, &quota).await.map_err(|error| taken(error, &quota.name))?;
    let data = json!({ "request": { "name": quota.name } });
    record(&controller, &mut tx, &access, "audit.organization_quota.create", &quota, None, data).await?;
    if let Some(organizations) = &body.relationships.organizations {
        apply_to(&controller, &mut tx, &access, &quota, organizations).await?;
    }
    let view = one(&mut tx, &access, &base, quota.guid).await?;
    tx.commit().await?;
    Ok(answer::created(view))
}

/// `PATCH /v3/organization_quotas/:guid`.
///
/// # Errors
/// 404, 403, 422.
pub async fn update(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<QuotaGuid>,
    Json(body): Json<QuotaBody>,
) -> Result<Response> {
    if body.relationships.organizations.is_some() {
        return Err(ApiError::unprocessable("Unknown field(s): 'relationships'").into());
    }
    let mut tx = controller.store.begin().await?;
    let mut quota = find(&mut tx, guid).await?;
    body.apply(&mut quota)?;
    quotas::unlimited_logs(&mut tx, QuotaKind::Organization, guid, &quota.limits).await?;
    organization_quotas::update(&mut tx, &mut quota, controller.now()).await.map_err(|error| taken(error, &quota.name))?;
    let data = json!({ "request": { "name": quota.name } });
    record(&controller, &mut tx, &access, "audit.organization_quota.update", &quota, None, data).await?;
    let view = one(&mut tx, &access, &base, guid).await?;
    tx.commit().await?;
    Ok(answer::ok(view))
}

/// `DELETE /v3/organization_quotas/:guid`.
///
/// # Errors
/// 404, 403, 422 while an organization has it.
pub async fn delete(State(controller): State<Controller>, access: Access, base: Base, Path(guid): Path<QuotaGuid>) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let quota = find(&mut tx, guid).await?;
    if !organization_quotas::organizations(&mut tx, &[guid], Visible::All).await?.is_empty() {
        return Err(ApiError::unprocessable(
            "This quota is applied to one or more organizations. Apply different quotas to those organizations before deleting.",
        )
        .into());
    }
    organization_quotas::delete(&mut tx, guid).await?;
    record(&controller, &mut tx, &access, "audit.organization_quota.delete", &quota, None, json!({})).await?;
    let job = jobs::done(&mut tx, controller.now(), "organization_quota.delete", guid).await?;
    tx.commit().await?;
    Ok(answer::job(&base, job))
}

/// `POST /v3/organization_quotas/:guid/relationships/organizations`.
///
/// # Errors
/// 404, 403, 422 for organizations that are not there.
pub async fn apply(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<QuotaGuid>,
    Json(body): Json<ToMany>,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let quota = find(&mut tx, guid).await?;
    apply_to(&controller, &mut tx, &access, &quota, &body).await?;
    let mut organizations = organization_quotas::organizations(&mut tx, &[guid], Visible::All).await?;
    tx.commit().await?;
    let path = format!("/v3/organization_quotas/{guid}/relationships/organizations");
    Ok(answer::ok(answer::to_many_at(&base, path, organizations.remove(&guid).unwrap_or_default())))
}

async fn apply_to(
    controller: &Controller,
    db: &mut Connection,
    access: &Access,
    quota: &OrganizationQuotaRow,
    wanted: &ToMany,
) -> Result<()> {
    let mut unknown = Vec::new();
    for wanted in &wanted.data {
        let found = match wanted.parsed::<OrgGuid>() {
            Some(guid) => organizations::find(db, guid).await?,
            None => None,
        };
        let Some(mut organization) = found else {
            unknown.push(wanted.guid.clone());
            continue;
        };
        organization.quota = quota.guid;
        organizations::update(db, &mut organization, controller.now()).await?;
        let data = json!({ "organization_guid": organization.guid, "organization_name": organization.name });
        record(controller, db, access, "audit.organization_quota.apply", quota, Some(organization.guid), data).await?;
    }
    if !unknown.is_empty() {
        return Err(ApiError::unprocessable(format!("Organizations with guids {unknown:?} do not exist")).into());
    }
    quotas::unlimited_logs(db, QuotaKind::Organization, quota.guid, &quota.limits).await
}

async fn find(db: &mut Connection, guid: QuotaGuid) -> Result<OrganizationQuotaRow> {
    Ok(organization_quotas::find(db, guid).await?.ok_or_else(|| ApiError::not_found("Organization quota"))?)
}

fn taken(error: StoreError, name: &str) -> Error {
    if error.is_unique("organization_quotas_name") {
        return ApiError::unprocessable(format!("Organization Quota '{name}' already exists.")).into();
    }
    error.into()
}

async fn record(
    controller: &Controller,
    db: &mut Connection,
    access: &Access,
    kind: &str,
    quota: &OrganizationQuotaRow,
    organization: Option<OrgGuid>,
    data: Value,
) -> Result<()> {
    let (target, target_name) = (quota.guid.to_string(), quota.name.as_str());
    let event = Event { kind, target_kind: "organization_quota", target, target_name, data, space: None, organization };
    audit_events::record(controller, db, access, event).await
}
