//! Making, changing, applying and deleting quotas. Administrators only, which the route table sees to.

use super::read::one;
use crate::{
    Access, Controller, Error, Result, answer, jobs,
    request::{ToMany, check_name},
};
use serde::{Deserialize, Deserializer};
use serde_json::json;
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
};

/// A limit in a request: not named (stays), `null` (unlimited), or a number.
type Limit = Option<Option<i64>>;

fn named<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Limit, D::Error> {
    Option::<i64>::deserialize(deserializer).map(Some)
}

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
struct AppLimits {
    #[serde(deserialize_with = "named")]
    total_memory_in_mb: Limit,
    #[serde(deserialize_with = "named")]
    per_process_memory_in_mb: Limit,
    #[serde(deserialize_with = "named")]
    total_instances: Limit,
    #[serde(deserialize_with = "named")]
    per_app_tasks: Limit,
    #[serde(deserialize_with = "named")]
    log_rate_limit_in_bytes_per_second: Limit,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ServiceLimits {
    paid_services_allowed: Option<bool>,
    #[serde(deserialize_with = "named")]
    total_service_instances: Limit,
    #[serde(deserialize_with = "named")]
    total_service_keys: Limit,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RouteLimits {
    #[serde(deserialize_with = "named")]
    total_routes: Limit,
    #[serde(deserialize_with = "named")]
    total_reserved_ports: Limit,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct DomainLimits {
    #[serde(deserialize_with = "named")]
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
            check_name(name)?;
            quota.name.clone_from(name);
        }
        let limits = [
            ("Total memory", self.apps.total_memory_in_mb, &mut quota.total_memory_in_mb),
            ("Per process memory", self.apps.per_process_memory_in_mb, &mut quota.per_process_memory_in_mb),
            ("Total instances", self.apps.total_instances, &mut quota.total_instances),
            ("Per app tasks", self.apps.per_app_tasks, &mut quota.per_app_tasks),
            ("Log rate limit", self.apps.log_rate_limit_in_bytes_per_second, &mut quota.log_rate_limit_in_bytes_per_second),
            ("Total service instances", self.services.total_service_instances, &mut quota.total_service_instances),
            ("Total service keys", self.services.total_service_keys, &mut quota.total_service_keys),
            ("Total routes", self.routes.total_routes, &mut quota.total_routes),
            ("Total reserved ports", self.routes.total_reserved_ports, &mut quota.total_reserved_ports),
            ("Total domains", self.domains.total_domains, &mut quota.total_domains),
        ];
        let mut wrong = Vec::new();
        for (what, wanted, current) in limits {
            match wanted {
                Some(Some(number)) if number < 0 => wrong.push(format!("{what} must be greater than or equal to 0")),
                Some(wanted) => *current = wanted,
                None => {}
            }
        }
        quota.paid_services_allowed = self.services.paid_services_allowed.unwrap_or(quota.paid_services_allowed);
        if wrong.is_empty() { Ok(()) } else { Err(ApiError::unprocessable_all(wrong).into()) }
    }
}

/// A quota without limits.
pub(crate) fn unlimited(controller: &Controller, name: &str) -> OrganizationQuotaRow {
    let now = controller.now();
    OrganizationQuotaRow {
        guid: QuotaGuid::random(),
        created_at: now,
        updated_at: now,
        name: name.to_owned(),
        total_memory_in_mb: None,
        per_process_memory_in_mb: None,
        total_instances: None,
        per_app_tasks: None,
        log_rate_limit_in_bytes_per_second: None,
        paid_services_allowed: true,
        total_service_instances: None,
        total_service_keys: None,
        total_routes: None,
        total_reserved_ports: None,
        total_domains: None,
    }
}

/// `POST /v3/organization_quotas`.
///
/// # Errors
/// 403, 422 `Organization Quota 'x' already exists.`.
pub async fn create(State(controller): State<Controller>, access: Access, base: Base, Json(body): Json<QuotaBody>) -> Result<Response> {
    check_name(body.name.as_deref().unwrap_or_default())?;
    let mut quota = unlimited(&controller, "");
    body.apply(&mut quota)?;
    let mut tx = controller.store.begin().await?;
    organization_quotas::insert(&mut tx, &quota).await.map_err(|error| taken(error, &quota.name))?;
    if let Some(organizations) = &body.relationships.organizations {
        apply_to(&controller, &mut tx, quota.guid, organizations).await?;
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
    let mut tx = controller.store.begin().await?;
    let mut quota = find(&mut tx, guid).await?;
    body.apply(&mut quota)?;
    organization_quotas::update(&mut tx, &mut quota, controller.now()).await.map_err(|error| taken(error, &quota.name))?;
    let view = one(&mut tx, &access, &base, guid).await?;
    tx.commit().await?;
    Ok(answer::ok(view))
}

/// `DELETE /v3/organization_quotas/:guid`.
///
/// # Errors
/// 404, 403, 422 while an organization has it.
pub async fn delete(State(controller): State<Controller>, base: Base, Path(guid): Path<QuotaGuid>) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    find(&mut tx, guid).await?;
    if !organization_quotas::organizations(&mut tx, guid, virga_store::select::Visible::All).await?.is_empty() {
        return Err(ApiError::unprocessable(
            "This quota is applied to one or more organizations. Apply different quotas to those organizations before deleting.",
        )
        .into());
    }
    organization_quotas::delete(&mut tx, guid).await?;
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
    base: Base,
    Path(guid): Path<QuotaGuid>,
    Json(body): Json<ToMany>,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    find(&mut tx, guid).await?;
    apply_to(&controller, &mut tx, guid, &body).await?;
    let organizations = organization_quotas::organizations(&mut tx, guid, virga_store::select::Visible::All).await?;
    tx.commit().await?;
    let mut view = answer::to_many(organizations);
    if let Some(members) = view.as_object_mut() {
        let path = format!("/v3/organization_quotas/{guid}/relationships/organizations");
        members.insert("links".to_owned(), json!({ "self": answer::link(&base, path) }));
    }
    Ok(answer::ok(view))
}

async fn apply_to(controller: &Controller, db: &mut Connection, quota: QuotaGuid, wanted: &ToMany) -> Result<()> {
    for wanted in &wanted.data {
        let unknown = || ApiError::unprocessable(format!("Organizations with guids [\"{}\"] do not exist", wanted.guid));
        let guid: OrgGuid = wanted.parsed().ok_or_else(unknown)?;
        let mut organization = organizations::find(db, guid).await?.ok_or_else(unknown)?;
        organization.quota = quota;
        organizations::update(db, &mut organization, controller.now()).await?;
    }
    Ok(())
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
