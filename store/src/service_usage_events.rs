//! Which service instances there were, and since when.

use crate::{
    Connection, Result,
    row::{Columns as _, micros},
    select::{Listing, Page, Select},
};
use sqlx::any::AnyRow;
use virga_model::{EventGuid, Timestamp};

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

/// Deletes every event. There are no service instances to begin anew with.
///
/// # Errors
/// Those of the database.
pub async fn purge(db: &mut Connection) -> Result<()> {
    sqlx::query("DELETE FROM service_usage_events").execute(db).await?;
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
