//! Spaces.

use crate::{
    Connection, Result, StoreError,
    metadata::{Metadata, index_labels},
    row::{Columns as _, micros, next_generation, truth},
    select::{Listing, Page, Select, Visible},
};
use sqlx::any::AnyRow;
use std::collections::BTreeMap;
use virga_model::{OrgGuid, SpaceGuid, Timestamp};

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
    /// Labels and annotations.
    pub metadata: Metadata,
}

impl SpaceRow {
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
            organization: row.parsed("organization_guid")?,
            allow_ssh: row.flag("allow_ssh")?,
            metadata: Metadata::from_row(row)?,
        })
    }
}

/// Writes a new space.
///
/// # Errors
/// [`StoreError::Unique`] `spaces_organization_guid_name`; those of the database.
pub async fn insert(db: &mut Connection, space: &SpaceRow) -> Result<()> {
    sqlx::query(
        "INSERT INTO spaces (guid, created_at, updated_at, name, organization_guid, allow_ssh, labels, annotations) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(space.guid.to_string())
    .bind(micros(space.created_at))
    .bind(micros(space.updated_at))
    .bind(space.name.clone())
    .bind(space.organization.to_string())
    .bind(truth(space.allow_ssh))
    .bind(space.metadata.labels_json()?)
    .bind(space.metadata.annotations_json()?)
    .execute(&mut *db)
    .await?;
    index_labels(db, &space.guid.to_string(), &space.metadata.labels).await
}

/// Writes everything about a space that can change, and sets `updated_at`.
///
/// # Errors
/// [`StoreError::Conflict`] when it was changed or deleted since it was read; [`StoreError::Unique`]
/// `spaces_organization_guid_name`; those of the database.
pub async fn update(db: &mut Connection, space: &mut SpaceRow, now: Timestamp) -> Result<()> {
    let (read, now) = (micros(space.updated_at), next_generation(space.updated_at, now));
    let done = sqlx::query(
        "UPDATE spaces SET updated_at = $1, name = $2, allow_ssh = $3, labels = $4, annotations = $5 \
         WHERE guid = $6 AND updated_at = $7",
    )
    .bind(micros(now))
    .bind(space.name.clone())
    .bind(truth(space.allow_ssh))
    .bind(space.metadata.labels_json()?)
    .bind(space.metadata.annotations_json()?)
    .bind(space.guid.to_string())
    .bind(read)
    .execute(&mut *db)
    .await?;
    if done.rows_affected() == 0 {
        return Err(StoreError::Conflict);
    }
    space.updated_at = now;
    index_labels(db, &space.guid.to_string(), &space.metadata.labels).await
}

/// One space.
///
/// # Errors
/// Those of the database.
pub async fn find(db: &mut Connection, guid: SpaceGuid) -> Result<Option<SpaceRow>> {
    let row = sqlx::query("SELECT * FROM spaces WHERE guid = $1").bind(guid.to_string()).fetch_optional(db).await?;
    row.as_ref().map(SpaceRow::from_row).transpose()
}

/// The space of this name in an organization.
///
/// # Errors
/// Those of the database.
pub async fn find_by_name(db: &mut Connection, organization: OrgGuid, name: &str) -> Result<Option<SpaceRow>> {
    let query = sqlx::query("SELECT * FROM spaces WHERE organization_guid = $1 AND name = $2");
    query.bind(organization.to_string()).bind(name.to_owned()).fetch_optional(db).await?.as_ref().map(SpaceRow::from_row).transpose()
}

/// The spaces of an organization, oldest first.
///
/// # Errors
/// Those of the database.
pub async fn list_of_organization(db: &mut Connection, organization: OrgGuid) -> Result<Vec<SpaceRow>> {
    let query = sqlx::query("SELECT * FROM spaces WHERE organization_guid = $1 ORDER BY created_at, guid");
    query.bind(organization.to_string()).fetch_all(db).await?.iter().map(SpaceRow::from_row).collect()
}

/// Deletes a space's own row; what belongs to it must be gone. False when there was none.
///
/// # Errors
/// [`StoreError::Reference`] while something belongs to it; those of the database.
pub async fn delete(db: &mut Connection, guid: SpaceGuid) -> Result<bool> {
    index_labels(db, &guid.to_string(), &BTreeMap::new()).await?;
    let done = sqlx::query("DELETE FROM spaces WHERE guid = $1").bind(guid.to_string()).execute(db).await?;
    Ok(done.rows_affected() > 0)
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
