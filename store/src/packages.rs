//! Packages: source bits of an app.

use crate::{
    Connection, Result, StoreError,
    metadata::{Metadata, index_labels},
    row::{Columns as _, micros},
    select::{Listing, Page, Select, Visible},
};
use sqlx::any::AnyRow;
use std::collections::BTreeMap;
use virga_model::{AppGuid, PackageGuid, Sha256Digest, Timestamp, state::PackageState};

/// One package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageRow {
    /// Its guid.
    pub guid: PackageGuid,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed; also the generation that [`update`] checks.
    pub updated_at: Timestamp,
    /// Its app.
    pub app: AppGuid,
    /// `bits`.
    pub package_type: String,
    /// Where its bits are.
    pub state: PackageState,
    /// The zip in the blobstore.
    pub digest: Option<Sha256Digest>,
    /// Its size.
    pub size_bytes: Option<u64>,
    /// Why it failed.
    pub error: Option<String>,
    /// Labels and annotations.
    pub metadata: Metadata,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT guid, created_at, updated_at, app_guid, type, state, digest, size_bytes, error, labels, annotations FROM packages ",
            $rest
        )
    };
}

impl PackageRow {
    /// From a row with every column.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`].
    pub fn from_row(row: &AnyRow) -> Result<Self> {
        Ok(Self {
            guid: row.parsed("guid")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
            app: row.parsed("app_guid")?,
            package_type: row.text("type")?,
            state: row.parsed("state")?,
            digest: row.opt_parsed("digest")?,
            size_bytes: row.opt_count("size_bytes")?,
            error: row.opt_text("error")?,
            metadata: Metadata::from_row(row)?,
        })
    }
}

/// Writes a new package.
///
/// # Errors
/// Those of the database.
pub async fn insert(db: &mut Connection, package: &PackageRow) -> Result<()> {
    sqlx::query(
        "INSERT INTO packages (guid, created_at, updated_at, app_guid, type, state, digest, size_bytes, error, labels, annotations) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(package.guid.to_string())
    .bind(micros(package.created_at))
    .bind(micros(package.updated_at))
    .bind(package.app.to_string())
    .bind(package.package_type.clone())
    .bind(package.state.as_str())
    .bind(package.digest.map(|digest| digest.to_string()))
    .bind(package.size_bytes.map(u64::cast_signed))
    .bind(package.error.clone())
    .bind(package.metadata.labels_json()?)
    .bind(package.metadata.annotations_json()?)
    .execute(&mut *db)
    .await?;
    index_labels(db, &package.guid.to_string(), &package.metadata.labels).await
}

/// Writes everything about a package that can change, and sets `package.updated_at` to `now`.
///
/// # Errors
/// [`StoreError::Conflict`] when it was changed or deleted since `package` was read; those of the database.
pub async fn update(db: &mut Connection, package: &mut PackageRow, now: Timestamp) -> Result<()> {
    let (read, now) = (micros(package.updated_at), crate::row::next_generation(package.updated_at, now));
    let done = sqlx::query(
        "UPDATE packages SET updated_at = $1, state = $2, digest = $3, size_bytes = $4, error = $5, labels = $6, annotations = $7 \
         WHERE guid = $8 AND updated_at = $9",
    )
    .bind(micros(now))
    .bind(package.state.as_str())
    .bind(package.digest.map(|digest| digest.to_string()))
    .bind(package.size_bytes.map(u64::cast_signed))
    .bind(package.error.clone())
    .bind(package.metadata.labels_json()?)
    .bind(package.metadata.annotations_json()?)
    .bind(package.guid.to_string())
    .bind(read)
    .execute(&mut *db)
    .await?;
    if done.rows_affected() == 0 {
        return Err(StoreError::Conflict);
    }
    package.updated_at = now;
    index_labels(db, &package.guid.to_string(), &package.metadata.labels).await
}

/// One package.
///
/// # Errors
/// Those of the database.
pub async fn find(db: &mut Connection, guid: PackageGuid) -> Result<Option<PackageRow>> {
    let row = sqlx::query(select!("WHERE guid = $1")).bind(guid.to_string()).fetch_optional(db).await?;
    row.as_ref().map(PackageRow::from_row).transpose()
}

/// The packages of an app, oldest first.
///
/// # Errors
/// Those of the database.
pub async fn list_of_app(db: &mut Connection, app: AppGuid) -> Result<Vec<PackageRow>> {
    let query = sqlx::query(select!("WHERE app_guid = $1 ORDER BY created_at, guid")).bind(app.to_string());
    query.fetch_all(db).await?.iter().map(PackageRow::from_row).collect()
}

/// Packages whose bits were on their way when a process ended; their uploads cannot be taken up again.
///
/// # Errors
/// Those of the database.
pub async fn list_in_state(db: &mut Connection, state: PackageState) -> Result<Vec<PackageRow>> {
    let query = sqlx::query(select!("WHERE state = $1 ORDER BY created_at, guid")).bind(state.as_str());
    query.fetch_all(db).await?.iter().map(PackageRow::from_row).collect()
}

/// Whether any package names this blob.
///
/// # Errors
/// Those of the database.
pub async fn is_blob_used(db: &mut Connection, digest: Sha256Digest) -> Result<bool> {
    let query = sqlx::query("SELECT guid FROM packages WHERE digest = $1 LIMIT 1").bind(digest.to_string());
    Ok(query.fetch_optional(db).await?.is_some())
}

/// Deletes a package. False when there was none.
///
/// # Errors
/// Those of the database.
pub async fn delete(db: &mut Connection, guid: PackageGuid) -> Result<bool> {
    index_labels(db, &guid.to_string(), &BTreeMap::new()).await?;
    let done = sqlx::query("DELETE FROM packages WHERE guid = $1").bind(guid.to_string()).execute(db).await?;
    Ok(done.rows_affected() > 0)
}

/// Which packages a list is to hold; guids are texts, because what callers wrote may be none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PackageFilter {
    /// In these states.
    pub states: Option<Vec<String>>,
    /// Of these apps.
    pub apps: Option<Vec<String>>,
    /// In these spaces.
    pub spaces: Option<Vec<String>>,
    /// In these organizations.
    pub organizations: Option<Vec<String>>,
    /// Of these types.
    pub types: Option<Vec<String>>,
}

/// A page of packages.
///
/// # Errors
/// Those of the database.
pub async fn list(db: &mut Connection, filter: &PackageFilter, visible: Visible, listing: &Listing) -> Result<Page<PackageRow>> {
    let mut select = Select::new("t.*", "packages t JOIN apps a ON a.guid = t.app_guid");
    select
        .and_in_if("t.state", filter.states.as_deref())
        .and_in_if("t.app_guid", filter.apps.as_deref())
        .and_in_if("a.space_guid", filter.spaces.as_deref())
        .and_in_if("t.type", filter.types.as_deref())
        .and_space_visible("a.space_guid", visible)
        .and_listing(listing);
    if let Some(organizations) = &filter.organizations {
        select.and_in("a.space_guid IN (SELECT guid FROM spaces WHERE organization_guid", organizations, ")");
    }
    select.page(db, listing, PackageRow::from_row).await
}
