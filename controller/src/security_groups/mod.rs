//! Security groups: where apps may connect to.

mod change;
mod read;
pub mod rules;
mod view;

pub use change::{create, delete, update};
pub use read::{list, show};
pub use view::view;
