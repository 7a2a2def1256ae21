//! The control plane that workers see, put together from the rooms that know its parts.

use super::supervisor::Reported;
use std::{sync::Arc, time::Duration};
use virga_blobstore::{BlobError, Blobstore, Kind};
use virga_buildpacks::StagingService;
use virga_contract::{
    ByteStream,
    cell::{CellReport, CellSnapshot, ControlPlane, LinkError, WorkerConfig, WorkerIndex},
    logs::Envelope,
};
use virga_model::Sha256Digest;
use virga_scheduler::SchedulerPlane;
use virga_telemetry::{LogCacheStore, metrics::Registry};

/// See the module.
pub struct Plane {
    /// What every worker is told at its start.
    pub config: WorkerConfig,
    /// Snapshots and reports.
    pub scheduling: SchedulerPlane,
    /// Droplets.
    pub blobs: Blobstore,
    /// Precompiled code.
    pub code: Arc<StagingService>,
    /// Takes log lines.
    pub log_cache: Arc<LogCacheStore>,
    /// Counts what routers count.
    pub metrics: Arc<Registry>,
    /// Learns which workers serve.
    pub reported: Reported,
}

#[async_trait::async_trait]
impl ControlPlane for Plane {
    async fn config(&self, _worker: WorkerIndex) -> Result<WorkerConfig, LinkError> {
        Ok(self.config.clone())
    }

    async fn snapshot(&self, worker: WorkerIndex, have: Option<u64>, wait: Duration) -> Result<Option<Arc<CellSnapshot>>, LinkError> {
        self.scheduling.snapshot(worker, have, wait).await
    }

    async fn report(&self, report: CellReport) -> Result<(), LinkError> {
        self.metrics.observe(&report);
        self.reported.note(report.pid);
        self.scheduling.report(report)
    }

    async fn logs(&self, batch: Vec<Envelope>) -> Result<(), LinkError> {
        self.log_cache.ingest(batch);
        Ok(())
    }

    async fn droplet(&self, droplet: Sha256Digest) -> Result<ByteStream, LinkError> {
        self.blobs.open(Kind::Droplets, &droplet).await.map_err(|error| failed(&error, &format!("droplet {droplet}")))
    }

    async fn code(&self, droplet: Sha256Digest, component: Sha256Digest, engine_key: &str) -> Result<ByteStream, LinkError> {
        self.code.code(droplet, component, engine_key).await
    }
}

fn failed(error: &BlobError, what: &str) -> LinkError {
    match error {
        BlobError::NotFound(_) => LinkError::Missing(what.to_owned()),
        other => LinkError::Failed(other.to_string()),
    }
}
