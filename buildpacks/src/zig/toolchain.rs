//! The compiler of Zig, C and C++. Its C library is compiled at installation, so that no staging has to wait for that.

use crate::toolchain::Toolchain;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Zig with WASI's C and C++ libraries in its cache.
pub(crate) const ZIG: Toolchain = Toolchain {
    name: "zig",
    version: "0.17.1",
    files: &[("warm.py", include_str!("warm.py"))],
    commands: &[
        &[
            "python3",
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--only-binary=:all:",
            "--target",
            "packages",
            "ziglang==0.17.1",
        ],
        &["python3", "warm.py", "c"],
        &["python3", "warm.py", "c++"],
    ],
    programs: &["python3"],
    how_to_install: "apt-get install python3 python3-pip",
    engine: None,
};

/// What `zig build` is made of, compiled once: it takes a minute and a half of a processor's time.
pub(super) const WARM: Toolchain = Toolchain {
    name: "zig_build",
    version: ZIG.version,
    files: &[
        ("warm_build.py", include_str!("warm_build.py")),
        ("app/build.zig", include_str!("warm/build.zig")),
        ("app/main.zig", include_str!("warm/main.zig")),
    ],
    commands: &[&["python3", "warm_build.py"]],
    programs: &["python3"],
    how_to_install: "apt-get install python3 python3-pip",
    engine: None,
};

/// The compiler's program below the toolchain's folder.
pub(crate) const PROGRAM: &str = "packages/ziglang/zig";

/// A cache of the app's own that knows what was compiled at the installation of this toolchain: the results as links, since the
/// compiler only reads them, and its notes about them, which it locks, as copies.
///
/// # Errors
/// When it cannot be made.
pub(crate) fn cache(toolchain: &Path, app_cache: &Path) -> io::Result<PathBuf> {
    let folder = app_cache.join(format!("zig-{}", ZIG.version));
    let ready = toolchain.join("cache");
    let results = ready.join("o");
    fs::create_dir_all(folder.join("o"))?;
    for result in fs::read_dir(&results)? {
        let name = result?.file_name();
        let (target, link) = (results.join(&name), folder.join("o").join(&name));
        // This one `zig build` writes each time, wherever it is.
        if target.join("dependencies.zig").is_file() {
            continue;
        }
        match fs::read_link(&link) {
            Ok(there) if there == target => continue,
            // The platform's folder has moved.
            Ok(_) => fs::remove_file(&link)?,
            // What the app's own build made under that name is as good.
            Err(_) if link.is_dir() => continue,
            Err(_) => {}
        }
        std::os::unix::fs::symlink(&target, &link)?;
    }
    crate::files::copy_tree(&ready, &folder, &|path| path.starts_with("o"))?;
    Ok(folder)
}
