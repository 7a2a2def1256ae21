//! The `ruby` buildpack: a Rack app becomes a component with the Ruby interpreter and the started app in it.
//!
//! The interpreter is the Ruby project's own build for WASI. Text files beside this one join it to the component's world
//! (`toolchain/engine`), carry requests to the app (`guest/bridge.rb`) and start it (`guest/start.rb`). The app is started at
//! staging and the interpreter's memory kept, so that an instance begins with everything loaded.

mod archive;
mod entry;
mod files;
mod gems;
mod lock;

use crate::{
    build::Built,
    buildpack::{Buildpack, has_extension},
    child::protocol::StageRequest,
    failure,
    snapshot::{self, Engine},
    tool,
    toolchain::Toolchain,
    wasm::{self, World},
};
use gems::Gems;
use std::{fs, io, path::Path};
use virga_contract::staging::StagingError;
use virga_model::{
    droplet::{GuestKind, Software},
    process::ReusePolicy,
};

const VERSION: &str = "1.1.2";

pub(crate) const BUILDPACK: Buildpack = Buildpack {
    name: "ruby",
    version: VERSION,
    looks_for: "a Gemfile or config.ru, or a Procfile beside a *.rb file",
    detects: |app| {
        let has = |name: &str| app.join(name).is_file();
        has("Gemfile") || has("config.ru") || (has("Procfile") && has_extension(app, &["rb"]))
    },
    toolchains: &[&TOOLCHAIN],
    build,
};

const TOOLCHAIN: Toolchain = Toolchain {
    name: "ruby",
    version: VERSION,
    files: files::TOOLCHAIN,
    commands: &[&["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-progress"], &["node", "prepare.mjs"]],
    programs: &["node", "npm"],
    how_to_install: "apt-get install nodejs npm (Node.js 20 or newer)",
    engine: Some(&ENGINE),
};

/// The interpreter; `build.mjs` orders its snapshots.
const ENGINE: Engine =
    Engine { program: "engine/engine.wasm", function: "wizer.initialize", code: "engine/engine.code", finish: component };

/// The interpreter, as its npm package is called.
const INTERPRETER: (&str, &str) = ("@ruby/3.4-wasm-wasi", "2.10.1");
/// What the engine's door belongs to.
const WORLD: World = World { wit: include_str!("ruby.wit"), name: "ruby" };
/// The interpreter refers to no sockets.
const DENIED: &[&str] = &["wasi:sockets/"];
/// Files of an app that only building needs.
const BUILD_ONLY: [&str; 6] = ["Procfile", "manifest.yml", ".cfignore", ".git", ".bundle", "vendor/cache"];
/// The buildpack's own folder in the guest.
const OWN: &str = ".virga";

/// Builds the component.
fn build(request: &StageRequest, files: &Path) -> Result<Built, StagingError> {
    let app = &request.app;
    let toolchain = request.toolchain(&TOOLCHAIN)?;
    let entry = entry::find(app)?;
    let gems = gems::find(app, toolchain, &request.cache)?;
    lay_out(app, &gems, files).map_err(|error| failure::internal("copy the app's files", &error))?;
    let root = request.work.join("root");
    lay_out_start(files, &root, entry.as_deref(), &gems).map_err(|error| failure::internal("copy the app's files", &error))?;
    let out = request.work.join("snapshot.wasm");
    let script = toolchain.join("build.mjs");
    let done = tool::run(
        "node",
        [script.as_os_str(), root.as_os_str(), out.as_os_str()],
        &request.work,
        &[("VIRGA", snapshot::platform().as_os_str())],
    )
    .map_err(|error| failure::internal("start node", &error))?;
    let core = fs::read(&out);
    let (true, Ok(core)) = (done, core) else {
        let name = entry.as_deref().unwrap_or("/").trim_start_matches('/');
        return Err(failure::compile(format!("the app could not be started from {name}; what is wrong with it stands in the log above")));
    };
    let component = component(core).map_err(|error| failure::internal("make the component", &error))?;
    let imports = wasm::imports(&component).map_err(|error| failure::internal("make the component", &error))?;
    Ok(built(entry.as_deref(), gems, component, imports))
}

/// See [`Engine::finish`].
fn component(core: Vec<u8>) -> Result<Vec<u8>, String> {
    wasm::world_component(core, &WORLD, DENIED)
}

fn built(entry: Option<&str>, gems: Gems, component: Vec<u8>, imports: Vec<String>) -> Built {
    let (guest, found) = match entry {
        Some(file) => (GuestKind::HttpP2, format!("Ruby app, {}", file.trim_start_matches('/'))),
        None => (GuestKind::Command, "Ruby program for workers and tasks".to_owned()),
    };
    let mut built = Built::new(guest, ReusePolicy::Pool, found);
    built.component = Some(component);
    built.imports = imports;
    built.software = vec![Software { name: INTERPRETER.0.into(), version: INTERPRETER.1.into() }];
    built.software.extend(gems.software);
    built.environment.extend([("RACK_ENV", "production"), ("RAILS_ENV", "production")].map(|(name, value)| (name.into(), value.into())));
    built.notes = gems.notes;
    if !gems.left_out.is_empty() {
        built.notes.push(format!("Left out, since the platform serves the app itself: {}", gems.left_out.join(", ")));
    }
    built
}

/// The guest's file system: the app, the gems it does not bring itself, and what stands in for libraries that cannot be here.
fn lay_out(app: &Path, gems: &Gems, files: &Path) -> io::Result<()> {
    crate::files::copy_tree(app, files, &|path| path.to_str().is_none_or(|name| BUILD_ONLY.contains(&name) || name == OWN))?;
    for (from, place) in &gems.copies {
        crate::files::copy_tree(from, &files.join(place), &|path| path == Path::new("gemspec"))?;
    }
    write(&files.join(OWN).join("lib"), files::LIBRARY)
}

/// The same once more, with what starts the app: what the app writes while it starts stays in the snapshot.
fn lay_out_start(files: &Path, root: &Path, entry: Option<&str>, gems: &Gems) -> io::Result<()> {
    crate::files::copy_tree(files, root, &|_| false)?;
    write(&root.join(OWN), files::START)?;
    let plan = serde_json::json!({ "start": "snapshot", "warms": true, "file": entry, "paths": gems.paths, "left_out": gems.left_out });
    fs::write(root.join(OWN).join("plan.json"), plan.to_string())
}

fn write(folder: &Path, list: &[(&str, &str)]) -> io::Result<()> {
    for (name, text) in list {
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, text)?;
    }
    Ok(())
}
