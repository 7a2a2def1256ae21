//! Buildpacks, in the order of detection. Those of this program are rows like any other: they can be moved, disabled, locked,
//! renamed and deleted. What is uploaded ([`definition`]) are programs as Cloud Foundry's buildpacks have them, or a word on which
//! builder of this program does the work, and which apps it is for.

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

/// The builder of those that bring programs of their own; the stager's word for it.
const PROGRAMS: &str = "programs";
/// The lifecycle of buildpacks that staging uses.
const LIFECYCLE: &str = "buildpack";
