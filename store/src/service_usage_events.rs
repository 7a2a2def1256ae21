//! Which service instances there were, and since when.

use crate::{
    Connection, Result,
    row::{Columns as _, micros},
    select::{Listing, Page, Select},
    service_instances::{self, ServiceInstanceRow},
    spaces,
};
use sqlx::any::AnyRow;
use virga_model::{EventGuid, Timestamp, service::ServiceInstanceKind};

/// One event. Guids are texts: what they name may be long gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceUsageEventRow {
    /// Its guid.
    pub guid: EventGuid,
    /// Later than that of every event before.
    pub created_at: Timestamp,
    /// `CREATED`, `UPDATED`, `DELETED`.
    pub state: String,
    /// Guid and name of the space.
    pub space: (String, String),
    /// Guid of the organization.
    pub organization: String,
    /// Guid, name and type of the instance.
    pub instance: (String, String, String),
    /// Guid and name of the plan.
    pub plan: (Option<String>, Option<String>),
    /// Guid and name of the offering.
    pub offering: (Option<String>, Option<String>),
    /// Guid and name of the broker.
    pub broker: (Option<String>, Option<String>),
}

impl ServiceUsageEventRow {
    fn from_row(row: &AnyRow) -> Result<Self> {
        Ok(Self {
            guid: row.parsed("guid")?,
            created_at: row.time("created_at")?,
            state: row.text("state")?,
            space: (row.text("space_guid")?, row.text("space_name")?),
            organization: row.text("organization_guid")?,
            instance: (row.text("service_instance_guid")?, row.text("service_instance_name")?, row.text("service_instance_type")?),
            plan: (row.opt_text("service_plan_guid")?, row.opt_text("service_plan_name")?),
            offering: (row.opt_text("service_offering_guid")?, row.opt_text("service_offering_name")?),
            broker: (row.opt_text("service_broker_guid")?, row.opt_text("service_broker_name")?),
        })
    }
}

/// One event.
///
/// # Errors
/// Those of the database.
pub async fn find(db: &mut Connection, guid: EventGuid) -> Result<Option<ServiceUsageEventRow>> {
    let row = sqlx::query("SELECT * FROM service_usage_events WHERE guid = $1").bind(guid.to_string()).fetch_optional(db).await?;
    row.as_ref().map(ServiceUsageEventRow::from_row).transpose()
}

/// Which events a list is to hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceUsageFilter {
    /// Of instances of these types.
    pub types: Option<Vec<String>>,
    /// Of these offerings.
    pub offerings: Option<Vec<String>>,
    /// Later than this one.
    pub after: Option<ServiceUsageEventRow>,
}

/// A page of events.
///
/// # Errors
/// Those of the database.
pub async fn list(db: &mut Connection, filter: &ServiceUsageFilter, listing: &Listing) -> Result<Page<ServiceUsageEventRow>> {
    let mut select = Select::new("t.*", "service_usage_events t");
    select
        .and_in_if("t.service_instance_type", filter.types.as_deref())
        .and_in_if("t.service_offering_guid", filter.offerings.as_deref())
        .and_listing(listing);
    if let Some(after) = &filter.after {
        select.and_after(after.created_at, &after.guid.to_string());
    }
    select.page(db, listing, ServiceUsageEventRow::from_row).await
}

/// Writes what happened (`CREATED`, `UPDATED`, `DELETED`) to an instance whose row is there. A changed name is that of the row given.
///
/// # Errors
/// Those of the database.
pub async fn note(db: &mut Connection, instance: &ServiceInstanceRow, state: &str, now: Timestamp) -> Result<()> {
    let Some(space) = spaces::find(db, instance.space).await? else { return Ok(()) };
    let kind = match instance.kind {
        ServiceInstanceKind::Managed => "managed_service_instance",
        ServiceInstanceKind::UserProvided => "user_provided_service_instance",
    };
    let [plan, offering, broker] = provider(db, instance).await?;
    let last = sqlx::query("SELECT MAX(created_at) AS last FROM service_usage_events").fetch_one(&mut *db).await?.opt_int("last")?;
    // Readers go on after the last event they saw: no later one may come before it.
    let created_at = last.map_or(micros(now), |last| micros(now).max(last.saturating_add(1)));
    sqlx::query(
        "INSERT INTO service_usage_events (guid, created_at, state, space_guid, space_name, organization_guid, service_instance_guid, \
         service_instance_name, service_instance_type, service_plan_guid, service_plan_name, service_offering_guid, \
         service_offering_name, service_broker_guid, service_broker_name) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
    )
    .bind(EventGuid::random().to_string())
    .bind(created_at)
    .bind(state.to_owned())
    .bind(space.guid.to_string())
    .bind(space.name)
    .bind(space.organization.to_string())
    .bind(instance.guid.to_string())
    .bind(instance.name.clone())
    .bind(kind)
    .bind(plan.0)
    .bind(plan.1)
    .bind(offering.0)
    .bind(offering.1)
    .bind(broker.0)
    .bind(broker.1)
    .execute(db)
    .await?;
    Ok(())
}

/// Guid and name.
type Named = (Option<String>, Option<String>);

/// The plan, offering and broker of an instance that has them.
async fn provider(db: &mut Connection, instance: &ServiceInstanceRow) -> Result<[Named; 3]> {
    let sql = "SELECT p.guid AS plan_guid, p.name AS plan_name, o.guid AS offering_guid, o.name AS offering_name, \
               b.guid AS broker_guid, b.name AS broker_name FROM service_plans p \
               JOIN service_offerings o ON o.guid = p.offering_guid JOIN service_brokers b ON b.guid = o.broker_guid WHERE p.guid = $1";
    let Some(plan) = instance.plan else { return Ok(Default::default()) };
    let Some(row) = sqlx::query(sql).bind(plan.to_string()).fetch_optional(db).await? else { return Ok(Default::default()) };
    let named = |guid, name| Ok::<_, crate::StoreError>((row.opt_text(guid)?, row.opt_text(name)?));
    Ok([named("plan_guid", "plan_name")?, named("offering_guid", "offering_name")?, named("broker_guid", "broker_name")?])
}

/// Deletes every event and begins anew with one for each instance there is.
///
/// # Errors
/// Those of the database.
pub async fn purge(db: &mut Connection, now: Timestamp) -> Result<()> {
    sqlx::query("DELETE FROM service_usage_events").execute(&mut *db).await?;
    for instance in service_instances::list_all(db).await? {
        note(db, &instance, "CREATED", now).await?;
    }
    Ok(())
}

/// Deletes events older than `before`; how many.
///
/// # Errors
/// Those of the database.
pub async fn delete_older(db: &mut Connection, before: Timestamp) -> Result<u64> {
    let query = sqlx::query("DELETE FROM service_usage_events WHERE created_at < $1").bind(micros(before));
    Ok(query.execute(db).await?.rows_affected())
}
