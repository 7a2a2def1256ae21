//! `PUT /Users/:id/password`. Every token of the user that was given out before is void afterwards.

use super::{create::check_new_password, user_of};
use crate::{
    authority::Uaa,
    refusal::{Refusal, Result},
    tokens::login,
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use virga_serve::{
    Secret,
    auth::Claims,
    axum::{
        Extension, Json,
        body::Bytes,
        extract::{Path, State, rejection::BytesRejection},
        http::StatusCode,
    },
};
use virga_store::uaa::{refresh_tokens, users};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UpdatePassword {
    #[serde(default)]
    old_password: Option<Secret<String>>,
    password: Secret<String>,
}

pub(crate) async fn update(
    State(uaa): State<Arc<Uaa>>,
    Path(id): Path<String>,
    Extension(claims): Extension<Claims>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>> {
    let body = body.map_err(|error| Refusal::invalid_request(error.body_text()))?;
    let request: UpdatePassword = serde_json::from_slice(&body).map_err(|error| Refusal::invalid_request(error.to_string()))?;
    check_new_password(&request.password)?;
    let turn = uaa.passwords.turn().await?;
    let user = user_of(&mut *uaa.store.read().await?, &id).await?;
    if user.origin != "uaa" {
        return Err(Refusal::invalid_request("The password of this user is kept elsewhere"));
    }
    // Who changes the own password shows the old one, so that a found token does not become an account.
    let oneself = claims.user_id.as_deref() == Some(id.as_str());
    if oneself {
        let old = request.old_password.ok_or_else(|| Refusal::invalid_request("Old password is required"))?;
        login::check(&uaa, &turn, &user, &old).await?;
        if old == request.password {
            let text = "Your new password cannot be the same as the old password.";
            return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_password", text));
        }
    }
    let hash = turn.hash(&request.password).await?;
    let mut transaction = uaa.store.begin().await?;
    users::update_password(&mut transaction, user.guid, &hash, uaa.now()).await?;
    refresh_tokens::delete_of_user(&mut transaction, user.guid).await?;
    transaction.commit().await?;
    uaa.standing.forget();
    tracing::info!(user.guid = %user.guid, "password changed");
    Ok(Json(json!({"status": "ok", "message": "password updated"})))
}
