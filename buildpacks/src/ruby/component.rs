//! The component of a snapshot: the world that the engine's door belongs to, and the adapter for its files, clocks and output.

use crate::wasm;
use wit_component::StringEncoding;
use wit_parser::Resolve;

/// Each after those it refers to.
const INTERFACES: [(&str, &str); 8] = [
    ("io.wit", include_str!("../wit/deps/io.wit")),
    ("clocks.wit", include_str!("../wit/deps/clocks.wit")),
    ("random.wit", include_str!("../wit/deps/random.wit")),
    ("filesystem.wit", include_str!("../wit/deps/filesystem.wit")),
    ("sockets.wit", include_str!("../wit/deps/sockets.wit")),
    ("cli.wit", include_str!("../wit/deps/cli.wit")),
    ("http.wit", include_str!("../wit/deps/http.wit")),
    ("ruby.wit", include_str!("ruby.wit")),
];
/// The interpreter refers to no sockets.
const DENIED: &str = "wasi:sockets/";

/// Makes the component.
///
/// # Errors
/// The text of what does not fit.
pub(super) fn make(mut core: Vec<u8>) -> Result<Vec<u8>, String> {
    let told = |error: &dyn std::fmt::Display| format!("{error:#}");
    let mut resolve = Resolve::default();
    let mut last = None;
    for (name, text) in INTERFACES {
        last = Some(resolve.push_source(name, text).map_err(|error| told(&error))?);
    }
    let package = last.ok_or("there are no interfaces")?;
    let world = resolve.select_world(&[package], Some("ruby")).map_err(|error| told(&error))?;
    wit_component::embed_component_metadata(&mut core, &resolve, world, StringEncoding::UTF8).map_err(|error| told(&error))?;
    wasm::engine_component(&core, DENIED)
}
