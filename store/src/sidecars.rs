//! Sidecars: commands that an app wants to run beside its processes.

use crate::{
    Connection, Result,
    record::{self, Record, Values},
    row::Columns as _,
    select::{Listing, Page, Select},
};
use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use virga_model::{AppGuid, SidecarGuid, Timestamp};

/// One sidecar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SidecarRow {
    /// Its guid.
    pub guid: SidecarGuid,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed; also the generation that [`update`] checks.
    pub updated_at: Timestamp,
    /// Its app.
    pub app: AppGuid,
    /// What it is.
    pub spec: SidecarSpec,
    /// `user` or `buildpack`.
    pub origin: String,
}

/// What a sidecar is, in its row and in the revisions of its app.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SidecarSpec {
    /// Unique in its app.
    pub name: String,
    /// What runs.
    pub command: String,
    /// Beside processes of these types.
    pub process_types: Vec<String>,
    /// Its part of the memory of each instance, megabytes.
    pub memory_in_mb: Option<u64>,
}

impl Record for SidecarRow {
    record::head!(SidecarGuid);
    const TABLE: &'static str = "sidecars";
    const FIXED: &'static [&'static str] = &["app_guid", "origin"];

    fn values(&self) -> Result<Values> {
        Values::new()
            .word("app_guid", self.app)
            .set("name", self.spec.name.as_str())
            .set("command", self.spec.command.as_str())
            .set("memory_in_mb", self.spec.memory_in_mb.map(u64::cast_signed))
            .set("origin", self.origin.as_str())
            .json("process_types", &self.spec.process_types)
    }

    fn from_row(row: &AnyRow) -> Result<Self> {
        Ok(Self {
            guid: row.parsed("guid")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
            app: row.parsed("app_guid")?,
            spec: SidecarSpec {
                name: row.text("name")?,
                command: row.text("command")?,
                process_types: row.json("process_types")?,
                memory_in_mb: row.opt_count("memory_in_mb")?,
            },
            origin: row.text("origin")?,
        })
    }
}

record::functions!(SidecarRow);

/// The sidecars of an app, oldest first.
///
/// # Errors
/// Those of the database.
pub async fn list_of_app(db: &mut Connection, app: AppGuid) -> Result<Vec<SidecarRow>> {
    record::all(db, "WHERE app_guid = $1 ORDER BY created_at, guid", [app.to_string().into()]).await
}

/// A page of the sidecars of an app.
///
/// # Errors
/// Those of the database.
pub async fn list(db: &mut Connection, app: AppGuid, listing: &Listing) -> Result<Page<SidecarRow>> {
    let mut select = Select::new("t.*", "sidecars t");
    select.and("t.app_guid = ?", [app.to_string().into()]).and_listing(listing);
    select.page(db, listing, SidecarRow::from_row).await
}
