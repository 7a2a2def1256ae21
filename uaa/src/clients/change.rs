//! `PUT /oauth/clients/:id` and `DELETE /oauth/clients/:id`.

use super::{body::ClientBody, client_of, invalid, view};
use crate::{authority::Uaa, bootstrap, extract::JsonBody, refusal::Result};
use serde_json::Value;
use std::sync::Arc;
use virga_serve::{
    auth::Claims,
    axum::{
        Extension, Json,
        extract::{Path, State},
    },
};
use virga_store::uaa::{approvals, clients, refresh_tokens};

/// Everything about the client becomes what the body says; the secret stays.
pub(crate) async fn update(
    State(uaa): State<Arc<Uaa>>,
    Path(id): Path<String>,
    Extension(claims): Extension<Claims>,
    JsonBody(mut body): JsonBody<ClientBody>,
) -> Result<Json<Value>> {
    if body.client_id.as_ref().is_some_and(|named| *named != id) {
        return Err(invalid("The client_id of a client cannot be changed"));
    }
    body.client_id = Some(id.clone());
    let mut transaction = uaa.store.begin().await?;
    let before = client_of(&mut transaction, &id).await?;
    let client = body.into_row(&uaa, &claims, Some(&before), uaa.now())?;
    clients::update(&mut transaction, &client).await?;
    transaction.commit().await?;
    uaa.standing.forget();
    tracing::info!(client.id = id, "client changed");
    Ok(Json(view::client_json(&client)))
}

/// Deletes a client with every token and approval it was given. The platform's own are made anew at every start and stay.
pub(crate) async fn delete(State(uaa): State<Arc<Uaa>>, Path(id): Path<String>) -> Result<Json<Value>> {
    if bootstrap::is_platform_client(&id) {
        return Err(invalid(format!("{id} is a client of the platform and cannot be deleted")));
    }
    let mut transaction = uaa.store.begin().await?;
    let client = client_of(&mut transaction, &id).await?;
    clients::delete(&mut transaction, &id).await?;
    refresh_tokens::delete_of_client(&mut transaction, &id, None).await?;
    approvals::delete_of_client(&mut transaction, &id).await?;
    transaction.commit().await?;
    uaa.standing.forget();
    tracing::info!(client.id = id, "client deleted");
    Ok(Json(view::client_json(&client)))
}
