//! `spin.toml` of Spin's manifest version 2: which component of the app is its program, with its environment and files.

use crate::failure;
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    fs,
    path::{Component, Path, PathBuf},
};
use virga_contract::staging::StagingError;

/// What is read of it.
#[derive(Debug, Deserialize)]
struct Manifest {
    spin_manifest_version: Option<u32>,
    #[serde(default)]
    trigger: Triggers,
    #[serde(default, rename = "component")]
    components: BTreeMap<String, Described>,
}

#[derive(Debug, Default, Deserialize)]
struct Triggers {
    #[serde(default)]
    http: Vec<Trigger>,
}

#[derive(Debug, Deserialize)]
struct Trigger {
    component: String,
}

#[derive(Debug, Deserialize)]
struct Described {
    source: toml::Value,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    #[serde(default)]
    files: Vec<toml::Value>,
}

/// The program that it names.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Program {
    /// Its file, relative to the app.
    pub(super) source: PathBuf,
    pub(super) environment: BTreeMap<String, String>,
}

/// Reads it; `None` where the app has none.
pub(super) fn read(app: &Path) -> Result<Option<Program>, StagingError> {
    let Ok(text) = fs::read_to_string(app.join("spin.toml")) else { return Ok(None) };
    let wrong = |what: String| failure::compile(format!("spin.toml: {what}"));
    let manifest: Manifest = toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    if manifest.spin_manifest_version != Some(2) {
        return Err(wrong("only spin_manifest_version = 2 is read".into()));
    }
    let mut names: Vec<&str> = manifest.trigger.http.iter().map(|trigger| trigger.component.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let [name] = names.as_slice() else {
        return Err(wrong(format!(
            "its http triggers name {} components ({}); an app here is one: push each as an app with a route of its own (map-route --path)",
            names.len(),
            names.join(", ")
        )));
    };
    let described = manifest.components.get(*name).ok_or_else(|| wrong(format!("there is no [component.{name}]")))?;
    let Some(source) = described.source.as_str().map(PathBuf::from) else {
        return Err(wrong(format!("the source of '{name}' must be a file of the app; what lies elsewhere is not fetched")));
    };
    if !source.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) || !app.join(&source).is_file() {
        return Err(wrong(format!("'{}', the source of '{name}', is not a file of the app; build it before the push", source.display())));
    }
    if described.files.iter().any(|file| !file.is_str()) {
        return Err(wrong(format!(
            "'files' of '{name}' mounts folders elsewhere; here every file of the app lies in the guest's / as it lies in the app"
        )));
    }
    Ok(Some(Program { source, environment: described.environment.clone() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(text: &str) -> Result<Option<Program>, StagingError> {
        let app = tempfile::tempdir().unwrap();
        fs::create_dir_all(app.path().join("target")).unwrap();
        fs::write(app.path().join("target/hello.wasm"), "").unwrap();
        fs::write(app.path().join("spin.toml"), text).unwrap();
        read(app.path())
    }

    const HELLO: &str = "spin_manifest_version = 2\n[application]\nname = \"hello\"\n[[trigger.http]]\nroute = \"/...\"\ncomponent = \"hello\"\n\
        [component.hello]\nsource = \"target/hello.wasm\"\nenvironment = { MODE = \"fast\" }\n";

    #[test]
    fn the_one_component_is_the_program() {
        let found = program(HELLO).unwrap().unwrap();
        assert_eq!(found.source, Path::new("target/hello.wasm"));
        assert_eq!(found.environment.get("MODE").map(String::as_str), Some("fast"));
        assert_eq!(read(tempfile::tempdir().unwrap().path()), Ok(None));
    }

    #[test]
    fn what_is_not_one_program_is_refused() {
        for (text, reason) in [
            (HELLO.replace("version = 2", "version = 1"), "only spin_manifest_version = 2"),
            (
                format!("{HELLO}[component.b]\nsource = \"b.wasm\"\n[[trigger.http]]\nroute = \"/b\"\ncomponent = \"b\"\n"),
                "name 2 components (b, hello)",
            ),
            (HELLO.replace("target/hello.wasm", "../hello.wasm"), "is not a file of the app"),
            (HELLO.replace("target/hello.wasm", "missing.wasm"), "build it before the push"),
            (HELLO.replace("source = \"target/hello.wasm\"", "source = { url = \"u\", digest = \"d\" }"), "is not fetched"),
            (HELLO.replace("component = \"hello\"", "component = \"other\""), "there is no [component.other]"),
        ] {
            let error = program(&text).unwrap_err().message;
            assert!(error.starts_with("spin.toml: ") && error.contains(reason), "{error}");
        }
    }
}
