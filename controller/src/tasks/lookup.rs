//! Finding a task for a caller.

use crate::{Access, Result, SpaceRight, apps};
use virga_contract::ApiError;
use virga_model::{OrgGuid, TaskGuid};
use virga_store::{
    Connection,
    apps::AppRow,
    tasks::{self, TaskRow},
};

/// The task, its app and organization, for a caller who has `right` in the app's space.
///
/// # Errors
/// 404 `Task not found`, 403.
pub(super) async fn find(db: &mut Connection, access: &Access, right: SpaceRight, guid: TaskGuid) -> Result<(TaskRow, AppRow, OrgGuid)> {
    let task = tasks::find(db, guid).await?.ok_or_else(|| ApiError::not_found("Task"))?;
    let (app, organization) = apps::lookup::of(db, access, right, task.app, "Task").await?;
    Ok((task, app, organization))
}
