//! Which version of the compiler an app wants.

use serde_json::Value;
use std::{fs, path::Path};

/// The toolchain's.
pub(super) const OURS: &str = "0.28.9";

/// Whether the toolchain's version is one that this requirement of a package.json takes.
pub(super) fn is_ours(requirement: &str) -> bool {
    let requirement = requirement.trim();
    if matches!(requirement, "" | "*" | "latest") || requirement == OURS {
        return true;
    }
    let parts = |version: &str| version.split('.').map(|part| part.parse::<u32>().ok()).collect::<Option<Vec<_>>>();
    // For versions before 1.0 both signs let only the last number grow.
    let Some(least) = requirement.strip_prefix(['^', '~']).and_then(parts) else { return false };
    match (least.as_slice(), parts(OURS).as_deref()) {
        ([major, minor, patch], Some([ours_major, ours_minor, ours_patch])) => {
            major == ours_major && minor == ours_minor && patch <= ours_patch
        }
        _ => false,
    }
}

/// What the app's lock file names.
pub(super) fn locked(app: &Path) -> Option<String> {
    let text = ["package-lock.json", "npm-shrinkwrap.json"].into_iter().find_map(|name| fs::read(app.join(name)).ok())?;
    let lock: Value = serde_json::from_slice(&text).ok()?;
    lock.pointer("/packages/node_modules~1assemblyscript/version")?.as_str().map(str::to_owned)
}

/// That of an installed compiler.
pub(super) fn of(compiler: &Path) -> Option<String> {
    let text = fs::read(compiler.join("package.json")).ok()?;
    serde_json::from_slice::<Value>(&text).ok()?.get("version")?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_reach_the_toolchains_version_are_told_from_others() {
        for taken in ["^0.28.0", "~0.28.3", "0.28.9", "*", "latest"] {
            assert!(is_ours(taken), "{taken}");
        }
        for other in ["0.28.8", "^0.27.31", "^0.28.10", "^1.0.0", ">=0.20", "github:x/y", "^0.28"] {
            assert!(!is_ours(other), "{other}");
        }
    }

    #[test]
    fn the_lock_file_names_one_version() {
        let app = tempfile::tempdir().unwrap();
        assert_eq!(locked(app.path()), None);
        let lock = r#"{"packages":{"":{},"node_modules/assemblyscript":{"version":"0.27.31"}}}"#;
        fs::write(app.path().join("package-lock.json"), lock).unwrap();
        assert_eq!(locked(app.path()).as_deref(), Some("0.27.31"));
    }
}
