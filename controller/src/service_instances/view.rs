//! A service instance as JSON. Its credentials have an endpoint of their own.

use crate::{
    Result,
    answer::{link, metadata, time, to_one},
};
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};
use virga_model::{
    ServicePlanGuid,
    service::{LastOperation, ServiceInstanceKind},
};
use virga_serve::Base;
use virga_store::{
    Connection,
    select::{Listing, Visible},
    service_instances::ServiceInstanceRow,
    service_plans::{self, ServicePlanFilter, ServicePlanRow},
};

/// The instance as the v3 API shows it, with its plan if it has one.
pub(super) fn view(base: &Base, instance: &ServiceInstanceRow, plan: Option<&ServicePlanRow>) -> Value {
    match instance.kind {
        ServiceInstanceKind::Managed => managed(base, instance, plan),
        ServiceInstanceKind::UserProvided => user_provided(base, instance),
    }
}

fn user_provided(base: &Base, instance: &ServiceInstanceRow) -> Value {
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

fn managed(base: &Base, instance: &ServiceInstanceRow, plan: Option<&ServicePlanRow>) -> Value {
    let guid = instance.guid;
    let version = |info: Option<&Value>| info.and_then(|info| info.get("version")).cloned();
    let offered = version(plan.and_then(|plan| plan.catalog.maintenance_info.as_ref()));
    let is_upgrade = offered.is_some() && offered != version(instance.maintenance_info.as_ref());
    let plan = instance.plan.map(|plan| plan.to_string()).unwrap_or_default();
    json!({
        "guid": guid,
        "created_at": time(instance.created_at),
        "updated_at": time(instance.updated_at),
        "name": instance.name,
        "tags": instance.tags,
        "last_operation": operation(&instance.last_operation),
        "type": instance.kind,
        "maintenance_info": instance.maintenance_info.clone().unwrap_or_else(|| json!({})),
        "upgrade_available": is_upgrade,
        "dashboard_url": instance.dashboard_url,
        "relationships": { "space": to_one(Some(instance.space)), "service_plan": to_one(instance.plan) },
        "metadata": metadata(&instance.metadata),
        "links": {
            "self": link(base, format_args!("/v3/service_instances/{guid}")),
            "space": link(base, format_args!("/v3/spaces/{}", instance.space)),
            "service_credential_bindings": link(base, format_args!("/v3/service_credential_bindings?service_instance_guids={guid}")),
            "service_route_bindings": link(base, format_args!("/v3/service_route_bindings?service_instance_guids={guid}")),
            "service_plan": link(base, format_args!("/v3/service_plans/{plan}")),
            "parameters": link(base, format_args!("/v3/service_instances/{guid}/parameters")),
            "shared_spaces": link(base, format_args!("/v3/service_instances/{guid}/relationships/shared_spaces")),
        },
    })
}

/// Instances as the v3 API shows them.
///
/// # Errors
/// Those of the database.
pub(crate) async fn views(db: &mut Connection, base: &Base, instances: &[ServiceInstanceRow]) -> Result<Vec<Value>> {
    let plans = plans_of(db, instances).await?;
    Ok(instances.iter().map(|instance| view(base, instance, instance.plan.and_then(|plan| plans.get(&plan)))).collect())
}

/// The plans of these instances. Who sees an instance is told of its plan.
pub(super) async fn plans_of(db: &mut Connection, instances: &[ServiceInstanceRow]) -> Result<HashMap<ServicePlanGuid, ServicePlanRow>> {
    let guids: BTreeSet<String> = instances.iter().filter_map(|instance| instance.plan).map(|plan| plan.to_string()).collect();
    if guids.is_empty() {
        return Ok(HashMap::new());
    }
    let listing = Listing { guids: Some(guids.into_iter().collect()), ..Listing::everything() };
    let page = service_plans::list(db, &ServicePlanFilter::default(), Visible::All, &listing).await?;
    Ok(page.rows.into_iter().map(|plan| (plan.guid, plan)).collect())
}

/// The plan of an instance that has one.
pub(super) async fn plan_of(db: &mut Connection, instance: &ServiceInstanceRow) -> Result<Option<ServicePlanRow>> {
    match instance.plan {
        Some(plan) => Ok(service_plans::find(db, plan).await?),
        None => Ok(None),
    }
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
