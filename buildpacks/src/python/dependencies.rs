//! The app's Python packages: installed by pip into a folder of their own, kept per app and per content of what names them.

use super::requirements;
use crate::{child::entry::say, failure, tool, toolchain};
use sha2::{Digest as _, Sha256};
use std::{
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
};
use virga_contract::staging::StagingError;
use virga_model::{Sha256Digest, droplet::Software};

/// The version of CPython inside componentize-py, for which packages are chosen.
const PYTHON_VERSION: &str = "3.14";
/// Newer versions of these consist of machine code, for which there are no WebAssembly wheels.
const LAST_IN_PYTHON: [&str; 2] = ["pydantic<2", "fastapi<0.119"];

/// Installed packages.
pub(super) struct Packages {
    pub(super) folder: PathBuf,
    pub(super) software: Vec<Software>,
    pub(super) notes: Vec<String>,
    /// Those whose machine code was left out; some can do without.
    pub(super) native: Vec<String>,
}

/// Installs what requirements.txt (else pyproject.toml) names.
pub(super) fn install(app: &Path, cache: &Path) -> Result<Packages, StagingError> {
    let failed = |error: io::Error| failure::internal("keep the app's packages", &error);
    let wanted = wanted(app)?;
    let kept = cache.join(format!("pip-{}", wanted.key));
    if kept.is_dir() {
        if !wanted.lines.is_empty() {
            say("The app's packages are as at the last push; nothing to download");
        }
    } else {
        let scratch = cache.join("pip-installing");
        toolchain::remove(&scratch);
        fs::create_dir_all(&scratch).map_err(failed)?;
        if !wanted.lines.is_empty() {
            pip(cache, &scratch, &wanted.lines)?;
        }
        remove_native(&scratch).map_err(failed)?;
        remove_others(cache).map_err(failed)?;
        fs::rename(&scratch, &kept).map_err(failed)?;
    }
    let native = native(&kept).map_err(failed)?;
    let software = software(&kept);
    let notes = if native.is_empty() {
        Vec::new()
    } else {
        vec![format!("Native parts of {} cannot run in WebAssembly and are left out", native.join(", "))]
    };
    Ok(Packages { folder: kept, software, notes, native })
}

struct Wanted {
    /// Lines for pip; empty if nothing is wanted.
    lines: Vec<String>,
    key: String,
}

fn wanted(app: &Path) -> Result<Wanted, StagingError> {
    let lines = if app.join("requirements.txt").is_file() {
        requirements::read(app, "requirements.txt")?
    } else if let Ok(text) = fs::read_to_string(app.join("pyproject.toml")) {
        let project: toml::Table = text.parse().map_err(|error| failure::compile(format!("pyproject.toml cannot be read: {error}")))?;
        let named = project.get("project").and_then(|project| project.get("dependencies")).and_then(toml::Value::as_array);
        let named = named.into_iter().flatten().filter_map(toml::Value::as_str);
        named.map(|line| requirements::checked(line, "pyproject.toml")).collect::<Result<_, _>>()?
    } else {
        Vec::new()
    };
    let key = key(lines.join("\n").as_bytes());
    Ok(Wanted { lines, key })
}

fn key(text: &[u8]) -> String {
    let mut hasher = Sha256::new();
    hasher.update(PYTHON_VERSION);
    hasher.update(LAST_IN_PYTHON.join(" "));
    hasher.update(text);
    Sha256Digest::from_bytes(hasher.finalize().into()).to_string().chars().take(32).collect()
}

/// Only wheels: a package without one would have to be built by code of its own, unconfined.
fn pip(cache: &Path, target: &Path, lines: &[String]) -> Result<(), StagingError> {
    let failed = |error: io::Error| failure::internal("write the list of packages", &error);
    let list = cache.join("pip-requirements.txt");
    fs::write(&list, lines.join("\n")).map_err(failed)?;
    let bounds = cache.join("pip-constraints.txt");
    fs::write(&bounds, LAST_IN_PYTHON.join("\n")).map_err(failed)?;
    let store = cache.join("pip-cache");
    // Isolated (-I) and in an empty folder: nothing of the app is on the path of the Python that runs pip.
    let options = [
        "-I",
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--no-warn-script-location",
        "--no-compile",
        "--only-binary=:all:",
        "--python-version",
        PYTHON_VERSION,
        "--target",
    ];
    let arguments = options.iter().map(OsStr::new).chain([
        target.as_os_str(),
        OsStr::new("-r"),
        list.as_os_str(),
        OsStr::new("-c"),
        bounds.as_os_str(),
    ]);
    match tool::fetch("python3", arguments, target, &[("PIP_CACHE_DIR", store.as_os_str())]) {
        Ok(true) => Ok(()),
        Ok(false) => Err(failure::compile(format!(
            "pip could not install the app's packages; its reason stands in the log above. Each needs a wheel for Python {PYTHON_VERSION} (pure Python, or with native parts that it can do without); newer versions of some are native and ruled out: {}",
            LAST_IN_PYTHON.join(", ")
        ))),
        Err(error) => Err(failure::internal("start pip", &error)),
    }
}

/// Only the newest set of packages of an app is kept.
fn remove_others(cache: &Path) -> io::Result<()> {
    for entry in fs::read_dir(cache)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("pip-") && entry.file_type()?.is_dir() && name != "pip-cache" && name != "pip-installing" {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// Removes machine code, and caches of other interpreters.
fn remove_native(folder: &Path) -> io::Result<()> {
    for entry in walkdir::WalkDir::new(folder) {
        let entry = entry?;
        if entry.file_type().is_file() && is_native(&entry.file_name().to_string_lossy()) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// `x.so`, and `libx.so.1` of what a wheel brings along.
fn is_native(name: &str) -> bool {
    name.ends_with(".so") || name.ends_with(".pyd") || name.contains(".so.")
}

/// The modules and folders that came with machine code, from the packages' own lists of files.
fn native(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let list = entry?.path().join("RECORD");
        if !list.is_file() {
            continue;
        }
        for line in fs::read_to_string(list)?.lines() {
            let path = line.split(',').next().unwrap_or_default();
            if is_native(path.rsplit('/').next().unwrap_or_default()) {
                names.extend(path.split(['/', '.']).next().map(str::to_owned));
            }
        }
    }
    names.sort();
    names.dedup();
    Ok(names)
}

/// Names and versions, from the folders `name-version.dist-info`.
fn software(folder: &Path) -> Vec<Software> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<Software> = entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let (name, version) = name.strip_suffix(".dist-info")?.rsplit_once('-')?;
            Some(Software { name: name.to_owned(), version: version.to_owned() })
        })
        .collect();
    found.sort_by(|one, other| one.name.cmp(&other.name));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machine_code_is_left_out_and_named_whenever_it_is_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for (file, text) in [
            ("markupsafe/_speedups.cpython-314-x86_64-linux-gnu.so", ""),
            ("markupsafe/__init__.py", ""),
            ("numpy.libs/libblas.so.3", ""),
            (
                "markupsafe-3.dist-info/RECORD",
                "markupsafe/_speedups.cpython-314-x86_64-linux-gnu.so,sha256=x,1\nmarkupsafe/__init__.py,,\n",
            ),
            ("numpy-2.dist-info/RECORD", "numpy.libs/libblas.so.3,,\nnumpy/__init__.py,,\n"),
        ] {
            fs::create_dir_all(at(file).parent().unwrap()).unwrap();
            fs::write(at(file), text).unwrap();
        }
        remove_native(folder.path()).unwrap();
        assert!(at("markupsafe/__init__.py").is_file() && !at("numpy.libs/libblas.so.3").exists());
        for _ in 0..2 {
            assert_eq!(native(folder.path()).unwrap(), ["markupsafe", "numpy"]);
        }
    }
}
