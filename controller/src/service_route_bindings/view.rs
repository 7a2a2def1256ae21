//! A route binding as JSON, and its audit events.

use crate::{
    Controller, Result,
    answer::{link, metadata, time, to_one},
    audit_events::{self, Event},
    service_instances::operation,
};
use serde_json::{Value, json};
use virga_serve::Base;
use virga_store::{Connection, audit_events::EventParty, service_instances, service_route_bindings::ServiceRouteBindingRow, spaces};

/// The binding as the v3 API shows it.
pub(super) fn view(base: &Base, binding: &ServiceRouteBindingRow) -> Value {
    let guid = binding.guid;
    json!({
        "guid": guid,
        "created_at": time(binding.created_at),
        "updated_at": time(binding.updated_at),
        "route_service_url": binding.route_service_url,
        "last_operation": operation(&binding.last_operation),
        "metadata": metadata(&binding.metadata),
        "relationships": { "service_instance": to_one(Some(binding.instance)), "route": to_one(Some(binding.route)) },
        "links": {
            "self": link(base, format_args!("/v3/service_route_bindings/{guid}")),
            "service_instance": link(base, format_args!("/v3/service_instances/{}", binding.instance)),
            "route": link(base, format_args!("/v3/routes/{}", binding.route)),
            "parameters": link(base, format_args!("/v3/service_route_bindings/{guid}/parameters")),
        },
    })
}

/// Records what was done to a binding: `create`, `update`, `delete`.
pub(super) async fn record(
    controller: &Controller,
    db: &mut Connection,
    actor: EventParty,
    verb: &str,
    binding: &ServiceRouteBindingRow,
    data: Value,
) -> Result<()> {
    let instance = service_instances::find(db, binding.instance).await?;
    let space = match instance {
        Some(instance) => spaces::find(db, instance.space).await?,
        None => None,
    };
    let event = Event {
        kind: &format!("audit.service_route_binding.{verb}"),
        target_kind: "service_route_binding",
        target: binding.guid.to_string(),
        target_name: "",
        data,
        space: space.as_ref().map(|space| space.guid),
        organization: space.as_ref().map(|space| space.organization),
    };
    audit_events::record_by(controller, db, actor, event).await
}
