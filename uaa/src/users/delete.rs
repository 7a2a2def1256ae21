//! `DELETE /Users/:id`. Answers with the user that was: the `cf` CLI cannot read an empty answer here.

use super::{groups_of, user_of, view};
use crate::{authority::Uaa, refusal::Result};
use serde_json::Value;
use std::sync::Arc;
use virga_serve::axum::{
    Json,
    extract::{Path, State},
};
use virga_store::uaa::users;

pub(crate) async fn delete(State(uaa): State<Arc<Uaa>>, Path(id): Path<String>) -> Result<Json<Value>> {
    let mut transaction = uaa.store.begin().await?;
    let user = user_of(&mut transaction, &id).await?;
    let groups = groups_of(&mut transaction, user.guid).await?;
    users::delete(&mut transaction, user.guid).await?;
    transaction.commit().await?;
    uaa.standing.forget();
    Ok(Json(view::user_json(&user, &groups)))
}
