//! Apps: what a developer pushes. An app is desired state only; what really runs is the scheduler's business.

pub(crate) mod caches;
pub(crate) mod change;
mod create;
pub(crate) mod delete;
mod droplet;
pub(crate) mod environment;
mod features;
mod list;
pub(crate) mod lookup;
mod permissions;
pub(crate) mod request;
pub(crate) mod run;
mod show;
mod update;
pub mod view;

pub use caches::{clear_all_buildpack_caches, clear_buildpack_cache};
pub use create::create;
pub(crate) use create::{NewApp, insert};
pub use delete::delete;
pub(crate) use delete::delete_everything;
pub use droplet::{assign_current_droplet, current_droplet, show_current_droplet};
pub(crate) use droplet::{create_processes, find_staged, insert_process};
pub use environment::{show_environment, show_environment_variables, update_environment_variables};
pub(crate) use features::{features_of, has as has_feature, set as set_features};
pub use features::{list_features, show_feature, ssh_enabled, update_feature};
pub use list::list;
pub use permissions::permissions;
pub use run::{restart, start, stop};
pub use show::show;
pub use update::update;
