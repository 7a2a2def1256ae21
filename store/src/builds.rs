//! Builds: one staging of a package each.

use crate::{
    Connection, Result, StoreError,
    metadata::{Metadata, index_labels},
    row::{Columns as _, json, micros},
    select::{Listing, Page, Select, Visible},
};
use sqlx::any::AnyRow;
use std::collections::BTreeMap;
use virga_model::{AppGuid, BuildGuid, DropletGuid, PackageGuid, Timestamp, state::BuildState};

/// One build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildRow {
    /// Its guid.
    pub guid: BuildGuid,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed; also the generation that [`update`] checks.
    pub updated_at: Timestamp,
    /// Its app.
    pub app: AppGuid,
    /// What is staged.
    pub package: PackageGuid,
    /// What came out.
    pub droplet: Option<DropletGuid>,
    /// How far it is.
    pub state: BuildState,
    /// Why it failed: `<kind> - <text>`.
    pub error: Option<String>,
    /// Buildpacks asked for; none is detection.
    pub buildpacks: Vec<String>,
    /// Name of the stack.
    pub stack: String,
    /// Memory limit of staging.
    pub staging_memory_in_mb: u64,
    /// Disk limit of staging.
    pub staging_disk_in_mb: u64,
    /// Who asked: guid, name, email.
    pub created_by: (Option<String>, Option<String>, Option<String>),
    /// Milliseconds of each step.
    pub steps: Vec<(String, u64)>,
    /// Labels and annotations.
    pub metadata: Metadata,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT guid, created_at, updated_at, app_guid, package_guid, droplet_guid, state, error, buildpacks, stack, \
             staging_memory_in_mb, staging_disk_in_mb, created_by_guid, created_by_name, created_by_email, steps, labels, annotations \
             FROM builds ",
            $rest
        )
    };
}

impl BuildRow {
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
            package: row.parsed("package_guid")?,
            droplet: row.opt_parsed("droplet_guid")?,
            state: row.parsed("state")?,
            error: row.opt_text("error")?,
            buildpacks: row.json("buildpacks")?,
            stack: row.text("stack")?,
            staging_memory_in_mb: row.count("staging_memory_in_mb")?,
            staging_disk_in_mb: row.count("staging_disk_in_mb")?,
            created_by: (row.opt_text("created_by_guid")?, row.opt_text("created_by_name")?, row.opt_text("created_by_email")?),
            steps: row.json("steps")?,
            metadata: Metadata::from_row(row)?,
        })
    }
}

/// Writes a new build.
///
/// # Errors
/// Those of the database.
pub async fn insert(db: &mut Connection, build: &BuildRow) -> Result<()> {
    let (by_guid, by_name, by_email) = build.created_by.clone();
    sqlx::query(
        "INSERT INTO builds (guid, created_at, updated_at, app_guid, package_guid, droplet_guid, state, error, buildpacks, stack, \
         staging_memory_in_mb, staging_disk_in_mb, created_by_guid, created_by_name, created_by_email, steps, labels, annotations) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)",
    )
    .bind(build.guid.to_string())
    .bind(micros(build.created_at))
    .bind(micros(build.updated_at))
    .bind(build.app.to_string())
    .bind(build.package.to_string())
    .bind(build.droplet.map(|guid| guid.to_string()))
    .bind(build.state.as_str())
    .bind(build.error.clone())
    .bind(json("buildpacks", &build.buildpacks)?)
    .bind(build.stack.clone())
    .bind(build.staging_memory_in_mb.cast_signed())
    .bind(build.staging_disk_in_mb.cast_signed())
    .bind(by_guid)
    .bind(by_name)
    .bind(by_email)
    .bind(json("steps", &build.steps)?)
    .bind(build.metadata.labels_json()?)
    .bind(build.metadata.annotations_json()?)
    .execute(&mut *db)
    .await?;
    index_labels(db, &build.guid.to_string(), &build.metadata.labels).await
}

/// Writes everything about a build that can change, and sets `build.updated_at` to `now`.
///
/// # Errors
/// [`StoreError::Conflict`] when it was changed or deleted since `build` was read; those of the database.
pub async fn update(db: &mut Connection, build: &mut BuildRow, now: Timestamp) -> Result<()> {
    let (read, now) = (micros(build.updated_at), crate::row::next_generation(build.updated_at, now));
    let done = sqlx::query(
        "UPDATE builds SET updated_at = $1, droplet_guid = $2, state = $3, error = $4, steps = $5, labels = $6, annotations = $7 \
         WHERE guid = $8 AND updated_at = $9",
    )
    .bind(micros(now))
    .bind(build.droplet.map(|guid| guid.to_string()))
    .bind(build.state.as_str())
    .bind(build.error.clone())
    .bind(json("steps", &build.steps)?)
    .bind(build.metadata.labels_json()?)
    .bind(build.metadata.annotations_json()?)
    .bind(build.guid.to_string())
    .bind(read)
    .execute(&mut *db)
    .await?;
    if done.rows_affected() == 0 {
        return Err(StoreError::Conflict);
    }
    build.updated_at = now;
    index_labels(db, &build.guid.to_string(), &build.metadata.labels).await
}

/// One build.
///
/// # Errors
/// Those of the database.
pub async fn find(db: &mut Connection, guid: BuildGuid) -> Result<Option<BuildRow>> {
    let row = sqlx::query(select!("WHERE guid = $1")).bind(guid.to_string()).fetch_optional(db).await?;
    row.as_ref().map(BuildRow::from_row).transpose()
}

/// The builds of an app, oldest first.
///
/// # Errors
/// Those of the database.
pub async fn list_of_app(db: &mut Connection, app: AppGuid) -> Result<Vec<BuildRow>> {
    let query = sqlx::query(select!("WHERE app_guid = $1 ORDER BY created_at, guid")).bind(app.to_string());
    query.fetch_all(db).await?.iter().map(BuildRow::from_row).collect()
}

/// Whether a build of the app is still staging.
///
/// # Errors
/// Those of the database.
pub async fn is_staging(db: &mut Connection, app: AppGuid) -> Result<bool> {
    let query = sqlx::query("SELECT guid FROM builds WHERE app_guid = $1 AND state = 'STAGING' LIMIT 1").bind(app.to_string());
    Ok(query.fetch_optional(db).await?.is_some())
}

/// Deletes a build. False when there was none.
///
/// # Errors
/// Those of the database.
pub async fn delete(db: &mut Connection, guid: BuildGuid) -> Result<bool> {
    index_labels(db, &guid.to_string(), &BTreeMap::new()).await?;
    let done = sqlx::query("DELETE FROM builds WHERE guid = $1").bind(guid.to_string()).execute(db).await?;
    Ok(done.rows_affected() > 0)
}

/// Which builds a list is to hold; guids are texts, because what callers wrote may be none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BuildFilter {
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
}

/// A page of builds.
///
/// # Errors
/// Those of the database.
pub async fn list(db: &mut Connection, filter: &BuildFilter, visible: Visible, listing: &Listing) -> Result<Page<BuildRow>> {
    let mut select = Select::new("t.*", "builds t JOIN apps a ON a.guid = t.app_guid");
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
    select.page(db, listing, BuildRow::from_row).await
}
