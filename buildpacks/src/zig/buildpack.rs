//! The `zig` buildpack: `zig build`, or the compiler itself, makes one WebAssembly program of the app.

use super::{
    source::{self, Source},
    toolchain::{self, WARM, ZIG},
};
use crate::{
    build::Built,
    buildpack::{Buildpack, has_extension},
    c,
    child::protocol::StageRequest,
    failure, tool,
};
use std::{
    ffi::{OsStr, OsString},
    fs, io,
    path::{Path, PathBuf},
};
use virga_contract::staging::StagingError;
use virga_model::droplet::Software;

pub(crate) const BUILDPACK: Buildpack = Buildpack {
    name: "zig",
    version: "1.1.0",
    looks_for: "a build.zig, a src/main.zig or a *.zig file",
    detects: |app| {
        let has = |name: &str| app.join(name).is_file();
        has("build.zig") || has("src/main.zig") || has_extension(app, &["zig"])
    },
    toolchains: &[&ZIG, &WARM],
    build,
};

/// Files and folders of an app that only building needs.
const BUILD_ONLY: [&str; 9] =
    ["build.zig", "build.zig.zon", "manifest.yml", "Procfile", ".cfignore", ".git", ".zig-cache", "zig-cache", "zig-out"];

fn build(request: &StageRequest, files: &Path) -> Result<Built, StagingError> {
    let app = &request.app;
    let uncopied = |error: io::Error| failure::internal("copy the app's files", &error);
    let is_build_only =
        |path: &Path| path.extension().is_some_and(|end| end == "zig") || path.to_str().is_none_or(|name| BUILD_ONLY.contains(&name));
    // Before anything that is built lies among the app's files.
    if crate::files::copy_tree(app, files, &is_build_only).map_err(uncopied)? == 0 {
        fs::remove_dir_all(files).map_err(uncopied)?;
    }
    let source = source::find(app)?;
    let out = request.work.join("built");
    fs::create_dir_all(&out).map_err(|error| failure::internal("make a folder", &error))?;
    let arguments = match &source {
        Source::Build { takes_target } => build_arguments(*takes_target, &out),
        Source::File(file) => file_arguments(file, &out),
    };
    if !compile(request, arguments)? {
        return Err(failure::compile(format!(
            "zig {} failed; its errors stand in the log above. It makes WebAssembly (wasm32-wasi): there are no threads, no processes, no sockets to listen on, and no packages that lie outside of the app",
            source.way()
        )));
    }
    let mut built = c::made_of(app, &c::find(&out, app)?, &format!("zig {}", source.way()))?;
    built.software = vec![Software { name: "zig".into(), version: ZIG.version.into() }];
    Ok(built)
}

fn build_arguments(takes_target: bool, out: &Path) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = ["build", "--release=small", "--color", "off", "--prefix"].map(Into::into).into();
    arguments.push(out.into());
    if takes_target {
        arguments.push("-Dtarget=wasm32-wasi".into());
    }
    arguments
}

fn file_arguments(file: &Path, out: &Path) -> Vec<OsString> {
    let mut emit = OsString::from("-femit-bin=");
    emit.push(out.join("app.wasm"));
    let stack = c::STACK_BYTES.to_string();
    let options = ["build-exe", "-target", "wasm32-wasi", "-OReleaseSmall", "--stack", &stack, "--color", "off"].map(OsString::from);
    // With a folder in front, no name is taken for an option.
    options.into_iter().chain([emit, Path::new(".").join(file).into()]).collect()
}

/// Runs the compiler with what it has compiled before; says whether it succeeded.
fn compile(request: &StageRequest, arguments: Vec<OsString>) -> Result<bool, StagingError> {
    let compiler = request.toolchain(&ZIG)?;
    let cache = [request.toolchain(&WARM)?, compiler]
        .into_iter()
        .try_fold(PathBuf::new(), |_, ready| toolchain::cache(ready, &request.cache))
        .map_err(|error| failure::internal("prepare the compiler", &error))?;
    let environment: [(&str, &OsStr); 3] = [
        ("ZIG_GLOBAL_CACHE_DIR", cache.as_os_str()),
        ("ZIG_LOCAL_CACHE_DIR", cache.as_os_str()),
        // What __DATE__ and __TIME__ are in sources in C: the same app, the same program.
        ("SOURCE_DATE_EPOCH", OsStr::new("1")),
    ];
    let program = compiler.join(toolchain::PROGRAM).display().to_string();
    tool::run(&program, arguments, &request.app, &environment).map_err(|error| failure::internal("start zig", &error))
}
