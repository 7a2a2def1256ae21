//! Runs one staging child: in a sandbox where it runs programs, locked by itself where it does not; and takes nothing for true
//! that it leaves.

use crate::{
    buildpack,
    child::{
        command,
        protocol::{Confinement, StageRequest, StageResult},
        run::{self, Ended, Limit, Watch},
    },
    config::StagingLimits,
    failure,
    log::StagingLog,
    sandbox::{
        Sandboxes,
        network::{Opened, Packages},
        plan::{Room, STAGING},
    },
};
use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
};
use virga_contract::staging::{StagingError, StagingErrorKind, StagingRequest};

/// What every staging child needs.
pub(crate) struct Children {
    /// The platform's own program.
    pub(crate) program: PathBuf,
    pub(crate) limits: StagingLimits,
    pub(crate) sandboxes: Sandboxes,
    pub(crate) packages: Packages,
}

impl Children {
    /// Runs the child for `order`, whose paths are the platform's.
    pub(crate) async fn stage(
        &self,
        request: &StagingRequest,
        mut order: StageRequest,
        scratch: &Path,
        log: &StagingLog,
    ) -> Result<StageResult, StagingError> {
        let runs_programs = buildpack::named(&order.buildpack).is_none_or(|buildpack| !buildpack.toolchains.is_empty());
        let result = order.result.clone();
        let cache = order.cache.clone();
        let ended = if runs_programs && self.sandboxes.is_on() {
            order.confinement = Confinement::Sandbox;
            self.in_sandbox(request, order, scratch, log).await?
        } else {
            order.confinement = if runs_programs { Confinement::None } else { Confinement::Own };
            write_order(&order, scratch)?;
            let path = scratch.join("request.json");
            let command = command::prepare(&self.program, &["stage".as_ref(), path.as_os_str()], scratch, &BTreeMap::new());
            self.watch(command, request, scratch, &cache, log).await?
        };
        if let Ended::Stopped(limit) = ended {
            return Err(stopped(limit, request, &self.limits, &cache));
        }
        let read = |path| fs::read(path).and_then(|json| serde_json::from_slice(&json).map_err(io::Error::other));
        let result = left_file(&result).and_then(|path| {
            let unread = |error: &io::Error| tracing::warn!(%error, app.guid = %request.app, "staging: the result cannot be read");
            read(path).inspect_err(unread).ok()
        });
        result.ok_or_else(|| match ended {
            Ended::Exited { status, .. } => failure::of(
                StagingErrorKind::Failed,
                format!("the staging ended early ({status}); if it was stopped by a limit of the platform on CPU time or file sizes, make the build smaller"),
            ),
            Ended::Stopped(_) => failure::internal("read the staging's result", &"it was stopped"),
        })
    }

    async fn in_sandbox(
        &self,
        request: &StagingRequest,
        mut order: StageRequest,
        scratch: &Path,
        log: &StagingLog,
    ) -> Result<Ended, StagingError> {
        let cache = order.cache.clone();
        let toolchains = order.toolchains.clone();
        let opened = self.packages.open(&self.sandboxes.policy.network, &toolchains, log).await?;
        let proxy = opened.as_ref().map(Opened::socket);
        let room = Room { scratch, cache: &cache, toolchains: &toolchains, proxy };
        order.network = opened.as_ref().map(|opened| opened.settings().clone());
        order.move_inside(&room)?;
        write_order(&order, scratch)?;
        let inside = format!("{STAGING}/request.json");
        let prepared = self.sandboxes.prepare(&room, &self.program, &["stage", &inside], order.limits, self.limits.processes).await?;
        let arguments = [OsStr::new("stage"), OsStr::new("confined"), prepared.order.as_os_str()];
        let command = command::for_sandbox(&self.program, &arguments, &prepared);
        let watched = self.watch(command, request, scratch, &cache, log);
        match opened {
            Some(opened) => opened.serve_while(watched).await,
            None => watched.await,
        }
    }

    async fn watch(
        &self,
        command: tokio::process::Command,
        request: &StagingRequest,
        scratch: &Path,
        cache: &Path,
        log: &StagingLog,
    ) -> Result<Ended, StagingError> {
        let watch = Watch {
            wall: request.timeout,
            memory_bytes: request.memory_mb << 20,
            processes: self.limits.processes,
            disk_bytes: request.disk_mb << 20,
            disk_folder: scratch.to_owned(),
            cache: Some((cache.to_owned(), self.limits.cache_bytes)),
            reserve_bytes: self.limits.reserve_bytes,
            output_bytes: self.limits.output_bytes,
            line_bytes: self.limits.output_line_bytes,
        };
        run::run(command, &watch, Some(log)).await.map_err(|error| failure::internal("start the staging", &error))
    }
}

fn write_order(order: &StageRequest, scratch: &Path) -> Result<(), StagingError> {
    let json = serde_json::to_vec(order).map_err(|error| failure::internal("write the staging request", &error))?;
    fs::write(scratch.join("request.json"), json).map_err(|error| failure::internal("write the staging request", &error))
}

/// A file that a child left, if it is one: a link, or a file behind a linked folder, would be the platform's own or another
/// app's.
pub(crate) fn left_file(path: &Path) -> Option<&Path> {
    let is_plain = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file());
    (is_plain && path.canonicalize().is_ok_and(|real| real == path)).then_some(path)
}

fn stopped(limit: Limit, request: &StagingRequest, limits: &StagingLimits, cache: &Path) -> StagingError {
    match limit {
        Limit::Wall => failure::of(
            StagingErrorKind::TimeExpired,
            format!(
                "the staging was not done after {} seconds and was stopped; make the build smaller, or ask the operator for more time",
                request.timeout.as_secs()
            ),
        ),
        Limit::Memory => failure::of(
            StagingErrorKind::InsufficientResources,
            format!(
                "the staging used more than its {} MB of memory and was stopped; make the build smaller, or ask the operator for more",
                request.memory_mb
            ),
        ),
        Limit::Disk => failure::of(
            StagingErrorKind::InsufficientResources,
            format!(
                "the staging used more than its {} MB of disk and was stopped; leave out what the app does not need (.cfignore), or give it more (-k)",
                request.disk_mb
            ),
        ),
        Limit::Cache => {
            crate::toolchain::remove(cache);
            failure::of(
                StagingErrorKind::InsufficientResources,
                format!(
                    "the app's build cache grew over {} MB; the staging was stopped and the cache emptied. Push again, with fewer or smaller dependencies",
                    limits.cache_bytes >> 20
                ),
            )
        }
        Limit::Reserve => failure::of(
            StagingErrorKind::InsufficientResources,
            format!(
                "the platform's disk has less than {} MB left and the staging was stopped; tell the operator, and push again",
                limits.reserve_bytes >> 20
            ),
        ),
        Limit::Processes => failure::of(
            StagingErrorKind::InsufficientResources,
            format!("the staging started more than {} processes and was stopped", limits.processes),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn only_a_plain_file_in_its_place_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        fs::create_dir(root.join("work")).unwrap();
        fs::write(root.join("work/droplet"), "bits").unwrap();
        fs::write(root.join("secret"), "key").unwrap();
        assert!(left_file(&root.join("work/droplet")).is_some());
        symlink(root.join("secret"), root.join("work/result.json")).unwrap();
        assert!(left_file(&root.join("work/result.json")).is_none());
        symlink(&root, root.join("elsewhere")).unwrap();
        assert!(left_file(&root.join("elsewhere/secret")).is_none());
        assert!(left_file(&root.join("work")).is_none());
    }
}
