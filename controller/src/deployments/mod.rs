//! Deployments: a new web process takes over from the old one, step by step. The controller writes the rows, the scheduler
//! takes the steps.

mod act;
mod create;
mod list;
mod lookup;
mod options;
pub(crate) mod request;
mod show;
pub mod view;

pub use act::{cancel, continue_deployment};
pub use create::create;
pub use list::list;
pub use show::{show, update};
