//! Service instances: user-provided ones with their credentials, and those of brokers.

use crate::{
    Connection, Result, Sealed,
    metadata::Metadata,
    record::{self, Record, Values},
    row::Columns as _,
    select::{Listing, Page, Select, Visible},
};
use serde_json::Value;
use sqlx::any::AnyRow;
use virga_model::{
    ServiceBrokerGuid, ServiceInstanceGuid, ServicePlanGuid, SpaceGuid, Timestamp,
    service::{LastOperation, ServiceInstanceKind},
};

/// One service instance.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceInstanceRow {
    /// Its guid.
    pub guid: ServiceInstanceGuid,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed; also the generation that [`update`] checks.
    pub updated_at: Timestamp,
    /// Unique in its space.
    pub name: String,
    /// Where it lives.
    pub space: SpaceGuid,
    /// Who made what is behind it.
    pub kind: ServiceInstanceKind,
    /// The user's words for it.
    pub tags: Vec<String>,
    /// What a user-provided instance gives to those bound to it: a JSON object, sealed for [`place_of_credentials`].
    pub credentials: Option<Sealed>,
    /// Where log lines of bound apps go.
    pub syslog_drain_url: Option<String>,
    /// Where requests of bound routes go first.
    pub route_service_url: Option<String>,
    /// What a managed instance is an instance of.
    pub plan: Option<ServicePlanGuid>,
    /// Where people administer a managed instance.
    pub dashboard_url: Option<String>,
    /// The version of its plan that a managed instance has, as JSON.
    pub maintenance_info: Option<Value>,
    /// What was last done to it.
    pub last_operation: LastOperation,
    /// Labels and annotations.
    pub metadata: Metadata,
}

/// What the credentials of an instance are sealed for.
#[must_use]
pub fn place_of_credentials(instance: ServiceInstanceGuid) -> String {
    format!("service_instances/{instance}/credentials")
}

/// The columns of a last operation.
pub(crate) fn operation_values(values: Values, operation: &LastOperation) -> Values {
    values
        .set("operation_type", operation.kind.as_str())
        .set("operation_state", operation.state.as_str())
        .set("operation_description", operation.description.as_str())
        .set("operation_created_at", operation.created_at)
        .set("operation_updated_at", operation.updated_at)
}

/// From the same columns.
pub(crate) fn operation_from_row(row: &AnyRow) -> Result<LastOperation> {
    Ok(LastOperation {
        kind: row.parsed("operation_type")?,
        state: row.parsed("operation_state")?,
        description: row.text("operation_description")?,
        created_at: row.time("operation_created_at")?,
        updated_at: row.time("operation_updated_at")?,
    })
}

impl Record for ServiceInstanceRow {
    record::head!(ServiceInstanceGuid);
    const TABLE: &'static str = "service_instances";
    const FIXED: &'static [&'static str] = &["space_guid", "type"];

    fn values(&self) -> Result<Values> {
        let values = Values::new()
            .set("name", self.name.as_str())
            .word("space_guid", self.space)
            .set("type", self.kind.as_str())
            .json("tags", &self.tags)?
            .set("credentials", self.credentials.as_ref().map(|sealed| sealed.as_str().to_owned()))
            .set("syslog_drain_url", self.syslog_drain_url.clone())
            .set("route_service_url", self.route_service_url.clone())
            .opt_word("plan_guid", self.plan)
            .set("dashboard_url", self.dashboard_url.clone())
            .set("maintenance_info", self.maintenance_info.as_ref().map(ToString::to_string));
        operation_values(values, &self.last_operation).metadata(&self.metadata)
    }

    fn from_row(row: &AnyRow) -> Result<Self> {
        Ok(Self {
            guid: row.parsed("guid")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
            name: row.text("name")?,
            space: row.parsed("space_guid")?,
            kind: row.parsed("type")?,
            tags: row.json("tags")?,
            credentials: row.opt_text("credentials")?.map(Sealed::from_stored),
            syslog_drain_url: row.opt_text("syslog_drain_url")?,
            route_service_url: row.opt_text("route_service_url")?,
            plan: row.opt_parsed("plan_guid")?,
            dashboard_url: row.opt_text("dashboard_url")?,
            maintenance_info: row.opt_json("maintenance_info")?,
            last_operation: operation_from_row(row)?,
            metadata: Metadata::from_row(row)?,
        })
    }
}

record::functions!(ServiceInstanceRow);

/// Keeps an instance as it was read until the transaction ends, so that no binding is made of what is changed or deleted meanwhile.
///
/// # Errors
/// [`crate::StoreError::Conflict`] when it was changed or deleted since it was read; those of the database.
pub async fn hold(db: &mut Connection, instance: &ServiceInstanceRow) -> Result<()> {
    record::hold(db, instance).await
}

/// The instances of a plan, oldest first.
///
/// # Errors
/// Those of the database.
pub async fn list_of_plan(db: &mut Connection, plan: ServicePlanGuid) -> Result<Vec<ServiceInstanceRow>> {
    record::all(db, "WHERE plan_guid = $1 ORDER BY created_at, guid", [plan.to_string().into()]).await
}

/// Whether there is an instance of a plan.
///
/// # Errors
/// Those of the database.
pub async fn any_of_plan(db: &mut Connection, plan: ServicePlanGuid) -> Result<bool> {
    record::any::<ServiceInstanceRow>(db, "WHERE plan_guid = $1", [plan.to_string().into()]).await
}

/// Whether there is an instance of a plan of a broker.
///
/// # Errors
/// Those of the database.
pub async fn any_of_broker(db: &mut Connection, broker: ServiceBrokerGuid) -> Result<bool> {
    let condition = "WHERE plan_guid IN (SELECT p.guid FROM service_plans p JOIN service_offerings o ON o.guid = p.offering_guid \
                     WHERE o.broker_guid = $1)";
    record::any::<ServiceInstanceRow>(db, condition, [broker.to_string().into()]).await
}

/// The instance of this name in a space.
///
/// # Errors
/// Those of the database.
pub async fn find_by_name(db: &mut Connection, space: SpaceGuid, name: &str) -> Result<Option<ServiceInstanceRow>> {
    record::first(db, "WHERE space_guid = $1 AND name = $2", [space.to_string().into(), name.into()]).await
}

/// The instances of a space, oldest first.
///
/// # Errors
/// Those of the database.
pub async fn list_of_space(db: &mut Connection, space: SpaceGuid) -> Result<Vec<ServiceInstanceRow>> {
    record::all(db, "WHERE space_guid = $1 ORDER BY created_at, guid", [space.to_string().into()]).await
}

/// Every instance there is, oldest first.
///
/// # Errors
/// Those of the database.
pub async fn list_all(db: &mut Connection) -> Result<Vec<ServiceInstanceRow>> {
    record::all(db, "ORDER BY created_at, guid", []).await
}

/// Which instances a list is to hold; guids are texts, because what callers wrote may be none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceInstanceFilter {
    /// Of these names.
    pub names: Option<Vec<String>>,
    /// Of these kinds.
    pub kinds: Option<Vec<String>>,
    /// In these spaces, or shared with one.
    pub spaces: Option<Vec<String>>,
    /// In these organizations.
    pub organizations: Option<Vec<String>>,
    /// Of these plans.
    pub plans: Option<Vec<String>>,
    /// Of plans with these names.
    pub plan_names: Option<Vec<String>>,
}

/// `{}` stands for the list of spaces.
const IN_SPACES: &str =
    "t.space_guid IN ({}) OR t.guid IN (SELECT service_instance_guid FROM service_instance_shares WHERE space_guid IN ({}))";

/// That a user sees the space of the instance `t`, or one that it is shared with: any space role, or manager of its organization.
const SEEN: &str = "t.space_guid IN (SELECT space_guid FROM roles WHERE user_guid = ? AND space_guid IS NOT NULL \
     UNION SELECT s.guid FROM roles r JOIN spaces s ON s.organization_guid = r.organization_guid \
     WHERE r.user_guid = ? AND r.type = 'organization_manager') \
     OR t.guid IN (SELECT h.service_instance_guid FROM service_instance_shares h WHERE h.space_guid IN \
     (SELECT space_guid FROM roles WHERE user_guid = ? AND space_guid IS NOT NULL \
     UNION SELECT s.guid FROM roles r JOIN spaces s ON s.organization_guid = r.organization_guid \
     WHERE r.user_guid = ? AND r.type = 'organization_manager'))";

/// A page of the instances in spaces that the caller sees, and of those that are shared with one.
///
/// # Errors
/// Those of the database.
pub async fn list(
    db: &mut Connection,
    filter: &ServiceInstanceFilter,
    visible: Visible,
    listing: &Listing,
) -> Result<Page<ServiceInstanceRow>> {
    let mut select = Select::new("t.*", "service_instances t");
    select
        .and_in_if("t.name", filter.names.as_deref())
        .and_in_if("t.type", filter.kinds.as_deref())
        .and_visible(SEEN, visible, 4)
        .and_in_organizations_if("t.space_guid", filter.organizations.as_deref())
        .and_in_if("t.plan_guid", filter.plans.as_deref())
        .and_listing(listing);
    if let Some(spaces) = &filter.spaces {
        select.and_everywhere(IN_SPACES, spaces);
    }
    if let Some(names) = &filter.plan_names {
        select.and_in("t.plan_guid IN (SELECT guid FROM service_plans WHERE name", names, ")");
    }
    select.page(db, listing, ServiceInstanceRow::from_row).await
}
