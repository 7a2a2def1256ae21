//! Updating routes.

use super::{
    create::record,
    options::{changed_options, check_options},
    read::permitted,
    view,
};
use crate::{Access, Controller, Result, SpaceRight, answer, metadata::MetadataPatch};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use virga_model::RouteGuid;
use virga_serve::{
    Base, Json, Path,
    axum::{extract::State, response::Response},
};
use virga_store::{route_destinations, routes};

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
    let (mut route, organization) = permitted(&mut tx, &access, guid, SpaceRight::Manage).await?;
    if let Some(change) = body.options {
        let change = check_options(&mut tx, Some(Value::Object(change))).await?;
        route.options = changed_options(route.options.take(), change)?;
        // Routers are told what changed of destinations.
        route_destinations::touch(&mut tx, guid, controller.now()).await?;
    }
    body.metadata.unwrap_or_default().apply(&mut route.metadata)?;
    routes::update(&mut tx, &mut route, controller.now()).await?;
    let data = json!({ "request": { "options": route.options } });
    record(&controller, &mut tx, &access, "audit.route.update", &route, organization, data).await?;
    let destinations = route_destinations::list_of_routes(&mut tx, &[guid]).await?;
    tx.commit().await?;
    controller.scheduler.nudge();
    Ok(answer::ok(view(&base, &route, &destinations)))
}
