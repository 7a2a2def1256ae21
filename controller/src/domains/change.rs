//! Making and deleting domains.

use super::{read::visible, view};
use crate::{
    Access, Controller, Error, OrgRight, Result, answer, jobs,
    metadata::MetadataPatch,
    request::{ToMany, ToOne, require_feature},
};
use serde::Deserialize;
use virga_contract::ApiError;
use virga_model::{DomainGuid, OrgGuid, route::is_domain_name};
use virga_serve::{
    Base, Json, Path,
    axum::{extract::State, response::Response},
};
use virga_store::{
    StoreError,
    domains::{self, DomainRow},
    routes,
};

/// Body of `POST /v3/domains`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateDomain {
    name: String,
    #[serde(default)]
    internal: bool,
    router_group: Option<serde_json::Value>,
    #[serde(default)]
    relationships: DomainRelationships,
    metadata: Option<MetadataPatch>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct DomainRelationships {
    organization: Option<ToOne>,
    shared_organizations: Option<ToMany>,
}

/// `POST /v3/domains`: with an organization a private domain (its managers may), without a shared one (administrators).
///
/// # Errors
/// 403, 422 for a name that is none, taken, or part of another organization's.
pub async fn create(State(controller): State<Controller>, access: Access, base: Base, Json(body): Json<CreateDomain>) -> Result<Response> {
    let name = body.name.to_ascii_lowercase();
    let mut tx = controller.store.begin().await?;
    let organization = match body.relationships.organization.as_ref().filter(|organization| organization.data.is_some()) {
        None => {
            access.admin()?;
            None
        }
        Some(organization) => {
            let unknown =
                || Error::from(ApiError::unprocessable("Organization with guid could not be found, or you do not have access to it."));
            let guid: OrgGuid = organization.parsed().ok_or_else(unknown)?;
            access.in_organization(&mut tx, OrgRight::See, guid, "Organization").await.map_err(|_| unknown())?;
            access.in_organization(&mut tx, OrgRight::Write, guid, "Organization").await?;
            require_feature(&mut tx, &access, "private_domain_creation").await?;
            Some(guid)
        }
    };
    check(&controller, &name, &body, organization)?;
    if let Some(other) = domains::overlapping(&mut tx, &name, organization).await? {
        return Err(ApiError::unprocessable(format!(
            "The domain name \"{name}\" cannot be created because \"{}\" is already reserved by another domain",
            other.name
        ))
        .into());
    }
    let now = controller.now();
    let metadata = MetadataPatch::create(body.metadata)?;
    let domain = DomainRow {
        guid: DomainGuid::random(),
        created_at: now,
        updated_at: now,
        name,
        internal: body.internal,
        organization,
        router_group: None,
        metadata,
    };
    domains::insert(&mut tx, &domain).await.map_err(|error| taken(error, &domain.name))?;
    tx.commit().await?;
    Ok(answer::created(view(&base, &domain)))
}

fn check(controller: &Controller, name: &str, body: &CreateDomain, organization: Option<OrgGuid>) -> Result<()> {
    let mut wrong = Vec::new();
    if !is_domain_name(name) {
        wrong.push("Name does not comply with RFC 1035 standards".to_owned());
    }
    let system = &controller.config.system_domain;
    // A tenant with a wildcard below it would answer for api.<system domain>.
    if name == system || system.ends_with(&format!(".{name}")) {
        wrong.push(format!("The domain name \"{name}\" is reserved by the system"));
    }
    if body.router_group.as_ref().is_some_and(|group| !group.is_null()) {
        wrong.push("Router group: there are no router groups here".to_owned());
    }
    if body.internal && organization.is_some() {
        wrong.push("Internal domains cannot be associated with an organization.".to_owned());
    }
    if body.relationships.shared_organizations.as_ref().is_some_and(|shared| !shared.data.is_empty()) {
        wrong.push("Shared organizations: domains cannot be shared between organizations here".to_owned());
    }
    if wrong.is_empty() { Ok(()) } else { Err(ApiError::unprocessable_all(wrong).into()) }
}

fn taken(error: StoreError, name: &str) -> Error {
    if error.is_unique("domains_name") {
        return ApiError::unprocessable(format!("The domain name \"{name}\" is already in use")).into();
    }
    error.into()
}

/// Body of `PATCH /v3/domains/:guid`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpdateDomain {
    metadata: Option<MetadataPatch>,
}

/// `PATCH /v3/domains/:guid`.
///
/// # Errors
/// 404, 403.
pub async fn update(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<DomainGuid>,
    Json(body): Json<UpdateDomain>,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let mut domain = writable(&mut tx, &access, guid).await?;
    body.metadata.unwrap_or_default().apply(&mut domain.metadata)?;
    domains::update(&mut tx, &mut domain, controller.now()).await?;
    tx.commit().await?;
    Ok(answer::ok(view(&base, &domain)))
}

async fn writable(db: &mut virga_store::Connection, access: &Access, guid: DomainGuid) -> Result<DomainRow> {
    let domain = visible(db, access, guid).await?;
    match domain.organization {
        None => access.admin()?,
        Some(organization) => drop(access.in_organization(db, OrgRight::Write, organization, "Domain").await?),
    }
    Ok(domain)
}

/// `DELETE /v3/domains/:guid`: with every route below it.
///
/// # Errors
/// 404, 403.
pub async fn delete(State(controller): State<Controller>, access: Access, base: Base, Path(guid): Path<DomainGuid>) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    writable(&mut tx, &access, guid).await?;
    for route in routes::list_of_domain(&mut tx, guid).await? {
        routes::delete(&mut tx, route.guid).await?;
    }
    domains::delete(&mut tx, guid).await?;
    let job = jobs::done(&mut tx, controller.now(), "domain.delete", guid).await?;
    tx.commit().await?;
    controller.scheduler.nudge();
    Ok(answer::job(&base, job))
}
