//! Service offerings: what brokers have in their catalogs.

mod change;
mod read;
mod shopper;
mod view;

pub use change::{delete, update};
pub(crate) use read::{BROKER_FIELDS, available, brokers_beside};
pub use read::{list, show};
pub use shopper::Shopper;
pub(crate) use view::view;
