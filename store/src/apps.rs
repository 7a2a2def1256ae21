//! Apps: what the user wants.

use crate::{
    Connection, Result,
    metadata::Metadata,
    record::{self, Record, Values},
    row::Columns as _,
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

impl Record for AppRow {
    record::head!(AppGuid);
    const TABLE: &'static str = "apps";
    const FIXED: &'static [&'static str] = &["space_guid"];

    fn values(&self) -> Result<Values> {
        Values::new()
            .set("name", self.name.as_str())
            .word("space_guid", self.space)
            .set("state", self.state.as_str())
            .set("stack", self.stack.as_str())
            .opt_word("droplet_guid", self.droplet)
            .json("buildpacks", &self.buildpacks)?
            .json("environment", &self.environment)?
            .json("features", &self.features)?
            .metadata(&self.metadata)
    }

    fn from_row(row: &AnyRow) -> Result<Self> {
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

record::functions!(AppRow);

/// Keeps an app as it was read until the transaction ends, so that what is counted of it stays so.
///
/// # Errors
/// [`crate::StoreError::Conflict`] when it was changed or deleted since it was read; those of the database.
pub async fn hold(db: &mut Connection, app: &AppRow) -> Result<()> {
    record::hold(db, app).await
}

/// The app of this name in a space.
///
/// # Errors
/// Those of the database.
pub async fn find_by_name(db: &mut Connection, space: SpaceGuid, name: &str) -> Result<Option<AppRow>> {
    record::first(db, "WHERE space_guid = $1 AND name = $2", [space.to_string().into(), name.into()]).await
}

/// The apps of a space, oldest first.
///
/// # Errors
/// Those of the database.
pub async fn list_of_space(db: &mut Connection, space: SpaceGuid) -> Result<Vec<AppRow>> {
    record::all(db, "WHERE space_guid = $1 ORDER BY created_at, guid", [space.to_string().into()]).await
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
        .and_in_organizations_if("t.space_guid", filter.organizations.as_deref())
        .and_listing(listing);
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
