//! Reading spaces.

use super::view;
use crate::{
    Access, Controller, Result, SpaceRight, answer,
    list::{ListRequest, ListSpec, include},
    organizations,
    request::ToOne,
    security_groups,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use virga_contract::ApiError;
use virga_model::{OrgGuid, SpaceGuid};
use virga_serve::{
    Base, Json, Path, Query,
    axum::{extract::State, response::Response},
};
use virga_store::{
    Connection,
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
    let page = virga_store::organizations::list(db, None, Visible::All, &listing).await?;
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

/// `GET /v3/spaces/:guid/relationships/isolation_segment`: this platform has none.
///
/// # Errors
/// 404.
pub async fn isolation_segment(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<SpaceGuid>,
) -> Result<Response> {
    let mut db = controller.store.read().await?;
    access.in_space(&mut db, SpaceRight::See, guid, "Space").await?;
    Ok(answer::ok(organizations::no_segment(&base, format_args!("/v3/spaces/{guid}/relationships/isolation_segment"))))
}

/// `PATCH /v3/spaces/:guid/relationships/isolation_segment`: only `null` can be set.
///
/// # Errors
/// 404, 403, 422 for any segment.
pub async fn set_isolation_segment(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<SpaceGuid>,
    Json(segment): Json<ToOne>,
) -> Result<Response> {
    let mut db = controller.store.read().await?;
    access.in_space(&mut db, SpaceRight::Update, guid, "Space").await?;
    organizations::refuse_segment(&segment)?;
    Ok(answer::ok(organizations::no_segment(&base, format_args!("/v3/spaces/{guid}/relationships/isolation_segment"))))
}

const GROUPS: ListSpec = ListSpec::new(&["names"]).without_labels();

/// `GET /v3/spaces/:guid/running_security_groups`: those that hold for every running app.
///
/// # Errors
/// 404.
pub async fn running_security_groups(
    State(controller): State<Controller>,
    access: Access,
    Path(guid): Path<SpaceGuid>,
    request: ListRequest,
) -> Result<Response> {
    groups(&controller, &access, guid, request, true).await
}

/// `GET /v3/spaces/:guid/staging_security_groups`: those that hold for every staging.
///
/// # Errors
/// 404.
pub async fn staging_security_groups(
    State(controller): State<Controller>,
    access: Access,
    Path(guid): Path<SpaceGuid>,
    request: ListRequest,
) -> Result<Response> {
    groups(&controller, &access, guid, request, false).await
}

async fn groups(controller: &Controller, access: &Access, guid: SpaceGuid, request: ListRequest, running: bool) -> Result<Response> {
    let query = request.parse(&GROUPS)?;
    let mut db = controller.store.read().await?;
    access.in_space(&mut db, SpaceRight::See, guid, "Space").await?;
    let filter = virga_store::security_groups::SecurityGroupFilter {
        names: query.values("names"),
        running_default: running.then_some(true),
        staging_default: (!running).then_some(true),
    };
    let page = virga_store::security_groups::list(&mut db, &filter, Visible::All, &query.listing).await?;
    Ok(answer::ok(query.render(&page, |group| security_groups::view(&query.base, group))))
}

/// `{"name": "ssh", …}`.
pub(super) fn ssh_feature(enabled: bool) -> Value {
    json!({ "name": "ssh", "description": "Enable SSHing into apps in the space.", "enabled": enabled })
}
