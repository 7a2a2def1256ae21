//! How what users sent is held while it is worked on.
//!
//! Their programs and scripts (buildpacks of theirs, package managers, compilers on their sources) run under `bwrap` in
//! namespaces of their own ([`plan`]), behind a filter of system calls ([`syscalls`]), with no network but the package proxy
//! ([`network`]). Code of ours that only reads their files locks itself ([`landlock`]).

mod landlock;
mod machine;
pub(crate) mod network;
pub(crate) mod plan;
mod policy;
mod processes;
mod syscalls;

pub(crate) use landlock::lock_self;
pub use policy::{NetworkPolicy, SandboxPolicy, StagingPolicy};

use crate::{child::protocol::ChildLimits, failure, toolchain::find_program};
use machine::Machine;
use plan::Room;
use processes::TaskGroup;
use serde::{Deserialize, Serialize};
use std::{
    env,
    ffi::OsString,
    fs, io,
    io::Write as _,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, OnceLock},
};
use syscalls::Whose;
use virga_contract::staging::{StagingError, StagingErrorKind};

const BWRAP: &str = "bwrap";
/// Tasks (threads and processes) for each process that a staging may have.
const TASKS_PER_PROCESS: u64 = 8;

/// The sandboxes of a platform.
#[derive(Debug)]
pub(crate) struct Sandboxes {
    pub(crate) policy: StagingPolicy,
    /// Folders that no build may see, whatever else it sees.
    hidden: Vec<PathBuf>,
    machine: OnceLock<Arc<Machine>>,
    /// The first staging finds out whether `bwrap` works here.
    is_proven: tokio::sync::Mutex<bool>,
    is_unbound_said: OnceLock<()>,
}

/// A sandbox that is ready to be entered.
pub(crate) struct Prepared {
    /// What `virga stage` enters it with.
    pub(crate) order: PathBuf,
    pub(crate) path: String,
    pub(crate) certificates: Vec<(String, String)>,
    /// Kept as long as something runs inside.
    pub(crate) _tasks: Option<TaskGroup>,
}

/// What `virga stage confined <file>` is told.
#[derive(Debug, Serialize, Deserialize)]
struct Order {
    bwrap: PathBuf,
    arguments: Vec<OsString>,
    task_group: Option<PathBuf>,
    limits: ChildLimits,
}

impl Sandboxes {
    pub(crate) fn new(policy: StagingPolicy, data_dir: &Path) -> Self {
        let home = env::var_os("HOME").map(PathBuf::from).and_then(|home| home.canonicalize().ok());
        let hidden = home.into_iter().chain([data_dir.to_owned()]).collect();
        Self { policy, hidden, machine: OnceLock::new(), is_proven: tokio::sync::Mutex::new(false), is_unbound_said: OnceLock::new() }
    }

    /// Whether users' programs run in a sandbox, or as the operator's words have it, without one.
    pub(crate) fn is_on(&self) -> bool {
        self.policy.sandbox == SandboxPolicy::Bubblewrap
    }

    async fn machine(&self) -> Result<Arc<Machine>, StagingError> {
        if let Some(machine) = self.machine.get() {
            return Ok(Arc::clone(machine));
        }
        let (readable, hidden) = (self.policy.readable.clone(), self.hidden.clone());
        let looked = tokio::task::spawn_blocking(move || Machine::look(&readable, &hidden)).await;
        let machine = looked.map_err(|error| failure::internal("look at the machine", &error))?;
        Ok(Arc::clone(self.machine.get_or_init(|| Arc::new(machine))))
    }

    /// Makes a sandbox in which `program` runs with `arguments`, whose paths are those inside.
    ///
    /// # Errors
    /// When this machine can make none.
    pub(crate) async fn prepare(
        &self,
        room: &Room<'_>,
        program: &Path,
        arguments: &[&str],
        limits: ChildLimits,
        processes: usize,
    ) -> Result<Prepared, StagingError> {
        let bwrap = find_program(BWRAP).ok_or_else(|| missing("the program 'bwrap' is not on the platform's machine"))?;
        let machine = self.machine().await?;
        let failed = |error: io::Error| failure::internal("make the sandbox", &error);
        let program = program_file(program, room.scratch).map_err(failed)?;
        let plan = room.arguments(&machine, &program).map_err(failed)?;
        self.prove(&bwrap, &plan).await?;
        let name = virga_model::Sha256Digest::of(room.scratch.as_os_str().as_encoded_bytes()).to_string();
        let tasks = TaskGroup::new(&name, TASKS_PER_PROCESS * processes as u64).inspect_err(|error| self.say_unbound(error)).ok();
        let inside = [plan::PROGRAM].into_iter().chain(arguments.iter().copied()).map(OsString::from);
        let arguments = plan.into_iter().chain(["--".into()]).chain(inside).collect();
        let order = Order { bwrap, arguments, task_group: tasks.as_ref().map(TaskGroup::door), limits };
        let path = room.scratch.join("sandbox.json");
        let written = serde_json::to_vec(&order).map_err(io::Error::other).and_then(|json| fs::write(&path, json));
        written.map_err(failed)?;
        Ok(Prepared { order: path, path: machine.path.clone(), certificates: machine.certificates.clone(), _tasks: tasks })
    }

    /// Says once that builds may have as many tasks as they like.
    fn say_unbound(&self, error: &io::Error) {
        self.is_unbound_said.get_or_init(|| {
            tracing::warn!(
                %error,
                "staging: no control group holds the number of tasks of a build; give the platform one that it may write to (Delegate=yes in its systemd unit)"
            );
        });
    }

    async fn prove(&self, bwrap: &Path, plan: &[OsString]) -> Result<(), StagingError> {
        let mut is_proven = self.is_proven.lock().await;
        if *is_proven {
            return Ok(());
        }
        let mut command = tokio::process::Command::new(bwrap);
        command.args(plan).args(["--", "/bin/true"]).env_clear().stdin(Stdio::null()).kill_on_drop(true);
        let output = command.output().await.map_err(|error| missing(&format!("'bwrap' cannot be started: {error}")))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(missing(&format!("'bwrap' cannot make one: {}", said.lines().last().unwrap_or("it gives no reason"))));
        }
        *is_proven = true;
        Ok(())
    }
}

fn missing(reason: &str) -> StagingError {
    failure::of(
        StagingErrorKind::Failed,
        format!(
            "this app's build runs programs, and there is no sandbox to run them in: {reason}. The platform's operator can install it \
             (apt-get install bubblewrap) and let it make user namespaces, or set staging.sandbox = \"{}\"",
            policy::TRUSTED
        ),
    )
}

/// The program's file. One that was replaced since the platform's start is copied from memory.
fn program_file(program: &Path, scratch: &Path) -> io::Result<PathBuf> {
    let program = if program == Path::new("/proc/self/exe") { fs::read_link(program)? } else { program.to_owned() };
    if program.is_file() {
        return Ok(program);
    }
    let copy = scratch.join("virga");
    fs::copy("/proc/self/exe", &copy)?;
    Ok(copy)
}

/// `virga stage confined <file>`: becomes the sandbox. Comes back only when that fails.
pub(crate) fn enter(file: &Path) -> io::Error {
    let order: Order = match fs::read(file).and_then(|json| serde_json::from_slice(&json).map_err(io::Error::other)) {
        Ok(order) => order,
        Err(error) => return error,
    };
    if let Some(door) = &order.task_group
        && let Err(error) = processes::join(door)
    {
        return error;
    }
    // Where memory ends, a build goes before anything else of the machine; and it waits for what serves.
    let _preferred = fs::write("/proc/self/oom_score_adj", "1000");
    let _behind = rustix::process::nice(5);
    match filter_file() {
        Ok(filter) => {
            let mut command = Command::new(&order.bwrap);
            command.arg("--seccomp").arg(std::os::fd::AsRawFd::as_raw_fd(&filter).to_string()).args(&order.arguments);
            command.exec()
        }
        Err(error) => error,
    }
}

/// The filter in a file that a program we become inherits.
fn filter_file() -> io::Result<fs::File> {
    let program = syscalls::bytes(&syscalls::filter(Whose::Users)?);
    let mut file: fs::File = rustix::fs::memfd_create("filter", rustix::fs::MemfdFlags::empty())?.into();
    file.write_all(&program)?;
    io::Seek::rewind(&mut file)?;
    Ok(file)
}
