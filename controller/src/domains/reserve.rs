//! `GET /v3/domains/:guid/route_reservations`.

use super::read::visible;
use crate::{Access, Controller, Result, answer};
use serde::Deserialize;
use serde_json::json;
use virga_contract::{ApiError, ErrorCode};
use virga_model::DomainGuid;
use virga_serve::{
    Path, Query,
    axum::{extract::State, response::Response},
};
use virga_store::routes;

/// Which route is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reservation {
    #[serde(default)]
    host: String,
    #[serde(default)]
    path: String,
    #[serde(default)]
    port: String,
}

/// Whether there is a route of this host, path and port, in whatever space.
///
/// # Errors
/// 404, 400 for a port that is none.
pub async fn route_reservations(
    State(controller): State<Controller>,
    access: Access,
    Path(guid): Path<DomainGuid>,
    Query(wanted): Query<Reservation>,
) -> Result<Response> {
    let mut db = controller.store.read().await?;
    visible(&mut db, &access, guid).await?;
    let port = match wanted.port.as_str() {
        "" | "0" => None,
        text => {
            let none =
                || ApiError::new(ErrorCode::BadQueryParameter, "The query parameter is invalid: Port must be an integer up to 65535");
            Some(text.parse().map_err(|_| none())?)
        }
    };
    let found = routes::find_at(&mut db, guid, &wanted.host.to_ascii_lowercase(), &wanted.path, port).await?;
    Ok(answer::ok(json!({ "matching_route": found.is_some() })))
}
