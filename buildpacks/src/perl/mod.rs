//! The `perl` buildpack: a PSGI app or a CGI script on a Perl that is the same for every app.
//!
//! The interpreter is the WebAssembly module of an npm package. C and Perl beside this file (`toolchain`) join it to HTTP.

mod entry;
mod toolchain;

use crate::{
    build::Built,
    buildpack::{Buildpack, has_extension},
    c::http,
    child::protocol::StageRequest,
    failure, wasm,
};
use std::{ffi::OsStr, fs, io, path::Path};
use toolchain::TOOLCHAIN;
use virga_contract::staging::StagingError;
use virga_model::{
    droplet::{GuestKind, Software},
    process::ReusePolicy,
};

pub(crate) const BUILDPACK: Buildpack = Buildpack {
    name: "perl",
    version: "1.0.0",
    looks_for: "a cpanfile, or a *.psgi, *.pl or *.cgi file",
    detects: |app| app.join("cpanfile").is_file() || has_extension(app, &entry::ENDS),
    toolchains: &[&crate::zig::ZIG, &TOOLCHAIN],
    build,
};

/// Files and folders of an app that only building needs.
const BUILD_ONLY: [&str; 7] = ["manifest.yml", "Procfile", ".cfignore", ".git", "cpanfile", "cpanfile.snapshot", "local/cache"];
/// Where modules lie that were installed for the app.
const MODULES: &str = "local/lib/perl5";

fn build(request: &StageRequest, files: &Path) -> Result<Built, StagingError> {
    let app = &request.app;
    let start = entry::find(app)?;
    let engine = fs::read(request.toolchain(&TOOLCHAIN)?.join(toolchain::ENGINE));
    let engine = engine.map_err(|error| failure::internal("read the engine", &error))?;
    let component = http::component(&engine).map_err(|error| failure::internal("make the component", &error))?;
    let shape = wasm::inspect(&component).map_err(|error| failure::internal("make the component", &error))?;
    lay_out(app, files).map_err(|error| failure::internal("copy the app's files", &error))?;
    let (guest, found) = match &start {
        Some(file) => (GuestKind::HttpP2, format!("Perl app, {file}")),
        None => (GuestKind::Command, "Perl workers and tasks".to_owned()),
    };
    let mut built = Built::new(guest, ReusePolicy::Pool, found);
    built.component = Some(component);
    built.imports = shape.imports;
    built.software = vec![Software { name: "perl".into(), version: toolchain::VERSION.into() }];
    built.notes = notes(app);
    built.environment.insert("PLACK_ENV".into(), "deployment".into());
    if let Some(file) = start {
        built.environment.insert("VIRGA_PERL_APP".into(), format!("/{file}"));
    }
    Ok(built)
}

/// The buildpack's own folder in the guest.
const OWN: &str = ".virga";
/// Modules that stand in for those in C that are not in the interpreter.
const LIBRARY: [(&str, &str); 2] = [("Storable.pm", include_str!("library/Storable.pm")), ("POSIX.pm", include_str!("library/POSIX.pm"))];

/// The guest's files: the app without machine code, and the device that the interpreter opens when it starts.
fn lay_out(app: &Path, files: &Path) -> io::Result<()> {
    let is_build_only = |path: &Path| path.to_str().is_none_or(|name| BUILD_ONLY.contains(&name) || name == OWN);
    crate::files::copy_tree(app, files, &|path| is_machine_code(path) || is_build_only(path))?;
    let library = files.join(OWN).join("lib");
    fs::create_dir_all(&library)?;
    for (name, text) in LIBRARY {
        fs::write(library.join(name), text)?;
    }
    fs::create_dir_all(files.join("dev"))?;
    fs::write(files.join("dev/null"), "")
}

fn is_machine_code(path: &Path) -> bool {
    path.extension().and_then(OsStr::to_str) == Some("so")
}

fn notes(app: &Path) -> Vec<String> {
    let entries = walkdir::WalkDir::new(app.join("local")).sort_by_file_name().into_iter().flatten();
    let codes = entries.filter(|entry| is_machine_code(entry.path()));
    let mut notes: Vec<String> = codes
        .map(|entry| {
            let inside = entry.path().strip_prefix(app).unwrap_or(entry.path()).display().to_string();
            format!("Left out, since machine code does not run in WebAssembly: {inside}; its module works only if it has a part in Perl for that")
        })
        .collect();
    if app.join("cpanfile").is_file() && !app.join(MODULES).is_dir() {
        notes.push(format!(
            "The modules of the cpanfile are not in {MODULES}: bring them along (carton install, or cpanm -L local --installdeps .) and push again"
        ));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::app;

    #[test]
    fn modules_that_cannot_work_are_told() {
        let list = ("cpanfile", "requires 'Plack';\n");
        assert!(notes(app(&[list]).path()).concat().contains("are not in local/lib/perl5"));
        let app = app(&[list, ("local/lib/perl5/auto/JSON/XS/XS.so", "")]);
        let told = notes(app.path());
        assert!(told.len() == 1 && told.concat().contains("local/lib/perl5/auto/JSON/XS/XS.so"), "{told:?}");
        let files = tempfile::tempdir().unwrap();
        lay_out(app.path(), files.path()).unwrap();
        assert!(files.path().join("dev/null").is_file() && !files.path().join("cpanfile").exists());
        assert!(!files.path().join("local/lib/perl5/auto/JSON/XS/XS.so").exists());
    }
}
