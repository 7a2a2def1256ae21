//! `PATCH /Users/:id/status`: ends a lock, asks for a new password. `GET /Users/:id/verify`.

use super::{user_of, view};
use crate::{
    authority::Uaa,
    extract::JsonBody,
    refusal::{Refusal, Result},
    scim::Expected,
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use virga_serve::axum::{
    Json,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use virga_store::uaa::{failed_logins, users};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct AccountStatus {
    locked: Option<bool>,
    password_change_required: Option<bool>,
}

/// Unlocks (`locked` can only be false), and says that the next login must set a new password.
pub(crate) async fn update(
    State(uaa): State<Arc<Uaa>>,
    Path(id): Path<String>,
    JsonBody(status): JsonBody<AccountStatus>,
) -> Result<Json<Value>> {
    let mut transaction = uaa.store.begin().await?;
    let mut user = user_of(&mut transaction, &id).await?;
    if status.locked == Some(true) {
        return Err(Refusal::invalid_request(
            "Cannot set user account to locked. User accounts only become locked through exceeding the allowed failed login attempts.",
        ));
    }
    let mut answer = serde_json::Map::new();
    if status.locked == Some(false) {
        failed_logins::forget(&mut transaction, &user.origin, &user.username).await?;
        answer.insert("locked".to_owned(), json!(false));
    }
    if let Some(required) = status.password_change_required {
        if user.origin != "uaa" {
            return Err(Refusal::invalid_request("The password of this user is kept elsewhere"));
        }
        user.password_change_required = required;
        let now = uaa.now();
        users::update(&mut transaction, &mut user, now).await?;
        answer.insert("passwordChangeRequired".to_owned(), json!(required));
    }
    transaction.commit().await?;
    Ok(Json(Value::Object(answer)))
}

/// Takes the email to be the user's own.
pub(crate) async fn verify(State(uaa): State<Arc<Uaa>>, Path(id): Path<String>, headers: HeaderMap) -> Result<Response> {
    let expected = Expected::of(&headers)?.unwrap_or(Expected::Any);
    let mut transaction = uaa.store.begin().await?;
    let mut user = user_of(&mut transaction, &id).await?;
    expected.check(user.version)?;
    user.verified = true;
    user.version = user.version.saturating_add(1);
    users::update(&mut transaction, &mut user, uaa.now()).await?;
    let answer = view::answer(&mut transaction, &user, StatusCode::OK).await?;
    transaction.commit().await?;
    Ok(answer)
}
