//! Making, changing and deleting security groups. Administrators only, which the route table sees to. A change takes effect
//! in running apps with the next snapshot.

use super::{bind::bind_to, read::one, rules};
use crate::{
    Access, Controller, Error, Result, answer, jobs,
    request::{ToMany, check_name},
};
use serde::Deserialize;
use serde_json::Value;
use virga_contract::ApiError;
use virga_model::SecurityGroupGuid;
use virga_serve::{
    Base, Json, Path,
    axum::{extract::State, response::Response},
};
use virga_store::{
    StoreError,
    security_groups::{self, Phase, SecurityGroupRow},
};

/// Body of `POST` and `PATCH`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupBody {
    name: Option<String>,
    rules: Option<Vec<Value>>,
    globally_enabled: Option<Globally>,
    relationships: Option<BoundSpaces>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Globally {
    running: Option<bool>,
    staging: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BoundSpaces {
    running_spaces: Option<ToMany>,
    staging_spaces: Option<ToMany>,
}

impl GroupBody {
    fn apply(&mut self, group: &mut SecurityGroupRow) -> Result<()> {
        if let Some(name) = self.name.take() {
            check_name(&name)?;
            group.name = name;
        }
        if let Some(wanted) = self.rules.take() {
            group.rules = rules::read(&wanted).map_err(ApiError::unprocessable_all)?;
        }
        if let Some(globally) = self.globally_enabled.take() {
            group.running_default = globally.running.unwrap_or(group.running_default);
            group.staging_default = globally.staging.unwrap_or(group.staging_default);
        }
        Ok(())
    }
}

/// `POST /v3/security_groups`.
///
/// # Errors
/// 403, 422 `Security group with name 'x' already exists.`, what is wrong with the rules, spaces that are not there.
pub async fn create(State(controller): State<Controller>, access: Access, base: Base, Json(mut body): Json<GroupBody>) -> Result<Response> {
    check_name(body.name.as_deref().unwrap_or_default())?;
    let now = controller.now();
    let mut group = SecurityGroupRow {
        guid: SecurityGroupGuid::random(),
        created_at: now,
        updated_at: now,
        name: String::new(),
        rules: Vec::new(),
        running_default: false,
        staging_default: false,
    };
    body.apply(&mut group)?;
    let mut tx = controller.store.begin().await?;
    security_groups::insert(&mut tx, &group).await.map_err(|error| taken(error, &group.name))?;
    if let Some(bound) = &body.relationships {
        for (phase, spaces) in [(Phase::Running, &bound.running_spaces), (Phase::Staging, &bound.staging_spaces)] {
            if let Some(spaces) = spaces {
                bind_to(&mut tx, &access, group.guid, phase, spaces).await?;
            }
        }
    }
    let view = one(&mut tx, &access, &base, group).await?;
    tx.commit().await?;
    controller.scheduler.nudge();
    Ok(answer::created(view))
}

/// `PATCH /v3/security_groups/:guid`.
///
/// # Errors
/// 403, 404, 422.
pub async fn update(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<SecurityGroupGuid>,
    Json(mut body): Json<GroupBody>,
) -> Result<Response> {
    if body.relationships.is_some() {
        return Err(ApiError::unprocessable("Unknown field(s): 'relationships'").into());
    }
    let mut tx = controller.store.begin().await?;
    let found = security_groups::find(&mut tx, guid).await?;
    let mut group = found.ok_or_else(|| ApiError::not_found("Security group"))?;
    body.apply(&mut group)?;
    security_groups::update(&mut tx, &mut group, controller.now()).await.map_err(|error| taken(error, &group.name))?;
    let view = one(&mut tx, &access, &base, group).await?;
    tx.commit().await?;
    controller.scheduler.nudge();
    Ok(answer::ok(view))
}

/// `DELETE /v3/security_groups/:guid`.
///
/// # Errors
/// 403, 404.
pub async fn delete(State(controller): State<Controller>, base: Base, Path(guid): Path<SecurityGroupGuid>) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    if !security_groups::delete(&mut tx, guid).await? {
        return Err(ApiError::not_found("Security group").into());
    }
    let job = jobs::done(&mut tx, controller.now(), "security_group.delete", guid).await?;
    tx.commit().await?;
    controller.scheduler.nudge();
    Ok(answer::job(&base, job))
}

fn taken(error: StoreError, name: &str) -> Error {
    if error.is_unique("security_groups_name") {
        return ApiError::unprocessable(format!("Security group with name '{name}' already exists.")).into();
    }
    error.into()
}
