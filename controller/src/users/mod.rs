//! Users as the Cloud Controller knows them.

mod change;
mod members;
mod read;
mod view;

pub use change::{create, delete, update};
pub(crate) use members::members;
pub(crate) use read::{LIST, guid_of, guid_that_may_be};
pub use read::{list, show};
pub use view::view;
