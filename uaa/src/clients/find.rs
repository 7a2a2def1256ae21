//! `GET /oauth/clients` and `GET /oauth/clients/:id`.

use super::{ATTRIBUTES, client_of, view};
use crate::{authority::Uaa, extract::QueryFields, refusal::Result, scim::ListQuery};
use serde_json::Value;
use std::sync::Arc;
use virga_serve::axum::{
    Json,
    extract::{Path, State},
};
use virga_store::uaa::clients;

pub(crate) async fn find(State(uaa): State<Arc<Uaa>>, Path(id): Path<String>) -> Result<Json<Value>> {
    Ok(Json(view::client_json(&client_of(&mut *uaa.store.read().await?, &id).await?)))
}

pub(crate) async fn list(State(uaa): State<Arc<Uaa>>, QueryFields(query): QueryFields<ListQuery>) -> Result<Json<Value>> {
    let listing = query.listing(ATTRIBUTES, "client_id")?;
    let (rows, total) = clients::list(&mut *uaa.store.read().await?, &listing).await?;
    Ok(Json(query.answer(rows.iter().map(view::client_json).collect(), total)))
}
