//! The worlds of Go programs, and which of them a program belongs to.

use crate::wasm::{self, World};
use wasmparser::{Parser, Payload};

const WIT: &str = include_str!("worlds.wit");
const SERVER: World = World { wit: WIT, name: "server" };
const PROGRAM: World = World { wit: WIT, name: "program" };
const HANDLER: &str = "wasi:http/incoming-handler@0.2.10#handle";
/// A Go program refers to no sockets; were it to, it would be told so when it calls.
const DENIED: &[&str] = &["wasi:sockets/"];

/// Whether net/http is in the program.
pub(super) fn serves(core: &[u8]) -> bool {
    Parser::new(0).parse_all(core).any(|payload| {
        let Ok(Payload::ExportSection(section)) = payload else { return false };
        section.into_iter().flatten().any(|export| export.name == HANDLER)
    })
}

/// Makes the component.
pub(super) fn make(core: Vec<u8>) -> Result<Vec<u8>, String> {
    let world = if serves(&core) { SERVER } else { PROGRAM };
    wasm::world_component(core, &world, DENIED)
}
