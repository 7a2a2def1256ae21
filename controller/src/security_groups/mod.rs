//! Security groups: where apps may connect to.

mod bind;
mod change;
mod read;
pub mod rules;
mod view;

pub use bind::{bind_running, bind_staging, unbind_running, unbind_staging};
pub use change::{create, delete, update};
pub(crate) use read::views;
pub use read::{list, show};
