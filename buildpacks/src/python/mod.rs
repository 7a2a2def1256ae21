//! The `python` buildpack: a WSGI app becomes a component with CPython and the app's imported modules in it.

mod dependencies;
mod requirements;
mod sources;
mod start;

use crate::{
    build::Built,
    buildpack::{Buildpack, has_extension},
    child::protocol::StageRequest,
    failure, tool,
    toolchain::Toolchain,
    wasm,
};
use std::{
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
};
use virga_contract::staging::StagingError;
use virga_model::{
    droplet::{GuestKind, Software},
    process::ReusePolicy,
};

const VERSION: &str = "1.0.0";

pub(crate) const BUILDPACK: Buildpack = Buildpack {
    name: "python",
    version: VERSION,
    looks_for: "a requirements.txt or pyproject.toml, or a Procfile beside a *.py file",
    detects: |app| {
        let has = |name: &str| app.join(name).is_file();
        has("requirements.txt") || has("pyproject.toml") || (has("Procfile") && has_extension(app, &["py"]))
    },
    toolchains: &[&TOOLCHAIN],
    build,
};

pub(crate) const TOOLCHAIN: Toolchain = Toolchain {
    name: "python",
    version: VERSION,
    files: &[
        ("virga_bridge.py", include_str!("virga_bridge.py")),
        ("componentize.py", include_str!("componentize.py")),
        ("requirements.txt", include_str!("toolchain.txt")),
        ("wit/worlds.wit", include_str!("../wit/worlds.wit")),
        ("wit/deps/cli.wit", include_str!("../wit/deps/cli.wit")),
        ("wit/deps/clocks.wit", include_str!("../wit/deps/clocks.wit")),
        ("wit/deps/filesystem.wit", include_str!("../wit/deps/filesystem.wit")),
        ("wit/deps/http.wit", include_str!("../wit/deps/http.wit")),
        ("wit/deps/io.wit", include_str!("../wit/deps/io.wit")),
        ("wit/deps/random.wit", include_str!("../wit/deps/random.wit")),
        ("wit/deps/sockets.wit", include_str!("../wit/deps/sockets.wit")),
    ],
    commands: &[&[
        "python3",
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--only-binary=:all:",
        "--target",
        "packages",
        "-r",
        "requirements.txt",
    ]],
    programs: &["python3"],
    how_to_install: "apt-get install python3 python3-pip",
};

/// Where the dependencies lie in the guest: the second folder of componentize-py's search path.
const DEPENDENCIES_AT: &str = "1";
/// Files of an app that only building needs.
const BUILD_ONLY: [&str; 8] =
    ["requirements.txt", "pyproject.toml", "Procfile", "manifest.yml", ".cfignore", ".git", "runtime.txt", "Pipfile.lock"];

/// Builds the component.
fn build(request: &StageRequest, files: &Path) -> Result<Built, StagingError> {
    let app = &request.app;
    let toolchain = request.toolchain(&TOOLCHAIN)?;
    let start = start::find(app)?;
    let packages = dependencies::install(app, &request.cache)?;
    let bridge = request.work.join("bridge");
    sources::write(app, &start, toolchain, &bridge)?;
    let out = request.work.join("componentized.wasm");
    componentize(toolchain, &bridge, &packages.folder, &out)?;
    let component = fs::read(&out).map_err(|_| {
        failure::compile(format!("the app could not be imported from the module '{}'; the traceback stands in the log above", start.module))
    })?;
    let shape = wasm::inspect(&component).map_err(|error| failure::internal("make the component", &error))?;
    copy_files(app, &packages.folder, files).map_err(|error| failure::internal("copy the app's files", &error))?;
    let mut built = Built::new(GuestKind::HttpP2, ReusePolicy::Pool, format!("Python WSGI app, module {}", start.module));
    built.component = Some(component);
    built.imports = shape.imports;
    built.software = vec![Software { name: "componentize-py".into(), version: "0.25.1".into() }];
    built.software.extend(packages.software);
    built.environment.insert("PYTHONUNBUFFERED".into(), "1".into());
    built.notes = packages.notes;
    Ok(built)
}

fn componentize(toolchain: &Path, bridge: &Path, packages: &Path, out: &Path) -> Result<(), StagingError> {
    let wit = toolchain.join("wit");
    let script = toolchain.join("componentize.py");
    let arguments: [&OsStr; 13] = [
        OsStr::new("-I"),
        script.as_os_str(),
        OsStr::new("-d"),
        wit.as_os_str(),
        OsStr::new("-w"),
        OsStr::new("python"),
        OsStr::new("componentize"),
        OsStr::new("-p"),
        bridge.as_os_str(),
        OsStr::new("-p"),
        packages.as_os_str(),
        OsStr::new("virga_bridge"),
        OsStr::new("-o"),
    ];
    let arguments = arguments.into_iter().chain([out.as_os_str()]);
    // An empty environment of its own, or the packages of the platform's machine would be searched as well.
    let none: PathBuf = bridge.with_file_name("no-environment");
    fs::create_dir_all(none.join("lib/python3/site-packages")).map_err(|error| failure::internal("make a folder", &error))?;
    let done = tool::run("python3", arguments, bridge, &[("VIRTUAL_ENV", none.as_os_str())]);
    match done {
        // The exit code says nothing beyond whether the file is there, which is asked next.
        Ok(_) => Ok(()),
        Err(error) => Err(failure::internal("start python3", &error)),
    }
}

/// The app's files for its run, and the data files that packages look for beside their modules.
fn copy_files(app: &Path, packages: &Path, files: &Path) -> io::Result<()> {
    crate::files::copy_tree(app, files, &|path| {
        path.to_str().is_none_or(|name| BUILD_ONLY.contains(&name)) || path.file_name().is_some_and(|name| name == "__pycache__")
    })?;
    crate::files::copy_tree(packages, &files.join(DEPENDENCIES_AT), &|path| {
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        let in_info = path.parent().and_then(Path::extension).is_some_and(|extension| extension == "dist-info");
        let is_code =
            path.extension().is_some_and(|extension| extension == "py" || extension == "pyc" || extension == "so" || extension == "pyi");
        is_code || name == "__pycache__" || (in_info && !matches!(name, "METADATA" | "entry_points.txt")) || path == Path::new("bin")
    })?;
    Ok(())
}
