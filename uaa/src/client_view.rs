//! `GET /oauth/clients/:id`.

use crate::{
    authority::Uaa,
    refusal::{Refusal, Result},
};
use serde_json::{Value, json};
use std::sync::Arc;
use virga_serve::axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use virga_store::uaa::clients;

pub(crate) async fn show(State(uaa): State<Arc<Uaa>>, Path(id): Path<String>) -> Result<Json<Value>> {
    let client = clients::find(&mut *uaa.store.read().await?, &id).await?;
    let client = client.ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, "not_found", format!("No client with requested id: {id}")))?;
    Ok(Json(json!({
        "client_id": client.client_id,
        "name": client.client_id,
        "scope": client.scopes,
        "authorities": client.authorities,
        "authorized_grant_types": client.grant_types,
        "resource_ids": ["none"],
        "redirect_uri": [],
        "autoapprove": [],
        "access_token_validity": client.access_token_seconds,
        "refresh_token_validity": client.refresh_token_seconds,
        "lastModified": client.updated_at.as_millisecond(),
    })))
}
