//! Builds: a package on its way to a droplet. A build is taken up by the runner, also after a crash, until it is STAGED or
//! FAILED.

mod create;
mod list;
mod lookup;
mod runner;
mod show;
mod stage;
pub mod view;

pub use create::create;
pub use list::{list, list_of_app};
pub(crate) use runner::{BuildNudge, run};
pub use show::{show, update};
