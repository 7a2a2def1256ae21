//! Staging: a package in, a droplet out.

use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};
use virga_model::{AppGuid, BuildGuid, Sha256Digest, droplet::GuestKind, words};

/// What to stage.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StagingRequest {
    /// The build this is for; log lines and scratch folders carry it.
    pub build: BuildGuid,
    /// The app, for its log and its dependency cache.
    pub app: AppGuid,
    /// The zip in the blobstore's `packages`.
    pub package: Sha256Digest,
    /// Buildpacks asked for by name (`-b`); empty means detect.
    pub buildpacks: Vec<String>,
    /// The platform's buildpacks that may be used, in order of detection.
    pub offered: Vec<OfferedBuildpack>,
    /// Environment of the staging process: staging group, the app's own, `VCAP_*`.
    pub environment: BTreeMap<String, String>,
    /// Memory limit of the staging process.
    pub memory_mb: u64,
    /// Disk limit of the staging folder.
    pub disk_mb: u64,
    /// Wall time for the whole of it.
    pub timeout: Duration,
}

/// A droplet that is in the blobstore's `droplets`, with its code precompiled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StagedDroplet {
    /// The archive.
    pub droplet: Sha256Digest,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// How it runs.
    pub guest: GuestKind,
    /// The component or core module in it; none of a static site.
    pub component: Option<Sha256Digest>,
    /// Process types and commands.
    pub process_types: BTreeMap<String, String>,
    /// Who built it.
    pub buildpacks: Vec<UsedBuildpack>,
    /// Milliseconds of each step, in order (`fetch`, `detect`, `build`, `package`, `compile`).
    pub steps: Vec<(String, u64)>,
}

/// A buildpack that took part, as `droplets.buildpacks` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsedBuildpack {
    /// Name on the platform.
    pub name: String,
    /// Name the buildpack gives itself.
    pub buildpack_name: String,
    /// What detection said.
    pub detect_output: String,
    /// Version.
    pub version: String,
}

words! {
    /// Why staging failed; the first word of a build's `error`.
    StagingErrorKind {
        NoAppDetected = "NoAppDetectedError",
        NoBuildpacksFound = "NoBuildpacksFound",
        CompileFailed = "BuildpackCompileFailed",
        ReleaseFailed = "BuildpackReleaseFailed",
        TimeExpired = "StagingTimeExpired",
        InsufficientResources = "InsufficientResources",
        Failed = "StagingError",
    }
}

/// A staging that failed, in words for the app's developer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{kind} - {message}")]
pub struct StagingError {
    /// The class of it.
    pub kind: StagingErrorKind,
    /// What happened and what to do about it.
    pub message: String,
}

/// A buildpack of the platform's list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferedBuildpack {
    /// Its name there.
    pub name: String,
    /// Name of the stager's own buildpack that does the work.
    pub builder: String,
    /// What droplets show as its version; the builder's own without.
    pub version: Option<String>,
    /// Files at the root of an app by which it is recognised; none leaves it to the builder.
    pub detect: Vec<String>,
    /// Its programs, a zip in the blobstore's `buildpacks`; none for what names a buildpack of the stager's own.
    #[serde(default)]
    pub bits: Option<Sha256Digest>,
}

/// A buildpack that the stager can build with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildpackInfo {
    /// Its name.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
}

/// Stages packages. Output of the build goes to the app's log as `STG` lines while it runs.
#[async_trait::async_trait]
pub trait Stager: Send + Sync + 'static {
    /// Stages; may be called again for the same build after a crash and then does the work again.
    async fn stage(&self, request: StagingRequest) -> Result<StagedDroplet, StagingError>;

    /// Takes a droplet archive that a user uploaded (blobstore `droplets`): checks it, precompiles its code.
    async fn adopt(&self, droplet: Sha256Digest) -> Result<StagedDroplet, StagingError>;

    /// Throws away what earlier stagings of an app left (of every app, where none is named): the next one begins anew. What a
    /// staging uses that is on its way goes when it ends.
    async fn forget(&self, app: Option<AppGuid>) -> Result<(), StagingError>;

    /// What it can build with, in the order of detection of a new installation.
    fn buildpacks(&self) -> Vec<BuildpackInfo>;
}
