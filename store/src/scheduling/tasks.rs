//! What a task is told when it is given to a worker.

use crate::{Connection, Result, row::Columns as _};
use sqlx::any::AnyRow;
use std::collections::BTreeMap;
use virga_model::{AppGuid, OrgGuid, Sha256Digest, SpaceGuid, TaskGuid};

/// A task's surroundings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskSpecRow {
    /// Archive of its droplet.
    pub droplet: Sha256Digest,
    /// Its app.
    pub app: AppGuid,
    /// Name of the app.
    pub app_name: String,
    /// The app's own variables.
    pub app_environment: BTreeMap<String, String>,
    /// Features of the app that are not as by default.
    pub app_features: BTreeMap<String, bool>,
    /// Space of the app.
    pub space: SpaceGuid,
    /// Its name.
    pub space_name: String,
    /// Organization of the space.
    pub organization: OrgGuid,
    /// Its name.
    pub organization_name: String,
}

/// The surroundings of a task; `None` where it or its staged droplet is gone.
///
/// # Errors
/// Those of the database.
pub async fn find_task_spec(db: &mut Connection, task: TaskGuid) -> Result<Option<TaskSpecRow>> {
    let sql = "SELECT d.digest, a.guid AS app_guid, a.name AS app_name, a.environment, a.features, a.space_guid, s.name AS space_name, \
               s.organization_guid, o.name AS organization_name FROM tasks t JOIN apps a ON a.guid = t.app_guid \
               JOIN spaces s ON s.guid = a.space_guid JOIN organizations o ON o.guid = s.organization_guid \
               JOIN droplets d ON d.guid = t.droplet_guid WHERE d.state = 'STAGED' AND d.digest IS NOT NULL AND t.guid = $1";
    let read = |row: AnyRow| {
        Ok(TaskSpecRow {
            droplet: row.parsed("digest")?,
            app: row.parsed("app_guid")?,
            app_name: row.text("app_name")?,
            app_environment: row.json("environment")?,
            app_features: row.json("features")?,
            space: row.parsed("space_guid")?,
            space_name: row.text("space_name")?,
            organization: row.parsed("organization_guid")?,
            organization_name: row.text("organization_name")?,
        })
    };
    sqlx::query(sql).bind(task.to_string()).fetch_optional(db).await?.map(read).transpose()
}
