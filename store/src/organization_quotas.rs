//! Quotas of organizations. `None` is unlimited.

use crate::{
    Connection, Result,
    row::{Columns as _, micros, truth},
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

impl OrganizationQuotaRow {
    /// From a row with every column.
    ///
    /// # Errors
    /// [`crate::StoreError::Corrupt`].
    pub fn from_row(row: &AnyRow) -> Result<Self> {
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

/// Writes a quota, new or changed.
///
/// # Errors
/// [`crate::StoreError::Unique`] `organization_quotas_name`; those of the database.
pub async fn save(db: &mut Connection, quota: &OrganizationQuotaRow) -> Result<()> {
    sqlx::query(
        "INSERT INTO organization_quotas (guid, created_at, updated_at, name, total_memory_in_mb, per_process_memory_in_mb, \
         total_instances, per_app_tasks, log_rate_limit_in_bytes_per_second, paid_services_allowed, total_service_instances, \
         total_service_keys, total_routes, total_reserved_ports, total_domains) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) \
         ON CONFLICT (guid) DO UPDATE SET updated_at = excluded.updated_at, name = excluded.name, \
         total_memory_in_mb = excluded.total_memory_in_mb, per_process_memory_in_mb = excluded.per_process_memory_in_mb, \
         total_instances = excluded.total_instances, per_app_tasks = excluded.per_app_tasks, \
         log_rate_limit_in_bytes_per_second = excluded.log_rate_limit_in_bytes_per_second, \
         paid_services_allowed = excluded.paid_services_allowed, total_service_instances = excluded.total_service_instances, \
         total_service_keys = excluded.total_service_keys, total_routes = excluded.total_routes, \
         total_reserved_ports = excluded.total_reserved_ports, total_domains = excluded.total_domains",
    )
    .bind(quota.guid.to_string())
    .bind(micros(quota.created_at))
    .bind(micros(quota.updated_at))
    .bind(quota.name.clone())
    .bind(quota.total_memory_in_mb)
    .bind(quota.per_process_memory_in_mb)
    .bind(quota.total_instances)
    .bind(quota.per_app_tasks)
    .bind(quota.log_rate_limit_in_bytes_per_second)
    .bind(truth(quota.paid_services_allowed))
    .bind(quota.total_service_instances)
    .bind(quota.total_service_keys)
    .bind(quota.total_routes)
    .bind(quota.total_reserved_ports)
    .bind(quota.total_domains)
    .execute(db)
    .await?;
    Ok(())
}

/// One quota.
///
/// # Errors
/// Those of the database.
pub async fn find(db: &mut Connection, guid: QuotaGuid) -> Result<Option<OrganizationQuotaRow>> {
    let row = sqlx::query("SELECT * FROM organization_quotas WHERE guid = $1").bind(guid.to_string()).fetch_optional(db).await?;
    row.as_ref().map(OrganizationQuotaRow::from_row).transpose()
}

/// The quota of this name.
///
/// # Errors
/// Those of the database.
pub async fn find_by_name(db: &mut Connection, name: &str) -> Result<Option<OrganizationQuotaRow>> {
    let row = sqlx::query("SELECT * FROM organization_quotas WHERE name = $1").bind(name.to_owned()).fetch_optional(db).await?;
    row.as_ref().map(OrganizationQuotaRow::from_row).transpose()
}

/// The quota of an organization.
///
/// # Errors
/// Those of the database.
pub async fn of_organization(db: &mut Connection, organization: OrgGuid) -> Result<Option<OrganizationQuotaRow>> {
    let query = "SELECT q.* FROM organization_quotas q JOIN organizations o ON o.quota_guid = q.guid WHERE o.guid = $1";
    let row = sqlx::query(query).bind(organization.to_string()).fetch_optional(db).await?;
    row.as_ref().map(OrganizationQuotaRow::from_row).transpose()
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

/// Deletes a quota; false when there was none.
///
/// # Errors
/// [`crate::StoreError::Reference`] while an organization has it; those of the database.
pub async fn delete(db: &mut Connection, guid: QuotaGuid) -> Result<bool> {
    let done = sqlx::query("DELETE FROM organization_quotas WHERE guid = $1").bind(guid.to_string()).execute(db).await?;
    Ok(done.rows_affected() > 0)
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
