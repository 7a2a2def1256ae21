//! Spaces.

mod change;
pub mod delete;
mod features;
mod read;
mod view;

pub use change::{create, update};
pub use delete::delete;
pub use features::{list_features, show_ssh, update_ssh};
pub(crate) use read::organizations_of;
pub use read::{isolation_segment, list, running_security_groups, set_isolation_segment, show, staging_security_groups};
pub use view::view;
