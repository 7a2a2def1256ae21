//! Deployments: the replacement of an app's web process by a new one, step by step.

use crate::{
    Connection, Result,
    metadata::Metadata,
    record::{self, Record, Values},
    row::Columns as _,
    select::{Listing, Page, Select, Visible},
};
use sqlx::any::AnyRow;
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

impl Record for DeploymentRow {
    record::head!(DeploymentGuid);
    const TABLE: &'static str = "deployments";
    const FIXED: &'static [&'static str] =
        &["app_guid", "strategy", "max_in_flight", "droplet_guid", "previous_droplet_guid", "old_web_process_guid", "new_web_process_guid"];

    fn values(&self) -> Result<Values> {
        Values::new()
            .word("app_guid", self.app)
            .set("state", self.state.as_str())
            .set("strategy", self.strategy.as_str())
            .set("max_in_flight", self.max_in_flight)
            .word("droplet_guid", self.droplet)
            .opt_word("previous_droplet_guid", self.previous_droplet)
            .word("old_web_process_guid", self.old_web_process)
            .word("new_web_process_guid", self.new_web_process)
            .set("original_instances", self.original_instances)
            .set("last_healthy_at", self.last_healthy_at)
            .set("status_changed_at", self.status_changed_at)
            .set("error", self.error.clone())
            .metadata(&self.metadata)
    }

    fn from_row(row: &AnyRow) -> Result<Self> {
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

record::functions!(DeploymentRow);

/// The app's deployment that is still on its way, if there is one.
///
/// # Errors
/// Those of the database.
pub async fn find_active(db: &mut Connection, app: AppGuid) -> Result<Option<DeploymentRow>> {
    let rest =
        "WHERE app_guid = $1 AND state IN ('DEPLOYING', 'PREPAUSED', 'PAUSED', 'CANCELING') ORDER BY created_at DESC, guid DESC LIMIT 1";
    record::first(db, rest, [app.to_string().into()]).await
}

/// Every deployment that is still on its way, oldest first.
///
/// # Errors
/// Those of the database.
pub async fn list_active(db: &mut Connection) -> Result<Vec<DeploymentRow>> {
    record::all(db, "WHERE state IN ('DEPLOYING', 'PREPAUSED', 'PAUSED', 'CANCELING') ORDER BY created_at, guid", []).await
}

/// The deployments of an app, oldest first.
///
/// # Errors
/// Those of the database.
pub async fn list_of_app(db: &mut Connection, app: AppGuid) -> Result<Vec<DeploymentRow>> {
    record::all(db, "WHERE app_guid = $1 ORDER BY created_at, guid", [app.to_string().into()]).await
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
        .and_in_organizations_if("a.space_guid", filter.organizations.as_deref())
        .and_listing(listing);
    select.page(db, listing, DeploymentRow::from_row).await
}
