//! Deployments: the replacement of an app's web process by a new one, step by step.

use crate::{
    Connection, Result, StoreError,
    metadata::{Metadata, index_labels},
    row::{Columns as _, micros},
    select::{Listing, Page, Select, Visible},
};
use sqlx::any::AnyRow;
use std::collections::BTreeMap;
use virga_model::{
    AppGuid, DeploymentGuid, DropletGuid, ProcessGuid, Timestamp,
    state::{DeploymentState, DeploymentStrategy},
};

/// One deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeploymentRow {
    /// Its guid.
    pub guid: DeploymentGuid,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed; also the generation that [`update`] checks.
    pub updated_at: Timestamp,
    /// Its app.
    pub app: AppGuid,
    /// How far it is.
    pub state: DeploymentState,
    /// How it goes about it.
    pub strategy: DeploymentStrategy,
    /// Instances started at a time.
    pub max_in_flight: u32,
    /// What is deployed.
    pub droplet: DropletGuid,
    /// What ran before; a cancelled deployment goes back to it.
    pub previous_droplet: Option<DropletGuid>,
    /// Scaled down.
    pub old_web_process: ProcessGuid,
    /// Scaled up.
    pub new_web_process: ProcessGuid,
    /// Instances the new process shall have in the end.
    pub original_instances: u32,
    /// When an instance of the new process was last seen to become healthy.
    pub last_healthy_at: Option<Timestamp>,
    /// When `state` last changed.
    pub status_changed_at: Timestamp,
    /// Why it does not get on.
    pub error: Option<String>,
    /// Labels and annotations.
    pub metadata: Metadata,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT guid, created_at, updated_at, app_guid, state, strategy, max_in_flight, droplet_guid, previous_droplet_guid, \
             old_web_process_guid, new_web_process_guid, original_instances, last_healthy_at, status_changed_at, error, labels, \
             annotations FROM deployments ",
            $rest
        )
    };
}

impl DeploymentRow {
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
            state: row.parsed("state")?,
            strategy: row.parsed("strategy")?,
            max_in_flight: row.count("max_in_flight")?,
            droplet: row.parsed("droplet_guid")?,
            previous_droplet: row.opt_parsed("previous_droplet_guid")?,
            old_web_process: row.parsed("old_web_process_guid")?,
            new_web_process: row.parsed("new_web_process_guid")?,
            original_instances: row.count("original_instances")?,
            last_healthy_at: row.opt_time("last_healthy_at")?,
            status_changed_at: row.time("status_changed_at")?,
            error: row.opt_text("error")?,
            metadata: Metadata::from_row(row)?,
        })
    }
}

/// Writes a new deployment.
///
/// # Errors
/// Those of the database.
pub async fn insert(db: &mut Connection, deployment: &DeploymentRow) -> Result<()> {
    sqlx::query(
        "INSERT INTO deployments (guid, created_at, updated_at, app_guid, state, strategy, max_in_flight, droplet_guid, \
         previous_droplet_guid, old_web_process_guid, new_web_process_guid, original_instances, last_healthy_at, status_changed_at, error, \
         labels, annotations) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
    )
    .bind(deployment.guid.to_string())
    .bind(micros(deployment.created_at))
    .bind(micros(deployment.updated_at))
    .bind(deployment.app.to_string())
    .bind(deployment.state.as_str())
    .bind(deployment.strategy.as_str())
    .bind(i64::from(deployment.max_in_flight))
    .bind(deployment.droplet.to_string())
    .bind(deployment.previous_droplet.map(|guid| guid.to_string()))
    .bind(deployment.old_web_process.to_string())
    .bind(deployment.new_web_process.to_string())
    .bind(i64::from(deployment.original_instances))
    .bind(deployment.last_healthy_at.map(micros))
    .bind(micros(deployment.status_changed_at))
    .bind(deployment.error.clone())
    .bind(deployment.metadata.labels_json()?)
    .bind(deployment.metadata.annotations_json()?)
    .execute(&mut *db)
    .await?;
    index_labels(db, &deployment.guid.to_string(), &deployment.metadata.labels).await
}

/// Writes everything about a deployment that can change, and sets `deployment.updated_at` to `now`.
///
/// # Errors
/// [`StoreError::Conflict`] when it was changed or deleted since `deployment` was read; those of the database.
pub async fn update(db: &mut Connection, deployment: &mut DeploymentRow, now: Timestamp) -> Result<()> {
    let (read, now) = (micros(deployment.updated_at), crate::row::next_generation(deployment.updated_at, now));
    let done = sqlx::query(
        "UPDATE deployments SET updated_at = $1, state = $2, last_healthy_at = $3, status_changed_at = $4, error = $5, labels = $6, \
         annotations = $7, original_instances = $8 WHERE guid = $9 AND updated_at = $10",
    )
    .bind(micros(now))
    .bind(deployment.state.as_str())
    .bind(deployment.last_healthy_at.map(micros))
    .bind(micros(deployment.status_changed_at))
    .bind(deployment.error.clone())
    .bind(deployment.metadata.labels_json()?)
    .bind(deployment.metadata.annotations_json()?)
    .bind(i64::from(deployment.original_instances))
    .bind(deployment.guid.to_string())
    .bind(read)
    .execute(&mut *db)
    .await?;
    if done.rows_affected() == 0 {
        return Err(StoreError::Conflict);
    }
    deployment.updated_at = now;
    index_labels(db, &deployment.guid.to_string(), &deployment.metadata.labels).await
}

/// One deployment.
///
/// # Errors
/// Those of the database.
pub async fn find(db: &mut Connection, guid: DeploymentGuid) -> Result<Option<DeploymentRow>> {
    let row = sqlx::query(select!("WHERE guid = $1")).bind(guid.to_string()).fetch_optional(db).await?;
    row.as_ref().map(DeploymentRow::from_row).transpose()
}

/// The app's deployment that is still on its way, if there is one.
///
/// # Errors
/// Those of the database.
pub async fn find_active(db: &mut Connection, app: AppGuid) -> Result<Option<DeploymentRow>> {
    let query = sqlx::query(select!(
        "WHERE app_guid = $1 AND state IN ('DEPLOYING', 'PREPAUSED', 'PAUSED', 'CANCELING') ORDER BY created_at DESC, guid DESC LIMIT 1"
    ));
    query.bind(app.to_string()).fetch_optional(db).await?.as_ref().map(DeploymentRow::from_row).transpose()
}

/// Every deployment that is still on its way, oldest first.
///
/// # Errors
/// Those of the database.
pub async fn list_active(db: &mut Connection) -> Result<Vec<DeploymentRow>> {
    let query = sqlx::query(select!("WHERE state IN ('DEPLOYING', 'PREPAUSED', 'PAUSED', 'CANCELING') ORDER BY created_at, guid"));
    query.fetch_all(db).await?.iter().map(DeploymentRow::from_row).collect()
}

/// The deployments of an app, oldest first.
///
/// # Errors
/// Those of the database.
pub async fn list_of_app(db: &mut Connection, app: AppGuid) -> Result<Vec<DeploymentRow>> {
    let query = sqlx::query(select!("WHERE app_guid = $1 ORDER BY created_at, guid")).bind(app.to_string());
    query.fetch_all(db).await?.iter().map(DeploymentRow::from_row).collect()
}

/// Deletes a deployment. False when there was none.
///
/// # Errors
/// Those of the database.
pub async fn delete(db: &mut Connection, guid: DeploymentGuid) -> Result<bool> {
    index_labels(db, &guid.to_string(), &BTreeMap::new()).await?;
    let done = sqlx::query("DELETE FROM deployments WHERE guid = $1").bind(guid.to_string()).execute(db).await?;
    Ok(done.rows_affected() > 0)
}

/// Which deployments a list is to hold; guids are texts, because what callers wrote may be none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeploymentFilter {
    /// In these states.
    pub states: Option<Vec<String>>,
    /// Of these apps.
    pub apps: Option<Vec<String>>,
    /// In these spaces.
    pub spaces: Option<Vec<String>>,
    /// In these organizations.
    pub organizations: Option<Vec<String>>,
}

/// A page of deployments.
///
/// # Errors
/// Those of the database.
pub async fn list(db: &mut Connection, filter: &DeploymentFilter, visible: Visible, listing: &Listing) -> Result<Page<DeploymentRow>> {
    let mut select = Select::new("t.*", "deployments t JOIN apps a ON a.guid = t.app_guid");
    select
        .and_in_if("t.state", filter.states.as_deref())
        .and_in_if("t.app_guid", filter.apps.as_deref())
        .and_in_if("a.space_guid", filter.spaces.as_deref())
        .and_space_visible("a.space_guid", visible)
        .and_listing(listing);
    if let Some(organizations) = &filter.organizations {
        select.and_in("a.space_guid IN (SELECT guid FROM spaces WHERE organization_guid", organizations, ")");
    }
    select.page(db, listing, DeploymentRow::from_row).await
}
