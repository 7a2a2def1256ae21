//! Creating and updating organizations.

use super::view;
use crate::{
    Access, Controller, Error, OrgRight, Result, answer,
    audit_events::{self, Event},
    metadata::MetadataPatch,
    request::{check_name, is_enabled},
    roles,
};
use serde::Deserialize;
use serde_json::{Value, json};
use virga_contract::ApiError;
use virga_model::{OrgGuid, state::RoleType};
use virga_serve::{
    Base, Json, Path,
    axum::{extract::State, response::Response},
};
use virga_store::{
    Connection, StoreError, organization_quotas,
    organizations::{self, OrganizationRow},
    roles::RoleScope,
};

/// Name of the quota that organizations get when none is asked for.
pub const DEFAULT_QUOTA: &str = "default";

/// Body of `POST /v3/organizations`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateOrganization {
    name: String,
    #[serde(default)]
    suspended: bool,
    metadata: Option<MetadataPatch>,
}

/// `POST /v3/organizations`.
///
/// # Errors
/// 403 without admin (or flag `user_org_creation`), 422 `Organization 'x' already exists.`.
pub async fn create(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Json(body): Json<CreateOrganization>,
) -> Result<Response> {
    check_name(&body.name)?;
    let metadata = MetadataPatch::create(body.metadata)?;
    let now = controller.now();
    let mut tx = controller.store.begin().await?;
    if !access.is_admin() && (body.suspended || !is_enabled(&mut tx, "user_org_creation").await?) {
        return Err(ApiError::not_authorized().into());
    }
    let quota =
        organization_quotas::find_by_name(&mut tx, DEFAULT_QUOTA).await?.ok_or_else(|| ApiError::internal("there is no default quota"))?;
    let organization = OrganizationRow { suspended: body.suspended, metadata, ..OrganizationRow::new(&body.name, quota.guid, now) };
    organizations::insert(&mut tx, &organization).await.map_err(|error| taken(error, &organization.name))?;
    if !access.is_admin() {
        for kind in [RoleType::OrganizationUser, RoleType::OrganizationManager] {
            roles::give_to_caller(&controller, &mut tx, &access, kind, RoleScope::Organization(organization.guid)).await?;
        }
    }
    record(&controller, &mut tx, &access, "audit.organization.create", &organization, json!({ "request": { "name": organization.name } }))
        .await?;
    tx.commit().await?;
    Ok(answer::created(view(&base, &organization)))
}

/// Body of `PATCH /v3/organizations/:guid`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpdateOrganization {
    name: Option<String>,
    suspended: Option<bool>,
    metadata: Option<MetadataPatch>,
}

/// `PATCH /v3/organizations/:guid`. Only administrators suspend.
///
/// # Errors
/// 404, 403, 422 `Organization 'x' already exists.`.
pub async fn update(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<OrgGuid>,
    Json(body): Json<UpdateOrganization>,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    access.in_organization(&mut tx, OrgRight::Write, guid, "Organization").await?;
    if body.suspended == Some(true) {
        access.admin()?;
    }
    let mut organization = organizations::find(&mut tx, guid).await?.ok_or_else(|| ApiError::not_found("Organization"))?;
    if let Some(name) = body.name {
        check_name(&name)?;
        organization.name = name;
    }
    organization.suspended = body.suspended.unwrap_or(organization.suspended);
    if let Some(patch) = body.metadata {
        patch.apply(&mut organization.metadata)?;
    }
    let name = organization.name.clone();
    organizations::update(&mut tx, &mut organization, controller.now()).await.map_err(|error| taken(error, &name))?;
    record(&controller, &mut tx, &access, "audit.organization.update", &organization, json!({ "request": { "name": name } })).await?;
    tx.commit().await?;
    Ok(answer::ok(view(&base, &organization)))
}

fn taken(error: StoreError, name: &str) -> Error {
    if error.is_unique("organizations_name") {
        return ApiError::unprocessable(format!("Organization '{name}' already exists.")).into();
    }
    error.into()
}

pub(super) async fn record(
    controller: &Controller,
    db: &mut Connection,
    access: &Access,
    kind: &str,
    organization: &OrganizationRow,
    data: Value,
) -> Result<()> {
    let event = Event {
        kind,
        target_kind: "organization",
        target: organization.guid.to_string(),
        target_name: &organization.name,
        data,
        space: None,
        organization: Some(organization.guid),
    };
    audit_events::record(controller, db, access, event).await
}
