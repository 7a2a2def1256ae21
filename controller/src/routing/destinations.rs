//! Destinations of a route: to which apps it leads.

use super::{
    destinations_request::{Destinations, NewDestination},
    read::permitted,
    view,
};
use crate::{
    Access, Controller, Result, SpaceRight, answer,
    audit_events::{self, Event},
};
use serde::Deserialize;
use serde_json::json;
use std::collections::HashMap;
use virga_contract::ApiError;
use virga_model::{AppGuid, DestinationGuid, OrgGuid, RouteGuid, route::RouteProtocol};
use virga_serve::{
    Base, Json, Path, Query,
    axum::{extract::State, response::Response},
};
use virga_store::{
    Connection,
    apps::{self, AppRow},
    route_destinations::{self, DEFAULT_PORT, DestinationRow},
    routes::{self, RouteRow},
    spaces,
};

/// Most destinations of one route.
pub(super) const MAX_DESTINATIONS: usize = 100;

/// Parameters of `GET /v3/routes/:guid/destinations`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DestinationsQuery {
    guids: Option<String>,
    app_guids: Option<String>,
}

/// `GET /v3/routes/:guid/destinations`.
///
/// # Errors
/// 404.
pub async fn list_destinations(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<RouteGuid>,
    Query(query): Query<DestinationsQuery>,
) -> Result<Response> {
    let mut db = controller.store.read().await?;
    permitted(&mut db, &access, guid, SpaceRight::SeeRoutes).await?;
    let mut rows = route_destinations::list_of_routes(&mut db, &[guid]).await?;
    let names = |list: &Option<String>, guid: String| list.as_ref().is_none_or(|list| list.split(',').any(|item| item == guid));
    rows.retain(|row| names(&query.guids, row.guid.to_string()) && names(&query.app_guids, row.app.to_string()));
    Ok(answer::ok(view::destinations(&base, guid, &rows)))
}

/// `POST /v3/routes/:guid/destinations`: adds those that are not there yet.
///
/// # Errors
/// 404, 403, 422 for an app that is not there or weights that cannot be.
pub async fn add_destinations(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<RouteGuid>,
    Json(body): Json<Destinations>,
) -> Result<Response> {
    set(&controller, &access, &base, guid, body, false).await
}

/// `PATCH /v3/routes/:guid/destinations`: these and no others.
///
/// # Errors
/// As [`add_destinations`].
pub async fn replace_destinations(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<RouteGuid>,
    Json(body): Json<Destinations>,
) -> Result<Response> {
    set(&controller, &access, &base, guid, body, true).await
}

async fn set(
    controller: &Controller,
    access: &Access,
    base: &Base,
    guid: RouteGuid,
    body: Destinations,
    replace: bool,
) -> Result<Response> {
    let wanted = body.checked(replace)?;
    let mut tx = controller.store.begin().await?;
    let (route, organization) = permitted(&mut tx, access, guid, SpaceRight::Manage).await?;
    routes::lock(&mut tx, guid).await?;
    let apps = find_apps(&mut tx, access, &route, &wanted).await?;
    let rows = wanted.into_iter().map(|new| row_of(controller, &route, new)).collect::<Result<Vec<_>>>()?;
    let present = route_destinations::list_of_routes(&mut tx, &[guid]).await?;
    check_together(&route, &present, &rows, replace)?;
    if replace {
        for old in present.iter().filter(|old| !rows.iter().any(|new| new.leads_where(old))) {
            unmap(controller, &mut tx, access, &route, old, organization).await?;
        }
    }
    for new in rows {
        match present.iter().find(|old| old.leads_where(&new)) {
            Some(old) if replace => {
                let kept = DestinationRow { guid: old.guid, created_at: old.created_at, port: old.port, ..new };
                if (kept.weight, kept.protocol) != (old.weight, old.protocol) {
                    route_destinations::save(&mut tx, &kept).await?;
                }
            }
            Some(_) => {}
            None => {
                let app = apps.get(&new.app).ok_or_else(|| ApiError::internal("a destination without its app"))?;
                map(controller, &mut tx, access, &route, app, &new, organization).await?;
            }
        }
    }
    let rows = route_destinations::list_of_routes(&mut tx, &[guid]).await?;
    if rows.len() > MAX_DESTINATIONS {
        return Err(ApiError::unprocessable(format!("Routes can be mapped to at most {MAX_DESTINATIONS} destinations.")).into());
    }
    tx.commit().await?;
    controller.scheduler.nudge();
    Ok(answer::ok(view::destinations(base, guid, &rows)))
}

/// The apps of new destinations: all there, seen by the caller, in the route's space or one that it is shared with.
async fn find_apps(db: &mut Connection, access: &Access, route: &RouteRow, wanted: &[NewDestination]) -> Result<HashMap<AppGuid, AppRow>> {
    let (mut found, mut missing) = (HashMap::new(), Vec::new());
    for new in wanted {
        let app = match new.app.guid.parse::<AppGuid>() {
            Ok(guid) if found.contains_key(&guid) => continue,
            Ok(guid) => apps::find(db, guid).await?,
            Err(_) => None,
        };
        match app {
            Some(app) if app.space == route.space || access.has_in_space(db, SpaceRight::See, app.space).await? => {
                found.insert(app.guid, app);
            }
            _ => missing.push(format!("\"{}\"", new.app.guid)),
        }
    }
    if !missing.is_empty() {
        let detail = format!("App(s) with guid(s) {} do not exist or you do not have access.", missing.join(", "));
        return Err(ApiError::unprocessable(detail).into());
    }
    for app in found.values() {
        if !routes::is_available_in(db, route, app.space).await? {
            let detail = "Routes destinations must be in either the route's space or the route's shared spaces";
            return Err(ApiError::unprocessable(detail).into());
        }
    }
    Ok(found)
}

/// Passes for a protocol that destinations of this route may have.
fn check_protocol(route: &RouteRow, protocol: RouteProtocol) -> Result<()> {
    let is_tcp = route.port.is_some();
    if is_tcp == (protocol == RouteProtocol::Tcp) {
        return Ok(());
    }
    let (kind, valid) = if is_tcp { ("tcp", "tcp") } else { ("http", "http1, http2") };
    let detail = format!("Cannot use '{}' protocol for {kind} routes; valid options are: [{valid}].", protocol.as_str());
    Err(ApiError::unprocessable(detail).into())
}

fn default_protocol(route: &RouteRow) -> RouteProtocol {
    if route.port.is_some() { RouteProtocol::Tcp } else { RouteProtocol::Http1 }
}

fn row_of(controller: &Controller, route: &RouteRow, new: NewDestination) -> Result<DestinationRow> {
    let protocol = new.protocol.unwrap_or_else(|| default_protocol(route));
    check_protocol(route, protocol)?;
    let now = controller.now();
    Ok(DestinationRow {
        guid: DestinationGuid::random(),
        created_at: now,
        updated_at: now,
        route: route.guid,
        app: new.app.guid.parse().map_err(ApiError::internal)?,
        process_type: new.app.process.map_or_else(|| "web".to_owned(), |process| process.kind),
        port: Some(new.port.and_then(|port| u16::try_from(port).ok()).unwrap_or(DEFAULT_PORT)),
        weight: new.weight.and_then(|weight| u8::try_from(weight).ok()),
        protocol,
    })
}

/// The rules of new destinations beside one another and beside those that are there.
fn check_together(route: &RouteRow, present: &[DestinationRow], wanted: &[DestinationRow], replace: bool) -> Result<()> {
    let is_double = |at: usize, new: &DestinationRow| wanted.iter().skip(at + 1).any(|other| new.leads_where(other));
    if wanted.iter().enumerate().any(|(at, new)| is_double(at, new)) {
        return Err(ApiError::unprocessable("Destinations cannot contain duplicate entries").into());
    }
    if replace {
        return Ok(());
    }
    if present.iter().any(|old| old.weight.is_some()) {
        let detail = "Destinations cannot be inserted when there are weighted destinations already configured.";
        return Err(ApiError::unprocessable(detail).into());
    }
    for new in wanted {
        if let Some(old) = present.iter().find(|old| old.leads_where(new) && old.protocol != new.protocol) {
            return Err(ApiError::unprocessable(format!(
                "Cannot add destination with protocol: {}. Destination already exists for route: {}, app: {}, process: {}, and protocol: {}.",
                new.protocol.as_str(),
                route.url(),
                new.app,
                new.process_type,
                old.protocol.as_str()
            ))
            .into());
        }
    }
    Ok(())
}

/// Maps a route to an app's `web` process, where it does not lead there yet; for pushes. The protocol is changed where it
/// differs.
pub(crate) async fn map_app(
    controller: &Controller,
    db: &mut Connection,
    access: &Access,
    route: &RouteRow,
    app: &AppRow,
    protocol: Option<RouteProtocol>,
) -> Result<()> {
    let now = controller.now();
    let new = DestinationRow {
        guid: DestinationGuid::random(),
        created_at: now,
        updated_at: now,
        route: route.guid,
        app: app.guid,
        process_type: "web".to_owned(),
        port: Some(DEFAULT_PORT),
        weight: None,
        protocol: protocol.unwrap_or_else(|| default_protocol(route)),
    };
    check_protocol(route, new.protocol)?;
    routes::lock(db, route.guid).await?;
    let present = route_destinations::list_of_routes(db, &[route.guid]).await?;
    match present.iter().find(|old| old.leads_where(&new)) {
        Some(old) => match protocol {
            Some(protocol) if protocol != old.protocol => {
                Ok(route_destinations::save(db, &DestinationRow { protocol, updated_at: now, ..old.clone() }).await?)
            }
            _ => Ok(()),
        },
        None => {
            let organization = organization_of(db, route).await?;
            map(controller, db, access, route, app, &new, organization).await
        }
    }
}

async fn organization_of(db: &mut Connection, route: &RouteRow) -> Result<OrgGuid> {
    let space = spaces::find(db, route.space).await?.ok_or_else(|| ApiError::not_found("Route"))?;
    Ok(space.organization)
}

async fn map(
    controller: &Controller,
    db: &mut Connection,
    access: &Access,
    route: &RouteRow,
    app: &AppRow,
    new: &DestinationRow,
    organization: OrgGuid,
) -> Result<()> {
    route_destinations::save(db, new).await?;
    record(controller, db, access, "audit.app.map-route", route, app, new, organization).await
}

async fn unmap(
    controller: &Controller,
    db: &mut Connection,
    access: &Access,
    route: &RouteRow,
    old: &DestinationRow,
    organization: OrgGuid,
) -> Result<()> {
    route_destinations::delete(db, old.guid).await?;
    match apps::find(db, old.app).await? {
        Some(app) => record(controller, db, access, "audit.app.unmap-route", route, &app, old, organization).await,
        None => Ok(()),
    }
}

#[expect(clippy::too_many_arguments, reason = "an event names all it is about")]
async fn record(
    controller: &Controller,
    db: &mut Connection,
    access: &Access,
    kind: &str,
    route: &RouteRow,
    app: &AppRow,
    destination: &DestinationRow,
    organization: OrgGuid,
) -> Result<()> {
    // An app in a space that the route is shared with is of that space's organization.
    let organization = match spaces::find(db, app.space).await? {
        Some(space) if app.space != route.space => space.organization,
        _ => organization,
    };
    let event = Event {
        kind,
        target_kind: "app",
        target: app.guid.to_string(),
        target_name: &app.name,
        data: json!({
            "route_guid": route.guid,
            "app_port": destination.port.unwrap_or(DEFAULT_PORT),
            "destination_guid": destination.guid,
            "process_type": destination.process_type,
            "protocol": destination.protocol,
            "weight": destination.weight,
        }),
        space: Some(app.space),
        organization: Some(organization),
    };
    audit_events::record(controller, db, access, event).await
}

/// `DELETE /v3/routes/:guid/destinations/:destination`.
///
/// # Errors
/// 404, 403, 422 for a destination of another route or one with a weight.
pub async fn delete_destination(
    State(controller): State<Controller>,
    access: Access,
    Path((guid, destination)): Path<(RouteGuid, DestinationGuid)>,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let (route, organization) = permitted(&mut tx, &access, guid, SpaceRight::Manage).await?;
    let old = find(&mut tx, guid, destination).await?;
    if old.weight.is_some() {
        return Err(ApiError::unprocessable("Weighted destinations cannot be deleted individually.").into());
    }
    unmap(&controller, &mut tx, &access, &route, &old, organization).await?;
    tx.commit().await?;
    controller.scheduler.nudge();
    Ok(answer::no_content())
}

async fn find(db: &mut Connection, route: RouteGuid, destination: DestinationGuid) -> Result<DestinationRow> {
    let rows = route_destinations::list_of_routes(db, &[route]).await?;
    let found = rows.into_iter().find(|row| row.guid == destination);
    Ok(found.ok_or_else(|| {
        ApiError::unprocessable("Unable to unmap route from destination. Ensure the route has a destination with this guid.")
    })?)
}

/// Body of `PATCH /v3/routes/:guid/destinations/:destination`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpdateDestination {
    protocol: Option<RouteProtocol>,
}

/// `PATCH /v3/routes/:guid/destinations/:destination`: its protocol; `null` is the route's own (`http1`, `tcp`).
///
/// # Errors
/// 404, 403, 422.
pub async fn update_destination(
    State(controller): State<Controller>,
    access: Access,
    Path((guid, destination)): Path<(RouteGuid, DestinationGuid)>,
    Json(body): Json<UpdateDestination>,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let (route, _) = permitted(&mut tx, &access, guid, SpaceRight::Manage).await?;
    let mut row = find(&mut tx, guid, destination).await?;
    row.protocol = body.protocol.unwrap_or_else(|| default_protocol(&route));
    check_protocol(&route, row.protocol)?;
    row.updated_at = controller.now();
    route_destinations::save(&mut tx, &row).await?;
    tx.commit().await?;
    controller.scheduler.nudge();
    Ok(answer::ok(view::destination(&row)))
}
