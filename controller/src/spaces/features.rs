//! Features of a space; there is one, `ssh`.

use super::read::ssh_feature;
use crate::{Access, Controller, Result, SpaceRight, answer};
use serde::Deserialize;
use serde_json::json;
use virga_contract::ApiError;
use virga_model::SpaceGuid;
use virga_serve::{
    Json, Path,
    axum::{extract::State, response::Response},
};
use virga_store::{Connection, spaces};

/// `GET /v3/spaces/:guid/features`.
///
/// # Errors
/// 404.
pub async fn list_features(State(controller): State<Controller>, access: Access, Path(guid): Path<SpaceGuid>) -> Result<Response> {
    let mut db = controller.store.read().await?;
    let enabled = allowed(&mut db, &access, guid).await?;
    Ok(answer::ok(json!({ "features": [ssh_feature(enabled)] })))
}

/// `GET /v3/spaces/:guid/features/ssh`.
///
/// # Errors
/// 404.
pub async fn show_ssh(State(controller): State<Controller>, access: Access, Path(guid): Path<SpaceGuid>) -> Result<Response> {
    let mut db = controller.store.read().await?;
    let enabled = allowed(&mut db, &access, guid).await?;
    Ok(answer::ok(ssh_feature(enabled)))
}

async fn allowed(db: &mut Connection, access: &Access, guid: SpaceGuid) -> Result<bool> {
    access.in_space(db, SpaceRight::See, guid, "Space").await?;
    Ok(spaces::find(db, guid).await?.ok_or_else(|| ApiError::not_found("Space"))?.allow_ssh)
}

/// Body of `PATCH /v3/spaces/:guid/features/ssh`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpdateFeature {
    enabled: bool,
}

/// `PATCH /v3/spaces/:guid/features/ssh`.
///
/// # Errors
/// 404, 403.
pub async fn update_ssh(
    State(controller): State<Controller>,
    access: Access,
    Path(guid): Path<SpaceGuid>,
    Json(body): Json<UpdateFeature>,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    access.in_space(&mut tx, SpaceRight::Update, guid, "Space").await?;
    let mut space = spaces::find(&mut tx, guid).await?.ok_or_else(|| ApiError::not_found("Space"))?;
    space.allow_ssh = body.enabled;
    spaces::update(&mut tx, &mut space, controller.now()).await?;
    tx.commit().await?;
    Ok(answer::ok(ssh_feature(body.enabled)))
}
