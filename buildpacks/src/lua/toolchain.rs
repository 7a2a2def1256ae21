//! Lua, built once per platform with Zig.

use crate::{c::http, toolchain::Toolchain};

/// Of Lua.
pub(super) const VERSION: &str = "5.4.8";
/// The engine, and the native program that checks sources, below the toolchain's folder.
pub(super) const ENGINE: &str = "engine.wasm";
pub(super) const CHECKER: &str = "check";

pub(super) const TOOLCHAIN: Toolchain = Toolchain {
    name: "lua",
    version: VERSION,
    files: &[
        ("Cargo.toml", include_str!("toolchain/Cargo.toml")),
        ("src/lib.rs", ""),
        ("install.py", include_str!("toolchain/install.py")),
        ("virga_lua.c", include_str!("toolchain/virga_lua.c")),
        ("virga_seed.h", include_str!("toolchain/virga_seed.h")),
        ("bridge.lua", include_str!("toolchain/bridge.lua")),
        ("check.c", include_str!("toolchain/check.c")),
        ("tag.s", include_str!("toolchain/tag.s")),
        http::FILES[0],
        http::FILES[1],
    ],
    commands: &[&["cargo", "vendor", "--quiet", "vendor"], &["python3", "install.py"]],
    programs: &["python3", "cargo"],
    how_to_install: "apt-get install python3 python3-pip cargo",
    engine: None,
};
