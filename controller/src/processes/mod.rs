//! Processes: how many instances of an app, with what; and what became of them.

pub(crate) mod change;
pub(crate) mod defaults;
mod instances;
mod list;
pub(crate) mod lookup;
pub(crate) mod request;
mod scale;
mod show;
mod update;
pub mod view;

pub use instances::{process_instances, process_instances_of_app, stats, stats_of_app, terminate_instance, terminate_instance_of_app};
pub use list::{list, list_of_app};
pub use scale::{scale, scale_of_app};
pub use show::{show, show_of_app};
pub use update::update;
