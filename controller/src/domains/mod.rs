//! Domains: shared and private.

mod change;
mod read;
mod reserve;
mod view;

pub use change::{create, delete, update};
pub use read::{list, list_of_organization, show};
pub use reserve::route_reservations;
pub use view::view;
