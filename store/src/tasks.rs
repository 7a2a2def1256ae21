//! Tasks: one run of a command of an app each. The controller makes and cancels them, the scheduler gives them to workers
//! and writes how they ended.

use crate::{
    Connection, Result,
    metadata::Metadata,
    record::{self, Record, Values},
    row::Columns as _,
    select::{Listing, OfApps, Page, Select, Visible},
};
use sqlx::any::AnyRow;
use virga_model::{AppGuid, DropletGuid, TaskGuid, Timestamp, state::TaskState};

/// One task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskRow {
    /// Its guid.
    pub guid: TaskGuid,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed; also the generation that [`update`] checks.
    pub updated_at: Timestamp,
    /// Its app.
    pub app: AppGuid,
    /// Counts the app's tasks from 1.
    pub sequence_id: u32,
    /// Its name, also in its log lines.
    pub name: String,
    /// What is run.
    pub command: String,
    /// How far it is.
    pub state: TaskState,
    /// Memory limit.
    pub memory_in_mb: u64,
    /// Disk limit.
    pub disk_in_mb: u64,
    /// Log limit; -1 is unlimited.
    pub log_rate_limit_in_bytes_per_second: i64,
    /// What it runs from.
    pub droplet: DropletGuid,
    /// Why it failed.
    pub failure_reason: Option<String>,
    /// The worker process it was given to (number and process id), and what that worker was told, as JSON of the scheduler.
    pub given: Option<GivenTask>,
    /// Labels and annotations.
    pub metadata: Metadata,
}

/// To whom a task was given, and with what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenTask {
    /// Number of the worker.
    pub worker: u32,
    /// Its process id.
    pub pid: u32,
    /// JSON, the scheduler's own, sealed.
    pub spec: String,
}

impl TaskRow {
    /// Ends the task, and forgets what its worker was told: that holds the app's environment.
    pub fn end(&mut self, state: TaskState, failure_reason: Option<String>) {
        self.state = state;
        self.failure_reason = failure_reason;
        self.given = None;
    }
}

impl Record for TaskRow {
    record::head!(TaskGuid);
    const TABLE: &'static str = "tasks";
    const FIXED: &'static [&'static str] =
        &["app_guid", "sequence_id", "name", "command", "memory_in_mb", "disk_in_mb", "log_rate_limit_in_bytes_per_second", "droplet_guid"];

    fn values(&self) -> Result<Values> {
        let given = self.given.as_ref();
        Values::new()
            .word("app_guid", self.app)
            .set("sequence_id", self.sequence_id)
            .set("name", self.name.as_str())
            .set("command", self.command.as_str())
            .set("state", self.state.as_str())
            .set("memory_in_mb", self.memory_in_mb.cast_signed())
            .set("disk_in_mb", self.disk_in_mb.cast_signed())
            .set("log_rate_limit_in_bytes_per_second", self.log_rate_limit_in_bytes_per_second)
            .word("droplet_guid", self.droplet)
            .set("failure_reason", self.failure_reason.clone())
            .set("worker", given.map(|given| i64::from(given.worker)))
            .set("worker_pid", given.map(|given| i64::from(given.pid)))
            .set("spec", given.map(|given| given.spec.clone()))
            .metadata(&self.metadata)
    }

    fn from_row(row: &AnyRow) -> Result<Self> {
        let given = match (row.opt_count("worker")?, row.opt_count("worker_pid")?, row.opt_text("spec")?) {
            (Some(worker), Some(pid), Some(spec)) => Some(GivenTask { worker, pid, spec }),
            _ => None,
        };
        Ok(Self {
            guid: row.parsed("guid")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
            app: row.parsed("app_guid")?,
            sequence_id: row.count("sequence_id")?,
            name: row.text("name")?,
            command: row.text("command")?,
            state: row.parsed("state")?,
            memory_in_mb: row.count("memory_in_mb")?,
            disk_in_mb: row.count("disk_in_mb")?,
            log_rate_limit_in_bytes_per_second: row.int("log_rate_limit_in_bytes_per_second")?,
            droplet: row.parsed("droplet_guid")?,
            failure_reason: row.opt_text("failure_reason")?,
            given,
            metadata: Metadata::from_row(row)?,
        })
    }
}

record::functions!(TaskRow);

/// The tasks of an app, oldest first.
///
/// # Errors
/// Those of the database.
pub async fn list_of_app(db: &mut Connection, app: AppGuid) -> Result<Vec<TaskRow>> {
    record::all(db, "WHERE app_guid = $1 ORDER BY sequence_id", [app.to_string().into()]).await
}

/// Every task that has not ended, oldest first.
///
/// # Errors
/// Those of the database.
pub async fn list_active(db: &mut Connection) -> Result<Vec<TaskRow>> {
    record::all(db, "WHERE state IN ('PENDING', 'RUNNING', 'CANCELING') ORDER BY created_at, guid", []).await
}

/// The number of the app's next task.
///
/// # Errors
/// Those of the database.
pub async fn next_sequence_id(db: &mut Connection, app: AppGuid) -> Result<u32> {
    let query = sqlx::query("SELECT CAST(COALESCE(MAX(sequence_id), 0) + 1 AS BIGINT) AS next FROM tasks WHERE app_guid = $1");
    query.bind(app.to_string()).fetch_one(db).await?.count("next")
}

/// The app's tasks that have not ended.
///
/// # Errors
/// Those of the database.
pub async fn list_active_of_app(db: &mut Connection, app: AppGuid) -> Result<Vec<TaskRow>> {
    let rest = "WHERE app_guid = $1 AND state IN ('PENDING', 'RUNNING', 'CANCELING') ORDER BY sequence_id";
    record::all(db, rest, [app.to_string().into()]).await
}

/// Deletes the app's ended tasks with numbers below this.
///
/// # Errors
/// Those of the database.
pub async fn delete_ended_below(db: &mut Connection, app: AppGuid, sequence_id: u32) -> Result<()> {
    let labels = "DELETE FROM resource_labels WHERE resource_guid IN \
                  (SELECT guid FROM tasks WHERE app_guid = $1 AND sequence_id < $2 AND state IN ('SUCCEEDED', 'FAILED'))";
    sqlx::query(labels).bind(app.to_string()).bind(i64::from(sequence_id)).execute(&mut *db).await?;
    let rows = "DELETE FROM tasks WHERE app_guid = $1 AND sequence_id < $2 AND state IN ('SUCCEEDED', 'FAILED')";
    sqlx::query(rows).bind(app.to_string()).bind(i64::from(sequence_id)).execute(db).await?;
    Ok(())
}

/// Which tasks a list is to hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskFilter {
    /// With these names.
    pub names: Option<Vec<String>>,
    /// In these states.
    pub states: Option<Vec<String>>,
    /// With these numbers.
    pub sequence_ids: Option<Vec<i64>>,
    /// Of these apps.
    pub of: OfApps,
}

/// A page of tasks.
///
/// # Errors
/// Those of the database.
pub async fn list(db: &mut Connection, filter: &TaskFilter, visible: Visible, listing: &Listing) -> Result<Page<TaskRow>> {
    let mut select = Select::new("t.*", "tasks t JOIN apps a ON a.guid = t.app_guid");
    select
        .and_in_if("t.name", filter.names.as_deref())
        .and_in_if("t.state", filter.states.as_deref())
        .and_in_if("t.sequence_id", filter.sequence_ids.as_deref())
        .and_of_apps(&filter.of, visible)
        .and_listing(listing);
    select.page(db, listing, TaskRow::from_row).await
}
