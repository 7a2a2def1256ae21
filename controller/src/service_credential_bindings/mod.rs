//! Credential bindings: apps that are given the credentials of a service instance in `VCAP_SERVICES`.

mod bind;
mod change;
mod create;
mod read;
mod view;

pub(crate) use bind::{NewBinding, bind};
pub(crate) use change::remove;
pub use change::{delete, update};
pub use create::create;
pub use read::{details, list, parameters, show};
