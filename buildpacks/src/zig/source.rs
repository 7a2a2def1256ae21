//! Of what an app in Zig is built.

use crate::failure;
use std::{
    fs,
    path::{Path, PathBuf},
};
use virga_contract::staging::StagingError;

/// What the compiler is given.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// A build.zig.
    Build {
        /// It asks for the target; one that does not has chosen itself.
        takes_target: bool,
    },
    /// A file that stands for itself.
    File(PathBuf),
}

impl Source {
    /// The command of the compiler.
    pub(super) fn way(&self) -> &'static str {
        match self {
            Self::Build { .. } => "build",
            Self::File(_) => "build-exe",
        }
    }
}

/// build.zig, or one of the usual files, or the only one.
///
/// # Errors
/// Where nothing tells, and when the platform cannot read.
pub(super) fn find(app: &Path) -> Result<Source, StagingError> {
    let script = app.join("build.zig");
    if script.is_file() {
        let text = fs::read(&script).map_err(|error| failure::internal("read build.zig", &error))?;
        return Ok(Source::Build { takes_target: String::from_utf8_lossy(&text).contains("standardTargetOptions") });
    }
    if let Some(usual) = ["main.zig", "src/main.zig"].into_iter().find(|name| app.join(name).is_file()) {
        return Ok(Source::File(usual.into()));
    }
    let entries = fs::read_dir(app).map_err(|error| failure::internal("read the app's folder", &error))?;
    let names = entries.flatten().map(|entry| PathBuf::from(entry.file_name()));
    let mut sources = names.filter(|name| name.extension().is_some_and(|end| end == "zig"));
    match (sources.next(), sources.next()) {
        (Some(only), None) => Ok(Source::File(only)),
        _ => Err(failure::compile(
            "the app has several *.zig files and no build.zig, main.zig or src/main.zig; call the one with the function main: main.zig",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::app;

    fn found(files: &[(&str, &str)]) -> Result<Source, StagingError> {
        find(app(files).path())
    }

    #[test]
    fn build_zig_goes_before_usual_names_and_those_before_the_only_file() {
        let asks = ("build.zig", "b.standardTargetOptions(.{})");
        assert_eq!(found(&[asks, ("main.zig", "")]), Ok(Source::Build { takes_target: true }));
        assert_eq!(found(&[("build.zig", "b.resolveTargetQuery(.{})")]), Ok(Source::Build { takes_target: false }));
        assert_eq!(found(&[("a.zig", ""), ("src/main.zig", "")]), Ok(Source::File("src/main.zig".into())));
        assert_eq!(found(&[("shop.zig", ""), ("notes.txt", "")]), Ok(Source::File("shop.zig".into())));
        assert!(found(&[("a.zig", ""), ("b.zig", "")]).unwrap_err().message.contains("main.zig"));
    }
}
