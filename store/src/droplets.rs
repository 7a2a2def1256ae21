//! Droplets: what staging made of a package.

use crate::{
    Connection, Result,
    metadata::Metadata,
    record::{self, Record, Values},
    row::Columns as _,
    select::{Listing, OfApps, Page, Select, Visible},
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
    /// The component or core module in it, while its code may be needed. None of a static site, nor of a droplet that is gone.
    pub component: Option<Sha256Digest>,
    /// Name of the stack.
    pub stack: String,
    /// Process types and commands.
    pub process_types: BTreeMap<String, String>,
    /// JSON of the buildpacks that took part, as the API shows them.
    pub buildpacks: serde_json::Value,
    /// Labels and annotations.
    pub metadata: Metadata,
}

impl Record for DropletRow {
    record::head!(DropletGuid);
    const TABLE: &'static str = "droplets";
    const FIXED: &'static [&'static str] = &["app_guid", "package_guid", "stack"];

    fn values(&self) -> Result<Values> {
        Values::new()
            .word("app_guid", self.app)
            .opt_word("package_guid", self.package)
            .set("state", self.state.as_str())
            .set("error", self.error.clone())
            .opt_word("digest", self.digest)
            .set("size_bytes", self.size_bytes.map(u64::cast_signed))
            .opt_word("guest", self.guest.map(GuestKind::as_str))
            .opt_word("component", self.component)
            .set("stack", self.stack.as_str())
            .json("process_types", &self.process_types)?
            .json("buildpacks", &self.buildpacks)?
            .metadata(&self.metadata)
    }

    fn from_row(row: &AnyRow) -> Result<Self> {
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
            component: row.opt_parsed("component")?,
            stack: row.text("stack")?,
            process_types: row.json("process_types")?,
            buildpacks: row.json("buildpacks")?,
            metadata: Metadata::from_row(row)?,
        })
    }
}

record::functions!(DropletRow);
record::of_app!(DropletRow);

/// Whether any droplet names this blob.
///
/// # Errors
/// Those of the database.
pub async fn is_blob_used(db: &mut Connection, digest: Sha256Digest) -> Result<bool> {
    record::any::<DropletRow>(db, "WHERE digest = $1", [digest.to_string().into()]).await
}

/// Whether any droplet has this component.
///
/// # Errors
/// Those of the database.
pub async fn is_component_used(db: &mut Connection, component: Sha256Digest) -> Result<bool> {
    record::any::<DropletRow>(db, "WHERE component = $1", [component.to_string().into()]).await
}

/// Which droplets a list is to hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DropletFilter {
    /// In these states.
    pub states: Option<Vec<String>>,
    /// Of these apps.
    pub of: OfApps,
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
        .and_in_if("t.package_guid", filter.packages.as_deref())
        .and_of_apps(&filter.of, visible)
        .and_listing(listing);
    if filter.current {
        select.and("a.droplet_guid = t.guid", []);
    }
    select.page(db, listing, DropletRow::from_row).await
}
