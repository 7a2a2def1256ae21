//! Programs with an app started in them: a language's engine runs the app's start-up code once, at staging, and what is in its memory
//! and globals then is written into the program in place of what they began with.
//!
//! The same files give the same bytes, whenever and wherever: the guest's clock begins at a fixed time and moves by being looked at,
//! its random numbers have a fixed seed, folders are listed in order, and what a file system knows about a file beside its
//! content is the same everywhere. So nothing here may end up in an instance as a secret or as a time: buildpacks seed anew
//! and start later what asks for either.

mod components;
mod files;
mod modules;
mod time;

use crate::{EngineError, Flavor, code::map, recipe};
use files::Identities;
use std::{
    collections::{HashMap, VecDeque},
    fs::File,
    path::Path,
};
use time::Time;
use wasmtime::{Store, StoreLimits, StoreLimitsBuilder};
use wasmtime_wasi::{
    Deterministic, FsPerms, I32Exit, WasiCtxBuilder,
    p1::WasiP1Ctx,
    p2::{
        bindings::filesystem::types::{DirectoryEntry, ErrorCode},
        pipe::MemoryInputPipe,
    },
};
use wasmtime_wizer::Wizer;

/// Bytes of memory that a program may have while it is started; as much as it can address.
const MEMORY_BYTES: usize = 4 << 30;
/// The function of a core module that is called before any other.
const REACTOR: &str = "_initialize";
/// Bytes of the sequence that random numbers are taken from, again and again. No engine draws so many while it starts.
const RANDOM_BYTES: usize = 1 << 20;

/// A program to be started.
#[derive(Debug, Clone, Copy)]
pub struct Start<'a> {
    /// The engine: a component or a core module of WASI 0.1.
    pub program: &'a [u8],
    /// The file with what [`prepare`] made of it, for this version of ours and this machine.
    pub code: &'a Path,
    /// The exported function that starts the app; of a core module also `_initialize` is called, before it.
    pub function: &'a str,
    /// What the guest has as `/`, read-only.
    pub folder: &'a Path,
    /// The guest's whole environment.
    pub environment: &'a [(String, String)],
    /// What the guest reads from its standard input.
    pub input: &'a str,
    /// Where a guest that compiles its libraries finds and puts what came of it; it has no such folders where there is none.
    pub bytecode: Option<Bytecode<'a>>,
}

/// Two folders that a guest has beside its `/`, while it is started only.
#[derive(Debug, Clone, Copy)]
pub struct Bytecode<'a> {
    /// What was compiled before, read-only.
    pub kept: &'a Path,
    /// Its name in the guest.
    pub place: &'a str,
    /// What the guest compiles now. What comes to lie there is of its choice.
    pub made: &'a Path,
    /// Its name in the guest.
    pub place_for_more: &'a str,
}

/// Why there is no snapshot.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The guest ended itself with this status.
    #[error("the program ended with status {0}")]
    Ended(i32),
    /// The guest cannot go on; the text is the engine's.
    #[error("the program cannot go on: {0}")]
    Trapped(String),
    /// The program is not one that a snapshot can be taken of.
    #[error("no snapshot can be taken of the program: {0}")]
    Program(String),
    /// The file of compiled code is missing, or is of another version or machine.
    #[error("the program's code cannot be used: {0}")]
    Code(String),
    /// The engine could not be set up.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Compiles a program with doors to its memory, for snapshots of it to be taken by [`take`]. Takes seconds and hundreds of megabytes.
///
/// # Errors
/// [`SnapshotError::Program`] with what is wrong with it.
pub fn prepare(program: &[u8], function: &str) -> Result<Vec<u8>, SnapshotError> {
    let engines = recipe::for_compiling(None)?;
    let (engine, wizer) = (engines.of(Flavor::Plain), wizer(program, function));
    let code = if is_component(program) {
        wizer.instrument_component(program).and_then(|(_, with_doors)| engine.precompile_component(&with_doors))
    } else {
        wizer.instrument(program).and_then(|(_, with_doors)| engine.precompile_module(&with_doors))
    };
    code.map_err(|error| SnapshotError::Program(format!("{error:#}")))
}

/// Starts a program and gives it back with what is in its memory then.
///
/// # Errors
/// See [`SnapshotError`].
pub fn take(start: &Start<'_>) -> Result<Vec<u8>, SnapshotError> {
    take_of(start, &[(REACTOR, false), (start.function, true)])
}

/// What [`take`] would give of a program whose functions were not called: the same code.
///
/// # Errors
/// See [`SnapshotError`].
pub fn untouched(start: &Start<'_>) -> Result<Vec<u8>, SnapshotError> {
    take_of(start, &[])
}

/// The snapshot after these functions were called, of which some may be missing in a core module.
fn take_of(start: &Start<'_>, calls: &[(&str, bool)]) -> Result<Vec<u8>, SnapshotError> {
    let engines = recipe::for_compiling(None)?;
    let engine = engines.of(Flavor::Plain);
    let file = File::open(start.code).map_err(|error| SnapshotError::Code(error.to_string()))?;
    let unusable = |error: wasmtime::Error| SnapshotError::Code(format!("{error:#}"));
    let mut store = Store::new(engine, Guest::new(start)?);
    // Nothing moves the epoch: the staging has its limits.
    store.set_epoch_deadline(1);
    store.limiter(|guest| &mut guest.limits);
    if is_component(start.program) {
        components::take(start, &map::component(engine, &file).map_err(unusable)?, &mut store, calls)
    } else {
        modules::take(start, &map::module(engine, &file).map_err(unusable)?, &mut store, calls)
    }
}

/// Names what the result of [`prepare`] depends on besides the program: see [`crate::engine_key`].
///
/// # Errors
/// When the engine cannot be set up.
pub fn key() -> Result<String, EngineError> {
    Ok(crate::engine_key(&recipe::for_compiling(None)?))
}

fn is_component(program: &[u8]) -> bool {
    program.starts_with(b"\0asm\x0d\0\x01\0")
}

fn wizer(program: &[u8], function: &str) -> Wizer {
    let mut wizer = Wizer::new();
    // What a component exports is part of its type.
    wizer.init_func(function).keep_init_func(is_component(program));
    wizer
}

/// The state of a guest that is started.
struct Guest {
    wasi: WasiP1Ctx,
    time: Time,
    seen: Identities,
    /// What is left of lists of folders, by the number of their stream.
    lists: HashMap<u32, VecDeque<Result<DirectoryEntry, ErrorCode>>>,
    limits: StoreLimits,
}

impl Guest {
    fn new(start: &Start<'_>) -> Result<Self, SnapshotError> {
        let time = Time::default();
        let mut wasi = WasiCtxBuilder::new();
        // One thread has nothing to do but this: handing each look at a file to another one took as long as all the rest.
        wasi.allow_blocking_current_thread(true)
            .inherit_stdout()
            .inherit_stderr()
            .stdin(MemoryInputPipe::new(start.input.to_owned()))
            .envs(start.environment)
            .wall_clock(time.clone())
            .monotonic_clock(time.clone())
            .secure_random(random(1))
            .insecure_random(random(2))
            .insecure_random_seed(0)
            .allow_tcp(false)
            .allow_udp(false);
        open(&mut wasi, start.folder, "/", FsPerms::ReadOnly)?;
        if let Some(bytecode) = &start.bytecode {
            open(&mut wasi, bytecode.kept, bytecode.place, FsPerms::ReadOnly)?;
            open(&mut wasi, bytecode.made, bytecode.place_for_more, FsPerms::ReadWrite)?;
        }
        let limits = StoreLimitsBuilder::new().memory_size(MEMORY_BYTES).build();
        Ok(Self { wasi: wasi.build_p1(), time, seen: Identities::default(), lists: HashMap::new(), limits })
    }
}

fn open(wasi: &mut WasiCtxBuilder, folder: &Path, name: &str, perms: FsPerms) -> Result<(), SnapshotError> {
    let opened = wasi.preopened_dir(folder, name, perms);
    opened.map(drop).map_err(|error| SnapshotError::Code(format!("{} cannot be opened: {error:#}", folder.display())))
}

/// Does two things at once: the guest runs here while its program is read and checked beside.
fn at_once<A: Send, B>(
    beside: impl FnOnce() -> Result<A, SnapshotError> + Send,
    here: impl FnOnce() -> Result<B, SnapshotError>,
) -> Result<(A, B), SnapshotError> {
    std::thread::scope(|scope| {
        let other = scope.spawn(beside);
        let here = here();
        let other = other.join().map_err(|_| SnapshotError::Program("it could not be read".into()))?;
        // How the start ended comes first.
        here.and_then(|here| Ok((other?, here)))
    })
}

/// Numbers without a pattern that a program could stumble over, and the same each time.
fn random(sequence: u8) -> Deterministic {
    let mut bytes = vec![0; RANDOM_BYTES];
    blake3::Hasher::new().update(b"virga snapshot").update(&[sequence]).finalize_xof().fill(&mut bytes);
    Deterministic::new(bytes)
}

/// Why a call into the guest did not come back.
fn ended(error: &wasmtime::Error) -> SnapshotError {
    match error.downcast_ref::<I32Exit>() {
        Some(I32Exit(status)) => SnapshotError::Ended(*status),
        None => SnapshotError::Trapped(error.root_cause().to_string()),
    }
}

/// The program as it is kept, once it was started.
fn kept(result: wasmtime::Result<Vec<u8>>, missing: Option<String>) -> Result<Vec<u8>, SnapshotError> {
    match missing {
        Some(missing) => Err(SnapshotError::Program(missing)),
        None => result.map_err(|error| SnapshotError::Program(format!("{error:#}"))),
    }
}

fn linked<T>(result: wasmtime::Result<T>) -> Result<T, SnapshotError> {
    result.map_err(|error| SnapshotError::Program(format!("{error:#}")))
}

#[cfg(test)]
mod tests;
