//! Buildpacks, in the order of detection. Those of this program are rows like any other: they can be moved, disabled, locked,
//! renamed and deleted. What is uploaded is not a program but a definition ([`definition`]): which builder of this program does
//! the work, and which apps it is for.

mod change;
mod definition;
mod offered;
mod read;
mod upload;
mod view;

pub use change::{create, delete, update};
pub(crate) use offered::{known, offered, seed};
pub use read::{list, show};
pub use upload::upload;

/// The lifecycle of buildpacks that staging uses.
const LIFECYCLE: &str = "buildpack";
