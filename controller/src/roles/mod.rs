//! Roles: which user may do what, where.

mod change;
mod give;
mod read;
mod view;

pub use change::{create, delete};
pub use give::give;
pub(crate) use give::give_to_caller;
pub use read::{list, show};
