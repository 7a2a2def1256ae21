//! Reading routes.

use super::view;
use crate::{
    Access, Controller, Result, SpaceRight, answer, domains,
    list::{ListQuery, ListRequest, ListSpec, include},
    spaces,
};
use serde_json::Value;
use std::collections::BTreeSet;
use virga_contract::ApiError;
use virga_model::{AppGuid, RouteGuid};
use virga_serve::{
    Base, Path,
    axum::{extract::State, response::Response},
};
use virga_store::{
    Connection, route_destinations,
    routes::{self, RouteFilter, RouteRow},
    select::{Listing, Page, Visible},
};

const LIST: ListSpec =
    ListSpec::new(&["hosts", "paths", "ports", "domain_guids", "app_guids", "space_guids", "organization_guids", "service_instance_guids"])
        .includes(&["domain", "space", "space.organization", "route_policies"]);
const LIST_OF_APP: ListSpec = ListSpec::new(&["hosts", "paths", "ports", "domain_guids", "space_guids", "organization_guids"]).includes(&[
    "domain",
    "space",
    "space.organization",
    "route_policies",
]);

/// `GET /v3/routes`.
///
/// # Errors
/// 400 for parameters that are not right.
pub async fn list(State(controller): State<Controller>, access: Access, request: ListRequest) -> Result<Response> {
    let query = request.parse(&LIST)?;
    let mut db = controller.store.read().await?;
    let apps = query.values("app_guids");
    let page = rows(&mut db, &access, &query, apps).await?;
    Ok(answer::ok(body(&mut db, &query, &page).await?))
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
    Ok(answer::ok(body(&mut db, &query, &page).await?))
}

async fn rows(db: &mut Connection, access: &Access, query: &ListQuery, apps: Option<Vec<String>>) -> Result<Page<RouteRow>> {
    // No route here has a port or a service: such filters match nothing, as they would there.
    let nothing = query.values("ports").is_some() || query.values("service_instance_guids").is_some();
    let filter = RouteFilter {
        hosts: query.values("hosts").map(|hosts| hosts.iter().map(|host| host.to_ascii_lowercase()).collect()),
        paths: query.values("paths"),
        domains: query.values("domain_guids"),
        ports: None,
        apps: if nothing { Some(Vec::new()) } else { apps },
        spaces: query.values("space_guids"),
        organizations: query.values("organization_guids"),
    };
    Ok(routes::list(db, &filter, access.visible(), &query.listing).await?)
}

async fn body(db: &mut Connection, query: &ListQuery, page: &Page<RouteRow>) -> Result<Value> {
    let guids: Vec<RouteGuid> = page.rows.iter().map(|route| route.guid).collect();
    let destinations = route_destinations::list_of_routes(db, &guids).await?;
    let mut body = query.render(page, |route| view(&query.base, route, &destinations));
    let only = |guids: BTreeSet<String>| Listing { guids: Some(guids.into_iter().collect()), ..Listing::everything() };
    if query.includes("domain") {
        let listing = only(page.rows.iter().map(|route| route.domain.to_string()).collect());
        let found = virga_store::domains::list(db, &Default::default(), Visible::All, &listing).await?;
        include(&mut body, "domains", found.rows.iter().map(|domain| domains::view(&query.base, domain)).collect());
    }
    if query.includes("space") || query.includes("space.organization") {
        let listing = only(page.rows.iter().map(|route| route.space.to_string()).collect());
        let found = virga_store::spaces::list(db, None, None, Visible::All, &listing).await?;
        if query.includes("space.organization") {
            let organizations = found.rows.iter().map(|space| space.organization);
            include(&mut body, "organizations", spaces::organizations_of(db, &query.base, organizations).await?);
        }
        include(&mut body, "spaces", found.rows.iter().map(|space| spaces::view(&query.base, space)).collect());
    }
    if query.includes("route_policies") {
        include(&mut body, "route_policies", Vec::new());
    }
    Ok(body)
}

/// `GET /v3/routes/:guid`.
///
/// # Errors
/// 404.
pub async fn show(State(controller): State<Controller>, access: Access, base: Base, Path(guid): Path<RouteGuid>) -> Result<Response> {
    let mut db = controller.store.read().await?;
    let route = permitted(&mut db, &access, guid, SpaceRight::SeeRoutes).await?;
    let destinations = route_destinations::list_of_routes(&mut db, &[guid]).await?;
    Ok(answer::ok(view(&base, &route, &destinations)))
}

/// The route, where the caller has this right in its space.
pub(super) async fn permitted(db: &mut Connection, access: &Access, guid: RouteGuid, right: SpaceRight) -> Result<RouteRow> {
    let route = routes::find(db, guid).await?.ok_or_else(|| ApiError::not_found("Route"))?;
    access.in_space(db, right, route.space, "Route").await?;
    Ok(route)
}
