//! Which buildpack builds an app.

use crate::failure;
use std::{fs, path::Path};
use virga_contract::staging::{BuildpackInfo, StagingError, StagingErrorKind};

/// The buildpacks, in order of detection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Buildpack {
    Nodejs,
    Python,
    Wasm,
    Staticfile,
}

impl Buildpack {
    pub(crate) const ALL: [Self; 4] = [Self::Nodejs, Self::Python, Self::Wasm, Self::Staticfile];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nodejs => "nodejs",
            Self::Python => "python",
            Self::Wasm => "wasm",
            Self::Staticfile => "staticfile",
        }
    }

    /// Grows with every change that makes other droplets of the same app.
    pub(crate) fn version(self) -> &'static str {
        match self {
            Self::Nodejs => crate::nodejs::VERSION,
            Self::Python => crate::python::VERSION,
            Self::Wasm => "1.0.0",
            Self::Staticfile => "1.0.0",
        }
    }

    pub(crate) fn info(self) -> BuildpackInfo {
        BuildpackInfo { name: self.name(), version: self.version() }
    }

    /// What it looks for, for the developer whose app no buildpack wants.
    fn looks_for(self) -> &'static str {
        match self {
            Self::Nodejs => "a package.json",
            Self::Python => "a requirements.txt or pyproject.toml, or a Procfile beside a *.py file",
            Self::Wasm => "app.wasm, app.wat, or a single *.wasm or *.wat file",
            Self::Staticfile => "a Staticfile or an index.html",
        }
    }

    fn detects(self, app: &Path) -> bool {
        let has = |name: &str| app.join(name).is_file();
        match self {
            Self::Nodejs => has("package.json"),
            Self::Python => has("requirements.txt") || has("pyproject.toml") || (has("Procfile") && has_extension(app, "py")),
            Self::Wasm => crate::wasm::find(app).is_some(),
            Self::Staticfile => has("Staticfile") || has("index.html"),
        }
    }

    /// The buildpack of this name; `nodejs_buildpack` and the like are what people are used to.
    fn named(name: &str) -> Option<Self> {
        let short = name.strip_suffix("_buildpack").or_else(|| name.strip_suffix("-buildpack")).unwrap_or(name);
        match short {
            "nodejs" | "node" | "javascript" => Some(Self::Nodejs),
            "python" => Some(Self::Python),
            "wasm" | "binary" => Some(Self::Wasm),
            "staticfile" | "static" => Some(Self::Staticfile),
            _ => None,
        }
    }
}

fn has_extension(app: &Path, extension: &str) -> bool {
    let Ok(entries) = fs::read_dir(app) else { return false };
    entries.flatten().any(|entry| entry.path().extension().is_some_and(|found| found == extension))
}

/// Chooses among all buildpacks, or takes the one that was asked for.
///
/// # Errors
/// `NoBuildpacksFound` for an unknown name, `NoAppDetectedError` when none wants the app.
pub(crate) fn choose(app: &Path, asked: &[String]) -> Result<Buildpack, StagingError> {
    // Of several buildpacks the last one is the final one, which builds what runs.
    if let Some(name) = asked.last() {
        return Buildpack::named(name).ok_or_else(|| {
            let names: Vec<_> = Buildpack::ALL.into_iter().map(Buildpack::name).collect();
            failure::of(
                StagingErrorKind::NoBuildpacksFound,
                format!(
                    "there is no buildpack '{name}' here; there are {}. Name one of them with -b, or none to have it chosen",
                    names.join(", ")
                ),
            )
        });
    }
    Buildpack::ALL.into_iter().find(|buildpack| buildpack.detects(app)).ok_or_else(|| {
        let wants: Vec<_> = Buildpack::ALL.into_iter().map(|one| format!("{} looks for {}", one.name(), one.looks_for())).collect();
        failure::of(
            StagingErrorKind::NoAppDetected,
            format!("none of the buildpacks recognises this app: {}. Check that you push the app's own folder (-p)", wants.join("; ")),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(files: &[&str], asked: &[&str]) -> Result<Buildpack, StagingError> {
        let app = tempfile::tempdir().unwrap();
        for file in files {
            fs::write(app.path().join(file), "").unwrap();
        }
        choose(app.path(), &asked.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn each_app_has_its_buildpack() {
        assert_eq!(chosen(&["package.json", "index.html"], &[]), Ok(Buildpack::Nodejs));
        assert_eq!(chosen(&["requirements.txt", "app.py"], &[]), Ok(Buildpack::Python));
        assert_eq!(chosen(&["pyproject.toml"], &[]), Ok(Buildpack::Python));
        assert_eq!(chosen(&["Procfile", "main.py"], &[]), Ok(Buildpack::Python));
        assert_eq!(chosen(&["anything.wasm", "README.md"], &[]), Ok(Buildpack::Wasm));
        assert_eq!(chosen(&["app.wat", "other.wat"], &[]), Ok(Buildpack::Wasm));
        assert_eq!(chosen(&["index.html"], &[]), Ok(Buildpack::Staticfile));
        assert_eq!(chosen(&["Staticfile"], &[]), Ok(Buildpack::Staticfile));
    }

    #[test]
    fn what_is_asked_for_is_taken() {
        assert_eq!(chosen(&["package.json"], &["staticfile_buildpack"]), Ok(Buildpack::Staticfile));
        assert_eq!(chosen(&[], &["python"]), Ok(Buildpack::Python));
    }

    #[test]
    fn refusals_say_what_to_do() {
        let unknown = chosen(&["package.json"], &["cobol_buildpack"]).unwrap_err();
        assert_eq!(unknown.kind, StagingErrorKind::NoBuildpacksFound);
        assert!(unknown.message.contains("'cobol_buildpack'") && unknown.message.contains("nodejs, python, wasm, staticfile"));
        let nothing = chosen(&["one.wat", "two.wat"], &[]).unwrap_err();
        assert!(nothing.to_string().starts_with("NoAppDetectedError - "));
        assert!(nothing.message.contains("package.json") && nothing.message.contains("index.html"));
    }
}
