//! Making users known, and forgetting them.

use super::{read::visible, view};
use crate::{Access, Controller, Result, answer, jobs, metadata::MetadataPatch};
use serde::Deserialize;
use virga_contract::ApiError;
use virga_model::UserGuid;
use virga_serve::{
    Base, Json, Path,
    axum::{extract::State, response::Response},
};
use virga_store::users;

/// Body of `POST /v3/users`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateUser {
    guid: String,
    metadata: Option<MetadataPatch>,
}

/// `POST /v3/users`: makes a user of the UAA known here.
///
/// # Errors
/// 403, 422 `User with guid 'g' already exists.`.
pub async fn create(State(controller): State<Controller>, access: Access, base: Base, Json(body): Json<CreateUser>) -> Result<Response> {
    access.admin()?;
    let metadata = MetadataPatch::create(body.metadata)?;
    let guid: UserGuid = body.guid.parse().map_err(|_| ApiError::unprocessable("Guid is invalid"))?;
    let mut tx = controller.store.begin().await?;
    if users::find(&mut tx, guid).await?.is_some() {
        return Err(ApiError::unprocessable(format!("User with guid '{guid}' already exists.")).into());
    }
    let known = users::known_to_uaa(&mut tx, guid).await?;
    let (username, origin) = known.map(|user| (user.username, user.origin)).unzip();
    users::save_name(&mut tx, guid, username.as_deref(), origin.as_deref(), controller.now()).await?;
    let mut user = users::find(&mut tx, guid).await?.ok_or_else(|| ApiError::not_found("User"))?;
    user.metadata = metadata;
    users::update(&mut tx, &mut user, controller.now()).await?;
    tx.commit().await?;
    Ok(answer::created(view(&base, &user)))
}

/// Body of `PATCH /v3/users/:guid`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpdateUser {
    metadata: Option<MetadataPatch>,
}

/// `PATCH /v3/users/:guid`.
///
/// # Errors
/// 404, 403.
pub async fn update(
    State(controller): State<Controller>,
    access: Access,
    base: Base,
    Path(guid): Path<UserGuid>,
    Json(body): Json<UpdateUser>,
) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    let mut user = visible(&mut tx, &access, guid).await?;
    access.admin()?;
    body.metadata.unwrap_or_default().apply(&mut user.metadata)?;
    users::update(&mut tx, &mut user, controller.now()).await?;
    tx.commit().await?;
    Ok(answer::ok(view(&base, &user)))
}

/// `DELETE /v3/users/:guid`: with all roles. The UAA keeps its own.
///
/// # Errors
/// 404, 403.
pub async fn delete(State(controller): State<Controller>, access: Access, base: Base, Path(guid): Path<UserGuid>) -> Result<Response> {
    let mut tx = controller.store.begin().await?;
    visible(&mut tx, &access, guid).await?;
    access.admin()?;
    users::delete(&mut tx, guid).await?;
    let job = jobs::done(&mut tx, controller.now(), "user.delete", guid).await?;
    tx.commit().await?;
    Ok(answer::job(&base, job))
}
