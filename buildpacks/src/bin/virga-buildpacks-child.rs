//! The children of this room alone, without the rest of the platform: what its tests start in place of `virga`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let role = arguments.next();
    let rest: Vec<_> = arguments.collect();
    match role.as_deref().and_then(std::ffi::OsStr::to_str) {
        Some("stage") => virga_buildpacks::run_stage_child(&rest),
        Some("compile") => virga_buildpacks::run_compile_child(&rest),
        _ => ExitCode::from(2),
    }
}
