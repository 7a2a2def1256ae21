//! The harness of the whole-platform tests: starts the real binary on a free port and a data folder of its own, and
//! speaks to it as its users do. Nothing of the platform is linked in.

pub mod go;
pub mod lasting;
pub mod platform;
pub mod wait;

pub use go::built_by_go;
pub use lasting::{Serves, lasts};
pub use platform::{Platform, Push, host_of, sample_folder};
pub use wait::until;
