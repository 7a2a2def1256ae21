//! The platform's side: gets users' buildpacks, runs them in a folder of their own, and takes the app's folder back.

use super::{
    Job, Order, Outcome, Unpacked, address,
    choose::{Place, Source},
    left,
};
use crate::{
    child::{
        protocol::{ChildLimits, Confinement, StageRequest, StageResult},
        staging::Children,
    },
    failure,
    log::StagingLog,
    scratch::Scratch,
    unzip::{self, UnzipLimits},
};
use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};
use virga_blobstore::{BlobError, Blobstore, Kind};
use virga_contract::staging::{StagingError, StagingErrorKind, StagingRequest};

/// Variables that buildpacks see of what stagings are given. The rest may hold secrets, which no build sees.
const SEEN: [&str; 3] = ["CF_STACK", "VCAP_APPLICATION", "MEMORY_LIMIT"];

/// One staging with users' buildpacks.
pub(crate) struct Custom<'a> {
    pub(crate) blobs: &'a Blobstore,
    pub(crate) children: &'a Children,
    pub(crate) request: &'a StagingRequest,
    /// The staging's folder.
    pub(crate) scratch: &'a Path,
    /// The app's cache.
    pub(crate) cache: &'a Path,
    pub(crate) log: &'a StagingLog,
}

impl Custom<'_> {
    /// Asks which of them wants the app: its place and what it said.
    pub(crate) async fn detect(&self, sources: &[Source], app: &Path) -> Result<Option<(usize, String)>, StagingError> {
        match self.run(Job::Detect, sources, app).await? {
            Outcome::Detected(found) => Ok(found.filter(|(index, _)| *index < sources.len())),
            Outcome::Built => Err(failure::internal("ask the buildpacks", &"the child answered something else")),
        }
    }

    /// Lets them build the app in its folder.
    pub(crate) async fn build(&self, sources: &[Source], app: &Path, is_last_ours: bool) -> Result<(), StagingError> {
        for source in sources {
            self.log.say(format!("Buildpack: {}", source.name));
        }
        let job = if is_last_ours { Job::Supply } else { Job::Build };
        self.run(job, sources, app).await.map(|_| ())
    }

    /// In a folder that the platform has not been in before and will not be in again: what a program leaves there could lead its
    /// next step astray.
    async fn run(&self, job: Job, sources: &[Source], app: &Path) -> Result<Outcome, StagingError> {
        let failed = |error: io::Error| failure::internal("prepare the buildpacks", &error);
        let name = if job == Job::Detect { "detect" } else { "build" };
        let own = Scratch::new(self.scratch.join(name)).map_err(failed)?;
        let inner = own.path().join("app");
        fs::rename(app, &inner).map_err(failed)?;
        let mut buildpacks = Vec::with_capacity(sources.len());
        for (index, source) in sources.iter().enumerate() {
            buildpacks.push(Unpacked {
                name: source.name.clone(),
                folder: self.unpack(source, &own.path().join(format!("buildpack-{index}"))).await?,
            });
        }
        let work = own.path().join("work");
        fs::create_dir_all(&work).map_err(failed)?;
        let environment = self.request.environment.iter().filter(|(name, _)| SEEN.contains(&name.as_str()));
        let order = StageRequest {
            buildpack: String::new(),
            app: inner.clone(),
            droplet: work.join("droplet"),
            result: work.join("result.json"),
            work,
            cache: self.cache.to_owned(),
            toolchains: BTreeMap::new(),
            limits: ChildLimits { file_bytes: self.children.limits.file_bytes, cpu_seconds: self.children.limits.cpu_seconds },
            network: None,
            confinement: Confinement::Sandbox,
            custom: Some(Order { job, buildpacks, environment: environment.map(|(name, value)| (name.clone(), value.clone())).collect() }),
        };
        let result = self.children.stage(self.request, order, own.path(), self.log).await?;
        let outcome = match result {
            StageResult::Custom(outcome) => outcome,
            StageResult::Failed(error) => return Err(error),
            StageResult::Staged { .. } => return Err(failure::internal("run the buildpacks", &"the child answered something else")),
        };
        self.take_back(&inner, app)?;
        Ok(outcome)
    }

    fn take_back(&self, inner: &Path, app: &Path) -> Result<(), StagingError> {
        let unusable = |error: io::Error| failure::compile(format!("what the buildpacks left of the app's folder cannot be used: {error}"));
        let is_plain = fs::symlink_metadata(inner).is_ok_and(|metadata| metadata.is_dir());
        if !is_plain {
            return Err(unusable(io::Error::other("it is no folder any more")));
        }
        let removed = left::tidy(inner).map_err(unusable)?;
        if removed > 0 {
            self.log.say(format!("{removed} links out of the app's folder, or pipes and the like in it, are left out"));
        }
        fs::rename(inner, app).map_err(|error| failure::internal("take the app's folder back", &error))
    }

    async fn unpack(&self, source: &Source, into: &Path) -> Result<PathBuf, StagingError> {
        let zip = into.with_extension("zip");
        match &source.place {
            Place::Uploaded(digest) => self.blobs.to_file(Kind::Buildpacks, digest, &zip).await.map_err(|error| match error {
                BlobError::NotFound(_) => failure::of(
                    StagingErrorKind::NoBuildpacksFound,
                    format!("the bits of the buildpack '{}' are no longer there; its operator can upload them again", source.name),
                ),
                other => failure::internal("fetch a buildpack", &other),
            })?,
            Place::Address(url) => {
                self.log.say(format!("Fetching the buildpack {}", source.name));
                let sandboxes = &self.children.sandboxes;
                let allowed = self.children.packages.allowed_to_fetch(&sandboxes.policy.network)?;
                address::fetch(url, &allowed, self.children.limits.buildpack_bytes, &zip).await?;
            }
        }
        let limits = UnzipLimits { bytes: self.children.limits.package_bytes, entries: self.children.limits.package_entries };
        let (name, into) = (source.name.clone(), into.to_owned());
        let unpacked = tokio::task::spawn_blocking(move || {
            fs::create_dir_all(&into).map_err(|error| error.to_string())?;
            unzip::unzip(&zip, &into, limits)
                .map_err(|error| error.to_string().replace("the package", "its zip").replace("the app's", "its"))?;
            fs::remove_file(&zip).map_err(|error| error.to_string())?;
            root(&into).map_err(|error| error.to_string())
        });
        match unpacked.await {
            Ok(Ok(folder)) => Ok(folder),
            Ok(Err(reason)) => Err(failure::compile(format!("the buildpack '{name}' cannot be used: {reason}"))),
            Err(error) => Err(failure::internal("unpack a buildpack", &error)),
        }
    }
}

/// The folder with `bin` in it: the zip's own, or the only one at its top, as archives of repositories have it. Its programs can
/// be run, whatever the zip says.
fn root(unpacked: &Path) -> io::Result<PathBuf> {
    let mut root = unpacked.to_owned();
    if !root.join("bin").is_dir() {
        let entries = fs::read_dir(unpacked)?.collect::<io::Result<Vec<_>>>()?;
        match entries.as_slice() {
            [only] if only.path().join("bin").is_dir() => root = only.path(),
            _ => return Err(io::Error::other("it has no folder 'bin' with the programs detect, supply, finalize, compile, release")),
        }
    }
    for program in fs::read_dir(root.join("bin"))? {
        let program = program?;
        if program.file_type()?.is_file() {
            fs::set_permissions(program.path(), fs::Permissions::from_mode(0o755))?;
        }
    }
    Ok(root)
}
