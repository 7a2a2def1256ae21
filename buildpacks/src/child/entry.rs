//! The children's side: what `virga stage` and `virga compile` do.

use crate::{
    build::{self, Built},
    buildpack,
    child::protocol::{ChildLimits, Confinement, StageRequest, StageResult},
    custom, failure, procfile, sandbox, snapshot,
};
use rustix::process::{Resource, Rlimit, setrlimit};
use std::{ffi::OsString, fs, path::Path, process::ExitCode, time::Instant};
use virga_contract::staging::{StagingError, UsedBuildpack};
use virga_model::Sha256Digest;

/// Extension of the list of shared code beside the compiled component.
pub(crate) const SHARED_LIST: &str = "shared";

/// `virga stage <request.json>`: builds an app; called by the platform only. The outcome is in the result file the request
/// names; the exit code only says whether there is one. `virga stage confined <sandbox.json>` makes the sandbox in which it
/// becomes the former, `virga stage snapshot <order.json>` takes the snapshot of a program for tools of the former.
#[must_use]
pub fn run_stage_child(arguments: &[OsString]) -> ExitCode {
    let request = match arguments {
        [request] => request,
        [word, order] if word == "snapshot" => {
            return match snapshot::follow(Path::new(order)) {
                Ok(()) => ExitCode::SUCCESS,
                Err(reason) => {
                    complain(&reason);
                    ExitCode::FAILURE
                }
            };
        }
        [word, order] if word == "confined" => {
            complain(&format!("the sandbox cannot be entered: {}", sandbox::enter(Path::new(order))));
            return ExitCode::FAILURE;
        }
        _ => return ExitCode::from(2),
    };
    let request: StageRequest = match fs::read(request).and_then(|json| serde_json::from_slice(&json).map_err(std::io::Error::other)) {
        Ok(request) => request,
        Err(error) => {
            complain(&format!("the staging's request cannot be read: {error}"));
            return ExitCode::from(2);
        }
    };
    limit_self(request.limits);
    if let Err(error) = confine_self(&request) {
        complain(&format!("the staging cannot be confined: {error}"));
        return ExitCode::FAILURE;
    }
    let result = stage(&request).unwrap_or_else(StageResult::Failed);
    let written = serde_json::to_vec(&result).map_err(std::io::Error::other).and_then(|json| fs::write(&request.result, json));
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("the staging's result cannot be written: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// `virga compile <in.wasm> <out> <function cache> <folder of shared code>…`: precompiles a component; called by the platform only. A
/// reason for failure goes to stderr. What code of those folders it shares stands then, a digest in each line, in the file `<out>.shared`.
/// `virga compile engine <toolchain> <folder>` does the same for the engine of a toolchain in its folder.
#[must_use]
pub fn run_compile_child(arguments: &[OsString]) -> ExitCode {
    limit_self(ChildLimits { file_bytes: 4 << 30, cpu_seconds: 3600 });
    if let [word, toolchain, folder] = arguments
        && word == "engine"
    {
        return match snapshot::prepare(toolchain, Path::new(folder)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(reason) => {
                complain(&reason);
                ExitCode::FAILURE
            }
        };
    }
    let [component, out, cache, shared @ ..] = arguments else { return ExitCode::from(2) };
    let shared: Vec<&Path> = shared.iter().map(Path::new).collect();
    let (component, out, cache) = (Path::new(component), Path::new(out), Path::new(cache));
    let readable: Vec<&Path> = shared.iter().copied().chain([component]).collect();
    let folders: Vec<&Path> = out.parent().into_iter().chain([cache]).collect();
    if let Err(error) = sandbox::lock_self(&readable, &folders) {
        complain(&format!("the compiler cannot be confined: {error}"));
        return ExitCode::FAILURE;
    }
    match compile(component, out, cache, &shared) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            complain(&reason);
            ExitCode::FAILURE
        }
    }
}

fn compile(component: &Path, out: &Path, cache: &Path, shared: &[&Path]) -> Result<(), String> {
    let engine = virga_engine::for_compiling(Some(cache)).map_err(|error| error.to_string())?;
    let bytes = fs::read(component).map_err(|error| error.to_string())?;
    let is_there = |code: &Sha256Digest| shared.iter().any(|folder| folder.join(code.to_string()).is_file());
    let compiled = virga_engine::compile(&engine, &bytes, is_there).map_err(|error| error.to_string())?;
    let list: Vec<String> = compiled.shared.iter().map(ToString::to_string).collect();
    fs::write(out.with_extension(SHARED_LIST), list.join("\n")).map_err(|error| error.to_string())?;
    fs::write(out, compiled.code).map_err(|error| error.to_string())
}

fn complain(reason: &str) {
    use std::io::Write as _;
    // Nothing is left to do where even stderr is gone.
    let _written = writeln!(std::io::stderr(), "{reason}");
}

/// Limits that every process of the group inherits. What cannot be lowered was lower already.
fn limit_self(limits: ChildLimits) {
    let bounds = [(Resource::Fsize, limits.file_bytes), (Resource::Cpu, limits.cpu_seconds), (Resource::Core, 0), (Resource::Nofile, 4096)];
    for (resource, bound) in bounds {
        let _lowered = setrlimit(resource, Rlimit { current: Some(bound), maximum: Some(bound) });
    }
    // Should the platform be killed, its children go too.
    let _tied = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
}

fn confine_self(request: &StageRequest) -> std::io::Result<()> {
    match request.confinement {
        Confinement::None => Ok(()),
        Confinement::Own => sandbox::lock_self(&[], &[&request.app, &request.work]),
        Confinement::Sandbox => request.network.iter().try_for_each(sandbox::network::begin_inside),
    }
}

fn stage(request: &StageRequest) -> Result<StageResult, StagingError> {
    procfile::check(&request.app)?;
    if let Some(order) = &request.custom {
        return custom::run(request, order).map(StageResult::Custom);
    }
    let files = request.work.join("files");
    let begun = Instant::now();
    let buildpack = buildpack::named(&request.buildpack).ok_or_else(|| failure::internal("find the buildpack", &request.buildpack))?;
    let built = (buildpack.build)(request, &files)?;
    let build_ms = milliseconds(begun);
    for note in &built.notes {
        say(note);
    }
    let begun = Instant::now();
    let manifest = build::package(buildpack, &built, procfile::read(&request.app), &files, &request.droplet)?;
    keep_component(&built, request)?;
    Ok(StageResult::Staged {
        guest: manifest.guest,
        process_types: manifest.process_types,
        imports: manifest.imports,
        buildpack: UsedBuildpack {
            name: buildpack.name.into(),
            buildpack_name: buildpack.name.into(),
            detect_output: built.detect_output,
            version: buildpack.version.into(),
        },
        steps: vec![("build".into(), build_ms), ("package".into(), milliseconds(begun))],
    })
}

/// The component beside the droplet, so that compiling it need not unpack the archive.
fn keep_component(built: &Built, request: &StageRequest) -> Result<(), StagingError> {
    match &built.component {
        Some(component) => {
            fs::write(request.work.join("app.wasm"), component).map_err(|error| failure::internal("write the component", &error))
        }
        None => Ok(()),
    }
}

fn milliseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// One line of the child's output, which the platform shows in the app's log.
pub(crate) fn say(line: &str) {
    use std::io::Write as _;
    // The platform reads until we end; where it is gone, nobody listens.
    let _written = writeln!(std::io::stdout(), "{line}");
}
