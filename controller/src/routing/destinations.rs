//! Destinations of a route: to which apps it leads.

use super::{read::permitted, view};
use crate::{
    Access, Controller, Result, SpaceRight, answer,
    audit_events::{self, Event},
};
use serde::Deserialize;
use serde_json::json;
use virga_contract::ApiError;
use virga_model::{AppGuid, DestinationGuid, OrgGuid, RouteGuid, route::RouteProtocol};
use virga_serve::{
    Base, Json, Path,
    axum::{extract::State, response::Response},
};
use virga_store::{
    Connection,
    apps::{self, AppRow},
    route_destinations::{self, DestinationRow},
    routes::RouteRow,
    spaces,
};

/// Most destinations of one route.
const MAX_DESTINATIONS: usize = 100;

/// Body of `POST` and `PATCH /v3/routes/:guid/destinations`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Destinations {
    destinations: Vec<NewDestination>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewDestination {
    app: AppRef,
    weight: Option<u8>,
    port: Option<u16>,
    protocol: Option<RouteProtocol>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AppRef {
    guid: String,
    process: Option<ProcessRef>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProcessRef {
    #[serde(rename = "type")]
    kind: String,
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
) -> Result<Response> {
    let mut db = controller.store.read().await?;
    permitted(&mut db, &access, guid, SpaceRight::SeeRoutes).await?;
    let rows = route_destinations::list_of_routes(&mut db, &[guid]).await?;
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
    let mut tx = controller.store.begin().await?;
    let route = permitted(&mut tx, access, guid, SpaceRight::Manage).await?;
    let organization = organization_of(&mut tx, &route).await?;
    let present = route_destinations::list_of_routes(&mut tx, &[guid]).await?;
    if body.destinations.is_empty() && !replace {
        return Err(ApiError::unprocessable("Destinations must have at least 1 destination").into());
    }
    let mut wanted = Vec::new();
    for new in body.destinations {
        wanted.push(checked(controller, &mut tx, &route, new, replace).await?);
    }
    if replace {
        for old in present.iter().filter(|old| !wanted.iter().any(|(_, new)| new.leads_where(old))) {
            unmap(controller, &mut tx, access, &route, old, organization).await?;
        }
    }
    for (app, new) in wanted {
        match present.iter().find(|old| old.leads_where(&new)) {
            Some(old) if replace => {
                let kept = DestinationRow { guid: old.guid, created_at: old.created_at, ..new };
                route_destinations::save(&mut tx, &kept).await?;
            }
            Some(_) => {}
            None => map(controller, &mut tx, access, &route, &app, &new, organization).await?,
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

async fn checked(
    controller: &Controller,
    db: &mut Connection,
    route: &RouteRow,
    new: NewDestination,
    replace: bool,
) -> Result<(AppRow, DestinationRow)> {
    let wrong = |detail: &str| ApiError::unprocessable(format!("Destinations[0]: {detail}"));
    if new.weight.is_some_and(|weight| !(1..=100).contains(&weight)) {
        return Err(wrong("weight must be between 1 and 100.").into());
    }
    if new.weight.is_some() && !replace {
        return Err(ApiError::unprocessable("Destinations cannot contain weights when inserting").into());
    }
    if new.protocol == Some(RouteProtocol::Tcp) {
        return Err(wrong("protocol must be 'http1' or 'http2'.").into());
    }
    if new.port == Some(0) {
        return Err(wrong("port must be between 1 and 65535.").into());
    }
    let unknown = || ApiError::unprocessable(format!("App(s) with guid(s) \"{}\" do not exist or you do not have access.", new.app.guid));
    let guid: AppGuid = new.app.guid.parse().map_err(|_| unknown())?;
    let app = apps::find(db, guid).await?.ok_or_else(unknown)?;
    if app.space != route.space {
        return Err(ApiError::unprocessable("Routes cannot be mapped to destinations in different spaces.").into());
    }
    let now = controller.now();
    let row = DestinationRow {
        guid: DestinationGuid::random(),
        created_at: now,
        updated_at: now,
        route: route.guid,
        app: guid,
        process_type: new.app.process.map_or_else(|| "web".to_owned(), |process| process.kind),
        port: new.port,
        weight: new.weight,
        protocol: new.protocol.unwrap_or(RouteProtocol::Http1),
    };
    Ok((app, row))
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
        port: None,
        weight: None,
        protocol: protocol.unwrap_or(RouteProtocol::Http1),
    };
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
    let event = Event {
        kind,
        target_kind: "app",
        target: app.guid.to_string(),
        target_name: &app.name,
        data: json!({
            "route_guid": route.guid,
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
/// 404, 403, 422 for a destination of another route.
pub async fn delete_destination(
    State(controller): State<Controller>,
    access: Access,
    Path((guid, destination)): Path<(RouteGuid, DestinationGuid)>,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let route = permitted(&mut tx, &access, guid, SpaceRight::Manage).await?;
    let old = find(&mut tx, guid, destination).await?;
    let organization = organization_of(&mut tx, &route).await?;
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

/// `PATCH /v3/routes/:guid/destinations/:destination`: its protocol; `null` is `http1`.
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
    permitted(&mut tx, &access, guid, SpaceRight::Manage).await?;
    if body.protocol == Some(RouteProtocol::Tcp) {
        return Err(ApiError::unprocessable("Destination protocol must be 'http1' or 'http2'.").into());
    }
    let mut row = find(&mut tx, guid, destination).await?;
    row.protocol = body.protocol.unwrap_or(RouteProtocol::Http1);
    row.updated_at = controller.now();
    route_destinations::save(&mut tx, &row).await?;
    tx.commit().await?;
    controller.scheduler.nudge();
    Ok(answer::ok(view::destination(&row)))
}
