//! `POST /v3/tasks/:guid/actions/cancel` and its older forms.

use super::{lookup, view};
use crate::{Access, Controller, Result, SpaceRight, answer, apps, audit_events::record};
use serde_json::json;
use virga_contract::ApiError;
use virga_model::{AppGuid, TaskGuid, state::TaskState};
use virga_serve::{
    Base, Path,
    axum::{extract::State, response::Response},
};
use virga_store::tasks;

/// Asks for the end of a task; one that runs is stopped.
///
/// # Errors
/// 404 `Task not found`; 403; 422 for one that has ended.
pub async fn cancel(State(controller): State<Controller>, access: Access, base: Base, Path(guid): Path<TaskGuid>) -> Result<Response> {
    perform(&controller, &access, &base, None, guid).await
}

/// The same below its app.
///
/// # Errors
/// As [`cancel`].
pub async fn cancel_of_app(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path((app, guid)): Path<(AppGuid, TaskGuid)>,
) -> Result<Response> {
    perform(&controller, &access, &base, Some(app), guid).await
}

async fn perform(controller: &Controller, access: &Access, base: &Base, of: Option<AppGuid>, guid: TaskGuid) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let (mut task, app, organization) = lookup::find(&mut tx, access, SpaceRight::Manage, guid).await?;
    if of.is_some_and(|of| of != app.guid) {
        return Err(ApiError::not_found("Task").into());
    }
    if matches!(task.state, TaskState::Succeeded | TaskState::Failed) {
        let detail = format!("Task state is {} and therefore cannot be canceled", task.state);
        return Err(ApiError::unprocessable(detail).into());
    }
    if task.state != TaskState::Canceling {
        task.state = TaskState::Canceling;
        tasks::update(&mut tx, &mut task, controller.now()).await?;
        let data = json!({ "task_guid": guid });
        record(controller, &mut tx, access, apps::lookup::event("audit.app.task.cancel", &app, organization, data)).await?;
    }
    let secrets = access.has_in_space(&mut tx, SpaceRight::ReadSecrets, app.space).await?;
    tx.commit().await?;
    controller.scheduler.nudge();
    Ok(answer::accepted(view::task(base, &task, secrets)))
}
