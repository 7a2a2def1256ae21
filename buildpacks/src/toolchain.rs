//! Toolchains of languages: installed once per platform, each into a folder of its own that appears whole or not at all.

use crate::{
    buildpack,
    child::{
        command,
        run::{self, Ended, Limit, Watch},
    },
    config::StagingLimits,
    failure,
    log::StagingLog,
    snapshot::Engine,
};
use sha2::{Digest as _, Sha256};
use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};
use virga_contract::staging::StagingError;
use virga_engine::EngineError;

/// In the folder of a toolchain with an engine: the compiled code that its apps share, in files named by the digest of the core module.
pub(crate) const SHARED: &str = "engine.shared";

/// What a language needs before its apps can be built.
pub(crate) struct Toolchain {
    /// `nodejs`, `python`; begins the folder's name.
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    /// Files of ours that go into the folder first.
    pub(crate) files: &'static [(&'static str, &'static str)],
    /// Commands, run in the folder one after the other. `TOOLCHAIN_<NAME>` names the folders of those that came before it.
    pub(crate) commands: &'static [&'static [&'static str]],
    /// Programs that must be there, and how to get them.
    pub(crate) programs: &'static [&'static str],
    pub(crate) how_to_install: &'static str,
    /// What its apps run on, where snapshots are taken of it; prepared when the commands have run.
    pub(crate) engine: Option<&'static Engine>,
}

/// The installed toolchains of a platform.
pub(crate) struct Toolchains {
    folder: PathBuf,
    /// The platform's own program.
    program: PathBuf,
    limits: StagingLimits,
    /// One installation at a time; others that need it wait for it.
    installing: tokio::sync::Mutex<()>,
}

impl Toolchains {
    pub(crate) fn new(folder: PathBuf, program: PathBuf, limits: StagingLimits) -> Self {
        Self { folder, program, limits, installing: tokio::sync::Mutex::new(()) }
    }

    /// The folders of installed toolchains by name, installing first what is missing.
    pub(crate) async fn ensure_all(&self, wanted: &[&Toolchain], log: &StagingLog) -> Result<BTreeMap<String, PathBuf>, StagingError> {
        let mut folders = BTreeMap::new();
        for toolchain in wanted {
            let folder = self.ensure(toolchain, &folders, log).await?;
            folders.insert(toolchain.name.to_owned(), folder);
        }
        Ok(folders)
    }

    /// The folder of one, whose installation may use those that are `there`.
    async fn ensure(&self, toolchain: &Toolchain, there: &BTreeMap<String, PathBuf>, log: &StagingLog) -> Result<PathBuf, StagingError> {
        for program in toolchain.programs {
            if find_program(program).is_none() {
                return Err(failure::compile(format!(
                    "the {} buildpack needs '{program}', which is not on the platform's machine; its operator can install it with: {}",
                    toolchain.name, toolchain.how_to_install
                )));
            }
        }
        let name = folder_name(toolchain).map_err(|error| failure::internal("set up the WebAssembly engine", &error))?;
        let folder = self.folder.join(name);
        if folder.is_dir() {
            return Ok(folder);
        }
        let _turn = self.installing.lock().await;
        let _alone = self.alone(toolchain).await?;
        if folder.is_dir() {
            return Ok(folder);
        }
        log.say(format!("Installing the {} toolchain; this happens once on this platform", toolchain.name));
        let scratch = self.folder.join(format!(".installing-{}", toolchain.name));
        let installed = self.install(toolchain, there, &scratch, log).await;
        let placed =
            installed.and_then(|()| fs::rename(&scratch, &folder).map_err(|error| failure::internal("place the toolchain", &error)));
        if placed.is_err() {
            remove(&scratch);
        }
        placed.map(|()| folder)
    }

    /// Another platform that shares the folder waits for this one's installation to end.
    async fn alone(&self, toolchain: &Toolchain) -> Result<fs::File, StagingError> {
        let path = self.folder.join(format!(".lock-{}", toolchain.name));
        let locked = tokio::task::spawn_blocking(move || {
            let file = fs::File::create(path)?;
            file.lock()?;
            Ok::<_, std::io::Error>(file)
        });
        match locked.await {
            Ok(Ok(file)) => Ok(file),
            Ok(Err(error)) => Err(failure::internal("take a turn at the toolchains", &error)),
            Err(error) => Err(failure::internal("take a turn at the toolchains", &error)),
        }
    }

    async fn install(
        &self,
        toolchain: &Toolchain,
        there: &BTreeMap<String, PathBuf>,
        scratch: &Path,
        log: &StagingLog,
    ) -> Result<(), StagingError> {
        remove(scratch);
        let written = fs::create_dir_all(scratch.join("tmp")).and_then(|()| write_files(toolchain.files, scratch));
        written.map_err(|error| failure::internal("write the toolchain's files", &error))?;
        // The operator's own settings apply (registry, certificates): nothing of any user is in reach of these commands.
        let mut environment: BTreeMap<String, String> = std::env::var("HOME").map(|home| ("HOME".to_owned(), home)).into_iter().collect();
        for (name, folder) in there {
            environment.insert(format!("TOOLCHAIN_{}", name.to_uppercase()), folder.display().to_string());
        }
        for arguments in toolchain.commands {
            let Some((program, arguments)) = arguments.split_first() else { continue };
            let arguments: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
            let command = command::prepare(Path::new(program), &arguments, scratch, &environment);
            let ended = run::run(command, &self.watch(scratch), None).await;
            check(toolchain, program, ended, log)?;
        }
        if toolchain.engine.is_some() {
            let arguments = ["compile", "engine", toolchain.name, "."].map(OsStr::new);
            let command = command::prepare(&self.program, &arguments, scratch, &BTreeMap::new());
            let ended = run::run(command, &self.watch(scratch), None).await;
            check(toolchain, "virga compile engine", ended, log)?;
        }
        Ok(())
    }

    fn watch(&self, scratch: &Path) -> Watch {
        Watch {
            wall: Duration::from_millis(self.limits.toolchain_ms),
            memory_bytes: self.limits.compile_memory_mb << 20,
            processes: self.limits.processes,
            disk_bytes: self.limits.file_bytes,
            disk_folder: scratch.to_owned(),
            cache: None,
            reserve_bytes: self.limits.reserve_bytes,
            output_bytes: self.limits.output_bytes,
            line_bytes: self.limits.output_line_bytes,
        }
    }
}

fn check(toolchain: &Toolchain, program: &str, ended: std::io::Result<Ended>, log: &StagingLog) -> Result<(), StagingError> {
    let again = "push again when that is mended";
    match ended {
        Ok(Ended::Exited { status, .. }) if status.success() => Ok(()),
        Ok(Ended::Exited { status, last_lines }) => {
            for line in &last_lines {
                log.say(line.clone());
            }
            Err(failure::compile(format!(
                "the {} toolchain could not be installed: {program} ended with {status}, its last lines stand above (is the package registry in reach?); {again}",
                toolchain.name
            )))
        }
        Ok(Ended::Stopped(Limit::Wall)) => Err(failure::compile(format!(
            "the {} toolchain could not be installed in time (is the package registry in reach?); {again}",
            toolchain.name
        ))),
        Ok(Ended::Stopped(limit)) => Err(failure::internal("install the toolchain within its limits", &format!("{limit:?}"))),
        Err(error) => Err(failure::internal("start the installation of the toolchain", &error)),
    }
}

fn folder_name(toolchain: &Toolchain) -> Result<String, EngineError> {
    Ok(format!("{}-{}-{}", toolchain.name, toolchain.version, digest(toolchain)?))
}

/// The folders of shared code in those of the buildpack's toolchains that are installed in `folder`.
pub(crate) fn shared(folder: &Path, buildpack: &str) -> Result<Vec<PathBuf>, EngineError> {
    let toolchains = buildpack::named(buildpack).into_iter().flat_map(|buildpack| buildpack.toolchains);
    let with_engine = toolchains.filter(|toolchain| toolchain.engine.is_some());
    let folders = with_engine.map(|toolchain| Ok(folder.join(folder_name(toolchain)?).join(SHARED)));
    folders.filter(|folder| folder.as_ref().is_ok_and(|folder| folder.is_dir()) || folder.is_err()).collect()
}

/// Changes with anything that the toolchain is made of; with the engine, too, where programs are compiled for it.
///
/// # Errors
/// When the engine cannot be set up.
pub(crate) fn digest(toolchain: &Toolchain) -> Result<String, EngineError> {
    let mut hasher = Sha256::new();
    for (name, text) in toolchain.files {
        hasher.update(name);
        hasher.update([0]);
        hasher.update(text);
        hasher.update([0]);
    }
    for word in toolchain.commands.iter().flat_map(|command| command.iter()) {
        hasher.update(word);
        hasher.update([0]);
    }
    if let Some(engine) = toolchain.engine {
        for word in [engine.program, engine.function, engine.code] {
            hasher.update(word);
            hasher.update([0]);
        }
        hasher.update(virga_engine::snapshot::key()?);
    }
    Ok(virga_model::Sha256Digest::from_bytes(hasher.finalize().into()).to_string().chars().take(12).collect())
}

fn write_files(files: &[(&str, &str)], into: &Path) -> std::io::Result<()> {
    for (name, text) in files {
        let path = into.join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, text)?;
    }
    Ok(())
}

/// Removes a folder that may not be there.
pub(crate) fn remove(folder: &Path) {
    let removed = fs::remove_dir_all(folder).or_else(|error| match error.kind() {
        // A build may have closed folders of its own to us.
        std::io::ErrorKind::PermissionDenied => crate::files::open_tree(folder).and_then(|()| fs::remove_dir_all(folder)),
        _ => Err(error),
    });
    if let Err(error) = removed
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(%error, folder = %folder.display(), "staging: a folder could not be removed");
    }
}

/// The program's place on `PATH`.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?).map(|folder| folder.join(name)).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use virga_contract::logs::{Envelope, LogSink};
    use virga_model::AppGuid;

    struct Nowhere;
    impl LogSink for Nowhere {
        fn emit(&self, _: Envelope) {}
    }

    const TOY: Toolchain = Toolchain {
        name: "toy",
        version: "1",
        files: &[("a/b.txt", "hello")],
        commands: &[&["cp", "a/b.txt", "c.txt"]],
        programs: &["cp"],
        how_to_install: "apt-get install coreutils",
        engine: None,
    };

    #[tokio::test]
    async fn an_installation_is_whole_or_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let toolchains = Toolchains::new(folder.path().to_owned(), "/bin/false".into(), StagingLimits::default());
        let log = StagingLog::new(AppGuid::random(), Arc::new(Nowhere));
        let broken = Toolchain { commands: &[&["cp", "a/b.txt", "c.txt"], &["false"]], ..TOY };
        let error = toolchains.ensure_all(&[&broken], &log).await.unwrap_err();
        assert!(error.message.contains("toy toolchain could not be installed"), "{error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().flatten().filter(|entry| entry.path().is_dir()).count(), 0);
        let installed = toolchains.ensure_all(&[&TOY], &log).await.unwrap().remove("toy").unwrap();
        assert_eq!(fs::read(installed.join("c.txt")).unwrap(), b"hello");
        assert_eq!(toolchains.ensure_all(&[&TOY], &log).await.unwrap().remove("toy"), Some(installed));
        let copy = Toolchain { name: "copy", files: &[], commands: &[&["sh", "-c", "cp $TOOLCHAIN_TOY/c.txt d.txt"]], ..TOY };
        let both = toolchains.ensure_all(&[&TOY, &copy], &log).await.unwrap();
        assert_eq!(fs::read(both["copy"].join("d.txt")).unwrap(), b"hello");
    }

    #[tokio::test]
    async fn a_missing_program_is_named_with_how_to_get_it() {
        let folder = tempfile::tempdir().unwrap();
        let toolchains = Toolchains::new(folder.path().to_owned(), "/bin/false".into(), StagingLimits::default());
        let log = StagingLog::new(AppGuid::random(), Arc::new(Nowhere));
        let missing = Toolchain { programs: &["no-such-program"], how_to_install: "apt-get install it", ..TOY };
        let error = toolchains.ensure_all(&[&missing], &log).await.unwrap_err();
        assert!(error.to_string().starts_with("BuildpackCompileFailed - "));
        assert!(error.message.contains("'no-such-program'") && error.message.ends_with("apt-get install it"), "{error}");
    }
}
