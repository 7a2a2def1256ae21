//! The `nodejs` buildpack: a package.json app becomes a component with the JavaScript engine and the app's evaluated
//! modules in it. The JavaScript beside this file is what goes into the toolchain's folder.

mod dependencies;
mod entry;
mod files;

pub(crate) use dependencies::install;
pub(crate) use entry::{Package, read_package};

use crate::{
    build::Built,
    buildpack::Buildpack,
    child::protocol::StageRequest,
    failure,
    snapshot::{self, Engine},
    tool,
    toolchain::Toolchain,
    wasm,
};
use std::{collections::HashSet, fs, io, path::Path};
use virga_contract::staging::StagingError;
use virga_model::{
    droplet::{GuestKind, Software},
    process::ReusePolicy,
};

const VERSION: &str = "1.3.0";

pub(crate) const BUILDPACK: Buildpack = Buildpack {
    name: "nodejs",
    version: VERSION,
    looks_for: "a package.json",
    detects: |app| app.join("package.json").is_file(),
    toolchains: &[&TOOLCHAIN],
    build,
};

pub(crate) const TOOLCHAIN: Toolchain = Toolchain {
    name: "nodejs",
    version: VERSION,
    files: files::FILES,
    commands: &[&["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-progress"], &["node", "prepare.mjs"]],
    programs: &["node", "npm"],
    how_to_install: "apt-get install nodejs npm (Node.js 20 or newer)",
    engine: Some(&ENGINE),
};

/// SpiderMonkey; `build.mjs` orders its snapshots.
const ENGINE: Engine =
    Engine { program: "engine/engine.wasm", function: "componentize.wizer", code: "engine/engine.code", finish: component };

/// The engine refers to sockets for its debugger alone; apps have `fetch`.
const DENIED: &[&str] = &["wasi:sockets/"];
/// Files of an app that only building needs.
const BUILD_ONLY: [&str; 8] =
    ["node_modules", "package-lock.json", "npm-shrinkwrap.json", "manifest.yml", "Procfile", ".cfignore", ".git", "tsconfig.json"];

/// Builds the component.
fn build(request: &StageRequest, files: &Path) -> Result<Built, StagingError> {
    let app = &request.app;
    let toolchain = request.toolchain(&TOOLCHAIN)?;
    let package = entry::read_package(app)?;
    let mut software = dependencies::install(app, &package, &request.cache)?;
    let entry = entry::find(app, &package)?;
    let work = request.work.join("bundle");
    fs::create_dir_all(&work).map_err(|error| failure::internal("make a folder", &error))?;
    let script = toolchain.join("build.mjs");
    let arguments = [script.as_os_str(), app.as_os_str(), entry.as_os_str(), work.as_os_str()];
    let done = tool::run("node", arguments, app, &[("VIRGA", snapshot::platform().as_os_str())])
        .map_err(|error| failure::internal("start node", &error))?;
    let core = fs::read(work.join("snapshot.wasm"));
    let (true, Ok(core)) = (done, core) else {
        let name = entry.strip_prefix(app).unwrap_or(&entry).display();
        return Err(failure::compile(format!(
            "the app could not be bundled and started from {name}; what is wrong with it stands in the log above"
        )));
    };
    let component = component(core).map_err(|error| failure::internal("make the component", &error))?;
    let shape = wasm::inspect(&component).map_err(|error| failure::internal("make the component", &error))?;
    copy_files(app, &work, files)?;
    software.insert(0, Software { name: "@bytecodealliance/componentize-js".into(), version: "0.23.0".into() });
    let mut built =
        Built::new(GuestKind::HttpP2, ReusePolicy::Pool, format!("Node.js app, {}", entry.strip_prefix(app).unwrap_or(&entry).display()));
    built.component = Some(component);
    built.imports = shape.imports;
    built.software = software;
    built.process_types.insert("web".into(), web_command(&package, &entry, app));
    built.environment.insert("NODE_ENV".into(), "production".into());
    Ok(built)
}

/// See [`Engine::finish`].
fn component(core: Vec<u8>) -> Result<Vec<u8>, String> {
    wasm::engine_component(&core, DENIED)
}

/// How Node.js would be told to start the app.
fn web_command(package: &entry::Package, entry: &Path, app: &Path) -> String {
    if package.scripts.contains_key("start") {
        return "npm start".to_owned();
    }
    format!("node {}", entry.strip_prefix(app).unwrap_or(entry).display())
}

/// Paths of the files that the bundler took, as it wrote them down.
fn bundled(work: &Path) -> io::Result<HashSet<String>> {
    Ok(serde_json::from_slice(&fs::read(work.join("inputs.json"))?)?)
}

/// The app's files for its run: all but what is in the bundle already and what only building needs.
fn copy_files(app: &Path, work: &Path, files: &Path) -> Result<(), StagingError> {
    let bundled = bundled(work).map_err(|error| failure::internal("read what is in the bundle", &error))?;
    let skip = |path: &Path| path.to_str().is_none_or(|name| BUILD_ONLY.contains(&name) || bundled.contains(name));
    let count = crate::files::copy_tree(app, files, &skip).map_err(|error| failure::internal("copy the app's files", &error))?;
    if count == 0 {
        fs::remove_dir_all(files).map_err(|error| failure::internal("copy the app's files", &error))?;
    }
    Ok(())
}
