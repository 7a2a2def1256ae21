//! Spaces.

mod change;
pub mod delete;
mod features;
mod read;
mod view;

pub(crate) use change::record;
pub use change::{create, update};
pub use delete::delete;
pub use features::{list_features, show_ssh, update_ssh};
pub(crate) use read::organizations_of;
pub use read::{list, running_security_groups, show, staging_security_groups, users};
pub use view::view;
