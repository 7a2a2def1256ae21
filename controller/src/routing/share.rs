//! Sharing a route with other spaces, and giving it to one. All of it takes the flag `route_sharing`.

use super::{create::record, read::permitted};
use crate::{
    Access, Controller, Result, SpaceRight, answer, quotas,
    request::{GuidRef, require_flag},
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use virga_contract::ApiError;
use virga_model::{RouteGuid, SpaceGuid};
use virga_serve::{
    Base, Json, Path,
    axum::{extract::State, response::Response},
};
use virga_store::{
    Connection, domains, route_shares,
    routes::{self, RouteRow},
    spaces,
};

/// Body of `POST /v3/routes/:guid/relationships/shared_spaces`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShareRoute {
    data: Vec<GuidRef>,
}

/// Body of `PATCH /v3/routes/:guid/relationships/space`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MoveRoute {
    data: GuidRef,
}

const FLAG: &str = "route_sharing";

async fn shared_spaces(db: &mut Connection, base: &Base, route: RouteGuid) -> Result<Value> {
    let mut body = answer::to_many(route_shares::list_of_route(db, route).await?);
    if let Value::Object(body) = &mut body {
        let own = answer::link(base, format_args!("/v3/routes/{route}/relationships/shared_spaces"));
        body.insert("links".to_owned(), json!({ "self": own }));
    }
    Ok(body)
}

/// `GET /v3/routes/:guid/relationships/shared_spaces`.
///
/// # Errors
/// 404, 403 while the flag is off.
pub async fn list_shared_spaces(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<RouteGuid>,
) -> Result<Response> {
    let mut db = controller.store.read().await?;
    permitted(&mut db, &access, guid, SpaceRight::SeeRoutes).await?;
    require_flag(&mut db, FLAG).await?;
    Ok(answer::ok(shared_spaces(&mut db, &base, guid).await?))
}

/// `POST /v3/routes/:guid/relationships/shared_spaces`: apps of these spaces may then be its destinations.
///
/// # Errors
/// 404, 403, 422 for spaces that are not there, not the caller's to write in, or the route's own.
pub async fn share(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<RouteGuid>,
    Json(body): Json<ShareRoute>,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let (route, organization) = permitted(&mut tx, &access, guid, SpaceRight::Manage).await?;
    require_flag(&mut tx, FLAG).await?;
    let wanted = spaces_to_share_with(&mut tx, &access, &route, &body.data).await?;
    for space in &wanted {
        route_shares::insert(&mut tx, guid, *space, controller.now()).await?;
    }
    let data = json!({ "target_space_guids": wanted });
    record(&controller, &mut tx, &access, "audit.route.share", &route, organization, data).await?;
    let answer = shared_spaces(&mut tx, &base, guid).await?;
    tx.commit().await?;
    Ok(answer::ok(answer))
}

async fn spaces_to_share_with(db: &mut Connection, access: &Access, route: &RouteRow, wanted: &[GuidRef]) -> Result<BTreeSet<SpaceGuid>> {
    let (mut found, mut unseen, mut unwritable) = (BTreeSet::new(), Vec::new(), Vec::new());
    for wanted in wanted {
        let quoted = format!("'{}'", wanted.guid);
        match wanted.parsed() {
            Some(space) if access.has_in_space(db, SpaceRight::See, space).await? => {
                match access.in_space(db, SpaceRight::Write, space, "Space").await {
                    Ok(_) => drop(found.insert(space)),
                    Err(_) => unwritable.push(quoted),
                }
            }
            _ => unseen.push(quoted),
        }
    }
    let (url, mut wrong) = (route.url(), Vec::new());
    if !unseen.is_empty() {
        let spaces = unseen.join(", ");
        wrong
            .push(format!("Unable to share route {url} with spaces [{spaces}]. Ensure the spaces exist and that you have access to them."));
    }
    if !unwritable.is_empty() {
        wrong.push(format!(
            "Unable to share route {url} with spaces [{}]. Write permission is required in order to share a route with a space and the \
             containing organization must not be suspended.",
            unwritable.join(", ")
        ));
    }
    if wrong.is_empty() && found.contains(&route.space) {
        wrong.push(format!(
            "Unable to share route '{url}' with space '{}'. Routes cannot be shared into the space where they were created.",
            route.space
        ));
    }
    if wrong.is_empty() { Ok(found) } else { Err(ApiError::unprocessable(wrong.join("\n")).into()) }
}

/// The other space of a request, where the caller may manage apps; what is wrong with it otherwise.
async fn other_space(db: &mut Connection, access: &Access, what: &str, wanted: &str) -> Result<SpaceGuid> {
    let refused = |why: &str| ApiError::unprocessable(format!("{what} space '{wanted}'. {why}"));
    let space = match wanted.parse() {
        Ok(space) if access.has_in_space(db, SpaceRight::See, space).await? => space,
        _ => return Err(refused("Ensure the space exists and that you have access to it.").into()),
    };
    if !access.has_in_space(db, SpaceRight::Manage, space).await? {
        return Err(refused("You don't have write permission for the target space.").into());
    }
    let suspended = || refused("The target organization or space is suspended.");
    access.in_space(db, SpaceRight::Manage, space, "Space").await.map_err(|_| suspended())?;
    Ok(space)
}

/// `DELETE /v3/routes/:guid/relationships/shared_spaces/:space`.
///
/// # Errors
/// 404, 403, 422 for a space that is not there or the route's own.
pub async fn unshare(
    State(controller): State<Controller>,
    access: Access,
    Path((guid, space)): Path<(RouteGuid, String)>,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let (route, organization) = permitted(&mut tx, &access, guid, SpaceRight::Manage).await?;
    require_flag(&mut tx, FLAG).await?;
    let what = format!("Unable to unshare route '{}' from", route.url());
    let target = other_space(&mut tx, &access, &what, &space).await?;
    if target == route.space {
        let detail = format!("{what} space '{target}'. Routes cannot be removed from the space that owns them.");
        return Err(ApiError::unprocessable(detail).into());
    }
    route_shares::delete(&mut tx, guid, target).await?;
    let data = json!({ "target_space_guid": target });
    record(&controller, &mut tx, &access, "audit.route.unshare", &route, organization, data).await?;
    tx.commit().await?;
    Ok(answer::no_content())
}

/// `PATCH /v3/routes/:guid/relationships/space`: gives the route to another space; the one it had shares it from then on.
///
/// # Errors
/// 404, 403, 422 for a space that is not there or may not use the domain, or a quota that is used up.
pub async fn move_to_space(
    State(controller): State<Controller>,
    access: Access,
    Path(guid): Path<RouteGuid>,
    Json(body): Json<MoveRoute>,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let (mut route, organization) = permitted(&mut tx, &access, guid, SpaceRight::Write).await?;
    require_flag(&mut tx, FLAG).await?;
    let what = format!("Unable to transfer owner of route '{}' to", route.url());
    let target = other_space(&mut tx, &access, &what, &body.data.guid).await?;
    let not_there = || ApiError::not_found("Route");
    let domain = domains::find(&mut tx, route.domain).await?.ok_or_else(not_there)?;
    let space = spaces::find(&mut tx, target).await?.ok_or_else(not_there)?;
    if !domains::is_usable_by(&mut tx, &domain, space.organization).await? {
        let detail = format!("{what} space '{target}'. Target space does not have access to route's domain");
        return Err(ApiError::unprocessable(detail).into());
    }
    if target != route.space {
        let data = json!({ "target_space_guid": target });
        record(&controller, &mut tx, &access, "audit.route.transfer-owner", &route, organization, data).await?;
        route_shares::insert(&mut tx, guid, route.space, controller.now()).await?;
        route_shares::delete(&mut tx, guid, target).await?;
        route.space = target;
        routes::update(&mut tx, &mut route, controller.now()).await?;
        quotas::check_routes(&mut tx, target).await?;
        tx.commit().await?;
    }
    Ok(answer::ok(json!({ "status": "ok" })))
}
