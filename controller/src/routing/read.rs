//! Reading routes.

use super::view;
use crate::{
    Access, Controller, Result, SpaceRight, answer, domains,
    list::{ListQuery, ListRequest, ListSpec, asked_for, include},
    spaces,
};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeSet;
use virga_contract::ApiError;
use virga_model::{AppGuid, OrgGuid, RouteGuid};
use virga_serve::{
    Base, Path, Query,
    axum::{extract::State, response::Response},
};
use virga_store::{
    Connection,
    domains::DomainFilter,
    route_destinations,
    routes::{self, RouteFilter, RouteRow},
    select::{Listing, Page, Visible},
};

const INCLUDES: &[&str] = &["domain", "space", "space.organization", "route_policies"];
const LIST: ListSpec =
    ListSpec::new(&["hosts", "paths", "ports", "domain_guids", "app_guids", "space_guids", "organization_guids", "service_instance_guids"])
        .includes(INCLUDES);
const LIST_OF_APP: ListSpec =
    ListSpec::new(&["hosts", "paths", "ports", "domain_guids", "space_guids", "organization_guids", "service_instance_guids"])
        .includes(INCLUDES);

/// `GET /v3/routes`.
///
/// # Errors
/// 400 for parameters that are not right.
pub async fn list(State(controller): State<Controller>, access: Access, request: ListRequest) -> Result<Response> {
    let query = request.parse(&LIST)?;
    let mut db = controller.store.read().await?;
    let apps = query.values("app_guids");
    let page = rows(&mut db, &access, &query, apps).await?;
    Ok(answer::ok(body(&mut db, &access, &query, &page).await?))
}

/// `GET /v3/apps/:guid/routes`.
///
/// # Errors
/// 404 `App not found`, 400 for parameters that are not right.
pub async fn list_of_app(
    State(controller): State<Controller>,
    access: Access,
    Path(guid): Path<AppGuid>,
    request: ListRequest,
) -> Result<Response> {
    let query = request.parse(&LIST_OF_APP)?;
    let mut db = controller.store.read().await?;
    let app = virga_store::apps::find(&mut db, guid).await?.ok_or_else(|| ApiError::not_found("App"))?;
    access.in_space(&mut db, SpaceRight::See, app.space, "App").await?;
    let page = rows(&mut db, &access, &query, Some(vec![guid.to_string()])).await?;
    Ok(answer::ok(body(&mut db, &access, &query, &page).await?))
}

async fn rows(db: &mut Connection, access: &Access, query: &ListQuery, apps: Option<Vec<String>>) -> Result<Page<RouteRow>> {
    // No route here has a service: such a filter matches nothing, as it would there.
    let nothing = query.values("service_instance_guids").is_some();
    let filter = RouteFilter {
        hosts: query.values("hosts").map(|hosts| hosts.iter().map(|host| host.to_ascii_lowercase()).collect()),
        paths: query.values("paths"),
        domains: query.values("domain_guids"),
        apps: if nothing { Some(Vec::new()) } else { apps },
        // What is no number is no route's port.
        ports: query.values("ports").map(|ports| ports.iter().filter_map(|port| port.parse().ok()).collect()),
        spaces: query.values("space_guids"),
        organizations: query.values("organization_guids"),
    };
    Ok(routes::list(db, &filter, access.visible(), &query.listing).await?)
}

async fn body(db: &mut Connection, access: &Access, query: &ListQuery, page: &Page<RouteRow>) -> Result<Value> {
    let guids: Vec<RouteGuid> = page.rows.iter().map(|route| route.guid).collect();
    let destinations = route_destinations::list_of_routes(db, &guids).await?;
    let mut body = query.render(page, |route| view(&query.base, route, &destinations));
    let asked: Vec<&str> = INCLUDES.iter().copied().filter(|include| query.includes(include)).collect();
    add_included(db, access, &query.base, &mut body, &page.rows, &asked).await?;
    Ok(body)
}

/// Adds what was asked for to a page of routes or to one.
async fn add_included(
    db: &mut Connection,
    access: &Access,
    base: &Base,
    body: &mut Value,
    rows: &[RouteRow],
    asked: &[&str],
) -> Result<()> {
    let only = |guids: BTreeSet<String>| Listing { guids: Some(guids.into_iter().collect()), ..Listing::everything() };
    if asked.contains(&"domain") {
        let listing = only(rows.iter().map(|route| route.domain.to_string()).collect());
        let found = virga_store::domains::list(db, &DomainFilter::default(), Visible::All, &listing).await?;
        let shared = domains::shares(db, access, &found.rows).await?;
        include(body, "domains", found.rows.iter().map(|domain| domains::view(base, domain, &shared)).collect());
    }
    if asked.contains(&"space") || asked.contains(&"space.organization") {
        let listing = only(rows.iter().map(|route| route.space.to_string()).collect());
        let found = virga_store::spaces::list(db, None, None, Visible::All, &listing).await?;
        if asked.contains(&"space.organization") {
            let organizations = found.rows.iter().map(|space| space.organization);
            include(body, "organizations", spaces::organizations_of(db, base, organizations).await?);
        }
        include(body, "spaces", found.rows.iter().map(|space| spaces::view(base, space)).collect());
    }
    if asked.contains(&"route_policies") {
        include(body, "route_policies", Vec::new());
    }
    Ok(())
}

/// Parameters of `GET /v3/routes/:guid`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShowQuery {
    include: Option<String>,
}

/// `GET /v3/routes/:guid`.
///
/// # Errors
/// 404, 400 for an `include` that is none.
pub async fn show(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<RouteGuid>,
    Query(query): Query<ShowQuery>,
) -> Result<Response> {
    let asked = asked_for(query.include.as_deref(), INCLUDES)?;
    let mut db = controller.store.read().await?;
    let (route, _) = permitted(&mut db, &access, guid, SpaceRight::SeeRoutes).await?;
    let destinations = route_destinations::list_of_routes(&mut db, &[guid]).await?;
    let mut body = view(&base, &route, &destinations);
    add_included(&mut db, &access, &base, &mut body, std::slice::from_ref(&route), &asked).await?;
    Ok(answer::ok(body))
}

/// The route and the organization of its space, where the caller has this right in that space.
pub(super) async fn permitted(db: &mut Connection, access: &Access, guid: RouteGuid, right: SpaceRight) -> Result<(RouteRow, OrgGuid)> {
    let route = routes::find(db, guid).await?.ok_or_else(|| ApiError::not_found("Route"))?;
    let standing = access.in_space(db, right, route.space, "Route").await?;
    Ok((route, standing.organization))
}
