//! A component of what the compiler made: the world that its exports belong to, and the adapter for its files, clocks and output.

use crate::wasm;
use wasmparser::{Parser, Payload};
use wit_component::StringEncoding;
use wit_parser::Resolve;

const WORLDS: &str = include_str!("worlds.wit");
/// In this order: each names only those before it.
const INTERFACES: [(&str, &str); 7] = [
    ("io.wit", include_str!("../wit/deps/io.wit")),
    ("clocks.wit", include_str!("../wit/deps/clocks.wit")),
    ("random.wit", include_str!("../wit/deps/random.wit")),
    ("filesystem.wit", include_str!("../wit/deps/filesystem.wit")),
    ("sockets.wit", include_str!("../wit/deps/sockets.wit")),
    ("cli.wit", include_str!("../wit/deps/cli.wit")),
    ("http.wit", include_str!("../wit/deps/http.wit")),
];
const HANDLER: &str = "wasi:http/incoming-handler@0.2.10#handle";
/// A Go program refers to no sockets; were it to, it would be told so when it calls.
const DENIED: &str = "wasi:sockets/";

/// Whether net/http is in the program.
pub(super) fn serves(core: &[u8]) -> bool {
    Parser::new(0).parse_all(core).any(|payload| {
        let Ok(Payload::ExportSection(section)) = payload else { return false };
        section.into_iter().flatten().any(|export| export.name == HANDLER)
    })
}

/// Makes the component.
pub(super) fn make(mut core: Vec<u8>) -> Result<Vec<u8>, String> {
    let world = if serves(&core) { "server" } else { "program" };
    let mut resolve = Resolve::default();
    let failed = |error: &dyn std::fmt::Display| format!("{error:#}");
    for (name, text) in INTERFACES {
        resolve.push_source(name, text).map_err(|error| failed(&error))?;
    }
    let package = resolve.push_source("worlds.wit", WORLDS).map_err(|error| failed(&error))?;
    let world = resolve.select_world(&[package], Some(world)).map_err(|error| failed(&error))?;
    wit_component::embed_component_metadata(&mut core, &resolve, world, StringEncoding::UTF8).map_err(|error| failed(&error))?;
    wasm::engine_component(&core, DENIED)
}
