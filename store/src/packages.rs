//! Packages: source bits of an app.

use crate::{
    Connection, Result,
    metadata::Metadata,
    record::{self, Record, Values},
    row::Columns as _,
    select::{Listing, OfApps, Page, Select, Visible},
};
use sqlx::any::AnyRow;
use virga_model::{AppGuid, PackageGuid, Sha256Digest, Timestamp, state::PackageState};

/// One package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageRow {
    /// Its guid.
    pub guid: PackageGuid,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed; also the generation that [`update`] checks.
    pub updated_at: Timestamp,
    /// Its app.
    pub app: AppGuid,
    /// `bits`.
    pub package_type: String,
    /// Where its bits are.
    pub state: PackageState,
    /// The zip in the blobstore.
    pub digest: Option<Sha256Digest>,
    /// Its size.
    pub size_bytes: Option<u64>,
    /// Why it failed.
    pub error: Option<String>,
    /// Labels and annotations.
    pub metadata: Metadata,
}

impl Record for PackageRow {
    record::head!(PackageGuid);
    const TABLE: &'static str = "packages";
    const FIXED: &'static [&'static str] = &["app_guid", "type"];

    fn values(&self) -> Result<Values> {
        Values::new()
            .word("app_guid", self.app)
            .set("type", self.package_type.as_str())
            .set("state", self.state.as_str())
            .opt_word("digest", self.digest)
            .set("size_bytes", self.size_bytes.map(u64::cast_signed))
            .set("error", self.error.clone())
            .metadata(&self.metadata)
    }

    fn from_row(row: &AnyRow) -> Result<Self> {
        Ok(Self {
            guid: row.parsed("guid")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
            app: row.parsed("app_guid")?,
            package_type: row.text("type")?,
            state: row.parsed("state")?,
            digest: row.opt_parsed("digest")?,
            size_bytes: row.opt_count("size_bytes")?,
            error: row.opt_text("error")?,
            metadata: Metadata::from_row(row)?,
        })
    }
}

record::functions!(PackageRow);
record::of_app!(PackageRow);

/// Packages whose bits were on their way when a process ended; their uploads cannot be taken up again.
///
/// # Errors
/// Those of the database.
pub async fn list_in_state(db: &mut Connection, state: PackageState) -> Result<Vec<PackageRow>> {
    record::all(db, "WHERE state = $1 ORDER BY created_at, guid", [state.as_str().into()]).await
}

/// Whether any package names this blob.
///
/// # Errors
/// Those of the database.
pub async fn is_blob_used(db: &mut Connection, digest: Sha256Digest) -> Result<bool> {
    record::any::<PackageRow>(db, "WHERE digest = $1", [digest.to_string().into()]).await
}

/// Which packages a list is to hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PackageFilter {
    /// In these states.
    pub states: Option<Vec<String>>,
    /// Of these apps.
    pub of: OfApps,
    /// Of these types.
    pub types: Option<Vec<String>>,
}

/// A page of packages.
///
/// # Errors
/// Those of the database.
pub async fn list(db: &mut Connection, filter: &PackageFilter, visible: Visible, listing: &Listing) -> Result<Page<PackageRow>> {
    let mut select = Select::new("t.*", "packages t JOIN apps a ON a.guid = t.app_guid");
    select
        .and_in_if("t.state", filter.states.as_deref())
        .and_in_if("t.type", filter.types.as_deref())
        .and_of_apps(&filter.of, visible)
        .and_listing(listing);
    select.page(db, listing, PackageRow::from_row).await
}
