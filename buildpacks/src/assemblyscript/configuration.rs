//! The compiler's settings: the app's own, over those of the shim for WASI.

use crate::failure;
use serde_json::{Value, json};
use std::{fs, io, path::Path};
use virga_contract::staging::StagingError;

const FILE: &str = "asconfig.json";
/// Where the shim lies in the app: among its packages, or where the toolchain's is put.
const AMONG_PACKAGES: &str = "node_modules/@assemblyscript/wasi-shim";
const PUT: &str = ".virga-wasi-shim";
/// What the compiler is given where the settings name nothing.
const USUAL: [&str; 4] = ["assembly/index.ts", "index.ts", "main.ts", "src/index.ts"];

/// What is left to say on the command line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) entry: Option<&'static str>,
}

/// Makes asconfig.json stand on the shim, which is put into the app's folder if it has none.
///
/// # Errors
/// Where the settings are no JSON or stand on something else, and when the platform cannot write.
pub(super) fn settle(app: &Path, shim: &Path) -> Result<Plan, StagingError> {
    let unwritten = |error: io::Error| failure::internal("prepare the compiler", &error);
    let mut settings = read(app)?;
    let has_own = app.join(AMONG_PACKAGES).join(FILE).is_file();
    let base = if has_own { AMONG_PACKAGES } else { PUT };
    let stands_on = settings.get("extends").and_then(Value::as_str).map(str::to_owned);
    match stands_on {
        Some(other) if !other.contains("wasi-shim") => {
            return Err(failure::compile(format!(
                "asconfig.json extends {other}, which stands where the settings for WASI have to; let it extend ./{AMONG_PACKAGES}/asconfig.json, or nothing"
            )));
        }
        Some(_) if has_own => {}
        _ => {
            if !has_own {
                crate::files::copy_tree(shim, &app.join(PUT), &|path| path.starts_with("media")).map_err(unwritten)?;
            }
            if let Some(settings) = settings.as_object_mut() {
                settings.insert("extends".into(), json!(format!("./{base}/{FILE}")));
            }
            fs::write(app.join(FILE), settings.to_string()).map_err(unwritten)?;
        }
    }
    if settings.get("entries").and_then(Value::as_array).is_some_and(|entries| !entries.is_empty()) {
        return Ok(Plan { entry: None });
    }
    let entry = USUAL.into_iter().find(|name| app.join(name).is_file());
    entry.map(|name| Plan { entry: Some(name) }).ok_or_else(|| {
        failure::compile(format!(
            "no file to compile was found (tried {}); name it in asconfig.json: \"entries\": [\"FILE.ts\"]",
            USUAL.join(", ")
        ))
    })
}

fn read(app: &Path) -> Result<Value, StagingError> {
    let text = match fs::read(app.join(FILE)) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(json!({})),
        Err(error) => return Err(failure::internal("read asconfig.json", &error)),
    };
    match serde_json::from_slice(&text) {
        Ok(Value::Object(settings)) => Ok(Value::Object(settings)),
        Ok(_) => Err(failure::compile("asconfig.json is no JSON object")),
        Err(error) => Err(failure::compile(format!("asconfig.json cannot be read: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::app;

    fn settled(files: &[(&str, &str)]) -> (Result<Plan, StagingError>, String) {
        let (app, shim) = (app(files), app(&[(FILE, "{}"), ("assembly/wasi_process.ts", "")]));
        let plan = settle(app.path(), shim.path());
        let put = app.path().join(PUT).join("assembly/wasi_process.ts").is_file();
        let extends = read(app.path()).ok().and_then(|settings| settings.get("extends")?.as_str().map(str::to_owned));
        (plan, format!("{} {put}", extends.unwrap_or_default()))
    }

    #[test]
    fn settings_stand_on_the_shim_of_the_app_or_of_the_toolchain() {
        let own = ("node_modules/@assemblyscript/wasi-shim/asconfig.json", "{}");
        let extends = r#"{"extends":"./node_modules/@assemblyscript/wasi-shim/asconfig.json","entries":["a.ts"]}"#;
        assert_eq!(settled(&[(FILE, extends)]), (Ok(Plan { entry: None }), "./.virga-wasi-shim/asconfig.json true".into()));
        let kept = "./node_modules/@assemblyscript/wasi-shim/asconfig.json false";
        assert_eq!(settled(&[(FILE, extends), own]), (Ok(Plan { entry: None }), kept.into()));
        let usual = Ok(Plan { entry: Some("assembly/index.ts") });
        assert_eq!(settled(&[("assembly/index.ts", ""), own]), (usual, kept.into()));
    }

    #[test]
    fn settings_that_cannot_be_used_are_named() {
        for (settings, said) in [
            ("[]", "no JSON object"),
            ("{", "cannot be read"),
            (r#"{"extends":"./other.json"}"#, "./other.json"),
            ("{}", "assembly/index.ts"),
        ] {
            let (plan, _) = settled(&[(FILE, settings)]);
            assert!(plan.unwrap_err().message.contains(said), "{settings}");
        }
    }
}
