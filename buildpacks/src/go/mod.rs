//! The `go` buildpack: a module's program becomes a component by the plain compiler. Its standard library has a few files of ours
//! (`std`), by which an unchanged `http.ListenAndServe` answers the requests that the cell brings.

mod commands;
mod component;
mod modules;
mod source;
mod toolchain;

pub(crate) use toolchain::TOOLCHAIN;

use crate::{
    build::Built,
    buildpack::Buildpack,
    child::protocol::StageRequest,
    failure, procfile, tool,
    wasm::{self},
};
use commands::Program;
use std::{
    ffi::{OsStr, OsString},
    fs, io,
    path::{Path, PathBuf},
};
use virga_contract::staging::StagingError;
use virga_model::{
    droplet::{GuestKind, Software},
    process::ReusePolicy,
};

pub(crate) const BUILDPACK: Buildpack = Buildpack {
    name: "go",
    version: "1.0.0",
    looks_for: "a go.mod",
    detects: |app| app.join("go.mod").is_file(),
    toolchains: &[&TOOLCHAIN],
    build,
};

/// Names of an app's files that only building needs.
const BUILD_ONLY: [&str; 9] = ["go.mod", "go.sum", "go.work", "go.work.sum", "vendor", "Procfile", "manifest.yml", ".cfignore", ".git"];

fn build(request: &StageRequest, files: &Path) -> Result<Built, StagingError> {
    let app = &request.app;
    let go = Go::new(request)?;
    let types = procfile::read(app);
    let program = commands::choose(app, &types)?;
    // Before anything of ours lies among the app's files.
    copy_files(app, files).map_err(|error| failure::internal("copy the app's files", &error))?;
    let modules = modules::fetch(app, &request.cache, &go)?;
    let package = program.prepare(app)?;
    let core = request.work.join("core.wasm");
    let arguments =
        ["build", "-trimpath", "-buildvcs=false", "-tags", toolchain::TAGS, "-buildmode=c-shared", "-ldflags=-s -w -buildid=", "-o"];
    let arguments = arguments.iter().map(OsStr::new).chain([core.as_os_str(), OsStr::new(&package)]);
    let is_built = go.run(arguments, app).map_err(|error| failure::internal("start go", &error))?;
    let (true, Ok(core)) = (is_built, fs::read(&core)) else {
        return Err(failure::compile(format!(
            "go {} could not build {package} for wasip1/wasm; its errors stand in the log above. Packages that need cgo, or system calls that WebAssembly does not have, cannot be used",
            toolchain::GO
        )));
    };
    let serves = component::serves(&core);
    let component = component::make(core).map_err(|error| failure::internal("make the component", &error))?;
    let shape = wasm::inspect(&component).map_err(|error| failure::internal("make the component", &error))?;
    let is_web = serves && (types.is_empty() || types.contains_key("web"));
    if types.contains_key("web") && !serves {
        return Err(failure::compile(format!(
            "{} is to be the web process and does not use net/http, by which requests reach a Go program here; serve with net/http (a framework over it counts), or leave 'web' out of the Procfile for a worker",
            program.describe()
        )));
    }
    let (guest, reuse) = if is_web { (GuestKind::HttpP2, ReusePolicy::Pool) } else { (GuestKind::Command, ReusePolicy::Request) };
    let mut built = Built::new(guest, reuse, format!("Go program, {}", program.describe()));
    built.component = Some(component);
    built.imports = shape.imports;
    built.software = vec![Software { name: "go".into(), version: toolchain::GO.into() }];
    built.software.extend(modules);
    // Who serves gets no arguments from the cell: the program takes those of the web process from here.
    if let Some(command) =
        types.get("web").filter(|command| is_web && (program.has_several() || command.split_whitespace().nth(1).is_some()))
    {
        built.environment.insert("VIRGA_GO_COMMAND".into(), command.clone());
    }
    if !serves && types.is_empty() {
        built.notes.push("The program does not use net/http: it can be a worker or a task, not a web process".into());
    }
    Ok(built)
}

/// The app's files for its run: everything but the sources.
fn copy_files(app: &Path, files: &Path) -> io::Result<()> {
    crate::files::copy_tree(app, files, &|path| {
        path.to_str().is_none_or(|name| BUILD_ONLY.contains(&name)) || path.extension().is_some_and(|extension| extension == "go")
    })?;
    Ok(())
}

/// The compiler with what is its own of this app.
struct Go {
    program: PathBuf,
    environment: Vec<(&'static str, OsString)>,
}

impl Go {
    fn new(request: &StageRequest) -> Result<Self, StagingError> {
        let toolchain = request.toolchain(&TOOLCHAIN)?;
        let failed = |error: io::Error| failure::internal("prepare the build cache", &error);
        let (compiled, modules) = (request.cache.join("go-build"), request.cache.join("go-modules"));
        let temporary = request.work.join("go-tmp");
        fs::create_dir_all(&temporary).map_err(failed)?;
        share_compiled(&toolchain.join("cache"), &compiled).map_err(failed)?;
        let environment: Vec<(&'static str, OsString)> = vec![
            ("GOCACHE", compiled.into()),
            ("GOMODCACHE", modules.into()),
            ("GOTMPDIR", temporary.into()),
            ("GOOS", "wasip1".into()),
            ("GOARCH", "wasm".into()),
            ("CGO_ENABLED", "0".into()),
            ("GOENV", "off".into()),
            ("GOFLAGS", "-modcacherw".into()),
            ("GOTOOLCHAIN", "local".into()),
            ("GOTELEMETRY", "off".into()),
            // Modules come from a module proxy, never by a version control program that an app names.
            ("GOVCS", "*:off".into()),
        ];
        Ok(Self { program: toolchain.join("packages/go/bin/go"), environment })
    }

    fn run<I: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = I>, folder: &Path) -> io::Result<bool> {
        tool::run(&self.program.to_string_lossy(), arguments, folder, &self.environment())
    }

    fn fetch<I: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = I>, folder: &Path) -> io::Result<bool> {
        tool::fetch(&self.program.to_string_lossy(), arguments, folder, &self.environment())
    }

    fn environment(&self) -> Vec<(&'static str, &OsStr)> {
        self.environment.iter().map(|(name, value)| (*name, value.as_os_str())).collect()
    }
}

/// Puts what is compiled of the standard library into the app's own build cache, as links: go only reads what is there, and what an
/// app's build writes stays with the app.
fn share_compiled(from: &Path, into: &Path) -> io::Result<()> {
    for folder in fs::read_dir(from)? {
        let folder = folder?;
        if !folder.file_type()?.is_dir() || folder.file_name().len() != 2 {
            continue;
        }
        let own = into.join(folder.file_name());
        fs::create_dir_all(&own)?;
        for file in fs::read_dir(folder.path())? {
            let file = file?;
            let link = own.join(file.file_name());
            if fs::read_link(&link).is_ok_and(|target| target == file.path()) {
                continue;
            }
            match fs::remove_file(&link) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => std::os::unix::fs::symlink(file.path(), &link)?,
            }
        }
    }
    Ok(())
}

impl Program {
    fn describe(&self) -> String {
        self.names().join(", ")
    }
}
