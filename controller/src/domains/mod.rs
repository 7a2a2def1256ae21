//! Domains: shared, private (of one organization, that may let others use them) and internal.

mod change;
mod create;
mod read;
mod reserve;
mod share;
mod view;

pub use change::{delete, update};
pub use create::create;
pub(crate) use create::own_names;
pub use read::{list, list_of_organization, show};
pub use reserve::route_reservations;
pub use share::{share, unshare};
pub(crate) use view::shares;
pub use view::view;
