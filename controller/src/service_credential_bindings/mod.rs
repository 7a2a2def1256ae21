//! Credential bindings: apps that are given the credentials of a service instance in `VCAP_SERVICES`.

mod bind;
mod change;
mod create;
mod managed;
mod read;
mod room;
mod view;

pub(crate) use bind::{NewBinding, bind};
pub(crate) use change::remove;
pub use change::{delete, update};
pub use create::create;
pub(crate) use managed::{begin_for_app as begin_binding, begin_taking_along, create_work, delete_work, take_along};
pub use read::{details, list, parameters, show};
