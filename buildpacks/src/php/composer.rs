//! Composer's packages: those that were pushed in `vendor`, else those that the program `composer` installs.

use crate::{failure, tool, toolchain::find_program};
use serde::Deserialize;
use std::{collections::BTreeMap, ffi::OsStr, fs, path::Path};
use virga_contract::staging::StagingError;
use virga_model::droplet::Software;

/// What is read of composer.json.
#[derive(Debug, Default, Deserialize)]
struct Project {
    #[serde(default)]
    require: BTreeMap<String, String>,
    #[serde(default)]
    autoload: serde_json::Value,
    #[serde(default)]
    config: Config,
}

#[derive(Debug, Default, Deserialize)]
struct Config {
    #[serde(rename = "vendor-dir")]
    vendor_dir: Option<String>,
}

impl Project {
    /// Packages proper: `php`, `ext-…`, `lib-…` and `composer-…` are of the platform.
    fn needs_packages(&self) -> bool {
        self.require.keys().any(|name| name.contains('/'))
    }

    fn missing_extensions(&self, there: &[&str]) -> Vec<&str> {
        let asked = self.require.keys().filter_map(|name| name.strip_prefix("ext-"));
        asked.filter(|extension| !there.iter().any(|known| known.eq_ignore_ascii_case(extension))).collect()
    }
}

/// What `vendor/composer/installed.json` lists.
#[derive(Debug, Deserialize)]
struct Installed {
    packages: Vec<Package>,
}

#[derive(Debug, Deserialize)]
struct Package {
    name: String,
    version: String,
}

/// What was found or installed.
#[derive(Debug, Default)]
pub(crate) struct Packages {
    pub(crate) software: Vec<Software>,
    pub(crate) notes: Vec<String>,
}

/// Sees to it that the packages are there, where composer.json asks for some.
///
/// # Errors
/// When composer.json cannot be read, or packages are missing and cannot be installed.
pub(crate) fn install(app: &Path, cache: &Path, extensions: &[&str]) -> Result<Packages, StagingError> {
    let mut packages = Packages::default();
    let Ok(text) = fs::read(app.join("composer.json")) else { return Ok(packages) };
    let project: Project =
        serde_json::from_slice(&text).map_err(|error| failure::compile(format!("composer.json cannot be read: {error}")))?;
    let missing = project.missing_extensions(extensions);
    if !missing.is_empty() {
        packages.notes.push(format!(
            "composer.json asks for the PHP extensions {}, which this platform's PHP does not have; what uses them will fail. It has {}",
            missing.join(", "),
            extensions.join(", ")
        ));
    }
    let vendor = app.join(project.config.vendor_dir.as_deref().unwrap_or("vendor"));
    if !vendor.join("autoload.php").is_file() {
        fetch(app, cache, &project, &mut packages)?;
    }
    packages.software = installed(&vendor);
    Ok(packages)
}

fn fetch(app: &Path, cache: &Path, project: &Project, packages: &mut Packages) -> Result<(), StagingError> {
    if find_program("composer").is_none() {
        if project.needs_packages() {
            return Err(failure::compile(
                "composer.json asks for packages, the app has no vendor folder, and the platform's machine has no 'composer' to install them; push vendor with the app (composer install --no-dev, and see that .cfignore does not name it), or ask the operator for: apt-get install composer",
            ));
        }
        if !project.autoload.is_null() {
            packages.notes.push(
                "composer.json names classes to load and there is no vendor/autoload.php; push vendor with the app if it uses that".into(),
            );
        }
        return Ok(());
    }
    if !project.needs_packages() && project.autoload.is_null() {
        return Ok(());
    }
    // Scripts and plugins are code of others that would run while building; the engine's extensions are not those of the machine.
    let arguments = [
        "install",
        "--no-dev",
        "--no-scripts",
        "--no-plugins",
        "--no-interaction",
        "--no-progress",
        "--prefer-dist",
        "--optimize-autoloader",
        "--ignore-platform-reqs",
    ];
    let folder = cache.join("composer");
    let environment = [("COMPOSER_CACHE_DIR", folder.as_os_str()), ("COMPOSER_ALLOW_SUPERUSER", OsStr::new("1"))];
    match tool::fetch("composer", arguments, app, &environment) {
        Ok(true) => Ok(()),
        Ok(false) => Err(failure::compile(
            "composer could not install the packages; its errors stand in the log above. Where the package registry is out of reach, push vendor with the app (composer install --no-dev)",
        )),
        Err(error) => Err(failure::internal("start composer", &error)),
    }
}

/// The list is for show: what cannot be read of it is left out.
fn installed(vendor: &Path) -> Vec<Software> {
    let list: Option<Installed> = fs::read(vendor.join("composer/installed.json")).ok().and_then(|json| serde_json::from_slice(&json).ok());
    list.into_iter().flat_map(|list| list.packages).map(|package| Software { name: package.name, version: package.version }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(text: &str) -> tempfile::TempDir {
        let app = tempfile::tempdir().unwrap();
        fs::write(app.path().join("composer.json"), text).unwrap();
        app
    }

    #[test]
    fn pushed_packages_are_listed_and_nothing_is_fetched() {
        let app = project(r#"{"require":{"php":">=8.1","ext-json":"*","ext-intl":"*","slim/slim":"^4"}}"#);
        fs::create_dir_all(app.path().join("vendor/composer")).unwrap();
        fs::write(app.path().join("vendor/autoload.php"), "<?php").unwrap();
        let list = r#"{"packages":[{"name":"slim/slim","version":"4.14.0"}],"dev":false}"#;
        fs::write(app.path().join("vendor/composer/installed.json"), list).unwrap();
        let packages = install(app.path(), app.path(), &["json", "pcre"]).unwrap();
        assert_eq!(packages.software, [Software { name: "slim/slim".into(), version: "4.14.0".into() }]);
        assert!(packages.notes[0].contains("extensions intl,") && packages.notes[0].contains("It has json, pcre"), "{:?}", packages.notes);
    }

    #[test]
    fn an_app_without_packages_needs_nothing() {
        let packages = install(project(r#"{"require":{"php":">=8.1"}}"#).path(), Path::new("."), &[]).unwrap();
        assert!(packages.software.is_empty() && packages.notes.is_empty());
        let broken = install(project("{").path(), Path::new("."), &[]).unwrap_err();
        assert!(broken.message.contains("composer.json cannot be read"), "{broken}");
    }
}
