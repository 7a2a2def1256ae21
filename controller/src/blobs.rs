//! Freeing blobs that no row names any more, and what else is kept of deleted apps.
//!
//! Blobs are named by their content, so two packages may share one. It is looked at and deleted inside a write transaction,
//! and whoever writes a row that names a blob makes sure inside the same transaction that it is still there: of two who meet,
//! one sees what the other did.

use crate::{Controller, Result, jobs};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use virga_blobstore::Kind;
use virga_contract::ApiError;
use virga_model::{AppGuid, Sha256Digest, state::JobState};
use virga_store::{Connection, buildpacks, droplets, jobs::JobRow, packages};

/// A blob that a row named until now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Freed {
    /// Bits of a package.
    Package(Sha256Digest),
    /// A droplet.
    Droplet(Sha256Digest),
    /// Compiled code of a component, for every engine it was compiled for. It can be made again from a droplet, so that it does no
    /// harm where a staging just now relies on it.
    Code(Sha256Digest),
    /// Programs of a buildpack.
    Buildpack(Sha256Digest),
    /// What is kept of an app outside of the rows: its log, what its stagings left.
    App(AppGuid),
}

impl Freed {
    /// What a droplet names.
    pub(crate) fn of_droplet(archive: Option<Sha256Digest>, component: Option<Sha256Digest>) -> Vec<Self> {
        component.map(Self::Code).into_iter().chain(archive.map(Self::Droplet)).collect()
    }
}

/// Starts the job that deletes those of `freed` that nobody else names, in the transaction that deletes the rows.
///
/// # Errors
/// Those of the database.
pub(crate) async fn free_later(controller: &Controller, db: &mut Connection, freed: Vec<Freed>) -> Result<()> {
    if !freed.is_empty() {
        jobs::start(db, controller.now(), "blob.delete", "", json!({ "freed": freed })).await?;
    }
    Ok(())
}

/// The job `blob.delete`.
///
/// # Errors
/// Those of database and blobstore.
pub(crate) async fn run(controller: &Controller, job: &JobRow) -> Result<Vec<String>> {
    debug_assert_eq!(job.state, JobState::Processing);
    let freed = job.payload.get("freed").cloned().unwrap_or(Value::Null);
    let freed: Vec<Freed> = serde_json::from_value(freed).map_err(|error| ApiError::internal(format_args!("payload: {error}")))?;
    for blob in freed {
        let (kind, digest) = match blob {
            Freed::Package(digest) => (Kind::Packages, digest),
            Freed::Droplet(digest) => (Kind::Droplets, digest),
            Freed::Buildpack(digest) => (Kind::Buildpacks, digest),
            // No transaction, which would hold others up while the blobstore is walked: code can be made again.
            Freed::Code(component) => {
                if !droplets::is_component_used(&mut *controller.store.read().await?, component).await? {
                    controller.blobs.delete_all_named(Kind::Code, &component.to_string()).await?;
                }
                continue;
            }
            Freed::App(app) => {
                controller.log_cache.forget(app);
                controller.stager.forget(Some(app)).await.map_err(ApiError::internal)?;
                continue;
            }
        };
        let mut tx = controller.store.begin().await?;
        let used = match kind {
            Kind::Packages => packages::is_blob_used(&mut tx, digest).await?,
            Kind::Droplets => droplets::is_blob_used(&mut tx, digest).await?,
            _ => buildpacks::is_blob_used(&mut tx, digest).await?,
        };
        if !used {
            controller.blobs.delete(kind, &digest).await?;
        }
        tx.commit().await?;
    }
    Ok(Vec::new())
}
