//! Revisions: what an app ran at some time, whole enough to go back to.

use crate::{
    Connection, Result,
    metadata::Metadata,
    record::{self, Record, Values},
    row::Columns as _,
    select::{Listing, Page, Select},
};
use sqlx::any::AnyRow;
use std::collections::BTreeMap;
use virga_model::{AppGuid, DropletGuid, RevisionGuid, Timestamp};

/// One revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevisionRow {
    /// Its guid.
    pub guid: RevisionGuid,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed; also the generation that [`update`] checks.
    pub updated_at: Timestamp,
    /// Its app.
    pub app: AppGuid,
    /// Counts the app's revisions from 1.
    pub version: u32,
    /// What it ran.
    pub droplet: DropletGuid,
    /// The app's own variables.
    pub environment: BTreeMap<String, String>,
    /// Process types, each with the user's own command where there was one.
    pub commands: BTreeMap<String, Option<String>>,
    /// What made it differ from the one before.
    pub description: String,
    /// Labels and annotations.
    pub metadata: Metadata,
}

impl Record for RevisionRow {
    record::head!(RevisionGuid);
    const TABLE: &'static str = "revisions";
    const FIXED: &'static [&'static str] = &["app_guid", "version", "droplet_guid", "environment", "commands", "description"];

    fn values(&self) -> Result<Values> {
        Values::new()
            .word("app_guid", self.app)
            .set("version", self.version)
            .word("droplet_guid", self.droplet)
            .set("description", self.description.as_str())
            .json("environment", &self.environment)?
            .json("commands", &self.commands)?
            .metadata(&self.metadata)
    }

    fn from_row(row: &AnyRow) -> Result<Self> {
        Ok(Self {
            guid: row.parsed("guid")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
            app: row.parsed("app_guid")?,
            version: row.count("version")?,
            droplet: row.parsed("droplet_guid")?,
            environment: row.json("environment")?,
            commands: row.json("commands")?,
            description: row.text("description")?,
            metadata: Metadata::from_row(row)?,
        })
    }
}

record::functions!(RevisionRow);

/// The revisions of an app, oldest first.
///
/// # Errors
/// Those of the database.
pub async fn list_of_app(db: &mut Connection, app: AppGuid) -> Result<Vec<RevisionRow>> {
    record::all(db, "WHERE app_guid = $1 ORDER BY version", [app.to_string().into()]).await
}

/// The newest revision of an app.
///
/// # Errors
/// Those of the database.
pub async fn find_latest(db: &mut Connection, app: AppGuid) -> Result<Option<RevisionRow>> {
    record::first(db, "WHERE app_guid = $1 ORDER BY version DESC LIMIT 1", [app.to_string().into()]).await
}

/// Deletes the app's revisions with numbers below this, except those that a process or a deployment on its way belongs to.
///
/// # Errors
/// Those of the database.
pub async fn delete_below(db: &mut Connection, app: AppGuid, version: u32) -> Result<()> {
    let rest = "WHERE app_guid = $1 AND version < $2 \
                AND NOT EXISTS (SELECT 1 FROM processes p WHERE p.app_guid = $1 AND p.revision_guid = revisions.guid) \
                AND NOT EXISTS (SELECT 1 FROM deployments d WHERE d.app_guid = $1 AND d.revision_guid = revisions.guid \
                AND d.state IN ('DEPLOYING', 'PREPAUSED', 'PAUSED', 'CANCELING'))";
    for row in record::all::<RevisionRow>(db, rest, [app.to_string().into(), version.into()]).await? {
        delete(db, row.guid).await?;
    }
    Ok(())
}

/// Which revisions of an app a list is to hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RevisionFilter {
    /// With these numbers.
    pub versions: Option<Vec<i64>>,
    /// Only those whose droplet can still be run, or (false) only those whose cannot.
    pub deployable: Option<bool>,
    /// Only those that processes of the app's running instances belong to.
    pub deployed: bool,
}

/// A page of the revisions of an app, each with whether its droplet can still be run.
///
/// # Errors
/// Those of the database.
pub async fn list(db: &mut Connection, app: AppGuid, filter: &RevisionFilter, listing: &Listing) -> Result<Page<(RevisionRow, bool)>> {
    let columns = "t.*, CAST(CASE WHEN d.state = 'STAGED' THEN 1 ELSE 0 END AS BIGINT) AS deployable";
    let mut select = Select::new(columns, "revisions t LEFT JOIN droplets d ON d.guid = t.droplet_guid");
    select.and("t.app_guid = ?", [app.to_string().into()]).and_in_if("t.version", filter.versions.as_deref()).and_listing(listing);
    match filter.deployable {
        Some(true) => drop(select.and("d.state = 'STAGED'", [])),
        Some(false) => drop(select.and("d.guid IS NULL OR d.state <> 'STAGED'", [])),
        None => {}
    }
    if filter.deployed {
        let condition = "t.guid IN (SELECT p.revision_guid FROM processes p JOIN apps a ON a.guid = p.app_guid \
                         WHERE a.state = 'STARTED' AND p.instances > 0 AND p.revision_guid IS NOT NULL)";
        select.and(condition, []);
    }
    select.page(db, listing, |row| Ok((RevisionRow::from_row(row)?, row.flag("deployable")?))).await
}
