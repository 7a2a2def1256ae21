//! Droplets: what is staged and can run.

mod create;
mod delete;
mod download;
mod list;
mod lookup;
mod show;
mod upload;
pub mod view;

pub use create::create;
pub use delete::delete;
pub use download::download;
pub use list::{list, list_of_app, list_of_package};
pub use show::{show, update};
pub use upload::upload;
pub(crate) use upload::work as upload_work;
