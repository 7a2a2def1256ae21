//! Tasks: one run of a command of an app to its end. The controller makes the rows and asks for their end; the scheduler
//! gives them to workers and writes what became of them.

mod act;
mod create;
mod list;
mod lookup;
mod request;
mod show;
pub mod view;

pub use act::{cancel, cancel_of_app};
pub use create::create;
pub use list::{list, list_of_app};
pub use show::{show, update};
