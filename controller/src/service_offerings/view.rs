//! An offering as JSON.

use crate::answer::{link, metadata, time, to_one};
use serde_json::{Value, json};
use virga_serve::Base;
use virga_store::service_offerings::ServiceOfferingRow;

/// The offering as the v3 API shows it.
pub(crate) fn view(base: &Base, offering: &ServiceOfferingRow) -> Value {
    let (guid, catalog) = (offering.guid, &offering.catalog);
    json!({
        "guid": guid,
        "created_at": time(offering.created_at),
        "updated_at": time(offering.updated_at),
        "name": offering.name,
        "description": offering.description,
        "available": offering.available,
        "tags": catalog.tags,
        "requires": catalog.requires,
        "shareable": catalog.metadata.get("shareable") == Some(&Value::Bool(true)),
        "documentation_url": catalog.metadata.get("documentationUrl").and_then(Value::as_str).unwrap_or_default(),
        "broker_catalog": {
            "id": offering.catalog_id,
            "metadata": catalog.metadata,
            "features": {
                "plan_updateable": catalog.plan_updateable,
                "bindable": catalog.bindable,
                "instances_retrievable": catalog.instances_retrievable,
                "bindings_retrievable": catalog.bindings_retrievable,
                "allow_context_updates": catalog.allow_context_updates,
            },
        },
        "relationships": { "service_broker": to_one(Some(offering.broker)) },
        "metadata": metadata(&offering.metadata),
        "links": {
            "self": link(base, format_args!("/v3/service_offerings/{guid}")),
            "service_plans": link(base, format_args!("/v3/service_plans?service_offering_guids={guid}")),
            "service_broker": link(base, format_args!("/v3/service_brokers/{}", offering.broker)),
        },
    })
}
