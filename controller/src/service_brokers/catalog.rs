//! Asking a broker for its catalog.

use super::synchronize::{Offered, OfferedPlan};
use crate::{Controller, Result};
use serde_json::{Map, Value, json};
use virga_broker::{
    BrokerClient, BrokerLogin,
    catalog::{Plan, Schemas, Service},
};
use virga_contract::ApiError;
use virga_model::UserGuid;
use virga_serve::Secret;
use virga_store::{
    service_brokers::{ServiceBrokerRow, place_of_password},
    service_offerings::OfferingCatalog,
    service_plans::PlanCatalog,
};

/// A client of a broker, on behalf of a user.
///
/// # Errors
/// 502 where the broker is at an address that brokers may not be at; those of the seal.
pub(crate) fn client(controller: &Controller, broker: &ServiceBrokerRow, user: Option<UserGuid>) -> Result<BrokerClient> {
    let invalid = |error| ApiError::unprocessable(format!("{error}"));
    let login = BrokerLogin {
        url: broker.url.parse().map_err(|error: virga_broker::InvalidBrokerUrl| invalid(error))?,
        username: broker.username.clone(),
        password: Secret::new(controller.store.unseal(place_of_password(broker.guid), &broker.password)?),
        space_scoped: broker.space.is_some(),
        is_own: broker.is_own,
    };
    Ok(controller.brokers.client(login, user).map_err(ApiError::from)?)
}

/// What the broker offers.
///
/// # Errors
/// What is wrong with the broker or its catalog.
pub(super) async fn read(controller: &Controller, broker: &ServiceBrokerRow, user: Option<UserGuid>) -> Result<Vec<Offered>> {
    let catalog = client(controller, broker, user)?.catalog().await.map_err(ApiError::from)?;
    Ok(catalog.services.into_iter().map(offered).collect())
}

fn offered(service: Service) -> Offered {
    let (bindable, updateable) = (service.bindable, service.plan_updateable);
    Offered {
        plans: service.plans.into_iter().map(|plan| offered_plan(plan, bindable, updateable)).collect(),
        catalog_id: service.id,
        name: service.name,
        description: service.description,
        catalog: OfferingCatalog {
            tags: service.tags,
            requires: service.requires,
            metadata: service.metadata.unwrap_or_default(),
            bindable,
            plan_updateable: updateable,
            instances_retrievable: service.instances_retrievable,
            bindings_retrievable: service.bindings_retrievable,
            allow_context_updates: service.allow_context_updates,
        },
    }
}

/// A plan that does not say whether it can be bound or left is as its offering.
fn offered_plan(plan: Plan, bindable: bool, updateable: bool) -> OfferedPlan {
    OfferedPlan {
        catalog_id: plan.id,
        name: plan.name,
        description: plan.description,
        is_free: plan.free,
        catalog: PlanCatalog {
            metadata: plan.metadata.unwrap_or_default(),
            bindable: plan.bindable.unwrap_or(bindable),
            plan_updateable: plan.plan_updateable.unwrap_or(updateable),
            maximum_polling_duration: plan.maximum_polling_duration,
            maintenance_info: plan.maintenance_info.map(|info| json!(info)),
            schemas: schemas(plan.schemas),
        },
    }
}

fn schemas(schemas: Schemas) -> Value {
    let of = |schema: Option<Map<String, Value>>| json!({ "parameters": schema.unwrap_or_default() });
    json!({
        "service_instance": { "create": of(schemas.instance_create), "update": of(schemas.instance_update) },
        "service_binding": { "create": of(schemas.binding_create) },
    })
}
