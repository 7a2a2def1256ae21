//! Snapshots of language engines with an app started in them, taken in a process of their own: what the app prints while it starts is
//! that process's output, and where it ends itself the staging goes on.

use crate::{nodejs, ruby, sandbox::plan};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};
use virga_engine::snapshot::Start;

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
}

/// Takes a snapshot. The file is there if there is one; else what is wrong stands in the app's log.
pub(crate) fn take(order: &Order, work: &Path) -> io::Result<bool> {
    let file = work.join("snapshot.json");
    fs::write(&file, serde_json::to_vec(order)?)?;
    let arguments = [OsStr::new("stage"), OsStr::new("snapshot"), file.as_os_str()];
    Ok(Command::new(platform()).args(arguments).current_dir(work).status()?.success())
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
    };
    match virga_engine::snapshot::take(&start) {
        Ok(kept) => fs::write(&order.out, kept).map_err(|error| told(&error)),
        Err(error) => Err(format!("{SPOKEN_BY}{error}")),
    }
}

/// Begins what is said here rather than by the guest.
const SPOKEN_BY: &str = "virga: ";

/// `virga compile engine`: what [`Order::code`] names, and the pack of functions for the apps of this buildpack.
pub(crate) fn prepare(buildpack: &OsStr, engine: &Path, function: &OsStr, out: &Path, functions: &Path) -> Result<(), String> {
    let function = function.to_str().ok_or("the function's name is no text")?;
    let program = fs::read(engine).map_err(|error| error.to_string())?;
    let finished = match buildpack.to_str() {
        Some("nodejs") => nodejs::component(&program)?,
        Some("ruby") => ruby::component(program.clone())?,
        // A component from the beginning.
        Some("python") => program.clone(),
        _ => return Err("this buildpack takes no snapshots".into()),
    };
    let compiled = virga_engine::snapshot::prepare(&program, function, &finished).map_err(|error| error.to_string())?;
    let written = fs::write(out, compiled.code).and_then(|()| fs::write(functions, compiled.functions));
    written.map_err(|error| error.to_string())
}
