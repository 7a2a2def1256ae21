//! Updating and moving routes.

use super::{create::check_options, read::permitted, view};
use crate::{
    Access, Controller, Result, SpaceRight, answer,
    metadata::MetadataPatch,
    request::{GuidRef, is_enabled},
};
use serde::Deserialize;
use serde_json::{Map, Value};
use virga_contract::{ApiError, ErrorCode};
use virga_model::{RouteGuid, SpaceGuid};
use virga_serve::{
    Base, Json, Path,
    axum::{extract::State, response::Response},
};
use virga_store::{domains, route_destinations, routes};

/// Body of `PATCH /v3/routes/:guid`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpdateRoute {
    options: Option<Map<String, Value>>,
    metadata: Option<MetadataPatch>,
}

/// `PATCH /v3/routes/:guid`: options that are named change, `null` removes one.
///
/// # Errors
/// 404, 403, 422.
pub async fn update(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<RouteGuid>,
    Json(body): Json<UpdateRoute>,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let mut route = permitted(&mut tx, &access, guid, SpaceRight::Manage).await?;
    if let Some(change) = body.options {
        let mut options = match route.options.take() {
            Some(Value::Object(options)) => options,
            _ => Map::new(),
        };
        for (name, value) in change {
            match value {
                Value::Null => drop(options.shift_remove(&name)),
                value => drop(options.insert(name, value)),
            }
        }
        route.options = check_options(Some(Value::Object(options)))?;
    }
    body.metadata.unwrap_or_default().apply(&mut route.metadata)?;
    routes::update(&mut tx, &mut route, controller.now()).await?;
    let destinations = route_destinations::list_of_routes(&mut tx, &[guid]).await?;
    tx.commit().await?;
    controller.scheduler.nudge();
    Ok(answer::ok(view(&base, &route, &destinations)))
}

/// Body of `PATCH /v3/routes/:guid/relationships/space`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MoveRoute {
    data: GuidRef,
}

/// `PATCH /v3/routes/:guid/relationships/space`: gives the route to another space (flag `route_sharing`).
///
/// # Errors
/// 404, 403, 422 for a space that is not there or may not use the domain.
pub async fn move_to_space(
    State(controller): State<Controller>,
    access: Access,
    Path(guid): Path<RouteGuid>,
    Json(body): Json<MoveRoute>,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let mut route = permitted(&mut tx, &access, guid, SpaceRight::Write).await?;
    if !is_enabled(&mut tx, "route_sharing").await? {
        return Err(ApiError::new(ErrorCode::FeatureDisabled, "Feature Disabled: route_sharing").into());
    }
    let refused = || {
        ApiError::unprocessable(format!(
            "Unable to transfer owner of route '{}' to space '{}'. Ensure the space exists and that you have access to it.",
            route.url(),
            body.data.guid
        ))
    };
    let target: SpaceGuid = body.data.parsed().ok_or_else(refused)?;
    if !access.has_in_space(&mut tx, SpaceRight::Write, target).await? {
        return Err(refused().into());
    }
    let organization = access.in_space(&mut tx, SpaceRight::Write, target, "Space").await?.organization;
    let domain = domains::find(&mut tx, route.domain).await?.ok_or_else(refused)?;
    if domain.organization.is_some_and(|owner| owner != organization) {
        return Err(ApiError::unprocessable(format!(
            "Unable to transfer owner of route '{}'. The target space may not use its domain.",
            route.url()
        ))
        .into());
    }
    route.space = target;
    routes::update(&mut tx, &mut route, controller.now()).await?;
    super::create::record(&controller, &mut tx, &access, "audit.route.transfer-owner", &route, organization).await?;
    tx.commit().await?;
    Ok(answer::ok(serde_json::json!({ "data": { "guid": target } })))
}
