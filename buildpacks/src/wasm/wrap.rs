//! Core modules. A command of WASI 0.1 runs as it is: the adapter would take memory of its own from the module's, and toolchains
//! like Go's take all memory that is added for theirs. A module that names a world is made a component with the adapters that the
//! engine's authors ship.

use crate::failure;
use std::collections::{BTreeMap, BTreeSet};
use virga_contract::staging::StagingError;
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wasmparser::{ExternalKind, Parser, Payload, Validator};
use wit_component::StringEncoding;
use wit_parser::Resolve;

/// What only a program imports that accepts connections.
const ACCEPT: &str = "sock_accept";
/// What the platform offers to a core module: WASI 0.1 whole.
const OFFERED: [&str; 46] = [
    "args_get",
    "args_sizes_get",
    "clock_res_get",
    "clock_time_get",
    "environ_get",
    "environ_sizes_get",
    "fd_advise",
    "fd_allocate",
    "fd_close",
    "fd_datasync",
    "fd_fdstat_get",
    "fd_fdstat_set_flags",
    "fd_fdstat_set_rights",
    "fd_filestat_get",
    "fd_filestat_set_size",
    "fd_filestat_set_times",
    "fd_pread",
    "fd_prestat_dir_name",
    "fd_prestat_get",
    "fd_pwrite",
    "fd_read",
    "fd_readdir",
    "fd_renumber",
    "fd_seek",
    "fd_sync",
    "fd_tell",
    "fd_write",
    "path_create_directory",
    "path_filestat_get",
    "path_filestat_set_times",
    "path_link",
    "path_open",
    "path_readlink",
    "path_remove_directory",
    "path_rename",
    "path_symlink",
    "path_unlink_file",
    "poll_oneoff",
    "proc_exit",
    "proc_raise",
    "random_get",
    "sched_yield",
    "sock_accept",
    "sock_recv",
    "sock_send",
    "sock_shutdown",
];

/// The interfaces of WASI that worlds of ours name, each after those it refers to.
const INTERFACES: [(&str, &str); 7] = [
    ("io.wit", include_str!("../wit/deps/io.wit")),
    ("clocks.wit", include_str!("../wit/deps/clocks.wit")),
    ("random.wit", include_str!("../wit/deps/random.wit")),
    ("filesystem.wit", include_str!("../wit/deps/filesystem.wit")),
    ("sockets.wit", include_str!("../wit/deps/sockets.wit")),
    ("cli.wit", include_str!("../wit/deps/cli.wit")),
    ("http.wit", include_str!("../wit/deps/http.wit")),
];

/// A world of ours: what programs of a language are linked against and what they offer.
pub(crate) struct World {
    /// The text of the package that it is in.
    pub(crate) wit: &'static str,
    pub(crate) name: &'static str,
}

/// What becomes of a core module.
pub(super) enum Wrapped {
    /// A component.
    Component(Vec<u8>),
    /// A command that needs none.
    Command {
        /// It accepts connections.
        listens: bool,
    },
}

/// What a core module shows.
#[derive(Default)]
struct Core {
    imports: BTreeSet<(String, String)>,
    has_start: bool,
    has_memory: bool,
    has_world: bool,
}

/// A command if it exports `_start`, else what its embedded world says.
pub(super) fn core_module(binary: &[u8], name: &str) -> Result<Wrapped, StagingError> {
    Validator::new().validate_all(binary).map_err(|error| failure::compile(format!("{name} is not a valid module: {error}")))?;
    let core = look(binary).map_err(|error| failure::compile(format!("{name} is not a valid module: {error}")))?;
    let encoded = match (core.has_start, core.has_world) {
        (true, false) => return command(&core, name),
        (true, true) => encode(binary, WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER, &BTreeMap::new()),
        (false, true) => reactor_component(binary),
        (false, false) => {
            return Err(failure::compile(format!(
                "{name} is a core module without _start, so it is no WASI command, and it names no world to make a component for; build it as a command or as a component"
            )));
        }
    };
    encoded.map(Wrapped::Component).map_err(|error| failure::compile(format!("{name} cannot be made a component: {error}")))
}

fn command(core: &Core, name: &str) -> Result<Wrapped, StagingError> {
    let is_offered =
        |module: &str, function: &str| module == WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME && OFFERED.binary_search(&function).is_ok();
    let strange: Vec<_> = core
        .imports
        .iter()
        .filter(|(module, function)| !is_offered(module, function))
        .map(|(module, function)| format!("{function} from {module}"))
        .collect();
    if !strange.is_empty() {
        return Err(failure::compile(format!(
            "{name} imports {}, which this platform does not offer to a core module; it offers the functions of {WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME}",
            strange.join(", ")
        )));
    }
    if !core.imports.is_empty() && !core.has_memory {
        return Err(failure::compile(format!("{name} exports no memory, through which WASI works; export it under the name memory")));
    }
    Ok(Wrapped::Command { listens: core.imports.iter().any(|(_, function)| function == ACCEPT) })
}

/// The component for a module whose custom sections name its world.
fn reactor_component(binary: &[u8]) -> Result<Vec<u8>, String> {
    encode(binary, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER, &BTreeMap::new())
}

/// The same for a language engine whose references to interfaces that begin with `denied` are not passed on to the cell.
pub(crate) fn engine_component(binary: &[u8], denied: &[&str]) -> Result<Vec<u8>, String> {
    encode(binary, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER, &super::deny::stand_ins(binary, denied)?)
}

/// The same for a core module that was linked against `world` and does not name it itself.
///
/// # Errors
/// The text of what does not fit.
pub(crate) fn world_component(mut core: Vec<u8>, world: &World, denied: &[&str]) -> Result<Vec<u8>, String> {
    let told = |error: &dyn std::fmt::Display| format!("{error:#}");
    let mut resolve = Resolve::default();
    for (name, text) in INTERFACES {
        resolve.push_source(name, text).map_err(|error| told(&error))?;
    }
    let package = resolve.push_source("world.wit", world.wit).map_err(|error| told(&error))?;
    let world = resolve.select_world(&[package], Some(world.name)).map_err(|error| told(&error))?;
    wit_component::embed_component_metadata(&mut core, &resolve, world, StringEncoding::UTF8).map_err(|error| told(&error))?;
    engine_component(&core, denied)
}

fn encode(binary: &[u8], adapter: &[u8], more: &BTreeMap<String, Vec<u8>>) -> Result<Vec<u8>, String> {
    let encoder = wit_component::ComponentEncoder::default().validate(false).module(binary);
    let encoder = encoder.and_then(|encoder| encoder.adapter(WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, adapter));
    let encoder = more.iter().fold(encoder, |encoder, (name, module)| encoder.and_then(|encoder| encoder.adapter(name, module)));
    encoder.and_then(|mut encoder| encoder.encode()).map_err(|error| format!("{error:#}"))
}

fn look(binary: &[u8]) -> Result<Core, wasmparser::BinaryReaderError> {
    let mut core = Core::default();
    for payload in Parser::new(0).parse_all(binary) {
        match payload? {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import?;
                    core.imports.insert((import.module.to_owned(), import.name.to_owned()));
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export?;
                    core.has_start |= export.name == "_start";
                    core.has_memory |= export.name == "memory" && export.kind == ExternalKind::Memory;
                }
            }
            Payload::CustomSection(section) => core.has_world |= section.name().starts_with("component-type"),
            _ => {}
        }
    }
    Ok(core)
}
