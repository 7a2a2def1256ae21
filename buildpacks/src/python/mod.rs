//! The `python` buildpack: a WSGI or ASGI app becomes a component with CPython and the started app in it.
//!
//! The toolchain holds an interpreter as a component, made once per platform. Staging puts the app's files and packages where
//! the running app will have them, starts the app on that interpreter, and keeps what is in its memory then.

mod bytecode;
mod dependencies;
mod files;
mod requirements;
mod start;

use crate::{
    build::Built,
    buildpack::{Buildpack, has_extension},
    child::protocol::StageRequest,
    failure,
    snapshot::{self, Engine, Order, Output},
    toolchain::Toolchain,
    wasm,
};
use std::{fs, io, path::Path};
use virga_contract::staging::StagingError;
use virga_model::{
    droplet::{GuestKind, Software},
    process::ReusePolicy,
};

const VERSION: &str = "2.2.0";

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
    files: files::TOOLCHAIN,
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
            "-r",
            "requirements.txt",
        ],
        &["python3", "-I", "install.py"],
    ],
    programs: &["python3"],
    how_to_install: "apt-get install python3 python3-pip",
    engine: Some(&ENGINE),
};

/// The interpreter, a component from the beginning.
const ENGINE: Engine = Engine { program: "base.wasm", function: "prepare", code: "base.code", finish: Ok };

/// What the component's interpreter is.
const SOFTWARE: [(&str, &str); 2] = [("python", "3.14.0"), ("componentize-py", "0.25.1")];

/// Builds the component.
fn build(request: &StageRequest, files: &Path) -> Result<Built, StagingError> {
    let toolchain = request.toolchain(&TOOLCHAIN)?;
    let start = start::find(&request.app)?;
    let packages = dependencies::install(&request.app, &request.cache)?;
    files::lay_out(&request.app, &packages.folder, toolchain, files).map_err(|error| failure::internal("copy the app's files", &error))?;
    let out = request.work.join("snapshot.wasm");
    snapshot(request, toolchain, files, start.order(&packages.native), &out)?;
    let component = fs::read(&out)
        .map_err(|_| failure::compile(format!("the app could not be started: {start}; its traceback stands in the log above")))?;
    let imports = wasm::imports(&component).map_err(|error| failure::internal("make the component", &error))?;
    let guest = if start.is_web() { GuestKind::HttpP2 } else { GuestKind::Command };
    let mut built = Built::new(guest, ReusePolicy::Pool, format!("Python app: {start}"));
    built.component = Some(component);
    built.imports = imports;
    built.software = SOFTWARE.map(|(name, version)| Software { name: name.into(), version: version.into() }).into();
    built.software.extend(packages.software);
    built.environment.insert("PYTHONUNBUFFERED".into(), "1".into());
    built.notes = packages.notes;
    Ok(built)
}

/// Starts the app on the toolchain's interpreter, with `files` as its `/`, and writes the component with its memory to `out`.
fn snapshot(request: &StageRequest, toolchain: &Path, files: &Path, order: String, out: &Path) -> Result<(), StagingError> {
    let failed = |error: io::Error| failure::internal("start the interpreter", &error);
    let folders = bytecode::folders(request).map_err(failed)?;
    let order = Order {
        program: toolchain.join(ENGINE.program),
        code: toolchain.join(ENGINE.code),
        function: ENGINE.function.into(),
        folder: files.to_owned(),
        environment: [("VIRGA_START".to_owned(), order)].into(),
        input: String::new(),
        out: out.to_owned(),
        bytecode: Some(folders.clone()),
    };
    // Whether the file is there says how it went, which is asked next.
    let is_started = snapshot::take(&order, &request.work, Output::Shown).map_err(failed)?;
    let not_kept = |error: io::Error| failure::internal("keep what the packages were compiled to", &error);
    if is_started && bytecode::keep(&folders).map_err(not_kept)? {
        // Compiling leaves its traces in memory, and a snapshot must not tell which stagings there were before it.
        fs::remove_file(out).map_err(failed)?;
        if !snapshot::take(&order, &request.work, Output::Hidden).map_err(failed)? {
            // An app that starts once and not twice: why stands in its log then.
            snapshot::take(&order, &request.work, Output::Shown).map_err(failed)?;
        }
    }
    Ok(())
}
