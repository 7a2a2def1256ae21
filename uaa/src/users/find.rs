//! `GET /Users/:id`.

use super::{user_of, view};
use crate::{authority::Uaa, refusal::Result};
use std::sync::Arc;
use virga_serve::axum::{
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};

pub(crate) async fn find(State(uaa): State<Arc<Uaa>>, Path(id): Path<String>) -> Result<Response> {
    let mut db = uaa.store.read().await?;
    let user = user_of(&mut db, &id).await?;
    Ok(view::answer(&mut db, &user, StatusCode::OK).await?)
}
