//! The rooms behind the controller, as far as its tests need them.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};
use virga_contract::{
    ApiError,
    logs::{Envelope, LogCache, LogSink, ReadQuery, SourceMeta},
    scheduling::{InstanceStats, Scheduler},
    staging::{BuildpackInfo, StagedDroplet, Stager, StagingError, StagingErrorKind, StagingRequest, UsedBuildpack},
};
use virga_model::{AppGuid, ProcessGuid, Sha256Digest, droplet::GuestKind};

/// Counts nudges; knows no instance.
#[derive(Debug, Default)]
pub(crate) struct FakeScheduler {
    nudges: AtomicUsize,
}

impl FakeScheduler {
    /// Nudges since the start.
    pub fn nudges(&self) -> usize {
        self.nudges.load(Ordering::SeqCst)
    }
}

#[async_trait::async_trait]
impl Scheduler for FakeScheduler {
    fn nudge(&self) {
        self.nudges.fetch_add(1, Ordering::SeqCst);
    }

    async fn stats_of(&self, processes: &[(ProcessGuid, u32)]) -> Result<Vec<Vec<InstanceStats>>, ApiError> {
        Ok(vec![Vec::new(); processes.len()])
    }

    async fn restart_instance(&self, _: ProcessGuid, _: u32) -> Result<bool, ApiError> {
        Ok(true)
    }
}

/// Keeps every envelope.
#[derive(Debug, Default)]
pub(crate) struct FakeLogs(Mutex<Vec<Envelope>>);

impl LogSink for FakeLogs {
    fn emit(&self, envelope: Envelope) {
        self.0.lock().unwrap().push(envelope);
    }
}

impl LogCache for FakeLogs {
    fn read(&self, app: AppGuid, query: &ReadQuery) -> Result<Vec<Envelope>, String> {
        let kept = self.0.lock().unwrap();
        Ok(kept.iter().filter(|envelope| envelope.app == app).take(query.limit).cloned().collect())
    }

    fn meta(&self) -> Vec<SourceMeta> {
        let mut held: BTreeMap<AppGuid, SourceMeta> = BTreeMap::new();
        for envelope in self.0.lock().unwrap().iter() {
            let (oldest_ns, newest_ns) = (envelope.timestamp_ns, envelope.timestamp_ns);
            let meta = held.entry(envelope.app).or_insert(SourceMeta { app: envelope.app, count: 0, expired: 0, oldest_ns, newest_ns });
            meta.count += 1;
            meta.newest_ns = newest_ns;
        }
        held.into_values().collect()
    }

    fn forget(&self, app: AppGuid) {
        self.0.lock().unwrap().retain(|envelope| envelope.app != app);
    }

    fn uptime_seconds(&self) -> u64 {
        1
    }
}

/// Makes the same small droplet of every package; one that is staged with the buildpack `broken` fails.
#[derive(Debug)]
pub(crate) struct FakeStager;

#[async_trait::async_trait]
impl Stager for FakeStager {
    async fn stage(&self, request: StagingRequest) -> Result<StagedDroplet, StagingError> {
        if request.buildpacks.iter().any(|name| name == "broken") {
            return Err(StagingError { kind: StagingErrorKind::CompileFailed, message: "it does not compile".to_owned() });
        }
        self.adopt(request.package).await
    }

    async fn adopt(&self, droplet: Sha256Digest) -> Result<StagedDroplet, StagingError> {
        Ok(StagedDroplet {
            droplet,
            size_bytes: 1,
            guest: GuestKind::Static,
            component: None,
            process_types: BTreeMap::from([("web".to_owned(), "serve".to_owned())]),
            buildpacks: vec![UsedBuildpack {
                name: "staticfile".to_owned(),
                buildpack_name: "staticfile".to_owned(),
                detect_output: "staticfile".to_owned(),
                version: "1".to_owned(),
            }],
            steps: vec![("build".to_owned(), 1)],
        })
    }

    async fn forget(&self, _: Option<AppGuid>) -> Result<(), StagingError> {
        Ok(())
    }

    fn buildpacks(&self) -> Vec<BuildpackInfo> {
        vec![BuildpackInfo { name: "staticfile", version: "1" }]
    }
}
