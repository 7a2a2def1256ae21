//! How a broker's catalog becomes rows: what is new is made, what is known follows, what is gone goes.

use super::record::by_broker;
use crate::{Controller, Result};
use std::collections::HashSet;
use virga_model::{ServiceOfferingGuid, ServicePlanGuid};
use virga_store::{
    Connection,
    metadata::Metadata,
    service_brokers::ServiceBrokerRow,
    service_instances,
    service_offerings::{self, OfferingCatalog, ServiceOfferingRow},
    service_plans::{self, PlanCatalog, ServicePlanRow},
};

/// An offering as the catalog has it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Offered {
    pub catalog_id: String,
    pub name: String,
    pub description: String,
    pub catalog: OfferingCatalog,
    pub plans: Vec<OfferedPlan>,
}

/// A plan as the catalog has it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct OfferedPlan {
    pub catalog_id: String,
    pub name: String,
    pub description: String,
    pub is_free: bool,
    pub catalog: PlanCatalog,
}

/// Makes the rows of a broker say what its catalog says.
///
/// # Errors
/// Those of the database.
pub(super) async fn synchronize(
    controller: &Controller,
    db: &mut Connection,
    broker: &ServiceBrokerRow,
    catalog: Vec<Offered>,
) -> Result<()> {
    let known = service_offerings::list_of_broker(db, broker.guid).await?;
    let offered: HashSet<String> = catalog.iter().map(|offered| offered.catalog_id.clone()).collect();
    for offered in catalog {
        let row = known.iter().find(|row| row.catalog_id == offered.catalog_id).cloned();
        let plans = offered.plans.clone();
        let offering = save_offering(controller, db, broker, row, offered).await?;
        synchronize_plans(controller, db, broker, offering, plans).await?;
    }
    for gone in known.into_iter().filter(|row| !offered.contains(&row.catalog_id)) {
        synchronize_plans(controller, db, broker, gone.guid, Vec::new()).await?;
        drop_offering(controller, db, broker, gone).await?;
    }
    Ok(())
}

async fn save_offering(
    controller: &Controller,
    db: &mut Connection,
    broker: &ServiceBrokerRow,
    known: Option<ServiceOfferingRow>,
    offered: Offered,
) -> Result<ServiceOfferingGuid> {
    let now = controller.now();
    let mut row = known.clone().unwrap_or_else(|| ServiceOfferingRow {
        guid: ServiceOfferingGuid::random(),
        created_at: now,
        updated_at: now,
        broker: broker.guid,
        catalog_id: offered.catalog_id.clone(),
        name: String::new(),
        description: String::new(),
        available: true,
        catalog: OfferingCatalog::default(),
        metadata: Metadata::default(),
    });
    (row.name, row.description, row.catalog) = (offered.name, offered.description, offered.catalog);
    row.available = !offered.plans.is_empty();
    let verb = match &known {
        None => {
            service_offerings::insert(db, &row).await?;
            "create"
        }
        Some(known) if *known == row => return Ok(row.guid),
        Some(_) => {
            service_offerings::update(db, &mut row, now).await?;
            "update"
        }
    };
    by_broker(controller, db, broker, ("service", verb), row.guid, &row.name).await?;
    Ok(row.guid)
}

async fn synchronize_plans(
    controller: &Controller,
    db: &mut Connection,
    broker: &ServiceBrokerRow,
    offering: ServiceOfferingGuid,
    plans: Vec<OfferedPlan>,
) -> Result<()> {
    let known = service_plans::list_of_offering(db, offering).await?;
    let offered: HashSet<String> = plans.iter().map(|plan| plan.catalog_id.clone()).collect();
    for plan in plans {
        let row = known.iter().find(|row| row.catalog_id == plan.catalog_id).cloned();
        save_plan(controller, db, broker, offering, row, plan).await?;
    }
    for gone in known.into_iter().filter(|row| !offered.contains(&row.catalog_id)) {
        drop_plan(controller, db, broker, gone).await?;
    }
    Ok(())
}

async fn save_plan(
    controller: &Controller,
    db: &mut Connection,
    broker: &ServiceBrokerRow,
    offering: ServiceOfferingGuid,
    known: Option<ServicePlanRow>,
    offered: OfferedPlan,
) -> Result<()> {
    let now = controller.now();
    let mut row = known.clone().unwrap_or_else(|| ServicePlanRow {
        guid: ServicePlanGuid::random(),
        created_at: now,
        updated_at: now,
        offering,
        catalog_id: offered.catalog_id.clone(),
        name: String::new(),
        description: String::new(),
        available: true,
        is_free: true,
        // Whoever runs the platform says who sees it; what the platform brings itself is there for everybody.
        is_public: broker.is_own,
        catalog: PlanCatalog::default(),
        metadata: Metadata::default(),
    });
    (row.name, row.description, row.catalog) = (offered.name, offered.description, offered.catalog);
    (row.available, row.is_free) = (true, offered.is_free);
    let verb = match &known {
        None => {
            service_plans::insert(db, &row).await?;
            "create"
        }
        Some(known) if *known == row => return Ok(()),
        Some(_) => {
            service_plans::update(db, &mut row, now).await?;
            "update"
        }
    };
    by_broker(controller, db, broker, ("service_plan", verb), row.guid, &row.name).await
}

/// A plan in use stays for its instances, and can be had no more.
async fn drop_plan(controller: &Controller, db: &mut Connection, broker: &ServiceBrokerRow, mut gone: ServicePlanRow) -> Result<()> {
    service_plans::hold(db, &gone).await?;
    if service_instances::any_of_plan(db, gone.guid).await? {
        if gone.available {
            gone.available = false;
            service_plans::update(db, &mut gone, controller.now()).await?;
            by_broker(controller, db, broker, ("service_plan", "update"), gone.guid, &gone.name).await?;
        }
        return Ok(());
    }
    service_plans::hide_from_all(db, gone.guid).await?;
    service_plans::delete(db, gone.guid).await?;
    by_broker(controller, db, broker, ("service_plan", "delete"), gone.guid, &gone.name).await
}

/// An offering with plans in use stays as long as they.
async fn drop_offering(
    controller: &Controller,
    db: &mut Connection,
    broker: &ServiceBrokerRow,
    mut gone: ServiceOfferingRow,
) -> Result<()> {
    if !service_plans::list_of_offering(db, gone.guid).await?.is_empty() {
        if gone.available {
            gone.available = false;
            service_offerings::update(db, &mut gone, controller.now()).await?;
            by_broker(controller, db, broker, ("service", "update"), gone.guid, &gone.name).await?;
        }
        return Ok(());
    }
    service_offerings::delete(db, gone.guid).await?;
    by_broker(controller, db, broker, ("service", "delete"), gone.guid, &gone.name).await
}
