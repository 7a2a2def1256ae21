//! `/v3/app_usage_events`.

use super::{after, listing};
use crate::{
    Access, Controller, Result, answer,
    list::{ListRequest, ListSpec},
};
use serde_json::{Value, json};
use virga_contract::ApiError;
use virga_model::EventGuid;
use virga_serve::{
    Base, Path,
    axum::{extract::State, response::Response},
};
use virga_store::app_usage_events::{self, AppUsageEventRow};

const LIST: ListSpec = ListSpec::new(&["after_guid"]).without_labels();

fn view(base: &Base, event: &AppUsageEventRow) -> Value {
    json!({
        "guid": event.guid,
        "created_at": answer::time(event.created_at),
        "updated_at": answer::time(event.created_at),
        "state": { "current": event.state, "previous": event.previous_state },
        "app": { "guid": event.app.0, "name": event.app.1 },
        "process": { "guid": event.process.0, "type": event.process.1 },
        "space": { "guid": event.space.0, "name": event.space.1 },
        "organization": { "guid": event.organization },
        "buildpack": { "guid": event.buildpack.0, "name": event.buildpack.1 },
        "task": { "guid": event.task.0, "name": event.task.1 },
        "memory_in_mb_per_instance": { "current": event.memory_in_mb.0, "previous": event.memory_in_mb.1 },
        "instance_count": { "current": event.instances.0, "previous": event.instances.1 },
        "links": { "self": answer::link(base, format_args!("/v3/app_usage_events/{}", event.guid)) },
    })
}

/// `GET /v3/app_usage_events`; empty for who may not read everything.
///
/// # Errors
/// 400 for parameters that are not right, 422 for an `after_guid` that names no event.
pub async fn list(State(controller): State<Controller>, access: Access, request: ListRequest) -> Result<Response> {
    let query = request.parse(&LIST)?;
    if !access.reads_all() {
        return Ok(answer::ok(query.paginated(0, Vec::new())));
    }
    let mut db = controller.store.read().await?;
    let after = after(&query, "app", async |guid| app_usage_events::find(&mut db, guid).await).await?;
    let page = app_usage_events::list(&mut db, after.as_ref(), &listing(&query)).await?;
    Ok(answer::ok(query.render(&page, |event| view(&query.base, event))))
}

/// `GET /v3/app_usage_events/:guid`.
///
/// # Errors
/// 404, also for who may not read everything.
pub async fn show(State(controller): State<Controller>, access: Access, base: Base, Path(guid): Path<EventGuid>) -> Result<Response> {
    let found = match access.reads_all() {
        true => app_usage_events::find(&mut *controller.store.read().await?, guid).await?,
        false => None,
    };
    Ok(answer::ok(view(&base, &found.ok_or_else(|| ApiError::not_found("App usage event"))?)))
}

/// `POST /v3/app_usage_events/actions/destructively_purge_all_and_reseed`: begins anew with what runs now.
///
/// # Errors
/// 403.
pub async fn purge_and_reseed(State(controller): State<Controller>) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    app_usage_events::purge_and_reseed(&mut tx, controller.now()).await?;
    tx.commit().await?;
    Ok(answer::ok(json!({})))
}
