//! `POST /oauth/clients`.

use super::{
    body::{ClientBody, check_secret},
    invalid, view,
};
use crate::{
    authority::Uaa,
    bootstrap,
    extract::JsonBody,
    refusal::{Refusal, Result},
    standing,
};
use serde_json::Value;
use std::sync::Arc;
use virga_serve::{
    auth::Claims,
    axum::{Extension, Json, extract::State, http::StatusCode},
};
use virga_store::{StoreError, uaa::clients};

pub(crate) async fn create(
    State(uaa): State<Arc<Uaa>>,
    Extension(claims): Extension<Claims>,
    JsonBody(mut body): JsonBody<ClientBody>,
) -> Result<(StatusCode, Json<Value>)> {
    let secret = body.client_secret.take().unwrap_or_default();
    check_secret(&secret)?;
    let mut client = body.into_row(&uaa, &claims, None, uaa.now())?;
    if !secret.expose().is_empty() {
        client.secret_hash = Some(uaa.passwords.turn().await?.hash(&secret).await?);
    } else if client.grant_types.iter().any(|grant| grant == "client_credentials") {
        return Err(invalid("Client secret is required for the grant type client_credentials"));
    }
    client.token_salt = standing::salt();
    let taken = || Refusal::new(StatusCode::CONFLICT, "invalid_client", format!("Client already exists: {}", client.client_id));
    if bootstrap::is_platform_client(&client.client_id) {
        return Err(taken());
    }
    let mut transaction = uaa.store.begin().await?;
    clients::insert(&mut transaction, &client).await.map_err(|error| match error {
        StoreError::Unique { .. } => taken(),
        error => error.into(),
    })?;
    transaction.commit().await?;
    tracing::info!(client.id = client.client_id, "client created");
    Ok((StatusCode::CREATED, Json(view::client_json(&client))))
}
