//! Zig: the compiler that the buildpacks of C, C++, Lua and PHP share, and the `zig` buildpack for programs in Zig itself.

mod buildpack;
mod source;
mod toolchain;

pub(crate) use buildpack::BUILDPACK;
pub(crate) use toolchain::{PROGRAM, ZIG, cache};
