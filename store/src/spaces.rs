//! Spaces.

use crate::{
    Connection, Result,
    metadata::Metadata,
    record::{self, Record, Values},
    row::Columns as _,
    select::{Listing, Page, Select, Visible},
};
use sqlx::any::AnyRow;
use virga_model::{IsolationSegmentGuid, OrgGuid, QuotaGuid, SpaceGuid, Timestamp};

/// One space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpaceRow {
    /// Its guid.
    pub guid: SpaceGuid,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed; also the generation that [`update`] checks.
    pub updated_at: Timestamp,
    /// Unique in its organization.
    pub name: String,
    /// Where it is.
    pub organization: OrgGuid,
    /// Whether apps in it may be entered by SSH.
    pub allow_ssh: bool,
    /// Whether nobody but administrators and the organization's managers may change anything in it.
    pub suspended: bool,
    /// Its own quota, besides the organization's.
    pub quota: Option<QuotaGuid>,
    /// Where its apps run; none follows the organization's default.
    pub isolation_segment: Option<IsolationSegmentGuid>,
    /// Labels and annotations.
    pub metadata: Metadata,
}

impl Record for SpaceRow {
    record::head!(SpaceGuid);
    const TABLE: &'static str = "spaces";
    const FIXED: &'static [&'static str] = &["organization_guid"];

    fn values(&self) -> Result<Values> {
        Values::new()
            .set("name", self.name.as_str())
            .word("organization_guid", self.organization)
            .set("allow_ssh", self.allow_ssh)
            .set("suspended", self.suspended)
            .opt_word("quota_guid", self.quota)
            .opt_word("isolation_segment_guid", self.isolation_segment)
            .metadata(&self.metadata)
    }

    fn from_row(row: &AnyRow) -> Result<Self> {
        Ok(Self {
            guid: row.parsed("guid")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
            name: row.text("name")?,
            organization: row.parsed("organization_guid")?,
            allow_ssh: row.flag("allow_ssh")?,
            suspended: row.flag("suspended")?,
            quota: row.opt_parsed("quota_guid")?,
            isolation_segment: row.opt_parsed("isolation_segment_guid")?,
            metadata: Metadata::from_row(row)?,
        })
    }
}

impl SpaceRow {
    /// A new space.
    #[must_use]
    pub fn new(name: &str, organization: OrgGuid, now: Timestamp) -> Self {
        Self {
            guid: SpaceGuid::random(),
            created_at: now,
            updated_at: now,
            name: name.to_owned(),
            organization,
            allow_ssh: true,
            suspended: false,
            quota: None,
            isolation_segment: None,
            metadata: Metadata::default(),
        }
    }
}

record::functions!(SpaceRow);

/// The space of this name in an organization.
///
/// # Errors
/// Those of the database.
pub async fn find_by_name(db: &mut Connection, organization: OrgGuid, name: &str) -> Result<Option<SpaceRow>> {
    record::first(db, "WHERE organization_guid = $1 AND name = $2", [organization.to_string().into(), name.into()]).await
}

/// The spaces of an organization, oldest first.
///
/// # Errors
/// Those of the database.
pub async fn list_of_organization(db: &mut Connection, organization: OrgGuid) -> Result<Vec<SpaceRow>> {
    record::all(db, "WHERE organization_guid = $1 ORDER BY created_at, guid", [organization.to_string().into()]).await
}

/// A page of the spaces the caller may see.
///
/// # Errors
/// Those of the database.
pub async fn list(
    db: &mut Connection,
    names: Option<&[String]>,
    organizations: Option<&[String]>,
    visible: Visible,
    listing: &Listing,
) -> Result<Page<SpaceRow>> {
    let mut select = Select::new("t.*", "spaces t");
    select
        .and_in_if("t.name", names)
        .and_in_if("t.organization_guid", organizations)
        .and_space_visible("t.guid", visible)
        .and_listing(listing);
    select.page(db, listing, SpaceRow::from_row).await
}
