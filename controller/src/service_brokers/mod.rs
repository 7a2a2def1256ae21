//! Service brokers: how they are registered, and how their catalogs become offerings and plans.

mod body;
mod catalog;
mod change;
mod create;
mod lookup;
mod own;
mod read;
mod record;
mod synchronize;
mod view;

pub(crate) use catalog::client;
pub use change::{delete, update};
pub(crate) use change::{delete_of_space, delete_work, update_work};
pub use create::create;
pub(crate) use create::work as synchronize_work;
pub(crate) use own::register as register_own;
pub use read::{list, show};
pub(crate) use view::view;
