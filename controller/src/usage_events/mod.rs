//! Usage events: what operators bill by. Only who may read everything sees them.

mod apps;
mod services;

pub use apps::{list, purge_and_reseed, show};
pub use services::{list as list_of_services, purge_and_reseed as purge_and_reseed_services, show as show_of_service};

use crate::{Result, list::ListQuery};
use virga_contract::{ApiError, ErrorCode};
use virga_model::EventGuid;
use virga_store::select::Listing;

/// The event that `after_guid` names, where it was given.
async fn after<T>(query: &ListQuery, kind: &str, find: impl AsyncFnOnce(EventGuid) -> virga_store::Result<Option<T>>) -> Result<Option<T>> {
    let guid = match query.values("after_guid").as_deref() {
        None => return Ok(None),
        Some([guid]) => guid.parse().ok(),
        Some(_) => {
            let detail = "The query parameter is invalid: After guid filter accepts only one guid";
            return Err(ApiError::new(ErrorCode::BadQueryParameter, detail).into());
        }
    };
    let found = match guid {
        Some(guid) => find(guid).await?,
        None => None,
    };
    Ok(Some(found.ok_or_else(|| ApiError::unprocessable(format!("After guid filter must be a valid {kind} usage event guid.")))?))
}

/// Events do not change: `updated_at` is their `created_at`.
fn listing(query: &ListQuery) -> Listing {
    let mut listing = query.listing.clone();
    listing.created.append(&mut listing.updated);
    listing.order_by = "created_at";
    listing
}
