//! Routes and their destinations. (The table of endpoints is `routes.rs`.)

mod change;
mod create;
mod delete;
mod destinations;
mod destinations_request;
mod options;
mod port;
mod read;
mod share;
mod view;

pub use change::update;
pub use create::create;
pub(crate) use create::{NewRoute, make};
pub use delete::{delete, delete_unmapped};
pub(crate) use destinations::map_app;
pub use destinations::{add_destinations, delete_destination, list_destinations, replace_destinations, update_destination};
pub(crate) use options::{changed_options, check_options};
pub use read::{list, list_of_app, show};
pub use share::{list_shared_spaces, move_to_space, share, unshare};
pub use view::view;
