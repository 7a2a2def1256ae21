//! The `assemblyscript` buildpack: AssemblyScript's own compiler makes one WebAssembly program of the app, over the project's shim
//! for WASI.

mod configuration;
mod version;

use crate::{
    build::Built,
    buildpack::Buildpack,
    c,
    child::protocol::StageRequest,
    failure,
    nodejs::{self, Package},
    tool,
    toolchain::Toolchain,
};
use std::{
    ffi::{OsStr, OsString},
    fs, io,
    path::{Path, PathBuf},
};
use virga_contract::staging::StagingError;
use virga_model::droplet::Software;

pub(crate) const BUILDPACK: Buildpack = Buildpack {
    name: "assemblyscript",
    version: "1.0.1",
    looks_for: "an asconfig.json, or a package.json that names assemblyscript",
    detects: |app| app.join("asconfig.json").is_file() || package(app).is_ok_and(|package| package.dependencies.contains_key(COMPILER)),
    toolchains: &[&TOOLCHAIN],
    build,
};

const TOOLCHAIN: Toolchain = Toolchain {
    name: "assemblyscript",
    version: version::OURS,
    files: &[("package.json", include_str!("toolchain/package.json")), ("package-lock.json", include_str!("toolchain/package-lock.json"))],
    commands: &[&["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-progress"]],
    programs: &["node", "npm"],
    how_to_install: "apt-get install nodejs npm (Node.js 20 or newer)",
    engine: None,
};

const COMPILER: &str = "assemblyscript";
const SHIM: &str = "@assemblyscript/wasi-shim";
/// Files and folders of an app that only building needs.
const BUILD_ONLY: [&str; 13] = [
    "assembly",
    "asconfig.json",
    "build",
    "node_modules",
    "package.json",
    "package-lock.json",
    "npm-shrinkwrap.json",
    "tsconfig.json",
    ".npmrc",
    "manifest.yml",
    "Procfile",
    ".cfignore",
    ".git",
];

fn build(request: &StageRequest, files: &Path) -> Result<Built, StagingError> {
    let app = &request.app;
    let uncopied = |error: io::Error| failure::internal("copy the app's files", &error);
    let is_build_only = |path: &Path| path.to_str().is_none_or(|name| BUILD_ONLY.contains(&name));
    // Before anything that is built lies among the app's files.
    if crate::files::copy_tree(app, files, &is_build_only).map_err(uncopied)? == 0 {
        fs::remove_dir_all(files).map_err(uncopied)?;
    }
    let modules = request.toolchain(&TOOLCHAIN)?.join("node_modules");
    let software = packages(request)?;
    let own = app.join("node_modules").join(COMPILER);
    let compiler = if own.is_dir() { own } else { modules.join(COMPILER) };
    let plan = configuration::settle(app, &modules.join(SHIM))?;
    let out = request.work.join("built");
    fs::create_dir_all(&out).map_err(|error| failure::internal("make a folder", &error))?;
    let mut arguments: Vec<OsString> = vec![compiler.join("bin/asc.js").into()];
    arguments.extend(plan.entry.map(OsString::from));
    arguments.extend(["--target".into(), "release".into(), "--outFile".into(), out.join("app.wasm").into()]);
    let done = tool::run("node", arguments, app, &[("NO_COLOR", OsStr::new("1"))]);
    if !done.map_err(|error| failure::internal("start node", &error))? {
        return Err(failure::compile(
            "asc failed; its errors stand in the log above. The program is made for WASI: process, console, crypto and Date are the shim's; there are no threads and nothing of Node.js or of browsers",
        ));
    }
    let mut built = c::made_of(app, &c::find(&out, app)?, "asc")?;
    built.software = vec![Software { name: COMPILER.into(), version: version::of(&compiler)? }];
    built.software.extend(software.into_iter().filter(|package| package.name != COMPILER));
    Ok(built)
}

/// The app's package.json, packages for development among the others: the compiler usually is one of those.
fn package(app: &Path) -> Result<Package, StagingError> {
    let mut package = nodejs::read_package(app)?;
    package.is_built_with_development = true;
    package.dependencies.extend(std::mem::take(&mut package.development));
    Ok(package)
}

/// Installs the app's packages, where it wants others than the toolchain's.
fn packages(request: &StageRequest) -> Result<Vec<Software>, StagingError> {
    let app: &PathBuf = &request.app;
    if !app.join("package.json").is_file() {
        return Ok(Vec::new());
    }
    let package = package(app)?;
    let others = package.dependencies.keys().any(|name| name != COMPILER && name != SHIM);
    let wanted = version::locked(app)?.or_else(|| package.dependencies.get(COMPILER).cloned());
    if !others && wanted.is_none_or(|wanted| version::is_ours(&wanted)) {
        return Ok(Vec::new());
    }
    nodejs::install(app, &package, &request.cache)
}
