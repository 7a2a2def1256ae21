//! Quotas of organizations.

mod change;
mod read;
mod view;

pub(crate) use change::unlimited;
pub use change::{apply, create, delete, update};
pub use read::{list, show};
