//! What goes into a child and comes out of it: JSON files in its folder.

use crate::{
    custom, failure,
    sandbox::{network::ClientSettings, plan::Room},
    toolchain::Toolchain,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};
use virga_contract::staging::{StagingError, UsedBuildpack};
use virga_model::droplet::GuestKind;

/// `virga stage <request.json>`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StageRequest {
    /// Name of the buildpack of ours that builds it.
    pub(crate) buildpack: String,
    /// The unpacked app.
    pub(crate) app: PathBuf,
    /// An empty folder to work in.
    pub(crate) work: PathBuf,
    /// What earlier stagings of this app left for later ones.
    pub(crate) cache: PathBuf,
    /// The installed toolchains of the buildpack, by name.
    pub(crate) toolchains: BTreeMap<String, PathBuf>,
    /// Where the droplet's archive goes.
    pub(crate) droplet: PathBuf,
    /// Where a [`StageResult`] goes.
    pub(crate) result: PathBuf,
    pub(crate) limits: ChildLimits,
    /// How package clients reach their registries from inside of a sandbox; `None` is no network.
    pub(crate) network: Option<ClientSettings>,
    pub(crate) confinement: Confinement,
    /// Buildpacks of users are run in place of one of ours.
    pub(crate) custom: Option<custom::Order>,
}

/// What holds a staging child.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Confinement {
    /// The operator trusts every developer.
    None,
    /// It locks itself before it reads anything.
    Own,
    /// It was started inside of a sandbox.
    Sandbox,
}

impl StageRequest {
    /// Gives the paths the names they have inside of a sandbox.
    pub(crate) fn move_inside(&mut self, room: &Room<'_>) -> Result<(), StagingError> {
        let buildpacks = self.custom.iter_mut().flat_map(|order| &mut order.buildpacks).map(|buildpack| &mut buildpack.folder);
        let toolchains = self.toolchains.values_mut().chain(buildpacks);
        for path in [&mut self.app, &mut self.work, &mut self.cache, &mut self.droplet, &mut self.result].into_iter().chain(toolchains) {
            *path = room.inside(path).ok_or_else(|| failure::internal("make the sandbox", &format!("{} is not in it", path.display())))?;
        }
        Ok(())
    }

    /// The folder of an installed toolchain.
    ///
    /// # Errors
    /// When the buildpack did not name it, which is a mistake in the buildpack.
    pub(crate) fn toolchain(&self, toolchain: &Toolchain) -> Result<&Path, StagingError> {
        let folder = self.toolchains.get(toolchain.name).map(PathBuf::as_path);
        folder.ok_or_else(|| failure::internal("find the toolchain", &format!("{} does not name {}", self.buildpack, toolchain.name)))
    }
}

/// Limits that the child sets on itself before it touches anything of the user, and that its children inherit.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct ChildLimits {
    pub(crate) file_bytes: u64,
    pub(crate) cpu_seconds: u64,
}

/// What a staging child leaves.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum StageResult {
    /// The droplet lies where the request said.
    Staged {
        guest: GuestKind,
        process_types: BTreeMap<String, String>,
        buildpack: UsedBuildpack,
        /// What it asks of the cell.
        imports: Vec<String>,
        /// Milliseconds of `build` and `package`.
        steps: Vec<(String, u64)>,
    },
    /// Buildpacks of users did what they were asked.
    Custom(custom::Outcome),
    /// Why there is none.
    Failed(StagingError),
}
