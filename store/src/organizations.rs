//! Organizations.

use crate::{
    Connection, Result, StoreError,
    metadata::{Metadata, index_labels},
    row::{Columns as _, micros, next_generation, truth},
    select::{Listing, Page, Select, Visible},
};
use sqlx::any::AnyRow;
use std::collections::BTreeMap;
use virga_model::{OrgGuid, QuotaGuid, Timestamp};

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
    /// Labels and annotations.
    pub metadata: Metadata,
}

impl OrganizationRow {
    /// From a row with every column.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`].
    pub fn from_row(row: &AnyRow) -> Result<Self> {
        Ok(Self {
            guid: row.parsed("guid")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
            name: row.text("name")?,
            suspended: row.flag("suspended")?,
            quota: row.parsed("quota_guid")?,
            metadata: Metadata::from_row(row)?,
        })
    }
}

/// Writes a new organization.
///
/// # Errors
/// [`StoreError::Unique`] `organizations_name`; those of the database.
pub async fn insert(db: &mut Connection, organization: &OrganizationRow) -> Result<()> {
    sqlx::query(
        "INSERT INTO organizations (guid, created_at, updated_at, name, suspended, quota_guid, labels, annotations) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(organization.guid.to_string())
    .bind(micros(organization.created_at))
    .bind(micros(organization.updated_at))
    .bind(organization.name.clone())
    .bind(truth(organization.suspended))
    .bind(organization.quota.to_string())
    .bind(organization.metadata.labels_json()?)
    .bind(organization.metadata.annotations_json()?)
    .execute(&mut *db)
    .await?;
    index_labels(db, &organization.guid.to_string(), &organization.metadata.labels).await
}

/// Writes everything about an organization that can change, and sets `updated_at`.
///
/// # Errors
/// [`StoreError::Conflict`] when it was changed or deleted since it was read; [`StoreError::Unique`]
/// `organizations_name`; those of the database.
pub async fn update(db: &mut Connection, organization: &mut OrganizationRow, now: Timestamp) -> Result<()> {
    let (read, now) = (micros(organization.updated_at), next_generation(organization.updated_at, now));
    let done = sqlx::query(
        "UPDATE organizations SET updated_at = $1, name = $2, suspended = $3, quota_guid = $4, labels = $5, annotations = $6 \
         WHERE guid = $7 AND updated_at = $8",
    )
    .bind(micros(now))
    .bind(organization.name.clone())
    .bind(truth(organization.suspended))
    .bind(organization.quota.to_string())
    .bind(organization.metadata.labels_json()?)
    .bind(organization.metadata.annotations_json()?)
    .bind(organization.guid.to_string())
    .bind(read)
    .execute(&mut *db)
    .await?;
    if done.rows_affected() == 0 {
        return Err(StoreError::Conflict);
    }
    organization.updated_at = now;
    index_labels(db, &organization.guid.to_string(), &organization.metadata.labels).await
}

/// One organization.
///
/// # Errors
/// Those of the database.
pub async fn find(db: &mut Connection, guid: OrgGuid) -> Result<Option<OrganizationRow>> {
    let row = sqlx::query("SELECT * FROM organizations WHERE guid = $1").bind(guid.to_string()).fetch_optional(db).await?;
    row.as_ref().map(OrganizationRow::from_row).transpose()
}

/// The organization of this name.
///
/// # Errors
/// Those of the database.
pub async fn find_by_name(db: &mut Connection, name: &str) -> Result<Option<OrganizationRow>> {
    let row = sqlx::query("SELECT * FROM organizations WHERE name = $1").bind(name.to_owned()).fetch_optional(db).await?;
    row.as_ref().map(OrganizationRow::from_row).transpose()
}

/// Deletes an organization's own row; what belongs to it must be gone. False when there was none.
///
/// # Errors
/// [`StoreError::Reference`] while something belongs to it; those of the database.
pub async fn delete(db: &mut Connection, guid: OrgGuid) -> Result<bool> {
    index_labels(db, &guid.to_string(), &BTreeMap::new()).await?;
    let done = sqlx::query("DELETE FROM organizations WHERE guid = $1").bind(guid.to_string()).execute(db).await?;
    Ok(done.rows_affected() > 0)
}

/// A page of the organizations the caller may see.
///
/// # Errors
/// Those of the database.
pub async fn list(db: &mut Connection, names: Option<&[String]>, visible: Visible, listing: &Listing) -> Result<Page<OrganizationRow>> {
    let mut select = Select::new("t.*", "organizations t");
    select.and_in_if("t.name", names).and_organization_visible("t.guid", visible).and_listing(listing);
    select.page(db, listing, OrganizationRow::from_row).await
}
