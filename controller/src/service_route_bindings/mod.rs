//! Route bindings: a service instance that is put in the way of a route (route services).

mod change;
mod create;
mod read;
mod view;

pub use change::{delete, update};
pub(crate) use change::{hand_on, remove};
pub use create::create;
pub use read::{list, parameters, show};
