//! Installs toolchains before anybody pushes, so that staging works without a network.

use crate::{StagingLimits, buildpack, log::StagingLog, toolchain::Toolchains};
use std::{fs, io, path::PathBuf, sync::Arc, time::Instant};
use virga_contract::logs::LogSink;
use virga_model::AppGuid;

/// How it went with one buildpack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filled {
    /// The buildpack's name.
    pub name: &'static str,
    /// Folders of its toolchains, in the order in which they are used; none for a buildpack that needs none.
    pub folders: Result<Vec<PathBuf>, String>,
    /// How long it took, milliseconds; next to nothing where all was there.
    pub took_ms: u64,
}

/// Installs the toolchains of these buildpacks (of all, where none is named) into a folder, as staging would. A running platform that
/// uses the same folder is not disturbed: of two that install the same, one waits. To be called by the platform's own program: it is run
/// where a toolchain needs it.
///
/// # Errors
/// When the folder cannot be made, or a name is no buildpack's; what cannot be installed is in the result.
pub async fn fill_toolchains(
    folder: PathBuf,
    limits: StagingLimits,
    names: &[String],
    output: Arc<dyn LogSink>,
) -> io::Result<Vec<Filled>> {
    if let Some(unknown) = names.iter().find(|name| buildpack::named(name).is_none()) {
        let known: Vec<_> = buildpack::ALL.iter().map(|buildpack| buildpack.name).collect();
        let reason = format!("there is no buildpack '{unknown}'; there are {}", known.join(", "));
        return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
    }
    fs::create_dir_all(&folder)?;
    let program = PathBuf::from("/proc/self/exe");
    let toolchains = Toolchains::new(folder.canonicalize()?, program, limits);
    let log = StagingLog::new(AppGuid::random(), output);
    let mut filled = Vec::new();
    for buildpack in buildpack::ALL.iter().filter(|buildpack| names.is_empty() || names.iter().any(|name| name == buildpack.name)) {
        let begun = Instant::now();
        let folders = toolchains.ensure_all(buildpack.toolchains, &log).await;
        let in_order = |mut found: std::collections::BTreeMap<String, PathBuf>| {
            buildpack.toolchains.iter().filter_map(|toolchain| found.remove(toolchain.name)).collect()
        };
        filled.push(Filled {
            name: buildpack.name,
            folders: folders.map(in_order).map_err(|error| error.message),
            took_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        });
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use virga_contract::logs::Envelope;

    struct Nowhere;
    impl LogSink for Nowhere {
        fn emit(&self, _: Envelope) {}
    }

    #[tokio::test]
    async fn names_are_checked_before_anything_is_installed() {
        let folder = tempfile::tempdir().unwrap();
        let fill = async |name: &str| {
            let names = [name.to_owned()];
            fill_toolchains(folder.path().join("toolchains"), StagingLimits::default(), &names, Arc::new(Nowhere)).await
        };
        let filled = fill("staticfile").await.unwrap();
        assert_eq!((filled.len(), filled[0].name, filled[0].folders.clone()), (1, "staticfile", Ok(Vec::new())));
        assert!(fill("cobol").await.unwrap_err().to_string().contains("no buildpack 'cobol'"));
    }
}
