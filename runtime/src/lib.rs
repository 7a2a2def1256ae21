//! The cell: runs app instances inside a worker, limits them, wires their doors to the outside, and reports what runs.
//!
//! It is called by the router of the same worker through `contract::cell::Cell`, told what to run by whole snapshots, and
//! knows neither routes nor users. Idle apps cost it no wasm instance and no mapped code.

mod command;
mod egress;
mod environment;
mod guest;
mod host;
mod instance;
mod internal;
mod leftovers;
mod limits;
mod loader;
mod memory;
mod neighbours;
mod outbound;
mod output;
mod pool;
mod preview1;
mod probe;
mod program;
mod request_body;
mod service_files;
mod services;
mod sockets;
mod store;
mod tasks;
mod ticker;
mod turns;

pub use host::{CellHost, Refused, StartError};
pub use limits::LimitHit;
