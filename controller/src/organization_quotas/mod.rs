//! Quotas of organizations.

mod change;
mod read;
mod view;

pub use change::{apply, create, delete, update};
pub use read::{list, show};
