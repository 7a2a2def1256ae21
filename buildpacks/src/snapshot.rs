//! Snapshots of language engines with an app started in them, taken in a process of their own: what the app prints while it starts is
//! that process's output, and where it ends itself the staging goes on.

use crate::{buildpack, sandbox::plan, toolchain::SHARED};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use virga_engine::{
    shared,
    snapshot::{self, Start},
};

/// `virga stage snapshot <order.json>`, as a buildpack of ours writes it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    /// The engine, of a toolchain.
    pub(crate) program: PathBuf,
    /// What `virga compile engine` made of it when the toolchain was installed.
    pub(crate) code: PathBuf,
    /// The engine's function that starts the app.
    pub(crate) function: String,
    /// What the engine has as `/`.
    pub(crate) folder: PathBuf,
    #[serde(default)]
    pub(crate) environment: BTreeMap<String, String>,
    /// What it reads from its standard input.
    #[serde(default)]
    pub(crate) input: String,
    /// Where the program with the started app goes.
    pub(crate) out: PathBuf,
    /// See [`Bytecode`].
    #[serde(default)]
    pub(crate) bytecode: Option<Bytecode>,
}

/// What an interpreter compiles of an app's libraries, from one staging to the next.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Bytecode {
    /// Read by the guest at `/.virga/bytecode`.
    pub(crate) kept: PathBuf,
    /// Written by the guest at `/.virga/compiled`.
    pub(crate) made: PathBuf,
}

/// Whether what an app prints while it starts is put into its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    /// It is.
    Shown,
    /// It was before.
    Hidden,
}

/// Takes a snapshot. The file is there if there is one; else what is wrong stands in the app's log.
pub(crate) fn take(order: &Order, work: &Path, output: Output) -> io::Result<bool> {
    let file = work.join("snapshot.json");
    fs::write(&file, serde_json::to_vec(order)?)?;
    let arguments = [OsStr::new("stage"), OsStr::new("snapshot"), file.as_os_str()];
    let mut command = Command::new(platform());
    command.args(arguments).current_dir(work);
    if output == Output::Hidden {
        command.stdout(Stdio::null()).stderr(Stdio::null());
    }
    Ok(command.status()?.success())
}

/// The platform's program, under a name that tools which we start can call it by.
pub(crate) fn platform() -> PathBuf {
    let inside = Path::new(plan::PROGRAM);
    if inside.is_file() { inside.to_owned() } else { format!("/proc/{}/exe", std::process::id()).into() }
}

/// The child's side of [`take`].
pub(crate) fn follow(order: &Path) -> Result<(), String> {
    let told = |error: &dyn std::fmt::Display| error.to_string();
    let order: Order =
        fs::read(order).map_err(|error| told(&error)).and_then(|json| serde_json::from_slice(&json).map_err(|error| told(&error)))?;
    let program = fs::read(&order.program).map_err(|error| format!("{}: {error}", order.program.display()))?;
    let environment: Vec<(String, String)> = order.environment.into_iter().collect();
    let start = Start {
        program: &program,
        code: &order.code,
        function: &order.function,
        folder: &order.folder,
        environment: &environment,
        input: &order.input,
        bytecode: order.bytecode.as_ref().map(|folders| snapshot::Bytecode {
            kept: &folders.kept,
            place: "/.virga/bytecode",
            made: &folders.made,
            place_for_more: "/.virga/compiled",
        }),
    };
    match snapshot::take(&start) {
        Ok(kept) => fs::write(&order.out, kept).map_err(|error| told(&error)),
        Err(error) => Err(format!("{SPOKEN_BY}{error}")),
    }
}

/// Begins what is said here rather than by the guest.
const SPOKEN_BY: &str = "virga: ";

/// A language's engine, as its toolchain brings it. Paths are in the toolchain's folder.
pub(crate) struct Engine {
    /// See [`Order::program`].
    pub(crate) program: &'static str,
    /// See [`Order::function`].
    pub(crate) function: &'static str,
    /// See [`Order::code`]; made by [`prepare`].
    pub(crate) code: &'static str,
    /// Makes of a snapshot what apps are.
    pub(crate) finish: fn(Vec<u8>) -> Result<Vec<u8>, String>,
}

/// `virga compile engine`, as the last step of a toolchain's installation in its folder: the engine's code for snapshots, and, in
/// [`SHARED`], the code that apps on it share.
pub(crate) fn prepare(toolchain: &OsStr, folder: &Path) -> Result<(), String> {
    let found = buildpack::toolchains().find(|known| OsStr::new(known.name) == toolchain);
    let engine = found.and_then(|toolchain| toolchain.engine).ok_or("this toolchain has no engine")?;
    let told = |error: &dyn std::fmt::Display| error.to_string();
    let program = fs::read(folder.join(engine.program)).map_err(|error| told(&error))?;
    let code = folder.join(engine.code);
    fs::write(&code, snapshot::prepare(&program, engine.function).map_err(|error| told(&error))?).map_err(|error| told(&error))?;
    let start = Start { program: &program, code: &code, function: engine.function, folder, environment: &[], input: "", bytecode: None };
    let app = (engine.finish)(snapshot::untouched(&start).map_err(|error| told(&error))?)?;
    fs::create_dir(folder.join(SHARED)).map_err(|error| told(&error))?;
    let compiling = virga_engine::for_compiling(None).map_err(|error| told(&error))?;
    for (digest, module) in shared::code(&app) {
        let compiled = virga_engine::compile(&compiling, &module, |_| false).map_err(|error| told(&error))?;
        fs::write(folder.join(SHARED).join(digest.to_string()), compiled.code).map_err(|error| told(&error))?;
    }
    Ok(())
}
