//! Which buildpack builds an app.

use crate::{
    buildpack::{self, Buildpack},
    failure,
};
use std::path::Path;
use virga_contract::staging::{OfferedBuildpack, StagedDroplet, StagingError, StagingErrorKind};

/// A buildpack of the platform's list, with what does its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chosen {
    pub builder: &'static Buildpack,
    pub offered: OfferedBuildpack,
}

impl Chosen {
    fn of(offered: &OfferedBuildpack) -> Option<Self> {
        let builder = buildpack::named(&offered.builder)?;
        Some(Self { builder, offered: offered.clone() })
    }

    /// The version that droplets show.
    pub fn version(&self) -> &str {
        self.offered.version.as_deref().unwrap_or(self.builder.version)
    }

    /// Writes name and version of the list into what was staged; `buildpack_name` stays the builder's.
    pub fn sign(&self, mut staged: StagedDroplet) -> StagedDroplet {
        for used in &mut staged.buildpacks {
            used.name.clone_from(&self.offered.name);
            self.version().clone_into(&mut used.version);
        }
        staged
    }

    fn detects(&self, app: &Path) -> bool {
        match self.offered.detect.as_slice() {
            [] => (self.builder.detects)(app),
            files => files.iter().any(|file| app.join(file).is_file()),
        }
    }

    fn looks_for(&self) -> String {
        match self.offered.detect.as_slice() {
            [] => self.builder.looks_for.to_owned(),
            files => files.join(" or "),
        }
    }
}

/// Chooses among the buildpacks that are offered, or takes the one that was asked for.
///
/// # Errors
/// `NoBuildpacksFound` for a name that is not offered, `NoAppDetectedError` when none wants the app.
pub(crate) fn choose(app: &Path, asked: &[String], offered: &[OfferedBuildpack]) -> Result<Chosen, StagingError> {
    let mut offered = offered.iter().filter_map(Chosen::of);
    // Of several buildpacks the last one is the final one, which builds what runs.
    if let Some(name) = asked.last() {
        let names: Vec<_> = offered.clone().map(|one| one.offered.name).collect();
        return offered.find(|one| one.offered.name == *name).ok_or_else(|| {
            failure::of(
                StagingErrorKind::NoBuildpacksFound,
                format!(
                    "there is no buildpack '{name}' here, or it is disabled; there are {}. Name one of them with -b, or none to have it chosen",
                    names.join(", ")
                ),
            )
        });
    }
    let wants: Vec<_> = offered.clone().map(|one| format!("{} looks for {}", one.offered.name, one.looks_for())).collect();
    offered.find(|one| one.detects(app)).ok_or_else(|| {
        failure::of(
            StagingErrorKind::NoAppDetected,
            format!("none of the buildpacks recognises this app: {}. Check that you push the app's own folder (-p)", wants.join("; ")),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn chosen(files: &[&str], asked: &[&str]) -> Result<&'static str, StagingError> {
        let app = tempfile::tempdir().unwrap();
        for file in files {
            fs::write(app.path().join(file), "").unwrap();
        }
        let offered: Vec<_> = buildpack::ALL.iter().map(|builder| offer(builder.name, builder.name, &[])).collect();
        choose(app.path(), &asked.iter().map(ToString::to_string).collect::<Vec<_>>(), &offered).map(|chosen| chosen.builder.name)
    }

    fn offer(name: &str, builder: &str, detect: &[&str]) -> OfferedBuildpack {
        let detect = detect.iter().map(ToString::to_string).collect();
        OfferedBuildpack { name: name.into(), builder: builder.into(), version: None, detect, bits: None }
    }

    #[test]
    fn the_list_decides_order_and_names() {
        let app = tempfile::tempdir().unwrap();
        for file in ["package.json", "index.html", "corp.toml"] {
            fs::write(app.path().join(file), "").unwrap();
        }
        let list = [offer("site", "staticfile", &["corp.toml"]), offer("js", "nodejs", &[])];
        let chosen = choose(app.path(), &[], &list).unwrap();
        assert_eq!((chosen.builder.name, chosen.offered.name.as_str()), ("staticfile", "site"));
        assert_eq!(choose(app.path(), &["js".into()], &list).unwrap().builder.name, "nodejs");
        // What is not on the list (deleted, disabled) is not there.
        let gone = choose(app.path(), &["python".into()], &list).unwrap_err();
        assert!(gone.message.contains("there are site, js"), "{gone}");
        let only = [offer("site", "staticfile", &["other.toml"])];
        assert!(choose(app.path(), &[], &only).unwrap_err().message.contains("site looks for other.toml"));
    }

    #[test]
    fn each_app_has_its_buildpack() {
        assert_eq!(chosen(&["package.json", "index.html"], &[]), Ok("nodejs"));
        assert_eq!(chosen(&["requirements.txt", "app.py"], &[]), Ok("python"));
        assert_eq!(chosen(&["pyproject.toml"], &[]), Ok("python"));
        assert_eq!(chosen(&["Procfile", "main.py"], &[]), Ok("python"));
        assert_eq!(chosen(&["anything.wasm", "README.md"], &[]), Ok("wasm"));
        assert_eq!(chosen(&["app.wat", "other.wat"], &[]), Ok("wasm"));
        assert_eq!(chosen(&["index.html"], &[]), Ok("staticfile"));
        assert_eq!(chosen(&["Staticfile"], &[]), Ok("staticfile"));
    }

    #[test]
    fn what_is_asked_for_is_taken() {
        assert_eq!(chosen(&["package.json"], &["staticfile"]), Ok("staticfile"));
        assert_eq!(chosen(&[], &["python"]), Ok("python"));
    }

    #[test]
    fn refusals_say_what_to_do() {
        let unknown = chosen(&["package.json"], &["cobol_buildpack"]).unwrap_err();
        assert_eq!(unknown.kind, StagingErrorKind::NoBuildpacksFound);
        assert!(unknown.message.contains("'cobol_buildpack'"), "{unknown}");
        assert!(buildpack::ALL.iter().all(|buildpack| unknown.message.contains(buildpack.name)), "{unknown}");
        let nothing = chosen(&["one.wat", "two.wat"], &[]).unwrap_err();
        assert!(nothing.to_string().starts_with("NoAppDetectedError - "));
        assert!(nothing.message.contains("package.json") && nothing.message.contains("index.html"));
    }
}
