//! Usage events: what operators bill by. Only who may read everything sees them.

mod apps;
mod services;

pub use apps::{list, purge_and_reseed, show};
pub use services::{list as list_of_services, purge_and_reseed as purge_and_reseed_services, show as show_of_service};

use crate::{Result, list::ListQuery};
use virga_contract::{ApiError, ErrorCode};
use virga_model::EventGuid;
use virga_store::select::Listing;

/// The one guid of `after_guid`, where it was given; what is no guid names no event.
fn after(query: &ListQuery) -> Result<Option<Option<EventGuid>>> {
    match query.values("after_guid").as_deref() {
        None => Ok(None),
        Some([guid]) => Ok(Some(guid.parse().ok())),
        Some(_) => {
            let detail = "The query parameter is invalid: After guid filter accepts only one guid";
            Err(ApiError::new(ErrorCode::BadQueryParameter, detail).into())
        }
    }
}

/// Events do not change: `updated_at` is their `created_at`.
fn listing(query: &ListQuery) -> Listing {
    let mut listing = query.listing.clone();
    listing.created.append(&mut listing.updated);
    listing.order_by = "created_at";
    listing
}
