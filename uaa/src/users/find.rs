//! `GET /Users/:id`.

use super::{groups_of, user_of, view};
use crate::{authority::Uaa, refusal::Result};
use serde_json::Value;
use std::sync::Arc;
use virga_serve::axum::{
    Json,
    extract::{Path, State},
};

pub(crate) async fn find(State(uaa): State<Arc<Uaa>>, Path(id): Path<String>) -> Result<Json<Value>> {
    let mut db = uaa.store.read().await?;
    let user = user_of(&mut db, &id).await?;
    let groups = groups_of(&mut db, user.guid).await?;
    Ok(Json(view::user_json(&user, &groups)))
}
