//! `POST /v3/apps/:guid/tasks`.

use super::{request::CreateTask, view};
use crate::{
    Access, Controller, Result, SpaceRight, answer,
    apps::{self, lookup::event},
    audit_events::{record, say},
    metadata::MetadataPatch,
    processes::{self, change, defaults, lookup::Found, request::ScaleProcess},
    quotas,
    request::{check_name, require_feature},
};
use serde_json::json;
use virga_contract::ApiError;
use virga_model::{AppGuid, OrgGuid, ProcessGuid, TaskGuid, state::TaskState};
use virga_serve::{
    Base, Json, Path,
    axum::{extract::State, response::Response},
};
use virga_store::{
    Connection,
    apps::AppRow,
    droplets::DropletRow,
    processes as process_rows,
    tasks::{self, TaskRow},
};

/// Ended tasks of an app that are kept.
const KEEP_TASKS: u32 = 1_000;

/// Makes a task; the scheduler gives it to a worker.
///
/// # Errors
/// 404 `App not found`, `Droplet not found`, `Process not found`; 403 also while the flag `task_creation` is off; 422 without
/// a command or a droplet, for sizes out of bounds, over a quota.
pub async fn create(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<AppGuid>,
    Json(request): Json<CreateTask>,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let (app, organization) = apps::lookup::app(&mut tx, &access, SpaceRight::Write, guid).await?;
    require_feature(&mut tx, &access, "task_creation").await?;
    change::check_user(request.user.as_deref())?;
    let droplet = droplet_of(&mut tx, &app, &request).await?;
    let task = build(&controller, &mut tx, &app, organization, &droplet, request).await?;
    tasks::delete_ended_below(&mut tx, guid, task.sequence_id.saturating_sub(KEEP_TASKS)).await?;
    tasks::insert(&mut tx, &task).await?;
    quotas::check_task(&mut tx, app.space, task.memory_in_mb, task.log_rate_limit_in_bytes_per_second).await?;
    let data = json!({
        "task_guid": task.guid,
        "request": { "name": task.name, "memory_in_mb": task.memory_in_mb, "command": "[PRIVATE DATA HIDDEN]" },
    });
    record(&controller, &mut tx, &access, event("audit.app.task.create", &app, organization, data)).await?;
    tx.commit().await?;
    controller.scheduler.nudge();
    say(&controller, guid, format!("Created task {} of app with guid {guid}", task.name));
    Ok(answer::accepted(view::task(&base, &task, true)))
}

async fn droplet_of(db: &mut Connection, app: &AppRow, request: &CreateTask) -> Result<DropletRow> {
    if let Some(guid) = &request.droplet_guid {
        return Ok(apps::find_staged(db, app, guid).await?.ok_or_else(|| ApiError::not_found("Droplet"))?);
    }
    let none = || ApiError::unprocessable("Task must have a droplet. Assign current droplet to app.");
    let current = app.droplet.ok_or_else(none)?;
    Ok(apps::find_staged(db, app, &current.to_string()).await?.ok_or_else(none)?)
}

async fn build(
    controller: &Controller,
    db: &mut Connection,
    app: &AppRow,
    organization: OrgGuid,
    droplet: &DropletRow,
    request: CreateTask,
) -> Result<TaskRow> {
    let template = match &request.template {
        Some(template) => {
            let guid: Option<ProcessGuid> = template.process.parsed();
            let process = match guid {
                Some(guid) => process_rows::find(db, guid).await?.filter(|process| process.app == app.guid),
                None => None,
            };
            Some(process.ok_or_else(|| ApiError::not_found("Process"))?)
        }
        None => None,
    };
    // Sizes follow the rules of processes; one that is not written is at hand.
    let mut sizes = template.clone().unwrap_or_else(|| defaults::process(controller, app, "task", None));
    let command = match (request.command, template) {
        (Some(command), _) => Some(command),
        (None, None) => return Err(ApiError::unprocessable("No command or template provided").into()),
        (None, Some(process)) => {
            let found = Found { process, app: AppRow { droplet: Some(droplet.guid), ..app.clone() }, organization };
            processes::lookup::command(db, &found).await?
        }
    };
    let scale = ScaleProcess {
        instances: None,
        memory_in_mb: request.memory_in_mb,
        disk_in_mb: request.disk_in_mb,
        log_rate_limit_in_bytes_per_second: request.log_rate_limit_in_bytes_per_second,
    };
    change::scale(controller, &mut sizes, &scale)?;
    change::command(&mut sizes, Some(command.unwrap_or_default()))?;
    let guid = TaskGuid::random();
    let name = request.name.unwrap_or_else(|| guid.to_string().chars().take(8).collect());
    check_name(&name)?;
    let now = controller.now();
    Ok(TaskRow {
        guid,
        created_at: now,
        updated_at: now,
        app: app.guid,
        sequence_id: tasks::next_sequence_id(db, app.guid).await?,
        name,
        command: sizes.command.unwrap_or_default(),
        state: TaskState::Pending,
        memory_in_mb: sizes.memory_in_mb,
        disk_in_mb: sizes.disk_in_mb,
        log_rate_limit_in_bytes_per_second: sizes.log_rate_limit_in_bytes_per_second,
        droplet: droplet.guid,
        failure_reason: None,
        given: None,
        metadata: MetadataPatch::create(request.metadata)?,
    })
}
