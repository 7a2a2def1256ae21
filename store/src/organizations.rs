//! Organizations.

use crate::{
    Connection, Result,
    metadata::Metadata,
    record::{self, Record, Values},
    row::Columns as _,
    select::{Listing, Page, Select, Visible},
};
use sqlx::any::AnyRow;
use virga_model::{IsolationSegmentGuid, OrgGuid, QuotaGuid, Timestamp};

/// One organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrganizationRow {
    /// Its guid.
    pub guid: OrgGuid,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed; also the generation that [`update`] checks.
    pub updated_at: Timestamp,
    /// Unique.
    pub name: String,
    /// Whether nobody but administrators may change anything in it.
    pub suspended: bool,
    /// Its quota.
    pub quota: QuotaGuid,
    /// Where apps of its spaces run when the space says nothing else.
    pub default_isolation_segment: Option<IsolationSegmentGuid>,
    /// Labels and annotations.
    pub metadata: Metadata,
}

impl Record for OrganizationRow {
    record::head!(OrgGuid);
    const TABLE: &'static str = "organizations";
    const FIXED: &'static [&'static str] = &[];

    fn values(&self) -> Result<Values> {
        Values::new()
            .set("name", self.name.as_str())
            .set("suspended", self.suspended)
            .word("quota_guid", self.quota)
            .opt_word("default_isolation_segment_guid", self.default_isolation_segment)
            .metadata(&self.metadata)
    }

    fn from_row(row: &AnyRow) -> Result<Self> {
        Ok(Self {
            guid: row.parsed("guid")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
            name: row.text("name")?,
            suspended: row.flag("suspended")?,
            quota: row.parsed("quota_guid")?,
            default_isolation_segment: row.opt_parsed("default_isolation_segment_guid")?,
            metadata: Metadata::from_row(row)?,
        })
    }
}

impl OrganizationRow {
    /// A new organization.
    #[must_use]
    pub fn new(name: &str, quota: QuotaGuid, now: Timestamp) -> Self {
        Self {
            guid: OrgGuid::random(),
            created_at: now,
            updated_at: now,
            name: name.to_owned(),
            suspended: false,
            quota,
            default_isolation_segment: None,
            metadata: Metadata::default(),
        }
    }
}

record::functions!(OrganizationRow);

/// The organization of this name.
///
/// # Errors
/// Those of the database.
pub async fn find_by_name(db: &mut Connection, name: &str) -> Result<Option<OrganizationRow>> {
    record::first(db, "WHERE name = $1", [name.into()]).await
}

/// Which organizations a list is to hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OrganizationFilter {
    /// Of these names.
    pub names: Option<Vec<String>>,
    /// That may use this segment.
    pub isolation_segment: Option<IsolationSegmentGuid>,
}

/// A page of the organizations the caller may see.
///
/// # Errors
/// Those of the database.
pub async fn list(db: &mut Connection, filter: &OrganizationFilter, visible: Visible, listing: &Listing) -> Result<Page<OrganizationRow>> {
    let mut select = Select::new("t.*", "organizations t");
    select.and_in_if("t.name", filter.names.as_deref()).and_organization_visible("t.guid", visible).and_listing(listing);
    if let Some(segment) = filter.isolation_segment {
        let entitled = "t.guid IN (SELECT organization_guid FROM isolation_segment_organizations WHERE isolation_segment_guid = ?)";
        select.and(entitled, [segment.to_string().into()]);
    }
    select.page(db, listing, OrganizationRow::from_row).await
}
