//! The `c` buildpack, for C and C++: `make`, CMake, or the compiler itself makes one WebAssembly program of the app.

mod driver;
pub(crate) mod http;
mod program;

pub(crate) use driver::{Driver, STACK_BYTES};
pub(crate) use program::{find, made_of};

use crate::{
    build::Built,
    buildpack::{Buildpack, has_extension},
    child::protocol::StageRequest,
    failure,
    toolchain::find_program,
    zig::ZIG,
};
use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};
use virga_contract::staging::StagingError;
use virga_model::droplet::Software;

pub(crate) const BUILDPACK: Buildpack = Buildpack {
    name: "c",
    version: "1.1.0",
    looks_for: "a CMakeLists.txt, or a *.c, *.cc or *.cpp file",
    detects: |app| app.join("CMakeLists.txt").is_file() || has_extension(app, &SOURCES) || has_extension(&app.join("src"), &SOURCES),
    toolchains: &[&ZIG],
    build,
};

const SOURCES: [&str; 4] = ["c", "cc", "cpp", "cxx"];
/// Ends of the names of files that only building needs.
const BUILD_ONLY: [&str; 14] = ["c", "cc", "cpp", "cxx", "h", "hh", "hpp", "hxx", "o", "a", "d", "cmake", "wasm", "mk"];
const BUILD_ONLY_NAMES: [&str; 9] =
    ["Makefile", "makefile", "GNUmakefile", "CMakeLists.txt", "manifest.yml", "Procfile", ".cfignore", ".git", ".clangd"];

fn build(request: &StageRequest, files: &Path) -> Result<Built, StagingError> {
    let app = &request.app;
    // Before anything that is built lies among the app's files.
    let count = crate::files::copy_tree(app, files, &is_build_only).map_err(|error| failure::internal("copy the app's files", &error))?;
    if count == 0 {
        fs::remove_dir_all(files).map_err(|error| failure::internal("copy the app's files", &error))?;
    }
    let driver = Driver::new(request)?;
    let (way, program) = if app.join("CMakeLists.txt").is_file() {
        ("CMake", cmake(request, &driver)?)
    } else if ["Makefile", "makefile", "GNUmakefile"].iter().any(|name| app.join(name).is_file()) {
        ("make", make(app, &driver)?)
    } else {
        ("the compiler", compile(request, &driver)?)
    };
    let mut built = made_of(app, &program, way)?;
    built.software = vec![Software { name: "zig".into(), version: ZIG.version.into() }];
    Ok(built)
}

fn is_build_only(path: &Path) -> bool {
    let has_end = path.extension().and_then(|end| end.to_str()).is_some_and(|end| BUILD_ONLY.contains(&end));
    has_end || path.to_str().is_none_or(|name| BUILD_ONLY_NAMES.contains(&name))
}

fn needs(program: &str, what: &str) -> Result<(), StagingError> {
    if find_program(program).is_some() {
        return Ok(());
    }
    Err(failure::compile(format!(
        "the app has a {what} and the platform's machine has no '{program}'; its operator can install it with: apt-get install {program}. Without the {what}, all sources at the top and in src are compiled into one program"
    )))
}

fn failed(what: &str) -> StagingError {
    failure::compile(format!(
        "{what} failed; its errors stand in the log above. The compiler makes WebAssembly: there are no threads, no sockets to listen on, no processes and no C++ exceptions"
    ))
}

fn make(app: &Path, driver: &Driver) -> Result<PathBuf, StagingError> {
    needs("make", "Makefile")?;
    // On the command line, since many a Makefile sets CC itself.
    let tools = ["CC", "CXX", "AR", "RANLIB"].into_iter().zip(driver.names());
    let arguments = tools.map(|(variable, name)| OsString::from(format!("{variable}={name}")));
    if !driver.run("make", arguments, app)? {
        return Err(failed("make"));
    }
    program::find(app, app)
}

fn cmake(request: &StageRequest, driver: &Driver) -> Result<PathBuf, StagingError> {
    needs("cmake", "CMakeLists.txt")?;
    needs("make", "CMakeLists.txt")?;
    let out = request.work.join("cmake");
    fs::create_dir_all(&out).map_err(|error| failure::internal("make a folder", &error))?;
    let [cc, cxx, ar, ranlib] = driver.paths();
    let mut arguments: Vec<OsString> = vec!["-S".into(), request.app.clone().into(), "-B".into(), out.clone().into()];
    for (name, value) in [("C_COMPILER", &cc), ("CXX_COMPILER", &cxx), ("AR", &ar), ("RANLIB", &ranlib)] {
        arguments.push(format!("-DCMAKE_{name}={}", value.display()).into());
    }
    let settings = ["-GUnix Makefiles", "-DCMAKE_SYSTEM_NAME=Generic", "-DCMAKE_SYSTEM_PROCESSOR=wasm32", "-DCMAKE_BUILD_TYPE=Release"];
    arguments.extend(settings.map(OsString::from));
    if !driver.run("cmake", arguments, &request.app)? || !driver.run("make", ["-s"].map(OsString::from), &out)? {
        return Err(failed("cmake"));
    }
    program::find(&out, &request.app)
}

/// All sources at the top and in `src`, into one program.
fn compile(request: &StageRequest, driver: &Driver) -> Result<PathBuf, StagingError> {
    let mut sources = Vec::new();
    for folder in ["", "src"] {
        let Ok(entries) = fs::read_dir(request.app.join(folder)) else { continue };
        sources.extend(entries.flatten().filter_map(|entry| {
            let name = Path::new(folder).join(entry.file_name());
            let is_source = name.extension().and_then(|end| end.to_str()).is_some_and(|end| SOURCES.contains(&end));
            (is_source && entry.path().is_file()).then_some(name)
        }));
    }
    sources.sort();
    let is_plain = sources.iter().all(|source| source.extension().is_some_and(|end| end == "c"));
    let out = request.work.join("program.wasm");
    let [cc, cxx, ..] = driver.names();
    let options = ["-O2", "-Wall", "-I.", "-Iinclude", "-Isrc"].map(OsString::from);
    let arguments = options.into_iter().chain(sources.into_iter().map(Into::into)).chain(["-o".into(), out.clone().into()]);
    if !driver.run(if is_plain { cc } else { cxx }, arguments, &request.app)? {
        return Err(failed("compiling"));
    }
    Ok(out)
}
