//! `PUT /Users/:id/password`. Every token and session of the user that was given out before is void afterwards.

use super::user_of;
use crate::{
    authority::Uaa,
    extract::JsonBody,
    passwords::Turn,
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
        extract::{Path, State},
        http::StatusCode,
    },
};
use virga_store::uaa::{
    codes, failed_logins, refresh_tokens, sessions,
    users::{self, UaaUserRow},
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UpdatePassword {
    #[serde(default)]
    old_password: Option<Secret<String>>,
    password: Secret<String>,
}

pub(crate) async fn update(
    State(uaa): State<Arc<Uaa>>,
    Path(id): Path<String>,
    Extension(claims): Extension<Claims>,
    JsonBody(request): JsonBody<UpdatePassword>,
) -> Result<Json<Value>> {
    uaa.settings.password.check(&request.password)?;
    let turn = uaa.passwords.turn().await?;
    let user = user_of(&mut *uaa.store.read().await?, &id).await?;
    // Who changes the own password shows the old one, so that a found token does not become an account.
    let oneself = claims.user_id.as_deref() == Some(id.as_str());
    if oneself {
        let old = request.old_password.ok_or_else(|| Refusal::invalid_request("Old password is required"))?;
        change_own(&uaa, &turn, &user, &old, &request.password).await?;
    } else {
        set(&uaa, &turn, &user, &request.password).await?;
    }
    Ok(Json(json!({"status": "ok", "message": "password updated"})))
}

/// Sets a new password of somebody who shows the old one.
pub(crate) async fn change_own(uaa: &Uaa, turn: &Turn, user: &UaaUserRow, old: &Secret<String>, new: &Secret<String>) -> Result<()> {
    kept_here(user)?;
    login::check(uaa, turn, &user.username, &user.origin, Some(user), old).await?;
    if old == new {
        let text = "Your new password cannot be the same as the old password.";
        return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_password", text));
    }
    set(uaa, turn, user, new).await
}

/// Sets a new password, and voids whatever the old one gave.
pub(crate) async fn set(uaa: &Uaa, turn: &Turn, user: &UaaUserRow, new: &Secret<String>) -> Result<()> {
    kept_here(user)?;
    let hash = turn.hash(new).await?;
    let now = uaa.now();
    let mut transaction = uaa.store.begin().await?;
    let mut changed = user_of(&mut transaction, &user.guid.to_string()).await?;
    changed.password_hash = Some(hash);
    changed.password_changed_at = now;
    changed.password_change_required = false;
    changed.version = changed.version.saturating_add(1);
    users::update(&mut transaction, &mut changed, now).await?;
    failed_logins::forget(&mut transaction, &user.origin, &user.username).await?;
    refresh_tokens::delete_of_user(&mut transaction, user.guid).await?;
    sessions::delete_of_user(&mut transaction, user.guid).await?;
    codes::delete_of_user(&mut transaction, user.guid).await?;
    transaction.commit().await?;
    uaa.standing.forget();
    tracing::info!(user.guid = %user.guid, "password changed");
    Ok(())
}

fn kept_here(user: &UaaUserRow) -> Result<()> {
    if user.origin == "uaa" { Ok(()) } else { Err(Refusal::invalid_request("The password of this user is kept elsewhere")) }
}
