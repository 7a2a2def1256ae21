//! Perl, joined once per platform with what carries requests to it.

use crate::{c::http, toolchain::Toolchain};

/// Of Perl.
pub(super) const VERSION: &str = "5.42.0";
/// The engine, below the toolchain's folder.
pub(super) const ENGINE: &str = "engine.wasm";

pub(super) const TOOLCHAIN: Toolchain = Toolchain {
    name: "perl",
    version: VERSION,
    files: &[
        ("package.json", include_str!("toolchain/package.json")),
        ("package-lock.json", include_str!("toolchain/package-lock.json")),
        ("install.py", include_str!("toolchain/install.py")),
        ("virga_perl.c", include_str!("toolchain/virga_perl.c")),
        ("bridge.pl", include_str!("toolchain/bridge.pl")),
        ("stack.wat", include_str!("toolchain/stack.wat")),
        http::FILES[0],
        http::FILES[1],
    ],
    commands: &[&["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-progress"], &["python3", "install.py"]],
    programs: &["python3", "node", "npm"],
    how_to_install: "apt-get install python3 python3-pip nodejs npm (Node.js 20 or newer)",
    engine: None,
};
