//! `POST /v3/spaces/:guid/actions/apply_manifest`, `POST /v3/spaces/:guid/manifest_diff`, `GET /v3/apps/:guid/manifest`.

use super::{apply, diff, document, render};
use crate::{
    Access, Controller, Error, Result, SpaceRight, answer,
    apps::lookup::{self, event},
    audit_events::{record, say},
    quotas,
};
use http::{HeaderMap, HeaderValue, header};
use serde_json::{Value, json};
use virga_contract::{ApiError, ErrorCode};
use virga_model::{AppGuid, SpaceGuid, state::AppState};
use virga_serve::{
    Base, Path,
    axum::{
        body::Bytes,
        extract::{State, rejection::BytesRejection},
        response::{IntoResponse as _, Response},
    },
    extract::body_failure,
};
use virga_store::{app_usage_events, apps};

/// Makes the apps of a space what the manifest says, all of them or none. Apps that are not there are made, stopped.
///
/// # Errors
/// 404 `Space not found`; 403; 400 for what is no YAML; 422 with one entry for each problem of each app.
pub async fn apply_manifest(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(space): Path<SpaceGuid>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let organization = access.in_space(&mut tx, SpaceRight::Write, space, "Space").await?.organization;
    let manifests = document::validate(&read(&headers, body)?)?;
    let (mut touched, mut awaited) = (Vec::new(), Vec::new());
    for manifest in &manifests {
        let (app, bindings) =
            apply::app(&controller, &mut tx, &access, space, organization, manifest).await.map_err(|error| named(error, &manifest.name))?;
        let data = json!({ "request": { "name": app.name } });
        record(&controller, &mut tx, &access, event("audit.app.apply_manifest", &app, organization, data)).await?;
        touched.push(app);
        awaited.extend(bindings);
    }
    for app in touched.iter().filter(|app| app.state == AppState::Started) {
        quotas::check_app(&mut tx, app.guid, space).await.map_err(|error| named(error, &app.name))?;
    }
    for app in &touched {
        app_usage_events::note(&mut tx, app.guid, controller.now()).await?;
    }
    let job = apply::job(&controller, &mut tx, space, awaited).await?;
    tx.commit().await?;
    controller.nudge_jobs();
    controller.scheduler.nudge();
    for app in &touched {
        say(&controller, app.guid, format!("Applied manifest to app with guid {} ({})", app.guid, app.name));
    }
    Ok(answer::job(&base, job))
}

/// What the manifest would change.
///
/// # Errors
/// As [`apply_manifest`], except that values are not checked.
pub async fn manifest_diff(
    State(controller): State<Controller>,
    access: Access,
    Path(space): Path<SpaceGuid>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response> {
    let mut db = controller.store.read().await?;
    access.in_space(&mut db, SpaceRight::Write, space, "Space").await?;
    let mut operations: Vec<Value> = Vec::new();
    for (index, wanted) in read(&headers, body)?.iter().enumerate() {
        let current = match wanted.get("name").and_then(Value::as_str) {
            Some(name) => apps::find_by_name(&mut db, space, name).await?,
            None => return Err(ApiError::unprocessable(format!("For application at index {index}: Name must not be empty")).into()),
        };
        let current = match current {
            Some(app) => Some(render::app(&mut db, &app).await?),
            None => None,
        };
        operations.extend(diff::of_app(index, wanted, current.as_ref()));
    }
    Ok(answer::created(json!({ "diff": operations })))
}

/// The manifest that makes an app what it is.
///
/// # Errors
/// 404 `App not found`, 403.
pub async fn show_manifest(State(controller): State<Controller>, access: Access, Path(guid): Path<AppGuid>) -> Result<Response> {
    let mut db = controller.store.read().await?;
    // It holds the environment.
    let (app, _) = lookup::app(&mut db, &access, SpaceRight::ReadSecrets, guid).await?;
    let document = json!({ "applications": [render::app(&mut db, &app).await?] });
    let text = serde_yaml_ng::to_string(&document).map_err(|error| ApiError::internal(format_args!("a manifest as YAML: {error}")))?;
    let mut response = format!("---\n{text}").into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-yaml"));
    Ok(response)
}

fn read(headers: &HeaderMap, body: Result<Bytes, BytesRejection>) -> Result<Vec<serde_json::Map<String, Value>>> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.contains("yaml") {
        return Err(ApiError::new(ErrorCode::BadRequest, "Bad request: Content-Type must be yaml").into());
    }
    let body = body.map_err(body_failure)?;
    Ok(document::read(&body)?)
}

/// The error, with the app in front of each sentence as the CLI prints them.
fn named(error: Error, name: &str) -> Error {
    error.with_details(|detail| format!("For application '{name}': {detail}"))
}
