//! The `php` buildpack: the app's files beside an engine that is the same for every app. The C sources of the engine's server
//! interface lie in `toolchain`.

mod composer;
mod toolchain;

use crate::{
    build::Built,
    buildpack::{Buildpack, has_extension},
    child::protocol::StageRequest,
    failure, wasm,
    zig::ZIG,
};
use std::{fs, io, path::Path};
use virga_contract::staging::StagingError;
use virga_model::{
    droplet::{GuestKind, Software},
    process::ReusePolicy,
};

pub(crate) const BUILDPACK: Buildpack = Buildpack {
    name: "php",
    version: "1.0.0",
    looks_for: "a composer.json, a *.php file, or an index.php in htdocs, public or web",
    detects: |app| app.join("composer.json").is_file() || web_folder(app).is_some() || has_extension(app, &["php"]),
    toolchains: &[&ZIG, &toolchain::TOOLCHAIN],
    build,
};

/// Folders that requests see, in the order in which they are looked for; the last is the app itself.
const WEB_FOLDERS: [&str; 4] = ["htdocs", "public", "web", "."];
/// Files of an app that only building needs.
const BUILD_ONLY: [&str; 6] = ["manifest.yml", "Procfile", ".cfignore", ".git", "node_modules", "composer.phar"];

/// The folder whose index.php answers requests.
fn web_folder(app: &Path) -> Option<&'static str> {
    WEB_FOLDERS.into_iter().find(|folder| app.join(folder).join("index.php").is_file())
}

fn build(request: &StageRequest, files: &Path) -> Result<Built, StagingError> {
    let app = &request.app;
    let toolchain = request.toolchain(&toolchain::TOOLCHAIN)?;
    let unread = |error: io::Error| failure::internal("read the PHP engine", &error);
    let engine = fs::read(toolchain.join(toolchain::ENGINE)).map_err(unread)?;
    let version = fs::read_to_string(toolchain.join(toolchain::VERSION)).map_err(unread)?.trim().to_owned();
    let packages = composer::install(app, &request.cache, &toolchain::EXTENSIONS)?;
    let component = crate::c::http::component(&engine).map_err(|error| failure::internal("make the component", &error))?;
    let shape = wasm::inspect(&component).map_err(|error| failure::internal("make the component", &error))?;
    crate::files::copy_tree(app, files, &|path| path.to_str().is_none_or(|name| BUILD_ONLY.contains(&name)))
        .map_err(|error| failure::internal("copy the app's files", &error))?;
    let folder = web_folder(app);
    let shown = folder.unwrap_or(".");
    let mut built = Built::new(GuestKind::HttpP2, ReusePolicy::Pool, format!("PHP {version} app, web folder {shown}"));
    if folder.is_none() {
        built.notes.push("There is no index.php in htdocs, public, web or the app's folder: requests that name no file are answered with 404. Set WEBDIR to the folder that has it".into());
    }
    built.component = Some(component);
    built.imports = shape.imports;
    built.software = vec![Software { name: "php".into(), version }];
    built.software.extend(packages.software);
    built.notes.extend(packages.notes);
    built.environment.insert("WEBDIR".into(), shown.into());
    Ok(built)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(files: &[&str]) -> tempfile::TempDir {
        let app = tempfile::tempdir().unwrap();
        for file in files {
            let path = app.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        app
    }

    #[test]
    fn the_web_folder_is_the_first_that_has_an_index() {
        assert_eq!(web_folder(app(&["index.php", "public/index.php"]).path()), Some("public"));
        assert_eq!(web_folder(app(&["web/index.php", "htdocs/index.php"]).path()), Some("htdocs"));
        assert_eq!(web_folder(app(&["index.php"]).path()), Some("."));
        assert_eq!(web_folder(app(&["public/style.css"]).path()), None);
    }

    #[test]
    fn php_apps_are_known_by_their_files() {
        for known in ["composer.json", "index.php", "public/index.php", "worker.php"] {
            assert!((BUILDPACK.detects)(app(&[known]).path()), "{known}");
        }
        assert!(!(BUILDPACK.detects)(app(&["index.html", "src/a.php"]).path()));
    }
}
