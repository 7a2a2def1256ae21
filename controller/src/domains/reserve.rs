//! `GET /v3/domains/:guid/route_reservations`.

use super::read::visible;
use crate::{Access, Controller, Result, answer};
use serde::Deserialize;
use serde_json::json;
use virga_model::DomainGuid;
use virga_serve::{
    Path, Query,
    axum::{extract::State, response::Response},
};
use virga_store::routes;

/// Which route is asked for.
#[derive(Debug, Deserialize)]
pub struct Reservation {
    #[serde(default)]
    host: String,
    #[serde(default)]
    path: String,
}

/// Whether there is a route of this host and path, in whatever space.
///
/// # Errors
/// 404.
pub async fn route_reservations(
    State(controller): State<Controller>,
    access: Access,
    Path(guid): Path<DomainGuid>,
    Query(wanted): Query<Reservation>,
) -> Result<Response> {
    let mut db = controller.store.read().await?;
    visible(&mut db, &access, guid).await?;
    let found = routes::find_at(&mut db, guid, &wanted.host.to_ascii_lowercase(), &wanted.path, None).await?;
    Ok(answer::ok(json!({ "matching_route": found.is_some() })))
}
