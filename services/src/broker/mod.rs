//! The Open Service Broker 2.17 of the platform's own offerings. Everything is done at once; every request may be repeated.

mod backups;
mod bindings;
mod instances;

use crate::{Services, catalog, error::BrokerError};
use virga_serve::axum::{
    Json, Router,
    extract::{Request, State},
    http::StatusCode,
    middleware::{self, Next},
    response::Response,
    routing::{get, put},
};

/// The protocol's routes.
pub(crate) fn routes() -> Router<Services> {
    Router::new()
        .route("/v2/catalog", get(async |State(services): State<Services>| Json(catalog::catalog(&services.servers))))
        .route(
            "/v2/service_instances/{instance}",
            put(instances::provision).patch(instances::update).delete(instances::deprovision).get(instances::fetch),
        )
        .route(
            "/v2/service_instances/{instance}/service_bindings/{binding}",
            put(bindings::bind).delete(bindings::unbind).get(bindings::fetch),
        )
        .route_layer(middleware::from_fn(version))
}

/// "API Version Header": a broker refuses versions that it does not speak.
async fn version(request: Request, next: Next) -> Result<Response, BrokerError> {
    let version = request.headers().get("x-broker-api-version").and_then(|version| version.to_str().ok());
    if !version.is_some_and(|version| version.starts_with("2.")) {
        return Err(BrokerError::new(StatusCode::PRECONDITION_FAILED, "X-Broker-API-Version must be 2.x; this broker speaks 2.17"));
    }
    Ok(next.run(request).await)
}

/// Which instance is gone.
fn gone(what: &str) -> BrokerError {
    BrokerError::new(StatusCode::GONE, format!("there is no such {what}"))
}
