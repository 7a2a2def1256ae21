//! Quotas of spaces; each belongs to an organization.

use crate::{
    Connection, Result,
    quotas::QuotaLimits,
    record::{self, Record, Values},
    row::Columns as _,
    select::{Listing, Page, Select, Visible},
};
use sqlx::any::AnyRow;
use std::collections::HashMap;
use virga_model::{OrgGuid, QuotaGuid, SpaceGuid, Timestamp};

/// One quota.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpaceQuotaRow {
    /// Its guid.
    pub guid: QuotaGuid,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed; also the generation that [`update`] checks.
    pub updated_at: Timestamp,
    /// Unique in its organization.
    pub name: String,
    /// Whose spaces may have it.
    pub organization: OrgGuid,
    /// What it allows.
    pub limits: QuotaLimits,
}

impl Record for SpaceQuotaRow {
    record::head!(QuotaGuid);
    const TABLE: &'static str = "space_quotas";
    const FIXED: &'static [&'static str] = &["organization_guid"];

    fn values(&self) -> Result<Values> {
        Ok(self.limits.put_into(Values::new().set("name", self.name.as_str()).word("organization_guid", self.organization)))
    }

    fn from_row(row: &AnyRow) -> Result<Self> {
        Ok(Self {
            guid: row.parsed("guid")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
            name: row.text("name")?,
            organization: row.parsed("organization_guid")?,
            limits: QuotaLimits::from_row(row)?,
        })
    }
}

record::functions!(SpaceQuotaRow);

/// The quota of a space, where it has one.
///
/// # Errors
/// Those of the database.
pub async fn of_space(db: &mut Connection, space: SpaceGuid) -> Result<Option<SpaceQuotaRow>> {
    record::first(db, "WHERE guid = (SELECT quota_guid FROM spaces WHERE guid = $1)", [space.to_string().into()]).await
}

/// The spaces that have these quotas, by quota, among those the caller may see.
///
/// # Errors
/// Those of the database.
pub async fn spaces(db: &mut Connection, quotas: &[QuotaGuid], visible: Visible) -> Result<HashMap<QuotaGuid, Vec<SpaceGuid>>> {
    let mut select = Select::new("t.guid, t.quota_guid", "spaces t");
    let quotas: Vec<String> = quotas.iter().map(ToString::to_string).collect();
    select.and_in("t.quota_guid", &quotas, "").and_space_visible("t.guid", visible);
    select.grouped(db, "t.created_at, t.guid", |row| Ok((row.parsed("quota_guid")?, row.parsed("guid")?))).await
}

/// Which quotas a list is to hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SpaceQuotaFilter {
    /// Of these names.
    pub names: Option<Vec<String>>,
    /// Of these organizations.
    pub organizations: Option<Vec<String>>,
    /// Of these spaces.
    pub spaces: Option<Vec<String>>,
}

/// A page of quotas: to a user, those of their spaces and of the organizations they manage.
///
/// # Errors
/// Those of the database.
pub async fn list(db: &mut Connection, filter: &SpaceQuotaFilter, visible: Visible, listing: &Listing) -> Result<Page<SpaceQuotaRow>> {
    let mut select = Select::new("t.*", "space_quotas t");
    select
        .and_in_if("t.name", filter.names.as_deref())
        .and_in_if("t.organization_guid", filter.organizations.as_deref())
        .and_listing(listing);
    if let Some(spaces) = &filter.spaces {
        select.and_in("t.guid IN (SELECT quota_guid FROM spaces WHERE guid", spaces, ")");
    }
    let seen = "t.guid IN (SELECT s.quota_guid FROM spaces s JOIN roles r ON r.space_guid = s.guid WHERE r.user_guid = ?) \
                OR t.organization_guid IN (SELECT organization_guid FROM roles WHERE user_guid = ? AND type = 'organization_manager')";
    select.and_visible(seen, visible, 2);
    select.page(db, listing, SpaceQuotaRow::from_row).await
}
