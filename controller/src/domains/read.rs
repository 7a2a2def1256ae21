//! Reading domains.

use super::{view, view::shares};
use crate::{
    Access, Controller, OrgRight, Result, answer,
    list::{ListQuery, ListRequest, ListSpec},
};
use virga_contract::ApiError;
use virga_model::{DomainGuid, OrgGuid};
use virga_serve::{
    Base, Path,
    axum::{extract::State, response::Response},
};
use virga_store::{
    Connection,
    domains::{self, DomainFilter, DomainRow},
    select::Listing,
};

const LIST: ListSpec = ListSpec::new(&["names", "organization_guids"]);

/// `GET /v3/domains`.
///
/// # Errors
/// 400 for parameters that are not right.
pub async fn list(State(controller): State<Controller>, access: Access, request: ListRequest) -> Result<Response> {
    let query = request.parse(&LIST)?;
    let mut db = controller.store.read().await?;
    page(&mut db, &access, &query, None).await
}

/// `GET /v3/organizations/:guid/domains`: what the organization may use.
///
/// # Errors
/// 404, 400 for parameters that are not right.
pub async fn list_of_organization(
    State(controller): State<Controller>,
    access: Access,
    Path(guid): Path<OrgGuid>,
    request: ListRequest,
) -> Result<Response> {
    let query = request.parse(&LIST)?;
    let mut db = controller.store.read().await?;
    access.in_organization(&mut db, OrgRight::See, guid, "Organization").await?;
    page(&mut db, &access, &query, Some(guid)).await
}

async fn page(db: &mut Connection, access: &Access, query: &ListQuery, usable_in: Option<OrgGuid>) -> Result<Response> {
    let names = query.values("names").map(|names| names.iter().map(|name| name.to_ascii_lowercase()).collect());
    let filter = DomainFilter { names, organizations: query.values("organization_guids"), usable_in };
    let page = domains::list(db, &filter, access.visible(), &query.listing).await?;
    let shared = shares(db, access, &page.rows).await?;
    Ok(answer::ok(query.render(&page, |domain| view(&query.base, domain, &shared))))
}

/// `GET /v3/domains/:guid`.
///
/// # Errors
/// 404.
pub async fn show(State(controller): State<Controller>, access: Access, base: Base, Path(guid): Path<DomainGuid>) -> Result<Response> {
    let mut db = controller.store.read().await?;
    let domain = visible(&mut db, &access, guid).await?;
    let shared = shares(&mut db, &access, std::slice::from_ref(&domain)).await?;
    Ok(answer::ok(view(&base, &domain, &shared)))
}

/// The domain, where the caller may see it.
pub(super) async fn visible(db: &mut Connection, access: &Access, guid: DomainGuid) -> Result<DomainRow> {
    let listing = Listing { guids: Some(vec![guid.to_string()]), ..Listing::everything() };
    let page = domains::list(db, &DomainFilter::default(), access.visible(), &listing).await?;
    Ok(page.rows.into_iter().next().ok_or_else(|| ApiError::not_found("Domain"))?)
}
