//! `/v3/service_usage_events`.

use super::{after, listing};
use crate::{
    Access, Controller, Result, answer,
    list::{ListRequest, ListSpec},
};
use serde_json::{Value, json};
use virga_contract::ApiError;
use virga_model::EventGuid;
use virga_serve::{
    Base, Path,
    axum::{extract::State, response::Response},
};
use virga_store::service_usage_events::{self, ServiceUsageEventRow, ServiceUsageFilter};

const LIST: ListSpec = ListSpec::new(&["after_guid", "service_instance_types", "service_offering_guids"]).without_labels();

fn view(base: &Base, event: &ServiceUsageEventRow) -> Value {
    json!({
        "guid": event.guid,
        "created_at": answer::time(event.created_at),
        "updated_at": answer::time(event.created_at),
        "state": event.state,
        "space": { "guid": event.space.0, "name": event.space.1 },
        "organization": { "guid": event.organization },
        "service_instance": { "guid": event.instance.0, "name": event.instance.1, "type": event.instance.2 },
        "service_plan": { "guid": event.plan.0, "name": event.plan.1 },
        "service_offering": { "guid": event.offering.0, "name": event.offering.1 },
        "service_broker": { "guid": event.broker.0, "name": event.broker.1 },
        "links": { "self": answer::link(base, format_args!("/v3/service_usage_events/{}", event.guid)) },
    })
}

/// `GET /v3/service_usage_events`; empty for who may not read everything.
///
/// # Errors
/// 400 for parameters that are not right, 422 for an `after_guid` that names no event.
pub async fn list(State(controller): State<Controller>, access: Access, request: ListRequest) -> Result<Response> {
    let query = request.parse(&LIST)?;
    if !access.reads_all() {
        return Ok(answer::ok(query.paginated(0, Vec::new())));
    }
    let mut db = controller.store.read().await?;
    let after = after(&query, "service", async |guid| service_usage_events::find(&mut db, guid).await).await?;
    let (types, offerings) = (query.values("service_instance_types"), query.values("service_offering_guids"));
    let page = service_usage_events::list(&mut db, &ServiceUsageFilter { types, offerings, after }, &listing(&query)).await?;
    Ok(answer::ok(query.render(&page, |event| view(&query.base, event))))
}

/// `GET /v3/service_usage_events/:guid`.
///
/// # Errors
/// 404, also for who may not read everything.
pub async fn show(State(controller): State<Controller>, access: Access, base: Base, Path(guid): Path<EventGuid>) -> Result<Response> {
    let found = match access.reads_all() {
        true => service_usage_events::find(&mut *controller.store.read().await?, guid).await?,
        false => None,
    };
    Ok(answer::ok(view(&base, &found.ok_or_else(|| ApiError::not_found("Service usage event"))?)))
}

/// `POST /v3/service_usage_events/actions/destructively_purge_all_and_reseed`.
///
/// # Errors
/// 403.
pub async fn purge_and_reseed(State(controller): State<Controller>) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    service_usage_events::purge(&mut tx, controller.now()).await?;
    tx.commit().await?;
    Ok(answer::ok(json!({})))
}
