//! A stager, a scheduler and a log cache that do as they are told.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::sync::Semaphore;
use virga_blobstore::{Blobstore, Kind};
use virga_contract::{
    ApiError,
    cell::InstanceUsage,
    logs::{Envelope, LogCache, LogSink, ReadQuery, SourceMeta},
    scheduling::{InstanceStats, Scheduler},
    staging::{BuildpackInfo, StagedDroplet, Stager, StagingError, StagingErrorKind, StagingRequest, UsedBuildpack},
};
use virga_model::{AppGuid, InstanceGuid, ProcessGuid, Sha256Digest, Timestamp, droplet::GuestKind, state::InstanceState};
use virga_store::{Store, scheduling};

/// Makes a droplet of the package's own bytes; fails for a package whose zip holds the word `FAIL`.
pub struct SimulatedStager {
    pub blobs: Blobstore,
    pub requests: Mutex<Vec<StagingRequest>>,
    /// Of which apps the past was to be forgotten.
    pub forgotten: Mutex<Vec<Option<AppGuid>>>,
    /// Each staging takes one; tests hold them back.
    pub may_stage: Semaphore,
    /// Stagings on their way.
    pub staging: AtomicUsize,
}

/// Counts a staging for as long as somebody waits for it.
struct Counted<'a>(&'a AtomicUsize);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl SimulatedStager {
    /// The same in all droplets, as that of an interpreter is.
    fn component() -> Sha256Digest {
        Sha256Digest::of(b"a program")
    }

    fn staged(droplet: Sha256Digest, size_bytes: u64) -> StagedDroplet {
        let commands = [("web", "serve app.wasm"), ("worker", "run worker.wasm")];
        StagedDroplet {
            droplet,
            size_bytes,
            guest: GuestKind::HttpP2,
            component: Some(Self::component()),
            process_types: commands.map(|(kind, command)| (kind.to_owned(), command.to_owned())).into(),
            buildpacks: vec![UsedBuildpack {
                name: "wasm".into(),
                buildpack_name: "wasm".into(),
                detect_output: "a component".into(),
                version: "1".into(),
            }],
            steps: vec![("fetch".into(), 1), ("build".into(), 2)],
        }
    }
}

#[async_trait::async_trait]
impl Stager for SimulatedStager {
    async fn stage(&self, request: StagingRequest) -> Result<StagedDroplet, StagingError> {
        self.staging.fetch_add(1, Ordering::SeqCst);
        let _counted = Counted(&self.staging);
        self.may_stage.acquire().await.unwrap().forget();
        let bits = self.blobs.read(Kind::Packages, &request.package).await.unwrap();
        self.requests.lock().unwrap().push(request);
        if bits.windows(4).any(|window| window == b"FAIL") {
            return Err(StagingError { kind: StagingErrorKind::NoAppDetected, message: "nothing here is an app".into() });
        }
        let size = bits.len() as u64;
        let droplet = self.blobs.put_bytes(Kind::Droplets, [b"droplet of ", bits.as_ref()].concat().into()).await.unwrap();
        let code = format!("{}/engine", Self::component());
        self.blobs.put_named(Kind::Code, &code, "machine code".into()).await.unwrap();
        Ok(Self::staged(droplet, size))
    }

    async fn adopt(&self, droplet: Sha256Digest) -> Result<StagedDroplet, StagingError> {
        let bytes = self.blobs.read(Kind::Droplets, &droplet).await.unwrap();
        if !bytes.starts_with(b"droplet of ") {
            return Err(StagingError { kind: StagingErrorKind::Failed, message: "this is no droplet".into() });
        }
        Ok(Self::staged(droplet, bytes.len() as u64))
    }

    async fn forget(&self, app: Option<AppGuid>) -> Result<(), StagingError> {
        self.forgotten.lock().unwrap().push(app);
        Ok(())
    }

    fn buildpacks(&self) -> Vec<BuildpackInfo> {
        vec![BuildpackInfo { name: "wasm", version: "1" }, BuildpackInfo { name: "nodejs", version: "2" }]
    }
}

/// Everything that should run does, since the epoch of the test.
pub struct SimulatedScheduler {
    pub store: Store,
    pub nudges: AtomicUsize,
}

fn simulated_instance(index: u32, runs: bool) -> InstanceStats {
    InstanceStats {
        index,
        instance: runs.then(InstanceGuid::random),
        state: if runs { InstanceState::Running } else { InstanceState::Down },
        routable: runs,
        details: None,
        since: Timestamp::from_second(1_799_999_900).unwrap(),
        usage: runs.then(|| InstanceUsage { cpu_ns: 10_000_000_000, memory_bytes: 1 << 20, ..InstanceUsage::default() }),
    }
}

#[async_trait::async_trait]
impl Scheduler for SimulatedScheduler {
    fn nudge(&self) {
        self.nudges.fetch_add(1, Ordering::SeqCst);
    }

    async fn stats_of(&self, processes: &[(ProcessGuid, u32)]) -> Result<Vec<Vec<InstanceStats>>, ApiError> {
        // One statement, however many are asked for: a scheduler answers from its memory.
        let mut db = self.store.read().await.unwrap();
        let desired = scheduling::list_desired(&mut db).await.unwrap();
        let started: BTreeSet<ProcessGuid> = desired.iter().map(|row| row.process).collect();
        let stats_of = |(process, instances): &(ProcessGuid, u32)| {
            (0..*instances).map(|index| simulated_instance(index, started.contains(process))).collect()
        };
        Ok(processes.iter().map(stats_of).collect())
    }

    async fn restart_instance(&self, _: ProcessGuid, index: u32) -> Result<bool, ApiError> {
        Ok(index == 0)
    }
}

/// Keeps every envelope in the order in which it came.
#[derive(Default)]
pub struct SimulatedLogs(Mutex<Vec<Envelope>>);

impl SimulatedLogs {
    pub fn shared() -> Arc<Self> {
        Arc::default()
    }

    /// `SOURCE text` of every line of an app.
    pub fn lines(&self, app: &str) -> Vec<String> {
        let line = |envelope: &Envelope| match &envelope.message {
            virga_contract::logs::Message::Log { payload, .. } => {
                format!("{} {}", envelope.source_type, String::from_utf8_lossy(payload))
            }
            other => format!("{other:?}"),
        };
        self.0.lock().unwrap().iter().filter(|envelope| envelope.app.to_string() == app).map(line).collect()
    }
}

impl LogSink for SimulatedLogs {
    fn emit(&self, envelope: Envelope) {
        self.0.lock().unwrap().push(envelope);
    }
}

impl LogCache for SimulatedLogs {
    fn read(&self, app: AppGuid, query: &ReadQuery) -> Result<Vec<Envelope>, String> {
        let mut found: Vec<Envelope> = self.0.lock().unwrap().iter().filter(|envelope| envelope.app == app).cloned().collect();
        if query.descending {
            found.reverse();
        }
        found.truncate(query.limit);
        Ok(found)
    }

    fn meta(&self) -> Vec<SourceMeta> {
        let mut sources = BTreeMap::new();
        for envelope in self.0.lock().unwrap().iter() {
            let source = SourceMeta { app: envelope.app, count: 0, expired: 0, oldest_ns: 0, newest_ns: 0 };
            sources.entry(envelope.app).or_insert(source).count += 1;
        }
        sources.into_values().collect()
    }

    fn forget(&self, app: AppGuid) {
        self.0.lock().unwrap().retain(|envelope| envelope.app != app);
    }

    fn uptime_seconds(&self) -> u64 {
        1
    }
}
