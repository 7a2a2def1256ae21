//! Droplets: what staging made of a package.

use crate::{
    Connection, Result, StoreError,
    metadata::{Metadata, index_labels},
    row::{Columns as _, json, micros},
    select::{Listing, Page, Select, Visible},
};
use sqlx::any::AnyRow;
use std::collections::BTreeMap;
use virga_model::{AppGuid, DropletGuid, PackageGuid, Sha256Digest, Timestamp, droplet::GuestKind, state::DropletState};

/// One droplet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropletRow {
    /// Its guid.
    pub guid: DropletGuid,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed; also the generation that [`update`] checks.
    pub updated_at: Timestamp,
    /// Its app.
    pub app: AppGuid,
    /// What it was staged from.
    pub package: Option<PackageGuid>,
    /// How far it is.
    pub state: DropletState,
    /// Why it failed.
    pub error: Option<String>,
    /// The archive in the blobstore.
    pub digest: Option<Sha256Digest>,
    /// Its size.
    pub size_bytes: Option<u64>,
    /// How it runs.
    pub guest: Option<GuestKind>,
    /// Name of the stack.
    pub stack: String,
    /// Process types and commands.
    pub process_types: BTreeMap<String, String>,
    /// JSON of the buildpacks that took part, as the API shows them.
    pub buildpacks: serde_json::Value,
    /// Labels and annotations.
    pub metadata: Metadata,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT guid, created_at, updated_at, app_guid, package_guid, state, error, digest, size_bytes, guest, stack, process_types, \
             buildpacks, labels, annotations FROM droplets ",
            $rest
        )
    };
}

impl DropletRow {
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
            package: row.opt_parsed("package_guid")?,
            state: row.parsed("state")?,
            error: row.opt_text("error")?,
            digest: row.opt_parsed("digest")?,
            size_bytes: row.opt_count("size_bytes")?,
            guest: row.opt_parsed("guest")?,
            stack: row.text("stack")?,
            process_types: row.json("process_types")?,
            buildpacks: row.json("buildpacks")?,
            metadata: Metadata::from_row(row)?,
        })
    }
}

/// Writes a new droplet.
///
/// # Errors
/// Those of the database.
pub async fn insert(db: &mut Connection, droplet: &DropletRow) -> Result<()> {
    sqlx::query(
        "INSERT INTO droplets (guid, created_at, updated_at, app_guid, package_guid, state, error, digest, size_bytes, guest, stack, \
         process_types, buildpacks, labels, annotations) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
    )
    .bind(droplet.guid.to_string())
    .bind(micros(droplet.created_at))
    .bind(micros(droplet.updated_at))
    .bind(droplet.app.to_string())
    .bind(droplet.package.map(|guid| guid.to_string()))
    .bind(droplet.state.as_str())
    .bind(droplet.error.clone())
    .bind(droplet.digest.map(|digest| digest.to_string()))
    .bind(droplet.size_bytes.map(u64::cast_signed))
    .bind(droplet.guest.map(GuestKind::as_str))
    .bind(droplet.stack.clone())
    .bind(json("process_types", &droplet.process_types)?)
    .bind(json("buildpacks", &droplet.buildpacks)?)
    .bind(droplet.metadata.labels_json()?)
    .bind(droplet.metadata.annotations_json()?)
    .execute(&mut *db)
    .await?;
    index_labels(db, &droplet.guid.to_string(), &droplet.metadata.labels).await
}

/// Writes everything about a droplet that can change, and sets `droplet.updated_at` to `now`.
///
/// # Errors
/// [`StoreError::Conflict`] when it was changed or deleted since `droplet` was read; those of the database.
pub async fn update(db: &mut Connection, droplet: &mut DropletRow, now: Timestamp) -> Result<()> {
    let (read, now) = (micros(droplet.updated_at), crate::row::next_generation(droplet.updated_at, now));
    let done = sqlx::query(
        "UPDATE droplets SET updated_at = $1, state = $2, error = $3, digest = $4, size_bytes = $5, guest = $6, process_types = $7, \
         buildpacks = $8, labels = $9, annotations = $10 WHERE guid = $11 AND updated_at = $12",
    )
    .bind(micros(now))
    .bind(droplet.state.as_str())
    .bind(droplet.error.clone())
    .bind(droplet.digest.map(|digest| digest.to_string()))
    .bind(droplet.size_bytes.map(u64::cast_signed))
    .bind(droplet.guest.map(GuestKind::as_str))
    .bind(json("process_types", &droplet.process_types)?)
    .bind(json("buildpacks", &droplet.buildpacks)?)
    .bind(droplet.metadata.labels_json()?)
    .bind(droplet.metadata.annotations_json()?)
    .bind(droplet.guid.to_string())
    .bind(read)
    .execute(&mut *db)
    .await?;
    if done.rows_affected() == 0 {
        return Err(StoreError::Conflict);
    }
    droplet.updated_at = now;
    index_labels(db, &droplet.guid.to_string(), &droplet.metadata.labels).await
}

/// One droplet.
///
/// # Errors
/// Those of the database.
pub async fn find(db: &mut Connection, guid: DropletGuid) -> Result<Option<DropletRow>> {
    let row = sqlx::query(select!("WHERE guid = $1")).bind(guid.to_string()).fetch_optional(db).await?;
    row.as_ref().map(DropletRow::from_row).transpose()
}

/// The droplets of an app, oldest first.
///
/// # Errors
/// Those of the database.
pub async fn list_of_app(db: &mut Connection, app: AppGuid) -> Result<Vec<DropletRow>> {
    let query = sqlx::query(select!("WHERE app_guid = $1 ORDER BY created_at, guid")).bind(app.to_string());
    query.fetch_all(db).await?.iter().map(DropletRow::from_row).collect()
}

/// Whether any droplet names this blob.
///
/// # Errors
/// Those of the database.
pub async fn is_blob_used(db: &mut Connection, digest: Sha256Digest) -> Result<bool> {
    let query = sqlx::query("SELECT guid FROM droplets WHERE digest = $1 LIMIT 1").bind(digest.to_string());
    Ok(query.fetch_optional(db).await?.is_some())
}

/// Deletes a droplet. False when there was none.
///
/// # Errors
/// Those of the database.
pub async fn delete(db: &mut Connection, guid: DropletGuid) -> Result<bool> {
    index_labels(db, &guid.to_string(), &BTreeMap::new()).await?;
    let done = sqlx::query("DELETE FROM droplets WHERE guid = $1").bind(guid.to_string()).execute(db).await?;
    Ok(done.rows_affected() > 0)
}

/// Which droplets a list is to hold; guids are texts, because what callers wrote may be none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DropletFilter {
    /// In these states.
    pub states: Option<Vec<String>>,
    /// Of these apps.
    pub apps: Option<Vec<String>>,
    /// In these spaces.
    pub spaces: Option<Vec<String>>,
    /// In these organizations.
    pub organizations: Option<Vec<String>>,
    /// Of these packages.
    pub packages: Option<Vec<String>>,
    /// Only the current droplet of its app.
    pub current: bool,
}

/// A page of droplets.
///
/// # Errors
/// Those of the database.
pub async fn list(db: &mut Connection, filter: &DropletFilter, visible: Visible, listing: &Listing) -> Result<Page<DropletRow>> {
    let mut select = Select::new("t.*", "droplets t JOIN apps a ON a.guid = t.app_guid");
    select
        .and_in_if("t.state", filter.states.as_deref())
        .and_in_if("t.app_guid", filter.apps.as_deref())
        .and_in_if("a.space_guid", filter.spaces.as_deref())
        .and_in_if("t.package_guid", filter.packages.as_deref())
        .and_space_visible("a.space_guid", visible)
        .and_listing(listing);
    if let Some(organizations) = &filter.organizations {
        select.and_in("a.space_guid IN (SELECT guid FROM spaces WHERE organization_guid", organizations, ")");
    }
    if filter.current {
        select.and("a.droplet_guid = t.guid", []);
    }
    select.page(db, listing, DropletRow::from_row).await
}
