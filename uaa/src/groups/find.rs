//! `GET /Groups` and `GET /Groups/:id`.

use super::{ATTRIBUTES, group_of, view};
use crate::{authority::Uaa, extract::QueryFields, refusal::Result, scim::ListQuery};
use serde_json::Value;
use std::sync::Arc;
use virga_serve::axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use virga_store::uaa::groups;

pub(crate) async fn find(State(uaa): State<Arc<Uaa>>, Path(id): Path<String>) -> Result<Response> {
    let mut db = uaa.store.read().await?;
    let group = group_of(&mut db, &id).await?;
    Ok(view::answer(&mut db, &group, StatusCode::OK).await?)
}

pub(crate) async fn list(State(uaa): State<Arc<Uaa>>, QueryFields(query): QueryFields<ListQuery>) -> Result<Json<Value>> {
    let listing = query.listing(ATTRIBUTES, "created")?;
    let mut db = uaa.store.read().await?;
    let (rows, total) = groups::list(&mut db, &listing).await?;
    let resources = view::groups_json(&mut db, &rows).await?;
    Ok(Json(query.answer(resources, total)))
}
