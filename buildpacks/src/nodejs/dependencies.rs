//! The app's npm packages: installed by npm, kept per app and per content of what names them.

use super::entry::Package;
use crate::{child::entry::say, failure, tool, toolchain};
use sha2::{Digest as _, Sha256};
use std::{
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
};
use virga_contract::staging::StagingError;
use virga_model::{Sha256Digest, droplet::Software};

const LOCKS: [&str; 2] = ["package-lock.json", "npm-shrinkwrap.json"];

/// Makes `node_modules` of the app, from the cache where the same was installed before. Gives what is in it.
pub(crate) fn install(app: &Path, package: &Package, cache: &Path) -> Result<Vec<Software>, StagingError> {
    let modules = app.join("node_modules");
    if package.dependencies.is_empty() || modules.is_dir() {
        return Ok(installed(&modules, package));
    }
    let failed = |error: io::Error| failure::internal("keep the app's packages", &error);
    keep_harmless_settings(&app.join(".npmrc")).map_err(failed)?;
    // Packages that lie in the app's own folder cannot be installed apart from it.
    if package.workspaces.is_some()
        || package.dependencies.values().any(|version| version.starts_with("file:") || version.starts_with("link:"))
    {
        npm(app, cache, package)?;
        return Ok(installed(&modules, package));
    }
    let kept = cache.join(format!("npm-{}", key(app).map_err(failed)?));
    if !kept.is_dir() {
        let scratch = cache.join("npm-installing");
        toolchain::remove(&scratch);
        fs::create_dir_all(&scratch).map_err(failed)?;
        for name in ["package.json", LOCKS[0], LOCKS[1], ".npmrc"] {
            if app.join(name).is_file() {
                fs::copy(app.join(name), scratch.join(name)).map_err(failed)?;
            }
        }
        npm(&scratch, cache, package)?;
        remove_others(cache).map_err(failed)?;
        fs::rename(&scratch, &kept).map_err(failed)?;
    } else {
        say("The app's packages are as at the last push; nothing to download");
    }
    std::os::unix::fs::symlink(kept.join("node_modules"), &modules).map_err(failed)?;
    Ok(installed(&modules, package))
}

/// Leaves of the app's .npmrc what says where packages come from. Other settings name programs that npm would run
/// (`git`, `script-shell`, `node-options`).
fn keep_harmless_settings(npmrc: &Path) -> io::Result<()> {
    match fs::read_to_string(npmrc) {
        Ok(text) => fs::write(npmrc, harmless(&text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn harmless(npmrc: &str) -> String {
    let is_harmless = |line: &&str| {
        let key = line.split('=').next().unwrap_or_default().trim();
        matches!(key, "registry" | "legacy-peer-deps" | "strict-peer-deps" | "engine-strict" | "always-auth")
            || key.ends_with(":registry")
            || key.starts_with("//")
    };
    npmrc.lines().filter(is_harmless).fold(String::new(), |kept, line| kept + line + "\n")
}

fn npm(folder: &Path, cache: &Path, package: &Package) -> Result<(), StagingError> {
    let locked = LOCKS.iter().any(|name| folder.join(name).is_file());
    let command = if locked { "ci" } else { "install" };
    let development = if package.is_built_with_development { "--include=dev" } else { "--omit=dev" };
    let arguments = [command, development, "--ignore-scripts", "--no-audit", "--no-fund", "--no-progress", "--no-update-notifier"];
    let store = cache.join("npm-cache");
    let done = tool::fetch("npm", arguments, folder, &[("npm_config_cache", store.as_os_str()), ("NODE_ENV", OsStr::new("production"))]);
    match done {
        Ok(true) => Ok(()),
        Ok(false) if locked => Err(failure::compile(
            "npm could not install the app's packages; its reason stands in the log above (does the lock file fit package.json? run npm install and push again)",
        )),
        Ok(false) => Err(failure::compile("npm could not install the app's packages; its reason stands in the log above")),
        Err(error) => Err(failure::internal("start npm", &error)),
    }
}

/// Changes with what decides which packages are installed.
fn key(app: &Path) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let lock = LOCKS.iter().map(|name| app.join(name)).find(|path| path.is_file());
    let files: Vec<PathBuf> =
        [app.join("package.json"), app.join(".npmrc")].into_iter().chain(lock).filter(|path| path.is_file()).collect();
    for file in files {
        let bytes = fs::read(file)?;
        hasher.update((bytes.len() as u64).to_le_bytes());
        hasher.update(&bytes);
    }
    Ok(Sha256Digest::from_bytes(hasher.finalize().into()).to_string().chars().take(32).collect())
}

/// Only the newest set of packages of an app is kept.
fn remove_others(cache: &Path) -> io::Result<()> {
    for entry in fs::read_dir(cache)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("npm-") && name != "npm-cache" && name != "npm-installing" {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// Direct dependencies with the versions that are there.
fn installed(modules: &Path, package: &Package) -> Vec<Software> {
    let version_of = |name: &String| {
        let text = fs::read_to_string(modules.join(name).join("package.json")).ok()?;
        let json: serde_json::Value = serde_json::from_str(&text).ok()?;
        Some(Software { name: name.clone(), version: json.get("version")?.as_str()?.to_owned() })
    };
    package.dependencies.keys().filter_map(version_of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_run_programs_are_dropped() {
        let npmrc = "registry=https://npm.example\n@mine:registry = https://other.example\n//other.example/:_authToken=x\ngit=./evil\nnode-options=--require ./evil.js\nscript-shell=./evil\n";
        let kept = harmless(npmrc);
        assert_eq!(kept, "registry=https://npm.example\n@mine:registry = https://other.example\n//other.example/:_authToken=x\n");
    }
}
