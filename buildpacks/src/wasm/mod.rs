//! The `wasm` buildpack: a ready component, a core module, or the text of either.

mod compose;
mod deny;
mod inspect;
mod spin;
mod wrap;

pub(crate) use inspect::{imports, inspect};
pub(crate) use wrap::{World, engine_component, world_component};

use crate::{build::Built, buildpack::Buildpack, child::protocol::StageRequest, failure, procfile};
use std::{
    fs,
    path::{Path, PathBuf},
};
use virga_contract::staging::StagingError;
use virga_model::{droplet::GuestKind, process::ReusePolicy};

pub(crate) const BUILDPACK: Buildpack = Buildpack {
    name: "wasm",
    version: "1.1.0",
    looks_for: "app.wasm, app.wat, a single *.wasm or *.wat file, or a spin.toml",
    detects: |app| find(app).is_some() || app.join("spin.toml").is_file(),
    toolchains: &[],
    build: |request: &StageRequest, files| build(&request.app, files),
};

/// What a command is unless the app says that it has no `web` process.
const CGI: &str = "command, run once per request with CGI over stdin and stdout";

/// The same that is given its listener.
const ACCEPTING: &str = "server (a command that accepts on the listener it is given, LISTEN_FDS)";

/// The program of an app: `app.wasm`, `app.wat`, or the only file of either kind at the top.
pub(crate) fn find(app: &Path) -> Option<PathBuf> {
    for name in ["app.wasm", "app.wat"] {
        if app.join(name).is_file() {
            return Some(app.join(name));
        }
    }
    let is_program = |path: &PathBuf| path.is_file() && path.extension().is_some_and(|found| found == "wasm" || found == "wat");
    let mut programs = fs::read_dir(app).ok()?.flatten().map(|entry| entry.path()).filter(is_program);
    match (programs.next(), programs.next()) {
        (Some(program), None) => Some(program),
        _ => None,
    }
}

/// Makes a component of the program, with the other files of the app as its file system.
fn build(app: &Path, files: &Path) -> Result<Built, StagingError> {
    let spin = spin::read(app)?;
    let program = spin.as_ref().map(|spin| app.join(&spin.source)).or_else(|| find(app)).ok_or_else(|| {
        failure::compile("the app has no app.wasm or app.wat, and not exactly one *.wasm or *.wat file; name the program app.wasm")
    })?;
    let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let bytes = fs::read(&program).map_err(|error| failure::internal("read the program", &error))?;
    let binary =
        wat::parse_bytes(&bytes).map_err(|error| failure::compile(format!("{name} is neither WebAssembly nor its text: {error}")))?;
    let mut built = if wasmparser::Parser::is_component(&binary) {
        component(&compose::with_others(app, binary.into_owned(), &name)?, &name)?
    } else {
        component(&binary, &name)?
    };
    built.environment = spin.map(|spin| spin.environment).unwrap_or_default();
    let types = procfile::read(app);
    if built.guest == GuestKind::Cgi && !types.is_empty() && !types.contains_key("web") {
        built.guest = GuestKind::Command;
        built.detect_output = built.detect_output.replace(CGI, "command for workers and tasks");
    }
    let others = crate::files::copy_tree(app, files, &|path| {
        app.join(path) == program
            || matches!(path.to_str(), Some("manifest.yml" | "Procfile" | ".cfignore" | "spin.toml" | compose::FOLDER))
    })
    .map_err(|error| failure::internal("copy the app's files", &error))?;
    if others == 0 {
        fs::remove_dir_all(files).map_err(|error| failure::internal("copy the app's files", &error))?;
    }
    built.notes.push(built.detect_output.clone());
    Ok(built)
}

/// What a binary of either kind is run as.
pub(crate) fn component(binary: &[u8], name: &str) -> Result<Built, StagingError> {
    if !wasmparser::Parser::is_core_wasm(binary) {
        return ready(binary.to_vec(), name);
    }
    let listens = match wrap::core_module(binary, name)? {
        wrap::Wrapped::Component(wrapped) => {
            let mut built = ready(wrapped, name)?;
            built.detect_output = format!("core module, wrapped: {}", built.detect_output);
            return Ok(built);
        }
        wrap::Wrapped::Command { listens } => listens,
    };
    let (guest, output) = if listens { (GuestKind::Server, ACCEPTING) } else { (GuestKind::Cgi, CGI) };
    let mut built = Built::new(guest, ReusePolicy::Request, format!("core module: {output}"));
    built.imports = vec!["wasi_snapshot_preview1".to_owned()];
    built.component = Some(binary.to_vec());
    Ok(built)
}

fn ready(binary: Vec<u8>, name: &str) -> Result<Built, StagingError> {
    let shape = inspect(&binary).map_err(|reason| failure::compile(format!("{name} is not a valid component: {reason}")))?;
    let unsupported = shape.unsupported_imports();
    if !unsupported.is_empty() {
        return Err(failure::compile(format!(
            "{name} imports {}, which this platform does not offer; it offers the interfaces of wasi 0.2 and 0.3 (cli, clocks, filesystem, http, io, random, sockets)",
            unsupported.join(", ")
        )));
    }
    let (guest, reuse, output) = match shape.guest() {
        Some(GuestKind::HttpP3) => (GuestKind::HttpP3, ReusePolicy::Concurrent, "HTTP component (wasi:http/handler 0.3)"),
        Some(GuestKind::HttpP2) => (GuestKind::HttpP2, ReusePolicy::Request, "HTTP component (wasi:http/incoming-handler 0.2)"),
        Some(GuestKind::Server) => (GuestKind::Server, ReusePolicy::Request, "server (a command that listens on $PORT)"),
        Some(guest) => (guest, ReusePolicy::Request, CGI),
        None => {
            return Err(failure::compile(format!(
                "{name} exports {}; a component must export wasi:http/incoming-handler@0.2, wasi:http/handler@0.3, or wasi:cli/run@0.2 or 0.3 (a command that speaks CGI, or listens on $PORT)",
                if shape.exports.is_empty() { "nothing".to_owned() } else { shape.exports.join(", ") }
            )));
        }
    };
    let mut built = Built::new(guest, reuse, output);
    built.imports = shape.imports;
    built.component = Some(binary);
    Ok(built)
}

#[cfg(test)]
mod tests;
