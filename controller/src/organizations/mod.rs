//! Organizations.

mod change;
pub mod delete;
mod read;
mod view;

pub use change::{DEFAULT_QUOTA, create, update};
pub use delete::delete;
pub use read::{default_domain, default_isolation_segment, list, set_default_isolation_segment, show, usage_summary};
pub(crate) use read::{no_segment, refuse_segment};
pub use view::view;
