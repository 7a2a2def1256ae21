//! `POST /Users`.

use super::{
    body::{UserBody, taken},
    view,
};
use crate::{
    authority::Uaa,
    refusal::{Refusal, Result},
};
use std::sync::Arc;
use virga_serve::axum::{
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    http::StatusCode,
    response::Response,
};
use virga_store::uaa::users;

pub(crate) async fn create(State(uaa): State<Arc<Uaa>>, body: Result<Bytes, BytesRejection>) -> Result<Response> {
    let body = UserBody::read(&body.map_err(|error| Refusal::invalid_request(error.body_text()))?)?;
    let mut user = body.create(uaa.now())?;
    if user.origin == "uaa" {
        let password = body.password.unwrap_or_default();
        uaa.settings.password.check(&password)?;
        user.password_hash = Some(uaa.passwords.turn().await?.hash(&password).await?);
    }
    let mut transaction = uaa.store.begin().await?;
    users::insert(&mut transaction, &user).await.map_err(|error| taken(error, &user.username))?;
    let answer = view::answer(&mut transaction, &user, StatusCode::CREATED).await?;
    transaction.commit().await?;
    tracing::info!(user.guid = %user.guid, "user created");
    Ok(answer)
}
