//! The libraries of an app: what its pom.xml names, fetched by Maven. The app's own pom is not handed to Maven: its plugins and
//! extensions are programs. A pom with its dependencies alone is.

use super::{TOOLCHAIN, toolchain};
use crate::{child::protocol::StageRequest, failure, tool};
use sha2::{Digest as _, Sha256};
use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};
use virga_contract::staging::StagingError;
use virga_model::{Sha256Digest, droplet::Software};

/// The libraries.
#[derive(Default)]
pub(crate) struct Libraries {
    pub(crate) jars: Vec<PathBuf>,
    pub(crate) software: Vec<Software>,
}

/// Fetches what the app's pom.xml or build.gradle names. An app without either has the jars of its `lib` folder,
/// and a packed web app those of `WEB-INF/lib`.
pub(crate) fn libraries(request: &StageRequest) -> Result<Libraries, StagingError> {
    let build_file =
        ["pom.xml", "build.gradle", "build.gradle.kts", "build.sbt"].iter().map(|name| request.app.join(name)).find(|path| path.is_file());
    let mut libraries = match build_file {
        Some(file) => fetched(request, &file)?,
        None => jars_in(&request.app.join("lib"))?,
    };
    let packed = jars_in(&request.app.join("WEB-INF/lib"))?;
    libraries.jars.extend(packed.jars);
    libraries.software.extend(packed.software);
    let toolchain = request.toolchain(&TOOLCHAIN)?;
    for (beginning, jar) in toolchain::INTERFACES {
        libraries.jars.retain(|found| !found.file_name().is_some_and(|name| name.to_string_lossy().starts_with(beginning)));
        libraries.jars.push(toolchain.join(jar));
    }
    Ok(libraries)
}

fn fetched(request: &StageRequest, file: &Path) -> Result<Libraries, StagingError> {
    let pom = request.work.join("pom.xml");
    let toolchain = request.toolchain(&TOOLCHAIN)?;
    let mut arguments: Vec<OsString> = toolchain::BUILDER_OPTIONS.iter().map(OsString::from).collect();
    arguments.extend([
        "-cp".into(),
        toolchain::BUILDER_CLASS_PATH.into(),
        "Dependencies".into(),
        file.as_os_str().into(),
        pom.as_os_str().into(),
    ]);
    let done = tool::run("java", arguments, toolchain, &[]).map_err(|error| failure::internal("start java", &error))?;
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if !done {
        return Err(failure::compile(format!("the dependencies in {name} could not be read; the reason stands in the log above")));
    }
    let text = fs::read(&pom).map_err(|error| failure::internal("read the dependencies", &error))?;
    if !String::from_utf8_lossy(&text).contains("<dependency>") {
        return Ok(Libraries::default());
    }
    let key: String = Sha256Digest::from_bytes(Sha256::digest(&text).into()).to_string().chars().take(32).collect();
    let kept = request.cache.join(format!("maven-{key}"));
    if kept.is_dir() {
        crate::child::entry::say("The app's libraries are as at the last push; nothing to download");
        return jars_in(&kept);
    }
    let scratch = request.cache.join("maven-fetching");
    crate::toolchain::remove(&scratch);
    let done = tool::fetch("mvn", maven_arguments(request, &pom, &scratch), &request.work, &[]);
    match done {
        Ok(true) => {}
        Ok(false) => return Err(failure::compile(format!("Maven could not fetch what {name} names; its reason stands in the log above"))),
        Err(error) => {
            tracing::debug!(%error, "staging: mvn does not start");
            return Err(failure::compile(format!(
                "{name} names libraries and there is no 'mvn' on the platform's machine to fetch them; its operator can install it with: apt-get install maven"
            )));
        }
    }
    fs::create_dir_all(&scratch)
        .and_then(|()| remove_others(&request.cache))
        .and_then(|()| fs::rename(&scratch, &kept))
        .map_err(|error| failure::internal("keep the app's libraries", &error))?;
    jars_in(&kept)
}

fn maven_arguments(request: &StageRequest, pom: &Path, into: &Path) -> Vec<OsString> {
    let setting = |name: &str, value: &Path| {
        let mut text = OsString::from(format!("-D{name}="));
        text.push(value);
        text
    };
    vec![
        "-B".into(),
        "-q".into(),
        "-f".into(),
        pom.as_os_str().into(),
        setting("maven.repo.local", &request.cache.join("m2")),
        setting("outputDirectory", into),
        toolchain::FETCH.into(),
    ]
}

/// Only the newest set of libraries of an app is kept.
fn remove_others(cache: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(cache)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("maven-") && name != "maven-fetching" {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// The jars of a folder that may be missing.
fn jars_in(folder: &Path) -> Result<Libraries, StagingError> {
    let mut libraries = Libraries::default();
    if folder.is_dir() {
        let entries = fs::read_dir(folder).map_err(|error| failure::internal("look for libraries", &error))?;
        libraries.jars =
            entries.flatten().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|found| found == "jar")).collect();
        libraries.jars.sort();
        libraries.software = libraries.jars.iter().filter_map(|jar| software(jar)).collect();
    }
    Ok(libraries)
}

/// Name and version in `gson-2.13.1.jar`.
fn software(jar: &Path) -> Option<Software> {
    let stem = jar.file_stem()?.to_str()?;
    let at = stem
        .match_indices('-')
        .map(|(at, _)| at)
        .find(|at| stem.get(at + 1..).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit())))?;
    Some(Software { name: stem.get(..at)?.to_owned(), version: stem.get(at + 1..)?.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jar_tells_name_and_version() {
        let found = software(Path::new("/x/commons-lang3-3.17.0.jar")).unwrap();
        assert_eq!((found.name.as_str(), found.version.as_str()), ("commons-lang3", "3.17.0"));
        assert!(software(Path::new("/x/mine.jar")).is_none());
    }
}
