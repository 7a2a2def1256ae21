//! Quotas of spaces: managers of an organization divide what it has.

mod change;
mod read;
mod spaces;
mod view;

pub use change::{create, delete, update};
pub use read::{list, show};
pub use spaces::{apply, remove};
