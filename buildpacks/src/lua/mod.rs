//! The `lua` buildpack: a WSAPI app on Lua 5.4, which is built once per platform.

mod toolchain;

use crate::{
    build::Built,
    buildpack::{Buildpack, has_extension},
    c::http,
    child::protocol::StageRequest,
    failure, procfile, tool, wasm,
    zig::ZIG,
};
use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};
use toolchain::TOOLCHAIN;
use virga_contract::staging::StagingError;
use virga_model::{
    droplet::{GuestKind, Software},
    process::ReusePolicy,
};

pub(crate) const BUILDPACK: Buildpack = Buildpack {
    name: "lua",
    version: "1.0.0",
    looks_for: "a *.lua file",
    detects: |app| has_extension(app, &["lua", "rockspec"]),
    toolchains: &[&ZIG, &TOOLCHAIN],
    build,
};

const USUAL: [&str; 5] = ["app.lua", "main.lua", "init.lua", "server.lua", "src/app.lua"];
const BUILD_ONLY: [&str; 4] = ["manifest.yml", "Procfile", ".cfignore", ".git"];

fn build(request: &StageRequest, files: &Path) -> Result<Built, StagingError> {
    let app = &request.app;
    let toolchain = request.toolchain(&TOOLCHAIN)?;
    let start = find(app)?;
    check(request, toolchain)?;
    let engine = fs::read(toolchain.join(toolchain::ENGINE)).map_err(|error| failure::internal("read the engine", &error))?;
    let component = http::component(&engine).map_err(|error| failure::internal("make the component", &error))?;
    let shape = wasm::inspect(&component).map_err(|error| failure::internal("make the component", &error))?;
    let is_build_only = |path: &Path| path.to_str().is_none_or(|name| BUILD_ONLY.contains(&name));
    crate::files::copy_tree(app, files, &is_build_only).map_err(|error| failure::internal("copy the app's files", &error))?;
    let (guest, found) = match &start {
        Some(file) => (GuestKind::HttpP2, format!("Lua app, {file}")),
        None => (GuestKind::Command, "Lua workers and tasks".to_owned()),
    };
    let mut built = Built::new(guest, ReusePolicy::Pool, found);
    built.component = Some(component);
    built.imports = shape.imports;
    built.software = vec![Software { name: "lua".into(), version: toolchain::VERSION.into() }];
    if let Some(file) = start {
        built.environment.insert("VIRGA_LUA_APP".into(), format!("/{file}"));
    }
    Ok(built)
}

/// The file that returns the app; none where the Procfile names other process types only.
fn find(app: &Path) -> Result<Option<String>, StagingError> {
    let types = procfile::read(app);
    if let Some(command) = types.get("web") {
        let words = command.split_whitespace().map(|word| word.trim_matches(['"', '\'']).trim_start_matches("./"));
        let mut names = words.flat_map(|word| [word.to_owned(), format!("{}.lua", word.replace('.', "/"))]);
        let is_inside = |name: &str| Path::new(name).components().all(|part| matches!(part, std::path::Component::Normal(_)));
        let named = names.find(|name| name.ends_with(".lua") && is_inside(name) && app.join(name).is_file());
        return named.map(Some).ok_or_else(|| {
            failure::compile(format!(
                "the Procfile's web command '{command}' names no Lua file of the app; write for example: web: lua app.lua"
            ))
        });
    }
    if !types.is_empty() {
        return Ok(None);
    }
    let usual = USUAL.iter().find(|name| app.join(name).is_file()).map(|name| (*name).to_owned());
    usual.or_else(|| only(app)).map(Some).ok_or_else(|| {
        failure::compile(format!("no file with the app was found (tried {}); name it in a Procfile: web: lua FILE.lua", USUAL.join(", ")))
    })
}

fn only(app: &Path) -> Option<String> {
    let mut files = fs::read_dir(app).ok()?.flatten().map(|entry| entry.path()).filter(|path| path.extension() == Some(OsStr::new("lua")));
    match (files.next(), files.next()) {
        (Some(only), None) => only.file_name()?.to_str().map(str::to_owned),
        _ => None,
    }
}

/// Whether all of the app's files are Lua of this version, and none is machine code.
fn check(request: &StageRequest, toolchain: &Path) -> Result<(), StagingError> {
    let mut sources: Vec<PathBuf> = Vec::new();
    for entry in walkdir::WalkDir::new(&request.app).sort_by_file_name().into_iter().flatten() {
        let inside = entry.path().strip_prefix(&request.app).unwrap_or(entry.path());
        match inside.extension().and_then(OsStr::to_str) {
            Some("so" | "dll") if inside.starts_with("lua_modules") => {
                return Err(failure::compile(format!(
                    "{} is machine code, which does not run in WebAssembly; use a module that is written in Lua",
                    inside.display()
                )));
            }
            Some("lua") if entry.file_type().is_file() => sources.push(inside.to_owned()),
            _ => {}
        }
    }
    let checker = toolchain.join(toolchain::CHECKER).to_string_lossy().into_owned();
    // So many at a time that a command line has room for them.
    for some in sources.chunks(200) {
        // With a folder in front, no name is taken for an option.
        let arguments = some.iter().map(|path| Path::new(".").join(path));
        match tool::run(&checker, arguments, &request.app, &[]) {
            Ok(true) => {}
            Ok(false) => {
                return Err(failure::compile(format!("a file is no Lua {}; the line stands in the log above", toolchain::VERSION)));
            }
            Err(error) => return Err(failure::internal("start the checker", &error)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Result<Option<String>, StagingError> {
        let app = tempfile::tempdir().unwrap();
        for (file, text) in files {
            fs::create_dir_all(app.path().join(file).parent().unwrap()).unwrap();
            fs::write(app.path().join(file), text).unwrap();
        }
        find(app.path())
    }

    #[test]
    fn the_procfile_then_usual_names_then_the_only_file() {
        let is = |name: &str| Ok(Some(name.to_owned()));
        assert_eq!(found(&[("Procfile", "web: lua ./shop/web.lua"), ("shop/web.lua", ""), ("app.lua", "")]), is("shop/web.lua"));
        assert_eq!(found(&[("Procfile", "web: wsapi shop.web"), ("shop/web.lua", "")]), is("shop/web.lua"));
        assert_eq!(found(&[("main.lua", ""), ("z.lua", "")]), is("main.lua"));
        assert_eq!(found(&[("shop.lua", "")]), is("shop.lua"));
        assert_eq!(found(&[("Procfile", "worker: lua work.lua"), ("work.lua", "")]), Ok(None));
        for bad in [&[("Procfile", "web: lua ../x.lua"), ("x.lua", "")][..], &[("a.lua", ""), ("b.lua", "")]] {
            assert!(found(bad).unwrap_err().message.contains("web: lua"));
        }
    }
}
