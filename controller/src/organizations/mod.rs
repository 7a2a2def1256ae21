//! Organizations.

mod change;
pub mod delete;
mod read;
mod view;

pub use change::{DEFAULT_QUOTA, create, update};
pub use delete::delete;
pub(crate) use read::LIST;
pub use read::{default_domain, list, show, users};
pub use view::view;
