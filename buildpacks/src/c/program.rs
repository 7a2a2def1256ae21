//! From what a build left to the guest that it is.

use super::http;
use crate::{build::Built, failure, procfile, wasm};
use std::{
    fs, io,
    io::Read as _,
    path::{Path, PathBuf},
};
use virga_contract::staging::StagingError;
use virga_model::{droplet::GuestKind, process::ReusePolicy};
use wasmparser::{Parser, Payload};

/// The program that a build left below `folder`: the only one, or that of the Procfile's web process.
pub(crate) fn find(folder: &Path, app: &Path) -> Result<PathBuf, StagingError> {
    let programs = programs(folder).map_err(|error| failure::internal("look for what was built", &error))?;
    let types = procfile::read(app);
    let named = types.get("web").or_else(|| types.values().next()).and_then(|command| command.split_whitespace().next());
    let named = named.map(|word| Path::new(word).file_name().unwrap_or_default().to_owned());
    let is_named =
        |program: &&PathBuf| named.as_deref().is_some_and(|name| program.file_name() == Some(name) || program.file_stem() == Some(name));
    match (programs.iter().find(is_named), programs.as_slice()) {
        (Some(program), _) | (None, [program]) => Ok(program.clone()),
        (None, []) => Err(failure::compile(
            "the build left no WebAssembly program; it must link one with the compiler it is given (CC, CXX), by its default target",
        )),
        (None, several) => Err(failure::compile(format!(
            "the build left {} programs ({}); say in a Procfile which one is run, as in 'web: {}'",
            several.len(),
            several.iter().map(|path| shown(path, folder)).collect::<Vec<_>>().join(", "),
            several.first().map(|path| shown(path, folder)).unwrap_or_default()
        ))),
    }
}

fn shown(path: &Path, folder: &Path) -> String {
    path.strip_prefix(folder).unwrap_or(path).display().to_string()
}

/// Linked modules below a folder, by name; object files, which are modules as well, are none of them.
fn programs(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    // What CMake tries the compiler with is no program of the app.
    let entries = walkdir::WalkDir::new(folder).sort_by_file_name().into_iter().filter_entry(|entry| entry.file_name() != "CMakeFiles");
    for entry in entries {
        let entry = entry?;
        let mut magic = [0_u8; 8];
        let is_module = entry.file_type().is_file()
            && fs::File::open(entry.path())?.read_exact(&mut magic).is_ok()
            && magic == *b"\0asm\x01\0\0\0"
            && !is_object(&fs::read(entry.path())?);
        if is_module {
            found.push(entry.into_path());
        }
    }
    Ok(found)
}

/// Object files tell the linker about themselves.
fn is_object(module: &[u8]) -> bool {
    let mut sections = Parser::new(0).parse_all(module).flatten();
    sections.any(|payload| matches!(payload, Payload::CustomSection(section) if section.name() == "linking"))
}

/// The guest that a core module is: an HTTP component where it answers requests, else a command.
///
/// # Errors
/// When it is neither.
pub(crate) fn made_of(app: &Path, program: &Path, way: &str) -> Result<Built, StagingError> {
    let core = fs::read(program).map_err(|error| failure::internal("read the program", &error))?;
    let types = procfile::read(app);
    let is_web = types.is_empty() || types.contains_key("web");
    if exports(&core, http::HANDLER) {
        let component =
            http::component(&core).map_err(|error| failure::compile(format!("the program cannot be made a component: {error}")))?;
        let shape = wasm::inspect(&component).map_err(|error| failure::internal("make the component", &error))?;
        let guest = if is_web { GuestKind::HttpP2 } else { GuestKind::Command };
        let mut built = Built::new(guest, ReusePolicy::Pool, format!("program that answers requests, built with {way}"));
        built.component = Some(component);
        built.imports = shape.imports;
        return Ok(built);
    }
    let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut built = wasm::component(&core, &name)?;
    if built.guest == GuestKind::Cgi && !is_web {
        built.guest = GuestKind::Command;
    }
    let kind = match built.guest {
        GuestKind::Cgi => "CGI program",
        GuestKind::Command => "command for workers and tasks",
        _ => "server",
    };
    built.detect_output = format!("{kind}, built with {way}");
    Ok(built)
}

fn exports(module: &[u8], wanted: &str) -> bool {
    Parser::new(0).parse_all(module).flatten().any(|payload| match payload {
        Payload::ExportSection(section) => section.into_iter().flatten().any(|export| export.name == wanted),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            fs::write(folder.path().join(name), bytes).unwrap();
        }
        folder
    }

    const MODULE: &[u8] = b"\0asm\x01\0\0\0";
    /// A custom section of that name, of version 2.
    const OBJECT: &[u8] = b"\0asm\x01\0\0\0\0\x09\x07linking\x02";

    #[test]
    fn the_only_program_is_found_whatever_its_name() {
        let one = folder(&[("main.o", OBJECT), ("server", MODULE), ("notes.txt", b"\0as")]);
        assert_eq!(find(one.path(), one.path()).unwrap(), one.path().join("server"));
        let none = folder(&[("main.o", OBJECT)]);
        assert!(find(none.path(), none.path()).unwrap_err().message.contains("left no WebAssembly program"));
    }

    #[test]
    fn of_several_programs_the_procfile_says_which() {
        let app = folder(&[("a.wasm", MODULE), ("b.wasm", MODULE)]);
        let error = find(app.path(), app.path()).unwrap_err();
        assert!(error.message.contains("2 programs (a.wasm, b.wasm)"), "{error}");
        fs::write(app.path().join("Procfile"), "web: ./b\n").unwrap();
        assert_eq!(find(app.path(), app.path()).unwrap(), app.path().join("b.wasm"));
    }
}
