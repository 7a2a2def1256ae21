//! `PATCH /v3/apps/:guid`.

use super::{change, lookup, request::UpdateApp, view};
use crate::{
    Access, Controller, Result, SpaceRight, answer,
    audit_events::{record, say},
    request::check_name,
};
use serde_json::json;
use virga_model::AppGuid;
use virga_serve::{
    Base, Json, Path,
    axum::{extract::State, response::Response},
};
use virga_store::apps;

/// Changes an app's name, lifecycle, labels and annotations. Running instances notice nothing.
///
/// # Errors
/// 404 `App not found`, 403, 422.
pub async fn update(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<AppGuid>,
    Json(request): Json<UpdateApp>,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let (mut app, organization) = lookup::app(&mut tx, &access, SpaceRight::Write, guid).await?;
    let mut changed = Vec::new();
    if let Some(name) = request.name {
        check_name(&name)?;
        app.name = name;
        changed.push("name");
    }
    if let Some(lifecycle) = request.lifecycle {
        change::lifecycle(&mut tx, &mut app, lifecycle).await?;
        changed.push("lifecycle");
    }
    if let Some(metadata) = request.metadata {
        metadata.apply(&mut app.metadata)?;
        changed.push("metadata");
    }
    let name = app.name.clone();
    apps::update(&mut tx, &mut app, controller.now()).await.map_err(|error| change::name_taken(error, &name))?;
    let data = json!({ "request": { "name": app.name, "changed": changed } });
    record(&controller, &mut tx, &access, lookup::event("audit.app.update", &app, organization, data)).await?;
    tx.commit().await?;
    controller.scheduler.nudge();
    say(&controller, guid, format!("Updated app with guid {guid} ({})", changed.join(", ")));
    Ok(answer::ok(view::app(&base, &app)))
}
