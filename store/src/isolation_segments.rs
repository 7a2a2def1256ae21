//! Isolation segments: which cells the apps of a space may run on.

use crate::{
    Connection, Result,
    metadata::Metadata,
    record::{self, Record, Values},
    row::Columns as _,
    select::{Listing, Page, Select, Visible},
};
use sqlx::any::AnyRow;
use virga_model::{IsolationSegmentGuid, OrgGuid, SpaceGuid, Timestamp};

/// One segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IsolationSegmentRow {
    /// Its guid.
    pub guid: IsolationSegmentGuid,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed; also the generation that [`update`] checks.
    pub updated_at: Timestamp,
    /// Unique whatever the case of its letters.
    pub name: String,
    /// Labels and annotations.
    pub metadata: Metadata,
}

impl Record for IsolationSegmentRow {
    record::head!(IsolationSegmentGuid);
    const TABLE: &'static str = "isolation_segments";
    const FIXED: &'static [&'static str] = &[];

    fn values(&self) -> Result<Values> {
        Values::new().set("name", self.name.as_str()).set("name_key", self.name.to_lowercase()).metadata(&self.metadata)
    }

    fn from_row(row: &AnyRow) -> Result<Self> {
        Ok(Self {
            guid: row.parsed("guid")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
            name: row.text("name")?,
            metadata: Metadata::from_row(row)?,
        })
    }
}

record::functions!(IsolationSegmentRow);

/// Lets an organization use a segment; one that may already is fine.
///
/// # Errors
/// [`crate::StoreError::Reference`] where one of them is not there; those of the database.
pub async fn entitle(db: &mut Connection, segment: IsolationSegmentGuid, organization: OrgGuid) -> Result<()> {
    let sql = "INSERT INTO isolation_segment_organizations (isolation_segment_guid, organization_guid) VALUES ($1, $2) \
               ON CONFLICT (isolation_segment_guid, organization_guid) DO NOTHING";
    sqlx::query(sql).bind(segment.to_string()).bind(organization.to_string()).execute(db).await?;
    Ok(())
}

/// Takes that back.
///
/// # Errors
/// Those of the database.
pub async fn revoke(db: &mut Connection, segment: IsolationSegmentGuid, organization: OrgGuid) -> Result<()> {
    let sql = "DELETE FROM isolation_segment_organizations WHERE isolation_segment_guid = $1 AND organization_guid = $2";
    sqlx::query(sql).bind(segment.to_string()).bind(organization.to_string()).execute(db).await?;
    Ok(())
}

/// Whether an organization may use a segment.
///
/// # Errors
/// Those of the database.
pub async fn is_entitled(db: &mut Connection, segment: IsolationSegmentGuid, organization: OrgGuid) -> Result<bool> {
    let sql = "SELECT organization_guid FROM isolation_segment_organizations WHERE isolation_segment_guid = $1 AND organization_guid = $2";
    Ok(sqlx::query(sql).bind(segment.to_string()).bind(organization.to_string()).fetch_optional(db).await?.is_some())
}

/// The organizations that may use a segment, among those the caller may see.
///
/// # Errors
/// Those of the database.
pub async fn organizations(db: &mut Connection, segment: IsolationSegmentGuid, visible: Visible) -> Result<Vec<OrgGuid>> {
    let mut select = Select::new("t.guid", "organizations t");
    let entitled = "t.guid IN (SELECT organization_guid FROM isolation_segment_organizations WHERE isolation_segment_guid = ?)";
    select.and(entitled, [segment.to_string().into()]).and_organization_visible("t.guid", visible);
    select.all(db, "t.created_at, t.guid", |row| row.parsed("guid")).await
}

/// The spaces a segment is assigned to, among those the caller may see.
///
/// # Errors
/// Those of the database.
pub async fn spaces(db: &mut Connection, segment: IsolationSegmentGuid, visible: Visible) -> Result<Vec<SpaceGuid>> {
    let mut select = Select::new("t.guid", "spaces t");
    select.and("t.isolation_segment_guid = ?", [segment.to_string().into()]).and_space_visible("t.guid", visible);
    select.all(db, "t.created_at, t.guid", |row| row.parsed("guid")).await
}

/// Names of the spaces of an organization that a segment is assigned to.
///
/// # Errors
/// Those of the database.
pub async fn space_names(db: &mut Connection, segment: IsolationSegmentGuid, organization: OrgGuid) -> Result<Vec<String>> {
    let sql = "SELECT name FROM spaces WHERE isolation_segment_guid = $1 AND organization_guid = $2 ORDER BY created_at, guid";
    let query = sqlx::query(sql).bind(segment.to_string()).bind(organization.to_string());
    query.fetch_all(db).await?.iter().map(|row| row.text("name")).collect()
}

/// Whether the segment is the default of an organization or assigned to a space.
///
/// # Errors
/// Those of the database.
pub async fn is_assigned(db: &mut Connection, segment: IsolationSegmentGuid) -> Result<bool> {
    let sql = "SELECT guid FROM organizations WHERE default_isolation_segment_guid = $1 \
               UNION ALL SELECT guid FROM spaces WHERE isolation_segment_guid = $1 LIMIT 1";
    Ok(sqlx::query(sql).bind(segment.to_string()).fetch_optional(db).await?.is_some())
}

/// A page of segments: to a user, those that their organizations may use.
///
/// # Errors
/// Those of the database.
pub async fn list(
    db: &mut Connection,
    names: Option<&[String]>,
    organizations: Option<&[String]>,
    visible: Visible,
    listing: &Listing,
) -> Result<Page<IsolationSegmentRow>> {
    let mut select = Select::new("t.*", "isolation_segments t");
    select.and_in_if("t.name", names).and_listing(listing);
    if let Some(organizations) = organizations {
        let entitled = "t.guid IN (SELECT isolation_segment_guid FROM isolation_segment_organizations WHERE organization_guid";
        select.and_in(entitled, organizations, ")");
    }
    let seen = "t.guid IN (SELECT e.isolation_segment_guid FROM isolation_segment_organizations e WHERE e.organization_guid IN \
                (SELECT organization_guid FROM roles WHERE user_guid = ? AND organization_guid IS NOT NULL \
                UNION SELECT s.organization_guid FROM roles r JOIN spaces s ON s.guid = r.space_guid WHERE r.user_guid = ?))";
    select.and_visible(seen, visible, 2);
    select.page(db, listing, IsolationSegmentRow::from_row).await
}
