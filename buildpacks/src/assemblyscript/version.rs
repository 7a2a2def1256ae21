//! Which version of the compiler an app wants.

use crate::failure;
use nodejs_semver::{Range, Version};
use serde_json::Value;
use std::{fs, io, path::Path};
use virga_contract::staging::StagingError;

/// The toolchain's.
pub(super) const OURS: &str = "0.28.9";

/// Whether the toolchain's version is one that this requirement of a package.json takes. A tag of the registry other than `latest`,
/// an address or a path names something else.
pub(super) fn is_ours(requirement: &str) -> bool {
    let requirement = requirement.trim();
    if requirement == "latest" {
        return true;
    }
    match (Range::parse(requirement), Version::parse(OURS)) {
        (Ok(range), Ok(ours)) => range.satisfies(&ours),
        _ => false,
    }
}

/// What the app's lock file names.
///
/// # Errors
/// Where there is one that cannot be read.
pub(super) fn locked(app: &Path) -> Result<Option<String>, StagingError> {
    // npm itself reads the second first.
    for name in ["npm-shrinkwrap.json", "package-lock.json"] {
        let text = match fs::read(app.join(name)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(failure::compile(format!("{name} cannot be read: {error}"))),
        };
        let lock: Value = serde_json::from_slice(&text).map_err(|error| failure::compile(format!("{name} cannot be read: {error}")))?;
        let version = lock.pointer("/packages/node_modules~1assemblyscript/version").and_then(Value::as_str);
        return Ok(version.map(str::to_owned));
    }
    Ok(None)
}

/// That of an installed compiler.
///
/// # Errors
/// Where its package.json does not tell.
pub(super) fn of(compiler: &Path) -> Result<String, StagingError> {
    let untold = |reason: String| failure::compile(format!("assemblyscript/package.json does not tell the compiler's version: {reason}"));
    let text = fs::read(compiler.join("package.json")).map_err(|error| untold(error.to_string()))?;
    let package: Value = serde_json::from_slice(&text).map_err(|error| untold(error.to_string()))?;
    let version = package.get("version").and_then(Value::as_str);
    version.map(str::to_owned).ok_or_else(|| untold("it has none".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::app;

    #[test]
    fn ranges_that_reach_the_toolchains_version_are_told_from_others() {
        for taken in
            ["^0.28.0", "~0.28.3", "0.28.9", "=0.28.9", "*", "", "latest", "^0.28", "0.28.x", ">=0.20", ">=0.28.2 <0.29", "0.27 || 0.28"]
        {
            assert!(is_ours(taken), "{taken}");
        }
        for other in ["0.28.8", "^0.27.31", "^0.28.10", "^1.0.0", "<0.28", "^0.27 || ^0.29", "github:x/y", "next", "file:../compiler"] {
            assert!(!is_ours(other), "{other}");
        }
    }

    #[test]
    fn a_compiler_tells_its_version_or_is_refused() {
        assert_eq!(of(app(&[("package.json", r#"{"version":"0.27.1"}"#)]).path()), Ok("0.27.1".to_owned()));
        for broken in [&[("package.json", "{}")][..], &[("package.json", "{")], &[]] {
            assert!(of(app(broken).path()).unwrap_err().message.contains("does not tell the compiler's version"), "{broken:?}");
        }
    }

    #[test]
    fn the_lock_file_names_one_version() {
        assert_eq!(locked(app(&[]).path()), Ok(None));
        let lock = r#"{"packages":{"":{},"node_modules/assemblyscript":{"version":"0.27.31"}}}"#;
        let other = ("npm-shrinkwrap.json", r#"{"packages":{}}"#);
        assert_eq!(locked(app(&[("package-lock.json", lock)]).path()), Ok(Some("0.27.31".to_owned())));
        assert_eq!(locked(app(&[("package-lock.json", lock), other]).path()), Ok(None));
        let broken = locked(app(&[("package-lock.json", "{")]).path()).unwrap_err().message;
        assert!(broken.contains("package-lock.json cannot be read"), "{broken}");
    }
}
