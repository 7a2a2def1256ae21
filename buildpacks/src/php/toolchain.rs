//! The PHP engine: built once per platform from Debian's source package, with Zig, and started in its own memory.

use crate::{c::http, toolchain::Toolchain};

/// Leaves `engine.wasm` and `version.txt`.
pub(crate) const TOOLCHAIN: Toolchain = Toolchain {
    name: "php",
    version: "8.2",
    files: &[
        ("install.py", include_str!("toolchain/install.py")),
        ("sapi.c", include_str!("toolchain/sapi.c")),
        ("sapi.h", include_str!("toolchain/sapi.h")),
        ("pages.c", include_str!("toolchain/pages.c")),
        ("files.c", include_str!("toolchain/files.c")),
        ("system.c", include_str!("toolchain/system.c")),
        ("tag.s", include_str!("toolchain/tag.s")),
        ("include/virga.h", include_str!("toolchain/include/virga.h")),
        ("include/grp.h", include_str!("toolchain/include/grp.h")),
        ("include/netdb.h", include_str!("toolchain/include/netdb.h")),
        ("include/pwd.h", include_str!("toolchain/include/pwd.h")),
        ("include/sqlite_settings.h", include_str!("toolchain/include/sqlite_settings.h")),
        ("include/sys/wait.h", include_str!("toolchain/include/sys/wait.h")),
        ("include/syslog.h", include_str!("toolchain/include/syslog.h")),
        ("include/ucontext.h", include_str!("toolchain/include/ucontext.h")),
        http::FILES[0],
        http::FILES[1],
    ],
    // A few minutes on an idle machine; in steps, so that a busy one has the time of a command for each. What one `make` leaves,
    // the next one does.
    commands: &[
        &["python3", "install.py", "sources"],
        &["python3", "install.py", "libraries"],
        &["python3", "install.py", "configure"],
        &["python3", "install.py", "make"],
        &["python3", "install.py", "make"],
        &["python3", "install.py", "make"],
        &["python3", "install.py", "make"],
        &["python3", "install.py", "link"],
    ],
    programs: &["python3", "npm", "apt-get", "make", "gcc"],
    how_to_install: "apt-get install python3 python3-pip npm make gcc (on Debian or a system with Debian's package sources)",
    engine: None,
};

/// The engine, and its version's number, below the toolchain's folder.
pub(crate) const ENGINE: &str = "engine.wasm";
pub(crate) const VERSION: &str = "version.txt";

/// Extensions that are in the engine, as composer.json calls them behind `ext-`.
pub(crate) const EXTENSIONS: [&str; 21] = [
    "bcmath",
    "calendar",
    "core",
    "ctype",
    "date",
    "filter",
    "hash",
    "json",
    "mbstring",
    "pcre",
    "pdo",
    "pdo_sqlite",
    "phar",
    "random",
    "reflection",
    "session",
    "spl",
    "sqlite3",
    "standard",
    "tokenizer",
    "zlib",
];
