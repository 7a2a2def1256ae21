//! Builds: one staging of a package each.

use crate::{
    Connection, Result,
    metadata::Metadata,
    record::{self, Record, Values},
    row::Columns as _,
    select::{Listing, OfApps, Page, Select, Visible},
};
use sqlx::any::AnyRow;
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

impl Record for BuildRow {
    record::head!(BuildGuid);
    const TABLE: &'static str = "builds";
    const FIXED: &'static [&'static str] = &[
        "app_guid",
        "package_guid",
        "buildpacks",
        "stack",
        "staging_memory_in_mb",
        "staging_disk_in_mb",
        "created_by_guid",
        "created_by_name",
        "created_by_email",
    ];

    fn values(&self) -> Result<Values> {
        let (by_guid, by_name, by_email) = self.created_by.clone();
        Values::new()
            .word("app_guid", self.app)
            .word("package_guid", self.package)
            .opt_word("droplet_guid", self.droplet)
            .set("state", self.state.as_str())
            .set("error", self.error.clone())
            .set("stack", self.stack.as_str())
            .set("staging_memory_in_mb", self.staging_memory_in_mb.cast_signed())
            .set("staging_disk_in_mb", self.staging_disk_in_mb.cast_signed())
            .set("created_by_guid", by_guid)
            .set("created_by_name", by_name)
            .set("created_by_email", by_email)
            .json("buildpacks", &self.buildpacks)?
            .json("steps", &self.steps)?
            .metadata(&self.metadata)
    }

    fn from_row(row: &AnyRow) -> Result<Self> {
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

record::functions!(BuildRow);
record::of_app!(BuildRow);

/// Whether a build of the app is still staging.
///
/// # Errors
/// Those of the database.
pub async fn is_staging(db: &mut Connection, app: AppGuid) -> Result<bool> {
    record::any::<BuildRow>(db, "WHERE app_guid = $1 AND state = 'STAGING'", [app.to_string().into()]).await
}

/// Which builds a list is to hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BuildFilter {
    /// In these states.
    pub states: Option<Vec<String>>,
    /// Of these apps.
    pub of: OfApps,
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
        .and_in_if("t.package_guid", filter.packages.as_deref())
        .and_of_apps(&filter.of, visible)
        .and_listing(listing);
    select.page(db, listing, BuildRow::from_row).await
}
