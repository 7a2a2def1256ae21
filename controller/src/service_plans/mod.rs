//! Service plans, and who sees them.

mod change;
mod lookup;
mod read;
mod view;
mod visibility;

pub use change::{delete, update};
pub(crate) use lookup::is_seen;
pub use read::{list, show};
pub use visibility::{apply, remove, replace, show as show_visibility};
