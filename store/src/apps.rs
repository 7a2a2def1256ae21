//! Apps: what the user wants.

use crate::{
    Connection, Result, StoreError,
    metadata::{Metadata, index_labels},
    row::{Columns as _, json, micros},
    select::{Listing, Page, Select, Visible},
};
use sqlx::any::AnyRow;
use std::collections::BTreeMap;
use virga_model::{AppGuid, DropletGuid, OrgGuid, SpaceGuid, Timestamp, state::AppState};

/// One app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppRow {
    /// Its guid.
    pub guid: AppGuid,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed; also the generation that [`update`] checks.
    pub updated_at: Timestamp,
    /// Unique in its space.
    pub name: String,
    /// Where it lives.
    pub space: SpaceGuid,
    /// Whether it should run.
    pub state: AppState,
    /// Buildpacks the user asked for; none is detection.
    pub buildpacks: Vec<String>,
    /// Name of its stack.
    pub stack: String,
    /// Its current droplet.
    pub droplet: Option<DropletGuid>,
    /// The user's own environment variables.
    pub environment: BTreeMap<String, String>,
    /// Features that differ from their default.
    pub features: BTreeMap<String, bool>,
    /// Labels and annotations.
    pub metadata: Metadata,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT guid, created_at, updated_at, name, space_guid, state, buildpacks, stack, droplet_guid, environment, features, \
             labels, annotations FROM apps ",
            $rest
        )
    };
}

impl AppRow {
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
            space: row.parsed("space_guid")?,
            state: row.parsed("state")?,
            buildpacks: row.json("buildpacks")?,
            stack: row.text("stack")?,
            droplet: row.opt_parsed("droplet_guid")?,
            environment: row.json("environment")?,
            features: row.json("features")?,
            metadata: Metadata::from_row(row)?,
        })
    }
}

/// Writes a new app.
///
/// # Errors
/// [`StoreError::Unique`] `apps_space_guid_name` for a name that is taken; those of the database.
pub async fn insert(db: &mut Connection, app: &AppRow) -> Result<()> {
    sqlx::query(
        "INSERT INTO apps (guid, created_at, updated_at, name, space_guid, state, buildpacks, stack, droplet_guid, environment, \
         features, labels, annotations) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    )
    .bind(app.guid.to_string())
    .bind(micros(app.created_at))
    .bind(micros(app.updated_at))
    .bind(app.name.clone())
    .bind(app.space.to_string())
    .bind(app.state.as_str())
    .bind(json("buildpacks", &app.buildpacks)?)
    .bind(app.stack.clone())
    .bind(app.droplet.map(|guid| guid.to_string()))
    .bind(json("environment", &app.environment)?)
    .bind(json("features", &app.features)?)
    .bind(app.metadata.labels_json()?)
    .bind(app.metadata.annotations_json()?)
    .execute(&mut *db)
    .await?;
    index_labels(db, &app.guid.to_string(), &app.metadata.labels).await
}

/// Writes everything about an app that can change, and sets `app.updated_at` to `now`.
///
/// # Errors
/// [`StoreError::Conflict`] when it was changed or deleted since `app` was read; [`StoreError::Unique`]
/// `apps_space_guid_name`; those of the database.
pub async fn update(db: &mut Connection, app: &mut AppRow, now: Timestamp) -> Result<()> {
    let (read, now) = (micros(app.updated_at), crate::row::next_generation(app.updated_at, now));
    let done = sqlx::query(
        "UPDATE apps SET updated_at = $1, name = $2, state = $3, buildpacks = $4, stack = $5, droplet_guid = $6, environment = $7, \
         features = $8, labels = $9, annotations = $10 WHERE guid = $11 AND updated_at = $12",
    )
    .bind(micros(now))
    .bind(app.name.clone())
    .bind(app.state.as_str())
    .bind(json("buildpacks", &app.buildpacks)?)
    .bind(app.stack.clone())
    .bind(app.droplet.map(|guid| guid.to_string()))
    .bind(json("environment", &app.environment)?)
    .bind(json("features", &app.features)?)
    .bind(app.metadata.labels_json()?)
    .bind(app.metadata.annotations_json()?)
    .bind(app.guid.to_string())
    .bind(read)
    .execute(&mut *db)
    .await?;
    if done.rows_affected() == 0 {
        return Err(StoreError::Conflict);
    }
    app.updated_at = now;
    index_labels(db, &app.guid.to_string(), &app.metadata.labels).await
}

/// One app.
///
/// # Errors
/// Those of the database.
pub async fn find(db: &mut Connection, guid: AppGuid) -> Result<Option<AppRow>> {
    let row = sqlx::query(select!("WHERE guid = $1")).bind(guid.to_string()).fetch_optional(db).await?;
    row.as_ref().map(AppRow::from_row).transpose()
}

/// The app of this name in a space.
///
/// # Errors
/// Those of the database.
pub async fn find_by_name(db: &mut Connection, space: SpaceGuid, name: &str) -> Result<Option<AppRow>> {
    let query = sqlx::query(select!("WHERE space_guid = $1 AND name = $2")).bind(space.to_string()).bind(name.to_owned());
    query.fetch_optional(db).await?.as_ref().map(AppRow::from_row).transpose()
}

/// The apps of a space, oldest first.
///
/// # Errors
/// Those of the database.
pub async fn list_of_space(db: &mut Connection, space: SpaceGuid) -> Result<Vec<AppRow>> {
    let query = sqlx::query(select!("WHERE space_guid = $1 ORDER BY created_at, guid")).bind(space.to_string());
    query.fetch_all(db).await?.iter().map(AppRow::from_row).collect()
}

/// Deletes an app's own row; what belongs to it must be gone. False when there was none.
///
/// # Errors
/// [`StoreError::Reference`] while something belongs to it; those of the database.
pub async fn delete(db: &mut Connection, guid: AppGuid) -> Result<bool> {
    index_labels(db, &guid.to_string(), &BTreeMap::new()).await?;
    let done = sqlx::query("DELETE FROM apps WHERE guid = $1").bind(guid.to_string()).execute(db).await?;
    Ok(done.rows_affected() > 0)
}

/// Which apps a list is to hold; guids are texts, because what callers wrote may be none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AppFilter {
    /// Of these names.
    pub names: Option<Vec<String>>,
    /// In these organizations.
    pub organizations: Option<Vec<String>>,
    /// In these spaces.
    pub spaces: Option<Vec<String>>,
    /// Of these stacks.
    pub stacks: Option<Vec<String>>,
}

/// A page of apps.
///
/// # Errors
/// Those of the database.
pub async fn list(db: &mut Connection, filter: &AppFilter, visible: Visible, listing: &Listing) -> Result<Page<AppRow>> {
    let mut select = Select::new("t.*", "apps t");
    select
        .and_in_if("t.name", filter.names.as_deref())
        .and_in_if("t.space_guid", filter.spaces.as_deref())
        .and_in_if("t.stack", filter.stacks.as_deref())
        .and_space_visible("t.space_guid", visible)
        .and_listing(listing);
    if let Some(organizations) = &filter.organizations {
        select.and_in("t.space_guid IN (SELECT guid FROM spaces WHERE organization_guid", organizations, ")");
    }
    select.page(db, listing, AppRow::from_row).await
}

/// Where an app is, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// Name of the app.
    pub app_name: String,
    /// Its space.
    pub space: SpaceGuid,
    /// Name of the space.
    pub space_name: String,
    /// The space's organization.
    pub organization: OrgGuid,
    /// Name of the organization.
    pub organization_name: String,
}

/// Where an app is, by name.
///
/// # Errors
/// Those of the database.
pub async fn placement(db: &mut Connection, app: AppGuid) -> Result<Option<Placement>> {
    let query = sqlx::query(
        "SELECT a.name AS app_name, s.guid AS space_guid, s.name AS space_name, o.guid AS organization_guid, o.name AS organization_name \
         FROM apps a JOIN spaces s ON s.guid = a.space_guid JOIN organizations o ON o.guid = s.organization_guid WHERE a.guid = $1",
    );
    let Some(row) = query.bind(app.to_string()).fetch_optional(db).await? else { return Ok(None) };
    Ok(Some(Placement {
        app_name: row.text("app_name")?,
        space: row.parsed("space_guid")?,
        space_name: row.text("space_name")?,
        organization: row.parsed("organization_guid")?,
        organization_name: row.text("organization_name")?,
    }))
}

/// `host.domain/path` of every route of an app, in the order in which they were mapped.
///
/// # Errors
/// Those of the database.
pub async fn uris(db: &mut Connection, app: AppGuid) -> Result<Vec<String>> {
    let query = sqlx::query(
        "SELECT r.host, d.name AS domain, r.path, MIN(t.created_at) AS mapped_at FROM route_destinations t \
         JOIN routes r ON r.guid = t.route_guid JOIN domains d ON d.guid = r.domain_guid WHERE t.app_guid = $1 \
         GROUP BY r.guid, r.host, d.name, r.path ORDER BY mapped_at, r.guid",
    );
    let uri = |row: &AnyRow| {
        let (host, domain, path) = (row.text("host")?, row.text("domain")?, row.text("path")?);
        Ok(if host.is_empty() { format!("{domain}{path}") } else { format!("{host}.{domain}{path}") })
    };
    query.bind(app.to_string()).fetch_all(db).await?.iter().map(uri).collect()
}
