//! The `staticfile` buildpack: a folder of files, served by the cell itself.

use crate::{build::Built, buildpack::Buildpack, child::protocol::StageRequest, failure};
use std::{fs, path::Path};
use virga_contract::staging::StagingError;
use virga_model::{
    droplet::{GuestKind, StaticSite},
    process::ReusePolicy,
};

pub(crate) const BUILDPACK: Buildpack = Buildpack {
    name: "staticfile",
    version: "1.0.0",
    looks_for: "a Staticfile or an index.html",
    detects: |app| app.join("Staticfile").is_file() || app.join("index.html").is_file(),
    toolchains: &[],
    build: |request: &StageRequest, files| build(&request.app, files),
};

/// The keys of a `Staticfile` that are understood.
#[derive(Debug, Default, PartialEq, Eq)]
struct Settings {
    root: Option<String>,
    site: StaticSite,
    unknown: Vec<String>,
}

/// Reads `key: value` lines, as Cloud Foundry's buildpack does.
fn parse(text: &str) -> Settings {
    let mut settings = Settings::default();
    for line in text.lines() {
        let Some((key, value)) = line.split('#').next().and_then(|line| line.split_once(':')) else { continue };
        let value = value.trim().trim_matches(['"', '\'']);
        let on = matches!(value, "enabled" | "true" | "visible");
        match key.trim() {
            "root" => settings.root = Some(value.to_owned()),
            "pushstate" => settings.site.pushstate = on,
            "directory" => settings.site.directory_listing = on,
            other => settings.unknown.push(other.to_owned()),
        }
    }
    settings
}

/// Copies the site into `files`.
fn build(app: &Path, files: &Path) -> Result<Built, StagingError> {
    let settings = parse(&fs::read_to_string(app.join("Staticfile")).unwrap_or_default());
    let mut notes = Vec::new();
    for key in &settings.unknown {
        notes.push(format!("Staticfile: '{key}' has no effect here"));
    }
    let root = site_root(app, settings.root.as_deref())?;
    let count = crate::files::copy_tree(&root, files, &|path| {
        root == app && matches!(path.to_str(), Some("Staticfile" | "Staticfile.auth" | "manifest.yml" | ".cfignore"))
    })
    .map_err(|error| failure::internal("copy the site", &error))?;
    notes.push(format!("{count} files"));
    let mut built = Built::new(GuestKind::Static, ReusePolicy::Request, "static files");
    built.site = Some(settings.site);
    built.notes = notes;
    Ok(built)
}

/// The folder to serve: what `root` names, else `public` when the site is there, else the app itself.
fn site_root(app: &Path, root: Option<&str>) -> Result<std::path::PathBuf, StagingError> {
    match root {
        None if !app.join("index.html").is_file() && app.join("public/index.html").is_file() => Ok(app.join("public")),
        None => Ok(app.to_owned()),
        Some(root) => {
            let inside =
                !Path::new(root).is_absolute() && !Path::new(root).components().any(|part| part == std::path::Component::ParentDir);
            let folder = app.join(root);
            if inside && folder.is_dir() {
                Ok(folder)
            } else {
                Err(failure::compile(format!(
                    "the Staticfile's root '{root}' is not a folder of the app; name one that is, relative to the app's folder"
                )))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_staticfile_is_read_as_cloud_foundry_reads_it() {
        let settings = parse("root: dist\npushstate: enabled # single page\ndirectory: visible\ngzip: on\n");
        assert_eq!(settings.root.as_deref(), Some("dist"));
        assert_eq!(settings.site, StaticSite { pushstate: true, directory_listing: true });
        assert_eq!(settings.unknown, ["gzip"]);
    }

    #[test]
    fn the_site_without_its_settings_becomes_the_files() {
        let app = tempfile::tempdir().unwrap();
        fs::create_dir(app.path().join("css")).unwrap();
        for file in ["index.html", "css/site.css", "Staticfile", "manifest.yml"] {
            fs::write(app.path().join(file), "").unwrap();
        }
        let files = app.path().join("../").join(format!("{}-files", app.path().file_name().unwrap().to_str().unwrap()));
        build(app.path(), &files).unwrap();
        assert!(files.join("css/site.css").is_file() && files.join("index.html").is_file());
        assert!(!files.join("Staticfile").exists() && !files.join("manifest.yml").exists());
        fs::remove_dir_all(files).unwrap();
    }

    #[test]
    fn a_root_outside_the_app_is_refused() {
        let app = tempfile::tempdir().unwrap();
        for root in ["../..", "/etc", "absent"] {
            assert!(site_root(app.path(), Some(root)).unwrap_err().message.contains("is not a folder of the app"), "{root}");
        }
    }
}
