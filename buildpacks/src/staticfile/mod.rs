//! The `staticfile` buildpack: a folder of files, served by the cell itself.

mod compress;
mod headers;
mod settings;
mod users;

use crate::{build::Built, buildpack::Buildpack, child::protocol::StageRequest, failure};
use std::{
    fs,
    path::{Component, Path, PathBuf},
};
use virga_contract::staging::StagingError;
use virga_model::{droplet::GuestKind, process::ReusePolicy};

pub(crate) const BUILDPACK: Buildpack = Buildpack {
    name: "staticfile",
    version: "1.1.0",
    looks_for: "a Staticfile or an index.html",
    detects: |app| app.join("Staticfile").is_file() || app.join("index.html").is_file(),
    toolchains: &[],
    build: |request: &StageRequest, files| build(&request.app, files),
};

/// Files of an app that are about its site and not of it.
const NOT_SERVED: [&str; 5] = ["Staticfile", "Staticfile.auth", "_headers", "manifest.yml", ".cfignore"];

/// Copies the site into `files`, and compressed forms of its texts beside it.
fn build(app: &Path, files: &Path) -> Result<Built, StagingError> {
    let settings = settings::parse(&text(app, "Staticfile")?.unwrap_or_default())?;
    let root = site_root(app, settings.root.as_deref())?;
    let mut site = settings.site;
    if let Some(rules) = text(&root, "_headers")? {
        site.headers = headers::parse(&rules)?;
    }
    if let Some(list) = text(app, "Staticfile.auth")? {
        site.users = users::parse(&list)?;
    }
    let mut notes: Vec<String> = settings.unknown.iter().map(|key| format!("Staticfile: '{key}' has no effect here")).collect();
    let failed = |error: std::io::Error| failure::internal("copy the site", &error);
    let count = crate::files::copy_tree(&root, files, &|path| {
        let name = path.to_str().unwrap_or_default();
        name == "_headers" || name == virga_model::droplet::MADE_COMPRESSED || (root == app && NOT_SERVED.contains(&name))
    })
    .map_err(failed)?;
    site.compressed = compress::all(files).map_err(failed)?;
    notes.push(format!("{count} files"));
    let mut built = Built::new(GuestKind::Static, ReusePolicy::Request, "static files");
    built.site = Some(site);
    built.notes = notes;
    Ok(built)
}

/// A text file of the app; `None` where it is not there.
fn text(folder: &Path, name: &str) -> Result<Option<String>, StagingError> {
    match fs::read(folder.join(name)) {
        Ok(bytes) => String::from_utf8(bytes).map(Some).map_err(|_| failure::compile(format!("{name} is not a text in UTF-8"))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failure::internal("read the app", &error)),
    }
}

/// The folder to serve: what `root` names, else `public` when the site is there, else the app itself.
fn site_root(app: &Path, root: Option<&str>) -> Result<PathBuf, StagingError> {
    match root {
        None if !app.join("index.html").is_file() && app.join("public/index.html").is_file() => Ok(app.join("public")),
        None => Ok(app.to_owned()),
        Some(root) => {
            let is_inside = Path::new(root).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
            let folder: PathBuf = app.join(root).components().collect();
            if is_inside && folder.is_dir() {
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
    use virga_model::droplet::Compression;

    #[test]
    fn the_site_without_its_settings_becomes_the_files() {
        let folder = tempfile::tempdir().unwrap();
        let (app, files) = (folder.path().join("app"), folder.path().join("files"));
        fs::create_dir_all(app.join("css")).unwrap();
        for file in ["index.html", "css/site.css", "css/site.css.br", "manifest.yml"] {
            fs::write(app.join(file), "").unwrap();
        }
        fs::write(app.join("Staticfile"), "pushstate: enabled\n").unwrap();
        fs::write(app.join("Staticfile.auth"), "bob:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n").unwrap();
        fs::write(app.join("_headers"), "/css/*\n  Cache-Control: max-age=60\n").unwrap();
        let built = build(&app, &files).unwrap();
        let site = built.site.unwrap();
        assert!(site.pushstate && site.users.contains_key("bob") && site.headers.len() == 1);
        assert_eq!(site.compressed, [Compression::Brotli]);
        assert!(files.join("css/site.css").is_file() && files.join("index.html").is_file());
        for secret in NOT_SERVED {
            assert!(!files.join(secret).exists(), "{secret}");
        }
    }

    #[test]
    fn a_root_outside_the_app_is_refused() {
        let app = tempfile::tempdir().unwrap();
        for root in ["../..", "/etc", "absent"] {
            assert!(site_root(app.path(), Some(root)).unwrap_err().message.contains("is not a folder of the app"), "{root}");
        }
    }
}
