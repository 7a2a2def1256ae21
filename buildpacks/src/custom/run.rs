//! The programs of users' buildpacks, run inside of the sandbox with the arguments that Cloud Foundry gives them.

use super::{Job, Order, Outcome, Unpacked};
use crate::{
    child::{entry::say, protocol::StageRequest},
    failure, procfile,
    sandbox::network,
};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    fs, io,
    io::Read as _,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
};
use virga_contract::staging::{StagingError, StagingErrorKind};

/// Most bytes that are read of what `detect` and `release` say.
const SAID_BYTES: u64 = 1 << 20;
/// Most characters of what `detect` said that droplets show.
const DETECT_CHARS: usize = 255;

/// Does the job.
///
/// # Errors
/// Those of Cloud Foundry, by the phase that failed.
pub(crate) fn run(request: &StageRequest, order: &Order) -> Result<Outcome, StagingError> {
    let folders = Folders::new(request, order)?;
    match order.job {
        Job::Detect => detect(order, &folders).map(Outcome::Detected),
        Job::Supply => supply_all(order, &folders, order.buildpacks.len()).map(|()| Outcome::Built),
        Job::Build => build(order, &folders).map(|()| Outcome::Built),
    }
}

struct Folders {
    build: PathBuf,
    cache: PathBuf,
    dependencies: PathBuf,
    profile: PathBuf,
}

impl Folders {
    fn new(request: &StageRequest, order: &Order) -> Result<Self, StagingError> {
        let dependencies = request.work.join("deps");
        let profile = request.app.join(".profile.d");
        let cache = request.cache.join("buildpacks");
        let own = (0..order.buildpacks.len()).map(|index| dependencies.join(place(index, order.buildpacks.len())));
        own.chain([cache.clone()]).try_for_each(fs::create_dir_all).map_err(|error| failure::internal("make a folder", &error))?;
        Ok(Self { build: request.app.clone(), cache, dependencies, profile })
    }

    /// A cache of its own for each buildpack, whichever others an app names.
    fn cache_of(&self, buildpack: &Unpacked) -> Result<PathBuf, StagingError> {
        let name: String = virga_model::Sha256Digest::of(buildpack.name.as_bytes()).to_string().chars().take(32).collect();
        let folder = self.cache.join(name);
        fs::create_dir_all(&folder).map_err(|error| failure::internal("make a folder", &error))?;
        Ok(folder)
    }
}

/// A buildpack's folder among the dependencies: its place, as wide as the last one's.
fn place(index: usize, count: usize) -> String {
    format!("{index:0width$}", width = count.saturating_sub(1).to_string().len())
}

fn detect(order: &Order, folders: &Folders) -> Result<Option<(usize, String)>, StagingError> {
    for (index, buildpack) in order.buildpacks.iter().enumerate() {
        if !has(buildpack, "detect") {
            continue;
        }
        let (status, said) = ask(order, buildpack, "detect", &[&folders.build])?;
        if status.success() {
            let said = String::from_utf8_lossy(&said).trim().replace(char::is_control, " ").chars().take(DETECT_CHARS).collect();
            return Ok(Some((index, said)));
        }
    }
    Ok(None)
}

fn supply_all(order: &Order, folders: &Folders, count: usize) -> Result<(), StagingError> {
    for (index, buildpack) in order.buildpacks.iter().take(count).enumerate() {
        if !has(buildpack, "supply") {
            return Err(failure::compile(format!(
                "the buildpack '{}' has no bin/supply and can only be the last one; name it last, or leave it out",
                buildpack.name
            )));
        }
        supply(order, folders, index, buildpack)?;
    }
    Ok(())
}

fn supply(order: &Order, folders: &Folders, index: usize, buildpack: &Unpacked) -> Result<(), StagingError> {
    let cache = folders.cache_of(buildpack)?;
    let index = place(index, order.buildpacks.len());
    perform(order, buildpack, "supply", &[&folders.build, &cache, &folders.dependencies, Path::new(&index)])
}

fn build(order: &Order, folders: &Folders) -> Result<(), StagingError> {
    let Some((last, others)) = order.buildpacks.split_last() else { return Err(failure::internal("stage", &"no buildpack is named")) };
    supply_all(order, folders, others.len())?;
    let cache = folders.cache_of(last)?;
    if has(last, "supply") {
        supply(order, folders, others.len(), last)?;
    }
    if has(last, "finalize") {
        let index = place(others.len(), order.buildpacks.len());
        let arguments = [&folders.build, &cache, &folders.dependencies, Path::new(&index), &folders.profile];
        perform(order, last, "finalize", &arguments)?;
    } else if has(last, "compile") {
        perform(order, last, "compile", &[&folders.build, &cache])?;
    } else if !has(last, "supply") {
        return Err(failure::compile(format!("the buildpack '{}' has neither bin/finalize nor bin/compile", last.name)));
    }
    let released = release(order, folders, last)?;
    take_over(&folders.build, released)
}

fn has(buildpack: &Unpacked, program: &str) -> bool {
    buildpack.folder.join("bin").join(program).is_file()
}

fn command(order: &Order, buildpack: &Unpacked, program: &str, arguments: &[&Path], folder: &Path) -> Command {
    let mut command = Command::new(buildpack.folder.join("bin").join(program));
    command
        .args(arguments)
        .current_dir(folder)
        .envs(network::environment())
        .envs(&order.environment)
        .env("BUILDPACK_DIR", &buildpack.folder);
    command.stdin(Stdio::null());
    command
}

/// A phase whose output is the app's log.
fn perform(order: &Order, buildpack: &Unpacked, program: &str, arguments: &[&Path]) -> Result<(), StagingError> {
    let folder = arguments.first().copied().unwrap_or(&buildpack.folder);
    let ended = command(order, buildpack, program, arguments, folder).status();
    let ended = ended.map_err(|error| not_started(buildpack, program, &error))?;
    if ended.success() {
        return Ok(());
    }
    Err(failure::compile(format!(
        "App staging failed in the buildpack compile phase: bin/{program} of '{}' ended with {ended}; its output stands in the log above",
        buildpack.name
    )))
}

/// A phase whose output is its answer.
fn ask(order: &Order, buildpack: &Unpacked, program: &str, arguments: &[&Path]) -> Result<(ExitStatus, Vec<u8>), StagingError> {
    let folder = arguments.first().copied().unwrap_or(&buildpack.folder);
    let talk = || {
        let mut child = command(order, buildpack, program, arguments, folder).stdout(Stdio::piped()).spawn()?;
        let mut said = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            stdout.take(SAID_BYTES).read_to_end(&mut said)?;
        }
        Ok((child.wait()?, said))
    };
    talk().map_err(|error| not_started(buildpack, program, &error))
}

fn not_started(buildpack: &Unpacked, program: &str, error: &io::Error) -> StagingError {
    failure::compile(format!(
        "bin/{program} of the buildpack '{}' cannot be run: {error}. Is it a script whose first line names a program of the platform's machine?",
        buildpack.name
    ))
}

/// What `bin/release` says, as far as it means something here.
#[derive(Debug, Default, Deserialize)]
struct Release {
    #[serde(default)]
    default_process_types: Option<BTreeMap<String, String>>,
}

fn release(order: &Order, folders: &Folders, buildpack: &Unpacked) -> Result<BTreeMap<String, String>, StagingError> {
    let failed = |reason: String| {
        failure::of(
            StagingErrorKind::ReleaseFailed,
            format!("App staging failed in the buildpack release phase: bin/release of '{}' {reason}", buildpack.name),
        )
    };
    if !has(buildpack, "release") {
        return Ok(BTreeMap::new());
    }
    let (status, said) = ask(order, buildpack, "release", &[&folders.build])?;
    if !status.success() {
        return Err(failed(format!("ended with {status}")));
    }
    let text = String::from_utf8(said).map_err(|_| failed("printed something that is not text".into()))?;
    if text.trim().is_empty() {
        return Ok(BTreeMap::new());
    }
    let release: Option<Release> =
        serde_yaml_ng::from_str(&text).map_err(|error| failed(format!("printed YAML that cannot be read: {error}")))?;
    Ok(release.unwrap_or_default().default_process_types.unwrap_or_default())
}

/// Writes the process types to the Procfile, where those of the app itself stand above them; and puts the program that the web
/// process names where the `wasm` buildpack looks for it.
fn take_over(app: &Path, mut types: BTreeMap<String, String>) -> Result<(), StagingError> {
    types.extend(procfile::read(app));
    let failed = |error: io::Error| failure::internal("take the buildpack's result over", &error);
    let program = types.get("web").and_then(|command| command.split_whitespace().next()).map(|word| word.trim_start_matches("./"));
    if let Some(program) = program.filter(|program| program.ends_with(".wasm") && *program != "app.wasm") {
        let inside = Path::new(program).components().all(|part| matches!(part, std::path::Component::Normal(_)));
        if !inside || !app.join(program).is_file() {
            return Err(failure::compile(format!("the web process is to be '{program}', which is no file of the built app")));
        }
        say(&format!("The web process is {program}"));
        fs::rename(app.join(program), app.join("app.wasm")).map_err(failed)?;
    }
    if types.is_empty() {
        return Ok(());
    }
    let lines: String = types.iter().map(|(name, command)| format!("{name}: {}\n", command.replace(['\n', '\r'], " "))).collect();
    // A link would lead the text elsewhere.
    let procfile = app.join("Procfile");
    match fs::remove_file(&procfile) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => fs::write(procfile, lines).map_err(failed)?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_as_wide_as_the_last() {
        assert_eq!((place(0, 1), place(3, 4), place(3, 11)), ("0".into(), "3".into(), "03".into()));
    }

    #[test]
    fn the_apps_own_process_types_stand_above_the_buildpacks() {
        let app = tempfile::tempdir().unwrap();
        fs::create_dir(app.path().join("bin")).unwrap();
        fs::write(app.path().join("bin/server.wasm"), "bits").unwrap();
        fs::write(app.path().join("Procfile"), "worker: own\n").unwrap();
        let types = [("web", "./bin/server.wasm --all"), ("worker", "theirs")].map(|(name, command)| (name.to_owned(), command.to_owned()));
        take_over(app.path(), types.into()).unwrap();
        assert_eq!(fs::read(app.path().join("app.wasm")).unwrap(), b"bits");
        let types = procfile::read(app.path());
        assert_eq!((types["web"].as_str(), types["worker"].as_str()), ("./bin/server.wasm --all", "own"));
        let climbing = BTreeMap::from([("web".to_owned(), "../../etc/x.wasm".to_owned())]);
        assert!(take_over(app.path(), climbing).unwrap_err().message.contains("no file of the built app"));
    }
}
