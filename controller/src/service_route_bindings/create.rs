//! `POST /v3/service_route_bindings`.

use super::view::{record, view};
use crate::{
    Access, Controller, Result, SpaceRight, answer, audit_events::actor, metadata::MetadataPatch, request::ToOne,
    service_instances::permitted_or_shared,
};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use virga_contract::ApiError;
use virga_model::{
    RouteGuid, ServiceInstanceGuid, ServiceRouteBindingGuid,
    service::{LastOperation, OperationKind, ServiceInstanceKind},
};
use virga_serve::{
    Base, Json,
    axum::{extract::State, response::Response},
};
use virga_store::{
    Connection, domains, route_destinations,
    routes::{self, RouteRow},
    service_instances::{self, ServiceInstanceRow},
    service_route_bindings::{self as rows, ServiceRouteBindingRow},
};

/// Body of `POST /v3/service_route_bindings`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateRouteBinding {
    parameters: Option<Map<String, Value>>,
    relationships: RouteBindingRelationships,
    metadata: Option<MetadataPatch>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RouteBindingRelationships {
    service_instance: ToOne,
    route: ToOne,
}

/// Puts a service instance in the way of a route. Routers send requests there from the next snapshot on.
///
/// # Errors
/// 422 for an instance or route that is not there or in another space, for an instance that is no route service, for a route that has one, and for
/// internal and TCP routes; 403 for who may not manage the space's apps.
pub async fn create(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Json(body): Json<CreateRouteBinding>,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let instance = visible_instance(&mut tx, &access, &body.relationships.service_instance).await?;
    access.in_space(&mut tx, SpaceRight::Manage, instance.space, "Service instance").await?;
    let route = visible_route(&mut tx, &access, &body.relationships.route).await?;
    let refuse = |detail: &str| Err(ApiError::unprocessable(detail).into());
    if instance.kind == ServiceInstanceKind::Managed {
        return refuse("This service instance does not support route binding.");
    }
    let Some(url) = instance.route_service_url.clone().filter(|url| !url.is_empty()) else {
        return refuse("This service instance does not support route binding.");
    };
    if body.parameters.is_some_and(|parameters| !parameters.is_empty()) {
        return refuse("Binding parameters are not supported for user-provided service instances");
    }
    if route.space != instance.space {
        return refuse("The service instance and the route are in different spaces.");
    }
    if domains::find(&mut tx, route.domain).await?.is_some_and(|domain| domain.internal) {
        return refuse("Route services cannot be bound to internal routes.");
    }
    if route.port.is_some() {
        return refuse("Route services can only be bound to HTTP routes.");
    }
    // One at a time: nobody else binds this route, or deletes the instance.
    routes::lock(&mut tx, route.guid).await?;
    service_instances::hold(&mut tx, &instance).await?;
    match rows::find_of_route(&mut tx, route.guid).await? {
        Some(known) if known.instance == instance.guid => return refuse("The route and service instance are already bound."),
        Some(_) => return refuse("A route may only be bound to a single service instance"),
        None => {}
    }
    let now = controller.now();
    let binding = ServiceRouteBindingRow {
        guid: ServiceRouteBindingGuid::random(),
        created_at: now,
        updated_at: now,
        instance: instance.guid,
        route: route.guid,
        route_service_url: Some(url),
        last_operation: LastOperation::done(OperationKind::Create, now),
        metadata: MetadataPatch::create(body.metadata)?,
    };
    rows::insert(&mut tx, &binding).await?;
    // Routers are told what changed of destinations.
    route_destinations::touch(&mut tx, route.guid, now).await?;
    let relationships = json!({
        "route": { "data": { "guid": route.guid } },
        "service_instance": { "data": { "guid": instance.guid } },
    });
    let data = json!({ "request": { "relationships": relationships } });
    record(&controller, &mut tx, actor(&access), "create", &binding, data).await?;
    tx.commit().await?;
    controller.scheduler.nudge();
    Ok(answer::created(view(&base, &binding)))
}

async fn visible_instance(db: &mut Connection, access: &Access, wanted: &ToOne) -> Result<ServiceInstanceRow> {
    let named = wanted.data.as_ref().map(|data| data.guid.as_str()).unwrap_or_default();
    let missing = || ApiError::unprocessable(format!("The service instance could not be found: '{named}'"));
    let guid: ServiceInstanceGuid = wanted.parsed().ok_or_else(missing)?;
    match permitted_or_shared(db, access, guid).await {
        Err(error) if error.api().status() == StatusCode::NOT_FOUND => Err(missing().into()),
        found => found,
    }
}

async fn visible_route(db: &mut Connection, access: &Access, wanted: &ToOne) -> Result<RouteRow> {
    let named = wanted.data.as_ref().map(|data| data.guid.as_str()).unwrap_or_default();
    let missing = || ApiError::unprocessable(format!("The route could not be found: '{named}'"));
    let guid: RouteGuid = wanted.parsed().ok_or_else(missing)?;
    let route = routes::find(db, guid).await?.ok_or_else(missing)?;
    if !access.has_in_space(db, SpaceRight::See, route.space).await? {
        return Err(missing().into());
    }
    Ok(route)
}
