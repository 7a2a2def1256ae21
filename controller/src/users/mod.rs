//! Users as the Cloud Controller knows them.

mod change;
mod read;
mod view;

pub use change::{create, delete, update};
pub use read::{list, show};
pub use view::view;
