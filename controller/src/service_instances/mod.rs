//! Service instances. Those that users provide are kept here whole; an instance of a broker needs an offering and a plan.

pub(crate) mod body;
mod change;
mod create;
mod fields;
mod managed;
mod read;
mod share;
mod view;

pub(crate) use body::check_parameters;
pub use change::{delete, update};
pub(crate) use change::{delete_everything, unfit};
pub use create::create;
pub(crate) use managed::{busy, create_work, delete_work, purge, take_along, update_work};
pub use read::{credentials, list, parameters, permissions, show};
pub(crate) use read::{permitted, permitted_or_shared};
pub use share::{list_shared_spaces, share, unshare, usage_summary};
pub(crate) use view::operation;
pub(crate) use view::views;
