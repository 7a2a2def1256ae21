//! Whose plan an instance is of, and what that broker is told.

use crate::{Controller, Result, service_brokers};
use std::collections::BTreeMap;
use virga_broker::{BrokerClient, Context, PlanIds, catalog::MaintenanceInfo};
use virga_contract::ApiError;
use virga_model::{ServicePlanGuid, SpaceGuid, UserGuid};
use virga_store::{
    Connection,
    metadata::Metadata,
    organizations,
    service_brokers::{self as broker_rows, ServiceBrokerRow},
    service_instances::ServiceInstanceRow,
    service_offerings::{self, ServiceOfferingRow},
    service_plans::{self, ServicePlanRow},
    spaces,
};

/// A plan, its offering, and the broker of both.
#[derive(Debug, Clone)]
pub(crate) struct Provider {
    pub plan: ServicePlanRow,
    pub offering: ServiceOfferingRow,
    pub broker: ServiceBrokerRow,
}

impl Provider {
    /// Of a plan.
    ///
    /// # Errors
    /// 404 for a plan that is gone; those of the database.
    pub async fn of_plan(db: &mut Connection, plan: ServicePlanGuid) -> Result<Self> {
        let gone = || ApiError::not_found("Service plan");
        let plan = service_plans::find(db, plan).await?.ok_or_else(gone)?;
        let offering = service_offerings::find(db, plan.offering).await?.ok_or_else(gone)?;
        let broker = broker_rows::find(db, offering.broker).await?.ok_or_else(gone)?;
        Ok(Self { plan, offering, broker })
    }

    /// Of an instance that has a plan.
    ///
    /// # Errors
    /// 404 for a plan that is gone; those of the database.
    pub async fn of(db: &mut Connection, instance: &ServiceInstanceRow) -> Result<Self> {
        let plan = instance.plan.ok_or_else(|| ApiError::internal("a managed service instance without a plan"))?;
        Self::of_plan(db, plan).await
    }

    /// The plan as its broker knows it.
    pub fn ids(&self) -> PlanIds {
        PlanIds { service: self.offering.catalog_id.clone(), plan: self.plan.catalog_id.clone() }
    }

    /// The version of the plan, where it has one.
    pub fn maintenance_info(&self) -> Option<MaintenanceInfo> {
        maintenance_info(self.plan.catalog.maintenance_info.as_ref())
    }

    /// The client of the broker, on behalf of a user.
    ///
    /// # Errors
    /// 502 where the broker is at an address that brokers may not be at; those of the seal.
    pub fn client(&self, controller: &Controller, user: Option<UserGuid>) -> Result<BrokerClient> {
        service_brokers::client(controller, &self.broker, user)
    }
}

/// As it is kept in rows.
pub(crate) fn maintenance_info(kept: Option<&serde_json::Value>) -> Option<MaintenanceInfo> {
    kept.and_then(|kept| serde_json::from_value(kept.clone()).ok())
}

/// Annotations that brokers are told: those with a prefix, which says whom they are for.
pub(crate) fn told(metadata: &Metadata) -> BTreeMap<String, String> {
    metadata.annotations.iter().filter(|(key, _)| key.contains('/')).map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Where something lives, as brokers are told. The instance's name and annotations are the caller's to add.
///
/// # Errors
/// 404 for a space that is gone; those of the database.
pub(crate) async fn context(db: &mut Connection, space: SpaceGuid) -> Result<Context> {
    let space = spaces::find(db, space).await?.ok_or_else(|| ApiError::not_found("Space"))?;
    let organization = organizations::find(db, space.organization).await?.ok_or_else(|| ApiError::not_found("Organization"))?;
    Ok(Context {
        organization: organization.guid,
        organization_annotations: told(&organization.metadata),
        organization_name: organization.name,
        space: space.guid,
        space_annotations: told(&space.metadata),
        space_name: space.name,
        instance_name: None,
        instance_annotations: None,
    })
}
