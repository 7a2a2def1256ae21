//! Reading route bindings.

use super::view::view;
use crate::{
    Access, Controller, Result, SpaceRight, answer,
    list::{ListRequest, ListSpec, asked_for, include},
    routing, service_instances,
};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeSet;
use virga_contract::{ApiError, ErrorCode};
use virga_model::ServiceRouteBindingGuid;
use virga_serve::{
    Base, Path, Query,
    axum::{extract::State, response::Response},
};
use virga_store::{
    Connection, route_destinations, routes,
    select::{Listing, Visible},
    service_instances as instance_rows,
    service_route_bindings::{self as rows, RouteBindingFilter, ServiceRouteBindingRow},
};

const RESOURCE: &str = "Service route binding";
const INCLUDES: &[&str] = &["route", "service_instance"];
const LIST: ListSpec = ListSpec::new(&["route_guids", "service_instance_guids", "service_instance_names"]).includes(INCLUDES);

/// `GET /v3/service_route_bindings`.
///
/// # Errors
/// 400 for parameters that are not right.
pub async fn list(State(controller): State<Controller>, access: Access, request: ListRequest) -> Result<Response> {
    let query = request.parse(&LIST)?;
    let filter = RouteBindingFilter {
        routes: query.values("route_guids"),
        instances: query.values("service_instance_guids"),
        instance_names: query.values("service_instance_names"),
    };
    let mut db = controller.store.read().await?;
    let page = rows::list(&mut db, &filter, access.visible(), &query.listing).await?;
    let mut body = query.render(&page, |binding| view(&query.base, binding));
    let asked: Vec<&str> = INCLUDES.iter().copied().filter(|what| query.includes(what)).collect();
    add_included(&mut db, &query.base, &mut body, &page.rows, &asked).await?;
    Ok(answer::ok(body))
}

/// Adds what was asked for to a page of bindings or to one. Who sees a binding sees both its ends.
async fn add_included(
    db: &mut Connection,
    base: &Base,
    body: &mut Value,
    bindings: &[ServiceRouteBindingRow],
    asked: &[&str],
) -> Result<()> {
    let only = |guids: BTreeSet<String>| Listing { guids: Some(guids.into_iter().collect()), ..Listing::everything() };
    if asked.contains(&"route") {
        let listing = only(bindings.iter().map(|binding| binding.route.to_string()).collect());
        let found = routes::list(db, &routes::RouteFilter::default(), Visible::All, &listing).await?.rows;
        let guids: Vec<_> = found.iter().map(|route| route.guid).collect();
        let destinations = route_destinations::list_of_routes(db, &guids).await?;
        include(body, "routes", found.iter().map(|route| routing::view(base, route, &destinations)).collect());
    }
    if asked.contains(&"service_instance") {
        let listing = only(bindings.iter().map(|binding| binding.instance.to_string()).collect());
        let found = instance_rows::list(db, &instance_rows::ServiceInstanceFilter::default(), Visible::All, &listing).await?;
        let views = service_instances::views(db, base, &found.rows).await?;
        include(body, "service_instances", views);
    }
    Ok(())
}

/// The binding, for a caller who has `right` in the space of its instance.
pub(super) async fn permitted(
    db: &mut Connection,
    access: &Access,
    right: SpaceRight,
    guid: ServiceRouteBindingGuid,
) -> Result<ServiceRouteBindingRow> {
    let missing = || ApiError::not_found(RESOURCE);
    let binding = rows::find(db, guid).await?.ok_or_else(missing)?;
    let instance = instance_rows::find(db, binding.instance).await?.ok_or_else(missing)?;
    access.in_space(db, right, instance.space, RESOURCE).await?;
    Ok(binding)
}

/// Parameters of `GET /v3/service_route_bindings/:guid`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShowQuery {
    include: Option<String>,
}

/// `GET /v3/service_route_bindings/:guid`.
///
/// # Errors
/// 404, 400 for an `include` that is none.
pub async fn show(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<ServiceRouteBindingGuid>,
    Query(query): Query<ShowQuery>,
) -> Result<Response> {
    let asked = asked_for(query.include.as_deref(), INCLUDES)?;
    let mut db = controller.store.read().await?;
    let binding = permitted(&mut db, &access, SpaceRight::See, guid).await?;
    let mut body = view(&base, &binding);
    add_included(&mut db, &base, &mut body, std::slice::from_ref(&binding), &asked).await?;
    Ok(answer::ok(body))
}

/// `GET /v3/service_route_bindings/:guid/parameters`: a user-provided instance takes none.
///
/// # Errors
/// 404; 400 always.
pub async fn parameters(
    State(controller): State<Controller>,
    access: Access,
    Path(guid): Path<ServiceRouteBindingGuid>,
) -> Result<Response> {
    let mut db = controller.store.read().await?;
    permitted(&mut db, &access, SpaceRight::See, guid).await?;
    let detail = "This service does not support fetching service binding parameters.";
    Err(ApiError::new(ErrorCode::ServiceFetchBindingParametersNotSupported, detail).into())
}
