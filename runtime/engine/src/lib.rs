//! The one wasmtime `Engine` recipe of the house, and the forms code travels in: droplet archives, unpacked droplets,
//! precompiled and authenticated code files.
//!
//! Nothing here is async, and nothing but [`snapshot`] runs a guest. The only `unsafe` of the house is in [`code`]'s private `map`.

pub mod archive;
pub mod code;
mod droplet_dir;
mod function_cache;
mod recipe;
pub mod shared;
pub mod snapshot;
mod unpack;

pub use droplet_dir::DropletDir;
pub use function_cache::FunctionCache;
pub use recipe::{Compiled, EngineError, Engines, Flavor, RunLimits, compile, engine_key, for_compiling, for_running};
pub use unpack::{UnpackLimits, unpack};
