//! Processes: how many instances of which type an app should have, and with what.

use crate::{
    Connection, Result, StoreError,
    metadata::{Metadata, index_labels},
    row::{Columns as _, json, micros},
    select::{Listing, Page, Select, Visible},
};
use sqlx::any::AnyRow;
use std::collections::BTreeMap;
use virga_model::{AppGuid, DropletGuid, ProcessGuid, Timestamp, process::HealthCheck};

/// One process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessRow {
    /// Its guid; that of the app for the app's first `web` process.
    pub guid: ProcessGuid,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed; also the generation that [`update`] checks.
    pub updated_at: Timestamp,
    /// Its app.
    pub app: AppGuid,
    /// `web`, `worker`, …
    pub process_type: String,
    /// A new text whenever instances must be replaced.
    pub version: String,
    /// The user's own command, over the droplet's.
    pub command: Option<String>,
    /// Instances wanted while the app is started.
    pub instances: u32,
    /// Memory of one instance.
    pub memory_in_mb: u64,
    /// Disk of one instance.
    pub disk_in_mb: u64,
    /// Log of one instance; -1 is unlimited.
    pub log_rate_limit_in_bytes_per_second: i64,
    /// Liveness.
    pub health_check: HealthCheck,
    /// Readiness.
    pub readiness_health_check: HealthCheck,
    /// The droplet it runs; none follows the app's current droplet.
    pub droplet: Option<DropletGuid>,
    /// Labels and annotations.
    pub metadata: Metadata,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT guid, created_at, updated_at, app_guid, type, version, command, instances, memory_in_mb, disk_in_mb, \
             log_rate_limit_in_bytes_per_second, health_check, readiness_health_check, droplet_guid, labels, annotations FROM processes ",
            $rest
        )
    };
}

impl ProcessRow {
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
            process_type: row.text("type")?,
            version: row.text("version")?,
            command: row.opt_text("command")?,
            instances: row.count("instances")?,
            memory_in_mb: row.count("memory_in_mb")?,
            disk_in_mb: row.count("disk_in_mb")?,
            log_rate_limit_in_bytes_per_second: row.int("log_rate_limit_in_bytes_per_second")?,
            health_check: row.json("health_check")?,
            readiness_health_check: row.json("readiness_health_check")?,
            droplet: row.opt_parsed("droplet_guid")?,
            metadata: Metadata::from_row(row)?,
        })
    }
}

/// Writes a new process.
///
/// # Errors
/// Those of the database.
pub async fn insert(db: &mut Connection, process: &ProcessRow) -> Result<()> {
    sqlx::query(
        "INSERT INTO processes (guid, created_at, updated_at, app_guid, type, version, command, instances, memory_in_mb, disk_in_mb, \
         log_rate_limit_in_bytes_per_second, health_check, readiness_health_check, droplet_guid, labels, annotations) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
    )
    .bind(process.guid.to_string())
    .bind(micros(process.created_at))
    .bind(micros(process.updated_at))
    .bind(process.app.to_string())
    .bind(process.process_type.clone())
    .bind(process.version.clone())
    .bind(process.command.clone())
    .bind(i64::from(process.instances))
    .bind(process.memory_in_mb.cast_signed())
    .bind(process.disk_in_mb.cast_signed())
    .bind(process.log_rate_limit_in_bytes_per_second)
    .bind(json("health_check", &process.health_check)?)
    .bind(json("readiness_health_check", &process.readiness_health_check)?)
    .bind(process.droplet.map(|guid| guid.to_string()))
    .bind(process.metadata.labels_json()?)
    .bind(process.metadata.annotations_json()?)
    .execute(&mut *db)
    .await?;
    index_labels(db, &process.guid.to_string(), &process.metadata.labels).await
}

/// Writes everything about a process that can change, and sets `process.updated_at` to `now`.
///
/// # Errors
/// [`StoreError::Conflict`] when it was changed or deleted since `process` was read; those of the database.
pub async fn update(db: &mut Connection, process: &mut ProcessRow, now: Timestamp) -> Result<()> {
    let (read, now) = (micros(process.updated_at), crate::row::next_generation(process.updated_at, now));
    let done = sqlx::query(
        "UPDATE processes SET updated_at = $1, version = $2, command = $3, instances = $4, memory_in_mb = $5, disk_in_mb = $6, \
         log_rate_limit_in_bytes_per_second = $7, health_check = $8, readiness_health_check = $9, droplet_guid = $10, labels = $11, \
         annotations = $12 WHERE guid = $13 AND updated_at = $14",
    )
    .bind(micros(now))
    .bind(process.version.clone())
    .bind(process.command.clone())
    .bind(i64::from(process.instances))
    .bind(process.memory_in_mb.cast_signed())
    .bind(process.disk_in_mb.cast_signed())
    .bind(process.log_rate_limit_in_bytes_per_second)
    .bind(json("health_check", &process.health_check)?)
    .bind(json("readiness_health_check", &process.readiness_health_check)?)
    .bind(process.droplet.map(|guid| guid.to_string()))
    .bind(process.metadata.labels_json()?)
    .bind(process.metadata.annotations_json()?)
    .bind(process.guid.to_string())
    .bind(read)
    .execute(&mut *db)
    .await?;
    if done.rows_affected() == 0 {
        return Err(StoreError::Conflict);
    }
    process.updated_at = now;
    index_labels(db, &process.guid.to_string(), &process.metadata.labels).await
}

/// One process.
///
/// # Errors
/// Those of the database.
pub async fn find(db: &mut Connection, guid: ProcessGuid) -> Result<Option<ProcessRow>> {
    let row = sqlx::query(select!("WHERE guid = $1")).bind(guid.to_string()).fetch_optional(db).await?;
    row.as_ref().map(ProcessRow::from_row).transpose()
}

/// The processes of an app, oldest first.
///
/// # Errors
/// Those of the database.
pub async fn list_of_app(db: &mut Connection, app: AppGuid) -> Result<Vec<ProcessRow>> {
    let query = sqlx::query(select!("WHERE app_guid = $1 ORDER BY created_at, guid")).bind(app.to_string());
    query.fetch_all(db).await?.iter().map(ProcessRow::from_row).collect()
}

/// The app's process of a type: the newest, where a deployment runs two.
///
/// # Errors
/// Those of the database.
pub async fn find_of_type(db: &mut Connection, app: AppGuid, process_type: &str) -> Result<Option<ProcessRow>> {
    let query = sqlx::query(select!("WHERE app_guid = $1 AND type = $2 ORDER BY created_at DESC, guid DESC LIMIT 1"))
        .bind(app.to_string())
        .bind(process_type.to_owned());
    query.fetch_optional(db).await?.as_ref().map(ProcessRow::from_row).transpose()
}

/// Deletes a process. False when there was none.
///
/// # Errors
/// Those of the database.
pub async fn delete(db: &mut Connection, guid: ProcessGuid) -> Result<bool> {
    index_labels(db, &guid.to_string(), &BTreeMap::new()).await?;
    let done = sqlx::query("DELETE FROM processes WHERE guid = $1").bind(guid.to_string()).execute(db).await?;
    Ok(done.rows_affected() > 0)
}

/// What the started processes of a set of spaces are promised together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reserved {
    /// Megabytes of memory.
    pub memory_in_mb: u64,
    /// Instances.
    pub instances: u64,
    /// Bytes of log per second, where every process has a limit.
    pub log_rate_limit_in_bytes_per_second: i64,
    /// Processes without a limit on their log.
    pub unlimited_log_processes: u64,
    /// Memory of the largest instance, megabytes.
    pub largest_memory_in_mb: u64,
}

/// What started apps of the organization are promised.
///
/// # Errors
/// Those of the database.
pub async fn reserved_in_organization(db: &mut Connection, organization: virga_model::OrgGuid) -> Result<Reserved> {
    let row = sqlx::query(
        "SELECT CAST(COALESCE(SUM(p.memory_in_mb * p.instances), 0) AS BIGINT) AS memory, \
         CAST(COALESCE(SUM(p.instances), 0) AS BIGINT) AS instances, \
         CAST(COALESCE(SUM(CASE WHEN p.log_rate_limit_in_bytes_per_second >= 0 THEN p.log_rate_limit_in_bytes_per_second * p.instances \
         ELSE 0 END), 0) AS BIGINT) AS log_rate, \
         CAST(COALESCE(SUM(CASE WHEN p.log_rate_limit_in_bytes_per_second < 0 THEN p.instances ELSE 0 END), 0) AS BIGINT) AS unlimited, \
         CAST(COALESCE(MAX(CASE WHEN p.instances > 0 THEN p.memory_in_mb ELSE 0 END), 0) AS BIGINT) AS largest \
         FROM processes p JOIN apps a ON a.guid = p.app_guid JOIN spaces s ON s.guid = a.space_guid \
         WHERE s.organization_guid = $1 AND a.state = 'STARTED'",
    )
    .bind(organization.to_string())
    .fetch_one(db)
    .await?;
    Ok(Reserved {
        memory_in_mb: row.count("memory")?,
        instances: row.count("instances")?,
        log_rate_limit_in_bytes_per_second: row.int("log_rate")?,
        unlimited_log_processes: row.count("unlimited")?,
        largest_memory_in_mb: row.count("largest")?,
    })
}

/// Which processes a list is to hold; guids are texts, because what callers wrote may be none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProcessFilter {
    /// Of these types.
    pub types: Option<Vec<String>>,
    /// Of these apps.
    pub apps: Option<Vec<String>>,
    /// In these spaces.
    pub spaces: Option<Vec<String>>,
    /// In these organizations.
    pub organizations: Option<Vec<String>>,
}

/// A page of processes.
///
/// # Errors
/// Those of the database.
pub async fn list(db: &mut Connection, filter: &ProcessFilter, visible: Visible, listing: &Listing) -> Result<Page<ProcessRow>> {
    let mut select = Select::new("t.*", "processes t JOIN apps a ON a.guid = t.app_guid");
    select
        .and_in_if("t.type", filter.types.as_deref())
        .and_in_if("t.app_guid", filter.apps.as_deref())
        .and_in_if("a.space_guid", filter.spaces.as_deref())
        .and_space_visible("a.space_guid", visible)
        .and_listing(listing);
    if let Some(organizations) = &filter.organizations {
        select.and_in("a.space_guid IN (SELECT guid FROM spaces WHERE organization_guid", organizations, ")");
    }
    select.page(db, listing, ProcessRow::from_row).await
}
