//! Quotas of organizations. `None` is unlimited.

use crate::{
    Connection, Result,
    record::{self, Record, Values},
    row::Columns as _,
    select::{Listing, Page, Select, Visible},
};
use sqlx::any::AnyRow;
use virga_model::{OrgGuid, QuotaGuid, Timestamp};

/// One quota.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrganizationQuotaRow {
    /// Its guid.
    pub guid: QuotaGuid,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Unique.
    pub name: String,
    /// Memory of all started instances together, MB.
    pub total_memory_in_mb: Option<i64>,
    /// Memory of one instance, MB.
    pub per_process_memory_in_mb: Option<i64>,
    /// Started instances.
    pub total_instances: Option<i64>,
    /// Running tasks of one app.
    pub per_app_tasks: Option<i64>,
    /// Bytes of log per second of all instances together.
    pub log_rate_limit_in_bytes_per_second: Option<i64>,
    /// Whether services that cost money may be used.
    pub paid_services_allowed: bool,
    /// Service instances.
    pub total_service_instances: Option<i64>,
    /// Service keys.
    pub total_service_keys: Option<i64>,
    /// Routes.
    pub total_routes: Option<i64>,
    /// Routes with a port of their own.
    pub total_reserved_ports: Option<i64>,
    /// Private domains.
    pub total_domains: Option<i64>,
}

impl Record for OrganizationQuotaRow {
    record::head!(QuotaGuid);
    const TABLE: &'static str = "organization_quotas";
    const FIXED: &'static [&'static str] = &[];

    fn values(&self) -> Result<Values> {
        Ok(Values::new()
            .set("name", self.name.as_str())
            .set("total_memory_in_mb", self.total_memory_in_mb)
            .set("per_process_memory_in_mb", self.per_process_memory_in_mb)
            .set("total_instances", self.total_instances)
            .set("per_app_tasks", self.per_app_tasks)
            .set("log_rate_limit_in_bytes_per_second", self.log_rate_limit_in_bytes_per_second)
            .set("paid_services_allowed", self.paid_services_allowed)
            .set("total_service_instances", self.total_service_instances)
            .set("total_service_keys", self.total_service_keys)
            .set("total_routes", self.total_routes)
            .set("total_reserved_ports", self.total_reserved_ports)
            .set("total_domains", self.total_domains))
    }

    fn from_row(row: &AnyRow) -> Result<Self> {
        Ok(Self {
            guid: row.parsed("guid")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
            name: row.text("name")?,
            total_memory_in_mb: row.opt_int("total_memory_in_mb")?,
            per_process_memory_in_mb: row.opt_int("per_process_memory_in_mb")?,
            total_instances: row.opt_int("total_instances")?,
            per_app_tasks: row.opt_int("per_app_tasks")?,
            log_rate_limit_in_bytes_per_second: row.opt_int("log_rate_limit_in_bytes_per_second")?,
            paid_services_allowed: row.flag("paid_services_allowed")?,
            total_service_instances: row.opt_int("total_service_instances")?,
            total_service_keys: row.opt_int("total_service_keys")?,
            total_routes: row.opt_int("total_routes")?,
            total_reserved_ports: row.opt_int("total_reserved_ports")?,
            total_domains: row.opt_int("total_domains")?,
        })
    }
}

record::functions!(OrganizationQuotaRow);

/// The quota of this name.
///
/// # Errors
/// Those of the database.
pub async fn find_by_name(db: &mut Connection, name: &str) -> Result<Option<OrganizationQuotaRow>> {
    record::first(db, "WHERE name = $1", [name.into()]).await
}

/// The quota of an organization.
///
/// # Errors
/// Those of the database.
pub async fn of_organization(db: &mut Connection, organization: OrgGuid) -> Result<Option<OrganizationQuotaRow>> {
    record::first(db, "WHERE guid = (SELECT quota_guid FROM organizations WHERE guid = $1)", [organization.to_string().into()]).await
}

/// The organizations a quota applies to, among those the caller may see.
///
/// # Errors
/// Those of the database.
pub async fn organizations(db: &mut Connection, quota: QuotaGuid, visible: Visible) -> Result<Vec<OrgGuid>> {
    let mut select = Select::new("t.guid", "organizations t");
    select.and("t.quota_guid = ?", [quota.to_string().into()]).and_organization_visible("t.guid", visible);
    select.all(db, "t.created_at, t.guid", |row| row.parsed("guid")).await
}

/// A page of quotas: to a user, those of the organizations they see.
///
/// # Errors
/// Those of the database.
pub async fn list(
    db: &mut Connection,
    names: Option<&[String]>,
    organizations: Option<&[String]>,
    visible: Visible,
    listing: &Listing,
) -> Result<Page<OrganizationQuotaRow>> {
    let mut select = Select::new("t.*", "organization_quotas t");
    select.and_in_if("t.name", names).and_listing(listing);
    if let Some(organizations) = organizations {
        select.and_in("t.guid IN (SELECT quota_guid FROM organizations WHERE guid", organizations, ")");
    }
    let seen = "t.guid IN (SELECT o.quota_guid FROM organizations o JOIN roles r ON r.organization_guid = o.guid WHERE r.user_guid = ?)";
    select.and_visible(seen, visible, 1);
    select.page(db, listing, OrganizationQuotaRow::from_row).await
}
