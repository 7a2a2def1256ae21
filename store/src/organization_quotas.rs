//! Quotas of organizations. `None` is unlimited.

use crate::{
    Connection, Result,
    quotas::QuotaLimits,
    record::{self, Record, Values},
    row::Columns as _,
    select::{Listing, Page, Select, Visible},
};
use sqlx::any::AnyRow;
use std::collections::HashMap;
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
    /// What it allows.
    pub limits: QuotaLimits,
    /// Private domains.
    pub total_domains: Option<i64>,
}

impl Record for OrganizationQuotaRow {
    record::head!(QuotaGuid);
    const TABLE: &'static str = "organization_quotas";
    const FIXED: &'static [&'static str] = &[];

    fn values(&self) -> Result<Values> {
        Ok(self.limits.put_into(Values::new().set("name", self.name.as_str()).set("total_domains", self.total_domains)))
    }

    fn from_row(row: &AnyRow) -> Result<Self> {
        Ok(Self {
            guid: row.parsed("guid")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
            name: row.text("name")?,
            limits: QuotaLimits::from_row(row)?,
            total_domains: row.opt_int("total_domains")?,
        })
    }
}

impl OrganizationQuotaRow {
    /// A new quota without limits.
    #[must_use]
    pub fn unlimited(name: &str, now: Timestamp) -> Self {
        let guid = QuotaGuid::random();
        Self { guid, created_at: now, updated_at: now, name: name.to_owned(), limits: QuotaLimits::default(), total_domains: None }
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

/// The organizations that have these quotas, by quota, among those the caller may see.
///
/// # Errors
/// Those of the database.
pub async fn organizations(db: &mut Connection, quotas: &[QuotaGuid], visible: Visible) -> Result<HashMap<QuotaGuid, Vec<OrgGuid>>> {
    let mut select = Select::new("t.guid, t.quota_guid", "organizations t");
    let quotas: Vec<String> = quotas.iter().map(ToString::to_string).collect();
    select.and_in("t.quota_guid", &quotas, "").and_organization_visible("t.guid", visible);
    select.grouped(db, "t.created_at, t.guid", |row| Ok((row.parsed("quota_guid")?, row.parsed("guid")?))).await
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
