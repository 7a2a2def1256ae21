//! HTTP for programs that are compiled to one core module: the header and source that they are linked with, and the
//! component that is made of the result.

use crate::wasm::{self, World};

/// What a program is compiled with; see the header for how it is used.
pub(crate) const FILES: [(&str, &str); 2] =
    [("http/virga_http.h", include_str!("http/virga_http.h")), ("http/virga_http.c", include_str!("http/virga_http.c"))];

/// What programs in C++ are linked with besides.
pub(crate) const EXCEPTIONS: (&str, &str) = ("http/virga_exceptions.c", include_str!("http/virga_exceptions.c"));

/// What the source exports; a module that has it was linked with it.
pub(crate) const HANDLER: &str = "wasi:http/incoming-handler@0.2.10#handle";

const WORLD: World = World { wit: include_str!("wit/program.wit"), name: "program" };

/// The component for a core module that was linked with the source above; it answers requests and runs commands.
///
/// # Errors
/// The text of what does not fit.
pub(crate) fn component(core: &[u8]) -> Result<Vec<u8>, String> {
    wasm::world_component(core.to_vec(), &WORLD, &[])
}

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
