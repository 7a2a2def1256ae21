//! Changing and deleting offerings.

use super::{read::seen, view};
use crate::{
    Access, Controller, Result, SpaceRight, answer,
    audit_events::{self, Event},
    metadata::MetadataPatch,
    service_instances::purge,
};
use serde::Deserialize;
use serde_json::{Value, json};
use virga_contract::ApiError;
use virga_model::ServiceOfferingGuid;
use virga_serve::{
    Base, Json, Path, Query,
    axum::{extract::State, response::Response},
};
use virga_store::{
    Connection, service_brokers, service_instances,
    service_offerings::{self as rows, ServiceOfferingRow},
    service_plans,
};

/// Body of `PATCH /v3/service_offerings/:guid`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpdateServiceOffering {
    metadata: Option<MetadataPatch>,
}

/// An offering for a caller who may change it: an administrator, or a developer of the space of its broker.
async fn writable(db: &mut Connection, access: &Access, guid: ServiceOfferingGuid) -> Result<ServiceOfferingRow> {
    let offering = seen(db, access, guid).await?;
    match service_brokers::find(db, offering.broker).await?.and_then(|broker| broker.space) {
        Some(space) => drop(access.in_space(db, SpaceRight::Write, space, "Service offering").await?),
        None => access.admin()?,
    }
    Ok(offering)
}

/// `PATCH /v3/service_offerings/:guid`: labels and annotations.
///
/// # Errors
/// 404, 403, 422.
pub async fn update(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<ServiceOfferingGuid>,
    Json(body): Json<UpdateServiceOffering>,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let mut offering = writable(&mut tx, &access, guid).await?;
    if let Some(patch) = body.metadata {
        patch.apply(&mut offering.metadata)?;
    }
    rows::update(&mut tx, &mut offering, controller.now()).await?;
    tx.commit().await?;
    Ok(answer::ok(view(&base, &offering)))
}

/// Parameters of `DELETE /v3/service_offerings/:guid`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeleteQuery {
    /// With its plans and all that was made of them, without asking the broker.
    #[serde(default)]
    purge: bool,
}

/// `DELETE /v3/service_offerings/:guid`.
///
/// # Errors
/// 404, 403, 422 while it has plans, but for `purge=true`.
pub async fn delete(
    State(controller): State<Controller>,
    access: Access,
    Path(guid): Path<ServiceOfferingGuid>,
    Query(query): Query<DeleteQuery>,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let offering = writable(&mut tx, &access, guid).await?;
    for plan in service_plans::list_of_offering(&mut tx, guid).await? {
        if !query.purge {
            return Err(ApiError::unprocessable("Please delete the service_plans associations for your services.").into());
        }
        for instance in service_instances::list_of_plan(&mut tx, plan.guid).await? {
            purge(&controller, &mut tx, &access, &instance).await?;
        }
        service_plans::hide_from_all(&mut tx, plan.guid).await?;
        service_plans::delete(&mut tx, plan.guid).await?;
    }
    rows::delete(&mut tx, guid).await?;
    let data = if query.purge { json!({ "request": { "purge": true } }) } else { json!({}) };
    record(&controller, &mut tx, &access, &offering, data).await?;
    tx.commit().await?;
    Ok(answer::no_content())
}

async fn record(controller: &Controller, db: &mut Connection, access: &Access, offering: &ServiceOfferingRow, data: Value) -> Result<()> {
    let event = Event {
        kind: "audit.service.delete",
        target_kind: "service",
        target: offering.guid.to_string(),
        target_name: &offering.name,
        data,
        space: None,
        organization: None,
    };
    audit_events::record(controller, db, access, event).await
}
