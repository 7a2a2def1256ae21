//! The buildpacks of ours: how each knows its apps, what it needs, and what it makes of them.

use crate::{build::Built, child::protocol::StageRequest, toolchain::Toolchain};
use std::{fs, path::Path};
use virga_contract::staging::{BuildpackInfo, StagingError};

/// One language, or one kind of app.
pub(crate) struct Buildpack {
    /// As `cf buildpacks` shows it.
    pub(crate) name: &'static str,
    /// Grows with every change that makes other droplets of the same app.
    pub(crate) version: &'static str,
    /// What it looks for, for the developer whose app no buildpack wants.
    pub(crate) looks_for: &'static str,
    /// Whether it wants the app in this folder; looks at names of files, and runs nothing.
    pub(crate) detects: fn(&Path) -> bool,
    /// What must be installed before it can build, in this order: the installation of one may use those before it.
    pub(crate) toolchains: &'static [&'static Toolchain],
    /// Builds the app, inside the staging child. The second argument is the folder that becomes the guest's `/`.
    pub(crate) build: fn(&StageRequest, &Path) -> Result<Built, StagingError>,
}

/// All of them, in order of detection.
pub(crate) const ALL: &[&Buildpack] = &[
    &crate::ruby::BUILDPACK,
    &crate::assemblyscript::BUILDPACK,
    &crate::nodejs::BUILDPACK,
    &crate::python::BUILDPACK,
    &crate::php::BUILDPACK,
    &crate::go::BUILDPACK,
    &crate::rust::BUILDPACK,
    &crate::kotlin::BUILDPACK,
    &crate::scala::BUILDPACK,
    &crate::java::BUILDPACK,
    &crate::perl::BUILDPACK,
    &crate::lua::BUILDPACK,
    &crate::zig::BUILDPACK,
    &crate::c::BUILDPACK,
    &crate::wasm::BUILDPACK,
    &crate::staticfile::BUILDPACK,
];

/// All their toolchains; one that several need comes several times.
pub(crate) fn toolchains() -> impl Iterator<Item = &'static Toolchain> {
    ALL.iter().flat_map(|buildpack| buildpack.toolchains.iter().copied())
}

/// The buildpack of this name.
pub(crate) fn named(name: &str) -> Option<&'static Buildpack> {
    ALL.iter().copied().find(|buildpack| buildpack.name == name)
}

impl Buildpack {
    pub(crate) fn info(&self) -> BuildpackInfo {
        BuildpackInfo { name: self.name, version: self.version }
    }
}

impl std::fmt::Debug for Buildpack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.name, self.version)
    }
}

impl PartialEq for Buildpack {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Buildpack {}

/// Whether a file with one of these extensions lies at the top of the app.
pub(crate) fn has_extension(app: &Path, extensions: &[&str]) -> bool {
    let Ok(entries) = fs::read_dir(app) else { return false };
    entries
        .flatten()
        .any(|entry| entry.path().extension().and_then(|found| found.to_str()).is_some_and(|found| extensions.contains(&found)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_their_own_and_no_version_is_missing() {
        for buildpack in ALL {
            assert_eq!(named(buildpack.name), Some(*buildpack), "two buildpacks are called {}", buildpack.name);
            assert_eq!(buildpack.version.split('.').filter(|part| part.parse::<u32>().is_ok()).count(), 3, "{buildpack:?}");
        }
    }
}
