//! Processes: how many instances of which type an app should have, and with what.

use crate::{
    Connection, Result,
    metadata::Metadata,
    record::{self, Record, Values},
    row::Columns as _,
    select::{Listing, OfApps, Page, Select, Visible},
};
use sqlx::any::AnyRow;
use virga_model::{AppGuid, DropletGuid, ProcessGuid, RevisionGuid, Timestamp, process::HealthCheck};

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
    /// The revision its instances belong to.
    pub revision: Option<RevisionGuid>,
    /// Labels and annotations.
    pub metadata: Metadata,
}

impl Record for ProcessRow {
    record::head!(ProcessGuid);
    const TABLE: &'static str = "processes";
    const FIXED: &'static [&'static str] = &["app_guid", "type"];

    fn values(&self) -> Result<Values> {
        Values::new()
            .word("app_guid", self.app)
            .set("type", self.process_type.as_str())
            .set("version", self.version.as_str())
            .set("command", self.command.clone())
            .set("instances", self.instances)
            .set("memory_in_mb", self.memory_in_mb.cast_signed())
            .set("disk_in_mb", self.disk_in_mb.cast_signed())
            .set("log_rate_limit_in_bytes_per_second", self.log_rate_limit_in_bytes_per_second)
            .opt_word("droplet_guid", self.droplet)
            .opt_word("revision_guid", self.revision)
            .json("health_check", &self.health_check)?
            .json("readiness_health_check", &self.readiness_health_check)?
            .metadata(&self.metadata)
    }

    fn from_row(row: &AnyRow) -> Result<Self> {
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
            revision: row.opt_parsed("revision_guid")?,
            metadata: Metadata::from_row(row)?,
        })
    }
}

record::functions!(ProcessRow);
record::of_app!(ProcessRow);

/// The app's process of a type: the newest, where a deployment runs two.
///
/// # Errors
/// Those of the database.
pub async fn find_of_type(db: &mut Connection, app: AppGuid, process_type: &str) -> Result<Option<ProcessRow>> {
    let rest = "WHERE app_guid = $1 AND type = $2 ORDER BY created_at DESC, guid DESC LIMIT 1";
    record::first(db, rest, [app.to_string().into(), process_type.into()]).await
}

/// Which processes a list is to hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProcessFilter {
    /// Of these types.
    pub types: Option<Vec<String>>,
    /// Of these apps.
    pub of: OfApps,
}

/// A page of processes.
///
/// # Errors
/// Those of the database.
pub async fn list(db: &mut Connection, filter: &ProcessFilter, visible: Visible, listing: &Listing) -> Result<Page<ProcessRow>> {
    let mut select = Select::new("t.*", "processes t JOIN apps a ON a.guid = t.app_guid");
    select.and_in_if("t.type", filter.types.as_deref()).and_of_apps(&filter.of, visible).and_listing(listing);
    select.page(db, listing, ProcessRow::from_row).await
}
