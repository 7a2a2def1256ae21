//! Files: those of the toolchain, and where the app's lie for its run.

use std::{
    ffi::OsStr,
    fs, io,
    path::Path,
    time::{Duration, SystemTime},
};

/// What the toolchain is made from.
pub(super) const TOOLCHAIN: &[(&str, &str)] = &[
    ("requirements.txt", include_str!("toolchain/requirements.txt")),
    ("install.py", include_str!("toolchain/install.py")),
    ("native.wat", include_str!("toolchain/native.wat")),
    ("guest/base.py", include_str!("toolchain/base.py")),
    ("guest/virga_python/__init__.py", include_str!("guest/virga_python/__init__.py")),
    ("guest/virga_python/adapt.py", include_str!("guest/virga_python/adapt.py")),
    ("guest/virga_python/asgi.py", include_str!("guest/virga_python/asgi.py")),
    ("guest/virga_python/bytecode.py", include_str!("guest/virga_python/bytecode.py")),
    ("guest/virga_python/command.py", include_str!("guest/virga_python/command.py")),
    ("guest/virga_python/entry.py", include_str!("guest/virga_python/entry.py")),
    ("guest/virga_python/fresh.py", include_str!("guest/virga_python/fresh.py")),
    ("guest/virga_python/handlers.py", include_str!("guest/virga_python/handlers.py")),
    ("guest/virga_python/loop.py", include_str!("guest/virga_python/loop.py")),
    ("guest/virga_python/outgoing.py", include_str!("guest/virga_python/outgoing.py")),
    ("guest/virga_python/requests.py", include_str!("guest/virga_python/requests.py")),
    ("guest/virga_python/servers.py", include_str!("guest/virga_python/servers.py")),
    ("guest/virga_python/start.py", include_str!("guest/virga_python/start.py")),
    ("guest/virga_python/tls.py", include_str!("guest/virga_python/tls.py")),
    ("guest/virga_python/watch.py", include_str!("guest/virga_python/watch.py")),
    ("guest/virga_python/wsgi.py", include_str!("guest/virga_python/wsgi.py")),
    ("wit/worlds.wit", include_str!("../wit/worlds.wit")),
    ("wit/deps/cli.wit", include_str!("../wit/deps/cli.wit")),
    ("wit/deps/clocks.wit", include_str!("../wit/deps/clocks.wit")),
    ("wit/deps/filesystem.wit", include_str!("../wit/deps/filesystem.wit")),
    ("wit/deps/http.wit", include_str!("../wit/deps/http.wit")),
    ("wit/deps/io.wit", include_str!("../wit/deps/io.wit")),
    ("wit/deps/random.wit", include_str!("../wit/deps/random.wit")),
    ("wit/deps/sockets.wit", include_str!("../wit/deps/sockets.wit")),
];

/// Files of an app that only building needs.
const BUILD_ONLY: [&str; 8] =
    ["requirements.txt", "pyproject.toml", "Procfile", "manifest.yml", ".cfignore", ".git", "runtime.txt", "Pipfile.lock"];
/// Where packages and the standard library lie in the guest's `/`.
pub(super) const OURS: &str = ".virga";

/// Makes the guest's `/`: the app's files at the top, its packages and the standard library in a folder of their own.
pub(super) fn lay_out(app: &Path, packages: &Path, toolchain: &Path, files: &Path) -> io::Result<()> {
    crate::files::copy_tree(app, files, &|path| {
        path == Path::new(OURS)
            || path.to_str().is_none_or(|name| BUILD_ONLY.contains(&name))
            || path.file_name().is_some_and(|name| name == "__pycache__")
    })?;
    let ours = files.join(OURS);
    crate::files::copy_tree(packages, &ours.join("packages"), &|path| {
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        let is_in_info = path.parent().and_then(Path::extension).is_some_and(|extension| extension == "dist-info");
        let is_for_tools = path.extension().is_some_and(|extension| extension == "pyc" || extension == "pyi");
        is_for_tools
            || name == "__pycache__"
            || (is_in_info && !matches!(name, "METADATA" | "entry_points.txt" | "top_level.txt"))
            || path == Path::new("bin")
    })?;
    fs::copy(toolchain.join("library/python314.zip"), ours.join("python314.zip"))?;
    without_times(files)
}

/// The interpreter looks at the times of what it imports, and keeps them: the same app must be the same whenever it is staged.
fn without_times(files: &Path) -> io::Result<()> {
    // As in the droplet's archive, and for zip files the earliest there is.
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(315_532_800);
    for entry in walkdir::WalkDir::new(files) {
        let entry = entry?;
        fs::File::open(entry.path())?.set_times(fs::FileTimes::new().set_accessed(time).set_modified(time))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_module_of_the_guest_is_in_the_toolchain() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/python/guest");
        let modules: Vec<_> = walkdir::WalkDir::new(&folder)
            .into_iter()
            .flatten()
            .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "py"))
            .map(|entry| format!("guest/{}", entry.path().strip_prefix(&folder).unwrap().display()))
            .collect();
        assert!(!modules.is_empty());
        for module in modules {
            assert!(TOOLCHAIN.iter().any(|(name, _)| *name == module), "{module} is missing");
        }
    }

    #[test]
    fn the_apps_files_lie_at_the_top_and_its_packages_beside_the_library() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for file in [
            "app/app.py",
            "app/Procfile",
            "app/data/x.txt",
            "app/.virga/evil.py",
            "packages/click/core.py",
            "packages/click/core.pyi",
            "packages/click-8.dist-info/METADATA",
            "packages/click-8.dist-info/RECORD",
            "packages/bin/click",
            "toolchain/library/python314.zip",
        ] {
            fs::create_dir_all(at(file).parent().unwrap()).unwrap();
            fs::write(at(file), "").unwrap();
        }
        lay_out(&at("app"), &at("packages"), &at("toolchain"), &at("files")).unwrap();
        let mut found: Vec<_> = walkdir::WalkDir::new(at("files"))
            .into_iter()
            .flatten()
            .filter(|entry| entry.file_type().is_file())
            .map(|entry| entry.path().strip_prefix(at("files")).unwrap().display().to_string())
            .collect();
        found.sort();
        assert_eq!(
            found,
            [".virga/packages/click-8.dist-info/METADATA", ".virga/packages/click/core.py", ".virga/python314.zip", "app.py", "data/x.txt"]
        );
        let times = fs::metadata(at("files/app.py")).unwrap().modified().unwrap();
        assert_eq!(times, SystemTime::UNIX_EPOCH + Duration::from_secs(315_532_800));
    }
}
