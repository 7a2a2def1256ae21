//! Reading organizations.

use super::view;
use crate::{
    Access, Controller, OrgRight, Result, answer,
    list::{ListRequest, ListSpec},
};
use virga_contract::ApiError;
use virga_model::OrgGuid;
use virga_serve::{
    Base, Path,
    axum::{extract::State, response::Response},
};
use virga_store::{
    domains,
    organizations::{self, OrganizationFilter},
    roles::RoleScope,
};

pub(crate) const LIST: ListSpec = ListSpec::new(&["names"]).order_by(&["name"]);

/// `GET /v3/organizations`.
///
/// # Errors
/// 400 for parameters that are not right.
pub async fn list(State(controller): State<Controller>, access: Access, request: ListRequest) -> Result<Response> {
    let query = request.parse(&LIST)?;
    let mut db = controller.store.read().await?;
    let filter = OrganizationFilter { names: query.values("names"), isolation_segment: None };
    let page = organizations::list(&mut db, &filter, access.visible(), &query.listing).await?;
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
    let shared = crate::domains::shares(&mut db, &access, std::slice::from_ref(&domain)).await?;
    Ok(answer::ok(crate::domains::view(&base, &domain, &shared)))
}

/// `GET /v3/organizations/:guid/users`: everybody with a role in the organization itself.
///
/// # Errors
/// 404.
pub async fn users(
    State(controller): State<Controller>,
    access: Access,
    Path(guid): Path<OrgGuid>,
    request: ListRequest,
) -> Result<Response> {
    let query = request.parse(&crate::users::LIST)?;
    let mut db = controller.store.read().await?;
    access.in_organization(&mut db, OrgRight::See, guid, "Organization").await?;
    crate::users::members(&mut db, RoleScope::Organization(guid), &query).await
}
