//! `GET /v3/apps/:guid/permissions`.

use super::lookup;
use crate::{Access, Controller, Result, SpaceRight, answer};
use serde_json::json;
use virga_model::AppGuid;
use virga_serve::{
    Path,
    axum::{extract::State, response::Response},
};

/// What the caller may read of an app.
///
/// # Errors
/// 404 `App not found`.
pub async fn permissions(State(controller): State<Controller>, access: Access, Path(guid): Path<AppGuid>) -> Result<Response> {
    let mut db = controller.store.read().await?;
    let (app, _) = lookup::app(&mut db, &access, SpaceRight::See, guid).await?;
    let secrets = access.has_in_space(&mut db, SpaceRight::ReadSecrets, app.space).await?;
    Ok(answer::ok(json!({ "read_basic_data": true, "read_sensitive_data": secrets })))
}
