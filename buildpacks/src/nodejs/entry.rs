//! Where a Node.js app starts.

use crate::{failure, procfile};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    fs,
    path::{Component, Path, PathBuf},
};
use virga_contract::staging::StagingError;

/// The part of package.json that building needs.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Package {
    pub(super) main: Option<String>,
    pub(super) scripts: BTreeMap<String, String>,
    pub(crate) dependencies: BTreeMap<String, String>,
    #[serde(rename = "devDependencies")]
    pub(crate) development: BTreeMap<String, String>,
    pub(super) workspaces: Option<serde_json::Value>,
    /// Whether those for development are installed as well: compilers are among them.
    #[serde(skip)]
    pub(crate) is_built_with_development: bool,
}

/// Names tried when the app names no start itself.
const USUAL: [&str; 14] = [
    "server.js",
    "index.js",
    "app.js",
    "main.js",
    "server.mjs",
    "index.mjs",
    "index.ts",
    "server.ts",
    "src/index.js",
    "src/index.ts",
    "src/server.js",
    "src/server.ts",
    "src/main.js",
    "src/main.ts",
];
const EXTENSIONS: [&str; 8] = ["js", "mjs", "cjs", "ts", "mts", "cts", "jsx", "tsx"];

pub(crate) fn read_package(app: &Path) -> Result<Package, StagingError> {
    let text = fs::read_to_string(app.join("package.json"))
        .map_err(|_| failure::compile("the app has no package.json; add one (npm init) or choose another buildpack with -b"))?;
    serde_json::from_str(&text).map_err(|error| failure::compile(format!("package.json cannot be read: {error}")))
}

/// The file that starts the app: from the Procfile's `web`, from `scripts.start`, from `main`, or a usual name.
pub(super) fn find(app: &Path, package: &Package) -> Result<PathBuf, StagingError> {
    let commands = [procfile::read(app).remove("web"), package.scripts.get("start").cloned()];
    let named = commands.iter().flatten().find_map(|command| command.split_whitespace().find_map(|word| existing(app, word)));
    let main = || {
        package.main.as_deref().and_then(|main| {
            existing(app, main).or_else(|| existing(app, &format!("{main}.js"))).or_else(|| existing(app, &format!("{main}/index.js")))
        })
    };
    named.or_else(main).or_else(|| USUAL.iter().find_map(|name| existing(app, name))).ok_or_else(|| {
        failure::compile(format!(
            "no file to start the app with was found; name it as \"main\" in package.json, in its start script, or in a Procfile (web: node server.js). Tried also {}",
            USUAL.join(", ")
        ))
    })
}

/// The file if it is one of the app's and a program.
fn existing(app: &Path, name: &str) -> Option<PathBuf> {
    let path = Path::new(name);
    let inside = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    let is_program = path.extension().and_then(|found| found.to_str()).is_some_and(|found| EXTENSIONS.contains(&found));
    let file = app.join(path.strip_prefix("./").unwrap_or(path));
    (inside && is_program && file.is_file()).then_some(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(package: &str, files: &[&str]) -> Result<String, StagingError> {
        let app = tempfile::tempdir().unwrap();
        fs::write(app.path().join("package.json"), package).unwrap();
        for file in files {
            fs::create_dir_all(app.path().join(file).parent().unwrap()).unwrap();
            fs::write(app.path().join(file), "").unwrap();
        }
        find(app.path(), &read_package(app.path())?).map(|found| found.strip_prefix(app.path()).unwrap().display().to_string())
    }

    #[test]
    fn the_apps_own_word_comes_first() {
        let both = r#"{"main":"lib/main.js","scripts":{"start":"NODE_ENV=production node --no-warnings ./bin/www.js"}}"#;
        assert_eq!(start(both, &["bin/www.js", "lib/main.js"]).unwrap(), "bin/www.js");
        assert_eq!(start(both, &["lib/main.js", "index.js"]).unwrap(), "lib/main.js");
        assert_eq!(start(r#"{"main":"lib"}"#, &["lib/index.js"]).unwrap(), "lib/index.js");
        assert_eq!(start("{}", &["src/index.ts"]).unwrap(), "src/index.ts");
    }

    #[test]
    fn refusals_say_what_to_do() {
        assert!(start("{}", &[]).unwrap_err().message.contains("name it as \"main\" in package.json"));
        assert!(start("{", &["index.js"]).unwrap_err().message.contains("package.json cannot be read"));
        assert!(start(r#"{"main":"../../etc/x.js"}"#, &[]).is_err());
    }
}
