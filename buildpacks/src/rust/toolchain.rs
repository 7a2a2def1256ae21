//! Rust of the platform's machine, with its target for components.

use crate::{failure, toolchain::Toolchain};
use std::{
    fs,
    path::{Path, PathBuf},
};
use virga_contract::staging::StagingError;

pub(crate) const TOOLCHAIN: Toolchain = Toolchain {
    name: "rust",
    version: "1.0.0",
    files: &[
        ("prepare.sh", include_str!("prepare.sh")),
        ("rustc.sh", include_str!("rustc.sh")),
        ("sockets.rs", include_str!("sockets.rs")),
    ],
    commands: &[&["sh", "prepare.sh"]],
    programs: &["cargo", "rustc", "cc"],
    how_to_install: "rustup (Rust 1.90 or newer, rustup target add wasm32-wasip2) and apt-get install gcc",
    engine: None,
};

/// Where the installed Rust is, and which it is.
pub(super) struct Rust {
    pub(super) sysroot: PathBuf,
    pub(super) version: String,
    /// What build scripts and macros are compiled for.
    pub(super) host: String,
    /// What cargo calls in place of rustc.
    pub(super) wrapper: PathBuf,
}

impl Rust {
    pub(super) fn of(toolchain: &Path) -> Result<Self, StagingError> {
        let read = |name: &str| fs::read_to_string(toolchain.join(name)).map_err(|error| failure::internal("read the toolchain", &error));
        Ok(Self { sysroot: read("sysroot")?.into(), version: read("version")?, host: read("host")?, wrapper: toolchain.join("rustc.sh") })
    }
}
