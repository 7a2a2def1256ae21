//! Zig's compiler, which the buildpacks of C, C++, Zig and PHP share.

mod toolchain;

pub(crate) use toolchain::{PROGRAM, ZIG, cache};
