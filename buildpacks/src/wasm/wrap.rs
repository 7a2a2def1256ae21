//! Core modules of WASI 0.1, wrapped into components with the adapters that the engine's authors ship.

use crate::failure;
use std::collections::{BTreeMap, BTreeSet};
use virga_contract::staging::StagingError;
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wasmparser::{Parser, Payload, Validator};

/// What a core module shows.
#[derive(Default)]
struct Core {
    import_modules: BTreeSet<String>,
    has_start: bool,
    has_world: bool,
}

/// The component for a core module: a command if it exports `_start`, else what its embedded world says.
pub(super) fn core_module(binary: &[u8], name: &str) -> Result<Vec<u8>, StagingError> {
    Validator::new().validate_all(binary).map_err(|error| failure::compile(format!("{name} is not a valid module: {error}")))?;
    let core = look(binary).map_err(|error| failure::compile(format!("{name} is not a valid module: {error}")))?;
    if core.has_start {
        let strange: Vec<_> = core
            .import_modules
            .iter()
            .filter(|module| *module != WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME && !core.has_world)
            .cloned()
            .collect();
        if !strange.is_empty() {
            return Err(failure::compile(format!(
                "{name} imports from {}, which this platform does not offer to a core module; it offers {WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME}",
                strange.join(", ")
            )));
        }
        return encode(binary, WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER, &BTreeMap::new())
            .map_err(|error| failure::compile(format!("{name} cannot be made a component: {error}")));
    }
    if core.has_world {
        return reactor_component(binary).map_err(|error| failure::compile(format!("{name} cannot be made a component: {error}")));
    }
    Err(failure::compile(format!(
        "{name} is a core module without _start, so it is no WASI command, and it names no world to make a component for; build it as a command or as a component"
    )))
}

/// The component for a module whose custom sections name its world.
fn reactor_component(binary: &[u8]) -> Result<Vec<u8>, String> {
    encode(binary, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER, &BTreeMap::new())
}

/// The same for a language engine whose references to interfaces that begin with `denied` are not passed on to the cell.
pub(crate) fn engine_component(binary: &[u8], denied: &str) -> Result<Vec<u8>, String> {
    encode(binary, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER, &super::deny::stand_ins(binary, denied)?)
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
                    core.import_modules.insert(import?.module.to_owned());
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    core.has_start |= export?.name == "_start";
                }
            }
            Payload::CustomSection(section) => core.has_world |= section.name().starts_with("component-type"),
            _ => {}
        }
    }
    Ok(core)
}
