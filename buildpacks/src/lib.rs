//! Source in, droplet out: detection, staging in a limited child process, componentizing, precompiling.
//!
//! What a user sent is only looked at here (file names, digests); everything that reads or runs it happens in a child
//! (`virga stage`, `virga compile`), which is the platform's own program in another role. Nothing here knows rows, routes
//! or instances.

mod assemblyscript;
mod build;
mod buildpack;
mod c;
mod capabilities;
mod child;
mod code;
mod config;
mod custom;
mod detect;
mod failure;
mod files;
mod fill;
mod go;
mod java;
mod kotlin;
mod log;
mod lua;
mod nodejs;
mod past;
mod perl;
mod php;
mod procfile;
mod python;
mod ruby;
mod rust;
mod sandbox;
mod scala;
mod scratch;
mod service;
mod snapshot;
mod staticfile;
mod steps;
#[cfg(test)]
mod testing;
mod tool;
mod toolchain;
mod unzip;
mod wasm;
mod zig;

pub use child::entry::{run_compile_child, run_stage_child};
pub use config::StagingLimits;
pub use custom::BUILDER as CUSTOM_BUILDER;
pub use fill::{Filled, fill_toolchains};
pub use sandbox::{NetworkPolicy, SandboxPolicy, StagingPolicy};
pub use service::{SetupError, StagingService, StagingSetup};
