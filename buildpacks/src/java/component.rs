//! A component of what the compiler made: it answers requests and runs commands.

use crate::wasm;
use wit_component::StringEncoding;
use wit_parser::Resolve;

/// In this order: each names only those before it.
const INTERFACES: [(&str, &str); 8] = [
    ("io.wit", include_str!("../wit/deps/io.wit")),
    ("clocks.wit", include_str!("../wit/deps/clocks.wit")),
    ("random.wit", include_str!("../wit/deps/random.wit")),
    ("filesystem.wit", include_str!("../wit/deps/filesystem.wit")),
    ("sockets.wit", include_str!("../wit/deps/sockets.wit")),
    ("cli.wit", include_str!("../wit/deps/cli.wit")),
    ("http.wit", include_str!("../wit/deps/http.wit")),
    ("worlds.wit", include_str!("worlds.wit")),
];
/// Programs of the JVM's languages have no sockets.
const DENIED: &str = "wasi:sockets/";

/// Makes the component of a core module with the edge of ours in it.
pub(super) fn make(mut core: Vec<u8>) -> Result<Vec<u8>, String> {
    let failed = |error: &dyn std::fmt::Display| format!("{error:#}");
    let mut resolve = Resolve::default();
    let mut last = None;
    for (name, text) in INTERFACES {
        last = Some(resolve.push_source(name, text).map_err(|error| failed(&error))?);
    }
    let package = last.ok_or("there are no interfaces")?;
    let world = resolve.select_world(&[package], Some("jvm")).map_err(|error| failed(&error))?;
    wit_component::embed_component_metadata(&mut core, &resolve, world, StringEncoding::UTF8).map_err(|error| failed(&error))?;
    wasm::engine_component(&core, DENIED)
}
