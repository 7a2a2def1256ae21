//! Revisions: what an app ran at some time. One is made when an app that has the feature is started or deployed with
//! something that the newest does not have; a deployment can go back to any whose droplet is still there.

mod change;
mod list;
mod lookup;
mod resolve;
mod show;
pub mod view;

pub use change::update;
pub use list::{list_deployed, list_of_app};
pub(crate) use lookup::deployable_of_app;
pub(crate) use resolve::{Revised, roll_back, update as update_of_app};
pub use show::{show, show_environment_variables};
