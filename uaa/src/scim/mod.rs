//! What users, groups and clients have in common: filters, pages, versions.

pub(crate) mod filter;
mod listing;
mod version;

pub(crate) use listing::ListQuery;
pub(crate) use version::Expected;

use crate::refusal::Refusal;
use virga_model::Timestamp;
use virga_serve::axum::http::StatusCode;

/// SCIM 1.0's only schema.
pub(crate) const SCHEMA: &str = "urn:scim:schemas:core:1.0";

/// 400 `invalid_scim_resource`.
pub(crate) fn invalid(description: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, "invalid_scim_resource", description)
}

/// 404 `scim_resource_not_found`.
pub(crate) fn not_found(description: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "scim_resource_not_found", description)
}

/// 409 `scim_resource_already_exists`.
pub(crate) fn exists(description: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::CONFLICT, "scim_resource_already_exists", description)
}

/// A time as SCIM shows it.
pub(crate) fn time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}
