//! The domain nouns of Virga and their rules: typed guids, names, states, sizes, health checks, the droplet's manifest.
//! No I/O and no async live here; every other room may depend on this one, and it depends on none.

pub mod digest;
pub mod droplet;
pub mod egress;
pub mod environment;
pub mod guid;
pub mod process;
pub mod reserved;
pub mod route;
pub mod service;
pub mod service_files;
pub mod size;
pub mod state;
pub mod time;

pub use digest::Sha256Digest;
pub use guid::*;
pub use jiff::Timestamp;
