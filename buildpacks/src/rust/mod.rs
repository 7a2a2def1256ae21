//! The `rust` buildpack: cargo builds the app for `wasm32-wasip2`. What comes out says what it is: a server that listens on
//! `$PORT`, a handler of wasi:http, or a command.

mod manifest;
mod toolchain;

pub(crate) use toolchain::TOOLCHAIN;

use crate::{build::Built, buildpack::Buildpack, child::protocol::StageRequest, failure, procfile, tool, toolchain::remove, wasm};
use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fs, io,
    path::{Path, PathBuf},
};
use toolchain::Rust;
use virga_contract::staging::StagingError;
use virga_model::{
    droplet::{GuestKind, Software},
    process::ReusePolicy,
};

pub(crate) const BUILDPACK: Buildpack = Buildpack {
    name: "rust",
    version: "1.0.0",
    looks_for: "a Cargo.toml",
    detects: |app| app.join("Cargo.toml").is_file() && wasm::find(app).is_none(),
    toolchains: &[&TOOLCHAIN],
    build,
};

const TARGET: &str = "wasm32-wasip2";
/// Names of an app's files that only building needs.
const BUILD_ONLY: [&str; 13] = [
    "Cargo.toml",
    "Cargo.lock",
    "build.rs",
    "src",
    "benches",
    "examples",
    "vendor",
    "target",
    ".cargo",
    "Procfile",
    "manifest.yml",
    ".cfignore",
    ".git",
];

fn build(request: &StageRequest, files: &Path) -> Result<Built, StagingError> {
    let rust = Rust::of(request.toolchain(&TOOLCHAIN)?)?;
    let types = procfile::read(&request.app);
    let cargo = Cargo::new(request, &rust).map_err(|error| failure::internal("prepare the build folder", &error))?;
    cargo.fetch(&rust.host)?;
    let programs = cargo.build()?;
    let program = choose(&programs, &types)?;
    let name = program.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let binary = fs::read(program).map_err(|error| failure::internal("read the program", &error))?;
    let mut built = wasm::component(&binary, &format!("{name}.wasm"))?;
    settle(&mut built, &name, &types);
    built.software = vec![Software { name: "rust".into(), version: rust.version }];
    built.software.extend(manifest::locked(&cargo.app.join("Cargo.lock")));
    copy_files(&request.app, files).map_err(|error| failure::internal("copy the app's files", &error))?;
    Ok(built)
}

/// What is built from source expects to be a process that remembers, and a program that neither listens nor handles is no web
/// process unless the app says so.
fn settle(built: &mut Built, name: &str, types: &BTreeMap<String, String>) {
    let kind = match built.guest {
        GuestKind::HttpP2 => {
            built.reuse = ReusePolicy::Pool;
            "handler of wasi:http"
        }
        GuestKind::HttpP3 => "handler of wasi:http 0.3",
        GuestKind::Server => "server that listens on $PORT",
        GuestKind::Cgi if types.contains_key("web") => "command that speaks CGI",
        _ => {
            built.guest = GuestKind::Command;
            "command for workers and tasks"
        }
    };
    built.detect_output = format!("Rust program {name}, a {kind}");
    built.notes.push(built.detect_output.clone());
}

/// Of several programs the one that the Procfile's `web` names.
fn choose<'a>(programs: &'a [PathBuf], types: &BTreeMap<String, String>) -> Result<&'a PathBuf, StagingError> {
    let name = |path: &Path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let wanted = types.get("web").or_else(|| types.values().next()).and_then(|line| line.split_whitespace().next());
    let wanted = wanted.and_then(|word| word.rsplit('/').next());
    match programs {
        [] => Err(failure::compile(
            "cargo built no program: the package needs a src/main.rs, or crate-type = [\"cdylib\"] with a handler of wasi:http",
        )),
        [only] => Ok(only),
        several => several.iter().find(|path| wanted == Some(name(path).as_str())).ok_or_else(|| {
            let names: Vec<_> = several.iter().map(|path| name(path)).collect();
            failure::compile(format!(
                "the package has the programs {}, and a droplet holds one; name it in a Procfile, such as 'web: {}'",
                names.join(", "),
                names.first().map_or("app", String::as_str)
            ))
        }),
    }
}

fn copy_files(app: &Path, files: &Path) -> io::Result<()> {
    crate::files::copy_tree(app, files, &|path| path.to_str().is_none_or(|name| BUILD_ONLY.contains(&name)))?;
    Ok(())
}

/// Cargo with what is its own of this app. The source lies where it lay at the last push, or everything would be built anew.
struct Cargo {
    program: PathBuf,
    app: PathBuf,
    target: PathBuf,
    environment: Vec<(&'static str, OsString)>,
}

impl Cargo {
    fn new(request: &StageRequest, rust: &Rust) -> io::Result<Self> {
        let (app, target, home) = (request.cache.join("rust-app"), request.cache.join("rust-target"), request.cache.join("cargo"));
        remove(&app);
        crate::files::copy_tree(&request.app, &app, &|path| matches!(path.to_str(), None | Some("target" | ".git")))?;
        fs::create_dir_all(&home)?;
        take_over_settings(&home)?;
        let environment: Vec<(&'static str, OsString)> = vec![
            ("CARGO_HOME", home.into()),
            ("CARGO_TERM_COLOR", "never".into()),
            ("CARGO_NET_GIT_FETCH_WITH_CLI", "false".into()),
            ("CARGO_INCREMENTAL", "0".into()),
            ("RUSTC", rust.sysroot.join("bin/rustc").into()),
            ("RUSTC_WRAPPER", rust.wrapper.clone().into()),
            ("VIRGA_SYSROOT", rust.sysroot.clone().into()),
        ];
        Ok(Self { program: rust.sysroot.join("bin/cargo"), app, target, environment })
    }

    fn fetch(&self, host: &str) -> Result<(), StagingError> {
        if self.app.join("vendor").is_dir() && self.app.join(".cargo").is_dir() {
            return Ok(());
        }
        let mut arguments = vec!["fetch", "--quiet", "--target", TARGET, "--target", host];
        if self.app.join("Cargo.lock").is_file() {
            arguments.push("--locked");
        }
        match tool::fetch(&self.program.to_string_lossy(), arguments, &self.app, &self.environment()) {
            Ok(true) => Ok(()),
            Ok(false) => Err(failure::compile(
                "cargo could not fetch the app's crates; its reason stands in the log above. Crates come from the registry, or from a vendor folder (cargo vendor) with its .cargo/config.toml",
            )),
            Err(error) => Err(failure::internal("start cargo", &error)),
        }
    }

    /// Builds; gives the programs that came of it, in order of their names.
    fn build(&self) -> Result<Vec<PathBuf>, StagingError> {
        let failed = |error: io::Error| failure::internal("read the build folder", &error);
        let made = self.target.join(TARGET).join("release");
        for earlier in programs(&made).map_err(failed)? {
            fs::remove_file(earlier).map_err(failed)?;
        }
        let arguments = ["build", "--release", "--offline", "--target", TARGET, "--target-dir"].map(OsStr::new);
        let arguments = arguments.into_iter().chain([self.target.as_os_str()]);
        match tool::run(&self.program.to_string_lossy(), arguments, &self.app, &self.environment()) {
            Ok(true) => programs(&made).map_err(failed),
            Ok(false) => Err(failure::compile(format!(
                "cargo could not build the app for {TARGET}; its errors stand in the log above. Threads, processes, signals and C code are not there"
            ))),
            Err(error) => Err(failure::internal("start cargo", &error)),
        }
    }

    fn environment(&self) -> Vec<(&'static str, &OsStr)> {
        self.environment.iter().map(|(name, value)| (*name, value.as_os_str())).collect()
    }
}

/// Cargo reads its settings, such as another registry of the operator, in its own folder, which is the app's here.
fn take_over_settings(home: &Path) -> io::Result<()> {
    let own = home.join("config.toml");
    let of_operator = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo/config.toml"));
    match of_operator.filter(|path| path.is_file()) {
        Some(path) => fs::copy(path, own).map(|_| ()),
        None => match fs::remove_file(own) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        },
    }
}

fn programs(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    match fs::read_dir(folder) {
        Ok(entries) => {
            for entry in entries {
                let path = entry?.path();
                if path.extension().is_some_and(|extension| extension == "wasm") {
                    found.push(path);
                }
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_procfile_chooses_among_programs() {
        let programs = ["a/one.wasm", "a/two.wasm"].map(PathBuf::from);
        let types = |line: &str| BTreeMap::from([("web".to_owned(), line.to_owned())]);
        assert_eq!(choose(&programs, &types("./target/two --x")).unwrap(), &programs[1]);
        let error = choose(&programs, &BTreeMap::new()).unwrap_err();
        assert!(error.message.contains("one, two") && error.message.contains("web: one"), "{error}");
        assert_eq!(choose(&programs[..1], &types("anything")).unwrap(), &programs[0]);
        assert!(choose(&[], &BTreeMap::new()).unwrap_err().message.contains("src/main.rs"));
    }
}
