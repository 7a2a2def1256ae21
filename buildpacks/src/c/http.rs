//! HTTP for programs that are compiled to one core module: the header and source that they are linked with, and the
//! component that is made of the result.

use crate::wasm;
use wit_component::{StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// What a program is compiled with; see the header for how it is used.
pub(crate) const FILES: [(&str, &str); 2] =
    [("http/virga_http.h", include_str!("http/virga_http.h")), ("http/virga_http.c", include_str!("http/virga_http.c"))];

/// What programs in C++ are linked with besides.
pub(crate) const EXCEPTIONS: (&str, &str) = ("http/virga_exceptions.c", include_str!("http/virga_exceptions.c"));

/// What the source exports; a module that has it was linked with it.
pub(crate) const HANDLER: &str = "wasi:http/incoming-handler@0.2.10#handle";

/// Each after those it refers to.
const INTERFACES: [(&str, &str); 8] = [
    ("io.wit", include_str!("../wit/deps/io.wit")),
    ("clocks.wit", include_str!("../wit/deps/clocks.wit")),
    ("random.wit", include_str!("../wit/deps/random.wit")),
    ("filesystem.wit", include_str!("../wit/deps/filesystem.wit")),
    ("sockets.wit", include_str!("../wit/deps/sockets.wit")),
    ("cli.wit", include_str!("../wit/deps/cli.wit")),
    ("http.wit", include_str!("../wit/deps/http.wit")),
    ("program.wit", include_str!("wit/program.wit")),
];

/// The component for a core module that was linked with the source above; it answers requests and runs commands.
///
/// # Errors
/// The text of what does not fit.
pub(crate) fn component(core: &[u8]) -> Result<Vec<u8>, String> {
    let told = |error: &dyn std::fmt::Display| format!("{error:#}");
    let mut resolve = Resolve::default();
    let mut last = None;
    for (name, text) in INTERFACES {
        last = Some(resolve.push_str(name, text).map_err(|error| told(&error))?);
    }
    let package = last.ok_or("there are no interfaces")?;
    let world = resolve.select_world(&[package], Some("program")).map_err(|error| told(&error))?;
    let mut module = core.to_vec();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).map_err(|error| told(&error))?;
    wasm::engine_component(&module, NOTHING_DENIED)
}

/// No interface begins so.
const NOTHING_DENIED: &str = "-";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_with_both_exports_answers_and_runs() {
        let core = wat::parse_str(
            r#"(module
            (memory (export "memory") 1)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 0)
            (func (export "wasi:http/incoming-handler@0.2.10#handle") (param i32 i32))
            (func (export "wasi:cli/run@0.2.10#run") (result i32) i32.const 0))"#,
        )
        .unwrap();
        let shape = wasm::inspect(&component(&core).unwrap()).unwrap();
        assert_eq!(shape.exports, ["wasi:http/incoming-handler@0.2.10", "wasi:cli/run@0.2.10"]);
        assert!(component(&wat::parse_str("(module)").unwrap()).unwrap_err().contains("incoming-handler"));
    }
}
