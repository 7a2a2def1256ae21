//! Routes and their destinations. (The table of endpoints is `routes.rs`.)

mod change;
mod create;
mod delete;
mod destinations;
mod read;
mod view;

pub use change::{move_to_space, update};
pub use create::create;
pub(crate) use create::{NewRoute, check_options, make};
pub use delete::{delete, delete_unmapped};
pub(crate) use destinations::map_app;
pub use destinations::{add_destinations, delete_destination, list_destinations, replace_destinations, update_destination};
pub use read::{list, list_of_app, show};
pub use view::view;
