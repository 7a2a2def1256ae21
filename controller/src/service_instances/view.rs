//! A service instance as JSON. Its credentials have an endpoint of their own.

use crate::answer::{link, metadata, time, to_one};
use serde_json::{Value, json};
use virga_model::service::LastOperation;
use virga_serve::Base;
use virga_store::service_instances::ServiceInstanceRow;

/// The instance as the v3 API shows it.
#[must_use]
pub fn view(base: &Base, instance: &ServiceInstanceRow) -> Value {
    let guid = instance.guid;
    json!({
        "guid": guid,
        "created_at": time(instance.created_at),
        "updated_at": time(instance.updated_at),
        "name": instance.name,
        "tags": instance.tags,
        "last_operation": operation(&instance.last_operation),
        "type": instance.kind,
        "syslog_drain_url": instance.syslog_drain_url,
        "route_service_url": instance.route_service_url,
        "relationships": { "space": to_one(Some(instance.space)) },
        "metadata": metadata(&instance.metadata),
        "links": {
            "self": link(base, format_args!("/v3/service_instances/{guid}")),
            "space": link(base, format_args!("/v3/spaces/{}", instance.space)),
            "service_credential_bindings": link(base, format_args!("/v3/service_credential_bindings?service_instance_guids={guid}")),
            "service_route_bindings": link(base, format_args!("/v3/service_route_bindings?service_instance_guids={guid}")),
            "credentials": link(base, format_args!("/v3/service_instances/{guid}/credentials")),
        },
    })
}

/// `last_operation`.
pub(crate) fn operation(operation: &LastOperation) -> Value {
    json!({
        "type": operation.kind,
        "state": operation.state,
        "description": operation.description,
        "created_at": time(operation.created_at),
        "updated_at": time(operation.updated_at),
    })
}
