//! Making, changing and deleting buildpacks. Administrators only, which the route table sees to.

use super::{LIFECYCLE, read::find, view::view};
use crate::{
    Access, Controller, Error, Result, answer,
    audit_events::{self, Event},
    blobs::{self, Freed},
    jobs,
    metadata::MetadataPatch,
    stacks::is_stack,
};
use serde::Deserialize;
use serde_json::{Value, json};
use virga_contract::ApiError;
use virga_model::BuildpackGuid;
use virga_serve::{
    Base, Json, Path,
    axum::{extract::State, response::Response},
};
use virga_store::{
    Connection, StoreError,
    buildpacks::{self, BuildpackRow},
};

/// Most characters of a name.
const MAX_NAME_CHARS: usize = 250;

/// Body of `POST /v3/buildpacks`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateBuildpack {
    name: String,
    stack: Option<String>,
    position: Option<i64>,
    enabled: Option<bool>,
    locked: Option<bool>,
    lifecycle: Option<String>,
    metadata: Option<MetadataPatch>,
}

/// `POST /v3/buildpacks`: at the first position where none is asked for. It is used once something is uploaded.
///
/// # Errors
/// 403, 422.
pub async fn create(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Json(body): Json<CreateBuildpack>,
) -> Result<Response> {
    check_name(&body.name)?;
    check_stack(body.stack.as_deref())?;
    let lifecycle = body.lifecycle.unwrap_or_else(|| LIFECYCLE.to_owned());
    if !matches!(lifecycle.as_str(), LIFECYCLE | "cnb") {
        return Err(ApiError::unprocessable("Lifecycle must be either \"buildpack\" or \"cnb\"").into());
    }
    let position = position(body.position.unwrap_or(1))?;
    let now = controller.now();
    let mut buildpack = BuildpackRow {
        guid: BuildpackGuid::random(),
        created_at: now,
        updated_at: now,
        name: body.name,
        stack: body.stack,
        lifecycle,
        position,
        enabled: body.enabled.unwrap_or(true),
        locked: body.locked.unwrap_or(false),
        filename: None,
        builder: None,
        version: None,
        detect: None,
        bits: None,
        metadata: MetadataPatch::create(body.metadata)?,
    };
    let mut tx = controller.store.begin().await?;
    buildpacks::lock(&mut tx).await?;
    buildpacks::insert(&mut tx, &buildpack).await.map_err(|error| taken(error, &buildpack))?;
    buildpacks::move_to(&mut tx, &mut buildpack, position).await?;
    let data = json!({ "request": { "name": buildpack.name, "stack": buildpack.stack, "position": position } });
    record(&controller, &mut tx, &access, "audit.buildpack.create", &buildpack, data).await?;
    tx.commit().await?;
    Ok(answer::created(view(&controller, &base, &buildpack)))
}

/// Body of `PATCH /v3/buildpacks/:guid`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpdateBuildpack {
    name: Option<String>,
    stack: Option<String>,
    position: Option<i64>,
    enabled: Option<bool>,
    locked: Option<bool>,
    metadata: Option<MetadataPatch>,
}

/// `PATCH /v3/buildpacks/:guid`.
///
/// # Errors
/// 403, 404, 422.
pub async fn update(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<BuildpackGuid>,
    Json(body): Json<UpdateBuildpack>,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    buildpacks::lock(&mut tx).await?;
    let mut buildpack = find(&mut tx, guid).await?;
    if let Some(name) = body.name {
        check_name(&name)?;
        buildpack.name = name;
    }
    if let Some(stack) = body.stack {
        check_stack(Some(&stack))?;
        if buildpack.stack.as_ref().is_some_and(|old| *old != stack) {
            return Err(ApiError::unprocessable("Buildpack stack cannot be changed").into());
        }
        buildpack.stack = Some(stack);
    }
    buildpack.enabled = body.enabled.unwrap_or(buildpack.enabled);
    buildpack.locked = body.locked.unwrap_or(buildpack.locked);
    body.metadata.unwrap_or_default().apply(&mut buildpack.metadata)?;
    let before = buildpack.clone();
    buildpacks::update(&mut tx, &mut buildpack, controller.now()).await.map_err(|error| taken(error, &before))?;
    if let Some(wanted) = body.position {
        buildpacks::move_to(&mut tx, &mut buildpack, position(wanted)?).await?;
    }
    let data = json!({ "request": {
        "name": buildpack.name, "position": buildpack.position, "enabled": buildpack.enabled, "locked": buildpack.locked } });
    record(&controller, &mut tx, &access, "audit.buildpack.update", &buildpack, data).await?;
    tx.commit().await?;
    Ok(answer::ok(view(&controller, &base, &buildpack)))
}

/// `DELETE /v3/buildpacks/:guid`. One of this program's own stays deleted.
///
/// # Errors
/// 403, 404.
pub async fn delete(State(controller): State<Controller>, access: Access, base: Base, Path(guid): Path<BuildpackGuid>) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    buildpacks::lock(&mut tx).await?;
    let buildpack = find(&mut tx, guid).await?;
    buildpacks::delete(&mut tx, guid).await?;
    blobs::free_later(&controller, &mut tx, buildpack.bits.map(Freed::Buildpack).into_iter().collect()).await?;
    buildpacks::renumber(&mut tx, &buildpack.lifecycle).await?;
    record(&controller, &mut tx, &access, "audit.buildpack.delete", &buildpack, json!({})).await?;
    let job = jobs::done(&mut tx, controller.now(), "buildpack.delete", guid).await?;
    tx.commit().await?;
    Ok(answer::job(&base, job))
}

fn check_name(name: &str) -> Result<()> {
    let is_plain = |character: char| character.is_alphanumeric() || matches!(character, '-' | '_');
    if name.is_empty() {
        return Err(ApiError::unprocessable("Name can't be blank").into());
    }
    if name.chars().count() > MAX_NAME_CHARS {
        return Err(ApiError::unprocessable(format!("Name is too long (maximum is {MAX_NAME_CHARS} characters)")).into());
    }
    if !name.chars().all(is_plain) {
        return Err(ApiError::unprocessable("Name is invalid: it may hold letters, digits, '-' and '_'").into());
    }
    Ok(())
}

fn check_stack(stack: Option<&str>) -> Result<()> {
    match stack.filter(|stack| !is_stack(stack)) {
        None => Ok(()),
        Some(stack) => Err(ApiError::unprocessable(format!("Stack '{stack}' does not exist")).into()),
    }
}

fn position(wanted: i64) -> Result<u32> {
    let position = u32::try_from(wanted).ok().filter(|position| *position > 0);
    Ok(position.ok_or_else(|| ApiError::unprocessable("Position must be greater than or equal to 1"))?)
}

fn taken(error: StoreError, buildpack: &BuildpackRow) -> Error {
    if !error.is_unique("buildpacks_name_stack_lifecycle") {
        return error.into();
    }
    let (name, lifecycle) = (&buildpack.name, &buildpack.lifecycle);
    let detail = match &buildpack.stack {
        Some(stack) => format!("Buildpack with name '{name}', stack '{stack}' and lifecycle '{lifecycle}' already exists"),
        None => format!("Buildpack with name '{name}' and an unassigned stack already exists"),
    };
    ApiError::unprocessable(detail).into()
}

pub(super) async fn record(
    controller: &Controller,
    db: &mut Connection,
    access: &Access,
    kind: &str,
    buildpack: &BuildpackRow,
    data: Value,
) -> Result<()> {
    let (target, target_name) = (buildpack.guid.to_string(), buildpack.name.as_str());
    let event = Event { kind, target_kind: "buildpack", target, target_name, data, space: None, organization: None };
    audit_events::record(controller, db, access, event).await
}
