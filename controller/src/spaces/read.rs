//! Reading spaces.

use super::view;
use crate::{
    Access, Controller, Result, SpaceRight, answer,
    list::{ListRequest, ListSpec, include},
    organizations, security_groups,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use virga_contract::ApiError;
use virga_model::{OrgGuid, SpaceGuid};
use virga_serve::{
    Base, Path, Query,
    axum::{extract::State, response::Response},
};
use virga_store::{
    Connection,
    organizations::OrganizationFilter,
    roles::RoleScope,
    security_groups::{Phase, SecurityGroupFilter},
    select::{Listing, Visible},
    spaces,
};

const LIST: ListSpec = ListSpec::new(&["names", "organization_guids"]).order_by(&["name"]).includes(&["org", "organization"]);

/// `GET /v3/spaces`.
///
/// # Errors
/// 400 for parameters that are not right.
pub async fn list(State(controller): State<Controller>, access: Access, request: ListRequest) -> Result<Response> {
    let query = request.parse(&LIST)?;
    let mut db = controller.store.read().await?;
    let (names, organizations) = (query.values("names"), query.values("organization_guids"));
    let page = spaces::list(&mut db, names.as_deref(), organizations.as_deref(), access.visible(), &query.listing).await?;
    let mut body = query.render(&page, |space| view(&query.base, space));
    if query.includes("org") || query.includes("organization") {
        include(
            &mut body,
            "organizations",
            organizations_of(&mut db, &query.base, page.rows.iter().map(|space| space.organization)).await?,
        );
    }
    Ok(answer::ok(body))
}

/// Views of these organizations, each once.
pub(crate) async fn organizations_of(db: &mut Connection, base: &Base, guids: impl Iterator<Item = OrgGuid>) -> Result<Vec<Value>> {
    let guids: BTreeSet<OrgGuid> = guids.collect();
    let listing = Listing { guids: Some(guids.iter().map(ToString::to_string).collect()), ..Listing::everything() };
    let page = virga_store::organizations::list(db, &OrganizationFilter::default(), Visible::All, &listing).await?;
    Ok(page.rows.iter().map(|organization| organizations::view(base, organization)).collect())
}

/// Parameters of `GET /v3/spaces/:guid`.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShowQuery {
    include: Option<String>,
}

/// `GET /v3/spaces/:guid`.
///
/// # Errors
/// 404.
pub async fn show(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<SpaceGuid>,
    Query(query): Query<ShowQuery>,
) -> Result<Response> {
    let mut db = controller.store.read().await?;
    access.in_space(&mut db, SpaceRight::See, guid, "Space").await?;
    let space = spaces::find(&mut db, guid).await?.ok_or_else(|| ApiError::not_found("Space"))?;
    let mut body = view(&base, &space);
    if matches!(query.include.as_deref(), Some("org" | "organization")) {
        include(&mut body, "organizations", organizations_of(&mut db, &base, std::iter::once(space.organization)).await?);
    }
    Ok(answer::ok(body))
}

/// `GET /v3/spaces/:guid/users`: everybody with a role in the space itself.
///
/// # Errors
/// 404.
pub async fn users(
    State(controller): State<Controller>,
    access: Access,
    Path(guid): Path<SpaceGuid>,
    request: ListRequest,
) -> Result<Response> {
    let query = request.parse(&crate::users::LIST)?;
    let mut db = controller.store.read().await?;
    access.in_space(&mut db, SpaceRight::See, guid, "Space").await?;
    crate::users::members(&mut db, RoleScope::Space(guid), &query).await
}

const GROUPS: ListSpec = ListSpec::new(&["names"]).without_labels();

/// `GET /v3/spaces/:guid/running_security_groups`: those bound to the space and those of all running apps.
///
/// # Errors
/// 404.
pub async fn running_security_groups(
    State(controller): State<Controller>,
    access: Access,
    Path(guid): Path<SpaceGuid>,
    request: ListRequest,
) -> Result<Response> {
    groups(&controller, &access, guid, request, Phase::Running).await
}

/// `GET /v3/spaces/:guid/staging_security_groups`: those bound to the space and those of all stagings.
///
/// # Errors
/// 404.
pub async fn staging_security_groups(
    State(controller): State<Controller>,
    access: Access,
    Path(guid): Path<SpaceGuid>,
    request: ListRequest,
) -> Result<Response> {
    groups(&controller, &access, guid, request, Phase::Staging).await
}

async fn groups(controller: &Controller, access: &Access, guid: SpaceGuid, request: ListRequest, phase: Phase) -> Result<Response> {
    let query = request.parse(&GROUPS)?;
    let mut db = controller.store.read().await?;
    access.in_space(&mut db, SpaceRight::See, guid, "Space").await?;
    let filter = SecurityGroupFilter { names: query.values("names"), holds_in: Some((phase, guid)), ..SecurityGroupFilter::default() };
    let page = virga_store::security_groups::list(&mut db, &filter, Visible::All, &query.listing).await?;
    let views = security_groups::views(&mut db, access, &query.base, &page.rows).await?;
    Ok(answer::ok(query.paginated(page.total, views)))
}

/// `{"name": "ssh", …}`.
pub(super) fn ssh_feature(enabled: bool) -> Value {
    json!({ "name": "ssh", "description": "Enable SSHing into apps in the space.", "enabled": enabled })
}
